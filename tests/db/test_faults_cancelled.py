"""Whatever is cancelled or misbehaves, wherever: the next borrower of the connection finds it as a new one is."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.util import greenlet_spawn

from db.engines import Db, Dsns, SystemSession, Viewer
from db.redis import RedisConnections
from db.residue import may_outlive
from db.user import queries as users
from db.user.models import users as users_table
from tests.conftest import MakeUser
from tests.db.leaks import Found, cancelled_at, checked_out, look, until_given_back, watching
from tests.servers.suite import Servers

Work = Callable[[Db, Viewer], Coroutine[Any, Any, None]]
#: More awaits than any of the units of work here has.
AT_MOST = 200
LOCK = 471_001


@pytest.fixture
async def narrow(dsns: Dsns, redis: RedisConnections) -> AsyncIterator[Db]:
    """A pool of one connection: the next borrower gets what the last one left."""
    db = Db(dsns, redis, pool_size=1)
    yield db
    await db.close()


async def read(db: Db, viewer: Viewer) -> None:
    async with db.read("user", viewer) as reading:
        await reading.value(users.timezone())
        await reading.row(users.users_by_id(("full_name",)), keys=[viewer.user_id])


async def write(db: Db, viewer: Viewer) -> None:
    async with db.write("user", viewer) as session:
        await session.execute(text(f"select pg_advisory_xact_lock({LOCK})"))
        await session.execute(users_table.update().where(users_table.c.id == viewer.user_id).values(full_name="Robin"))
        session.publish("budget", viewer.user_id, 1)


async def system(db: Db, viewer: Viewer) -> None:
    async with db.system("user") as session:
        await session.execute(text("set local statement_timeout = '7s'"))
        await session.execute(select(users_table.c.id).where(users_table.c.id == viewer.user_id).with_for_update())


async def misbehave(db: Db, _viewer: Viewer) -> None:
    async with db.system("user") as session:
        await leave_everything(session)


async def leave_everything(session: SystemSession) -> None:
    await session.execute(text("set statement_timeout = '9s'"))
    await session.execute(text("select set_config('app.user_id', 'somebody', false)"))
    await session.execute(text(f"select pg_advisory_lock({LOCK})"))
    await session.execute(text("create temporary table left_behind as select 1 as one"))


@pytest.fixture
async def clean(narrow: Db, make_user: MakeUser) -> dict[str, Found]:
    """What a new connection has, of either role."""
    viewer = await make_user()
    return {"app": _but_viewer(await look(narrow, viewer)), "system": await look(narrow, None)}


def _but_viewer(found: Found) -> Found:
    return Found(found.user, "", found.timeout, found.locks, found.temporary, found.transactions)


@pytest.mark.parametrize("is_new", [False, True], ids=["a connection that was used", "a new connection"])
@pytest.mark.parametrize("work", [read, write, system, misbehave])
async def test_cancelled_at_any_await_it_leaves_nothing(
    work: Work,
    is_new: bool,
    narrow: Db,
    dsns: Dsns,
    redis: RedisConnections,
    make_user: MakeUser,
    servers: Servers,
    clean: dict[str, Found],
) -> None:
    robin, sam = await make_user(), await make_user()
    at = 1

    async with watching(servers.superuser_dsn) as watch:
        while True:
            db = Db(dsns, redis, pool_size=1) if is_new else narrow
            is_whole = await cancelled_at(work(db, robin), at)
            await until_given_back(db)
            found = await look(db, sam)
            assert found.viewer == str(sam.user_id), f"await {at}"
            assert (_but_viewer(found), await look(db, None)) == (clean["app"], clean["system"]), f"await {at}"
            if db is not narrow:
                await db.close()
            if is_whole:
                break
            at += 1
            assert at < AT_MOST
        await watch.until_no_orphans()

    assert at > 3, "there was nothing to cancel"


async def test_what_a_use_case_leaves_in_the_session_is_gone_with_its_end(narrow: Db, servers: Servers, clean: dict[str, Found]) -> None:
    for failing in (False, True):
        for statement in (
            "set role none",
            "set statement_timeout = '1h'",
            "select set_config('app.user_id', 'x', false)",
            f"select pg_advisory_lock({LOCK})",
            "create temporary table left_behind (one integer)",
            "select 1 as one into temporary left_behind",
            "listen somebody",
            "declare held cursor with hold for select 1",
            f"do $$ begin perform pg_advisory_lock({LOCK}); end $$",
        ):
            try:
                async with narrow.system("user") as session:
                    pid = await _pid(session)
                    await session.execute(text(statement))
                    if failing:
                        raise RuntimeError
            except RuntimeError:
                pass
            async with narrow.system("user") as session:
                # a pooler's server connection is cleaned and stays
                assert narrow.dsns.pooler == "transaction" or await _pid(session) != pid, statement
            assert await look(narrow, None) == clean["system"], statement
    async with narrow.system("user") as session:
        pid = await _pid(session)
        await session.execute(text("select set_config('app.user_id', 'x', true)"))
        await session.execute(text("set local statement_timeout = '1h'"))
    async with narrow.system("user") as session:
        assert await _pid(session) == pid
    async with watching(servers.superuser_dsn) as watch:
        await watch.until_no_orphans()


async def _pid(session: SystemSession) -> int:
    return int((await session.execute(text("select pg_backend_pid()"))).scalar_one())


async def test_a_transaction_that_is_open_when_its_connection_comes_back_does_not_stay(
    narrow: Db, servers: Servers, clean: dict[str, Found]
) -> None:
    """Whoever goes to the driver by themselves, behind the session's back."""
    engine = narrow._engine(narrow.dsns.of("user", "system"), viewers=False)
    borrowed = await engine.raw_connection()
    driver = borrowed.driver_connection
    assert driver is not None
    await driver.execute("BEGIN")
    await driver.execute(f"select pg_advisory_xact_lock({LOCK})")
    await greenlet_spawn(borrowed.close)

    async with watching(servers.superuser_dsn) as watch:
        await watch.until_no_orphans()
    assert await look(narrow, None) == clean["system"]


