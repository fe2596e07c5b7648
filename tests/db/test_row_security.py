"""The database decides who sees what: with the application's role, and no filter of the application's, one user is alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.embedded import Embedded
from tests.db.samples import Samples, insert, insert_all, login, sample_rows, superuser, transaction

#: Tables that tell of no user.
SHARED = {"categories", "exchange_rates", "merchant_categories", "alembic_version", "notification_templates", "notification_stats"}
#: Tables that tell of users and that only the system reaches.
OPERATORS = {"legal_holds"}

TABLES = """
    select c.oid, c.relnamespace::regnamespace || '.' || c.relname as name, c.relname, c.relrowsecurity, c.relforcerowsecurity,
           c.relispartition or c.relkind = 'p' or c.oid = to_regclass('transaction_schema.transactions') as is_partitioned
    from pg_class c where c.relnamespace::regnamespace::text like '%\\_schema' and c.relkind in ('r', 'p')
      and c.relnamespace::regnamespace::text <> 'information_schema'
"""


@dataclass(frozen=True, slots=True)
class Two:
    """Two users; `rows` are Anna's."""

    anna: UUID
    ben: UUID
    rows: Samples


@pytest.fixture
async def two(servers: Embedded) -> AsyncIterator[Two]:
    anna, ben = uuid4(), uuid4()
    rows = sample_rows(anna)
    async with superuser(servers.superuser_dsn) as connection:
        await insert_all(connection, rows)
    yield Two(anna, ben, rows)
    async with superuser(servers.superuser_dsn) as connection:
        await connection.execute("delete from transaction_schema.transactions where user_id = $1", anna)


def _with_another_id(row: dict[str, Any]) -> dict[str, Any]:
    """What is refused is the owner, not an id that is taken."""
    return row | {"id": uuid4()} if "id" in row else row


def _as_app_sees(table: str) -> str:
    return "transaction_schema.own_transactions" if table == "transaction_schema.transactions" else table


async def test_every_table_of_a_user_forces_row_security(servers: Embedded) -> None:
    async with login(servers.superuser_dsn) as connection:
        tables = await connection.fetch(TABLES)
        policies = await connection.fetch("select polrelid, array_agg(distinct polroles::regrole[]::text) from pg_policy group by 1")

    roles = dict(policies)
    guarded = [table for table in tables if table["relname"] not in SHARED and not table["is_partitioned"]]
    assert len(guarded) >= 27
    for table in guarded:
        assert table["relrowsecurity"], f"{table['name']} has no row security"
        assert table["relforcerowsecurity"], f"{table['name']} does not force row security on its owner"
        assert sorted(roles[table["oid"]]) == ["{florin_app}", "{florin_system}"], table["name"]


async def test_every_table_of_a_user_is_tried_here(servers: Embedded) -> None:
    async with login(servers.superuser_dsn) as connection:
        tables = await connection.fetch(f"{TABLES} and not c.relispartition")

    assert {table["name"] for table in tables if table["relname"] not in SHARED | OPERATORS} == set(sample_rows(uuid4()))


async def test_the_application_has_no_right_on_what_is_the_operators(servers: Embedded) -> None:
    async with login(servers.superuser_dsn) as connection:
        reached = await connection.fetch(
            """
            select c.relname from pg_class c where c.relname = any($1)
              and (has_any_column_privilege('florin_app', c.oid, 'select, insert, update, references')
                   or has_table_privilege('florin_app', c.oid, 'delete, truncate, trigger'))
            """,
            list(OPERATORS),
        )

    assert reached == []


async def test_nobody_but_the_system_reaches_the_transactions_but_through_the_view(servers: Embedded) -> None:
    rights = """
        select c.relname, r.rolname from pg_class c cross join pg_roles r
        where c.relnamespace = 'transaction_schema'::regnamespace and c.relkind in ('r', 'p')
          and (c.relispartition or c.relname = 'transactions')
          and r.rolname = any($1)
          and (has_any_column_privilege(r.oid, c.oid, 'select, insert, update, references')
               or has_table_privilege(r.oid, c.oid, 'delete, truncate, trigger'))
    """
    async with login(servers.superuser_dsn) as connection:
        reached = await connection.fetch(rights, ["florin_app"])
        by_system = await connection.fetch(rights, ["florin_system"])

    assert reached == []
    assert [tuple(row) for row in by_system] == [("transactions", "florin_system")]


