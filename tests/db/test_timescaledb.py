"""Transactions as a hypertable, where the server has TimescaleDB: the same statements, also on what is compressed."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from db.engines import Db, Dsns, Origin, Viewer
from db.transaction.queries import batches
from domains.flows.drop_partitions import Partitions, keep_partitions, plan_partitions
from domains.flows.services import Services
from migrations.hypertable import HypertableRefused, make_hypertable
from migrations.run import upgrade_async
from migrations.transaction.versions.transaction_0004_hypertable import MOVED_BY_MIGRATION, TURN_WHAT_IS_SMALL
from tests.conftest import MakeUser
from tests.db.samples import login, superuser, transaction
from tests.domains.flows.rows import row
from tests.migrations.fresh import Fresh, fresh_database, plain
from tests.servers.suite import Servers

TODAY = date.today()  # noqa: DTZ011 - as the server, which runs in UTC
#: In another chunk each, all of them older than what stays uncompressed.
MARCH, JUNE = date(2019, 3, 20), date(2019, 6, 20)

SIX_MONTHS_OLD = TODAY - timedelta(days=184)
EXTENSION = "select extnamespace::regnamespace::text from pg_extension where extname = 'timescaledb'"
POLICY = (
    "select job_id from timescaledb_information.jobs where proc_name = 'policy_compression' and hypertable_schema = 'transaction_schema'"
)
PARTS = "select name, first_day, end_day, is_compressed from transaction_schema.list_partitions()"
ROWS = """
    insert into transaction_schema.transactions
      (user_id, account_id, provider, provider_transaction_id, transaction_date, amount, direction, description)
    select ($1::uuid[])[1 + g % 5], $2, 'file', 'p' || g, current_date - g % 700, g % 997, 'debit', 'payment number ' || g
    from generate_series(1, 7000) g
"""
MINE = "select id, transaction_date from transaction_schema.own_transactions where user_id = $1"
BY_DATE = "order by transaction_date desc, id desc limit 21"

# How the server words what the table is, with its rights and the view's, however it is partitioned. The view names the viewer in two ways.
WORDED = """
    with t as (select 'transaction_schema.transactions'::regclass as oid)
    select 'column', a.attname::text,
           concat_ws(' ', a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated, pg_get_expr(d.adbin, d.adrelid))
    from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
    union all select 'constraint', conname::text, pg_get_constraintdef(c.oid) from t join pg_constraint c on c.conrelid = t.oid
    where c.contype <> 'n'
    union all select 'index', indexrelid::regclass::text, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
    from t join pg_index i on i.indrelid = t.oid
    union all select 'trigger', tgname::text, pg_get_triggerdef(g.oid) from t join pg_trigger g on g.tgrelid = t.oid where not tgisinternal
    union all select 'rights', relname::text, concat_ws(' ', relowner::regrole, relacl, reloptions)
    from pg_class where oid in ('transaction_schema.transactions'::regclass, 'transaction_schema.own_transactions'::regclass)
    union all select 'rights', attname::text, attacl::text from pg_attribute
    where attrelid = 'transaction_schema.own_transactions'::regclass and attnum > 0
    union all
    select 'view', '', replace(replace(pg_get_viewdef('transaction_schema.own_transactions'::regclass), 'ANY (ARRAY[', ''), '])', '')
    order by 1, 2
