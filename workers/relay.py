"""Rows -> queue: the one place that enqueues. Postgres says what is due; the queue in Redis is only how a worker hears of it.

Woken by the message that every commit with a job publishes, and every two seconds whatever happens, it reads what is due in every
domain and hands the references to arq. It also publishes live events whose process was killed between its commit and its message.

Several relays may run (one in each worker process): arq refuses a reference that it holds, and a stale reference claims nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final

import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from db import jobs
from db.base import DOMAINS
from db.engines import Db
from db.errors import DatabaseUnavailable
from db.jobs import DueJob
from db.live import Event, announce
from db.redis import WAKE_CHANNEL, RedisConnections
from workers.ending import cancel

log = structlog.get_logger(__name__)

#: arq's name of the one function that runs any job.
RUN: Final = "run"
POLL_S: Final = 2.0
#: While more is due than one look takes in.
BUSY_POLL_S: Final = 0.1
#: Rows per look, domain and state.
BATCH: Final = 500
#: A reference is not offered again for this long: it waits in the queue, or a worker is about to claim it.
OFFERED_FOR_S: Final = 10.0
ENQUEUED_AT_ONCE: Final = 16
RECONNECT_AFTER_S: Final = 0.2
RECONNECT_AT_MOST_S: Final = 5.0

#: Gone when Redis has lost what it held: then everything that is due is offered again at once.
MARKER_KEY: Final = "florin:relay"
MARKER_CHECKED_EVERY_S: Final = 1.0


class Relay:
    """The relay of one process.

    queue: where references go. on_enqueued: called after each look that enqueued something, so that this process's worker looks too.
    """

    def __init__(self, db: Db, redis: RedisConnections, queue: ArqRedis, on_enqueued: Callable[[], None]) -> None:
        self._db = db
        self._redis = redis
        self._queue = queue
        self._on_enqueued = on_enqueued
        self._woken = asyncio.Event()
        self._offered: dict[str, float] = {}
        self._marker_checked_at = float("-inf")

    async def run(self) -> None:
        """Relay for ever. Outages of Postgres or Redis are waited out."""
        listener = asyncio.create_task(self._listen(), name="relay.listen")
        try:
            while True:
                self._woken.clear()
                is_full = await self._look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BUSY_POLL_S if is_full else POLL_S):
                        await self._woken.wait()
        finally:
            await cancel([listener])

    async def relay_once(self) -> bool:
        """One look at all domains. True when some had more due than a look takes in. Errors: DatabaseUnavailable, RedisError."""
        await self._check_marker()
        is_full = False
        for domains in self._domains_by_database():
            found = await jobs.due(self._db, domains, BATCH)
            is_full = is_full or len(found) >= BATCH
            await self._publish([job for job in found if job.topic == jobs.PUBLISH])
            await self._enqueue([job for job in found if job.topic != jobs.PUBLISH])
        return is_full

    async def _look(self) -> bool:
        try:
            return await self.relay_once()
        except (DatabaseUnavailable, RedisError, OSError) as error:
            log.warning("relay.waiting", error=type(error).__name__)
        except Exception:  # the outermost frame of the relay: it must not end before its process does
            log.exception("relay.failed")
        return False

    def _domains_by_database(self) -> Iterator[Sequence[str]]:
        """Domains that share a log-in are asked in one statement."""
        by_dsn: dict[str, list[str]] = {}
        for domain in DOMAINS:
            by_dsn.setdefault(self._db.dsns.of(domain, "system"), []).append(domain)
        yield from by_dsn.values()

    async def _check_marker(self) -> None:
        if time.monotonic() - self._marker_checked_at < MARKER_CHECKED_EVERY_S:
            return
        if await self._redis.client.set(MARKER_KEY, 1, nx=True):
            self._offered.clear()
        self._marker_checked_at = time.monotonic()

    async def _enqueue(self, due: Sequence[DueJob]) -> None:
        now = time.monotonic()
        self._offered = {ref: at for ref, at in self._offered.items() if now - at < OFFERED_FOR_S}
        fresh = [job for job in due if str(job.ref) not in self._offered]
        for first in range(0, len(fresh), ENQUEUED_AT_ONCE):
            some = fresh[first : first + ENQUEUED_AT_ONCE]
            await asyncio.gather(*(self._queue.enqueue_job(RUN, str(job.ref), job.topic, _job_id=str(job.ref)) for job in some))
            self._offered.update((str(job.ref), now) for job in some)
            self._on_enqueued()

    async def _publish(self, left: Sequence[DueJob]) -> None:
        """Publish what a killed process left. Twice does no harm: a listener drops versions that it has seen."""
        for domain, group in groupby(sorted(left, key=lambda job: job.ref.domain), key=lambda job: job.ref.domain):
            told = [job.ref.id for job in group if await self._announce(job)]
            if told:
                async with self._db.system(domain) as session:
                    await jobs.drop(session, told)
                log.info("relay.published", domain=domain, jobs=len(told))

    async def _announce(self, job: DueJob) -> bool:
        events = [Event(topic, key, version) for topic, key, version in (job.payload or {}).get("events", ())]
        return await announce(self._redis, job.user_id, events, wake=False)

    async def _listen(self) -> None:
        """Be woken by commits. After a lost connection look at once: messages may have been missed."""
        wait_s = RECONNECT_AFTER_S
        while True:
            pubsub = self._redis.subscriber()
            try:
                await pubsub.subscribe(WAKE_CHANNEL)
                while True:
                    if await pubsub.get_message(timeout=None) is not None:  # the confirmed subscription is a message too
                        wait_s = RECONNECT_AFTER_S
                        self._woken.set()
            except (RedisError, OSError) as error:
                log.warning("relay.not_listening", error=type(error).__name__)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RECONNECT_AT_MOST_S)
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
                    await pubsub.connection_pool.disconnect()
