"""Banks for tests of what follows from them: a bank that does as it is told, and how jobs of linked banks are run."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select, update

from db import jobs
from db.bank import queries, queries_syncs
from db.bank.models import sync_history
from db.base import jobs_table
from db.engines import Viewer
from db.jobs import JobRef
from domains.bank.providers.errors import LinkRefused, ProviderError
from domains.bank.providers.protocol import (
    Credentials,
    Fetched,
    LinkAnswer,
    Linked,
    LinkedProvider,
    LinkRequest,
    LinkStart,
    Listener,
    Reached,
    Statement,
    StatementAccount,
    StatementTransaction,
)
from domains.flows.link_bank import Answer, NewLink, complete_link, create_link
from domains.flows.services import Services
from workers.runner import JobRunner
from workers.task import load_tasks

TODAY = datetime.now(UTC).date()
#: What every link of a `ToldBank` is completed with.
TOKEN = "public-token"

Before = Callable[[Reached, Listener], Awaitable[None]]


def movement(number: int, amount: str = "4.50", day: date = TODAY, **changes: Any) -> StatementTransaction:
    """A posted debit in US dollars unless said otherwise."""
    said: dict[str, Any] = {
        "provider_transaction_id": f"t-{number}",
        "amount": Decimal(amount),
        "currency": "USD",
        "direction": "debit",
        "transaction_date": day,
        "description": f"CORNER SHOP {number}",
        "original_description": f"CORNER SHOP {number}",
    }
    return StatementTransaction(**said | changes)


def account(name: str = "Everyday", **changes: Any) -> StatementAccount:
    said: dict[str, Any] = {
        "provider_account_id": f"account-{name}",
        "name": name,
        "currency": "USD",
        "account_type": "checking",
        "mask": "1234",
        "current_balance": Decimal("100.00"),
        "balance_on": TODAY,
    }
    return StatementAccount(**said | changes)


@dataclass
class ToldBank:
    """A bank that says what a test has it say: `accounts` at each fetch, after `before` was awaited, and `failure` instead, if any.

    fetched: the cursor of each fetch. revoked: items whose access was ended. linked: how many times; each link is a login of its own,
    unless `item_id` says which.
    """

    name: str = "plaid"
    accounts: list[StatementAccount] = field(default_factory=lambda: [account()])
    failure: ProviderError | None = None
    refuses: ProviderError | None = None
    before: Before | None = None
    is_ready: bool = True
    item_id: str | None = None
    institution_id: str = "ins_1"
    tells_state: bool = False
    consent_expires_at: Any = None
    link_expires_at: datetime = datetime(2100, 1, 1, tzinfo=UTC)
    fetched: list[str | None] = field(default_factory=list)
    reached: list[Reached] = field(default_factory=list)
    revoked: list[Reached] = field(default_factory=list)
    linked: int = 0
    completed: int = 0
    requests: list[LinkRequest] = field(default_factory=list)
    #: Accounts are of this bank and no other test's: an item belongs to one user of all.
    key: str = field(default_factory=lambda: str(uuid4()))

    async def begin_link(self, request: LinkRequest) -> LinkStart:
        if self.refuses is not None:
            raise self.refuses
        self.requests.append(request)
        self.linked += 1
        secret = {"verifier": f"verifier-{self.linked}"} | ({"state": f"state-{self.linked}"} if self.tells_state else {})
        return LinkStart(expires_at=self.link_expires_at, token=f"link-{self.linked}", secret=secret)

    async def complete_link(self, answer: LinkAnswer) -> Linked:
        if self.refuses is not None:
            raise self.refuses
        if (answer.public_token or answer.code) != TOKEN:
            raise LinkRefused("NO_SUCH_TOKEN")
        self.completed += 1
        own = f"{self.key}-{self.completed}" if answer.reached is None else answer.reached.item_id
        return Linked(
            item_id=self.item_id or own,
            credentials=Credentials(access_token=f"access-{self.completed}", refresh_token="refresh"),
            institution_id=self.institution_id,
            institution_name="First Bank",
            consent_expires_at=self.consent_expires_at,
        )

    async def fetch(self, reached: Reached, listener: Listener, today: date) -> Fetched:
        self.fetched.append(reached.cursor)
        self.reached.append(reached)
        if self.before is not None:
            await self.before(reached, listener)
        if self.failure is not None:
            raise self.failure
        count = sum(len(each.transactions) for each in self.accounts)
        await listener.page_fetched(1, count)
        statement = Statement(provider=self.name, institution_id=self.institution_id, accounts=list(self.accounts))
        cursor = str(int(reached.cursor or 0) + 1)
        return Fetched(statement=statement, cursor=cursor, is_ready=self.is_ready, pages=1)

    async def revoke(self, reached: Reached) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.revoked.append(reached)


def with_banks(services: Services, *banks: LinkedProvider, **options: Any) -> Services:
    """The services with these banks and no others."""
    return replace(services, banks={bank.name: bank for bank in banks}, options=replace(services.options, **options))


async def link(services: Services, viewer: Viewer, *, connection_id: UUID | None = None, provider: str = "plaid") -> UUID:
    """A bank that is linked, or repaired; its first sync waits."""
    begun = await create_link(services, viewer, NewLink(provider, connection_id=connection_id), str(uuid4()))
    return await complete_link(services, viewer, begun.id, Answer(public_token=TOKEN), str(uuid4()))


async def run_jobs(services: Services, viewer: Viewer, topic: str, *, domain: str = "bank", at_most: int = 20) -> int:
    """Run the viewer's jobs of a topic that are due, and what they lead to of the same, until none is; answers how many ran."""
    for ran in range(at_most):
        ref = await next_job(services, viewer, topic, domain)
        if ref is None:
            return ran
        await JobRunner(services, load_tasks()).run(ref, topic)
    assert await next_job(services, viewer, topic, domain) is None, f"{topic}: still due after {at_most} runs"
    return at_most


