"""Schedules without a table: a tick is a job row whose id is made of its task, domain and instant.

Any worker adds the tick that is due, every minute; the primary key lets one of them succeed, also against rows that are done. Only the
present tick is ever added: however many were missed, one catches up. While a tick of the same task is still queued or running, the
next one waits for it. Done rows are kept longer (48 hours) than the longest period, or a tick could come twice.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

import structlog

from db import jobs
from db.engines import Db
from db.errors import DatabaseUnavailable
from workers.task import Task

log = structlog.get_logger(__name__)

LOOKS_EVERY_S: Final = 60.0
#: The key that a task's ticks share: one of them is live at a time.
KEY: Final = "scheduled"
_NAMESPACE: Final = UUID("6f1c8a52-6a0e-4b0c-9c9d-2f6a1f3f6b70")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def tick_of(at: datetime, every: timedelta) -> datetime:
    """The last instant, not after `at`, that is a whole number of periods from the start of 1970 (UTC)."""
    return _EPOCH + (at - _EPOCH) // every * every


def tick_id(topic: str, domain: str, tick: datetime) -> UUID:
    """The id of the row that stands for this tick."""
    return uuid5(_NAMESPACE, f"{topic} {domain} {tick.astimezone(UTC).isoformat()}")


class Scheduler:
    """Requests the upkeep of `tasks` (those with a period) when it is due."""

    def __init__(self, db: Db, tasks: Mapping[str, Task]) -> None:
        self._db = db
        self._by_domain: dict[str, list[Task]] = {}
        for task in tasks.values():
            if task.every is not None and task.every > jobs.DONE_KEPT / 2:
                raise ValueError(f"{task.topic}: a period is at most {jobs.DONE_KEPT / 2}")
            for domain in task.domains:
                self._by_domain.setdefault(domain, []).append(task)

    async def run(self) -> None:
        """Look every minute, for ever."""
        while True:
            try:
                await self.add_due()
            except DatabaseUnavailable as error:
                log.warning("scheduler.waiting", error=type(error).__name__)
            except Exception:  # the outermost frame of the scheduler: it must not end before its process does
                log.exception("scheduler.failed")
            await asyncio.sleep(LOOKS_EVERY_S)

    async def add_due(self, at: datetime | None = None) -> list[UUID]:
        """Request what is due at an instant (without it: the database's now). Answers the ids of the rows that were added."""
        added: list[UUID] = []
        for domain, tasks in self._by_domain.items():
            async with self._db.system(domain) as session:
                now = at or await jobs.now(session)
                for task in tasks:
                    tick = tick_of(now, task.every or jobs.DONE_KEPT)
                    job_id = tick_id(task.topic, domain, tick)
                    if await jobs.add_once(session, task.topic, job_id=job_id, key=KEY, payload={"tick": tick.isoformat()}):
                        added.append(job_id)
        return added