"""


@pytest.fixture(scope="module", autouse=True)
async def _timescaledb(servers: Servers) -> None:
    async with superuser(servers.superuser_dsn) as connection:
        if await connection.fetchval(EXTENSION) is None:
            pytest.skip("this server has no TimescaleDB; where it is installed: FLORIN_TEST_POSTGRES=FOLDER FLORIN_TEST_TIMESCALEDB=1")


@pytest.fixture(scope="module")
async def filled(servers: Servers) -> AsyncIterator[tuple[Fresh, UUID]]:
    """7,000 rows of five users over two years, compressed by the policy; the id of one of the users."""
    users = [uuid4() for _ in range(5)]
    async with fresh_database(servers) as fresh:
        await upgrade_async(fresh.owner, ["transaction"])
        async with superuser(fresh.superuser) as connection:
            await connection.execute(ROWS, users, uuid4())
        await compress_what_is_old(fresh)
        async with superuser(fresh.superuser) as connection:
            await connection.execute("analyze transaction_schema.transactions")
        yield fresh, users[0]


async def compress_what_is_old(fresh: Fresh) -> None:
    """As the policy does when its time has come."""
    async with fresh.connect("owner") as owner:
        await owner.execute(f"call {await owner.fetchval(EXTENSION)}.run_job({await owner.fetchval(POLICY)})")


@pytest.fixture
async def fresh(servers: Servers) -> AsyncIterator[Fresh]:
    async with fresh_database(servers) as database:
        await upgrade_async(database.owner, ["transaction"])
        yield database


# --- what the migration makes -------------------------------------------------------------------------------------------------


async def test_a_new_database_has_chunks_of_a_month_compressed_after_six_and_nothing_that_drops_them(fresh: Fresh) -> None:
    async with fresh.connect("owner") as owner:
        interval = await owner.fetch("select column_name::text, time_interval from timescaledb_information.dimensions")
        settings = await owner.fetch(
            "select attname::text, segmentby_column_index, orderby_column_index, orderby_asc"
            " from timescaledb_information.compression_settings order by segmentby_column_index, orderby_column_index"
        )
        jobs = await owner.fetch(
            "select proc_name::text, config::jsonb ->> 'compress_after', owner::text from timescaledb_information.jobs"
            " where hypertable_name is not null"
        )

    assert [tuple(found) for found in interval] == [("transaction_date", timedelta(days=30))]
    assert [tuple(found) for found in settings] == [
        ("user_id", 1, None, None),
        ("transaction_date", None, 1, False),
        ("id", None, 2, False),
    ]
    assert [tuple(job) for job in jobs] == [("policy_compression", "6 mons", "florin_owner")]


async def test_what_hangs_on_the_table_is_the_same_there_and_back_again(filled: tuple[Fresh, UUID], fresh: Fresh) -> None:
    database, _ = filled
    rows = "select count(*), md5(string_agg(t::text, ',' order by id)) from transaction_schema.transactions t"
    async with login(database.owner) as owner:
        before, rows_before = await owner.fetch(WORDED), await owner.fetchrow(rows)

        turned = [await owner.fetchval("select transaction_schema.rebuild_transactions(false)") for _ in range(2)]
        by_year, rows_by_year = await owner.fetch(WORDED), await owner.fetchrow(rows)
        years = [found["name"] for found in await owner.fetch(PARTS)]
        back = [await owner.fetchval("select transaction_schema.rebuild_transactions(true)") for _ in range(2)]
        after, rows_after = await owner.fetch(WORDED), await owner.fetchrow(rows)

    assert turned == back == [True, False]
    assert before == by_year == after
    assert len(before) > 100
    assert rows_before["count"] == 7000
    assert rows_before == rows_by_year == rows_after
    assert years == [f"transactions_y{year}" for year in range(TODAY.year - 5, TODAY.year + 2)]


async def test_the_rows_of_an_installation_that_gets_timescaledb_are_moved_and_kept(fresh: Fresh) -> None:
    mine = uuid4()
    async with fresh.connect("owner") as owner:
        await owner.execute("select transaction_schema.rebuild_transactions(false)")
    async with superuser(fresh.superuser) as connection:
        await connection.execute(ROWS, [mine] * 5, uuid4())
        sums = "select count(*), sum(amount), min(transaction_date) from transaction_schema.transactions where user_id = $1"
        before = await connection.fetchrow(sums, mine)

        await connection.execute(TURN_WHAT_IS_SMALL)

        assert await connection.fetchrow(sums, mine) == before
        assert len(await connection.fetch(PARTS)) == 24


async def test_a_table_too_large_for_a_migration_stays_as_it_is_and_the_command_is_named(fresh: Fresh) -> None:
    said: list[Any] = []
    async with superuser(fresh.superuser) as connection:
        await connection.execute("select transaction_schema.rebuild_transactions(false)")
        await connection.execute(ROWS, [uuid4()] * 5, uuid4())
        before = await connection.fetch(PARTS)
        connection.add_log_listener(lambda _connection, message: said.append(message))

        with pytest.raises(asyncpg.ProgramLimitExceededError, match="more than 6999 transactions") as refused:
            await connection.execute("select transaction_schema.rebuild_transactions(true, 6999)")
        await connection.execute(TURN_WHAT_IS_SMALL.replace(str(MOVED_BY_MIGRATION), "6999"))

        assert await connection.fetch(PARTS) == before
    assert refused.value.hint == "stop API and workers and run florin hypertable"
    (warning,) = [message.message for message in said if message.severity == "WARNING"]
    assert warning.startswith("transactions stay partitioned by year, as there are more than 6999")


async def test_the_command_turns_what_is_there_once(fresh: Fresh) -> None:
    async with fresh.connect("owner") as owner:
        await owner.execute("select transaction_schema.rebuild_transactions(false)")
    async with login(fresh.system) as reader:
        await reader.fetch("select from transaction_schema.transactions")
        with pytest.raises(HypertableRefused, match="stop API and worker processes"):
            await make_hypertable(fresh.owner)

    assert [await make_hypertable(fresh.owner) for _ in range(2)] == [True, False]


# --- partitions ---------------------------------------------------------------------------------------------------------------


async def test_no_partition_is_made_and_the_same_days_are_refused(filled: tuple[Fresh, UUID]) -> None:
    database, _ = filled
    async with login(database.app) as app:
        made = [await app.fetchval("select transaction_schema.ensure_partition($1)", day) for day in (date(1999, 1, 1), TODAY)]

        with pytest.raises(asyncpg.DatetimeFieldOverflowError, match="no transactions are kept for"):
            await app.fetchval("select transaction_schema.ensure_partition($1)", date(1969, 12, 31))

    assert made == [False, False]


async def test_the_policy_compresses_what_is_six_months_old_and_nothing_younger(filled: tuple[Fresh, UUID]) -> None:
    database, _ = filled
    async with login(database.system) as system:
        parts = await system.fetch(PARTS)

    assert [part["first_day"] for part in parts[1:]] == [part["end_day"] for part in parts[:-1]]
    assert {part["end_day"] - part["first_day"] for part in parts} == {timedelta(days=30)}
    assert [part["is_compressed"] for part in parts if part["end_day"] <= SIX_MONTHS_OLD] == [True] * 17
    assert not any(part["is_compressed"] for part in parts if part["end_day"] > SIX_MONTHS_OLD + timedelta(days=4))


@pytest.mark.parametrize("compressed", [True, False])
async def test_only_old_chunks_without_a_row_are_dropped(fresh: Fresh, compressed: bool) -> None:
    kept = transaction(uuid4(), transaction_date=JUNE)
    gone = transaction(uuid4(), transaction_date=MARCH)
    async with superuser(fresh.superuser) as connection:
        for values in (kept, gone):
            await _insert(connection, "transactions", values)
        if compressed:
            await connection.execute(f"select {await connection.fetchval(EXTENSION)}.compress_chunk(c) from ({_chunks()}) x (c)")
    async with superuser(fresh.system) as system:
        names = [part["name"] for part in await system.fetch(PARTS)]

        while_there = [await system.fetchval("select transaction_schema.drop_empty($1)", name) for name in names]
        await system.execute("delete from transaction_schema.transactions where user_id = $1", gone["user_id"])
        afterwards = [await system.fetchval("select transaction_schema.drop_empty($1)", name) for name in (*names, "no such")]
        left = [part["name"] for part in await system.fetch(PARTS)]

    assert while_there == [False, False]
    assert afterwards == [True, False, False]
    assert left == names[1:]


async def test_retention_drops_chunks_as_it_drops_years_and_misses_none_ahead(fresh: Fresh, services: Services) -> None:
    kept, gone = transaction(uuid4(), transaction_date=JUNE), transaction(uuid4(), transaction_date=MARCH)
    async with superuser(fresh.superuser) as connection:
        for values in (kept, gone):
            await _insert(connection, "transactions", values)
        march, june = [part["name"] for part in await connection.fetch(PARTS)]
        await connection.execute("delete from transaction_schema.transactions where id = $1", gone["id"])
    await upgrade_async(fresh.owner)
    database = Db(Dsns(app=fresh.app, system=fresh.system), None)
    try:
        planned = await plan_partitions(replace(services, db=database))
        kept_up = await keep_partitions(replace(services, db=database), Origin("cli"))
    finally:
        await database.close()

    assert planned == kept_up == Partitions(ahead=[], behind=[march])
    async with login(fresh.system) as system:
        assert [part["name"] for part in await system.fetch(PARTS)] == [june]


# --- the application's statements ---------------------------------------------------------------------------------------------


@pytest.fixture
async def old_months(servers: Servers, db: Db, make_user: MakeUser) -> tuple[Viewer, dict[str, Any], dict[str, Any]]:
    """In the suite's own database: a user with a transaction in each of two months, which are compressed."""
    viewer = await make_user()
    first, second = row(MARCH, "10.00", fingerprint=b"1"), row(JUNE, "20.00", fingerprint=b"2")
    async with db.write("transaction", viewer) as session:
        await batches.add_transactions(session, [first, second])
    owner = await asyncpg.connect(plain(db.dsns.of("transaction", "owner")))
    try:
        await owner.execute(f"select {await owner.fetchval(EXTENSION)}.compress_chunk(c, true) from ({_chunks()}) x (c)")
    finally:
        await owner.close()
    return viewer, first, second


