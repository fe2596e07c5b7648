"""Servers that are lost, silent, slow or full: what is told, how soon, and that the pool is as good as before afterwards."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from db import engines
from db.attempts import retrying
from db.engines import Db, Dsns, Viewer
from db.errors import DatabaseBusy, DatabaseUnavailable, PoolExhausted
from db.idempotency import record, replay
from db.user import queries as users
from db.user.models import users as users_table
from tests.conftest import MakeUser
from tests.db.leaks import checked_out, until_given_back, watching
from tests.db.proxy import Proxy
from tests.servers.suite import Servers

#: A loaded machine may take this much longer than what is measured.
SLACK_S = 3.0


@pytest.fixture
async def proxy(dsns: Dsns) -> AsyncIterator[Proxy]:
    async with Proxy(dsns.of("user", "app")) as opened:
        yield opened


@pytest.fixture
async def far(dsns: Dsns, proxy: Proxy) -> AsyncIterator[Db]:
    """Three connections to the server, by way of the proxy."""
    db = Db(
        Dsns(app=proxy.lead(dsns.of("user", "app")), system=proxy.lead(dsns.of("user", "system")), pooler=dsns.pooler), None, pool_size=3
    )
    yield db
    await db.close()


async def ask(db: Db, viewer: Viewer) -> str:
    async with db.read("user", viewer) as read:
        return str(await read.value(users.timezone()))


async def rename(db: Db, viewer: Viewer, name: str) -> None:
    async with db.write("user", viewer) as session:
        await session.execute(update(users_table).values(full_name=name))


async def fill(db: Db, viewer: Viewer) -> None:
    """Have every connection of the pool open."""
    everybody = asyncio.Barrier(3)

    async def hold() -> None:
        async with db.read("user", viewer):
            await everybody.wait()

    async with asyncio.TaskGroup() as holders:
        for _ in range(3):
            holders.create_task(hold())


async def test_connections_that_were_forgotten_while_idle_are_found_before_anything_is_sent(
    far: Db, proxy: Proxy, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    robin = await make_user()
    await fill(far, robin)
    proxy.forget()
    monkeypatch.setattr(engines, "PING_AFTER_S", 0.0)

    began = time.monotonic()
    assert await ask(far, robin) == "UTC"
    await rename(far, robin, "Robin")
    await fill(far, robin)

    assert time.monotonic() - began < 1.0 + SLACK_S, "one time-out is paid for all of them"
    assert proxy.connections in (6, 7), "the first three, three new ones, and at most one that asks to cancel the ping"


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_connection_that_was_forgotten_just_now_costs_one_bounded_failure(
    far: Db, proxy: Proxy, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("db.connection.BEGIN_WITHIN_S", 0.5)
    robin = await make_user()
    await fill(far, robin)
    proxy.forget()

    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await (ask(far, robin) if kind == "read" else rename(far, robin, "Robin"))
    assert time.monotonic() - began < 0.5 + SLACK_S
    assert await ask(far, robin) == "UTC"
    await fill(far, robin)

    await until_given_back(far)


async def test_a_server_that_falls_silent_in_a_transaction_is_given_up(
    far: Db, proxy: Proxy, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setattr(engines, "ANSWERED_WITHIN_S", {"app": 0.5, "system": 0.5})
    monkeypatch.setattr(engines, "ENDED_WITHIN_S", 0.5)
    monkeypatch.setattr("db.read.ROLLBACK_WITHIN_S", 0.5)
    robin = await make_user()

    for kind in ("read", "write"):
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            if kind == "read":
                async with far.read("user", robin) as read:
                    proxy.silent = True
                    await read.value(users.timezone())
            else:
                async with far.write("user", robin) as session:
                    await session.execute(select(users_table.c.id))
                    proxy.silent = True
                    await session.execute(update(users_table).values(full_name="Lost"))
        await until_given_back(far)
        assert time.monotonic() - began < 2.0 + SLACK_S
        proxy.silent = False

    assert await ask(far, robin) == "UTC"
    async with watching(servers.superuser_dsn) as watch:
        await watch.until_no_orphans()


async def test_a_reset_is_told_and_the_next_one_gets_another_connection(far: Db, proxy: Proxy, make_user: MakeUser) -> None:
    robin = await make_user()
    await fill(far, robin)

    with pytest.raises(DatabaseUnavailable):
        async with far.write("user", robin) as session:
            await session.execute(update(users_table).values(full_name="Lost"))
            proxy.reset()
            await session.execute(select(users_table.c.id))

    assert await ask(far, robin) == "UTC"
    async with far.write("user", robin) as session:
        assert (await session.execute(select(users_table.c.full_name))).scalar_one() is None


async def test_a_slow_network_is_waited_for(far: Db, proxy: Proxy, make_user: MakeUser) -> None:
    robin = await make_user()
    proxy.delay_s = 0.05

    assert await asyncio.gather(*(ask(far, robin) for _ in range(6))) == ["UTC"] * 6
    await rename(far, robin, "Robin")


async def test_a_commit_whose_answer_is_lost_counts_as_one(far: Db, proxy: Proxy, make_user: MakeUser) -> None:
    """Nobody knows here whether it happened: it is told as unavailable and not run again, and the key finds it."""
    robin = await make_user()
    runs: list[None] = []

    async def change(at: Db) -> bool:
        runs.append(None)
        async with at.write("user", robin) as session:
            if await replay(session, "test", "one tap", "f") is not None:
                return False
            await session.execute(update(users_table).values(full_name="Robin"))
            await record(session, "test", "one tap", {})
        return True

    await ask(far, robin)
    proxy.swallow = b"COMMIT;"
    with pytest.raises(DatabaseUnavailable):
        await retrying(lambda: change(far))
    proxy.swallow = None

    assert len(runs) == 1
    assert await change(far) is False
    await until_given_back(far)


async def test_a_full_pool_is_told_and_is_not_drained_by_it(far: Db, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "POOL_TIMEOUT_S", 0.3)
    robin = await make_user()

    async with far.read("user", robin), far.read("user", robin), far.read("user", robin):
        outcomes = await asyncio.gather(*(ask(far, robin) for _ in range(9)), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {PoolExhausted}
    assert checked_out(far) == 0
    await fill(far, robin)


@pytest.mark.parametrize(
    ("setting", "statement", "failure"),
    [
        ("statement_timeout = '100ms'", "select pg_sleep(20)", DatabaseBusy),
        ("idle_in_transaction_session_timeout = '100ms'", "select 1", DatabaseUnavailable),
    ],
)
async def test_the_servers_time_outs_act(db: Db, make_user: MakeUser, setting: str, statement: str, failure: type[Exception]) -> None:
    robin = await make_user()

    began = time.monotonic()
    with pytest.raises(failure):
        async with db.write("user", robin) as session:
            await session.execute(text(f"set local {setting}"))
            await asyncio.sleep(0.5)
            await session.execute(text(statement))
    assert time.monotonic() - began < 0.6 + SLACK_S

    assert await ask(db, robin) == "UTC"


async def test_each_log_in_has_bounds(db: Db, make_user: MakeUser) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "client_connection_check_interval")
    asked = text("select " + ", ".join(f"current_setting('{name}')" for name in names))

    async with db.write("user", await make_user()) as session:
        assert tuple((await session.execute(asked)).one()) == ("30s", "5s", "1min", "1s")
    async with db.system("user") as session:
        assert tuple((await session.execute(asked)).one()) == ("2min", "5s", "1min", "1s")


HANGS = """
import asyncio, sys
from sqlalchemy import text
from db.engines import Db, Dsns

async def main(system):
    async with Db(Dsns(app=system, system=system), None).system("user") as session:
        await session.execute(text("select pg_advisory_xact_lock(551001)"))
        print("has it", flush=True)
        await session.execute(text("select pg_sleep(60)"))

asyncio.run(main(sys.argv[1]))
"""


async def test_the_statement_of_a_killed_process_ends_and_frees_its_locks(db: Db, dsns: Dsns, servers: Servers) -> None:
    command = [sys.executable, "-c", HANGS, dsns.of("user", "system")]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "has it\n"
        async with watching(servers.superuser_dsn) as watch:
            while not any("pg_sleep" in each for each in await watch.orphans()):
                await asyncio.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
            began = time.monotonic()
            await watch.until_no_orphans(within_s=3 + SLACK_S)
    assert time.monotonic() - began < 3 + SLACK_S

    async with db.system("user") as session:
        assert (await session.execute(text("select pg_try_advisory_xact_lock(551001)"))).scalar_one() is True


async def test_the_kernel_watches_a_connection_over_tcp(far: Db, make_user: MakeUser) -> None:
    async with far.read("user", await make_user()) as read:
        peer = read._connection._transport.get_extra_info("socket")
        found = peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    assert found == (1, 15_000)
