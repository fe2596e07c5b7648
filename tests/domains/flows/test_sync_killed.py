"""A fetch that is killed around any of its steps, and goes on, comes to what one that nobody killed comes to."""

from typing import Any
from uuid import UUID

import pytest

from db import jobs
from db.bank.models import sync_history
from db.base import jobs_table
from db.engines import Viewer
from db.errors import LeaseLost
from domains.bank.providers.protocol import Listener, Reached
from domains.bank.service import sync_connections as service
from domains.flows import sync_connection as flow
from domains.flows.held import HeldJob
from domains.flows.services import Services
from tests.banks import ToldBank, account, connection_of, history, link, movement, sync, with_banks
from tests.conftest import MakeUser
from tests.domains.flows.sync import accounts_of, ids_of
from tests.domains.flows.test_import_statement import Died, everything, food_budget, spent

STEPS = (
    "begin_sync",
    "fetch",
    "place_linked_accounts",
    "note_progress",
    "apply_batch",
    "record_outcome",
    "refold_held",
    "finish_sync",
    "finish",
)
OWNERS: dict[str, Any] = {
    "begin_sync": service,
    "note_progress": service,
    "finish_sync": service,
    "record_outcome": jobs,
    "finish": jobs,
}


def told() -> ToldBank:
    """A coffee of 4.50 and groceries of 100.00."""
    bought = [movement(1, "4.50", merchant_name="STARBUCKS"), movement(2, "100.00", merchant_name="WHOLE FOODS")]
    return ToldBank(accounts=[account(transactions=bought)])


async def claimed(services: Services, viewer: Viewer) -> HeldJob:
    table = jobs_table("bank")
    live = table.c.state.in_([jobs.QUEUED, jobs.RUNNING])
    async with services.db.system("bank") as session:
        mine = table.select().where(table.c.topic == service.SYNC, table.c.user_id == viewer.user_id, live)
        job_id = (await session.execute(mine)).mappings().one()["id"]
    claim = await jobs.claim(services.db, "bank", job_id, lease_s=30)
    assert claim is not None
    return HeldJob(claim, viewer)


async def run(services: Services, job: HeldJob, connection_id: UUID) -> None:
    await flow.run_sync(services, job, connection_id, "manual")


async def expire(services: Services, job: HeldJob) -> None:
    table = jobs_table("bank")
    async with services.db.system("bank") as session:
        old = table.c.created_at
        await session.execute(table.update().where(table.c.id == job.id).values(leased_until=old))


def die(patch: pytest.MonkeyPatch, owner: Any, name: str, when: str) -> None:
    real = getattr(owner, name)

    async def dying(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            await real(*args, **kwargs)
        raise Died

    patch.setattr(owner, name, dying)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_killed_around_any_step_the_next_run_ends_in_the_same(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    robin, sam = await make_user(), await make_user()
    bank, whole = told(), told()
    killed, unharmed = with_banks(services, bank), with_banks(services, whole)
    budget_id = await food_budget(services, robin)
    connection_id = await link(killed, robin)
    await link(unharmed, sam)
    await sync(unharmed, sam)
    job = await claimed(killed, robin)

    with monkeypatch.context() as patch:
        die(patch, bank if step == "fetch" else OWNERS.get(step, flow), step, when)
        with pytest.raises(Died):
            await run(killed, job, connection_id)
    between = await connection_of(killed, robin, connection_id)
    await expire(killed, job)
    await run(killed, await claimed(killed, robin), connection_id)

    assert between["sync_cursor"] is None  # never ahead of the ledger
    assert await history(killed, robin) == await history(unharmed, sam) == [("manual", "success", "done", 2, 2, 0, 0, None)]
    assert await everything(killed, robin) == await everything(unharmed, sam)
    assert len(await accounts_of(killed, robin)) == 1
    found = await connection_of(killed, robin, connection_id)
    assert (found["status"], found["last_sync_status"], found["sync_failures"]) == ("active", "success", 0)
    assert await spent(killed, robin, budget_id) == "104.5000"


async def test_what_came_and_went_while_a_fetch_was_dead_is_gone(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bank that is asked from an older place says nothing of what came and went since."""
    robin, bank = await make_user(), told()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    job = await claimed(banked, robin)
    with monkeypatch.context() as patch:
        die(patch, flow, "apply_batch", "after")
        with pytest.raises(Died):
            await run(banked, job, connection_id)
    with monkeypatch.context() as patch:
        die(patch, flow, "refold_held", "before")
        await expire(banked, job)
        with pytest.raises(Died):
            await run(banked, await claimed(banked, robin), connection_id)

    async def as_of(reached: Reached, _listener: Listener) -> None:
        removed = ["t-1"] if reached.cursor == "1" else []
        bank.accounts = [account(transactions=[movement(2, "100.00")] if reached.cursor is None else [], removed=removed)]

    bank.before = as_of
    await expire(banked, job)
    await run(banked, await claimed(banked, robin), connection_id)

    assert bank.fetched == [None, None, "1"]
    assert set(await ids_of(banked, robin)) == {"t-2"}
    assert (await history(banked, robin))[0][4:7] == (2, 0, 1)


async def test_a_run_that_lost_its_lease_takes_nothing_in(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), told()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    zombie = await claimed(banked, robin)
    await expire(banked, zombie)
    other = await claimed(banked, robin)

    with pytest.raises(LeaseLost):
        await run(banked, zombie, connection_id)
    there = await ids_of(banked, robin)
    await run(banked, other, connection_id)

    assert there == {}
    assert set(await ids_of(banked, robin)) == {"t-1", "t-2"}


async def test_a_run_that_was_held_up_does_not_bring_back_what_is_old(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    robin, bank = await make_user(), told()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    zombie = await claimed(banked, robin)
    real = flow.known_merchants

    async def held_up(*args: Any) -> Any:
        """Its process is stopped here, after it has fetched; another one does the whole of it, from a bank that has changed."""
        monkeypatch.setattr(flow, "known_merchants", real)
        await expire(banked, zombie)
        bank.accounts = [account(transactions=[movement(1, "5.00"), movement(2, "100.00")])]
        await run(banked, await claimed(banked, robin), connection_id)
        return await real(*args)

    monkeypatch.setattr(flow, "known_merchants", held_up)
    with pytest.raises(LeaseLost):
        await run(banked, zombie, connection_id)

    rows = {row[6]: row[1] for row in (await everything(banked, robin))["rows"]}
    assert rows == {"t-1": "5.0000", "t-2": "100.0000"}
    async with banked.db.write("bank", robin) as session:
        assert len((await session.execute(sync_history.select())).all()) == 1
