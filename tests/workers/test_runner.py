import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from db import jobs
from db.attempts import TRIES
from db.engines import Viewer
from db.errors import DatabaseUnavailable
from db.jobs import JobRef
from domains.core.errors import AppError, TryAgain
from domains.flows.services import Services
from tests.workers.conftest import DOMAIN, add, change, row_of, task_of, until
from workers.runner import JobRunner
from workers.task import Job, Task


class BankDown(Exception):
    """A failure that passes."""


class StatementForged(AppError):
    code = "STATEMENT_FORGED"
    default_message = "It will not be better tomorrow."


async def run(services: Services, tasks: dict[str, Task], job_id: UUID, *, lease_token: int = 0) -> None:
    [topic] = tasks
    await JobRunner(services, tasks).run(JobRef(DOMAIN, job_id, lease_token), topic)


def failing(error: Exception) -> Any:
    async def handler(job: Job) -> None:
        raise error

    return handler


async def test_a_job_runs_once_as_its_user_with_their_settings(own_services: Services, viewer: Viewer, topic: str) -> None:
    seen: list[Any] = []

    async def handler(job: Job, import_id: UUID, note: str, count: int) -> None:
        seen.append((job.viewer, job.topic, job.key, job.domain, job.attempt, import_id, note, count))

    import_id = uuid4()
    job_id = await add(own_services.db, viewer, topic, key="k", payload={"import_id": str(import_id), "note": "n", "count": 3})
    tasks = task_of(topic, handler, arguments={"import_id": UUID, "note": str, "count": int})

    await run(own_services, tasks, job_id)
    await run(own_services, tasks, job_id)

    assert seen == [(viewer, topic, "k", DOMAIN, 1, import_id, "n", 3)]
    assert (viewer.timezone, viewer.currency, viewer.locale) == ("Europe/Berlin", "EUR", "de-DE")
    assert (await row_of(own_services.db, job_id)).state == "done"


async def test_a_handler_that_finished_is_not_finished_again(own_services: Services, viewer: Viewer, topic: str) -> None:
    key = str(uuid4())

    async def handler(job: Job) -> None:
        async with own_services.db.write(DOMAIN, job.viewer) as session:
            await jobs.add(session, topic, key=f"effect of {key}", delay_s=3600)
            await job.finish(session)

    job_id = await add(own_services.db, viewer, topic, key=key)
    with capture_logs() as logs:
        await run(own_services, task_of(topic, handler), job_id)

    assert [line["event"] for line in logs] == ["job.done"]
    assert (await row_of(own_services.db, job_id)).state == "done"


async def test_upkeep_runs_without_a_viewer(own_services: Services, topic: str) -> None:
    ran: list[str] = []

    async def handler(job: Job) -> None:
        async with job.system() as session:
            ran.append(session.domain)
        async with job.system("bank") as session:
            ran.append(session.domain)
        with pytest.raises(RuntimeError, match="upkeep"):
            job.viewer  # noqa: B018 - reading it is what fails

    async with own_services.db.system(DOMAIN) as session:
        job_id = await jobs.add(session, topic, key="upkeep")
    await run(own_services, task_of(topic, handler), job_id)

    assert ran == ["budget", "bank"]
    assert (await row_of(own_services.db, job_id)).state == "done"


@pytest.mark.parametrize("error", [BankDown(), DatabaseUnavailable(), TryAgain("LOCKED", "", retry_after_s=0)])
async def test_a_passing_failure_is_tried_again_and_is_no_news(
    own_services: Services, viewer: Viewer, topic: str, error: Exception
) -> None:
    job_id = await add(own_services.db, viewer, topic)

    with capture_logs() as logs:
        await run(own_services, task_of(topic, failing(error), retry_on=(BankDown,)), job_id)

    row = await row_of(own_services.db, job_id)
    code = "LOCKED" if isinstance(error, TryAgain) else type(error).__name__
    assert (row.state, row.attempt, row.last_error) == ("queued", 1, code)
    assert 0 <= (row.run_at - row.created_at).total_seconds() < jobs.BACK_OFF_BASE_S + 1
    assert [(line["event"], line["log_level"]) for line in logs] == [("job.failed", "warning")]


