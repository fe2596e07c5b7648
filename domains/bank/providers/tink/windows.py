"""Which days are asked for, and which of them are known completely afterwards. Pure.

Tink tells all that it has of the days it is asked for, and nothing of what changed. So each fetch asks for some days again that
were complete before: banks book late, and take back.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

#: How many days before the last complete one are asked for again.
OVERLAP_DAYS: Final = 14
#: How many days after today are asked for: a pending transaction stands on the day it is expected to be booked.
AHEAD_DAYS: Final = 14
#: The longest cursor that is read: some hundred accounts.
CURSOR_AT_MOST: Final = 65_536
_VERSION: Final = 1
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Days:
    """`first` to `last`, both asked for; `first` is None for all that there is."""

    first: date | None
    last: date


def read_cursor(cursor: str | None) -> dict[str, date] | None:
    """The last complete day per account id; empty before the first fetch, None for a cursor that is not of ours."""
    if cursor is None:
        return {}
    if len(cursor) > CURSOR_AT_MOST:
        return None
    try:
        document = json.loads(cursor)
        if document["v"] != _VERSION:
            return None
        return {str(account): date.fromisoformat(day) for account, day in document["accounts"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def write_cursor(complete: Mapping[str, date]) -> str:
    """What `read_cursor` reads; the same days give the same text."""
    days = {account: day.isoformat() for account, day in sorted(complete.items())}
    return json.dumps({"v": _VERSION, "accounts": days}, separators=(",", ":"))


def days_to_ask(complete: date | None, today: date) -> Days:
    """What to ask of an account that is known completely until `complete`; of one that is not known, all."""
    last = today + timedelta(days=AHEAD_DAYS)
    if complete is None:
        return Days(None, last)
    return Days(min(complete, today) - timedelta(days=OVERLAP_DAYS), last)


def window(asked: Days, told: Sequence[date]) -> tuple[date, date] | None:
    """The half-open days of which all is known, when `told` are the days of what was answered.

    Of a whole history nobody says where it begins: the first day that it tells of may be cut, and what is older is not taken back.
    """
    end = asked.last + _DAY
    if asked.first is not None:
        return asked.first, end
    if not told:
        return None
    begin = min(told) + _DAY
    return (begin, end) if begin < end else None


def complete_until(before: date | None, refreshed_on: date | None, today: date) -> date:
    """The last complete day after a fetch: today, or the day on which Tink last heard from the bank. It never goes back."""
    reached = today if refreshed_on is None else min(refreshed_on, today)
    return reached if before is None else max(before, reached)
