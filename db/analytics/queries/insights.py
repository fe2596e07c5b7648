"""Statements of what a user does with their insights."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select, update

from db.analytics.models import insights
from db.engines import WriteSession
from db.statements import owned


class LockedInsight(NamedTuple):
    """What decides whether something changes."""

    id: UUID
    viewed_at: datetime | None
    dismissed_at: datetime | None
    feedback: str | None


async def lock_insight(session: WriteSession, insight_id: UUID) -> LockedInsight | None:
    """The viewer's insight, or None when it is not theirs or not there."""
    rows = insights
    mine = select(*(rows.c[name] for name in LockedInsight._fields)).where(owned(rows), rows.c.id == bindparam("at_id"))
    row = (await session.run(mine.with_for_update(), at_id=insight_id)).one_or_none()
    return None if row is None else LockedInsight(*row)


async def change_insight(session: WriteSession, insight_id: UUID, values: dict[str, Any]) -> None:
    rows = insights
    await session.run(update(rows).where(owned(rows), rows.c.id == bindparam("at_id")).values(values), at_id=insight_id)
