import asyncio
import statistics
import time
from typing import Any

import pytest

from db import jobs
from db.engines import Viewer
from db.errors import DatabaseUnavailable
from domains.flows.services import Services
from tests.workers.conftest import OwnRedis, add, row_of, task_of, until, until_state, working
from workers import relay
from workers.process import QUEUE, WorkerProcess
from workers.task import Job


async def test_a_committed_job_starts_at_once(own_services: Services, viewer: Viewer, topic: str) -> None:
    started = asyncio.Event()
    took_s: list[float] = []

    async def handler(job: Job) -> None:
        started.set()

    async with working(own_services, task_of(topic, handler)):
        first = await add(own_services.db, viewer, topic)  # the worker is up once this has run
        await until_state(own_services.db, first, "done")

        for _ in range(7):
            started.clear()
            began = time.perf_counter()
            job_id = await add(own_services.db, viewer, topic)
            await started.wait()
            took_s.append(time.perf_counter() - began)
            await until_state(own_services.db, job_id, "done")

    # arq's own poll alone would take 0.25 s on average, the relay's 1 s; others on this machine may delay one or two
    assert statistics.median(took_s) < 0.2
    assert (await row_of(own_services.db, job_id)).attempt == 1
    assert await own_services.redis.client.zcard(QUEUE) == 0


async def test_a_freed_slot_takes_the_next_job_without_waiting_for_a_poll(own_services: Services, viewer: Viewer, topic: str) -> None:
    done: list[Any] = []

    async def handler(job: Job) -> None:
        await asyncio.sleep(0.01)
        done.append(job.id)

    job_ids = [await add(own_services.db, viewer, topic, wake=False) for _ in range(12)]

    async def are_done() -> bool:
        return len(done) == 12

    async with working(own_services, task_of(topic, handler), max_jobs=1):
        took_s = await until(are_done)
    assert sorted(done) == sorted(job_ids)
    assert took_s < 2.5  # twelve polls would take six seconds


async def test_flushing_redis_amid_a_queue_loses_nothing_and_doubles_nothing(own_services: Services, viewer: Viewer, topic: str) -> None:
    runs: list[Any] = []

    async def handler(job: Job) -> None:
        await asyncio.sleep(0.02)
        runs.append(job.id)

    job_ids = [await add(own_services.db, viewer, topic, wake=False) for _ in range(40)]

    async def some_ran() -> bool:
        return len(runs) >= 5

    async def all_ran() -> bool:
        return len(runs) >= 40

    async with working(own_services, task_of(topic, handler), max_jobs=2):
        await until(some_ran)
        await own_services.redis.client.flushall()
        await until(all_ran, within_s=15)
        for job_id in job_ids:
            await until_state(own_services.db, job_id, "done")
    assert sorted(runs) == sorted(job_ids)


async def test_a_worker_outlives_a_restart_of_redis_and_so_do_its_jobs(
    own_services: Services, own_redis: OwnRedis, viewer: Viewer, topic: str
) -> None:
    go_on, started = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await go_on.wait()

    async with working(own_services, task_of(topic, handler)):
        before = await add(own_services.db, viewer, topic)
        await asyncio.wait_for(started.wait(), 10)
        own_redis.stop()
        meanwhile = await add(own_services.db, viewer, topic)
        await asyncio.sleep(0.7)
        own_redis.start()
        go_on.set()

        await until_state(own_services.db, before, "done")
        await until_state(own_services.db, meanwhile, "done", within_s=15)
        after = await add(own_services.db, viewer, topic)
        await until_state(own_services.db, after, "done")

    assert [(await row_of(own_services.db, job_id)).attempt for job_id in (before, meanwhile, after)] == [1, 1, 1]


async def test_a_stopping_worker_lets_jobs_end_and_gives_the_rest_back(own_services: Services, viewer: Viewer, topic: str) -> None:
    started: list[Any] = []

    async def handler(job: Job) -> None:
        started.append(job.id)
        await asyncio.sleep(0.3 if job.key.startswith("short") else 60)

    short = await add(own_services.db, viewer, topic, key=f"short {viewer.user_id}", wake=False)
    long = await add(own_services.db, viewer, topic, wake=False)

    async def both_started() -> bool:
        return len(started) == 2

    async with working(own_services, task_of(topic, handler), grace_s=1.0):
        await until(both_started)

    assert (await row_of(own_services.db, short)).state == "done"
    row = await row_of(own_services.db, long)
    assert (row.state, row.attempt, row.leased_until) == ("queued", 0, None)
    async with working(own_services, task_of(topic, handler), grace_s=0.0):
        await until_state(own_services.db, long, "running")


async def test_a_second_order_to_stop_skips_the_wait(own_services: Services, viewer: Viewer, topic: str) -> None:
    started = asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await asyncio.sleep(60)

    job_id = await add(own_services.db, viewer, topic)
    running = asyncio.create_task(WorkerProcess(own_services, task_of(topic, handler)).run(grace_s=60))
    await asyncio.wait_for(started.wait(), 10)
    running.cancel()
    await asyncio.sleep(0.1)
    assert not running.done()

    running.cancel()

    done, _ = await asyncio.wait({running}, timeout=5)
    assert done
    row = await row_of(own_services.db, job_id)
    assert (row.state, row.attempt) == ("queued", 0)


async def test_a_job_that_could_not_be_claimed_is_offered_again(
    own_services: Services, viewer: Viewer, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "OFFERED_FOR_S", 0.5)
    claim, refused = jobs.claim, 0

    async def unreachable_once(*given: Any, **options: Any) -> Any:
        nonlocal refused
        refused += 1
        if refused == 1:
            raise DatabaseUnavailable
        return await claim(*given, **options)

    async def handler(job: Job) -> None: ...

    monkeypatch.setattr(jobs, "claim", unreachable_once)
    job_id = await add(own_services.db, viewer, topic)
    async with working(own_services, task_of(topic, handler)):
        await until_state(own_services.db, job_id, "done")

    assert refused >= 2
    assert (await row_of(own_services.db, job_id)).attempt == 1


async def test_each_worker_process_says_that_it_lives_under_a_key_of_its_own(own_services: Services, topic: str) -> None:
    async def handler(job: Job) -> None: ...

    async def live() -> int:
        return len(await own_services.redis.client.keys("florin:worker:*"))

    async def both_live() -> bool:
        return await live() == 2

    async with working(own_services, task_of(topic, handler)):
        async with working(own_services, task_of(topic, handler)):
            await until(both_live)
        assert await live() == 1
    assert await live() == 0


async def test_garbage_in_the_queue_stops_nobody(own_services: Services, viewer: Viewer, topic: str) -> None:
    async def handler(job: Job) -> None: ...

    async with working(own_services, task_of(topic, handler)) as process:
        queue = process._queue
        await queue.enqueue_job("run", "no reference", topic, _job_id="a")
        await queue.enqueue_job("run", _job_id="b")
        await queue.enqueue_job("no such function", _job_id="c")
        await queue.set("arq:job:d", b"\x80not json")
        await queue.zadd(QUEUE, {"d": 1})

        async def is_empty() -> bool:
            return int(await queue.zcard(QUEUE)) == 0

        await until(is_empty)
        job_id = await add(own_services.db, viewer, topic)
        await until_state(own_services.db, job_id, "done")
