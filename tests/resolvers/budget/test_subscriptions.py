"""Budgets as they move: a snapshot first, then what changed, once, whoever changed it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.budget import queries
from db.engines import Db, Dsns
from db.redis import RedisConnections
from domains.flows.services import Services
from resolvers.ids import from_global_id
from tests.resolvers.api import Answer, Client, codes, gid
from tests.resolvers.budget.budgets import create, delete, update
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import COFFEE, TODAY, account, bring, moved

FOLLOW = """subscription($ids: [ID!]) { budgetUpdated(ids: $ids) {
  budgetId version budget { id name version utilization { amountSpent { amount } amountRemaining { amount } isExceeded version } }
} }"""
BRIEF = "subscription { budgetUpdated { budget { id amount { amount } } } }"
QUIET_S = 0.4

Answers = AsyncIterator[Answer]


async def after(answers: Answers, *, within_s: float = 5.0) -> Any:
    """The next event."""
    async with asyncio.timeout(within_s):
        answer = await anext(answers)
    assert "errors" not in answer, answer
    return answer["data"]["budgetUpdated"]


async def until(answers: Answers, is_it: Callable[[Any], bool]) -> Any:
    """The first event that is what is waited for."""
    async with asyncio.timeout(5):
        while not is_it(event := await after(answers)):
            continue
    return event


async def is_quiet(answers: Answers) -> bool:
    """Whether nothing comes; ends the subscription either way."""
    try:
        await after(answers, within_s=QUIET_S)
    except TimeoutError:
        return True
    return False


async def spend(client: Client, amount: str, **changes: Any) -> None:
    assert client.viewer is not None
    await bring(client.services, client.viewer, account("Daily", [moved(TODAY, amount, **changes)]))


async def test_every_budget_as_it_is_and_then_each_that_changes(make_client: MakeClient) -> None:
    client = await make_client()
    food = (await create(client))["budget"]
    coffee = (await create(client, name="Coffee", category=gid("Category", COFFEE)))["budget"]

    async with client.following(FOLLOW) as answers:
        snapshot = [await after(answers) for _ in range(2)]
        await spend(client, "120.00")
        moved_one = await after(answers)

        assert [(event["budgetId"], event["version"]) for event in snapshot] == [(each["id"], each["version"]) for each in (food, coffee)]
        assert [event["budget"]["name"] for event in snapshot] == ["Food", "Coffee"]
        assert (moved_one["budgetId"], moved_one["budget"]["id"]) == (food["id"], food["id"])
        used = moved_one["budget"]["utilization"]
        assert (used["amountSpent"]["amount"], used["amountRemaining"]["amount"], used["isExceeded"]) == ("120.00", "-20.00", True)
        assert used["version"] == moved_one["version"] == moved_one["budget"]["version"] > food["version"]
        assert await is_quiet(answers)


async def test_a_change_of_category_moves_both_budgets_live(make_client: MakeClient) -> None:
    client = await make_client()
    coffee = (await create(client, name="Coffee", category=gid("Category", COFFEE)))["budget"]
    await spend(client, "4.00")
    [node] = (await client.data("{ me { transactions { nodes { id } } } }"))["me"]["transactions"]["nodes"]
    change = "mutation($id: ID!, $to: ID!) { transactionUpdate(input: {id: $id, category: $to}) { errors { code } } }"

    async with client.following(FOLLOW, ids=[coffee["id"]]) as answers:
        before = await after(answers)
        await client.data(change, id=node["id"], to=gid("Category", COFFEE))
        now = await after(answers)

    assert before["budget"]["utilization"]["amountSpent"]["amount"] == "0.00"
    assert now["budget"]["utilization"]["amountSpent"]["amount"] == "4.00"


async def test_only_the_budgets_asked_for_and_only_ones_own(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    wanted = (await create(robin))["budget"]["id"]
    other = (await create(robin, name="Other"))["budget"]["id"]
    theirs = (await create(sam))["budget"]["id"]

    async with robin.following(FOLLOW, ids=[wanted, theirs, gid("Budget", uuid4()), "nonsense"]) as answers:
        first = await after(answers)
        await update(robin, other, amount="5")
        await update(sam, theirs, amount="5")
        await update(robin, wanted, amount="5")
        second = await after(answers)

        assert [first["budgetId"], second["budgetId"]] == [wanted, wanted]
        assert await is_quiet(answers)


async def test_without_budgets_there_is_nothing_until_the_first_is_made(make_client: MakeClient) -> None:
    client = await make_client()

    async with client.following(FOLLOW) as answers:
        waiting = asyncio.ensure_future(after(answers))
        await asyncio.sleep(QUIET_S)
        assert not waiting.done()
        budget = (await create(client))["budget"]

        assert (await waiting)["budgetId"] == budget["id"]


async def test_changes_that_nobody_took_arrive_as_one(make_client: MakeClient) -> None:
    client = await make_client()
    budget = (await create(client))["budget"]

    async with client.following(FOLLOW) as answers, client.following(FOLLOW) as witness:
        await after(answers)
        for amount in ("1", "2", "3", "4", "5"):
            last = (await update(client, budget["id"], amount=amount, name=f"Now {amount}"))["budget"]
        await until(witness, lambda event: bool(event["version"] == last["version"]))  # all of them have arrived
        event = await after(answers)

        assert (event["version"], event["budget"]["name"]) == (last["version"], "Now 5")
        assert await is_quiet(answers)


async def test_a_deleted_budget_comes_once_more_as_null(make_client: MakeClient) -> None:
    client = await make_client()
    budget = (await create(client))["budget"]

    async with client.following(FOLLOW) as answers:
        await after(answers)
        await delete(client, budget["id"])
        gone = await after(answers)

        assert (gone["budgetId"], gone["budget"]) == (budget["id"], None)
        assert gone["version"] > budget["version"]
        assert await is_quiet(answers)


ELSEWHERE = """
import asyncio, sys
from decimal import Decimal
from uuid import UUID
from app.settings import Settings
from app.wiring import open_services
from db.engines import Viewer
from domains.budget.service.change_budgets import UpdateBudget
from domains.flows.change_budgets import update_budget

