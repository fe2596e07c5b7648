"""Time, as an argument: rules never read the machine's clock."""

from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    def now(self) -> datetime:
        """This instant, aware, in UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def local_date(at: datetime, timezone: str) -> date:
    """The civil date of an instant in an IANA time zone."""
    return at.astimezone(ZoneInfo(timezone)).date()