async def test_a_provider_that_says_when_is_not_asked_before(own_services: Services, viewer: Viewer, topic: str) -> None:
    job_id = await add(own_services.db, viewer, topic)

    await run(own_services, task_of(topic, failing(TryAgain("RATE_LIMITED", "", retry_after_s=120))), job_id)

    row = await row_of(own_services.db, job_id)
    assert 119 < (row.run_at - row.created_at).total_seconds() < 125


async def test_a_bug_is_told_once_per_attempt_until_the_job_is_dead(own_services: Services, viewer: Viewer, topic: str) -> None:
    job_id = await add(own_services.db, viewer, topic)
    tasks = task_of(topic, failing(ZeroDivisionError()), max_attempts=2)

    with capture_logs() as logs:
        await run(own_services, tasks, job_id)
        assert (await row_of(own_services.db, job_id)).state == "queued"
        await change(own_services.db, job_id, run_at=(await row_of(own_services.db, job_id)).created_at)
        await run(own_services, tasks, job_id, lease_token=1)

    row = await row_of(own_services.db, job_id)
    assert (row.state, row.attempt, row.last_error) == ("dead", 2, "ZeroDivisionError")
    assert [(line["event"], line["log_level"], line["code"]) for line in logs] == [
        ("job.failed", "error", "ZeroDivisionError"),
        ("job.failed", "error", "ZeroDivisionError"),
        ("job.dead", "error", "ZeroDivisionError"),
    ]
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)


async def test_an_expected_failure_is_not_repeated(own_services: Services, viewer: Viewer, topic: str) -> None:
    job_id = await add(own_services.db, viewer, topic)

    await run(own_services, task_of(topic, failing(StatementForged())), job_id)

    row = await row_of(own_services.db, job_id)
    assert (row.state, row.attempt, row.last_error) == ("dead", 1, "STATEMENT_FORGED")


async def test_a_payload_of_another_shape_fails_and_is_not_lost(own_services: Services, viewer: Viewer, topic: str) -> None:
    async def handler(job: Job, import_id: UUID) -> None:
        raise AssertionError("it must not be called")

    job_id = await add(own_services.db, viewer, topic, payload={"import": "1"})
    await run(own_services, task_of(topic, handler, arguments={"import_id": UUID}), job_id)

    row = await row_of(own_services.db, job_id)
    assert (row.state, row.last_error) == ("queued", "KeyError")


async def test_a_job_of_a_user_who_is_gone_ends_dead(own_services: Services, topic: str) -> None:
    async def handler(job: Job) -> None:
        raise AssertionError("it must not be called")

    job_id = await add(own_services.db, Viewer(uuid4()), topic)
    await run(own_services, task_of(topic, handler), job_id)

    row = await row_of(own_services.db, job_id)
    assert (row.state, row.last_error) == ("dead", "USER_GONE")


async def test_a_topic_that_nobody_knows_stays_queued_and_is_reported(own_services: Services, viewer: Viewer, topic: str) -> None:
    job_id = await add(own_services.db, viewer, topic)

    with capture_logs() as logs:
        await JobRunner(own_services, {}).run(JobRef(DOMAIN, job_id, 0), topic)

    row = await row_of(own_services.db, job_id)
    assert (row.state, row.attempt, row.lease_token) == ("queued", 0, 0)
    assert 10 < (row.run_at - row.created_at).total_seconds() < 20  # others go first
    assert [(line["event"], line["log_level"], line["topic"]) for line in logs] == [("job.unknown_topic", "error", topic)]


async def test_a_long_job_keeps_its_lease(own_services: Services, viewer: Viewer, topic: str) -> None:
    async def handler(job: Job) -> None:
        for _ in range(6):
            await asyncio.sleep(0.25)
            assert await jobs.claim(own_services.db, DOMAIN, job.id, lease_s=60) is None

    job_id = await add(own_services.db, viewer, topic)
    await run(own_services, task_of(topic, handler, lease_s=0.6), job_id)

    row = await row_of(own_services.db, job_id)
    assert (row.state, row.attempt) == ("done", 1)