async def next_job(services: Services, viewer: Viewer, topic: str, domain: str = "bank") -> JobRef | None:
    """The viewer's job of a topic that is due."""
    table = jobs_table(domain)
    due = select(table.c.id, table.c.lease_token).where(
        table.c.topic == topic, table.c.user_id == viewer.user_id, table.c.state == jobs.QUEUED, table.c.run_at <= func.now()
    )
    async with services.db.system(domain) as session:
        row = (await session.execute(due.limit(1))).one_or_none()
    return None if row is None else JobRef(domain, row.id, row.lease_token)


async def hurry(services: Services, viewer: Viewer, topic: str, domain: str = "bank") -> None:
    """What waits for later is due now."""
    table = jobs_table(domain)
    waiting = (table.c.topic == topic, table.c.user_id == viewer.user_id, table.c.state == jobs.QUEUED)
    async with services.db.system(domain) as session:
        await session.execute(update(table).where(*waiting).values(run_at=func.now()))


async def sync(services: Services, viewer: Viewer, *, at_most: int = 20) -> None:
    """Run what waits to be fetched."""
    await run_jobs(services, viewer, "bank.sync", at_most=at_most)


CONNECTION = (
    "id",
    "status",
    "error_code",
    "sync_cursor",
    "sync_failures",
    "next_sync_at",
    "last_sync_at",
    "last_sync_status",
    "last_successful_sync_at",
    "consent_expires_at",
    "consent_warned_at",
    "access_token_encrypted",
    "refresh_token_encrypted",
    "provider_item_id",
)


async def connection_of(services: Services, viewer: Viewer, connection_id: UUID) -> Mapping[str, Any]:
    async with services.db.read("bank", viewer) as read:
        row = await read.row(queries.connections_by_id(CONNECTION), keys=[connection_id])
    assert row is not None
    return dict(row.items())


async def history(services: Services, viewer: Viewer) -> list[tuple[Any, ...]]:
    """(type, status, stage, fetched, added, updated, removed, error code) of each fetch, the oldest first."""
    names = ("sync_type", "status", "stage", "transactions_fetched", "transactions_added", "transactions_updated", "transactions_removed")
    async with services.db.write("bank", viewer) as session:
        lines = (await session.execute(sync_history.select().order_by(sync_history.c.started_at, sync_history.c.id))).mappings()
        return [tuple(line[name] for name in (*names, "error_code")) for line in lines]


async def stage_of(services: Services, viewer: Viewer, connection_id: UUID) -> str | None:
    """How far the last fetch of the connection is."""
    async with services.db.read("bank", viewer) as read:
        row = await read.row(queries_syncs.latest_fetch(("stage",)), connection_id=connection_id)
    return None if row is None else row.stage


async def forever(_reached: Reached, _listener: Listener) -> None:
    """A bank that hangs."""
    await asyncio.Event().wait()