async def test_an_import_adds_changes_and_moves_rows_of_compressed_months(
    db: Db, old_months: tuple[Viewer, dict[str, Any], dict[str, Any]]
) -> None:
    viewer, first, second = old_months
    added = row(MARCH, "30.00", fingerprint=b"3")
    async with db.write("transaction", viewer) as session:
        await batches.add_transactions(session, [added])
        await batches.change_transactions(session, [first | {"amount": Decimal("11.00"), "fingerprint": b"1+"}])
        await batches.move_transactions(
            session,
            [
                {"id": second["id"], "old_date": JUNE, "transaction_date": MARCH},
                {"id": first["id"], "old_date": MARCH, "transaction_date": TODAY},
            ],
        )

    found = await _own(db, viewer)

    assert found == {
        first["id"]: (TODAY, Decimal("11.00")),
        second["id"]: (MARCH, Decimal("20.00")),
        added["id"]: (MARCH, Decimal("30.00")),
    }


@pytest.mark.parametrize(
    "change", ["update transaction_schema.own_transactions set notes = 'kept'", "delete from transaction_schema.own_transactions"]
)
async def test_a_statement_that_names_its_user_changes_rows_old_and_new(
    db: Db, old_months: tuple[Viewer, dict[str, Any], dict[str, Any]], change: str
) -> None:
    viewer, first, _ = old_months
    recent = row(TODAY, "5.00", fingerprint=b"4")
    async with db.write("transaction", viewer) as session:
        await batches.add_transactions(session, [recent])

    async with login(db.dsns.of("transaction", "app"), viewer.user_id) as app:
        done = [
            await app.execute(f"{change} where user_id = $1 and id = $2 and transaction_date = $3", viewer.user_id, each["id"], day)
            for each, day in ((first, MARCH), (recent, TODAY), (recent, MARCH))
        ]

    assert [words.split()[-1] for words in done] == ["1", "1", "0"]


