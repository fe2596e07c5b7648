"""What a user does with an insight: they see it, put it away, say whether it helped. Doing it again changes nothing."""

from datetime import datetime
from uuid import UUID

from db.analytics.queries import insights as queries
from db.engines import WriteSession
from domains.analytics.errors import InsightNotFound


async def mark_viewed(session: WriteSession, insight_id: UUID, now: datetime) -> None:
    """It was seen, and stays seen since the first time. Errors: InsightNotFound."""
    found = await _lock(session, insight_id)
    if found.viewed_at is None:
        await queries.change_insight(session, insight_id, {"viewed": True, "viewed_at": now})


async def dismiss_insight(session: WriteSession, insight_id: UUID, now: datetime, *, dismissed: bool) -> None:
    """Put it away since the first time, or take it back. Errors: InsightNotFound."""
    found = await _lock(session, insight_id)
    if (found.dismissed_at is not None) != dismissed:
        await queries.change_insight(session, insight_id, {"dismissed": dismissed, "dismissed_at": now if dismissed else None})


async def rate_insight(session: WriteSession, insight_id: UUID, feedback: str | None) -> None:
    """Say `helpful`, `not_helpful`, or take it back with None. Errors: InsightNotFound."""
    found = await _lock(session, insight_id)
    if found.feedback != feedback:
        await queries.change_insight(session, insight_id, {"feedback": feedback})


async def _lock(session: WriteSession, insight_id: UUID) -> queries.LockedInsight:
    found = await queries.lock_insight(session, insight_id)
    if found is None:
        raise InsightNotFound(field="id")
    return found
