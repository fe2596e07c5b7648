"""Through a PgBouncer with far fewer server connections than clients: nobody gets what another left."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import func, select, text, update

from db.base import DOMAINS
from db.dsn import driver_dsn
from db.engines import Db, Viewer
from db.errors import DatabaseUnavailable, NoViewer
from db.redis import RedisConnections
from db.statements import Statement
from db.user import queries as users
from db.user.models import users as users_table
from migrations.run import current_revisions, revisions
from tests.servers.pgbouncer import PgBouncer, needs_pgbouncer
from tests.servers.suite import Servers

pytestmark = needs_pgbouncer

SERVER_CONNECTIONS = 3
CLIENTS = 12
PER_CLIENT = 3
#: Every row that row security lets through, without any filter of ours.
ALL_THAT_IS_SEEN = Statement("select id, current_setting('app.user_id', true) as viewer from user_schema.users", (), {})


@pytest.fixture(scope="module")
def bouncer(servers: Servers, make_folder: Callable[[], Path]) -> Iterator[PgBouncer]:
    """As it is deployed, but for a small pool: everybody waits for everybody."""
    with PgBouncer.started(make_folder(), servers.superuser_dsn, default_pool_size=str(SERVER_CONNECTIONS)) as started:
        yield started


@pytest.fixture
async def clients(bouncer: PgBouncer, servers: Servers, redis: RedisConnections) -> AsyncIterator[list[Db]]:
    """The pools of as many processes."""
    direct = servers.dsns
    made = [Db(bouncer.lead(direct), redis, pool_size=PER_CLIENT) for _ in range(CLIENTS)]
    yield made
    for each in made:
        await each.close()


@pytest.fixture
def everybody() -> list[Viewer]:
    return [Viewer(uuid4()) for _ in range(CLIENTS)]


async def sign_up(db: Db, viewers: list[Viewer]) -> None:
    async with db.system("user") as session:
        for viewer in viewers:
            email = f"{viewer.user_id}@example.com"
            await users.add_user(session, {"id": viewer.user_id, "email": email, "email_normalized": email})


async def seen_in_a_read(db: Db, viewer: Viewer) -> None:
    async with db.read("user", viewer) as read:
        for _ in range(3):
            rows = await read.rows(ALL_THAT_IS_SEEN)
            assert [(row.id, row.viewer) for row in rows] == [(viewer.user_id, str(viewer.user_id))]
            await asyncio.sleep(0)


async def seen_in_a_write(db: Db, viewer: Viewer) -> None:
    name = uuid4().hex
    async with db.write("user", viewer) as session:
        changed = await session.execute(update(users_table).values(full_name=name).returning(users_table.c.id))
        assert changed.scalars().all() == [viewer.user_id]
        assert (await session.execute(select(users_table.c.full_name))).scalars().all() == [name]


async def test_no_viewer_ever_sees_anothers_row_however_few_the_connections(clients: list[Db], everybody: list[Viewer]) -> None:
    await sign_up(clients[0], everybody)
    order = random.Random(20)  # noqa: S311 - the same each time

    async def use(db: Db) -> None:
        for _ in range(25):
            viewer = order.choice(everybody)
            await order.choice((seen_in_a_read, seen_in_a_write))(db, viewer)

    await asyncio.gather(*(use(db) for db in clients for _ in range(PER_CLIENT)))

    servers_used = set()
    for db in clients:
        async with db.read("user", everybody[0]) as read:
            servers_used.add(await read._connection.fetchval("select pg_backend_pid()"))
    assert len(servers_used) <= SERVER_CONNECTIONS


async def test_the_cancelled_leave_nothing_and_cancel_nobody_else(clients: list[Db], everybody: list[Viewer]) -> None:
    """Half of the clients are cancelled at any moment, again and again; the other half must not notice."""
    await sign_up(clients[0], everybody)
    order = random.Random(21)  # noqa: S311 - the same each time
    ended = asyncio.Event()

    async def hang(db: Db, viewer: Viewer) -> None:
        if order.random() < 0.5:
            async with db.write("user", viewer) as session:
                await session.execute(update(users_table).values(locale="xx-XX"))
                await session.execute(select(func.pg_sleep(0.2)))
                await asyncio.sleep(30)
        async with db.read("user", viewer) as read:
            await read._connection.fetch("select pg_sleep(30)")

    async def cancelled(db: Db) -> int:
        count = 0
        while not ended.is_set():
            task = asyncio.create_task(hang(db, order.choice(everybody)))
            await asyncio.sleep(order.uniform(0.0, 0.06))
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises((asyncio.CancelledError, DatabaseUnavailable)):
                await task
            count += 1
        return count

    async def undisturbed(db: Db) -> None:
        for _ in range(20):
            viewer = order.choice(everybody)
            await order.choice((seen_in_a_read, seen_in_a_write))(db, viewer)

    disturbing = [asyncio.create_task(cancelled(db)) for db in clients[::2]]
    try:
        await asyncio.gather(*(undisturbed(db) for db in clients[1::2]))
    finally:
        ended.set()
        counts = await asyncio.gather(*disturbing)

    assert min(counts) > 3
    for db, viewer in zip(clients, everybody, strict=True):
        async with db.write("user", viewer) as session:
            rows = (await session.execute(select(users_table.c.id, users_table.c.locale))).all()
        assert [tuple(row) for row in rows] == [(viewer.user_id, "en-US")]


async def test_nothing_stays_in_a_session(clients: list[Db], everybody: list[Viewer], servers: Servers, bouncer: PgBouncer) -> None:
    """After use of all kinds: no prepared statement, no setting of the session, no lock, no temporary table, no open transaction."""
    await sign_up(clients[0], everybody)
    for db, viewer in zip(clients, everybody, strict=True):
        await seen_in_a_read(db, viewer)
        await seen_in_a_write(db, viewer)
        async with db.write("user", viewer) as session:
            # an array of a type that the driver must first look up
            await session.execute(text("select array[cast('[1,2]' as extensions.vector)]"))
            await session.execute(select(func.pg_advisory_xact_lock(4711)))
        async with db.system("user") as session:
            await session.execute(select(users_table.c.id).limit(1))
        await current_revisions(bouncer.through(servers.dsns.system))

    left = []
    for dsn in (servers.dsns.app, servers.dsns.system) * 10:
        probe = await asyncpg.connect(driver_dsn(bouncer.through(dsn)), statement_cache_size=0)
        async with probe.transaction():
            pid = await probe.fetchval("select pg_backend_pid()")
            prepared = await probe.fetchval("select count(*) from pg_prepared_statements where from_sql or name <> ''")
            viewer_of = await probe.fetchval("select current_setting('app.user_id', true)")
            locks = await probe.fetchval("select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'")
            temporary = await probe.fetchval("select pg_my_temp_schema()")
            settings = await probe.fetch("select name from pg_settings where source = 'session' order by 1")
            left.append((pid, prepared, viewer_of or "", locks, temporary, [row["name"] for row in settings]))
        await probe.close()

    # what PgBouncer itself sets is what every client sends at its start; `jit` the driver puts back as it was
    sent_at_the_start = {"client_encoding", "application_name", "DateStyle", "TimeZone", "standard_conforming_strings", "jit"}
    for _, prepared, viewer_of, locks, temporary, settings in left:
        assert (prepared, viewer_of, locks, temporary) == (0, "", 0, 0)
        assert set(settings) <= sent_at_the_start


async def test_a_session_without_a_viewer_is_refused_here_too(clients: list[Db]) -> None:
    for session in (clients[0].read, clients[0].write):
        with pytest.raises(NoViewer):
            async with session("user", None):
                pytest.fail("a session began")


async def test_a_server_connection_that_ends_between_two_uses_is_nobodys_error(
    clients: list[Db], everybody: list[Viewer], servers: Servers
) -> None:
    await sign_up(clients[0], everybody)
    admin = await asyncpg.connect(driver_dsn(servers.superuser_dsn))
    ended = await admin.fetchval(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'florin_app' and state = 'idle'"
        " and datname = current_database()"
    )
    await admin.close()
    await asyncio.sleep(0.2)

    await asyncio.gather(*(seen_in_a_read(db, viewer) for db, viewer in zip(clients, everybody, strict=True)))

    assert ended > 0


async def test_readiness_sees_through_it(bouncer: PgBouncer, servers: Servers) -> None:
    """Log-ins beside the pools, many at once: they share server connections too."""
    dsn = bouncer.through(servers.dsns.system)

    found = await asyncio.gather(*(current_revisions(dsn) for _ in range(20)))

    assert found == [{domain: revisions(domain)[-1] for domain in DOMAINS}] * 20


async def test_the_roles_do_not_share_a_connection(clients: list[Db], everybody: list[Viewer]) -> None:
    whose: dict[int, set[str]] = {}

    async def look(db: Db, viewer: Viewer) -> None:
        who = text("select pg_backend_pid(), session_user, current_user")
        for opened in (db.write("user", viewer), db.system("user")):
            async with opened as session:
                pid, logged_in, acting = (await session.execute(who)).one()
                assert logged_in == acting
                whose.setdefault(pid, set()).add(acting)

    await asyncio.gather(*(look(db, viewer) for db, viewer in zip(clients, everybody, strict=True) for _ in range(3)))

    assert {frozenset(roles) for roles in whose.values()} == {frozenset({"florin_app"}), frozenset({"florin_system"})}
    assert len(whose) <= 2 * SERVER_CONNECTIONS