async def test_the_application_cannot_change_what_a_row_is_or_whose(servers: Embedded) -> None:
    """Column grants of every table and view; TRUNCATE would pass by row security."""
    async with login(servers.superuser_dsn) as connection:
        changeable = await connection.fetch("""
            select c.oid::regclass::text, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
            where c.relnamespace::regnamespace::text like '%\\_schema' and c.relkind in ('r', 'p', 'v') and a.attnum > 0
              and a.attname in ('id', 'user_id', 'budget_id', 'transaction_date', 'job_id')
              and c.relname not in ('transaction_keys', 'transaction_reviews')
              and has_column_privilege('florin_app', c.oid, a.attnum, 'update')
        """)
        keys = await connection.fetchval(
            "select has_column_privilege('florin_app', 'transaction_schema.transaction_keys', 'user_id', 'update')"
        )
        emptied = await connection.fetch("""
            select c.oid::regclass::text, r.rolname from pg_class c, pg_roles r
            where c.relnamespace::regnamespace::text like '%\\_schema' and c.relkind in ('r', 'p')
              and r.rolname in ('florin_app', 'florin_system') and has_table_privilege(r.oid, c.oid, 'truncate')
        """)

    assert changeable == []
    assert keys is False
    assert emptied == []


async def test_everybody_has_no_right_on_anything_of_ours(servers: Embedded) -> None:
    async with login(servers.superuser_dsn) as connection:
        granted = await connection.fetch("""
            select c.oid::regclass::text from pg_class c, aclexplode(c.relacl) a
            where c.relnamespace::regnamespace::text like '%\\_schema' and a.grantee = 0
              and c.relnamespace::regnamespace::text <> 'information_schema'
            union all
            select p.oid::regprocedure::text from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
            where p.pronamespace::regnamespace::text like '%\\_schema' and a.grantee = 0
              and p.pronamespace::regnamespace::text <> 'information_schema'
        """)
        definers = await connection.fetch("""
            select p.proname, pg_get_userbyid(p.proowner), p.proconfig from pg_proc p
            where p.prosecdef and p.pronamespace::regnamespace::text like '%\\_schema' order by 1
        """)

    assert granted == []
    bounded = ["search_path=pg_catalog, pg_temp"]
    assert [tuple(row) for row in definers] == [
        ("drop_empty", "florin_owner", [*bounded, "lock_timeout=2s"]),
        ("drop_month", "florin_owner", [*bounded, "lock_timeout=5s"]),
        ("ensure_month", "florin_owner", bounded),
        ("ensure_partition", "florin_owner", bounded),
        ("list_partitions", "florin_owner", bounded),
        ("rebuild_transactions", "florin_owner", bounded),
    ]


async def test_a_role_without_a_viewer_sees_nothing_and_writes_nothing(servers: Embedded, two: Two) -> None:
    for viewer in (None, ""):
        for table, row in two.rows.items():
            async with login(servers.dsns.app) as app:
                if viewer == "":
                    await app.execute("select set_config('app.user_id', '', true)")
                assert await app.fetchval(f"select count(*) from {_as_app_sees(table)}") == 0, table
                await _expect_untouched(app, table)
                with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.WithCheckOptionViolationError)):
                    await insert(app, _as_app_sees(table), _with_another_id(row))


async def test_another_user_sees_nothing_and_changes_nothing(servers: Embedded, two: Two) -> None:
    for table, row in two.rows.items():
        async with login(servers.dsns.app, two.anna) as anna:
            assert await anna.fetchval(f"select count(*) from {_as_app_sees(table)}") == 1, table
        async with login(servers.dsns.app, two.ben) as ben:
            assert await ben.fetchval(f"select count(*) from {_as_app_sees(table)}") == 0, table
            await _expect_untouched(ben, table)
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.WithCheckOptionViolationError)):
                await insert(ben, _as_app_sees(table), _with_another_id(row))


async def _expect_untouched(app: Any, table: str) -> None:
    """Whatever this role may change or delete in general, it changes and deletes nothing here."""
    name = _as_app_sees(table)
    columns = await app.fetch(
        "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and attgenerated = ''"
        " and has_column_privilege(attrelid, attnum, 'update')",
        name,
    )
    if columns:
        column = columns[0]["attname"]
        assert await app.execute(f"update {name} set {column} = {column}") == "UPDATE 0", table
    if await app.fetchval("select has_table_privilege($1, 'delete')", name):
        assert await app.execute(f"delete from {name}") == "DELETE 0", table


async def test_the_system_sees_everybody(servers: Embedded, two: Two) -> None:
    async with login(servers.dsns.system) as system:
        for table, row in two.rows.items():
            owner = "id" if table == "user_schema.users" else "user_id"
            if owner in row:
                assert await system.fetchval(f"select count(*) from {table} where {owner} = $1", two.anna) == 1, table


async def test_the_owner_sees_no_row_of_anybody(servers: Embedded, two: Two) -> None:
    async with login(servers.dsns.owner or "", two.anna) as owner:
        for table in two.rows:
            if table != "transaction_schema.transactions":
                assert await owner.fetchval(f"select count(*) from {table}") == 0, table