async def test_an_upsert_into_a_compressed_month_changes_ones_own_row_and_takes_nobody_elses(
    servers: Servers, db: Db, make_user: MakeUser, old_months: tuple[Viewer, dict[str, Any], dict[str, Any]]
) -> None:
    anna, theirs, _ = old_months
    ben = await make_user()
    refused = (asyncpg.InsufficientPrivilegeError, asyncpg.WithCheckOptionViolationError, asyncpg.ObjectNotInPrerequisiteStateError)
    values = transaction(anna.user_id, id=theirs["id"], transaction_date=MARCH, amount=Decimal("12.00"))

    await _upsert(db, anna, values, "amount = excluded.amount")
    for change in ("user_id = excluded.user_id", "amount = excluded.amount", "id = gen_random_uuid()"):
        with pytest.raises(refused):
            await _upsert(db, ben, values | {"user_id": ben.user_id, "amount": 999}, change)

    assert (await _own(db, anna))[theirs["id"]] == (MARCH, Decimal("12.00"))
    assert await _own(db, ben) == {}


async def test_the_application_reaches_no_chunk_and_no_lever_of_timescaledb(filled: tuple[Fresh, UUID]) -> None:
    database, user = filled
    async with login(database.system) as system:
        compressed = [f"_timescaledb_internal.{part['name']}" for part in await system.fetch(PARTS) if part["is_compressed"]]
        place = await system.fetchval(EXTENSION)
        inside = await system.fetchval(
            "select relname::text from pg_class where relname like 'compress_hyper_%_chunk' and relkind = 'r' limit 1"
        )
    attempts = [
        f"select * from {compressed[0]}",
        f"select * from _timescaledb_internal.{inside}",
        f"select {place}.decompress_chunk('{compressed[0]}')",
        f"select {place}.drop_chunks('transaction_schema.transactions', older_than => current_date)",
        "select transaction_schema.rebuild_transactions(false)",
        "select * from transaction_schema.list_partitions()",
        "select transaction_schema.drop_empty_chunks(current_date)",
    ]

    for attempt in attempts:
        async with login(database.app, user) as app:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.fetch(attempt)


