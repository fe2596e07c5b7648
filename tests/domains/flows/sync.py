"""What a fetch has left, as its tests read it."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from db.bank.models import bank_accounts
from db.bank.queries_connections import find_connection
from db.engines import Viewer
from db.notification.models import notifications
from db.transaction.models import own_transactions
from domains.bank.sealing import open_credentials
from domains.flows.services import Services
from tests.banks import run_jobs


async def rows_of(services: Services, viewer: Viewer) -> list[dict[str, Any]]:
    async with services.db.write("transaction", viewer) as session:
        return [dict(row) for row in (await session.execute(own_transactions.select())).mappings()]


async def ids_of(services: Services, viewer: Viewer) -> dict[str, UUID]:
    """The provider's id of each transaction that counts, and ours."""
    return {row["provider_transaction_id"]: row["id"] for row in await rows_of(services, viewer) if row["status"] != "cancelled"}


async def accounts_of(services: Services, viewer: Viewer) -> list[dict[str, Any]]:
    async with services.db.write("bank", viewer) as session:
        return [dict(row) for row in (await session.execute(bank_accounts.select().order_by(bank_accounts.c.id))).mappings()]


async def balance_of(services: Services, viewer: Viewer) -> Decimal | None:
    [account] = await accounts_of(services, viewer)
    return account["current_balance"]  # type: ignore[no-any-return]


async def notices_of(services: Services, viewer: Viewer) -> list[tuple[str, str]]:
    """(title, kind) of what the viewer was told of connections, once what waits was told."""
    await run_jobs(services, viewer, "notification.notice")
    async with services.db.write("notification", viewer) as session:
        told = (await session.execute(notifications.select().order_by(notifications.c.created_at))).mappings().all()
    assert {each["type"] for each in told} <= {"connection_alert"}
    return [(each["title"], each["data"]["kind"]) for each in told]


async def open_tokens(services: Services, viewer: Viewer, connection_id: UUID) -> tuple[str, str | None]:
    key = await services.cipher.key_of(viewer.user_id, make=False)
    async with services.db.write("bank", viewer) as session:
        connection = await find_connection(session, connection_id)
    assert connection is not None
    credentials = open_credentials(key, connection)
    return credentials.access_token, credentials.refresh_token