async def test_a_session_that_is_cancelled_over_and_over_in_a_statement_frees_its_locks(
    narrow: Db, make_user: MakeUser, servers: Servers
) -> None:
    robin = await make_user()

    async def hang() -> None:
        async with narrow.write("user", robin) as session:
            await session.execute(text(f"select pg_advisory_xact_lock({LOCK})"))
            await session.execute(text("select pg_sleep(30)"))

    task = asyncio.create_task(hang())
    async with watching(servers.superuser_dsn) as watch:
        while not any("pg_sleep" in each for each in await watch.orphans()):
            await asyncio.sleep(0.01)
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        await watch.until_no_orphans(within_s=5)
    await until_given_back(narrow)

    assert checked_out(narrow) == 0
    assert task.cancelled()


async def test_no_function_of_ours_leaves_anything_in_a_session(servers: Servers) -> None:
    """The pool reads statements, not what functions that they call do."""
    async with watching(servers.superuser_dsn) as watch:
        found = await watch._connection.fetch(
            "select p.oid::regprocedure::text as name, p.prosrc as source from pg_proc p"
            " join pg_namespace n on n.oid = p.pronamespace where n.nspname like '%\\_schema' and p.prolang <> 12"
        )

    assert len(found) > 3
    suspect = [row["name"] for row in found if any(each in row["source"].lower() for each in ("advisory_lock", "set_config", "temp"))]
    assert suspect == []


@pytest.mark.parametrize(
    ("sql", "stays"),
    [
        ("select 1", False),
        ("WITH a AS (select 1) INSERT INTO b SELECT * FROM a", False),
        ("SELECT pg_advisory_xact_lock(hashtextextended($1::VARCHAR, $2::BIGINT))", False),
        ("select set_config($1::VARCHAR, $2::VARCHAR, true)", False),
        ("select set_config($1::VARCHAR, $2::VARCHAR, $3::BOOLEAN)", True),
        ("select set_config('a', 'b', true), set_config('a', 'b', false)", True),
        ("BEGIN;SET LOCAL app.user_id='x'", False),
        ("SET LOCAL lock_timeout = '1s'; SET lock_timeout = '1s'", True),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", True),
        ("set role florin_owner", True),
        ("select pg_try_advisory_lock_shared(1)", True),
        ("SELECT 1 INTO TEMP x", True),
        ("/* select */ set role x", True),
        ("", False),
    ],
)
def test_what_stays_is_told_by_the_text(sql: str, stays: bool) -> None:
    assert may_outlive(sql) is stays


async def test_a_healthy_unit_of_work_costs_no_trip_more(narrow: Db, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    """BEGIN with the viewer, the statements, COMMIT: counted where the driver sends."""
    from db.connection import SystemConnection, _DriverConnection

    robin = await make_user()
    await read(narrow, robin)
    sent: list[str] = []
    original = _DriverConnection.execute

    async def counted(self: SystemConnection, query: str, *args: Any, **options: Any) -> str:
        sent.append(query)
        return await original(self, query, *args, **options)

    monkeypatch.setattr(_DriverConnection, "execute", counted)
    await read(narrow, robin)
    await write(narrow, robin)

    viewer = f";SET LOCAL app.user_id='{robin.user_id}'"
    assert sent == [f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{viewer}", "COMMIT", f"BEGIN{viewer}", "COMMIT;"]