async def main():
    async with open_services(Settings()) as services:
        await update_budget(services, Viewer(UUID(sys.argv[1])), UpdateBudget(UUID(sys.argv[2]), amount=Decimal(sys.argv[3])))

asyncio.run(main())
"""


async def test_a_change_of_another_process_arrives_too(make_client: MakeClient, environment: dict[str, str]) -> None:
    client = await make_client()
    assert client.viewer is not None
    budget = (await create(client))["budget"]
    arguments = [str(client.viewer.user_id), str(key_of(budget)), "42"]

    async with client.following(FOLLOW) as answers:
        await after(answers)
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", ELSEWHERE, *arguments, env={**os.environ, **environment})
        event = await after(answers, within_s=30)
        assert await process.wait() == 0

    assert event["budget"]["utilization"]["amountRemaining"]["amount"] == "42.00"


async def test_after_redis_was_lost_what_was_missed_is_read_anew(make_client: MakeClient, redis: RedisConnections) -> None:
    client = await make_client()
    assert client.viewer is not None
    kept, changed, gone = [(await create(client, name=name))["budget"] for name in ("kept", "changed", "gone")]

    async with client.following(FOLLOW) as answers:
        for _ in range(3):
            await after(answers)
        async with client.services.db.write("budget", client.viewer) as session:  # committed, and nobody was told
            await queries.change_budget(session, key_of(changed), {"name": "changed unseen"})
            await queries.delete_budget(session, key_of(gone))
        await redis.client.client_kill_filter(_type="pubsub")
        events = [await after(answers) for _ in range(2)]

        assert [event["budgetId"] for event in events] == [changed["id"], gone["id"]]
        assert (events[0]["budget"]["name"], events[1]["budget"]) == ("changed unseen", None)
        assert kept["id"] not in [event["budgetId"] for event in events]
        assert await is_quiet(answers)


def key_of(budget: Any) -> UUID:
    key = from_global_id(budget["id"], "Budget")
    assert key is not None
    return key


class Held:
    """A read whose rows are kept back, once read, until they are let go."""

    def __init__(self, read: Any, rows_read: asyncio.Event, let_go: asyncio.Event) -> None:
        self._read, self._rows_read, self._let_go = read, rows_read, let_go

    def __getattr__(self, name: str) -> Any:
        return getattr(self._read, name)

    async def rows(self, statement: Any, **values: Any) -> Any:
        rows = await self._read.rows(statement, **values)
        self._rows_read.set()
        await self._let_go.wait()
        return rows


class HoldingDb(Db):
    """Keeps back what is read while it is holding."""

    holding = False

    def hold(self) -> tuple[asyncio.Event, asyncio.Event]:
        self.holding = True
        self.rows_read, self.let_go = asyncio.Event(), asyncio.Event()
        return self.rows_read, self.let_go

    async def open_read(self, domain: str, viewer: Any, *, fresh: bool = False) -> Any:
        read = await super().open_read(domain, viewer, fresh=fresh)
        return Held(read, self.rows_read, self.let_go) if self.holding else read


@pytest.fixture
async def holding(dsns: Dsns, redis: RedisConnections) -> AsyncIterator[HoldingDb]:
    db = HoldingDb(dsns, redis)
    yield db
    await db.close()


async def test_a_socket_never_gets_what_another_read_before_the_change(make_client: MakeClient, holding: HoldingDb) -> None:
    client = await make_client()
    budget = (await create(client))["budget"]
    slow: Services = replace(client.services, db=holding)
    sockets = client.but(services=slow)

    async with sockets.following(BRIEF) as first, sockets.following(BRIEF) as second:
        for answers in (first, second):
            await after(answers)
        rows_read, let_go = holding.hold()
        await update(client, budget["id"], amount="2")
        reading = asyncio.ensure_future(after(first))
        await rows_read.wait()
        await update(client, budget["id"], amount="3")
        await asyncio.sleep(0.1)
        joining = asyncio.ensure_future(until(second, lambda event: bool(event["budget"]["amount"]["amount"] == "3.00")))
        await asyncio.sleep(0.1)
        let_go.set()

        await joining
        assert (await reading)["budget"]["amount"]["amount"] == "2.00"


async def test_signed_out_there_is_nothing_to_follow(nobody: Client) -> None:
    async with nobody.following(FOLLOW) as answers:
        answer = await anext(answers)

        assert codes(answer) == ["UNAUTHENTICATED"]
        with pytest.raises(StopAsyncIteration):
            await anext(answers)
