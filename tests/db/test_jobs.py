import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import groupby
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select, update

from db import jobs
from db.base import DOMAINS, applied_jobs_table, jobs_table
from db.engines import Db, Viewer
from db.errors import LeaseLost
from db.jobs import Claim, JobRef
from tests.conftest import MakeUser

#: Known to no worker: what these tests leave, other tests' workers leave alone.
TOPIC = f"test.{uuid4()}"
DOMAIN = "budget"
TABLE = jobs_table(DOMAIN)


@pytest.fixture(autouse=True, scope="module")
async def _end_of_these_rows(db: Db) -> AsyncIterator[None]:
    yield
    async with db.system(DOMAIN) as session:
        await session.execute(update(TABLE).where(TABLE.c.topic == TOPIC).values(state="done", finished_at=func.now()))


@pytest.fixture
async def viewer(make_user: MakeUser) -> Viewer:
    return await make_user()


async def add(db: Db, viewer: Viewer, key: str | None = None, **options: Any) -> UUID:
    """A job that no relay of a concurrent test is told of; none of them runs while these tests do."""
    async with db.write(DOMAIN, viewer) as session:
        return await jobs.add(session, TOPIC, key=key or str(uuid4()), wake=False, **options)


async def claimed(db: Db, job_id: UUID, lease_s: float = 60) -> Claim:
    claim = await jobs.claim(db, DOMAIN, job_id, lease_s=lease_s)
    assert claim is not None
    return claim


async def row_of(db: Db, job_id: UUID) -> Any:
    async with db.system(DOMAIN) as session:
        return (await session.execute(select(TABLE).where(TABLE.c.id == job_id))).one()


async def rows_of(db: Db, key: str) -> list[Any]:
    async with db.system(DOMAIN) as session:
        return list((await session.execute(select(TABLE).where(TABLE.c.key == key).order_by(TABLE.c.created_at))).all())


async def change(db: Db, job_id: UUID, **values: Any) -> None:
    async with db.system(DOMAIN) as session:
        await session.execute(update(TABLE).where(TABLE.c.id == job_id).values(**values))


async def expire(db: Db, job_id: UUID) -> None:
    await change(db, job_id, leased_until=func.now() - timedelta(seconds=1))


async def finish(db: Db, claim: Claim) -> None:
    async with db.system(claim.domain) as session:
        await jobs.finish(session, claim)


async def is_due(db: Db, job_id: UUID) -> bool:
    return job_id in {job.ref.id for job in await jobs.due(db, (DOMAIN,), 100_000)}


async def test_a_job_belongs_to_the_sessions_viewer_and_to_nobody_in_a_system_session(db: Db, viewer: Viewer) -> None:
    mine = await add(db, viewer, payload={"n": 1})
    async with db.system(DOMAIN) as session:
        upkeep = await jobs.add(session, TOPIC, key=str(uuid4()), wake=False)

    assert (await row_of(db, mine)).user_id == viewer.user_id
    assert (await row_of(db, mine)).payload == {"n": 1}
    assert (await row_of(db, upkeep)).user_id is None


async def test_a_job_is_not_there_when_its_transaction_rolls_back(db: Db, viewer: Viewer) -> None:
    key = str(uuid4())

    async def request_and_break() -> None:
        async with db.write(DOMAIN, viewer) as session:
            await jobs.add(session, TOPIC, key=key)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await request_and_break()

    assert await rows_of(db, key) == []


async def test_twenty_workers_claim_and_one_gets_the_job(db: Db, viewer: Viewer) -> None:
    job_id = await add(db, viewer)

    claims = await asyncio.gather(*(jobs.claim(db, DOMAIN, job_id, lease_s=60) for _ in range(20)))

    [claim] = [claim for claim in claims if claim is not None]
    assert (claim.attempt, claim.lease_token, claim.user_id) == (1, 1, viewer.user_id)
    row = await row_of(db, job_id)
    assert (row.state, row.attempt, row.lease_token) == ("running", 1, 1)


