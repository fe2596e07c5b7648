"""A simulated Tink on a socket, the provider that speaks to it, and a person who links their bank there."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from app.simulators.bank import SimBank, SimTransaction
from app.simulators.faults import Faults
from app.simulators.server import serve
from app.simulators.tink import TinkSimulator
from app.simulators.tink.simulator import CLIENT_ID, CLIENT_SECRET
from domains.bank.providers.errors import ProviderUnavailable
from domains.bank.providers.protocol import (
    Credentials,
    Fetched,
    LinkAnswer,
    Linked,
    LinkRequest,
    LinkStart,
    Reached,
    StatementTransaction,
)
from domains.bank.providers.tink.config import TinkConfig
from domains.bank.providers.tink.provider import TinkProvider
from domains.bank.providers.wire import NoCircuits, Timeouts, Wire
from domains.core.clock import FixedClock

TODAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
REDIRECT = "https://florin.example/banks/back"


@dataclass
class Told:
    """A listener that remembers."""

    pages: list[tuple[int, int]] = field(default_factory=list)
    credentials: list[Credentials] = field(default_factory=list)

    async def page_fetched(self, pages: int, transactions: int) -> None:
        self.pages.append((pages, transactions))

    async def credentials_changed(self, credentials: Credentials) -> None:
        self.credentials.append(credentials)


@dataclass
class World:
    bank: SimBank
    faults: Faults
    tink: TinkSimulator
    provider: TinkProvider
    clock: FixedClock
    told: Told = field(default_factory=Told)
    user: str = "person-1"

    async def begin(self, reached: Reached | None = None, institution_id: str | None = None) -> LinkStart:
        request = LinkRequest(
            user_reference=self.user,
            redirect_url=REDIRECT,
            locale="de-AT",
            currency="EUR",
            institution_id=institution_id,
            reached=reached,
        )
        return await self.provider.begin_link(request)

    async def link(self, reached: Reached | None = None) -> Linked:
        start = await self.begin(reached)
        return await self.provider.complete_link(answered(start, came_back(self.tink.agree(start.url or ""))))

    async def reach(self) -> Reached:
        return reached_by(await self.link())

    async def reach_at_last(self) -> Reached:
        """The same, where time-outs are so short that a busy machine is late now and then."""
        for _ in range(10):
            with suppress(ProviderUnavailable):
                return await self.reach()
        return await self.reach()

    async def fetch(self, reached: Reached) -> Fetched:
        return await self.provider.fetch(reached, self.told, self.bank.today)

    async def settle(self, reached: Reached) -> tuple[Fetched, Reached]:
        """Fetch, and what to fetch with the next time: credentials and cursor as they are kept."""
        fetched = await self.fetch(reached)
        credentials = self.told.credentials[-1] if self.told.credentials else reached.credentials
        return fetched, replace(reached, cursor=fetched.cursor, credentials=credentials)


@asynccontextmanager
async def world(seed: int = 1, *, retries: int = 0, timeouts: Timeouts | None = None, **options: Any) -> AsyncIterator[World]:
    """`options` go to the simulator. Without `retries` a fault is seen as it is."""
    clock, faults = FixedClock(NOW), Faults(seed, stall_s=5.0)
    bank = SimBank(seed, today=TODAY, currency="GBP")
    tink = TinkSimulator(bank, faults, clock=clock, **options)
    async with serve(tink.app) as url:
        wire = Wire(url, circuits=NoCircuits(), retries=retries, sleep=no_sleep, timeout=timeouts)
        config = TinkConfig(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, market="GB", link_url=url, secret=b"names accounts")
        try:
            yield World(bank, faults, tink, TinkProvider(wire, config, clock), clock)
        finally:
            await wire.close()


async def no_sleep(_seconds: float) -> None:
    pass


def came_back(url: str) -> dict[str, str]:
    """What Tink Link said, where the person was sent back to."""
    assert url.startswith(f"{REDIRECT}?")
    return dict(parse_qsl(urlsplit(url).query))


def answered(start: LinkStart, query: Mapping[str, str], reached: Reached | None = None) -> LinkAnswer:
    """What a front end hands over after that."""
    return LinkAnswer(
        secret=start.secret, redirect_url=REDIRECT, code=query.get("credentials_id"), state=query.get("state"), reached=reached
    )


def reached_by(linked: Linked) -> Reached:
    return Reached(
        item_id=linked.item_id,
        credentials=linked.credentials,
        institution_id=linked.institution_id,
        consent_expires_at=linked.consent_expires_at,
    )


def facts(row: StatementTransaction) -> tuple[object, ...]:
    return (
        row.provider_transaction_id,
        row.amount,
        row.currency,
        row.direction,
        row.transaction_date,
        row.original_description,
        row.status,
    )


def truth(row: SimTransaction) -> tuple[object, ...]:
    return (row.id, row.amount, row.currency, row.direction, row.on, row.description, row.status)


def ledger_of(fetched: Fetched) -> dict[str, list[tuple[object, ...]]]:
    return {each.provider_account_id: sorted(map(facts, each.transactions)) for each in fetched.statement.accounts}


def ledger_at(bank: SimBank) -> dict[str, list[tuple[object, ...]]]:
    return {id_: sorted(map(truth, bank.ledger(id_))) for id_ in bank.accounts}


def rows_of(fetched: Fetched) -> dict[str, StatementTransaction]:
    return {row.provider_transaction_id or "": row for account in fetched.statement.accounts for row in account.transactions}


def day_of(row: tuple[object, ...]) -> date:
    assert isinstance(row[4], date)
    return row[4]
