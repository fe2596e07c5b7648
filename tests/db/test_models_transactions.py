"""Transactions by year: partitions on request, and indexes that lists really use through the view."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from migrations.run import upgrade_async
from tests.db.samples import login, superuser
from tests.migrations.fresh import Fresh, fresh_database, plain
from tests.servers.suite import Servers

THIS_YEAR = date.today().year  # noqa: DTZ011 - as the server, which runs in UTC

ENSURE = "select transaction_schema.ensure_partition($1)"
YEARS = """
    select substr(c.relname, 15)::integer from pg_class c join pg_inherits i on i.inhrelid = c.oid
    where i.inhparent = 'transaction_schema.transactions'::regclass order by 1
"""

ROWS = """
    insert into transaction_schema.transactions
      (user_id, account_id, provider, provider_transaction_id, transaction_date, amount, direction, description, merchant_name,
       category_detailed, tags)
    select ($1::uuid[])[1 + g % 10], ($2::uuid[])[1 + g % 3], 'file', 'p' || g, current_date - g % 700, g % 997, 'debit',
           'payment number ' || g, 'Shop ' || g % 50, 'TRAVEL', case when g % 100 = 0 then array['tag' || g % 1000] else '{}' end
    from generate_series(1, 12000) g
"""
MINE = "select id from transaction_schema.own_transactions where user_id = $1"
SEARCHED = "to_tsvector('simple'::regconfig, coalesce(description, '') || ' ' || coalesce(merchant_name, ''))"
BY_DATE = "order by transaction_date desc, id desc limit 21"


@pytest.fixture(scope="module")
async def migrated(servers: Servers) -> AsyncIterator[Fresh]:
    """A database with transactions only."""
    async with fresh_database(servers) as fresh:
        await _upgrade(fresh)
        yield fresh


@pytest.fixture(scope="module")
async def filled(migrated: Fresh) -> tuple[Fresh, UUID, UUID]:
    """12,000 rows of ten users over two years; the id of one of them and of one of their accounts."""
    users, accounts = [uuid4() for _ in range(10)], [uuid4() for _ in range(3)]
    async with superuser(migrated.superuser) as connection:
        await connection.execute(ROWS, users, accounts)
        await connection.execute("vacuum analyze transaction_schema.transactions")
    return migrated, users[0], accounts[0]


async def test_the_years_around_now_are_there_from_the_start(servers: Servers) -> None:
    async with fresh_database(servers) as fresh:
        await _upgrade(fresh)
        async with login(fresh.system) as system:
            years = [row[0] for row in await system.fetch(YEARS)]

    assert years == list(range(THIS_YEAR - 5, THIS_YEAR + 2))


@pytest.mark.parametrize("role", ["app", "system"])
async def test_an_older_year_is_made_once(migrated: Fresh, role: str) -> None:
    async with login(getattr(migrated, role)) as connection:
        made = [await connection.fetchval(ENSURE, date(1999, month, 5)) for month in (7, 1, 12)]
        bounds = await connection.fetchval(
            "select pg_get_expr(relpartbound, oid) from pg_class where relname = 'transactions_y1999' and relispartition"
        )
        indexes = await connection.fetchval(
            "select count(*) from pg_index where indrelid = 'transaction_schema.transactions_y1999'::regclass"
        )
        expected = await connection.fetchval("select count(*) from pg_index where indrelid = 'transaction_schema.transactions'::regclass")

    assert made == [True, False, False]
    assert bounds == "FOR VALUES FROM ('1999-01-01') TO ('2000-01-01')"
    assert indexes == expected == 11


async def test_the_last_day_and_the_first_belong_to_their_years(migrated: Fresh) -> None:
    user = uuid4()
    async with login(migrated.app, user) as app:
        for day in (date(1971, 12, 31), date(1972, 1, 1)):
            await app.fetchval(ENSURE, day)
            await app.execute(
                "insert into transaction_schema.own_transactions"
                " (user_id, account_id, provider, provider_transaction_id, transaction_date, amount, direction)"
                " values ($1, $1, 'file', 'x', $2, 1, 'debit')",
                user,
                day,
            )
        dates = [row[0] for row in await app.fetch("select transaction_date from transaction_schema.own_transactions order by 1")]

    assert dates == [date(1971, 12, 31), date(1972, 1, 1)]


@pytest.mark.parametrize("day", [date(1969, 12, 31), date(THIS_YEAR + 3, 1, 1), date(1, 1, 1), date.max, None])
async def test_years_out_of_bounds_are_refused(migrated: Fresh, day: date | None) -> None:
    async with login(migrated.app) as app:
        with pytest.raises(asyncpg.DatetimeFieldOverflowError, match="no transactions are kept for"):
            await app.fetchval(ENSURE, day)


@pytest.mark.parametrize("day", ["infinity", "-infinity", "4713-01-01 BC"])
async def test_dates_beyond_the_calendar_are_refused(migrated: Fresh, day: str) -> None:
    async with login(migrated.app) as app:
        with pytest.raises(asyncpg.DatetimeFieldOverflowError):
            await app.fetchval(f"select transaction_schema.ensure_partition('{day}')")


async def test_the_bounds_themselves_are_allowed(migrated: Fresh) -> None:
    async with login(migrated.app) as app:
        assert [await app.fetchval(ENSURE, day) for day in (date(1970, 1, 1), date(THIS_YEAR + 2, 12, 31))] == [True, True]


async def test_many_who_need_the_same_years_in_any_order_get_them(migrated: Fresh) -> None:
    async def need(years: list[int]) -> list[bool]:
        connection = await asyncpg.connect(plain(migrated.app))
        try:
            async with connection.transaction():
                return [await connection.fetchval(ENSURE, date(year, 1, 1)) for year in years]
        finally:
            await connection.close()

    made = await asyncio.gather(*(need([1980, 1981, 1982] if n % 2 else [1982, 1981, 1980]) for n in range(8)))

    assert [sum(answers) for answers in zip(*(m if n % 2 else m[::-1] for n, m in enumerate(made)), strict=True)] == [1, 1, 1]


async def test_transactions_are_written_while_a_partition_is_made(migrated: Fresh) -> None:
    user = uuid4()
    async with login(migrated.app) as maker, login(migrated.app, user) as writer:
        await maker.fetchval(ENSURE, date(1985, 1, 1))
        await writer.execute("set local lock_timeout = '500ms'")

        written = await writer.execute(
            "insert into transaction_schema.own_transactions"
            " (user_id, account_id, provider, provider_transaction_id, transaction_date, amount, direction)"
            " values ($1, $1, 'file', 'x', current_date, 1, 'debit')",
            user,
        )

    assert written == "INSERT 0 1"


async def test_a_role_of_somebody_else_may_not_make_partitions(migrated: Fresh) -> None:
    async with superuser(migrated.superuser) as connection:
        may = await connection.fetchval(
            "select has_function_privilege('pg_monitor', 'transaction_schema.ensure_partition(date)', 'execute')"
        )

    assert may is False


@pytest.mark.parametrize(
    ("narrowed", "order", "index", "sorted_by_index"),
    [
        ("", BY_DATE, "user_id_transaction_date_id_idx", True),
        ("and (transaction_date, id) < (current_date - 100, $1)", BY_DATE, "user_id_transaction_date_id_idx", True),
        ("and account_id = $2", BY_DATE, "user_id_account_id_transaction_date_id_idx", True),
        ("", "order by amount desc, id desc limit 21", "user_id_amount_id_idx", True),
        (f"and {SEARCHED} @@ websearch_to_tsquery('simple'::regconfig, '4711')", BY_DATE, "user_id_to_tsvector_idx", False),
        ("and tags @> array['tag500']", BY_DATE, "user_id_tags_idx", False),
    ],
    ids=["first page", "next page", "account", "amount", "text", "tags"],
)
async def test_lists_use_their_index_through_the_view(
    filled: tuple[Fresh, UUID, UUID], narrowed: str, order: str, index: str, sorted_by_index: bool
) -> None:
    database, user, account = filled
    arguments = [user, account] if "$2" in narrowed else [user]

    plan = await _plan(database, user, f"{MINE} {narrowed} {order}", arguments)

    filled_years = (f"y{THIS_YEAR - 1}_", f"y{THIS_YEAR}_")
    used = [line for line in plan if " using " in line or "Bitmap Index Scan" in line]
    if not sorted_by_index and not await _has_btree_gin(database):
        # not led by the user there: Postgres joins it with another index that is
        index = index.removeprefix("user_id_")
        used = [line for line in used if index in line]
    assert sum(any(year in line for year in filled_years) for line in used) == 2, plan
    assert all(index in line for line in used if any(year in line for year in filled_years)), plan
    assert any("->  Sort" in line or "Incremental Sort" in line for line in plan) is not sorted_by_index


async def _upgrade(fresh: Fresh) -> None:
    """By year, also where the server could have a hypertable: that one's tests are in test_timescaledb.py."""
    await upgrade_async(fresh.owner, ["transaction"])
    async with fresh.connect("owner") as owner:
        await owner.execute("select transaction_schema.rebuild_transactions(false)")


async def _has_btree_gin(database: Fresh) -> bool:
    async with login(database.app) as connection:
        return bool(await connection.fetchval("select exists (select from pg_extension where extname = 'btree_gin')"))


async def test_a_window_of_dates_reads_only_its_years(filled: tuple[Fresh, UUID, UUID]) -> None:
    database, user, _ = filled
    last_year = f"and transaction_date >= '{THIS_YEAR - 1}-03-01' and transaction_date < '{THIS_YEAR - 1}-04-01'"

    plan = await _plan(database, user, f"{MINE} {last_year} {BY_DATE}", [user])

    assert {line.split("transactions_y")[-1][:4] for line in plan if "transactions_y" in line} == {str(THIS_YEAR - 1)}


async def _plan(database: Fresh, user: UUID, query: str, arguments: list[Any]) -> list[str]:
    async with login(database.app, user) as app:
        return [row[0] for row in await app.fetch(f"explain (costs off) {query}", *arguments)]
