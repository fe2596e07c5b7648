"""A worker process whose tasks misbehave. Started by tests, which may kill it: `python -m tests.workers.child`."""

import asyncio
import os
import signal

import uvloop

from app.settings import Settings
from app.wiring import open_services
from db import jobs
from workers.process import WorkerProcess
from workers.task import Job, Task

LEASE_S = 0.5
GRACE_S = 0.5


async def kill_the_process(job: Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def nothing(job: Job) -> None: ...


async def hang(job: Job) -> None:
    await asyncio.sleep(60)


async def leave_a_mark(job: Job) -> None:
    """An effect (a job for much later, whose key names the process), in one transaction with `finish`, after a while."""
    await asyncio.sleep(1.0)
    async with job.services.db.write(job.domain, job.viewer) as session:
        await jobs.add(session, "test.mark", key=f"{job.id} {os.getpid()}", delay_s=3600)
        await job.finish(session)


HANDLERS = {"test.kill": kill_the_process, "test.nothing": nothing, "test.hang": hang, "test.mark": leave_a_mark}


async def work() -> None:
    tasks = {topic: Task(topic, handler, {}, (), jobs.MAX_ATTEMPTS, LEASE_S, 60.0, None, ()) for topic, handler in HANDLERS.items()}
    async with open_services(Settings.load()) as services:
        running = asyncio.create_task(WorkerProcess(services, tasks).run(grace_s=GRACE_S))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        await asyncio.wait({running})


if __name__ == "__main__":
    uvloop.run(work())
