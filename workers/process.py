"""One worker process: an arq worker that is woken rather than polling, the relay, the scheduler.

arq is the queue between relay and worker, nothing more: it keeps no results, retries nothing and knows no schedule. Its own poll is
the fall-back. When Redis goes away arq's worker ends; jobs that run go on, and a new one starts when Redis is back.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Any, Final

import orjson
import structlog
from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.exceptions import RedisError

from db.errors import DatabaseUnavailable
from db.jobs import JobRef
from domains.flows.services import Services
from workers.ending import cancel
from workers.relay import RECONNECT_AFTER_S, RECONNECT_AT_MOST_S, RUN, Relay
from workers.runner import CANCELLED_WITHIN_S, JobRunner
from workers.scheduler import Scheduler
from workers.task import Task

log = structlog.get_logger(__name__)

QUEUE: Final = "florin:queue"
MAX_JOBS: Final = 20
POLL_S: Final = 0.5
#: Time for running jobs to end by themselves when the process is told to stop; then they are given back.
GRACE_S: Final = 8.0
HEALTH_EVERY_S: Final = 10
#: How long a reference stays with a process that was killed after taking it and before claiming the row.
TAKEN_FOR_S: Final = 15.0
#: arq's own limit, beyond that of any task.
ARQ_TIMEOUT_S: Final = 24 * 3600


def health_key(name: str | None = None) -> str:
    """Where a worker process writes that it is alive, every ten seconds. Each has its own: one that lives must not hide one that died."""
    return f"florin:worker:{name or f'{socket.gethostname()}:{os.getpid()}'}"


class WokenWorker(Worker):
    """arq's worker, waiting for `woken` instead of sleeping: set it when something was enqueued. A freed slot sets it too."""

    def __init__(self, *, woken: asyncio.Event, **settings: Any) -> None:
        super().__init__(poll_delay=0, handle_signals=False, retry_jobs=True, job_timeout=ARQ_TIMEOUT_S, **settings)
        self.in_progress_timeout_s = TAKEN_FOR_S
        self._woken = woken

    async def _poll_iteration(self) -> None:
        self._woken.clear()  # before looking: what is enqueued meanwhile ends the wait
        await super()._poll_iteration()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._woken.wait()

    def _release_sem_dec_counter_on_complete(self) -> None:
        super()._release_sem_dec_counter_on_complete()
        self._woken.set()


class WorkerProcess:
    """Everything a worker process does. `run` it until it is cancelled."""

    def __init__(self, services: Services, tasks: Mapping[str, Task], *, max_jobs: int = MAX_JOBS, name: str | None = None) -> None:
        self._services = services
        self._max_jobs = max_jobs
        self._woken = asyncio.Event()
        self._queue = ArqRedis(
            services.redis.client.connection_pool,
            job_serializer=orjson.dumps,
            job_deserializer=orjson.loads,
            default_queue_name=QUEUE,
        )
        self._health_key = health_key(name)
        self._runner = JobRunner(services, tasks)
        self._relay = Relay(services.db, services.redis, self._queue, self._woken.set)
        self._scheduler = Scheduler(services.db, tasks)
        self._worker: WokenWorker | None = None
        self._endings: set[asyncio.Future[Any]] = set()

    async def run(self, *, grace_s: float = GRACE_S) -> None:
        """Work until cancelled. Running jobs then have `grace_s` to end, the rest is given back; a second cancellation skips the wait."""
        parts = [
            asyncio.create_task(self._relay.run(), name="worker.relay"),
            asyncio.create_task(self._scheduler.run(), name="worker.scheduler"),
            asyncio.create_task(self._serve(), name="worker.serve"),
        ]
        log.info("worker.started", health_key=self._health_key)
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in parts:
                if part.done():
                    part.result()  # none ends but by a bug: the process ends with it, and whoever runs it starts another
        finally:
            await self._stop(parts, grace_s)

    async def _serve(self) -> None:
        """One arq worker per life of the connection to Redis."""
        wait_s = RECONNECT_AFTER_S
        while True:
            worker = self._worker = self._make_worker()
            started_at = asyncio.get_running_loop().time()
            try:
                await worker.main()
            except (RedisError, OSError) as error:
                if asyncio.get_running_loop().time() - started_at > RECONNECT_AT_MOST_S:
                    wait_s = RECONNECT_AFTER_S
                log.warning("worker.queue_lost", error=type(error).__name__, again_in_s=wait_s)
                self._let_end(worker)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RECONNECT_AT_MOST_S)

    def _make_worker(self) -> WokenWorker:
        return WokenWorker(
            woken=self._woken,
            functions=[func(self._run_one, name=RUN)],
            redis_pool=self._queue,
            queue_name=QUEUE,
            max_jobs=self._max_jobs,
            keep_result=0,
            health_check_interval=HEALTH_EVERY_S,
            health_check_key=self._health_key,
            job_serializer=orjson.dumps,
            job_deserializer=orjson.loads,
            log_results=False,
        )

    async def _run_one(self, ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> None:  # noqa: ARG002 - as arq calls it
        """What the queue carries: a reference to a row, and the row's topic."""
        try:
            reference, topic = map(str, args)
            ref = JobRef.parse(reference)
        except ValueError:
            log.error("worker.bad_reference")
            return

        async def spend() -> None:
            """Once claimed, the row's lease says who runs the job; the reference has done its work."""
            with contextlib.suppress(RedisError, OSError):
                await self._queue.zrem(QUEUE, reference)

        try:
            await self._runner.run(ref, topic, on_claimed=spend)
        except DatabaseUnavailable as error:  # before the claim: the relay offers the row again
            log.warning("job.not_claimed", topic=topic, job_id=str(ref.id), error=type(error).__name__)

    def _let_end(self, worker: WokenWorker) -> None:
        """Have the jobs of a worker that lost its queue end in peace. Their rows are in Postgres; only arq's bookkeeping may fail."""
        if worker.tasks:
            ending = asyncio.gather(*worker.tasks.values(), return_exceptions=True)
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def _stop(self, parts: list[asyncio.Task[None]], grace_s: float) -> None:
        """Take nothing new, let running jobs end, give the rest back."""
        sources = parts[:-1]  # all but the queue, whose jobs may end
        if self._worker is not None:
            self._worker.allow_pick_jobs = False
        try:
            await cancel(sources)
            await self._runner.wait_until_idle(grace_s)
        finally:
            self._runner.cancel_all()
            await self._runner.wait_until_idle(2 * CANCELLED_WITHIN_S)
            await cancel(parts)
            if self._worker is not None:
                self._let_end(self._worker)
            await asyncio.gather(*parts, *self._endings, return_exceptions=True)
            with contextlib.suppress(RedisError, OSError):
                await self._queue.delete(self._health_key)
            log.info("worker.stopped")
