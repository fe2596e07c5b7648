"""Real worker processes, stopped, paused and killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from db import jobs
from db.base import jobs_table
from db.engines import Db, Viewer
from domains.flows.services import Services
from tests.workers.child import HANDLERS
from tests.workers.conftest import DOMAIN, OwnRedis, add, end_live_jobs, row_of, until, until_state
from workers.process import QUEUE
from workers.scheduler import tick_id, tick_of
from workers.task import HOURLY

ROOT = Path(__file__).parents[2]
CHILD = ("-m", "tests.workers.child")
STARTED_WITHIN_S = 20.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
async def start(db: Db, environment: dict[str, str], own_redis: OwnRedis, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a Python process with the suite's settings; whatever is left of them is killed."""
    started: list[subprocess.Popen[str]] = []
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLORIN_")}
    log = (tmp_path / "log").open("w+")

    def start(arguments: Sequence[str] = CHILD) -> "subprocess.Popen[str]":
        variables = inherited | environment | {"FLORIN_REDIS_DSN": own_redis.dsn, "FLORIN_LOG_FORMAT": "json"}
        process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=variables, stderr=log, stdout=log, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
    log.close()
    for topic in HANDLERS:
        await end_live_jobs(db, topic)


async def ended(process: "subprocess.Popen[str]") -> int:
    return await asyncio.to_thread(process.wait, STARTED_WITHIN_S)


async def test_a_job_that_kills_its_process_ends_dead_and_others_go_on(own_services: Services, viewer: Viewer, start: Start) -> None:
    poison = await add(own_services.db, viewer, "test.kill", max_attempts=2)
    for attempt in (1, 2):
        assert await ended(start()) == -signal.SIGKILL
        assert (await row_of(own_services.db, poison)).attempt == attempt
    other = await add(own_services.db, viewer, "test.nothing")

    last = start()
    await until_state(own_services.db, poison, "dead", within_s=STARTED_WITHIN_S)
    await until_state(own_services.db, other, "done", within_s=STARTED_WITHIN_S)

    row = await row_of(own_services.db, poison)
    assert (row.attempt, row.last_error) == (2, "PROCESS_LOST")
    last.terminate()
    assert await ended(last) == 0


async def test_a_terminated_worker_gives_its_job_back(own_services: Services, viewer: Viewer, start: Start) -> None:
    job_id = await add(own_services.db, viewer, "test.hang")
    worker = start()
    await until_state(own_services.db, job_id, "running", within_s=STARTED_WITHIN_S)

    worker.terminate()

    assert await ended(worker) == 0
    row = await row_of(own_services.db, job_id)
    assert (row.state, row.attempt) == ("queued", 0)
    start()
    await until_state(own_services.db, job_id, "running", within_s=STARTED_WITHIN_S)


async def test_a_paused_worker_that_wakes_up_after_its_lease_changes_nothing(own_services: Services, viewer: Viewer, start: Start) -> None:
    job_id = await add(own_services.db, viewer, "test.mark")
    zombie = start()
    await until_state(own_services.db, job_id, "running", within_s=STARTED_WITHIN_S)
    zombie.send_signal(signal.SIGSTOP)
    holder = start()
    await until_state(own_services.db, job_id, "done", within_s=STARTED_WITHIN_S)

    zombie.send_signal(signal.SIGCONT)
    await asyncio.sleep(1.5)

    table = jobs_table(DOMAIN)
    async with own_services.db.system(DOMAIN) as session:
        marks = (await session.execute(select(table.c.key).where(table.c.key.startswith(f"{job_id} ")))).scalars().all()
    assert marks == [f"{job_id} {holder.pid}"]
    assert zombie.poll() is None
    assert (await row_of(own_services.db, job_id)).attempt == 2


async def test_a_queue_that_redis_lost_is_filled_again_by_another_process(own_services: Services, viewer: Viewer, start: Start) -> None:
    worker = start()
    first = await add(own_services.db, viewer, "test.nothing")
    await until_state(own_services.db, first, "done", within_s=STARTED_WITHIN_S)
    worker.kill()
    worker.wait()
    job_ids = [await add(own_services.db, viewer, "test.nothing") for _ in range(20)]
    await own_services.redis.client.flushall()

    start()

    for job_id in job_ids:
        await until_state(own_services.db, job_id, "done", within_s=STARTED_WITHIN_S)
    assert [(await row_of(own_services.db, job_id)).attempt for job_id in job_ids] == [1] * 20


@pytest.mark.parametrize("arguments", [("-m", "app.worker"), ("-m", "arq", "app.worker.WorkerSettings")], ids=["python", "arq"])
async def test_both_ways_of_starting_a_worker_do_the_hours_upkeep_and_end_when_told(
    own_services: Services, start: Start, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    async def hour() -> Any:
        async with own_services.db.system("bank") as session:
            return tick_of(await jobs.now(session), HOURLY)

    await end_live_jobs(own_services.db)
    table = jobs_table("bank")
    async with own_services.db.system("bank") as session:
        await session.execute(table.delete().where(table.c.topic == "bank.purge_uploads"))
    worker = start(arguments)

    async def is_done() -> bool:
        async with own_services.db.system("bank") as session:
            tick = select(table.c.state).where(table.c.id == tick_id("bank.purge_uploads", "bank", await hour()))
            return (await session.execute(tick)).scalar_one_or_none() == "done"

    await until(is_done, within_s=STARTED_WITHIN_S)
    worker.terminate()

    assert await ended(worker) == 0
    log = (tmp_path / "log").read_text()
    assert "worker.stopped" in log
    assert "Traceback" not in log
    assert await own_services.redis.client.keys("florin:worker:*") == []


async def test_a_worker_without_settings_says_so(start: Start, tmp_path: Path, environment: dict[str, str]) -> None:
    environment_without = {name: value for name, value in os.environ.items() if not name.startswith("FLORIN_")}

    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "app.worker"], cwd=ROOT, env=environment_without, capture_output=True, text=True
    )

    assert done.returncode == 2
    assert "FLORIN_" in done.stderr
    assert "Traceback" not in done.stderr
    assert QUEUE not in done.stderr
