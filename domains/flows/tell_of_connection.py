"""From a connection that needs its owner to a notification, exactly once: the job `notification.notice`, left with the change.

read       bank: which bank it is; one that was removed meanwhile is nobody's concern
write      notification: the message, which answers the event of the job's id
finish     bank: the job is done
"""

from typing import Final
from uuid import UUID

from db.bank import queries_connections as connections
from domains.flows.services import Job, Services
from domains.notification.connections import words_of
from domains.notification.service.add_notifications import NewNotification, add_notifications

TYPE: Final = "connection_alert"
CHANNEL: Final = "in_app"


async def tell_of_connection(services: Services, job: Job, connection_id: UUID, kind: str) -> None:
    """Errors: LeaseLost; KeyError for a kind that nobody has words for."""
    async with services.db.write(job.domain, job.viewer) as session:
        connection = await connections.find_connection(session, connection_id)
        if connection is None or connection.status == connections.DISCONNECTED:
            await job.finish(session)
            return
    words = words_of(kind, connection.institution_name, job.viewer.locale)
    notification = NewNotification(
        type=TYPE,
        channel=CHANNEL,
        title=words.headline,
        message=words.text,
        data={"connectionId": str(connection_id), "kind": kind},
        correlation_id=job.id,
        priority="high",
    )
    async with services.db.write("notification", job.viewer) as session:
        await add_notifications(session, [notification])
    async with services.db.write(job.domain, job.viewer) as session:
        await job.finish(session)
