"""Months of the trail: made ahead, dropped when nobody has to keep them; and the holds that say who has."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final
from uuid import UUID

from db.audit import queries
from db.engines import SystemSession
from domains.audit.errors import MonthHeld
from domains.core.ids import new_id

#: How many months there are partitions for, the present one included.
MONTHS_AHEAD: Final = 4


@dataclass(frozen=True, slots=True)
class PlaceHold:
    """What must be kept: everything of a user, or of everybody (None), as `placed_by` says for `reason`."""

    user_id: UUID | None
    reason: str
    placed_by: str


async def ensure_months(session: SystemSession, today: date) -> None:
    """Make the partitions of this month and those ahead that are missing."""
    for month in months_ahead(today):
        await queries.ensure_month(session, month)


def months_ahead(today: date) -> list[date]:
    """The first days of this month and those ahead."""
    months = [today.replace(day=1)]
    while len(months) < MONTHS_AHEAD:
        months.append(_next(months[-1]))
    return months


async def drop_month(session: SystemSession, month: date) -> bool:
    """Drop a month (UTC) of the trail; False when there is none. The chains still verify: each knows where it begins now.

    Errors: MonthHeld. The database refuses a month that ended less than seven years ago.
    """
    if await is_held(session, month):
        raise MonthHeld
    await queries.record_drop(session, *_bounds(month))
    return await queries.drop_month(session, month)


async def is_held(session: SystemSession, month: date) -> bool:
    """Whether a hold keeps a month (UTC): one for everybody, or for somebody who has an entry in it."""
    return await queries.is_month_held(session, *_bounds(month))


async def count_month(session: SystemSession, month: date) -> int:
    """The entries of a month (UTC)."""
    return await queries.count_entries(session, *_bounds(month))


async def place_hold(session: SystemSession, command: PlaceHold) -> UUID:
    """Keep what the hold names from retention and erasure until it is released; answers its id."""
    hold_id = new_id()
    row = {"id": hold_id, "user_id": command.user_id, "reason": command.reason, "placed_by": command.placed_by}
    await queries.add_hold(session, row)
    return hold_id


async def release_hold(session: SystemSession, hold_id: UUID) -> bool:
    """False when there is no such hold in force."""
    return await queries.release_hold(session, hold_id)


def _bounds(month: date) -> tuple[datetime, datetime]:
    return _instant(month.replace(day=1)), _instant(_next(month))


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _instant(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
