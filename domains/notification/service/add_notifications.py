"""Write what somebody is told. Delivering it is the channels' work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from db.engines import WriteSession
from db.notification.queries import notices
from domains.core.ids import new_id
from domains.notification import rules


@dataclass(frozen=True, slots=True)
class NewNotification:
    """One message over one channel.

    correlation_id: the event that it answers, the same each time that event is looked at; None: no event, it may repeat.
    data:           plain JSON for programs: ids, numbers. expires_at: an instant after which nobody needs it.
    """

    type: str
    channel: str
    message: str
    title: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    correlation_id: UUID | None = None
    priority: str = "normal"
    max_retries: int = 3
    expires_at: datetime | None = None


async def add_notifications(session: WriteSession, given: Sequence[NewNotification]) -> list[UUID]:
    """Write these for the viewer in one statement; answers the ids of those that are new.

    An event is answered once per type and channel, whoever else answers it, before or at the same time: what is there stays as it is.
    Errors: ValueError for words that do not fit.
    """
    for each in given:
        rules.check_words(each.title, each.message)
    if not given:
        return []
    # two that answer the same events wait for each other, in this order
    ordered = sorted(given, key=lambda each: (str(each.correlation_id), each.type, each.channel))
    return await notices.add_notifications(session, [_row(each) for each in ordered])


def _row(given: NewNotification) -> dict[str, Any]:
    return {
        "id": new_id(),
        "type": given.type,
        "channel": given.channel,
        "title": given.title,
        "message": given.message,
        "data": orjson.dumps(dict(given.data)).decode(),
        "correlation_id": given.correlation_id,
        "priority": given.priority,
        "max_retries": given.max_retries,
        "expires_at": given.expires_at,
    }