@pytest.mark.parametrize(
    "change",
    [
        "user_id = excluded.user_id",
        "user_id = excluded.user_id, amount = excluded.amount",
        "id = gen_random_uuid()",
        "transaction_date = excluded.transaction_date",
        "amount = excluded.amount",
    ],
)
async def test_an_upsert_that_knows_an_id_cannot_take_the_row(servers: Embedded, two: Two, change: str) -> None:
    theirs = two.rows["transaction_schema.transactions"]
    mine = transaction(two.ben, id=theirs["id"], transaction_date=theirs["transaction_date"], amount=999)
    names, places = ", ".join(mine), ", ".join(f"${n}" for n in range(1, len(mine) + 1))

    # of a row that the view does not show, Postgres before 16 says just that
    refused = (asyncpg.InsufficientPrivilegeError, asyncpg.WithCheckOptionViolationError, asyncpg.ObjectNotInPrerequisiteStateError)
    async with login(servers.dsns.app, two.ben) as ben:
        with pytest.raises(refused):
            await ben.execute(
                f"insert into transaction_schema.own_transactions ({names}) values ({places})"
                f" on conflict (id, transaction_date) do update set {change}",
                *mine.values(),
            )

    async with login(servers.dsns.app, two.anna) as anna:
        kept = await anna.fetchrow("select user_id, amount from transaction_schema.own_transactions where id = $1", theirs["id"])
    assert tuple(kept) == (two.anna, theirs["amount"])


async def test_the_application_cannot_give_a_transaction_away(servers: Embedded, two: Two) -> None:
    async with login(servers.dsns.app, two.anna) as anna:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await anna.execute(f"update transaction_schema.own_transactions set user_id = '{two.ben}'")


async def test_a_row_cannot_hang_on_another_users_parent(servers: Embedded, two: Two) -> None:
    connection = two.rows["bank_schema.bank_connections"]["id"]
    upload = two.rows["bank_schema.uploads"]["id"]
    account = {"connection_id": connection, "user_id": two.ben, "provider_account_id": "mine"}
    statement = {"user_id": two.ben, "upload_id": upload, "filename": "mine.ofx"}

    for table, row in {"bank_accounts": account, "statement_imports": statement}.items():
        async with login(servers.dsns.app, two.ben) as ben:
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                await insert(ben, f"bank_schema.{table}", row)


async def test_a_child_of_a_budget_or_a_goal_cannot_hang_on_another_users(servers: Embedded, two: Two) -> None:
    for table in ("budget_history", "goal_contributions"):
        theirs = two.rows[f"budget_schema.{table}"]
        mine = {**theirs, "id": uuid4(), "user_id": two.ben} | ({"period_start": date(2019, 1, 1)} if "period_start" in theirs else {})
        async with login(servers.dsns.app, two.ben) as ben:
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                await insert(ben, f"budget_schema.{table}", mine)


async def test_the_application_writes_its_viewers_rows(servers: Embedded) -> None:
    """Every table it may insert into takes a row of the viewer: the policies refuse strangers, not everybody."""
    user = uuid4()
    rows = sample_rows(user)
    users = rows.pop("user_schema.users")

    async with login(servers.superuser_dsn) as connection:
        await insert(connection, "user_schema.users", users)
        await connection.execute("set local role florin_app")
        await connection.execute(f"set local app.user_id = '{user}'")
        for table, row in rows.items():
            await insert(connection, _as_app_sees(table), row)
            assert await connection.fetchval(f"select count(*) from {_as_app_sees(table)}") == 1, table


async def test_signing_up_is_the_systems(servers: Embedded) -> None:
    row = sample_rows(uuid4())["user_schema.users"]

    async with login(servers.dsns.app, row["id"]) as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await insert(app, "user_schema.users", row)
    async with login(servers.dsns.system) as system:
        await insert(system, "user_schema.users", row)
        found = await system.fetchval("select id from user_schema.users where email_normalized = $1", row["email_normalized"])

    assert found == row["id"]


async def test_the_system_does_not_read_what_is_in_an_upload(servers: Embedded) -> None:
    async with login(servers.dsns.system) as system:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await system.fetch("select ciphertext from bank_schema.uploads")


async def test_the_system_does_not_read_what_is_in_an_export(servers: Embedded) -> None:
    async with login(servers.dsns.system) as system:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await system.fetch("select ciphertext from audit_schema.export_chunks")


async def test_a_chunk_cannot_hang_on_another_users_request(servers: Embedded, two: Two) -> None:
    theirs = two.rows["audit_schema.export_chunks"]
    async with login(servers.dsns.app, two.ben) as ben:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await insert(ben, "audit_schema.export_chunks", {**theirs, "user_id": two.ben, "seq": 1})