async def test_a_job_for_later_is_neither_due_nor_to_be_claimed(db: Db, viewer: Viewer) -> None:
    job_id = await add(db, viewer, delay_s=60)

    assert not await is_due(db, job_id)
    assert await jobs.claim(db, DOMAIN, job_id, lease_s=60) is None


async def test_a_stale_reference_claims_nothing(db: Db, viewer: Viewer) -> None:
    job_id = await add(db, viewer)
    await jobs.release(db, await claimed(db, job_id))

    assert await jobs.claim(db, DOMAIN, job_id, lease_s=60, lease_token=0) is None
    assert await jobs.claim(db, DOMAIN, job_id, lease_s=60, lease_token=1) is not None


async def test_a_lease_lasts_as_long_as_it_is_renewed(db: Db, viewer: Viewer) -> None:
    job_id = await add(db, viewer)
    claim = await claimed(db, job_id)
    await expire(db, job_id)

    assert await jobs.renew(db, claim, 60)

    assert await jobs.claim(db, DOMAIN, job_id, lease_s=60) is None
    assert not await is_due(db, job_id)


async def test_a_zombie_can_neither_finish_nor_renew_nor_fail_and_its_effect_is_rolled_back(db: Db, viewer: Viewer) -> None:
    job_id = await add(db, viewer)
    zombie = await claimed(db, job_id)
    await expire(db, job_id)
    assert await is_due(db, job_id)
    holder = await claimed(db, job_id)
    effect = str(uuid4())

    async def finish_with_effect() -> None:
        async with db.write(DOMAIN, viewer) as session:
            await jobs.add(session, TOPIC, key=effect, wake=False)
            await jobs.finish(session, zombie)

    with pytest.raises(LeaseLost):
        await finish_with_effect()

    assert await rows_of(db, effect) == []
    assert not await jobs.renew(db, zombie, 60)
    assert await jobs.fail(db, zombie, "BROKEN", retry_in_s=0) == jobs.LOST
    assert not await jobs.release(db, zombie)
    row = await row_of(db, job_id)
    assert (row.state, row.lease_token, row.last_error) == ("running", 2, None)
    await finish(db, holder)
    assert (await row_of(db, job_id)).state == "done"


async def test_done_is_committed_with_the_effect_or_not_at_all(db: Db, viewer: Viewer) -> None:
    job_id = await add(db, viewer)
    claim = await claimed(db, job_id)

    async def finish_and_break() -> None:
        async with db.write(DOMAIN, viewer) as session:
            await jobs.finish(session, claim)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await finish_and_break()

    assert (await row_of(db, job_id)).state == "running"


async def test_a_job_is_finished_only_in_its_own_domain_and_for_its_own_user(db: Db, viewer: Viewer, make_user: MakeUser) -> None:
    claim = await claimed(db, await add(db, viewer))

    async with db.write("bank", viewer) as session:
        with pytest.raises(ValueError, match="a transaction of bank"):
            await jobs.finish(session, claim)
    async with db.write(DOMAIN, await make_user()) as session:
        with pytest.raises(ValueError, match="another user"):
            await jobs.finish(session, claim)

    assert (await row_of(db, claim.id)).state == "running"


async def test_a_second_request_joins_a_waiting_job_without_a_second_run(db: Db, viewer: Viewer) -> None:
    key = str(uuid4())
    first = await add(db, viewer, key)

    second = await add(db, viewer, key)

    assert second == first
    await finish(db, await claimed(db, first))
    assert [row.state for row in await rows_of(db, key)] == ["done"]


async def test_a_request_that_finds_its_job_running_is_followed_by_a_run_with_an_id_of_its_own(db: Db, viewer: Viewer) -> None:
    key = str(uuid4())
    first = await add(db, viewer, key, payload={"n": 1}, max_attempts=3)
    claim = await claimed(db, first)

    assert await add(db, viewer, key) == first
    await finish(db, claim)

    done, again = await rows_of(db, key)
    assert (done.id, done.state) == (first, "done")
    assert (again.state, again.attempt, again.dirty, again.payload, again.max_attempts) == ("queued", 0, False, {"n": 1}, 3)
    assert again.user_id == viewer.user_id
    assert await is_due(db, again.id)


