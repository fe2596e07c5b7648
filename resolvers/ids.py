"""Global ids: opaque to clients, `base64url("Type:key")` to us.

A malformed id, one of another type and one that is not there answer alike: None here, "not found" at the client.
"""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final
from uuid import UUID

from domains.core.ids import parse_id

MAX_CHARACTERS = 300
#: No row has this id.
NOBODYS: Final = UUID(int=0)
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9]*):([\x21-\x7e]{1,100})", re.ASCII)


def to_global_id(type_name: str, key: UUID | str) -> str:
    return urlsafe_b64encode(f"{type_name}:{key}".encode()).decode()


def split_global_id(value: str) -> tuple[str, str] | None:
    """Type name and key, or None unless `value` is exactly what `to_global_id` makes."""
    if not value.isascii() or len(value) > MAX_CHARACTERS:
        return None
    try:
        raw = urlsafe_b64decode(value)
        match = _PARTS.fullmatch(raw.decode("ascii"))
    except (binascii.Error, UnicodeDecodeError):
        return None
    if match is None or urlsafe_b64encode(raw).decode() != value:
        return None
    return match[1], match[2]


def text_from_global_id(value: str, expected: str) -> str | None:
    """The key in a global id of the expected type, for types whose keys are text (categories)."""
    parts = split_global_id(value)
    return parts[1] if parts is not None and parts[0] == expected else None


def from_global_id(value: str, expected: str) -> UUID | None:
    """The id in a global id of the expected type."""
    key = text_from_global_id(value, expected)
    return None if key is None else parse_id(key)


def given_id(value: str, expected: str) -> UUID:
    """As `from_global_id`, but for use cases: what is no id becomes the id of nothing, and is not found on the same path."""
    return from_global_id(value, expected) or NOBODYS
