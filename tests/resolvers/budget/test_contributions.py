"""Putting aside for a goal and taking out again."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from db.budget.models import goal_contributions
from domains.budget.service import contribute_to_goals as service
from domains.core.clock import FixedClock
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import TODAY, add_goal

ERRORS = "errors { __typename code message field }"
GOAL = "id currentAmount { amount currency } openingAmount { amount } status achievedAt percentageComplete contributions { totalCount }"
ROW = "id amount { amount currency } contributionDate notes createdAt"
CREATE = f"""mutation($input: GoalContributionCreateInput!) {{ goalContributionCreate(input: $input) {{
  goalContribution {{ {ROW} goal {{ {GOAL} }} }} {ERRORS} }} }}"""
DELETE = f"""mutation($input: GoalContributionDeleteInput!) {{ goalContributionDelete(input: $input) {{
  deletedGoalContributionId goal {{ {GOAL} }} {ERRORS} }} }}"""
ONE_GOAL = f"query($id: ID!) {{ node(id: $id) {{ ... on SavingsGoal {{ {GOAL} updatedAt imageUrl }} }} }}"
ONE = f"query($id: ID!) {{ node(id: $id) {{ ... on GoalContribution {{ {ROW} goal {{ id }} }} }} }}"
ALL = f"""query($filter: GoalContributionFilter, $sort: GoalContributionSort, $first: Int, $after: String) {{ me {{
  goalContributions(filter: $filter, sort: $sort, first: $first, after: $after) {{
    nodes {{ {ROW} goal {{ id }} }} totalCount pageInfo {{ hasNextPage endCursor }} }} }} }}"""
OF_GOALS = f"""query($first: Int) {{ me {{ goals {{ name contributions(first: $first) {{ nodes {{ {ROW} }} totalCount }} }} }} }}"""
NO_GOAL = [{"__typename": "GoalNotFound", "code": "GOAL_NOT_FOUND", "message": "There is no such goal.", "field": "goalId"}]
GONE = [
    {"__typename": "ContributionNotFound", "code": "CONTRIBUTION_NOT_FOUND", "message": "There is no such contribution.", "field": "id"}
]


async def a_goal(client: Client, name: str = "Boat", **changes: Any) -> str:
    """A goal of 1,000 US dollars of which 250 are saved."""
    assert client.viewer is not None
    return gid("SavingsGoal", await add_goal(client.services, client.viewer, name, **changes))


def creation(goal: str, amount: str = "50", **said: Any) -> dict[str, Any]:
    return {"idempotencyKey": str(uuid4()), "goalId": goal, "amount": amount, **said}


async def give(client: Client, goal: str, amount: str = "50", **said: Any) -> Any:
    return (await client.data(CREATE, input=creation(goal, amount, **said)))["goalContributionCreate"]


async def undo(client: Client, contribution: str) -> Any:
    return (await client.data(DELETE, input={"id": contribution}))["goalContributionDelete"]


async def the_goal(client: Client, goal: str) -> Any:
    return (await client.data(ONE_GOAL, id=goal))["node"]


async def test_a_contribution_is_in_what_is_saved(make_client: MakeClient) -> None:
    client = await make_client()
    goal = await a_goal(client)

    payload = await give(client, goal, "50.25", notes="Birthday", contributionDate="2026-03-01")

    made = payload["goalContribution"]
    assert payload["errors"] == []
    assert made.pop("id")
    assert made.pop("createdAt")
    assert made == {
        "amount": {"amount": "50.25", "currency": "USD"},
        "contributionDate": "2026-03-01",
        "notes": "Birthday",
        "goal": {
            "id": goal,
            "currentAmount": {"amount": "300.25", "currency": "USD"},
            "openingAmount": {"amount": "250.00"},
            "status": "ACTIVE",
            "achievedAt": None,
            "percentageComplete": "30.02",
            "contributions": {"totalCount": 1},
        },
    }


async def test_the_day_is_by_default_today_where_its_owner_lives(make_client: MakeClient) -> None:
    east, west = await make_client(timezone="Pacific/Kiritimati"), await make_client(timezone="Pacific/Pago_Pago")
    instant = datetime(2026, 10, 31, 10, 30, tzinfo=UTC)

    days = []
    for client in (east, west):
        then = client.but(services=replace(client.services, clock=FixedClock(instant)))
        days.append((await give(then, await a_goal(then)))["goalContribution"]["contributionDate"])

    assert days == ["2026-11-01", "2026-10-30"]


async def test_a_retry_is_the_same_contribution_even_after_midnight(make_client: MakeClient) -> None:
    client = await make_client()
    said = creation(await a_goal(client))

    def at(instant: datetime) -> Client:
        return client.but(services=replace(client.services, clock=FixedClock(instant)))

    before = await at(datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)).data(CREATE, input=said)
    after = await at(datetime(2026, 11, 1, tzinfo=UTC)).data(CREATE, input={**said, "amount": "50.00"})
    other = (await client.data(CREATE, input={**said, "amount": "51"}))["goalContributionCreate"]

    assert before == after
    assert before["goalContributionCreate"]["goalContribution"]["contributionDate"] == "2026-10-31"
    assert [(each["__typename"], each["field"]) for each in other["errors"]] == [("IdempotencyKeyReused", "idempotencyKey")]
    assert (await the_goal(client, said["goalId"]))["currentAmount"]["amount"] == "300.00"


async def test_twenty_at_once_lose_nothing_and_one_key_counts_once(make_client: MakeClient) -> None:
    client = await make_client()
    goal = await a_goal(client)
    same = creation(goal, "1000", notes="once")

    await asyncio.gather(
        *(give(client, goal, f"{number}.01") for number in range(1, 21)), *(client.data(CREATE, input=same) for _ in range(3))
    )

    found = await the_goal(client, goal)
    assert found["currentAmount"]["amount"] == f"{250 + 210 + Decimal('0.20') + 1000:.2f}"
    assert found["contributions"]["totalCount"] == 21


async def test_reaching_the_target_is_noted_and_falling_below_it_opens_the_goal_again(make_client: MakeClient) -> None:
    client = await make_client()
    goal = await a_goal(client)
    before = await the_goal(client, goal)

    reached = (await give(client, goal, "750"))["goalContribution"]["goal"]
    beyond = (await give(client, goal, "10"))["goalContribution"]["goal"]
    back = (await give(client, goal, "-10.01"))["goalContribution"]
    open_again = await the_goal(client, goal)
    undone = (await undo(client, back["id"]))["goal"]

    assert (before["status"], reached["status"], reached["percentageComplete"]) == ("ACTIVE", "ACHIEVED", "100.00")
    assert reached["achievedAt"] is not None
    assert reached["achievedAt"] == beyond["achievedAt"]
    assert (open_again["status"], open_again["achievedAt"], open_again["currentAmount"]["amount"]) == ("ACTIVE", None, "999.99")
    assert (undone["status"], undone["currentAmount"]["amount"]) == ("ACHIEVED", "1010.00")
    assert undone["achievedAt"] > reached["achievedAt"]


async def test_a_goal_that_rests_rests_though_its_target_is_reached(make_client: MakeClient) -> None:
    client = await make_client()

    for status in ("paused", "abandoned"):
        found = (await give(client, await a_goal(client, status, status=status), "750"))["goalContribution"]["goal"]
        assert (found["status"], found["achievedAt"]) == (status.upper(), None)


async def test_no_more_is_taken_out_than_is_saved(make_client: MakeClient) -> None:
    client = await make_client()
    goal = await a_goal(client)

    refused = await give(client, goal, "-250.01")
    emptied = await give(client, goal, "-250")
    filled = (await give(client, goal, "20"))["goalContribution"]["id"]
    await give(client, goal, "-15")
    kept = await undo(client, filled)

    assert refused["goalContribution"] is None
    assert [(each["__typename"], each["field"]) for each in refused["errors"]] == [("GoalOverdrawn", "amount")]
    assert emptied["goalContribution"]["goal"]["currentAmount"]["amount"] == "0.00"
    assert (kept["deletedGoalContributionId"], kept["goal"]) == (None, None)
    assert [(each["__typename"], each["field"]) for each in kept["errors"]] == [("GoalOverdrawn", "id")]
    assert (await the_goal(client, goal))["currentAmount"]["amount"] == "5.00"


async def test_withdrawals_at_once_do_not_overdraw(make_client: MakeClient) -> None:
    client = await make_client()
    goal = await a_goal(client)

    answers = await asyncio.gather(*(give(client, goal, "-100") for _ in range(6)))

    assert sorted(len(each["errors"]) for each in answers) == [0, 0, 1, 1, 1, 1]
    assert (await the_goal(client, goal))["currentAmount"]["amount"] == "50.00"


async def test_undoing_is_as_if_it_had_never_been_and_done_once(make_client: MakeClient) -> None:
    client = await make_client()
    goal = await a_goal(client)
    before = await the_goal(client, goal)
    made = (await give(client, goal))["goalContribution"]["id"]

    answers = await asyncio.gather(*(undo(client, made) for _ in range(3)))

    assert sorted(str(each["deletedGoalContributionId"]) for each in answers) == sorted(["None", "None", made])
    assert [each["errors"] for each in answers if each["goal"] is None] == [GONE, GONE]
    after = await the_goal(client, goal)
    assert after.pop("updatedAt") > before.pop("updatedAt")
    assert after == before
    assert (await client.data(ONE, id=made)) == {"node": None}


@pytest.mark.parametrize(
    ("said", "type_name", "field"),
    [
        ({"amount": "0"}, "AmountInvalid", "amount"),
        ({"amount": "0.001"}, "AmountInvalid", "amount"),
        ({"amount": "-1000000000000000"}, "AmountInvalid", "amount"),
        ({"amount": "999999999999999"}, "AmountInvalid", "amount"),
        ({"contributionDate": (TODAY + timedelta(days=2)).isoformat()}, "ContributionDateInvalid", "contributionDate"),
        ({"contributionDate": "1969-12-31"}, "ContributionDateInvalid", "contributionDate"),
        ({"notes": "x" * 2_001}, "LooksInvalid", "notes"),
        ({"notes": "a\u0000b"}, "LooksInvalid", "notes"),
        ({"idempotencyKey": ""}, "IdempotencyKeyInvalid", "idempotencyKey"),
    ],
)
async def test_what_cannot_be_a_contribution_is_refused_and_nothing_is_written(
    make_client: MakeClient, said: dict[str, Any], type_name: str, field: str
) -> None:
    client = await make_client()
    goal = await a_goal(client)
    before = await the_goal(client, goal)

    payload = await give(client, goal, **said)

    assert payload["goalContribution"] is None
    assert [(each["__typename"], each["field"]) for each in payload["errors"]] == [(type_name, field)]
    assert await the_goal(client, goal) == before


async def test_a_goal_in_yen_takes_whole_ones(make_client: MakeClient) -> None:
    client = await make_client()
    goal = await a_goal(client, currency="JPY")

    assert [each["__typename"] for each in (await give(client, goal, "1.5"))["errors"]] == ["AmountInvalid"]
    assert (await give(client, goal, "5"))["goalContribution"]["amount"] == {"amount": "5", "currency": "JPY"}


async def test_a_goal_has_so_many_contributions_and_no_more(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await make_client()
    goal = await a_goal(client)
    monkeypatch.setattr(service, "CONTRIBUTIONS_AT_MOST", 2)

    payloads = [await give(client, goal) for _ in range(3)]

    assert [[each["__typename"] for each in payload["errors"]] for payload in payloads] == [[], [], ["ContributionLimitReached"]]
    assert (await the_goal(client, goal))["currentAmount"]["amount"] == "350.00"


async def test_somebody_elses_goal_and_contribution_are_not_there_and_stay(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    goal = await a_goal(robin)
    made = (await give(robin, goal))["goalContribution"]["id"]
    before = await the_goal(robin, goal)

    for given in (goal, gid("SavingsGoal", uuid4()), gid("Budget", uuid4()), "nonsense", ""):
        assert await give(sam, given) == {"goalContribution": None, "errors": NO_GOAL}
    for given in (made, gid("GoalContribution", uuid4()), goal, "nonsense", ""):
        assert await undo(sam, given) == {"deletedGoalContributionId": None, "goal": None, "errors": GONE}

    assert await the_goal(robin, goal) == before
    assert (await sam.data(ONE, id=made)) == {"node": None}
    async with sam.services.db.write("budget", sam.viewer) as session:
        assert (await session.execute(select(goal_contributions))).all() == []


async def test_signed_out_nothing_is_put_aside_or_undone(make_client: MakeClient, nobody: Client) -> None:
    robin = await make_client()
    goal = await a_goal(robin)
    made = (await give(robin, goal))["goalContribution"]["id"]

    answers = [await nobody.ask(CREATE, input=creation(goal)), await nobody.ask(DELETE, input={"id": made})]

    assert [(answer["data"], codes(answer)) for answer in answers] == [(None, ["UNAUTHENTICATED"])] * 2
    assert (await the_goal(robin, goal))["contributions"]["totalCount"] == 1


async def test_lists_are_by_day_narrowed_and_paged(make_client: MakeClient) -> None:
    client = await make_client()
    boat, car = await a_goal(client), await a_goal(client, "Car")
    days = ["2026-01-05", "2026-03-05", "2026-02-05", "2026-03-05"]
    for goal, day in zip([boat, boat, car, car], days, strict=True):
        await give(client, goal, contributionDate=day)

    async def found(**variables: Any) -> tuple[list[str], int]:
        page = (await client.data(ALL, **variables))["me"]["goalContributions"]
        return [node["contributionDate"] for node in page["nodes"]], page["totalCount"]

    assert await found() == (["2026-03-05", "2026-03-05", "2026-02-05", "2026-01-05"], 4)
    assert await found(sort="OLDEST", first=2) == (["2026-01-05", "2026-02-05"], 4)
    assert await found(filter={"goalIds": [boat]}) == (["2026-03-05", "2026-01-05"], 2)
    assert await found(filter={"goalIds": [car, "nonsense"], "since": "2026-02-05", "until": "2026-03-05"}) == (["2026-02-05"], 1)
    assert await found(filter={"goalIds": []}) == ([], 0)
    for sort in ("NEWEST", "OLDEST"):
        whole = [node["id"] for node in (await client.data(ALL, sort=sort))["me"]["goalContributions"]["nodes"]]
        walked, after = [], None
        for _ in whole:
            page = (await client.data(ALL, sort=sort, first=1, after=after))["me"]["goalContributions"]
            walked += [node["id"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
        assert walked == whole


async def test_each_goal_has_its_own_and_both_ways_agree(make_client: MakeClient) -> None:
    client = await make_client()
    boat, _ = await a_goal(client), await a_goal(client, "Car")
    for amount in ("1", "2", "3"):
        await give(client, boat, amount)

    planned, _ = await client.counted(OF_GOALS, planned=True, first=2)
    interpreted, _ = await client.counted(OF_GOALS, planned=False, first=2)

    assert planned == interpreted
    counts = {goal["name"]: (len(goal["contributions"]["nodes"]), goal["contributions"]["totalCount"]) for goal in planned["me"]["goals"]}
    assert counts == {"Boat": (2, 3), "Car": (0, 0)}
