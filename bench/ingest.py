"""Rows per second into the ledger, for 50,000 rows of one user who has ten budgets and two accounts.

new:    rows never seen: recognised as new, cleaned, categorised, stored with all indexes, transfers paired, months summed, budgets folded
resync: the same rows again: recognised as unchanged
sync_:  both through a job that fetches from a linked bank, which hands the rows over at once: tokens opened, history, cursor, balances
copy:   COPY of the same rows into a bare table: the floor that no import gets under
"""

import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import uvloop
from sqlalchemy import text

from app.settings import Settings
from app.wiring import open_services
from bench.servers import bench_servers, bench_user
from db import jobs
from db.engines import Viewer
from domains.bank.providers.protocol import AccountType, Credentials, Linked, Statement, StatementAccount, StatementTransaction
from domains.bank.providers.sandbox import SandboxProvider
from domains.bank.service.link_banks import store_connection
from domains.budget.service.change_budgets import CreateBudget
from domains.core.clock import Clock
from domains.flows.change_budgets import create_budget
from domains.flows.held import HeldJob
from domains.flows.import_statement import take_statement
from domains.flows.services import Services
from domains.flows.sync_connection import run_sync

ROWS = 50_000
DAYS = 730
BUDGETS = (
    "FOOD_AND_DRINK",
    "FOOD_AND_DRINK_GROCERIES",
    "FOOD_AND_DRINK_COFFEE",
    "TRANSPORTATION",
    "ENTERTAINMENT",
    "GENERAL_MERCHANDISE",
    "RENT_AND_UTILITIES",
    "PERSONAL_CARE",
    "TRAVEL",
    "MEDICAL",
)
PLACES = (
    "STARBUCKS STORE #{n}",
    "POS PURCHASE {n} WHOLE FOODS MKT",
    "UBER *TRIP {n}",
    "AMZN Mktp US*{n}",
    "SHELL OIL {n}",
    "NETFLIX.COM",
    "CITY WATER {n}",
)


def statement(rows: int, today: date) -> Statement:
    """Two years of a busy account, the same every time."""
    pick = random.Random(7)
    transactions = [
        StatementTransaction(
            provider_transaction_id=f"bench-{n}",
            amount=Decimal(pick.randrange(100, 20_000)) / 100,
            currency="USD",
            direction="credit" if pick.random() < 0.05 else "debit",
            transaction_date=today - timedelta(days=pick.randrange(DAYS)),
            description=pick.choice(PLACES).format(n=pick.randrange(500)),
            original_description=f"ROW {n}",
            payment_meta={"type": "POS"},
        )
        for n in range(rows)
    ]
    account = StatementAccount(
        provider_account_id="bench", name="Checking", currency="USD", account_type="checking", transactions=transactions
    )
    return Statement(provider="file", institution_id="bench", accounts=[account])


def two_accounts(rows: int, today: date) -> Statement:
    """The same, and every hundredth row is one of a transfer's two, from the one account to the other, a day later."""
    given = list(statement(rows, today).accounts[0].transactions)
    of_account: tuple[list[StatementTransaction], list[StatementTransaction]] = ([], [])
    for n, row in enumerate(given):
        if n % 200 == 0:
            there = given[n + 100]
            amount, on = Decimal(1_000_000 + n) / 100, min(row.transaction_date, today - timedelta(days=1))
            away = {"amount": amount, "description": f"TRANSFER {n}"}
            of_account[0].append(replace(row, direction="debit", transaction_date=on, **away))
            of_account[1].append(replace(there, direction="credit", transaction_date=on + timedelta(days=1), **away))
        elif n % 100 != 0:
            of_account[n % 10 == 1].append(row)
    kinds: tuple[AccountType, AccountType] = ("checking", "savings")
    accounts = [
        StatementAccount(provider_account_id=f"bench-{kind}", name=kind, currency="USD", account_type=kind, transactions=mine)
        for kind, mine in zip(kinds, of_account, strict=True)
    ]
    return Statement(provider="sandbox", institution_id="bench", accounts=accounts)


class Told(SandboxProvider):
    """A linked bank that has everything at hand."""

    def __init__(self, clock: Clock, given: Statement) -> None:
        super().__init__(clock)
        self._given = given

    def statement(self, profile: str, today: date) -> Statement:  # noqa: ARG002 - everybody has the same
        return self._given


