"""Workers get a Redis of their own, which tests flush, stop and start again; Postgres is the suite's."""

import asyncio
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import select, update

from app.machine import redis_program
from db import jobs
from db.base import DOMAINS, jobs_table
from db.engines import Db, Dsns, Viewer
from db.jobs import MAX_ATTEMPTS
from db.redis import RedisConnections
from domains.flows.services import Services
from tests.conftest import MakeUser
from workers.process import WorkerProcess
from workers.task import LEASE_S, TIMEOUT_S, Handler, Task

DOMAIN = "budget"


class OwnRedis:
    """A server that a test may do anything to."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.dsn = f"unix://{self.socket}?db=0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command: Sequence[str | Path] = (
            redis_program(),
            "--port",
            "0",
            "--unixsocket",
            self.socket,
            "--save",
            "",
            "--dir",
            self.socket.parent,
        )
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with Redis(unix_socket_path=str(self.socket)) as client:
            deadline = time.monotonic() + 10
            while True:
                try:
                    client.ping()
                    return
                except RedisError:
                    assert time.monotonic() < deadline, "Redis did not start"
                    time.sleep(0.01)

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def own_redis() -> Iterator[OwnRedis]:
    with tempfile.TemporaryDirectory(prefix="florin-redis-", dir="/tmp") as folder:
        server = OwnRedis(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
async def own_services(services: Services, dsns: Dsns, own_redis: OwnRedis) -> AsyncIterator[Services]:
    """The suite's services on the workers' Redis, emptied."""
    redis = RedisConnections(own_redis.dsn)
    await redis.client.flushall()
    db = Db(dsns, redis)
    yield replace(services, db=db, redis=redis)
    await db.close()
    await redis.close()


@pytest.fixture
async def viewer(make_user: MakeUser) -> Viewer:
    return await make_user(timezone="Europe/Berlin", currency="EUR", locale="de-DE")


@pytest.fixture
async def topic(db: Db) -> AsyncIterator[str]:
    """A topic that no other test uses. Its rows do not outlive the test, or every later worker would ask what they are."""
    name = f"test.{uuid4()}"
    yield name
    await end_live_jobs(db, name)


async def end_live_jobs(db: Db, topic: str | None = None) -> None:
    """Take what waits or runs out of every later worker's sight: of one topic, or of all."""
    for domain in DOMAINS:
        table = jobs_table(domain)
        live = table.c.state.in_((jobs.QUEUED, jobs.RUNNING))
        async with db.system(domain) as session:
            await session.execute(update(table).where(live if topic is None else live & (table.c.topic == topic)).values(state=jobs.DONE))


def task_of(
    topic: str,
    handler: Handler,
    *,
    retry_on: tuple[type[Exception], ...] = (),
    max_attempts: int = MAX_ATTEMPTS,
    lease_s: float = LEASE_S,
    timeout_s: float = TIMEOUT_S,
    every: timedelta | None = None,
    domains: tuple[str, ...] = (),
    arguments: Mapping[str, Callable[[Any], Any]] | None = None,
) -> dict[str, Task]:
    """A registry of one."""
    return {topic: Task(topic, handler, arguments or {}, retry_on, max_attempts, lease_s, timeout_s, every, domains)}


async def add(db: Db, viewer: Viewer, topic: str, *, key: str | None = None, **options: Any) -> UUID:
    async with db.write(DOMAIN, viewer) as session:
        return await jobs.add(session, topic, key=key or str(uuid4()), **options)


async def row_of(db: Db, job_id: UUID, domain: str = DOMAIN) -> Any:
    table = jobs_table(domain)
    async with db.system(domain) as session:
        return (await session.execute(select(table).where(table.c.id == job_id))).one()


async def change(db: Db, job_id: UUID, domain: str = DOMAIN, **values: Any) -> None:
    table = jobs_table(domain)
    async with db.system(domain) as session:
        await session.execute(update(table).where(table.c.id == job_id).values(**values))


async def until(condition: Callable[[], Awaitable[bool]], *, within_s: float = 10.0) -> float:
    """Wait for a condition; answers the seconds it took."""
    started_at = time.monotonic()
    while not await condition():
        assert time.monotonic() - started_at < within_s, "it did not come to pass in time"
        await asyncio.sleep(0.02)
    return time.monotonic() - started_at


async def until_state(db: Db, job_id: UUID, state: str, *, within_s: float = 10.0) -> float:
    async def is_in_state() -> bool:
        return bool((await row_of(db, job_id)).state == state)

    return await until(is_in_state, within_s=within_s)


@asynccontextmanager
async def working(
    services: Services, tasks: Mapping[str, Task], *, max_jobs: int = 20, grace_s: float = 5.0
) -> AsyncIterator[WorkerProcess]:
    """A worker, in this process, for the block."""
    process = WorkerProcess(services, tasks, max_jobs=max_jobs, name=str(uuid4()))
    running = asyncio.create_task(process.run(grace_s=grace_s))
    try:
        yield process
    finally:
        running.cancel()
        await asyncio.wait({running})
        if not running.cancelled():
            running.result()
