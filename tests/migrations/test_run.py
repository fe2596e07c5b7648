"""Up, down, again; drift; two at once."""

import asyncio
import subprocess
import sys
from datetime import date
from importlib import import_module
from typing import Any

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from db.base import DOMAINS, metadata_of, schema_of
from migrations.hypertable import HypertableRefused, make_hypertable
from migrations.run import (
    FOLDER,
    SchemaDrift,
    UnknownRevision,
    check_async,
    current_revisions,
    downgrade_async,
    revisions,
    upgrade_async,
)
from tests.migrations.fresh import Fresh, fresh_database
from tests.servers.suite import Servers

THIS_YEAR = date.today().year  # noqa: DTZ011 - as the server, which runs in UTC

LEFT = """
    select relname from pg_class where relnamespace = $1::regnamespace
    union all select proname from pg_proc where pronamespace = $1::regnamespace
    union all select typname from pg_type where typnamespace = $1::regnamespace
    order by 1
"""

# How the server words what a schema has. Partitions, the view, the version table and its index are not in the models.
TABLES = """
    select c.oid, c.relname from pg_class c
    where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'alembic_version'
"""
WORDED = f"""
    with t as ({TABLES})
    select t.relname, 'column', a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated, pg_get_expr(d.adbin, d.adrelid),
                     col_description(t.oid, a.attnum))
    from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
    union all
    select t.relname, 'constraint', c.conname, pg_get_constraintdef(c.oid) from t join pg_constraint c on c.conrelid = t.oid
    where c.contype <> 'n'
    union all
    select t.relname, 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) from t join pg_index i on i.indrelid = t.oid
    union all
    select t.relname, 'partitioned', '', pg_get_partkeydef(t.oid) from t
    order by 1, 2, 3
"""


@pytest.mark.parametrize("domain", DOMAINS)
async def test_up_down_and_up_again(fresh: Fresh, domain: str) -> None:
    first = await upgrade_async(fresh.owner, [domain])
    async with fresh.connect("superuser") as connection:
        made = [row[0] for row in await connection.fetch(LEFT, schema_of(domain))]
        await downgrade_async(fresh.owner, [domain])
        left = [row[0] for row in await connection.fetch(LEFT, schema_of(domain))]
        again = await upgrade_async(fresh.owner, [domain])
        made_again = [row[0] for row in await connection.fetch(LEFT, schema_of(domain))]

    assert first == again == [domain]
    assert {"jobs", "applied_jobs", "idempotency_keys", "update_updated_at_column"} < set(made)
    assert left == ["_alembic_version", "alembic_version", "alembic_version", "alembic_version_pkc"]
    assert made_again == made
    assert await current_revisions(fresh.owner, [domain]) == {domain: revisions(domain)[-1]}
    await check_async(fresh.owner, [domain])


async def test_the_models_and_the_migrations_make_the_same_tables(servers: Servers, fresh: Fresh) -> None:
    await upgrade_async(fresh.owner)
    async with fresh.connect("owner") as owner:
        await owner.execute("select transaction_schema.rebuild_transactions(false)")  # the models are of servers without TimescaleDB

    async with fresh_database(servers) as modelled:
        await _create_from_models(modelled.owner)
        for domain in DOMAINS:
            async with fresh.connect("owner") as ours, modelled.connect("owner") as theirs:
                migrated = [tuple(row) for row in await ours.fetch(WORDED, schema_of(domain))]
                of_models = [tuple(row) for row in await theirs.fetch(WORDED, schema_of(domain))]

            assert migrated == of_models
            assert len(migrated) > 30


async def test_a_server_without_the_optional_extensions_gets_every_index(fresh: Fresh) -> None:
    async with fresh.connect("superuser") as connection:
        await connection.execute("drop extension if exists btree_gin, pg_trgm")

    await upgrade_async(fresh.owner)

    async with fresh.connect("owner") as owner:
        found = await owner.fetch(
            "select indexdef from pg_indexes where schemaname = 'transaction_schema' and tablename = 'transactions' and indexdef ~ 'gin'"
        )
    made = sorted(row["indexdef"].partition(" USING ")[2] for row in found)
    assert len(made) == 2
    assert made[0].startswith("gin (tags) WITH")
    assert made[1].startswith("gin (to_tsvector('simple'::regconfig, ")
    await check_async(fresh.owner)


async def test_without_timescaledb_there_is_no_hypertable_and_that_is_said(fresh: Fresh) -> None:
    async with fresh.connect("superuser") as connection:
        await connection.execute("drop extension if exists timescaledb")
    with pytest.raises(HypertableRefused, match=r"older release: run florin migrate\.$"):
        await make_hypertable(fresh.owner)
    await upgrade_async(fresh.owner, ["transaction"])

    with pytest.raises(HypertableRefused, match=r"does not have the extension timescaledb: install TimescaleDB .*/roles\.sql again\.$"):
        await make_hypertable(fresh.owner)

    async with fresh.connect("system") as system:
        parts = await system.fetch("select name, end_day - first_day, is_compressed from transaction_schema.list_partitions()")
    assert {part[0] for part in parts} == {f"transactions_y{year}" for year in range(THIS_YEAR - 5, THIS_YEAR + 2)}
    assert {part[1] for part in parts} == {365, 366}
    assert not any(part[2] for part in parts)


