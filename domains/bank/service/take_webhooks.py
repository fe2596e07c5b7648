"""What a provider tells of a connection by itself, when nobody has asked it.

Each is in one transaction with the receipt of the message, and changes nothing of a connection that was removed.
"""

from datetime import datetime, timedelta
from uuid import UUID

from db.bank import queries_connections as connections
from db.bank import queries_links as receipts
from db.engines import WriteSession
from domains.bank import rules
from domains.bank.service.sync_connections import CONSENT_ENDS, request_notice


async def take_receipt(session: WriteSession, provider: str, digest: str, connection_id: UUID, kind: str) -> bool:
    """Whether this message is new; an equal one that is being taken in elsewhere is waited for. `digest`: SHA-256, lower-case hex."""
    return await receipts.add_receipt(session, provider, digest, connection_id, kind)


async def note_repair(session: WriteSession, connection_id: UUID, at: datetime, every: timedelta) -> None:
    """The connection works again without our doing: nobody is asked to sign in any more, and the calendar has it fetched again."""
    connection = await connections.find_connection(session, connection_id, lock=True)
    if connection is None or connection.status not in (connections.REQUIRES_UPDATE, connections.ERROR):
        return
    works = {"status": connections.ACTIVE, "error_code": None, "error_message": None, "sync_failures": 0}
    await connections.change_connection(session, connection_id, works | {"next_sync_at": rules.next_tick(at, every, connection_id)})


async def note_expiry(session: WriteSession, connection_id: UUID, expires_at: datetime, at: datetime) -> None:
    """From `expires_at` on the connection will not work any more unless its owner agrees again.

    Effects: one notice is queued, unless its owner was told of this expiry before.
    """
    if await connections.warn_of_expiry(session, connection_id, expires_at, at):
        await request_notice(session, connection_id, CONSENT_ENDS)
