"""Runs one job: claim, lease, handler, and what becomes of the row afterwards.

Whatever happens here, the row says the truth: done with its effect, queued again with a back-off, dead and reported, given back on a
shutdown, or still running with a lease that ends by itself when this process is gone.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from structlog.contextvars import bound_contextvars

from db import jobs
from db.attempts import retrying
from db.engines import Viewer
from db.errors import DatabaseUnavailable, LeaseLost, RedisUnavailable
from db.jobs import Claim, JobRef
from db.user.queries import users_by_id
from domains.core.errors import AppError, TryAgain
from domains.flows.services import Services
from workers.ending import cancel
from workers.task import Job, Task

log = structlog.get_logger(__name__)

#: The lease is renewed this many times before it would end.
RENEWALS_PER_LEASE: Final = 3
#: A cancelled handler that does not end is left to its lost lease.
CANCELLED_WITHIN_S: Final = 10.0
#: The database may be restarting when a failure is to be recorded; without a record the lease's end does the same, later.
RECORD_TRIES: Final = 5
RECORD_WAIT_S: Final = 1.0
UNKNOWN_TOPIC_WAIT_S: Final = 15.0

_PASSING: Final = (DatabaseUnavailable, RedisUnavailable)
_SETTINGS: Final = ("timezone", "currency", "locale")


class UserGone(AppError):
    code = "USER_GONE"
    default_message = "The user of this job is not there any more."


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a failure means: its code, and when to try again (None: never)."""

    code: str
    retry_in_s: float | None
    is_bug: bool


