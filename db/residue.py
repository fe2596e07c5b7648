"""What a statement may leave in the server's session when its transaction has ended: a role, a setting, a lock, a temporary table.

The pool hands a connection on only when nothing that ran on it can have left any of these. That is told by the text, once per text:
it costs no trip, and what is not known to pass is held to stay.
"""

import re
from functools import lru_cache
from typing import Final

TEXTS_KEPT: Final = 4_000

#: Begins of statements whose effects on the session end with their transaction.
_PASSING: Final = re.compile(
    r"(?:select|insert|update|delete|merge|with|values|begin|commit|rollback|savepoint|release|show|lock\s+table"
    r"|set\s+(?:local|transaction|constraints))\b|set\s+local\s"
)
#: What does stay, inside of those. The `xact` kinds of advisory locks are spelled otherwise.
_STAYING: Final = re.compile(r"advisory_(?:lock|unlock)|set_config|\bpg_temp|\binto\s+(?:local\s+|global\s+)?temp(?:orary)?\b")
#: A setting of the transaction, as SET LOCAL makes it.
_LOCAL_SETTING: Final = re.compile(r"set_config\s*\([^()]*,\s*true\s*\)")

#: Gives a server's session back as a new one has it. DISCARD ALL does more, but not in the trip that ends a transaction.
RESET: Final = "CLOSE ALL;RESET SESSION AUTHORIZATION;RESET ALL;UNLISTEN *;DISCARD TEMP;SELECT pg_catalog.pg_advisory_unlock_all()"


@lru_cache(maxsize=TEXTS_KEPT)
def may_outlive(sql: str) -> bool:
    """Whether the text may leave something in the session. A text that is not understood may."""
    parts = (part.strip() for part in _LOCAL_SETTING.sub("", sql.lower()).split(";"))
    return any(part and (not _PASSING.match(part) or _STAYING.search(part) is not None) for part in parts)
