"""The end of a connection: its tokens are destroyed first, then its bank is told, and its transactions go if they shall.

What the bank must be told with is kept apart, for as long as that takes and a day at most; the connection has no token any more.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from db import jobs
from db.bank import queries_connections as connections
from db.bank import queries_links as links
from db.bank.queries_connections import StoredConnection
from db.engines import WriteSession
from domains.bank.errors import BankConnectionNotFound
from domains.bank.providers.protocol import Credentials
from domains.bank.sealing import ACCESS, EXPIRES, NO_CREDENTIALS, REFRESH, seal_credentials
from domains.core.cipher import UserKey
from domains.core.ids import new_id

REVOKE: Final = "bank.revoke"
FORGET: Final = "bank.forget_transactions"
#: How often a bank is told that our access ends, and for how long.
REVOKE_ATTEMPTS: Final = 200
REVOKED_WITHIN: Final = timedelta(days=1)
#: A fetch that goes on, or a bank that hangs, is waited for.
FORGET_ATTEMPTS: Final = 100


async def remove_connection(session: WriteSession, connection_id: UUID, at: datetime, *, forgets: bool) -> bool:
    """End a connection and close its accounts; False when it had ended before. `forgets`: their transactions are to go.

    Effects: no token of it is left; jobs that tell its bank, and that delete. Errors: BankConnectionNotFound.
    """
    connection = await connections.find_connection(session, connection_id, lock=True)
    if connection is None:
        raise BankConnectionNotFound(field="id")
    has_ended = connection.status == connections.DISCONNECTED
    if not has_ended:
        await end_connection(session, connection, at)
        await connections.close_accounts(session, connection_id)
    if forgets:
        payload = {"connection_id": str(connection_id)}
        await jobs.add(session, FORGET, key=str(connection_id), payload=payload, max_attempts=FORGET_ATTEMPTS)
    return not has_ended


async def end_connection(session: WriteSession, connection: StoredConnection, at: datetime) -> None:
    """Nothing is fetched through it any more. Its tokens move to where the job finds them that tells its bank."""
    if connection.access_token_encrypted is not None:
        await _request_revoking(session, connection.id, {name: getattr(connection, name) for name in (ACCESS, REFRESH, EXPIRES)}, at)
    values = {
        **NO_CREDENTIALS,
        "status": connections.DISCONNECTED,
        "error_code": None,
        "error_message": None,
        "next_sync_at": None,
        "sync_failures": 0,
        "sync_cursor": None,
        "consent_expires_at": None,
        "consent_warned_at": None,
    }
    await connections.change_connection(session, connection.id, values)


async def revoke_unused(session: WriteSession, connection_id: UUID, credentials: Credentials, key: UserKey, at: datetime) -> None:
    """Credentials that came when their connection had ended: its bank is told of these, too."""
    await _request_revoking(session, connection_id, seal_credentials(key, credentials), at)


async def find_revocation(session: WriteSession, revocation_id: UUID) -> tuple[links.StoredRevocation, StoredConnection] | None:
    """What is to be revoked, and the connection that it was of; None when that is done, or was given up."""
    revocation = await links.find_revocation(session, revocation_id)
    if revocation is None:
        return None
    connection = await connections.find_connection(session, revocation.connection_id)
    return None if connection is None else (revocation, connection)


async def end_revocation(session: WriteSession, revocation_id: UUID) -> None:
    """The bank was told, or will not be: the tokens are destroyed."""
    await links.delete_revocation(session, revocation_id)


async def find_forgotten(session: WriteSession, connection_id: UUID, sync_topic: str) -> list[UUID] | None:
    """The accounts whose transactions are to go: none when the bank was linked again meanwhile; None while a fetch of it still runs."""
    connection = await connections.find_connection(session, connection_id)
    if connection is None or connection.status != connections.DISCONNECTED:
        return []
    if await connections.find_live_job(session, sync_topic, connection_id) is not None:
        return None
    return await connections.list_account_ids(session, connection_id)


async def _request_revoking(session: WriteSession, connection_id: UUID, sealed: dict[str, object], at: datetime) -> None:
    revocation_id = new_id()
    values = {"id": revocation_id, "connection_id": connection_id, "gives_up_at": at + REVOKED_WITHIN}
    await links.add_revocation(session, {**values, **sealed})
    payload = {"revocation_id": str(revocation_id)}
    await jobs.add(session, REVOKE, key=str(revocation_id), payload=payload, max_attempts=REVOKE_ATTEMPTS)
