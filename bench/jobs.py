"""From a job's row committed to its handler started, over 500 jobs; and what a worker with nothing to do costs.

A real worker process, with its relay and its scheduler, on servers of the benchmark's own. Jobs come one by one, at random moments:
each is timed from the instant after its commit, on the machine's one clock. `burst_jobs_per_s` is how fast 500 at once are worked off.
"""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import orjson
import psutil
import uvloop
from sqlalchemy import event

from app.logging import configure
from app.settings import Settings
from app.wiring import open_services
from bench.servers import bench_servers, bench_user, environment_of
from db import jobs
from db.engines import Viewer
from domains.flows.services import Services
from workers.process import WorkerProcess
from workers.task import LEASE_S, TIMEOUT_S, Job, Task, load_tasks

JOBS = 500
TOPIC = "bench.started"
STARTED = "bench:started"
LONGEST_PAUSE_S = 0.04
IDLE_S = 20.0
SETTLES_IN_S = 3.0
GIVE_UP_S = 60.0


async def started(job: Job) -> None:
    await job.services.redis.client.hset(STARTED, str(job.id), time.time())


async def work() -> None:
    """The worker process: everything a real one does, and the benchmark's task."""
    tasks = {**load_tasks(), TOPIC: Task(TOPIC, started, {}, (), jobs.MAX_ATTEMPTS, LEASE_S, TIMEOUT_S, None, ())}
    settings = Settings.load()
    configure(settings)
    async with open_services(settings) as services:
        running = asyncio.create_task(WorkerProcess(services, tasks).run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        await asyncio.wait({running})


@contextmanager
def worker(settings: Settings) -> Iterator[psutil.Process]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLORIN_")} | environment_of(settings)
    environment["FLORIN_LOG_LEVEL"] = "warning"
    process = subprocess.Popen([sys.executable, "-m", "bench.jobs", "work"], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


async def request(services: Services, viewer: Viewer) -> tuple[UUID, float]:
    """A committed job: its id, and the instant after its commit, before anybody is woken."""
    committed_at = 0.0

    def note(_session: object) -> None:
        nonlocal committed_at
        committed_at = time.time()

    async with services.db.write("budget", viewer) as session:
        event.listen(session.sync_session, "after_commit", note)
        job_id = await jobs.add(session, TOPIC, key=str(uuid4()))
    return job_id, committed_at


async def all_started(services: Services, count: int) -> dict[UUID, float]:
    async with asyncio.timeout(GIVE_UP_S):
        while await services.redis.client.hlen(STARTED) < count:  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.05)
    found = await services.redis.client.hgetall(STARTED)
    await services.redis.client.delete(STARTED)
    return {UUID(job_id.decode()): float(at) for job_id, at in found.items()}


async def delays_ms(services: Services, viewer: Viewer) -> list[float]:
    pick = random.Random(7)
    committed = {}
    for _ in range(JOBS):
        job_id, at = await request(services, viewer)
        committed[job_id] = at
        await asyncio.sleep(pick.uniform(0.005, LONGEST_PAUSE_S))
    begun = await all_started(services, JOBS)
    return sorted((begun[job_id] - at) * 1000 for job_id, at in committed.items())


async def burst_per_s(services: Services, viewer: Viewer) -> float:
    first = time.time()
    async with services.db.write("budget", viewer) as session:
        for _ in range(JOBS):
            await jobs.add(session, TOPIC, key=str(uuid4()))
    return JOBS / (max((await all_started(services, JOBS)).values()) - first)


async def idle_cpu_percent(process: psutil.Process) -> float:
    await asyncio.sleep(SETTLES_IN_S)
    before, began = process.cpu_times(), time.monotonic()
    await asyncio.sleep(IDLE_S)
    after, took_s = process.cpu_times(), time.monotonic() - began
    return 100 * (after.user + after.system - before.user - before.system) / took_s


async def measure(settings: Settings) -> dict[str, float]:
    async with open_services(settings) as services:
        viewer = await bench_user(services)
        with worker(settings) as process:
            await request(services, viewer)
            await all_started(services, 1)
            delays = await delays_ms(services, viewer)
            burst = await burst_per_s(services, viewer)
            idle = await idle_cpu_percent(process)
    figures = {"p50_ms": delays[JOBS // 2], "p95_ms": delays[JOBS * 95 // 100], "max_ms": delays[-1]}
    return {name: round(value, 2) for name, value in {**figures, "burst_jobs_per_s": burst, "idle_cpu_percent": idle}.items()}


def main() -> None:
    if sys.argv[1:] == ["work"]:
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(work())
        return
    with bench_servers() as (settings, _):
        figures = uvloop.run(measure(settings))
    print(orjson.dumps(figures).decode())


if __name__ == "__main__":
    main()