async def test_a_difference_is_drift(fresh: Fresh) -> None:
    await upgrade_async(fresh.owner, ["analytics"])
    async with fresh.connect("owner") as owner:
        await owner.execute("alter table analytics_schema.merchant_categories add column sample_description text")

    with pytest.raises(SchemaDrift, match="sample_description"):
        await check_async(fresh.owner, ["analytics"])


async def test_nothing_to_do_costs_one_look_and_does_not_load_alembic(fresh: Fresh) -> None:
    await upgrade_async(fresh.owner)
    program = "import sys; from migrations.run import upgrade; assert upgrade(sys.argv[1]) == []; sys.exit('alembic' in sys.modules)"

    finished = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, fresh.owner], check=False, cwd=FOLDER.parent)

    assert finished.returncode == 0


async def test_two_migrators_at_once(fresh: Fresh) -> None:
    program = [sys.executable, "-c", "import sys; from migrations.run import upgrade; upgrade(sys.argv[1])", fresh.owner]

    others = [asyncio.to_thread(subprocess.run, program, check=True, cwd=FOLDER.parent) for _ in range(2)]
    await asyncio.gather(*others, upgrade_async(fresh.owner), upgrade_async(fresh.owner, ["transaction", "user"]))

    assert await current_revisions(fresh.owner) == {domain: revisions(domain)[-1] for domain in DOMAINS}
    await check_async(fresh.owner)


async def test_a_migration_that_fails_leaves_nothing(fresh: Fresh) -> None:
    async with fresh.connect("owner") as owner:
        await owner.execute("create schema budget_schema; create table budget_schema.idempotency_keys (already_here integer)")
        before = await owner.fetch(LEFT, "budget_schema")

        with pytest.raises(asyncpg.DuplicateTableError, match="already exists"):
            await upgrade_async(fresh.owner, ["budget"])

        assert await owner.fetch(LEFT, "budget_schema") == before
        await owner.execute("drop table budget_schema.idempotency_keys")
    assert await upgrade_async(fresh.owner, ["budget"]) == ["budget"]


async def test_a_domain_can_live_on_a_server_of_its_own(servers: Servers, fresh: Fresh) -> None:
    async with fresh_database(servers) as elsewhere:
        owners = {domain: elsewhere.owner if domain == "budget" else fresh.owner for domain in DOMAINS}

        moved = await upgrade_async(owners)

        assert sorted(moved) == sorted(DOMAINS)
        assert await current_revisions(elsewhere.owner) == dict.fromkeys(DOMAINS) | {"budget": revisions("budget")[-1]}
        assert (await current_revisions(fresh.owner))["budget"] is None
        await check_async(owners)


async def test_a_database_of_a_newer_release_is_refused(fresh: Fresh) -> None:
    await upgrade_async(fresh.owner, ["user"])
    async with fresh.connect("owner") as owner:
        await owner.execute("update user_schema.alembic_version set version_num = 'user_9999'")

    with pytest.raises(UnknownRevision, match="user_schema is at user_9999"):
        await upgrade_async(fresh.owner, ["user"])


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_files_are_named_by_their_revisions_in_one_line(domain: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("version_locations", str(FOLDER / domain / "versions"))
    config.set_main_option("path_separator", "newline")
    scripts = ScriptDirectory.from_config(config)

    oldest_first = tuple(script.revision for script in reversed(list(scripts.walk_revisions())))

    assert oldest_first == revisions(domain)
    assert scripts.get_heads() == [revisions(domain)[-1]]


async def _create_from_models(owner: str) -> None:
    engine = create_async_engine(owner, poolclass=NullPool)
    async with engine.begin() as connection:
        if await connection.scalar(text("select not exists (select from pg_extension where extname = 'btree_gin')")):
            event.listen(connection.sync_connection, "before_cursor_execute", _without_btree_gin, retval=True)
        for domain in DOMAINS:
            import_module(f"db.{domain}.models")
            await connection.execute(text(f"create schema {schema_of(domain)}"))
            await connection.run_sync(_create, metadata_of(domain))
    await engine.dispose()


def _create(connection: Any, metadata: MetaData) -> None:
    metadata.create_all(connection, tables=[table for table in metadata.sorted_tables if not table.info.get("is_view")])


def _without_btree_gin(*called: Any) -> tuple[str, Any]:
    """The models are those of a server that has it; on others a GIN index is not led by the user."""
    _connection, _cursor, statement, parameters, *_ = called
    return statement.replace("USING gin (user_id, ", "USING gin ("), parameters
