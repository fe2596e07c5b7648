"""From a message of a provider's to what follows from it: a fetch, or another state of the connection. Whoever calls has verified it.

Providers send again what was not answered, late and in any order. So a message is at most a reason to fetch, or a change that the next
fetch confirms or takes back; and equal ones count once.
"""

from datetime import datetime, timedelta
from typing import Final

from db.bank import queries_connections as connections
from db.bank.queries_syncs import WEBHOOK
from db.engines import Viewer, WriteSession
from domains.bank.providers.errors import ReauthenticationRequired
from domains.bank.providers.plaid.webhooks import Webhook, WebhookKind
from domains.bank.service import sync_connections, take_webhooks
from domains.flows.services import Services

#: So much later it is fetched, so that a burst of messages is one fetch.
DELAY_S: Final = 1.0


async def take_webhook(services: Services, provider: str, webhook: Webhook, digest: str) -> bool:
    """Have done what a message asks for; False when it is of no connection that goes on, was taken before, or asks for nothing.

    digest: SHA-256 (lower-case hex) of what was signed, its time included, so that the same news on another day counts again.
    Effects: a receipt; a fetch in a second (one that is running is followed by another), or a notice; in one transaction.
    """
    if webhook.item_id is None or webhook.kind is WebhookKind.IGNORED:
        return False
    async with services.db.system("bank") as session:
        connection = await connections.find_by_item(session, provider, webhook.item_id)
    if connection is None:
        return False
    async with services.db.write("bank", Viewer(connection.user_id)) as session:
        if not await take_webhooks.take_receipt(session, provider, digest, connection.id, webhook.code):
            return False
        every = timedelta(seconds=services.options.sync_every_s)
        if await _asks_for_fetch(session, connection, webhook, services.clock.now(), every):
            await sync_connections.request_sync(session, connection.id, WEBHOOK, delay_s=DELAY_S)
    return True


async def _asks_for_fetch(
    session: WriteSession, connection: connections.DueConnection, webhook: Webhook, at: datetime, every: timedelta
) -> bool:
    """Change the connection as the message says; whether it is to be fetched then."""
    match webhook.kind:
        case WebhookKind.EXPIRING:
            if webhook.expires_at is not None:
                await take_webhooks.note_expiry(session, connection.id, webhook.expires_at, at)
            return False
        case WebhookKind.REAUTHENTICATION:
            # it may be older than a repair: then the fetch finds that all is well, and else that it is not, without another notice
            detail = webhook.error_code or ReauthenticationRequired.code
            return await sync_connections.require_login(session, connection.id, detail, ReauthenticationRequired.message)
        case WebhookKind.REPAIRED:
            await take_webhooks.note_repair(session, connection.id, at, every)
            return True
        case _:
            return True
