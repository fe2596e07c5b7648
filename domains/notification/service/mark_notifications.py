"""What somebody has read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.engines import WriteSession
from db.notification.queries import notices
from domains.notification.errors import NotificationNotFound

#: Whoever has more unread says it again.
MARKED_AT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Marked:
    """How many were marked, and whether more may be unread."""

    count: int
    has_more: bool


async def mark_read(session: WriteSession, ids: Sequence[UUID]) -> None:
    """What was read before keeps its instant. Errors: NotificationNotFound, and then nothing is marked."""
    await _lock(session, ids)
    await notices.mark_read(session, ids)


async def mark_unread(session: WriteSession, ids: Sequence[UUID]) -> None:
    """Errors: NotificationNotFound, and then nothing is marked."""
    await _lock(session, ids)
    await notices.mark_unread(session, ids)


async def mark_all_read(session: WriteSession, until: datetime | None = None) -> Marked:
    """Mark what was there at the instant, by default now: what came after the click stays unread."""
    count = await notices.mark_all_read(session, until, limit=MARKED_AT_MOST)
    return Marked(count, count == MARKED_AT_MOST)


async def _lock(session: WriteSession, ids: Sequence[UUID]) -> None:
    found = set(await notices.lock_notifications(session, ids))
    for at, each in enumerate(ids):
        if each not in found:
            raise NotificationNotFound(field=f"ids.{at}")
