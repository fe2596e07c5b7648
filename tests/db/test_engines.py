"""Sessions: who they act for, what they leave behind, what follows their commit."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from db import jobs
from db.connection import Row
from db.engines import Db, Dsns
from db.errors import DatabaseUnavailable, NoViewer, PoolExhausted
from db.live import Event, Hub
from db.redis import RedisConnections
from db.user import queries as users
from db.user.models import users as users_table
from tests.conftest import MakeUser
from tests.servers.suite import Servers


@pytest.fixture
async def narrow(dsns: Dsns, redis: RedisConnections):
    """A pool of one connection: the next borrower gets what the last one left."""
    db = Db(dsns, redis, pool_size=1)
    yield db
    await db.close()


async def test_a_session_without_a_viewer_is_refused_before_any_sql(db: Db) -> None:
    for session in (db.read, db.write):
        with pytest.raises(NoViewer):
            async with session("user", None):
                pytest.fail("a session began")


async def test_a_viewer_sees_their_own_row_only(db: Db, make_user: MakeUser) -> None:
    robin, sam = await make_user(), await make_user()

    async with db.read("user", robin) as read:
        rows = await read.rows(users.users_by_id(("email",)), keys=[robin.user_id, sam.user_id])

    assert [row.key for row in rows] == [str(robin.user_id)]
    assert isinstance(rows[0], Row)
    with pytest.raises(AttributeError):
        _ = rows[0].password_hash


async def test_the_viewer_of_a_transaction_does_not_reach_the_next_one(narrow: Db, make_user: MakeUser) -> None:
    robin, sam = await make_user(), await make_user()

    async with narrow.write("user", robin) as session:
        seen_by_robin = (await session.execute(select(users_table.c.id))).scalars().all()
    async with narrow.write("user", sam) as session:
        seen_by_sam = (await session.execute(select(users_table.c.id))).scalars().all()

    assert seen_by_robin == [robin.user_id]
    assert seen_by_sam == [sam.user_id]


async def test_a_read_is_one_snapshot_and_cannot_write(db: Db, make_user: MakeUser) -> None:
    robin = await make_user()

    async with db.read("user", robin) as read:
        before = await read.value(users.timezone())
        async with db.write("user", robin) as session:
            await session.execute(users_table.update().where(users_table.c.id == robin.user_id).values(timezone="Asia/Tokyo"))
        after = await read.value(users.timezone())
        with pytest.raises(Exception, match="read-only"):
            await read._connection.execute("update user_schema.users set timezone = 'UTC'")

    assert before == after == "UTC"


async def test_concurrent_statements_of_one_read_wait_for_each_other(db: Db, make_user: MakeUser) -> None:
    robin = await make_user()

    async with db.read("user", robin) as read:
        answers = await asyncio.gather(*(read.value(users.timezone()) for _ in range(20)))

    assert answers == ["UTC"] * 20
    assert read.statements == 20


async def test_a_failure_inside_a_session_writes_nothing_and_gives_a_clean_connection_back(narrow: Db, make_user: MakeUser) -> None:
    robin = await make_user()

    with pytest.raises(RuntimeError):
        async with narrow.write("user", robin) as session:
            await session.execute(users_table.update().where(users_table.c.id == robin.user_id).values(full_name="Robin"))
            raise RuntimeError
    with pytest.raises(RuntimeError):
        async with narrow.read("user", robin) as read:
            await read.value(users.timezone())
            raise RuntimeError

    async with narrow.read("user", robin) as read:
        row = await read.row(users.users_by_id(("full_name",)), keys=[robin.user_id])
    assert row is not None
    assert row.full_name is None


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_cancelled_session_leaves_nothing_to_the_next_borrower(narrow: Db, make_user: MakeUser, kind: str) -> None:
    robin = await make_user()

    async def hang() -> None:
        if kind == "write":
            async with narrow.write("user", robin) as session:
                await session.execute(text("select pg_sleep(30)"))
        else:
            async with narrow.read("user", robin) as read:
                await read._connection.execute("select pg_sleep(30)")

    task = asyncio.create_task(hang())
    await asyncio.sleep(0.2)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task

    async with narrow.read("user", robin) as read:
        assert await read.value(users.timezone()) == "UTC"


async def test_a_busy_pool_and_an_absent_server_are_told_apart_from_bugs(
    narrow: Db, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    robin = await make_user()
    monkeypatch.setattr("db.engines.POOL_TIMEOUT_S", 0.1)

    async with narrow.read("user", robin):
        with pytest.raises(PoolExhausted):
            async with narrow.read("user", robin):
                pytest.fail("two sessions on a pool of one")
    nowhere = Db(
        Dsns(app="postgresql+asyncpg://florin_app:x@127.0.0.1:1/florin", system="postgresql+asyncpg://x:x@127.0.0.1:1/florin"), None
    )
    with pytest.raises(DatabaseUnavailable):
        async with nowhere.read("user", robin):
            pytest.fail("a session on no server")
    with pytest.raises(DatabaseUnavailable):
        async with nowhere.write("user", robin):
            pytest.fail("a session on no server")
    await nowhere.close()


async def test_connections_that_the_server_has_closed_are_replaced_without_an_error(
    narrow: Db, db: Db, make_user: MakeUser, servers: Servers
) -> None:
    robin = await make_user()
    async with narrow.read("user", robin) as read:
        pid = await read._connection.fetchval("select pg_backend_pid()")

    import asyncpg

    admin = await asyncpg.connect(servers.superuser_dsn.replace("+asyncpg", ""))
    assert await admin.fetchval("select pg_terminate_backend($1)", pid)
    await admin.close()
    await asyncio.sleep(0.2)

    async with narrow.read("user", robin) as read:
        assert await read.value(users.timezone()) == "UTC"
    async with narrow.write("user", robin) as session:
        assert (await session.execute(select(users_table.c.id))).scalar_one() == robin.user_id


async def test_events_are_told_after_the_commit_and_only_then(db: Db, redis: RedisConnections, make_user: MakeUser) -> None:
    robin, budget_id = await make_user(), uuid4()
    hub = Hub(redis)
    hub.start()

    async with hub.subscribe(robin.user_id, ["budget"]) as slot:
        with pytest.raises(RuntimeError):
            async with db.write("budget", robin) as session:
                session.publish("budget", budget_id, 1)
                raise RuntimeError
        async with db.write("budget", robin) as session:
            session.publish("budget", budget_id, 2)
            session.publish("goal", budget_id, 7)
        async with asyncio.timeout(5):
            events = await slot.take()

    assert events == [Event("budget", budget_id, 2)]
    await hub.close()


async def test_the_row_of_an_event_outlives_a_process_that_could_not_publish_it(dsns: Dsns, make_user: MakeUser) -> None:
    robin, budget_id = await make_user(), uuid4()
    away = RedisConnections("redis://127.0.0.1:1/0")
    db = Db(dsns, away)

    async with db.write("budget", robin) as session:
        session.publish("budget", budget_id, 3)
    async with db.write("budget", robin) as session:
        left = (await session.execute(select(jobs.jobs_table("budget").c.payload))).scalars().all()

    assert left == [{"events": [["budget", str(budget_id), 3]]}]
    await db.close()
    await away.close()
