"""What is personal in an entry, as it is stored: JSON or text, sealed with the user's data key for its column.

An entry without a user has no key, and nothing personal: its metadata is JSON as it is.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson

from domains.core.cipher import UserKey

TABLE: Final = "audit_schema.audit_logs"
#: Columns that hold ciphertext.
SEALED: Final = ("ip_address", "user_agent", "old_values", "new_values", "metadata")
#: Those of them that hold text; the others hold JSON.
TEXTS: Final = ("ip_address", "user_agent")


def seal_text(key: UserKey, column: str, text: str) -> bytes:
    return key.seal(TABLE, column, text.encode())


def seal_values(key: UserKey | None, column: str, values: Mapping[str, Any]) -> bytes:
    """JSON, and Decimal, UUID, date or datetime in it. Errors: TypeError for anything else."""
    plain = orjson.dumps(dict(values), default=_exact, option=orjson.OPT_SORT_KEYS)
    return plain if key is None else key.seal(TABLE, column, plain)


def open_text(key: UserKey, column: str, stored: bytes) -> str:
    """Errors: DecryptionFailed."""
    return key.open(TABLE, column, stored).decode()


def open_values(key: UserKey, column: str, stored: bytes) -> dict[str, Any]:
    """Errors: DecryptionFailed."""
    values: dict[str, Any] = orjson.loads(key.open(TABLE, column, stored))
    return values


def _exact(value: object) -> str:
    """Amounts are text, as everywhere in JSON of ours. The driver's ids are a class of its own."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not kept in the audit trail")
