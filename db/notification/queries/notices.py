"""Statements that write notifications, and count over everybody's for upkeep."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Date,
    DateTime,
    Integer,
    String,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from db.base import INSTANT
from db.engines import SystemSession, WriteSession
from db.notification.models import notification_stats, notifications
from db.statements import as_arrays, given_rows, is_one_of, owned

_WRITTEN: Final[dict[str, Any]] = {
    "id": Uuid,
    "type": String,
    "channel": String,
    "title": String,
    "message": Text,
    "data": Text,
    "correlation_id": Uuid,
    "priority": String,
    "max_retries": Integer,
    "expires_at": INSTANT,
}


async def add_notifications(session: WriteSession, rows: Sequence[dict[str, Any]]) -> list[UUID]:
    """Store these (`data` as JSON text) unless their event was answered before; answers the ids of what is new.

    Two writers that share events wait for each other: give the rows in one order.
    """
    given = given_rows(_WRITTEN)
    taken = [cast(given.c[name], JSONB) if name == "data" else given.c[name] for name in _WRITTEN]
    viewer = bindparam("viewer", type_=Uuid)
    added = upsert(notifications).from_select(["user_id", *_WRITTEN], select(viewer, *taken)).on_conflict_do_nothing()
    return list((await session.run(added.returning(notifications.c.id), **as_arrays(rows, _WRITTEN))).scalars())


async def lock_notifications(session: WriteSession, ids: Sequence[UUID]) -> list[UUID]:
    """Those among these that are there, locked in the order of their ids, so that two writers cannot wait for each other."""
    rows = notifications.c
    statement = select(rows.id).where(owned(notifications), is_one_of(rows.id)).order_by(rows.id).with_for_update()
    return list((await session.run(statement, keys=list(ids))).scalars())


async def mark_read(session: WriteSession, ids: Sequence[UUID]) -> None:
    """Now; what was read before keeps its instant."""
    rows = notifications.c
    statement = update(notifications).where(owned(notifications), is_one_of(rows.id), rows.read_at.is_(None))
    await session.run(statement.values(read_at=func.now()), keys=list(ids))


async def mark_unread(session: WriteSession, ids: Sequence[UUID]) -> None:
    rows = notifications.c
    statement = update(notifications).where(owned(notifications), is_one_of(rows.id), rows.read_at.is_not(None))
    await session.run(statement.values(read_at=None), keys=list(ids))


async def mark_all_read(session: WriteSession, until: datetime | None, *, limit: int) -> int:
    """Mark what is unread and was there at the instant (without it: now), at most so many; answers how many they were."""
    rows = notifications.c
    there = rows.created_at <= (func.now() if until is None else literal(until, INSTANT))
    locked = select(rows.id).where(owned(notifications), rows.read_at.is_(None), there).order_by(rows.id).limit(limit).with_for_update()
    chosen = locked.cte("chosen")
    marked = update(notifications).where(owned(notifications), rows.id == chosen.c.id, rows.read_at.is_(None))
    return len((await session.run(marked.values(read_at=func.now()).returning(rows.id))).all())


async def move(session: WriteSession, notification_id: UUID, statuses: Sequence[str], values: dict[str, Any]) -> bool:
    """Write the values if the notification has one of these statuses; False when it has not, or is not there."""
    rows = notifications.c
    is_due = and_(owned(notifications), rows.id == bindparam("at_id", type_=Uuid), rows.status.in_(list(statuses)))
    moved = await session.run(update(notifications).where(is_due).values(**values).returning(rows.id), at_id=notification_id)
    return moved.scalar_one_or_none() is not None


async def mark_delivered(session: WriteSession, notification_id: UUID, at: datetime) -> bool:
    """Of a notification that was sent; the first instant stays. False when it was not sent, or is not there."""
    delivered = func.coalesce(notifications.c.delivered_at, literal(at, INSTANT))
    return await move(session, notification_id, ["sent"], {"delivered_at": delivered})


async def find_attempts(session: WriteSession, notification_id: UUID, status: str) -> tuple[int, int] | None:
    """(retry_count, max_retries) of a notification in this status, locked; None when there is none."""
    rows = notifications.c
    mine = and_(owned(notifications), rows.id == bindparam("at_id", type_=Uuid), rows.status == status)
    found = await session.run(select(rows.retry_count, rows.max_retries).where(mine).with_for_update(), at_id=notification_id)
    row = found.one_or_none()
    return None if row is None else (row.retry_count, row.max_retries)


async def retry_due(session: WriteSession, at: datetime, *, limit: int) -> list[UUID]:
    """Let what failed and is to be tried again by this instant wait for delivery anew, the longest due first; at most so many."""
    rows = notifications.c
    due = and_(owned(notifications), rows.status == "failed", rows.next_retry_at <= literal(at, INSTANT))
    chosen = select(rows.id).where(due).order_by(rows.next_retry_at).limit(limit).with_for_update(skip_locked=True).cte("chosen")
    again = {"status": "pending", "error_message": None, "next_retry_at": None, "retry_count": rows.retry_count + 1}
    moved = update(notifications).where(owned(notifications), rows.id == chosen.c.id).values(**again).returning(rows.id)
    return list((await session.run(moved)).scalars())


# Upkeep

#: What the column holds at most: 24 days.
LONGEST_MS: Final = 2**31 - 1
_COUNTED: Final = ("sent_count", "delivered_count", "failed_count", "read_count", "avg_delivery_time_ms")


async def fold_stats(session: SystemSession, since: date) -> int:
    """Count the notifications written on this day (UTC) or later anew, by day, channel and type; answers how many counts that changed."""
    stats, rows = notification_stats, notifications.c
    begin = func.timezone("UTC", cast(literal(since, Date), DateTime))
    day = cast(func.timezone("UTC", rows.created_at), Date)
    took_ms = func.least(1000 * func.extract("epoch", rows.delivered_at - rows.sent_at), LONGEST_MS)
    took = func.avg(took_ms).filter(rows.delivered_at >= rows.sent_at)
    groups = (
        select(
            day.label("date"),
            rows.channel,
            rows.type,
            func.count(rows.sent_at),
            func.count(rows.delivered_at),
            func.count().filter(rows.status == "failed"),
            func.count(rows.read_at),
            cast(func.round(took), Integer),
        )
        .where(rows.created_at >= begin)
        .group_by(day, rows.channel, rows.type)
    )
    row = upsert(stats).from_select(["date", "channel", "type", *_COUNTED], groups)
    differs = or_(*(stats.c[name].is_distinct_from(row.excluded[name]) for name in _COUNTED))
    stored = row.on_conflict_do_update(
        index_elements=["date", "channel", "type"], set_={name: row.excluded[name] for name in _COUNTED}, where=differs
    )
    changed = (await session.execute(stored.returning(stats.c.id))).all()
    # of those that went with their user nothing is left to count
    left = select(day, rows.channel, rows.type).where(rows.created_at >= begin)
    gone = delete(stats).where(stats.c.date >= since, tuple_(stats.c.date, stats.c.channel, stats.c.type).not_in(left))
    return len(changed) + len((await session.execute(gone.returning(stats.c.id))).all())
