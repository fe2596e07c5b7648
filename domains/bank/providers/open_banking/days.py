"""Days as banks write them, and of which days we ask. No I/O."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from domains.bank.providers import reading

#: So many days before the last complete fetch are fetched again: banks add, change and take back what they listed.
OVERLAP: Final = timedelta(days=14)
#: One day more is asked for and thrown away: banks compare instants, and a day that is written in another zone begins earlier.
_MARGIN: Final = timedelta(days=1)
#: Banks give 90 days without the customer being there, and do not always say that they left the rest out. So far back an empty
#: answer means that there is nothing; further back it may mean that nothing is told.
TOLD_FOR_SURE: Final = timedelta(days=80)
_NAME_DIGITS: Final = 12


def written_day(value: Any, field: str, today: date) -> date:
    """The day of an instant as the bank wrote it, whatever the zone. Errors: ProviderGarbled."""
    if isinstance(value, str) and len(value) == len("2026-01-31"):
        return reading.day(value, field, today)
    reading.instant(value, field, today)
    return reading.day(value[:10], field, today)


@dataclass(frozen=True, slots=True)
class Asked:
    """Of which days transactions are asked for. start: the first one that counts; None: all that the bank has."""

    start: date | None

    @property
    def from_booking_date_time(self) -> str | None:
        """Zones are ignored by banks (the specification says so), but the format has one."""
        return None if self.start is None else f"{self.start - _MARGIN}T00:00:00Z"

    def window(self, days: Iterable[date], first_available: date | None, today: date) -> tuple[date, date] | None:
        """The half-open days of which the answer is all that the bank has; None where that cannot be said of any.

        days: those of what was answered. first_available: the first day of which the bank says that it tells; it may tell only part
        of that day, and so it may of the first day of an answer without a bound.
        """
        ordered = sorted(days)
        last = max([today, *ordered[-1:]])
        starts = [] if self.start is None else [self.start]
        if first_available is not None and (self.start is None or first_available > self.start):
            starts.append(first_available + timedelta(days=1))
        if not starts or min(starts) < today - TOLD_FOR_SURE:
            starts += [ordered[0] + timedelta(days=1)] if ordered else [today]
        start = max(starts)
        return (start, last + timedelta(days=1)) if start <= last else None


@dataclass(frozen=True, slots=True)
class Cursor:
    """What the last complete fetch was. on: its day. accounts: which accounts it had: a new one is asked for all it has."""

    on: date
    accounts: frozenset[str]

    @classmethod
    def read(cls, text: str | None) -> "Cursor | None":
        """None before the first fetch; one that cannot be read is as good as none: all is asked for again."""
        try:
            said: Any = None if text is None else json.loads(text)
            return None if said is None else cls(date.fromisoformat(said["on"]), frozenset(map(str, said["accounts"])))
        except (ValueError, TypeError, KeyError, RecursionError):
            return None

    @classmethod
    def after(cls, on: date, account_ids: Iterable[str]) -> str:
        return json.dumps({"on": on.isoformat(), "accounts": sorted(map(_short, account_ids))}, separators=(",", ":"))

    def asked(self, account_id: str) -> Asked:
        return Asked(self.on - OVERLAP if _short(account_id) in self.accounts else None)


def _short(account_id: str) -> str:
    return hashlib.sha256(account_id.encode()).hexdigest()[:_NAME_DIGITS]
