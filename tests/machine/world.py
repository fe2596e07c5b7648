"""One person, one simulated bank, one connection, and the ledger that comes of it: what the state machines of all providers do it with."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import text

from app.simulators.bank import SimBank
from app.simulators.faults import Faults
from db import jobs
from db.engines import Viewer, WriteSession
from db.errors import LeaseLost
from db.transaction.queries import comparing
from domains.bank.providers.protocol import LinkedProvider
from domains.bank.providers.wire import Timeouts
from domains.bank.service.sync_connections import SYNC, request_sync
from domains.core.clock import FixedClock
from domains.core.errors import TryAgain
from domains.flows.link_bank import Answer, BegunLink, NewLink, complete_link, create_link
from domains.flows.services import Services
from domains.flows.sync_connection import run_sync
from domains.flows.update_transaction import update_transaction
from domains.transaction.service.update_transaction import UpdateTransaction
from workers.task import Job

REDIRECT: Final = "https://florin.example/back"
FIRST_DAY: Final = date(2026, 6, 1)
#: How long a fault may keep a test waiting.
QUICK: Final = Timeouts(connect_s=2.0, read_s=0.15, attempt_s=0.4, deadline_s=10.0)
CATEGORIES: Final = ("FOOD_AND_DRINK", "TRAVEL", "ENTERTAINMENT", "MEDICAL")


async def at_once(_seconds: float) -> None:
    """A pause that nobody waits for."""


class Died(BaseException):
    """As a kill ends a process: no handler of ours sees it."""


class Grief:
    """Has the process die at a commit: the `at`-th from now, before it or after it."""

    def __init__(self) -> None:
        self.at = 0
        self.when = "before"
        self.has_struck = False

    def wrap(self, real: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def commit(session: WriteSession) -> None:
            self.at -= 1
            if self.at == 0 and self.when == "before":
                self.has_struck = True
                raise Died
            await real(session)
            if self.at == 0:
                self.has_struck = True
                raise Died

        return commit


@dataclass
class Bank:
    """A provider and what is behind it. answer: what the person comes back with. upset: the bank lets nobody in until they agree again."""

    provider: LinkedProvider
    bank: SimBank
    faults: Faults
    answer: Callable[[BegunLink], Answer]
    upset: Callable[[], None]


OpenBank = Callable[[int, date, FixedClock], AbstractAsyncContextManager[Bank]]


@dataclass
class World:
    services: Services
    viewer: Viewer
    clock: FixedClock
    far: Bank
    grief: Grief
    connection_id: UUID
    #: What the person has said of a transaction, by its id.
    edits: dict[UUID, tuple[str, str]] = field(default_factory=dict)

    @property
    def bank(self) -> SimBank:
        return self.far.bank

    # What happens

    def happen(self, pick: random.Random, times: int) -> None:
        """So many events at the bank; days may go by with them."""
        before = self.bank.today
        for _ in range(times):
            self.bank.happen(pick)
        self.clock.at += self.bank.today - before

    def advance(self, days: int) -> None:
        self.clock.at += timedelta(days=days)
        self.bank.advance(days)

    async def edit(self, pick: int) -> None:
        rows = [row for row in await self.rows() if row["status"] != "cancelled"]
        if not rows:
            return
        row = rows[pick % len(rows)]
        said = (CATEGORIES[pick % len(CATEGORIES)], f"note {pick}")
        await update_transaction(self.services, self.viewer, UpdateTransaction(row["id"], category=said[0], notes=said[1]))
        self.edits[row["id"]] = said

    async def agree_again(self) -> None:
        """The person repairs the connection."""
        link = NewLink(self.far.provider.name, connection_id=self.connection_id, redirect_url=REDIRECT)
        begun = await create_link(self.services, self.viewer, link, str(uuid4()))
        assert await complete_link(self.services, self.viewer, begun.id, self.far.answer(begun), str(uuid4())) == self.connection_id

    async def sync(self, dies_at: int = 0, when: str = "before") -> None:
        """Ask for a fetch and do it, by another process each time one dies. With `dies_at` the first dies at that commit."""
        self.clock.at += timedelta(seconds=1)
        async with self.services.db.write("bank", self.viewer) as session:
            await request_sync(session, self.connection_id, "manual")
        self.grief.at, self.grief.when, self.grief.has_struck = dies_at, when, False
        for _ in range(5):
            job = await self._claim()
            if job is None:
                return
            with suppress(Died, LeaseLost, TryAgain):
                await run_sync(self.services, job, self.connection_id, "manual")
            self.grief.at = 0
        raise AssertionError("the sync does not come to its end")

    async def settle(self) -> None:
        """Nothing goes wrong any more, and all is fetched."""
        self.far.faults.clear()
        await self.sync()
        status, detail = await self._connection()
        if status == "requires_update":
            await self.agree_again()
            await self.sync()
            status, detail = await self._connection()
        assert status == "active", detail

    async def _claim(self) -> Job | None:
        """The connection's job, whoever held it when they died."""
        mine = {"topic": SYNC, "key": str(self.connection_id)}
        live = "topic = :topic and key = :key and state in ('queued', 'running')"
        async with self.services.db.system("bank") as session:
            await session.execute(
                text(f"update bank_schema.jobs set run_at = now() - interval '1 s' where state = 'queued' and {live}"), mine
            )
            ended = f"update bank_schema.jobs set leased_until = now() - interval '1 s' where state = 'running' and {live}"
            await session.execute(text(ended), mine)
            found = (await session.execute(text(f"select id from bank_schema.jobs where {live}"), mine)).scalar_one_or_none()
        claim = None if found is None else await jobs.claim(self.services.db, "bank", found, lease_s=60)
        return None if claim is None else Job(self.services, claim, self.viewer)

    # What has come of it

    async def rows(self) -> list[dict[str, Any]]:
        return await self._read(
            "transaction",
            """select t.id, t.account_id, t.provider_transaction_id, t.transaction_date, t.amount, t.currency, t.direction, t.status,
                      t.user_category, t.notes,
                      exists (select from transaction_schema.transaction_reviews r
                              where r.user_id = t.user_id and r.transaction_id = t.id and r.kind = 'removal' and r.state = 'suggested')
                        as is_doubtful
               from transaction_schema.transactions t where t.user_id = :user order by t.id""",
        )

    async def check(self) -> None:
        """Our ledger is the bank's; the person's words are all there; sums and history tell the truth."""
        accounts = {row["id"]: row for row in await self._read("bank", "select * from bank_schema.bank_accounts where user_id = :user")}
        rows = await self.rows()
        ours: Counter[tuple[Any, ...]] = Counter()
        for row in rows:
            if row["status"] == "cancelled" or row["is_doubtful"]:
                continue
            account = accounts[row["account_id"]]
            facts = (row["amount"].normalize(), row["direction"], row["currency"], row["transaction_date"], row["status"])
            ours[account["account_mask"], account["account_type"], *facts] += 1
        theirs: Counter[tuple[Any, ...]] = Counter()
        for account_id, sim in self.bank.accounts.items():
            for each in self.bank.ledger(account_id):
                theirs[sim.mask, sim.type, each.amount.normalize(), each.direction, each.currency, each.on, each.status] += 1
        assert ours == theirs, self._told(theirs - ours, ours - theirs, rows)
        said = {row["id"]: (row["user_category"], row["notes"]) for row in rows}
        assert {id: said.get(id) for id in self.edits} == self.edits
        balances = {(row["account_mask"], row["account_type"]): row["current_balance"] for row in accounts.values()}
        assert balances == {(sim.mask, sim.type): Decimal(self.bank.balances(id)[0]) for id, sim in self.bank.accounts.items()}
        async with self.services.db.system("transaction") as session:
            assert await comparing.unlike_months(session, [self.viewer.user_id]) == []
        await self._check_history()

    def _told(self, lost: Counter[tuple[Any, ...]], too_many: Counter[tuple[Any, ...]], rows: list[dict[str, Any]]) -> str:
        """What is wrong, what the bank has said of these amounts, and what we have of them."""
        amounts = {each[2] for each in (*lost, *too_many)}
        said = [str(change) for change in self.bank.log if change.transaction.amount in amounts]
        kept = [str(row) for row in rows if row["amount"] in amounts]
        return "\n".join([f"lost: {dict(lost)}", f"too many: {dict(too_many)}", "the bank:", *said, "ours:", *kept])

    async def _check_history(self) -> None:
        lines = await self._read("bank", "select * from bank_schema.sync_history where user_id = :user order by started_at desc")
        assert lines[0]["status"] == "success", lines[0]
        assert [line for line in lines if line["status"] == "started"] == []

    async def _connection(self) -> tuple[str, str | None]:
        (row,) = await self._read("bank", "select status, error_code from bank_schema.bank_connections where user_id = :user")
        return row["status"], row["error_code"]

    async def _read(self, domain: str, statement: str) -> list[dict[str, Any]]:
        async with self.services.db.system(domain) as session:
            found = await session.execute(text(statement), {"user": self.viewer.user_id})
            return [dict(row) for row in found.mappings()]


@asynccontextmanager
async def open_world(services: Services, viewer: Viewer, open_bank: OpenBank, seed: int, grief: Grief) -> AsyncIterator[World]:
    """A person who has just linked the bank that this seed makes."""
    clock = FixedClock(datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, 9, tzinfo=UTC))
    async with open_bank(seed, FIRST_DAY, clock) as far:
        options = replace(services.options, bank_redirect_urls=(REDIRECT,))
        there = replace(services, clock=clock, banks={far.provider.name: far.provider}, options=options)
        begun = await create_link(there, viewer, NewLink(far.provider.name, redirect_url=REDIRECT), str(uuid4()))
        connection_id = await complete_link(there, viewer, begun.id, far.answer(begun), str(uuid4()))
        yield World(there, viewer, clock, far, grief, connection_id)
