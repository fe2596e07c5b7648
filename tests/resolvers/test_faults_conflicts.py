"""A deadlock or a serialization failure is nobody's fault: what was asked for is run again, as long as nothing of it was committed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from db.attempts import TRIES, retrying
from db.engines import Db, Dsns, Viewer, WriteSession
from db.errors import Conflict
from db.user.models import users as users_table
from domains.budget.service import change_budgets
from domains.budget.service.apply_fold import apply_fold
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.db.proxy import Proxy
from tests.resolvers.budget.budgets import CREATE, UPDATE, creation, listed
from tests.resolvers.conftest import MakeClient

FIRST, SECOND = 902_001, 902_002
UNAVAILABLE = {"code": "UNAVAILABLE", "retryable": True}


async def fail_to_serialize(session: WriteSession) -> None:
    """As the server says it."""
    await session.execute(text("do $$ begin raise exception 'could not serialize access' using errcode = '40001'; end $$"))


def then(fault: Callable[[WriteSession], Awaitable[None]], times: int, run: Callable[..., Awaitable[Any]]) -> Any:
    """The use case, with the fault after it in its transaction, as often as `times`."""
    left = [times]

    async def use_case(session: WriteSession, *args: Any) -> Any:
        made = await run(session, *args)
        if left[0]:
            left[0] -= 1
            await fault(session)
        return made

    return use_case


@pytest.mark.parametrize("times", range(TRIES + 1))
async def test_a_mutation_that_cannot_be_serialized_is_run_again(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    client = await make_client()
    monkeypatch.setattr(change_budgets, "create_budget", then(fail_to_serialize, times, change_budgets.create_budget))

    answer = await client.ask(CREATE, input=creation(name="Once"))

    if times < TRIES:
        assert "errors" not in answer
        assert answer["data"]["budgetCreate"]["errors"] == []
        assert [each["name"] for each in await listed(client)] == ["Once"]
    else:
        assert [each["extensions"] for each in answer["errors"]] == [UNAVAILABLE]
        assert await listed(client) == []


async def test_a_mutation_that_a_deadlock_makes_give_way_is_run_again(
    make_client: MakeClient, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await make_client()
    has_first, waits = asyncio.Event(), asyncio.Event()

    async def meet(session: WriteSession) -> None:
        await session.execute(text(f"select pg_advisory_xact_lock({FIRST})"))
        has_first.set()
        await waits.wait()
        await session.execute(text(f"select pg_advisory_xact_lock({SECOND})"))

    async def other() -> None:
        async with db.system("budget") as session:
            await session.execute(text(f"select pg_advisory_xact_lock({SECOND})"))
            await has_first.wait()
            waits.set()
            await asyncio.sleep(0.3)  # whoever waits longer looks for a deadlock first, and gives way
            await session.execute(text(f"select pg_advisory_xact_lock({FIRST})"))

    monkeypatch.setattr(change_budgets, "create_budget", then(meet, 1, change_budgets.create_budget))
    answer, _ = await asyncio.gather(client.data(CREATE, input=creation(name="Once")), other())

    assert answer["budgetCreate"]["errors"] == []
    assert [each["name"] for each in await listed(client)] == ["Once"]


@pytest.mark.parametrize(("times", "runs"), [(1, 1), (TRIES, 2), (TRIES * TRIES, TRIES)])
async def test_what_follows_the_commit_is_run_again_by_itself(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, times: int, runs: int
) -> None:
    """The figures of a budget are folded after it is there. If they cannot be, the mutation is run again, and its key finds the budget."""
    client = await make_client()
    asked = creation(name="Once")
    replays: list[bool] = []
    create = change_budgets.create_budget

    async def watched(session: WriteSession, *args: Any) -> Any:
        changed = await create(session, *args)
        replays.append(session.is_replay)
        return changed

    monkeypatch.setattr(change_budgets, "create_budget", watched)
    monkeypatch.setattr("domains.flows.refold_budgets.apply_fold", then(fail_to_serialize, times, apply_fold))
    first = await client.ask(CREATE, input=asked)
    assert replays == [False, True, True][:runs]
    second = await client.data(CREATE, input=asked)

    if runs < TRIES:
        assert first["data"] == second
    else:
        assert [each["extensions"] for each in first["errors"]] == [UNAVAILABLE]
    assert second["budgetCreate"]["errors"] == []
    assert second["budgetCreate"]["budget"]["utilization"]["amountSpent"] == {"amount": "0.00", "currency": "USD"}
    assert [each["name"] for each in await listed(client)] == ["Once"]


@pytest.mark.parametrize("has_committed", [False, True])
async def test_a_mutation_without_a_key_is_run_again_only_while_nothing_is_committed(
    make_client: MakeClient, db: Db, monkeypatch: pytest.MonkeyPatch, has_committed: bool
) -> None:
    client = await make_client()
    made = (await client.data(CREATE, input=creation(name="Before")))["budgetCreate"]["budget"]
    assert client.viewer is not None
    viewer = client.viewer
    tries: list[None] = []
    update = change_budgets.update_budget

    async def conflicting(session: WriteSession, *args: Any) -> Any:
        tries.append(None)
        if has_committed:
            async with db.write("user", viewer) as other:
                await other.execute(users_table.update().values(full_name="Robin"))
        changed = await update(session, *args)
        if len(tries) == 1:
            await fail_to_serialize(session)
        return changed

    monkeypatch.setattr(change_budgets, "update_budget", conflicting)
    answer = await client.ask(UPDATE, input={"id": made["id"], "name": "After"})

    assert len(tries) == (1 if has_committed else 2)
    assert ("errors" in answer) is has_committed
    assert [each["name"] for each in await listed(client)] == ["Before" if has_committed else "After"]


async def test_a_mutation_whose_commit_was_not_answered_is_asked_again_and_has_happened_once(
    make_client: MakeClient, services: Services, dsns: Dsns
) -> None:
    client = await make_client()
    await client.data(CREATE, input=creation(name="Before"))
    asked = creation(name="Once")

    async with Proxy(dsns.of("budget", "app")) as proxy:
        budgets = {**dsns.domains.get("budget", {}), "app": proxy.lead(dsns.of("budget", "app"))}
        led = replace(dsns, domains={**dsns.domains, "budget": budgets})
        far = Db(led, services.redis)
        through = client.but(services=replace(services, db=far))
        await listed(through)
        proxy.swallow = b"COMMIT;"  # of what writes: a reading transaction ends without the semicolon
        lost = await through.ask(CREATE, input=asked)
        proxy.swallow = None
        answers = [await through.data(CREATE, input=asked) for _ in range(2)]
        await far.close()

    assert [each["extensions"] for each in lost["errors"]] == [UNAVAILABLE]
    assert answers[0] == answers[1]
    assert answers[0]["budgetCreate"]["errors"] == []
    assert sorted(each["name"] for each in await listed(client)) == ["Before", "Once"]


@asynccontextmanager
async def moved(db: Db, viewer: Viewer) -> AsyncIterator[WriteSession]:
    """A transaction that sees the past, after its rows were changed by another."""
    async with db.write("user", viewer) as session:
        await session.execute(text("set transaction isolation level repeatable read"))
        await session.execute(users_table.select())
        async with db.write("user", viewer) as other:
            await other.execute(users_table.update().values(full_name="Changed"))
        yield session


async def test_a_snapshot_that_is_too_old_to_write_is_a_conflict(db: Db, make_user: MakeUser) -> None:
    robin = await make_user()
    names: list[str] = []

    async def rename() -> str:
        names.append("try")
        if len(names) == 1:
            async with moved(db, robin) as session:
                await session.execute(users_table.update().values(full_name="First"))
        async with db.write("user", robin) as session:
            return str(
                (await session.execute(users_table.update().values(full_name="Robin").returning(users_table.c.full_name))).scalar_one()
            )

    with pytest.raises(Conflict):  # the other transaction of this process was a commit of the same unit of work
        await retrying(rename)
    names.clear()
    assert await retrying(rename, may_repeat=True) == "Robin"
    assert names == ["try", "try"]


async def test_tasks_of_a_unit_of_work_share_what_is_known_of_its_commits(db: Db, make_user: MakeUser) -> None:
    robin = await make_user()
    tries: list[None] = []

    async def commit() -> None:
        async with db.write("user", robin) as session:
            await session.execute(users_table.update().values(full_name="Robin"))

    async def work(commits: bool) -> None:
        tries.append(None)
        if commits:
            await asyncio.create_task(commit())
        async with db.write("user", robin) as session:
            await fail_to_serialize(session)

    for commits, expected in ((True, 1), (False, TRIES)):
        tries.clear()
        with pytest.raises(Conflict):
            await retrying(lambda: work(commits))  # noqa: B023 - used before the next turn
        assert len(tries) == expected