async def test_a_request_during_the_finishing_transaction_is_not_lost(db: Db, viewer: Viewer) -> None:
    key = str(uuid4())
    first = await add(db, viewer, key)
    claim = await claimed(db, first)

    async with db.write(DOMAIN, viewer) as session:
        await jobs.finish(session, claim)
        request = asyncio.create_task(add(db, viewer, key))
        await asyncio.sleep(0.1)
        assert not request.done()
    second = await request

    assert second != first
    assert [row.state for row in await rows_of(db, key)] == ["done", "queued"]


async def test_a_failed_attempt_waits_for_its_back_off_and_counts(db: Db, viewer: Viewer) -> None:
    job_id = await add(db, viewer)

    assert await jobs.fail(db, await claimed(db, job_id), "BANK_DOWN", retry_in_s=30) == "queued"

    row = await row_of(db, job_id)
    assert (row.attempt, row.last_error, row.leased_until, row.finished_at) == (1, "BANK_DOWN", None, None)
    assert 25 < (row.run_at - row.created_at).total_seconds() < 35
    assert not await is_due(db, job_id)


async def test_a_request_brings_a_postponed_job_forward_but_not_one_that_backs_off(db: Db, viewer: Viewer) -> None:
    postponed, failed = str(uuid4()), str(uuid4())
    await add(db, viewer, postponed, delay_s=600)
    await jobs.fail(db, await claimed(db, await add(db, viewer, failed)), "BANK_DOWN", retry_in_s=600)

    assert await is_due(db, await add(db, viewer, postponed))
    assert not await is_due(db, await add(db, viewer, failed))


async def test_the_last_attempt_ends_dead_and_the_key_is_free_again(db: Db, viewer: Viewer) -> None:
    key = str(uuid4())
    job_id = await add(db, viewer, key, max_attempts=2)

    assert await jobs.fail(db, await claimed(db, job_id), "BANK_DOWN", retry_in_s=0) == "queued"
    assert await jobs.fail(db, await claimed(db, job_id), "BANK_DOWN", retry_in_s=0) == "dead"

    row = await row_of(db, job_id)
    assert (row.state, row.attempt, row.last_error) == ("dead", 2, "BANK_DOWN")
    assert row.finished_at is not None
    assert await jobs.claim(db, DOMAIN, job_id, lease_s=60) is None
    assert await add(db, viewer, key) != job_id


async def test_a_job_whose_process_always_dies_ends_dead(db: Db, viewer: Viewer) -> None:
    job_id = await add(db, viewer, max_attempts=3)
    for attempt in (1, 2, 3):
        assert (await claimed(db, job_id)).attempt == attempt
        await expire(db, job_id)

    assert await jobs.claim(db, DOMAIN, job_id, lease_s=60) is None

    row = await row_of(db, job_id)
    assert (row.state, row.attempt, row.last_error) == ("dead", 3, "PROCESS_LOST")
    assert not await is_due(db, job_id)


@pytest.mark.parametrize("how", ["reported", "process lost"])
async def test_a_request_made_during_the_last_attempt_of_a_dying_job_gets_attempts_of_its_own(db: Db, viewer: Viewer, how: str) -> None:
    key = str(uuid4())
    job_id = await add(db, viewer, key, max_attempts=1)
    claim = await claimed(db, job_id)
    await add(db, viewer, key)

    if how == "reported":
        await jobs.fail(db, claim, "BROKEN", retry_in_s=0)
    else:
        await expire(db, job_id)
        assert await jobs.claim(db, DOMAIN, job_id, lease_s=60) is None

    dead, fresh = await rows_of(db, key)
    assert (dead.id, dead.state) == (job_id, "dead")
    assert (fresh.state, fresh.attempt) == ("queued", 0)


async def test_a_job_given_back_has_its_attempt_again(db: Db, viewer: Viewer) -> None:
    job_id = await add(db, viewer, max_attempts=1)
    claim = await claimed(db, job_id)

    assert await jobs.release(db, claim)

    row = await row_of(db, job_id)
    assert (row.state, row.attempt, row.lease_token) == ("queued", 0, 1)
    assert await is_due(db, job_id)
    with pytest.raises(LeaseLost):
        await finish(db, claim)
    assert (await claimed(db, job_id)).attempt == 1


