"""Partitions that are over and empty go, others do not, whoever asks."""

from datetime import date

import asyncpg
import pytest

from db.engines import Origin
from domains.flows.drop_partitions import drop_partitions, keep_partitions, plan_partitions
from tests.db.samples import login
from tests.domains.flows.conftest import Nights
from tests.domains.flows.rows import add_rows, row
from tests.servers.suite import Servers

CLI = Origin("cli")


async def make_year(nights: Nights, year: int) -> str:
    await nights.run("transaction", f"select transaction_schema.ensure_partition('{year}-01-01')")
    return f"transactions_y{year}"


async def test_what_is_over_and_empty_goes_and_what_is_missing_ahead_is_made(nights: Nights) -> None:
    this_year = nights.services.clock.now().year
    empty, full = await make_year(nights, this_year - 9), await make_year(nights, this_year - 8)
    young = await make_year(nights, this_year - 5)
    viewer = await nights.add_user()
    await add_rows(nights.services, viewer, [row(date(this_year - 8, 5, 1), "5")])
    await nights.run("transaction", f"drop table transaction_schema.transactions_y{this_year + 1}")
    before = await nights.snapshot()

    planned = await plan_partitions(nights.services)
    untouched = await nights.partitions()
    done = await keep_partitions(nights.services, CLI)
    again = await keep_partitions(nights.services, CLI)

    assert {empty, full, young} <= set(untouched)
    assert planned == done
    assert (done.ahead, done.behind) == ([f"transactions of {this_year + 1}"], [empty])
    assert (again.ahead, again.behind) == ([], [])
    assert {full, young, f"transactions_y{this_year + 1}"} <= set(await nights.partitions())
    assert empty not in await nights.partitions()
    assert len(await nights.dates(viewer.user_id)) == 1
    assert {name: rows for name, rows in (await nights.snapshot()).items() if rows != before[name]}.keys() == {"transaction_schema.jobs"}


async def test_who_comes_first_drops_it_and_leaves_one_entry(nights: Nights) -> None:
    name = await make_year(nights, nights.services.clock.now().year - 9)

    assert [name] == await drop_partitions(nights.services, CLI)
    assert await drop_partitions(nights.services, CLI) == []

    entries = await nights.run("transaction", "select payload->>'resource_id' from transaction_schema.jobs where topic = 'audit.record'")
    assert [each[0] for each in entries] == [name]


async def test_the_database_drops_nothing_that_is_young_or_has_rows_and_nothing_for_the_application(
    servers: Servers, nights: Nights
) -> None:
    this_year = nights.services.clock.now().year
    full = await make_year(nights, this_year - 8)
    await add_rows(nights.services, await nights.add_user(), [row(date(this_year - 8, 5, 1), "5")])
    used = nights.services.db.dsns

    async with login(used.of("transaction", "system")) as system:
        assert await system.fetchval("select transaction_schema.drop_empty($1)", full) is False
        assert await system.fetchval("select transaction_schema.drop_empty('transactions; drop table x')") is False
        assert await system.fetchval("select transaction_schema.drop_empty('ledgers')") is False
    for young in (this_year - 5, this_year + 1):
        async with login(used.of("transaction", "system")) as system:
            with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
                await system.fetchval("select transaction_schema.drop_empty($1)", f"transactions_y{young}")
    async with login(used.of("transaction", "app")) as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.fetchval("select transaction_schema.drop_empty($1)", full)
    assert full in await nights.partitions()


async def test_no_partition_takes_what_no_other_does(nights: Nights) -> None:
    found = await nights.run("transaction", "select 1 from pg_class where relispartition and pg_get_expr(relpartbound, oid) = 'DEFAULT'")

    assert found == []
