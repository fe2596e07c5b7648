"""What became of a delivery, as its channel tells it. Each may be told twice: the second time changes nothing."""

import random
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.engines import WriteSession
from db.notification.queries import notices
from domains.notification import rules

#: Of those whose time has come, in one transaction.
RETRIED_AT_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Failed:
    """Whether the failure was recorded, and when to try again (None: never)."""

    is_recorded: bool
    next_retry_at: datetime | None = None


async def record_sent(session: WriteSession, notification_id: UUID, at: datetime) -> bool:
    """The channel took it at this instant. False: it does not wait for delivery, or is not there."""
    return await notices.move(session, notification_id, rules.statuses_before("sent"), {"status": "sent", "sent_at": at})


async def record_delivered(session: WriteSession, notification_id: UUID, at: datetime) -> bool:
    """It arrived; the first instant stays. False: it was not sent, or is not there."""
    return await notices.mark_delivered(session, notification_id, at)


async def record_failed(
    session: WriteSession, notification_id: UUID, code: str, at: datetime, *, is_final: bool = False, draw: float | None = None
) -> Failed:
    """The channel did not take it. `code` is one of ours, as users see it; `is_final`: trying again cannot help.

    Errors: ValueError for a code that is none.
    """
    rules.check_failure(code)
    attempts = await notices.find_attempts(session, notification_id, "pending")
    if attempts is None:
        return Failed(is_recorded=False)
    drawn = random.random() if draw is None else draw  # noqa: S311 - spreads load, guards nothing
    retry_at = None if is_final else rules.next_retry_at(at, *attempts, drawn)
    values = {"status": "failed", "error_message": code, "next_retry_at": retry_at}
    await notices.move(session, notification_id, rules.statuses_before("failed"), values)
    return Failed(is_recorded=True, next_retry_at=retry_at)


async def cancel_notification(session: WriteSession, notification_id: UUID) -> bool:
    """It is not to be delivered any more. False: it was sent, or is not there."""
    values = {"status": "cancelled", "next_retry_at": None}
    return await notices.move(session, notification_id, rules.statuses_before("cancelled"), values)


async def retry_due(session: WriteSession, at: datetime) -> list[UUID]:
    """Have those of the viewer's failed ones that are to be tried again by this instant wait for delivery; answers their ids."""
    return await notices.retry_due(session, at, limit=RETRIED_AT_MOST)
