"""Rows per second into the ledger, for 50,000 rows of one user who has ten budgets.

new:    rows never seen: recognised as new, cleaned, categorised, stored with all indexes, months summed, budgets folded
resync: the same rows again: recognised as unchanged
copy:   COPY of the same rows into a bare table: the floor that no import gets under
"""

import random
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import uvloop

from app.settings import Settings
from app.wiring import open_services
from bench.servers import bench_servers, bench_user
from db.engines import Viewer
from domains.bank.providers.protocol import Statement, StatementAccount, StatementTransaction
from domains.budget.service.change_budgets import CreateBudget
from domains.flows.change_budgets import create_budget
from domains.flows.import_statement import take_statement
from domains.flows.services import Services

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
        for row in given.accounts[0].transactions
    ]
    await connection.copy_records_to_table("floor", schema_name="public", records=records, columns=columns)
    await connection.close()


async def measure(settings: Settings, superuser_dsn: str) -> dict[str, float]:
    today = datetime.now(UTC).date()
    given = statement(ROWS, today)
    async with open_services(settings) as services:
        viewer = await bench_user(services)
        await add_budgets(services, viewer, today)
        new_s, applied = await timed(lambda: take_statement(services, viewer, given))
        assert applied.added == ROWS, applied
        again_s, applied = await timed(lambda: take_statement(services, viewer, given))
        assert applied.unchanged == ROWS, applied
        copy_s, _ = await timed(lambda: copy(superuser_dsn, given))
    return {"new_rows_per_s": ROWS / new_s, "resync_rows_per_s": ROWS / again_s, "copy_rows_per_s": ROWS / copy_s}


def main() -> None:
    with bench_servers() as (settings, embedded):
        figures = uvloop.run(measure(settings, embedded.superuser_dsn))
    print(orjson.dumps({name: round(value) for name, value in figures.items()}).decode())


if __name__ == "__main__":
    main()
