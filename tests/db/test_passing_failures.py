"""What others stand in the way of is told apart from bugs: the same call may succeed in a moment."""

import asyncio

import pytest
from sqlalchemy import select, text, update

from db.engines import Db, Dsns, WriteSession
from db.errors import DatabaseBusy, DatabaseUnavailable
from db.statements import Statement
from db.user import queries as users
from db.user.models import users as users_table
from resolvers.errors import fault_of
from tests.conftest import MakeUser
from tests.servers.suite import Servers


async def rename(session: WriteSession, name: str) -> None:
    await session.execute(update(users_table).values(full_name=name))


async def test_a_lock_that_is_not_granted_in_time_is_passing_and_nothing_is_written(db: Db, make_user: MakeUser) -> None:
    robin = await make_user()

    async with db.write("user", robin) as first:
        await rename(first, "First")
        with pytest.raises(DatabaseBusy) as busy:
            async with db.write("user", robin) as second:
                await second.execute(text("set local lock_timeout = '50ms'"))
                await rename(second, "Second")

    fault = fault_of(busy.value)
    assert fault is not None
    assert fault.extensions == {"code": "UNAVAILABLE", "retryable": True}
    async with db.write("user", robin) as session:
        assert (await session.execute(select(users_table.c.full_name))).scalar_one() == "First"


async def test_a_statement_that_takes_too_long_is_passing(db: Db, make_user: MakeUser) -> None:
    robin = await make_user()

    with pytest.raises(DatabaseBusy):
        async with db.write("user", robin) as session:
            await session.execute(text("set local statement_timeout = '50ms'"))
            await session.execute(text("select pg_sleep(5)"))
    with pytest.raises(DatabaseBusy):
        async with db.read("user", robin) as read:
            await read._connection.execute("set local statement_timeout = '1ms'")
            await asyncio.gather(*(read.rows(_slow()) for _ in range(20)))


def _slow() -> Statement:
    return Statement("select count(*) from generate_series(1, 3000000)", (), {})


async def test_of_a_deadlock_one_is_told_to_try_again(db: Db, make_user: MakeUser) -> None:
    robin = await make_user()
    both_hold_one = asyncio.Barrier(2)

    async def cross(first: int, second: int) -> None:
        async with db.write("user", robin) as session:
            await session.execute(select(text(f"pg_advisory_xact_lock({first})")))
            await both_hold_one.wait()
            await session.execute(select(text(f"pg_advisory_xact_lock({second})")))

    outcomes = await asyncio.gather(cross(871_001, 871_002), cross(871_002, 871_001), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "NoneType"]


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_connection_that_ends_in_a_session_is_unavailable(db: Db, make_user: MakeUser, servers: Servers, kind: str) -> None:
    robin = await make_user()

    async def end(pid: int) -> None:
        import asyncpg

        admin = await asyncpg.connect(servers.superuser_dsn.replace("+asyncpg", ""))
        await admin.execute("select pg_terminate_backend($1)", pid)
        await admin.close()

    with pytest.raises(DatabaseUnavailable):
        if kind == "read":
            async with db.read("user", robin) as read:
                await end(await read._connection.fetchval("select pg_backend_pid()"))
                await read.value(users.timezone())
        else:
            async with db.write("user", robin) as session:
                await end((await session.execute(text("select pg_backend_pid()"))).scalar_one())
                await session.execute(select(users_table.c.full_name))

    async with db.read("user", robin) as read:
        assert await read.value(users.timezone()) == "UTC"


async def test_writers_of_one_user_that_wait_for_each_other_leave_connections_to_others(
    dsns: Dsns, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.engines.POOL_TIMEOUT_S", 0.3)
    robin, sam = await make_user(), await make_user()
    database = Db(dsns, None, pool_size=3)

    async def write(name: str) -> None:
        async with database.write("user", robin) as session:
            await rename(session, name)

    async with database.write("user", robin) as first:
        await rename(first, "First")
        waiting = [asyncio.create_task(write(f"Waiting {number}")) for number in range(5)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(0.2), database.write("user", sam) as other:
            await rename(other, "Sam")
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    await write("Last")

    assert {type(outcome) for outcome in outcomes} == {DatabaseBusy}
    assert database._turns._writers == {}
    await database.close()
