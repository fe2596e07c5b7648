import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import orjson
import pytest
from arq.connections import ArqRedis
from redis.exceptions import RedisError
from sqlalchemy import func, select, text

from app.embedded import Embedded
from db import jobs
from db.base import jobs_table
from db.engines import OUTBOX_DELAY_S, Db, Dsns, Viewer
from db.live import Event, channel_of
from domains.flows.services import Services
from tests.workers.conftest import DOMAIN, OwnRedis, add, change, row_of, task_of, until, until_state, working
from workers import relay as module
from workers.process import QUEUE
from workers.relay import MARKER_KEY, Relay
from workers.task import Job


class Outside:
    """A relay, and what it did to its queue."""

    def __init__(self, services: Services) -> None:
        self.queue = ArqRedis(
            services.redis.client.connection_pool, job_serializer=orjson.dumps, job_deserializer=orjson.loads, default_queue_name=QUEUE
        )
        self.enqueued = 0
        self.relay = Relay(services.db, services.redis, self.queue, self.count)

    def count(self) -> None:
        self.enqueued += 1

    async def references(self) -> list[str]:
        return sorted(reference.decode() for reference in await self.queue.zrange(QUEUE, 0, -1))


@pytest.fixture
async def outside(own_services: Services) -> Outside:
    return Outside(own_services)


async def mine(outside: Outside, *job_ids: Any) -> list[str]:
    """The references to these jobs: rows that other tests left are relayed too."""
    return [reference for reference in await outside.references() if any(str(job_id) in reference for job_id in job_ids)]


async def test_what_is_due_in_any_domain_reaches_the_queue_by_reference(
    own_services: Services, outside: Outside, viewer: Viewer, topic: str
) -> None:
    refs = []
    for domain in ("user", "bank", "budget"):
        async with own_services.db.write(domain, viewer) as session:
            refs.append(f"{domain}:{await jobs.add(session, topic, key=str(uuid4()), payload={'secret': 'x'})}:0")
    later = await add(own_services.db, viewer, topic, delay_s=60)

    await outside.relay.relay_once()

    assert set(refs) <= set(await outside.references())
    assert await mine(outside, later) == []
    assert outside.enqueued >= 1
    carried = orjson.loads(await outside.queue.get(f"arq:job:{refs[0]}"))
    assert (carried["f"], carried["a"], carried["k"]) == ("run", [refs[0], topic], {})


async def test_a_reference_is_offered_once_while_it_waits(own_services: Services, outside: Outside, viewer: Viewer, topic: str) -> None:
    job_id = await add(own_services.db, viewer, topic)
    await outside.relay.relay_once()
    await outside.queue.zrem(QUEUE, f"{DOMAIN}:{job_id}:0")
    await outside.queue.delete(f"arq:job:{DOMAIN}:{job_id}:0")

    await outside.relay.relay_once()

    assert await mine(outside, job_id) == []


async def test_two_relays_offer_a_job_once(own_services: Services, outside: Outside, viewer: Viewer, topic: str) -> None:
    job_ids = [await add(own_services.db, viewer, topic) for _ in range(5)]

    await asyncio.gather(outside.relay.relay_once(), Outside(own_services).relay.relay_once())

    assert len(await mine(outside, *job_ids)) == 5


