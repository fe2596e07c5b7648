"""The adapter and the simulator, with a socket between them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from app.simulators.bank import SimBank
from app.simulators.faults import Faults
from app.simulators.plaid import PlaidSimulator
from app.simulators.server import serve
from domains.bank.providers.plaid.config import PlaidConfig
from domains.bank.providers.plaid.provider import PlaidProvider
from domains.bank.providers.protocol import Credentials, Fetched, LinkAnswer, LinkRequest, Reached, StatementTransaction
from domains.bank.providers.wire import NoCircuits, Timeouts, Wire
from domains.core.clock import SystemClock

TODAY = date(2026, 11, 22)
REQUEST = LinkRequest(user_reference="user-1", redirect_url=None, locale="en-US", currency="USD")


async def at_once(_seconds: float) -> None:
    """A pause that nobody waits for."""


@dataclass
class Heard:
    """A listener that keeps what it was told."""

    pages: list[tuple[int, int]] = field(default_factory=list)

    async def page_fetched(self, pages: int, transactions: int) -> None:
        self.pages.append((pages, transactions))

    async def credentials_changed(self, credentials: Credentials) -> None:
        raise AssertionError("Plaid's tokens do not change")


@dataclass
class Ledger:
    """What a connection comes to, as a ledger keeps it: rows by account and id, and the cursor."""

    rows: dict[str, dict[str, StatementTransaction]] = field(default_factory=dict)
    cursor: str | None = None

    def apply(self, fetched: Fetched) -> None:
        for account in fetched.statement.accounts:
            mine = self.rows.setdefault(account.provider_account_id, {})
            listed = {row.provider_transaction_id or "": row for row in account.transactions}
            if account.window is not None:
                first, end = account.window
                mine = {id: row for id, row in mine.items() if not first <= row.transaction_date < end}
            self.rows[account.provider_account_id] = {id: row for id, row in (mine | listed).items() if id not in account.removed}
        self.cursor = fetched.cursor


@dataclass
class Connected:
    """A provider that is linked to a simulated bank."""

    simulator: PlaidSimulator
    provider: PlaidProvider
    url: str
    reached: Reached | None = None
    heard: Heard = field(default_factory=Heard)

    @property
    def bank(self) -> SimBank:
        return self.simulator.bank

    async def link(self) -> Reached:
        start = await self.provider.begin_link(REQUEST)
        answer = LinkAnswer(secret={}, redirect_url=None, public_token=self.simulator.sign_in(start.token))
        linked = await self.provider.complete_link(answer)
        self.reached = Reached(item_id=linked.item_id, credentials=linked.credentials, institution_id=linked.institution_id)
        return self.reached

    async def fetch(self, cursor: str | None = None) -> Fetched:
        reached = self.reached or await self.link()
        return await self.provider.fetch(replace(reached, cursor=cursor), self.heard, self.bank.today)


@asynccontextmanager
async def connected(
    seed: int = 1, *, page_size: int = 500, retries: int = 3, bank: SimBank | None = None, **config: Any
) -> AsyncIterator[Connected]:
    bank = bank or SimBank(seed, today=TODAY)
    simulator = PlaidSimulator(bank, Faults(seed, retry_after="0", stall_s=5.0), page_size=page_size)
    async with serve(simulator.app) as url:
        timeouts = Timeouts(connect_s=2.0, read_s=0.25, attempt_s=0.5, deadline_s=20.0)
        wire = Wire(url, circuits=NoCircuits(), timeout=timeouts, retries=retries, sleep=at_once)
        told = PlaidConfig(client_id=simulator.client_id, secret=simulator.secret, **config)
        try:
            yield Connected(simulator, PlaidProvider(wire, told, SystemClock(), sleep=at_once), url)
        finally:
            await wire.close()


def facts(bank: SimBank) -> dict[str, dict[str, tuple[Any, ...]]]:
    """The bank's truth, by account and id: amount, direction, day, status, words, the pending row's id."""
    return {
        id: {
            row.id: (row.amount, row.direction, row.on, row.status, row.description, row.merchant, row.category, row.pending_id)
            for row in bank.ledger(id)
        }
        for id in bank.accounts
    }


def told(ledger: Ledger) -> dict[str, dict[str, tuple[Any, ...]]]:
    """The same of a ledger."""
    return {
        account: {
            id: (
                row.amount,
                row.direction,
                row.transaction_date,
                row.status,
                row.original_description,
                row.merchant_name,
                row.category_detailed,
                row.pending_transaction_id,
            )
            for id, row in rows.items()
        }
        for account, rows in ledger.rows.items()
    }