class JobRunner:
    """Runs jobs of one process. `tasks` is the registry by topic."""

    def __init__(self, services: Services, tasks: Mapping[str, Task]) -> None:
        self._services = services
        self._tasks = tasks
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, ref: JobRef, topic: str, *, on_claimed: Callable[[], Awaitable[None]] | None = None) -> None:
        """Run the job that a reference names, if it is still to be had. Returns when it is over, however it ended.

        Errors: DatabaseUnavailable, when it could not be claimed; CancelledError, after the job was given back.
        """
        task = self._tasks.get(topic)
        if task is None:
            # it stays queued: during a rolling release the newer worker knows the topic
            log.error("job.unknown_topic", topic=topic, domain=ref.domain, job_id=str(ref.id))
            await jobs.postpone(self._services.db, ref, UNKNOWN_TOPIC_WAIT_S)
            return
        lease_ends_at = time.monotonic() + task.lease_s
        claim = await jobs.claim(self._services.db, ref.domain, ref.id, lease_s=task.lease_s, lease_token=ref.lease_token)
        if claim is None:
            return
        with bound_contextvars(job_topic=claim.topic, job_id=str(claim.id), job_attempt=claim.attempt):
            await self._run_claimed(task, claim, lease_ends_at, on_claimed)

    def cancel_all(self) -> None:
        """Have every running job give itself back. Once: they wait in `asyncio.wait`, and must not be disturbed while they do it."""
        for running in self._running:
            running.cancel()

    async def wait_until_idle(self, within_s: float) -> bool:
        """Whether the running jobs ended within the time."""
        if self._running:
            await asyncio.wait(self._running, timeout=within_s)
        return not self._running

    async def _run_claimed(self, task: Task, claim: Claim, lease_ends_at: float, on_claimed: Callable[[], Awaitable[None]] | None) -> None:
        run = asyncio.create_task(self._run_leased(task, claim, lease_ends_at), name=f"job.{claim.topic}")
        self._running.add(run)
        run.add_done_callback(self._running.discard)
        try:
            if on_claimed is not None:
                await on_claimed()
            await asyncio.shield(run)
        except asyncio.CancelledError:
            run.cancel()
            await asyncio.wait({run}, timeout=CANCELLED_WITHIN_S)
            raise

    async def _run_leased(self, task: Task, claim: Claim, lease_ends_at: float) -> None:
        """Race the handler against its lease and its time-out."""
        work = asyncio.create_task(self._work(task, claim), name=f"job.{claim.topic}.work")
        lease = asyncio.create_task(self._hold(task, claim, lease_ends_at), name=f"job.{claim.topic}.lease")
        try:
            await asyncio.wait({work, lease}, timeout=task.timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await self._settle(task, claim, work)
            elif lease.done():
                await _stop(work)
                log.warning("job.lease_lost")
            else:
                await _stop(work)
                log.error("job.failed", code="TIMED_OUT", timeout_s=task.timeout_s)
                await self._record_failure(claim, _Verdict("TIMED_OUT", self._retry_in_s(task, claim), is_bug=True))
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(claim, work))
            raise
        finally:
            lease.cancel()
            work.cancel()

    async def _work(self, task: Task, claim: Claim) -> None:
        viewer = await self._viewer_of(task, claim)
        arguments = task.read(claim.payload)

        async def run() -> None:
            job = Job(self._services, claim, viewer)  # a new one each time: it finishes with a commit, or not at all
            await task.handler(job, **arguments)
            if not job.is_finished:
                async with job.system() as session:
                    await job.finish(session)

        await retrying(run, may_repeat=True)  # a handler survives running twice: this spends no attempt and no back-off

    async def _viewer_of(self, task: Task, claim: Claim) -> Viewer | None:
        """The job's user with their time zone, which periods and dates go by; None for upkeep. Errors: UserGone."""
        if claim.user_id is None:
            return None
        if task.outlives_user:
            return Viewer(claim.user_id)
        async with self._services.db.read("user", Viewer(claim.user_id)) as read:
            row = await read.row(users_by_id(_SETTINGS), keys=[claim.user_id])
        if row is None:
            raise UserGone
        return Viewer(claim.user_id, **{name: row[name] for name in _SETTINGS})

    async def _hold(self, task: Task, claim: Claim, lease_ends_at: float) -> None:
        """Renew the lease; returns when it is lost, or when it has ended without the database saying so."""
        pause_s = task.lease_s / RENEWALS_PER_LEASE
        while time.monotonic() < lease_ends_at:
            await asyncio.sleep(min(pause_s, max(0.0, lease_ends_at - time.monotonic())))
            asked_at = time.monotonic()
            try:
                if not await jobs.renew(self._services.db, claim, task.lease_s):
                    return
            except DatabaseUnavailable:
                pause_s = min(pause_s, RECORD_WAIT_S)
            else:
                lease_ends_at = asked_at + task.lease_s
                pause_s = task.lease_s / RENEWALS_PER_LEASE

    async def _settle(self, task: Task, claim: Claim, work: "asyncio.Task[None]") -> None:
        error = None if work.cancelled() else work.exception()
        if error is None and not work.cancelled():
            log.info("job.done")
        elif isinstance(error, LeaseLost):
            log.warning("job.lease_lost")
        elif error is not None and not isinstance(error, Exception):
            raise error
        else:
            verdict = self._judge(task, claim, error or asyncio.CancelledError())
            if verdict.is_bug:
                log.error("job.failed", code=verdict.code, exc_info=error)
            else:
                log.warning("job.failed", code=verdict.code, retry_in_s=verdict.retry_in_s)
            await self._record_failure(claim, verdict)

    def _judge(self, task: Task, claim: Claim, error: BaseException) -> _Verdict:
        """Passing failures and bugs are tried again until the attempts are used up; an expected failure would only repeat itself."""
        retry_in_s = self._retry_in_s(task, claim)
        if isinstance(error, TryAgain):
            return _Verdict(error.code, None if retry_in_s is None else max(retry_in_s, error.retry_after_s), is_bug=False)
        if isinstance(error, (*_PASSING, *task.retry_on)):
            return _Verdict(str(getattr(error, "code", type(error).__name__)), retry_in_s, is_bug=False)
        if isinstance(error, AppError):
            return _Verdict(error.code, None, is_bug=False)
        return _Verdict(type(error).__name__, retry_in_s, is_bug=True)

    def _retry_in_s(self, task: Task, claim: Claim) -> float | None:
        return None if claim.attempt >= task.max_attempts else jobs.back_off_s(claim.attempt)

    async def _record_failure(self, claim: Claim, verdict: _Verdict) -> None:
        for tries_left in reversed(range(RECORD_TRIES)):
            try:
                if await jobs.fail(self._services.db, claim, verdict.code, retry_in_s=verdict.retry_in_s) == jobs.LOST:
                    log.warning("job.lease_lost")
                return
            except DatabaseUnavailable:
                if tries_left:
                    await asyncio.sleep(RECORD_WAIT_S)
        log.warning("job.not_recorded", code=verdict.code)

    async def _give_back(self, claim: Claim, work: "asyncio.Task[None]") -> None:
        """This process is stopping: the job is queued again with its attempt, unless it came to its end after all."""
        await _stop(work)
        with contextlib.suppress(DatabaseUnavailable):
            if await jobs.release(self._services.db, claim):
                log.info("job.given_back")


async def _stop(work: "asyncio.Task[None]") -> None:
    if not await cancel([work], CANCELLED_WITHIN_S):
        log.error("job.ignores_cancellation")
    elif not work.cancelled():
        work.exception()  # fetched, or the loop would report it as never retrieved; the job runs again and says it again