async def test_a_job_is_postponed_unless_somebody_has_it(db: Db, viewer: Viewer) -> None:
    waiting, abandoned, held = [await add(db, viewer) for _ in range(3)]
    for job_id in (abandoned, held):
        await claimed(db, job_id)
    await expire(db, abandoned)

    for job_id, token in ((waiting, 0), (abandoned, 1), (held, 1)):
        await jobs.postpone(db, JobRef(DOMAIN, job_id, token), 60)

    states = [(row.state, row.attempt) for row in [await row_of(db, job_id) for job_id in (waiting, abandoned, held)]]
    assert states == [("queued", 0), ("queued", 1), ("running", 1)]
    assert not await is_due(db, waiting)
    assert not await is_due(db, abandoned)


async def test_what_is_due_is_read_for_all_domains_in_one_statement_longest_waiting_first(db: Db, viewer: Viewer) -> None:
    expected = []
    for index, domain in enumerate(DOMAINS):
        async with db.write(domain, viewer) as session:
            job_id = await jobs.add(session, "test.due", key=str(uuid4()), wake=False)
        async with db.system(domain) as session:
            table = jobs_table(domain)
            waiting_since = func.now() - timedelta(days=10 - index)
            await session.execute(update(table).where(table.c.id == job_id).values(run_at=waiting_since))
        expected.append(JobRef(domain, job_id, 0))

    by_database = groupby(DOMAINS, key=lambda domain: db.dsns.of(domain, "system"))  # one, but where domains live apart
    due = [job for _, domains in by_database for job in await jobs.due(db, tuple(domains), 100_000)]
    found = [job for job in due if job.user_id == viewer.user_id]

    assert [job.ref for job in found] == expected
    assert {job.payload for job in found} == {None}
    assert len(await jobs.due(db, (DOMAIN,), 1)) <= 2
    for ref in expected:
        async with db.system(ref.domain) as session:
            await session.execute(update(jobs_table(ref.domain)).where(jobs_table(ref.domain).c.id == ref.id).values(state="done"))


async def test_a_fence_lets_an_effect_in_once_however_many_runs_there_are(db: Db, viewer: Viewer) -> None:
    job_id = uuid4()

    async def run() -> bool:
        async with db.write("transaction", viewer) as session:
            return await jobs.applied(session, job_id)

    assert sorted(await asyncio.gather(*(run() for _ in range(8)))) == [False] + [True] * 7


