"""People who have linked a simulated bank through Plaid, for processes of ours: what the bank has, and what we have of it."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from starlette.types import ASGIApp, Receive, Scope, Send

from app.simulators.bank import SimBank, SimTransaction
from app.simulators.plaid import PlaidSimulator
from app.simulators.plaid.items import Item
from app.simulators.server import serve
from db.bank.queries_syncs import WEBHOOK
from db.engines import Viewer
from domains.bank.providers.plaid.config import PlaidConfig
from domains.bank.providers.plaid.provider import PlaidProvider
from domains.bank.providers.wire import NoCircuits, Wire
from domains.bank.service.sync_connections import SYNC, request_sync
from domains.flows.link_bank import Answer, NewLink, complete_link, create_link
from domains.flows.services import Services
from domains.transaction.service.apply_batch import REFOLD
from tests.e2e import rows
from tests.servers.everywhere import Everywhere

#: So that a history has several pages.
PAGE_SIZE = 25
HISTORY_DAYS = 40


class Gate:
    """Stands before a server: the next page that is asked for waits here while it is shut, and those after it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = asyncio.Event()
        self._open.set()
        self._left = 0
        self.reached = asyncio.Event()

    def shut(self, *, after: int = 0) -> None:
        """From the page after so many more on."""
        self._left = after
        self._open.clear()
        self.reached.clear()

    def open(self) -> None:
        self._open.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/transactions/sync" and not self._open.is_set():
            if self._left > 0:
                self._left -= 1
            else:
                self.reached.set()
                await self._open.wait()
        await self._app(scope, receive, send)


@dataclass(frozen=True)
class Connection:
    """One person's, and what their bank calls it."""

    id: UUID
    viewer: Viewer
    item: Item


class Plaid:
    """A simulated Plaid on a socket, and how processes of ours reach it."""

    def __init__(self, simulator: PlaidSimulator, gate: Gate, url: str, provider: PlaidProvider) -> None:
        self.simulator = simulator
        self.gate = gate
        self.bank: SimBank = simulator.bank
        self.variables = {
            "FLORIN_PLAID_CLIENT_ID": simulator.client_id,
            "FLORIN_PLAID_SECRET": simulator.secret,
            "FLORIN_PLAID_URL": url,
        }
        self._provider = provider

    async def link(self, services: Services, viewer: Viewer) -> Connection:
        """As a person does; a first fetch waits for a worker."""
        linking = replace(services, banks={"plaid": self._provider})
        begun = await create_link(linking, viewer, NewLink("plaid"), str(uuid4()))
        answer = Answer(public_token=self.simulator.sign_in(begun.token))
        connection_id = await complete_link(linking, viewer, begun.id, answer, str(uuid4()))
        return Connection(connection_id, viewer, self.simulator.items[-1])

    def truth(self) -> Counter[tuple[Any, ...]]:
        """Every movement that the bank has now."""
        return Counter(_fact(self.bank.accounts[id].mask, row) for id in self.bank.accounts for row in self.bank.ledger(id))


@asynccontextmanager
async def plaid(today: date, seed: int = 22) -> AsyncIterator[Plaid]:
    simulator = PlaidSimulator(SimBank(seed, today=today, history_days=HISTORY_DAYS), page_size=PAGE_SIZE)
    gate = Gate(simulator.app)
    async with serve(gate) as url:
        wire = Wire(url, circuits=NoCircuits())
        told = PlaidConfig(client_id=simulator.client_id, secret=simulator.secret)
        try:
            yield Plaid(simulator, gate, url, PlaidProvider(wire, told, simulator.clock))
        finally:
            gate.open()
            await wire.close()


async def ask_for_fetch(services: Services, connection: Connection) -> None:
    """As a message of Plaid's does."""
    async with services.db.write("bank", connection.viewer) as session:
        await request_sync(session, connection.id, WEBHOOK)


# What we have


_LEDGER = """select account_id, amount, direction, transaction_date, status, original_description
  from transaction_schema.transactions where user_id = $1 and status <> 'cancelled'"""
_ACCOUNTS = "select id, account_mask from bank_schema.bank_accounts where user_id = $1"
_LINES = """select sync_type, status, stage, transactions_added, transactions_updated, transactions_removed, error_code
  from bank_schema.sync_history where connection_id = $1 order by started_at, id"""
_UNFINISHED = """select count(*) from bank_schema.sync_history
  where connection_id = $1 and (completed_at is null or duration_ms < 0 or job_id is null)"""


async def waits(superuser: Everywhere, viewers: Sequence[Viewer]) -> int:
    """How many fetches, and folds of what they brought, are asked for and not done."""
    found = 0
    for schema in rows.SCHEMAS:
        query = f"select count(*) from {schema}.jobs where user_id = any ($1) and topic = any ($2) and state in ('queued', 'running')"
        found += await superuser.fetchval(query, [viewer.user_id for viewer in viewers], [SYNC, REFOLD])
    return found


async def ledger(superuser: Everywhere, connection: Connection) -> Counter[tuple[Any, ...]]:
    """Every movement that we have, but for what the bank let go before it was booked."""
    user_id = connection.viewer.user_id
    masks = dict(await superuser.fetch(_ACCOUNTS, user_id))
    return Counter((masks[account_id], *fact) for account_id, *fact in await superuser.fetch(_LEDGER, user_id))


async def holdings(superuser: Everywhere, plaid: Plaid, connection: Connection) -> dict[str, list[str]]:
    """Every row of the person's money, as if their connection were the bank's first: the same for everybody who has the same."""
    found = await rows.holdings(superuser, connection.viewer.user_id)
    ids = {row.transaction.id for row in plaid.bank.log} | set(plaid.bank.accounts)
    names = {connection.item.shown(id): id for id in ids}
    return {table: sorted(_renamed(row, names) for row in of) for table, of in found.items()}


def _renamed(row: str, names: dict[str, str]) -> str:
    values = json.loads(row)
    for name in ("provider_item_id", "sync_cursor"):
        values[name] = values.get(name) is not None
    return json.dumps({name: names.get(value, value) if isinstance(value, str) else value for name, value in values.items()})


async def lines(superuser: Everywhere, connection: Connection) -> list[tuple[Any, ...]]:
    """(type, status, stage, added, updated, removed, error code) of each line of the history, the oldest first; all of them have ended."""
    assert await superuser.fetchval(_UNFINISHED, connection.id) == 0, "a line that did not end"
    return [tuple(row) for row in await superuser.fetch(_LINES, connection.id)]


def _fact(mask: str, row: SimTransaction) -> tuple[Any, ...]:
    return (mask, row.amount, row.direction, row.on, row.status, row.description)
