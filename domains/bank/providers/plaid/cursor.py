"""What is kept between two fetches of a connection: Plaid's cursor, and since when each account was told of."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """plaid: Plaid's own, opaque; None: from the beginning, as long as the past is still being gathered.

    since: by account, the earliest day of all that this connection ever told. Where Plaid's cursor is lost, it says from which day on
    a replay is everything: also where the earliest row is gone by then.
    """

    plaid: str | None = None
    since: Mapping[str, date] = field(default_factory=dict)

    def write(self) -> str | None:
        """As it is stored; None before there is anything to go on from."""
        if self.plaid is None and not self.since:
            return None
        since = {account: day.isoformat() for account, day in sorted(self.since.items())}
        return json.dumps({"v": _VERSION, "plaid": self.plaid, "since": since}, separators=(",", ":"))


def read_cursor(stored: str | None) -> Cursor | None:
    """What was stored; an empty one where nothing was. None where it cannot be read: everything has to be told again."""
    if stored is None:
        return Cursor()
    try:
        return _read(json.loads(stored))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None


def _read(said: Any) -> Cursor | None:
    if said["v"] != _VERSION or not isinstance(said["plaid"], str | None) or said["plaid"] == "":
        return None
    return Cursor(said["plaid"], {account: date.fromisoformat(day) for account, day in said["since"].items()})