async def test_a_fence_is_lifted_when_the_effect_is_rolled_back(db: Db, viewer: Viewer) -> None:
    job_id = uuid4()

    async def apply_and_break() -> None:
        async with db.write("transaction", viewer) as session:
            assert not await jobs.applied(session, job_id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await apply_and_break()

    async with db.write("transaction", viewer) as session:
        assert not await jobs.applied(session, job_id)


async def test_a_fence_remembers_what_the_effect_came_to(db: Db, viewer: Viewer) -> None:
    job_id = uuid4()
    async with db.write("transaction", viewer) as session:
        await jobs.applied(session, job_id)
        assert await jobs.find_outcome(session, job_id) is None

        await jobs.record_outcome(session, job_id, {"added": 3})

    async with db.write("transaction", viewer) as session:
        assert await jobs.find_outcome(session, job_id) == {"added": 3}


async def test_another_user_sees_neither_job_nor_fence(db: Db, viewer: Viewer, make_user: MakeUser) -> None:
    job_id, stranger = await add(db, viewer), await make_user()
    async with db.write(DOMAIN, viewer) as session:
        await jobs.applied(session, job_id)

    async with db.write(DOMAIN, stranger) as session:
        seen = (await session.execute(select(TABLE.c.id).where(TABLE.c.id == job_id))).all()
        outcome = await jobs.find_outcome(session, job_id)

    assert (seen, outcome) == ([], None)


async def test_a_job_that_its_requester_runs_is_born_claimed(db: Db, viewer: Viewer) -> None:
    key = str(uuid4())
    async with db.write(DOMAIN, viewer) as session:
        held = await jobs.add_held(session, TOPIC, key=key, lease_s=60, payload={"n": 1})
    assert held is not None
    assert (held.attempt, held.payload) == (1, {"n": 1})
    assert await jobs.claim(db, DOMAIN, held.id, lease_s=60) is None

    async with db.write(DOMAIN, viewer) as session:
        assert await jobs.add_held(session, TOPIC, key=key, lease_s=60) is None
    await finish(db, held)

    assert [row.state for row in await rows_of(db, key)] == ["done", "queued"]


async def test_a_held_job_whose_process_is_killed_is_taken_over(db: Db, viewer: Viewer) -> None:
    async with db.write(DOMAIN, viewer) as session:
        held = await jobs.add_held(session, TOPIC, key=str(uuid4()), lease_s=60)
    assert held is not None
    await expire(db, held.id)

    taken = await jobs.claim(db, DOMAIN, held.id, lease_s=60, lease_token=1)

    assert taken is not None
    assert taken.attempt == 2
    with pytest.raises(LeaseLost):
        await finish(db, held)


async def test_upkeep_is_added_once_per_id_and_one_at_a_time(db: Db) -> None:
    first, second, topic = uuid4(), uuid4(), f"test.{uuid4()}"

    async def add_once(job_id: UUID) -> bool:
        async with db.system(DOMAIN) as session:
            return await jobs.add_once(session, topic, job_id=job_id, key="scheduled", payload={})

    assert await add_once(first)
    assert not await add_once(first)
    assert not await add_once(second)
    await finish(db, await claimed(db, first))
    assert not await add_once(first)
    assert await add_once(second)
    await finish(db, await claimed(db, second))


async def test_old_rows_are_purged_and_nothing_else(db: Db, viewer: Viewer) -> None:
    ages = {"done": 47, "dead": 24 * 89, "queued": 24 * 400, "running": 24 * 400}
    young = [await add(db, viewer, f"young-{viewer.user_id}-{state}") for state in ages]
    old = [await add(db, viewer, f"old-{viewer.user_id}-{state}") for state in ("done", "dead")]
    for job_id, (state, hours) in zip(young, ages.items(), strict=True):
        await change(db, job_id, state=state, finished_at=func.now() - timedelta(hours=hours), leased_until=func.now())
    await change(db, old[0], state="done", finished_at=func.now() - timedelta(hours=49))
    await change(db, old[1], state="dead", finished_at=func.now() - timedelta(days=91))
    fences = applied_jobs_table(DOMAIN)
    async with db.system(DOMAIN) as session:
        for job_id, days in ((old[0], 31), (young[0], 29)):
            await session.execute(insert(fences).values(job_id=job_id, applied_at=func.now() - timedelta(days=days)))

    async with db.system(DOMAIN) as session:
        assert await jobs.purge(session) >= 3

    async with db.system(DOMAIN) as session:
        kept = set((await session.execute(select(TABLE.c.id).where(TABLE.c.user_id == viewer.user_id))).scalars())
        fenced = set((await session.execute(select(fences.c.job_id).where(fences.c.job_id.in_([old[0], young[0]])))).scalars())
    assert kept == set(young)
    assert fenced == {young[0]}
    await change(db, young[2], state="done", finished_at=func.now())
    await change(db, young[3], state="done", finished_at=func.now())


async def test_a_purge_is_bounded(db: Db, viewer: Viewer) -> None:
    for _ in range(3):
        await change(db, await add(db, viewer), state="done", finished_at=func.now() - timedelta(days=3))

    async with db.system(DOMAIN) as session:
        assert await jobs.purge(session, limit=2) == 2


async def test_the_relay_is_woken_for_what_is_due_now(db: Db, viewer: Viewer) -> None:
    async with db.write(DOMAIN, viewer) as session:
        await jobs.add(session, TOPIC, key=str(uuid4()), delay_s=60)
        await jobs.add(session, TOPIC, key=str(uuid4()), wake=False)
        assert not session.wakes

        await jobs.add(session, TOPIC, key=str(uuid4()))

        assert session.wakes