async def link(services: Services, viewer: Viewer) -> UUID:
    key = await services.cipher.key_of(viewer.user_id, make=True)
    linked = Linked(item_id=f"robin:{viewer.user_id}", credentials=Credentials(access_token="bench"), institution_id="bench")
    async with services.db.write("bank", viewer) as session:
        _, connection_id = await store_connection(session, "sandbox", linked, key, services.clock.now(), timedelta(hours=4))
    return connection_id


async def sync(services: Services, viewer: Viewer, connection_id: UUID) -> dict[str, int]:
    """A fetch, as a worker runs it; what it came to."""
    payload = {"connection_id": str(connection_id), "sync_type": "manual"}
    async with services.db.write("bank", viewer) as session:
        held = await jobs.add_held(session, "bank.sync", key=str(connection_id), payload=payload, lease_s=600)
    assert held is not None
    await run_sync(services, HeldJob(held, viewer), connection_id, "manual")
    async with services.db.write("transaction", viewer) as session:
        return await jobs.find_outcome(session, held.id) or {}


async def timed(work: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[float, Any]:
    start = time.perf_counter()
    answer = await work()
    return time.perf_counter() - start, answer


async def add_budgets(services: Services, viewer: Viewer, today: date) -> None:
    for category in BUDGETS:
        command = CreateBudget(category.title(), category, Decimal(500), "USD", "monthly", today.replace(day=1))
        await create_budget(services, viewer, command, str(uuid4()))


async def copy(dsn: str, given: Statement) -> None:
    """The rows into a bare table with the columns that an import fills."""
    connection = await asyncpg.connect(dsn.replace("+asyncpg", ""))
    await connection.execute("create table if not exists public.floor as select * from transaction_schema.transactions with no data")
    await connection.execute("truncate public.floor")
    columns = ["id", "account_id", "provider_transaction_id", "amount", "currency", "direction", "description", "transaction_date"]
    account = uuid4()
    records = [
        (uuid4(), account, row.provider_transaction_id, row.amount, row.currency, row.direction, row.description, row.transaction_date)
        for each in given.accounts
        for row in each.transactions
    ]
    await connection.copy_records_to_table("floor", schema_name="public", records=records, columns=columns)
    await connection.close()


async def measure(settings: Settings, superuser_dsn: str) -> dict[str, float]:
    today = datetime.now(UTC).date()
    given = two_accounts(ROWS, today)
    async with open_services(settings) as opened:
        services = replace(opened, banks={"sandbox": Told(opened.clock, given)})
        viewer, linked = await bench_user(services), await bench_user(services)
        for each in (viewer, linked):
            await add_budgets(services, each, today)
        new_s, applied = await timed(lambda: take_statement(services, viewer, replace(given, provider="file")))
        assert applied.added == ROWS, applied
        again_s, applied = await timed(lambda: take_statement(services, viewer, replace(given, provider="file")))
        assert applied.unchanged == ROWS, applied
        connection_id = await link(services, linked)
        sync_s, outcome = await timed(lambda: sync(services, linked, connection_id))
        assert outcome["added"] == ROWS, outcome
        resync_s, outcome = await timed(lambda: sync(services, linked, connection_id))
        assert outcome["unchanged"] == ROWS, outcome
        await check_transfers(services, linked)
        copy_s, _ = await timed(lambda: copy(superuser_dsn, given))
    took = {"new": new_s, "resync": again_s, "sync_new": sync_s, "sync_resync": resync_s, "copy": copy_s}
    return {f"{name}_rows_per_s": ROWS / seconds for name, seconds in took.items()}


async def check_transfers(services: Services, viewer: Viewer) -> None:
    """All of them are paired: else it would be quick for the wrong reason."""
    query = "select count(*) from transaction_schema.transactions where user_id = :user_id and transfer_id is not null"
    async with services.db.system("transaction") as session:
        paired = (await session.execute(text(query), {"user_id": viewer.user_id})).scalar_one()
    assert paired == ROWS // 100, paired


def main() -> None:
    with bench_servers() as (settings, embedded):
        figures = uvloop.run(measure(settings, embedded.superuser_dsn))
    print(orjson.dumps({name: round(value) for name, value in figures.items()}).decode())


if __name__ == "__main__":
    main()