async def test_a_lost_lease_stops_the_work_and_its_effect(own_services: Services, viewer: Viewer, topic: str) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    job_id = await add(own_services.db, viewer, topic)
    running = asyncio.create_task(run(own_services, task_of(topic, handler, lease_s=0.6), job_id))
    await started.wait()
    await change(own_services.db, job_id, lease_token=7)

    await asyncio.wait_for(running, 5)

    assert stopped.is_set()
    row = await row_of(own_services.db, job_id)
    assert (row.state, row.lease_token, row.last_error) == ("running", 7, None)


async def test_a_lease_that_cannot_be_renewed_ends_by_our_own_clock(
    own_services: Services, viewer: Viewer, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(*_: Any) -> bool:
        raise DatabaseUnavailable

    async def handler(job: Job) -> None:
        await asyncio.sleep(60)

    job_id = await add(own_services.db, viewer, topic)
    monkeypatch.setattr(jobs, "renew", unreachable)

    await asyncio.wait_for(run(own_services, task_of(topic, handler, lease_s=0.6), job_id), 5)

    assert (await row_of(own_services.db, job_id)).state == "running"

    async def can_be_claimed() -> bool:
        return await jobs.claim(own_services.db, DOMAIN, job_id, lease_s=60) is not None

    await until(can_be_claimed)


async def test_a_job_that_hangs_ends(own_services: Services, viewer: Viewer, topic: str) -> None:
    async def handler(job: Job) -> None:
        await asyncio.sleep(60)

    job_id = await add(own_services.db, viewer, topic)
    await run(own_services, task_of(topic, handler, timeout_s=0.2), job_id)

    row = await row_of(own_services.db, job_id)
    assert (row.state, row.attempt, row.last_error) == ("queued", 1, "TIMED_OUT")


async def test_a_cancelled_job_is_given_back_with_its_attempt(own_services: Services, viewer: Viewer, topic: str) -> None:
    started = asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await asyncio.sleep(60)

    job_id = await add(own_services.db, viewer, topic)
    running = asyncio.create_task(run(own_services, task_of(topic, handler), job_id))
    await started.wait()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    row = await row_of(own_services.db, job_id)
    assert (row.state, row.attempt, row.lease_token) == ("queued", 0, 1)


async def test_a_failure_is_recorded_when_the_database_is_back(
    own_services: Services, viewer: Viewer, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, tries = jobs.fail, 0

    async def restarting(*given: Any, **options: Any) -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise DatabaseUnavailable
        return await record(*given, **options)

    job_id = await add(own_services.db, viewer, topic)
    monkeypatch.setattr(jobs, "fail", restarting)
    monkeypatch.setattr("workers.runner.RECORD_WAIT_S", 0.01)

    await run(own_services, task_of(topic, failing(BankDown()), retry_on=(BankDown,)), job_id)

    assert (await row_of(own_services.db, job_id)).last_error == "BankDown"


async def test_a_reference_is_spent_once_its_job_is_claimed(own_services: Services, viewer: Viewer, topic: str) -> None:
    order: list[str] = []

    async def handler(job: Job) -> None:
        await until(is_spent)
        order.append("ran")

    async def is_spent() -> bool:
        return "spent" in order

    async def spend() -> None:
        order.append("spent")

    job_id = await add(own_services.db, viewer, topic)
    runner = JobRunner(own_services, task_of(topic, handler))
    await runner.run(JobRef(DOMAIN, job_id, 0), topic, on_claimed=spend)
    await runner.run(JobRef(DOMAIN, job_id, 0), topic, on_claimed=spend)

    assert order == ["spent", "ran"]


async def test_a_handler_that_a_conflict_makes_give_way_is_run_again_in_the_same_attempt(
    own_services: Services, viewer: Viewer, topic: str
) -> None:
    tries: list[int] = []

    async def handler(job: Job) -> None:
        tries.append(job.attempt)
        async with job.services.db.write(DOMAIN, job.viewer) as session:
            await job.finish(session)
            if len(tries) < TRIES:
                await session.execute(text("do $$ begin raise exception 'in the way' using errcode = '40P01'; end $$"))

    job_id = await add(own_services.db, viewer, topic)
    await run(own_services, task_of(topic, handler), job_id)

    assert tries == [1] * TRIES
    row = await row_of(own_services.db, job_id)
    assert (row.state, row.attempt) == ("done", 1)