async def test_when_redis_has_lost_everything_all_is_offered_anew(
    own_services: Services, outside: Outside, viewer: Viewer, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MARKER_CHECKED_EVERY_S", 0.0)
    job_id = await add(own_services.db, viewer, topic)
    await outside.relay.relay_once()
    await own_services.redis.client.flushall()

    await outside.relay.relay_once()

    assert len(await mine(outside, job_id)) == 1
    assert await own_services.redis.client.exists(MARKER_KEY) == 1


async def test_a_job_whose_worker_was_killed_gets_another_reference(
    own_services: Services, outside: Outside, viewer: Viewer, topic: str
) -> None:
    job_id = await add(own_services.db, viewer, topic)
    await outside.relay.relay_once()
    await jobs.claim(own_services.db, DOMAIN, job_id, lease_s=60)
    await change(own_services.db, job_id, leased_until=func.now())

    await outside.relay.relay_once()

    assert await mine(outside, job_id) == [f"{DOMAIN}:{job_id}:0", f"{DOMAIN}:{job_id}:1"]


async def leave_events(db: Db, viewer: Viewer, *events: Event) -> Any:
    """What a process leaves that is killed between its commit and its message."""
    payload = {"events": [[event.topic, str(event.id), event.version] for event in events]}
    async with db.write(DOMAIN, viewer) as session:
        return await jobs.add(session, jobs.PUBLISH, key=str(uuid4()), payload=payload, wake=False)


async def is_there(db: Db, job_id: Any) -> bool:
    table = jobs_table(DOMAIN)
    async with db.system(DOMAIN) as session:
        return (await session.execute(select(table.c.id).where(table.c.id == job_id))).one_or_none() is not None


@pytest.fixture
async def messages(own_services: Services, viewer: Viewer) -> AsyncIterator[Any]:
    """What the viewer's listeners are sent."""
    pubsub = own_services.redis.client.pubsub(ignore_subscribe_messages=True)
    await pubsub.subscribe(channel_of(viewer.user_id))
    await pubsub.get_message(timeout=2)
    yield pubsub
    await pubsub.aclose()


async def test_events_that_a_killed_process_left_are_published_and_gone(
    own_services: Services, outside: Outside, viewer: Viewer, messages: Any
) -> None:
    first, second = Event("budget", uuid4(), 3), Event("goal", uuid4(), 1)
    job_id = await leave_events(own_services.db, viewer, first, second)

    await outside.relay.relay_once()

    got = [orjson.loads((await messages.get_message(timeout=2))["data"]) for _ in range(2)]
    assert got == [["budget", str(first.id), 3], ["goal", str(second.id), 1]]
    assert not await is_there(own_services.db, job_id)
    assert await mine(outside, job_id) == []


async def test_events_stay_as_long_as_redis_is_away(own_services: Services, own_redis: OwnRedis, outside: Outside, viewer: Viewer) -> None:
    job_id = await leave_events(own_services.db, viewer, Event("budget", uuid4(), 3))
    await outside.relay._check_marker()
    own_redis.stop()
    try:
        with contextlib.suppress(RedisError):  # what else is due cannot be enqueued either
            await outside.relay.relay_once()
        assert await is_there(own_services.db, job_id)
    finally:
        own_redis.start()

    await outside.relay.relay_once()

    assert not await is_there(own_services.db, job_id)


async def test_a_process_that_publishes_itself_leaves_no_row(own_services: Services, viewer: Viewer, messages: Any) -> None:
    table, budget_id = jobs_table(DOMAIN), uuid4()
    async with own_services.db.write(DOMAIN, viewer) as session:
        session.publish("budget", budget_id, 1)

    async def has_none() -> bool:
        async with own_services.db.system(DOMAIN) as session:
            left = select(table.c.id).where(table.c.user_id == viewer.user_id, table.c.topic == jobs.PUBLISH)
            return (await session.execute(left)).first() is None

    assert await until(has_none) < OUTBOX_DELAY_S
    assert orjson.loads((await messages.get_message(timeout=2))["data"]) == ["budget", str(budget_id), 1]


async def test_a_worker_waits_out_a_restart_of_postgres(own_services: Services, servers: Embedded, viewer: Viewer, topic: str) -> None:
    """Every connection is cut and none is let in for a second, as in a restart."""

    async def handler(job: Job) -> None: ...

    superuser = servers.superuser_dsn
    admin = Db(Dsns(app=superuser, system=superuser), None)

    async def let_in(count: int) -> None:
        async with admin.system(DOMAIN) as session:
            await session.execute(text(f"alter role florin_system connection limit {count}"))
            if count == 0:
                await session.execute(text("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'florin_system'"))

    job_id = await add(own_services.db, viewer, topic, delay_s=0.5)
    try:
        async with working(own_services, task_of(topic, handler)):
            await asyncio.sleep(0.3)
            await let_in(0)
            await asyncio.sleep(1.0)
            await let_in(-1)
            await until_state(own_services.db, job_id, "done", within_s=15)
    finally:
        await let_in(-1)
        await admin.close()
    assert (await row_of(own_services.db, job_id)).attempt == 1