# --- plans --------------------------------------------------------------------------------------------------------------------


async def test_the_first_page_stops_in_the_newest_chunk(filled: tuple[Fresh, UUID]) -> None:
    database, user = filled

    plan = await _plan(database, user, f"{MINE} {BY_DATE}", user)

    assert any("Custom Scan (ChunkAppend) on transactions" in line for line in plan)
    assert any("Order: transactions.transaction_date DESC, transactions.id DESC" in line for line in plan)
    read = [line for line in plan if "_chunk" in line and " on " in line and "never executed" not in line]
    assert len(read) == 1, read
    assert "ix_transactions_user_date on " in read[0]
    assert any("Index Cond: " in line and f"'{user}'" in line for line in plan)


async def test_a_page_in_compressed_months_unpacks_only_its_users_rows(filled: tuple[Fresh, UUID]) -> None:
    database, user = filled
    until = TODAY - timedelta(days=400)

    plan = await _plan(database, user, f"{MINE} and transaction_date < $2 {BY_DATE}", user, until)

    read = [line for line in plan if "_chunk" in line and " on " in line and "never executed" not in line]
    assert 1 <= sum("ColumnarScan" in line or "DecompressChunk" in line for line in read) <= 2, read
    assert not any(" using " in line and "ix_transactions" in line for line in read), read
    assert any(f"user_id = '{user}'" in line for line in plan)


def _chunks() -> str:
    return (
        "select format('%I.%I', chunk_schema, chunk_name)::regclass from timescaledb_information.chunks"
        " where hypertable_schema = 'transaction_schema' and range_end < '2020-01-01' and not is_compressed"
    )


async def _insert(connection: Any, table: str, values: dict[str, Any], then: str = "") -> None:
    names, places = ", ".join(values), ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await connection.execute(f"insert into transaction_schema.{table} ({names}) values ({places}) {then}", *values.values())


async def _upsert(db: Db, viewer: Viewer, values: dict[str, Any], change: str) -> None:
    connection = await asyncpg.connect(plain(db.dsns.of("transaction", "app")))
    try:
        async with connection.transaction():
            await connection.execute(f"set local app.user_id = '{viewer.user_id}'")
            await _insert(connection, "own_transactions", values, f"on conflict (id, transaction_date) do update set {change}")
    finally:
        await connection.close()


async def _own(db: Db, viewer: Viewer) -> dict[UUID, tuple[date, Decimal]]:
    async with login(db.dsns.of("transaction", "app"), viewer.user_id) as app:
        found = await app.fetch("select id, transaction_date, amount from transaction_schema.own_transactions")
    return {id_: (day, amount) for id_, day, amount in found}


async def _plan(database: Fresh, user: UUID, query: str, *arguments: Any) -> list[str]:
    async with login(database.app, user) as app:
        return [found[0] for found in await app.fetch(f"explain (analyze, costs off, timing off, summary off) {query}", *arguments)]
