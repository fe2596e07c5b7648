import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import jobs
from db.engines import Db
from domains.flows.services import Services
from tests.workers.conftest import DOMAIN, row_of, task_of, until_state, working
from workers.scheduler import Scheduler, tick_id, tick_of
from workers.task import DAILY, HOURLY, Job

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


async def nothing(job: Job) -> None: ...


def scheduler(db: Db, topic: str, every: timedelta = HOURLY) -> Scheduler:
    return Scheduler(db, task_of(topic, nothing, every=every, domains=(DOMAIN,)))


async def finish(db: Db, job_id: UUID) -> None:
    claim = await jobs.claim(db, DOMAIN, job_id, lease_s=60)
    assert claim is not None
    async with db.system(DOMAIN) as session:
        await jobs.finish(session, claim)


async def test_a_tick_is_added_once_by_however_many_workers(own_services: Services, topic: str) -> None:
    db = own_services.db

    added = await asyncio.gather(*(scheduler(db, topic).add_due(NOON) for _ in range(8)))

    [job_id] = [job_id for each in added for job_id in each]
    row = await row_of(db, job_id)
    assert (row.topic, row.user_id, row.state, row.payload) == (topic, None, "queued", {"tick": "2026-11-22T12:00:00+00:00"})
    await finish(db, job_id)
    assert await scheduler(db, topic).add_due(NOON + timedelta(minutes=59)) == []


async def test_missed_ticks_are_caught_up_once(own_services: Services, topic: str) -> None:
    db = own_services.db
    [first] = await scheduler(db, topic).add_due(NOON)
    await finish(db, first)

    five_hours_later = NOON + timedelta(hours=5, minutes=20)
    [second] = await scheduler(db, topic).add_due(five_hours_later)
    assert await scheduler(db, topic).add_due(five_hours_later) == []
    await finish(db, second)

    assert await scheduler(db, topic).add_due(five_hours_later + timedelta(minutes=1)) == []
    assert (await row_of(db, second)).payload == {"tick": "2026-11-22T17:00:00+00:00"}


async def test_a_tick_waits_for_the_one_before_it(own_services: Services, topic: str) -> None:
    db = own_services.db
    [first] = await scheduler(db, topic).add_due(NOON)

    assert await scheduler(db, topic).add_due(NOON + HOURLY) == []
    await finish(db, first)

    [second] = await scheduler(db, topic).add_due(NOON + HOURLY)
    await finish(db, second)


async def test_a_task_ticks_in_each_of_its_domains(own_services: Services, topic: str) -> None:
    tasks = task_of(topic, nothing, every=DAILY, domains=("bank", "budget"))

    added = await Scheduler(own_services.db, tasks).add_due(NOON)

    assert added == [tick_id(topic, domain, datetime(2026, 11, 22, tzinfo=UTC)) for domain in ("bank", "budget")]
    for domain, job_id in zip(("bank", "budget"), added, strict=True):
        assert (await row_of(own_services.db, job_id, domain)).state == "queued"
        claim = await jobs.claim(own_services.db, domain, job_id, lease_s=60)
        assert claim is not None
        async with own_services.db.system(domain) as session:
            await jobs.finish(session, claim)


async def test_a_worker_runs_what_is_due_as_soon_as_it_starts(own_services: Services, topic: str) -> None:
    seen: list[Any] = []

    async def handler(job: Job) -> None:
        seen.append(job.payload)

    async with own_services.db.system(DOMAIN) as session:
        now = await jobs.now(session)
    async with working(own_services, task_of(topic, handler, every=HOURLY, domains=(DOMAIN,))):
        await until_state_of_tick(own_services, topic, now)

    assert seen == [{"tick": tick_of(now, HOURLY).isoformat()}]


async def until_state_of_tick(services: Services, topic: str, now: datetime) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await row_of(services.db, tick_id(topic, DOMAIN, tick_of(now, HOURLY)))
                break
            except Exception:  # noqa: BLE001 - not there yet
                await asyncio.sleep(0.05)
    await until_state(services.db, tick_id(topic, DOMAIN, tick_of(now, HOURLY)), "done")


async def test_a_period_longer_than_done_rows_are_kept_for_is_refused(own_services: Services, topic: str) -> None:
    with pytest.raises(ValueError, match="a period is at most"):
        scheduler(own_services.db, topic, timedelta(hours=25))


instants = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive
periods = st.integers(60, 86_400).map(lambda seconds: timedelta(seconds=seconds))


@given(instants, periods)
def test_a_tick_is_the_start_of_the_present_period(at: datetime, every: timedelta) -> None:
    tick = tick_of(at, every)

    assert tick <= at < tick + every
    assert tick_of(tick, every) == tick
    assert tick_of(tick + every - timedelta(microseconds=1), every) == tick
    assert tick_of(tick + every, every) == tick + every


@given(instants)
def test_a_tick_has_one_id_wherever_it_is_computed(at: datetime) -> None:
    topic, elsewhere = str(uuid4()), at.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert tick_id(topic, "bank", at) == tick_id(topic, "bank", elsewhere)
    assert tick_of(elsewhere, DAILY) == tick_of(at, DAILY)
    assert tick_id(topic, "bank", at) != tick_id(topic, "user", at)
