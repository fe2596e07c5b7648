"""Reads of operations go to a domain's replica, and what must see the last commit does not."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from db.engines import Db
from db.redis import RedisConnections
from domains.flows.services import Services
from resolvers.execution.operation import Gateway
from resolvers.schema import build_schema
from tests.conftest import MakeUser
from tests.resolvers.api import Client
from tests.resolvers.budget.budgets import create
from tests.servers.replica import Replica
from tests.servers.suite import CHOICE, Servers

pytestmark = pytest.mark.skipif(CHOICE.dsn is not None, reason="no replica of a server that is not the suite's own")

STANDBY = "select pg_is_in_recovery()"
BUDGETS = "{ me { budgets { name } } }"
FOLLOW = "subscription { budgetUpdated { budget { name } } }"


@pytest.fixture(scope="module")
def replica(servers: Servers, make_folder: Callable[[], Path]) -> Iterator[Replica]:
    with Replica.started(make_folder(), servers.superuser_dsn) as started:
        yield started


@pytest.fixture
async def replicated(servers: Servers, replica: Replica, redis: RedisConnections) -> AsyncIterator[Db]:
    """Sessions of processes whose budgets have a read replica."""
    db = Db(replica.serve_reads(servers.used, "budget"), redis)
    yield db
    await db.close()


@pytest.fixture
async def behind(replica: Replica, servers: Servers) -> AsyncIterator[None]:
    """The replica has what was there before the test, and nothing since."""
    await replica.catch_up(servers.superuser_dsn)
    await replica.do("select pg_wal_replay_pause()")
    yield
    await replica.do("select pg_wal_replay_resume()")


@pytest.fixture
async def client(services: Services, replicated: Db, make_user: MakeUser, servers: Servers, replica: Replica) -> Client:
    """Somebody new, at a process with the replica. They and their first budget are on both servers."""
    client = Client(Gateway(build_schema()), replace(services, db=replicated), await make_user())
    await create(client, name="First", idempotencyKey=str(uuid4()))
    await replica.catch_up(servers.superuser_dsn)
    return client


async def names(client: Client) -> list[str]:
    return [node["name"] for node in (await client.data(BUDGETS))["me"]["budgets"]]


async def test_only_reads_of_operations_go_to_the_replica(replicated: Db, make_user: MakeUser) -> None:
    viewer = await make_user()
    reads = {domain: await replicated.open_read(domain, viewer) for domain in ("budget", "user")}
    fresh = await replicated.open_read("budget", viewer, fresh=True)

    on_standby = {domain: await read._connection.fetchval(STANDBY) for domain, read in reads.items()}
    on_standby["fresh"] = await fresh._connection.fetchval(STANDBY)
    async with replicated.read("budget", viewer) as read:
        on_standby["use case"] = await read._connection.fetchval(STANDBY)
    for name, session in {"write": replicated.write("budget", viewer), "system": replicated.system("budget")}.items():
        async with session as opened:
            on_standby[name] = (await opened.execute(text(STANDBY))).scalar_one()
    for each in (*reads.values(), fresh):
        await each.close()

    assert on_standby == {"budget": True, "user": False, "fresh": False, "use case": False, "write": False, "system": False}
    assert replicated.dsn_key("budget") != replicated.dsn_key("budget", fresh=True) == replicated.dsns.of("budget", "app")


async def test_a_replica_shows_a_viewer_their_rows_only(client: Client, make_user: MakeUser) -> None:
    stranger = client.but(viewer=await make_user())

    assert await names(client) == ["First"]
    assert await names(stranger) == []


async def test_the_payload_of_a_mutation_shows_what_it_did_though_the_replica_lags(client: Client, behind: None) -> None:
    made = await create(client, name="Second", idempotencyKey=str(uuid4()))

    assert made["errors"] == []
    assert made["budget"]["name"] == "Second"
    assert await names(client) == ["First"]


async def test_an_event_shows_what_was_committed_though_the_replica_lags(client: Client, behind: None) -> None:
    async with client.following(FOLLOW) as answers:
        await anext(answers)
        await create(client, name="Second", idempotencyKey=str(uuid4()))
        event = await anext(answers)

    assert event["data"]["budgetUpdated"]["budget"]["name"] == "Second"
