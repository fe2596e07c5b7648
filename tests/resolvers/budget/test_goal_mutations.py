"""Setting goals, changing and deleting them."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from domains.budget.service import change_goals
from domains.core.clock import FixedClock
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.budget.test_contributions import give
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import TODAY

ERRORS = "errors { __typename code message field }"
ALL = """fragment All on SavingsGoal {
  id name description targetAmount { amount currency } currentAmount { amount } openingAmount { amount } targetDate startedAt status
  achievedAt imageUrl color priority
}"""
CREATE = f"mutation($input: GoalCreateInput!) {{ goalCreate(input: $input) {{ goal {{ ...All }} {ERRORS} }} }} {ALL}"
UPDATE = f"mutation($input: GoalUpdateInput!) {{ goalUpdate(input: $input) {{ goal {{ ...All }} {ERRORS} }} }} {ALL}"
DELETE = f"mutation($input: GoalDeleteInput!) {{ goalDelete(input: $input) {{ deletedGoalId {ERRORS} }} }}"
LIST = f"{{ me {{ goals {{ ...All }} goalContributions {{ totalCount nodes {{ id }} }} }} }} {ALL}"
ONE = f"query($id: ID!) {{ node(id: $id) {{ ...All }} }} {ALL}"
NOT_FOUND = {"__typename": "GoalNotFound", "code": "GOAL_NOT_FOUND", "message": "There is no such goal.", "field": "id"}
PICTURE = "https://example.com/boat.png"


def creation(**said: Any) -> dict[str, Any]:
    return {"idempotencyKey": str(uuid4()), "name": "Boat", "targetAmount": "1000", **said}


async def create(client: Client, **said: Any) -> Any:
    return (await client.data(CREATE, input=creation(**said)))["goalCreate"]


async def update(client: Client, goal: str, **said: Any) -> Any:
    return (await client.data(UPDATE, input={"id": goal, **said}))["goalUpdate"]


async def delete(client: Client, goal: str) -> Any:
    return (await client.data(DELETE, input={"id": goal}))["goalDelete"]


async def one(client: Client, goal: str) -> Any:
    return (await client.data(ONE, id=goal))["node"]


async def listed(client: Client) -> list[Any]:
    goals: list[Any] = (await client.data(LIST))["me"]["goals"]
    return goals


async def test_a_new_goal_is_as_it_was_said(make_client: MakeClient) -> None:
    client = await make_client()

    payload = await create(
        client,
        name="  A  boat ",
        currency="EUR",
        openingAmount="250.5",
        startedAt="2026-01-01",
        targetDate="2190-12-31",
        description="With sails",
        color="#a1b2c3",
        imageUrl=PICTURE,
        priority=-3,
    )

    goal = payload["goal"]
    assert payload["errors"] == []
    assert await listed(client) == [goal]
    assert goal.pop("id")
    assert goal == {
        "name": "A boat",
        "description": "With sails",
        "targetAmount": {"amount": "1000.00", "currency": "EUR"},
        "currentAmount": {"amount": "250.50"},
        "openingAmount": {"amount": "250.50"},
        "targetDate": "2190-12-31",
        "startedAt": "2026-01-01",
        "status": "ACTIVE",
        "achievedAt": None,
        "imageUrl": PICTURE,
        "color": "#a1b2c3",
        "priority": -3,
    }


async def test_the_defaults_are_the_owners_currency_and_their_day(make_client: MakeClient) -> None:
    client = await make_client(timezone="Pacific/Kiritimati", currency="JPY")
    then = client.but(services=replace(client.services, clock=FixedClock(datetime(2026, 10, 31, 10, 30, tzinfo=UTC))))

    goal = (await create(then))["goal"]

    assert goal["targetAmount"] == {"amount": "1000", "currency": "JPY"}
    assert (goal["startedAt"], goal["targetDate"], goal["currentAmount"]["amount"], goal["priority"]) == ("2026-11-01", None, "0", 0)


async def test_one_key_is_one_goal_at_once_and_after_midnight_and_another_input_is_an_error(make_client: MakeClient) -> None:
    client, said = await make_client(), creation()
    tomorrow = client.but(services=replace(client.services, clock=FixedClock(datetime.now(UTC) + timedelta(days=1))))

    answers = await asyncio.gather(*(each.data(CREATE, input=said) for each in [client] * 10))
    answers.append(await tomorrow.data(CREATE, input={**said, "targetAmount": "1000.00"}))
    other = (await client.data(CREATE, input={**said, "name": "Car"}))["goalCreate"]

    assert len({answer["goalCreate"]["goal"]["id"] for answer in answers}) == 1
    assert [(each["__typename"], each["field"]) for each in other["errors"]] == [("IdempotencyKeyReused", "idempotencyKey")]
    assert len(await listed(client)) == 1


#: What is refused, in a new goal and in a change alike.
INVALID: list[tuple[dict[str, Any], str, str]] = [
    ({"name": " "}, "NameInvalid", "name"),
    ({"name": "x" * 256}, "NameInvalid", "name"),
    ({"targetAmount": "0"}, "AmountInvalid", "targetAmount"),
    ({"targetAmount": "-1"}, "AmountInvalid", "targetAmount"),
    ({"targetAmount": "1.001"}, "AmountInvalid", "targetAmount"),
    ({"targetDate": "1970-01-01"}, "GoalDatesInvalid", "targetDate"),
    ({"targetDate": "2200-01-01"}, "GoalDatesInvalid", "targetDate"),
    ({"description": "x" * 2_001}, "LooksInvalid", "description"),
    ({"description": "a\u0000b"}, "LooksInvalid", "description"),
    ({"color": "red"}, "LooksInvalid", "color"),
    ({"imageUrl": "http://example.com/a.png"}, "LooksInvalid", "imageUrl"),
    ({"imageUrl": "javascript:alert(1)"}, "LooksInvalid", "imageUrl"),
    ({"imageUrl": "https://example.com/a b"}, "LooksInvalid", "imageUrl"),
    ({"imageUrl": "https://" + "x" * 2_000}, "LooksInvalid", "imageUrl"),
]
#: What only a new one can say, and only a change.
INVALID_FIRST = [
    ({"openingAmount": "-0.01"}, "AmountInvalid", "openingAmount"),
    ({"openingAmount": "0.001"}, "AmountInvalid", "openingAmount"),
    ({"startedAt": (TODAY + timedelta(days=2)).isoformat()}, "GoalDatesInvalid", "startedAt"),
    ({"startedAt": "1969-12-31"}, "GoalDatesInvalid", "startedAt"),
    ({"idempotencyKey": ""}, "IdempotencyKeyInvalid", "idempotencyKey"),
]
INVALID_LATER = [({"status": "ACHIEVED"}, "GoalStatusInvalid", "status")]


@pytest.mark.parametrize(
    ("said", "type_name", "field", "places"),
    [*((*each, "both") for each in INVALID), *((*each, "first") for each in INVALID_FIRST), *((*each, "later") for each in INVALID_LATER)],
)
async def test_what_cannot_be_a_goal_is_refused_by_name(
    make_client: MakeClient, said: dict[str, Any], type_name: str, field: str, places: str
) -> None:
    client = await make_client()
    goal = (await create(client))["goal"]

    payloads = [] if places == "later" else [await create(client, **said)]
    payloads += [] if places == "first" else [await update(client, goal["id"], **said)]

    for payload in payloads:
        assert payload["goal"] is None
        assert [(each["__typename"], each["field"]) for each in payload["errors"]] == [(type_name, field)]
    assert await listed(client) == [goal]


async def test_a_user_has_so_many_goals_and_no_more_also_at_once(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await make_client()
    monkeypatch.setattr(change_goals, "GOALS_AT_MOST", 2)

    payloads = await asyncio.gather(*(create(client) for _ in range(4)))

    refused = [each["__typename"] for payload in payloads for each in payload["errors"]]
    assert refused == ["GoalLimitReached"] * 2
    assert len(await listed(client)) == 2


async def test_a_change_is_of_what_is_given(make_client: MakeClient) -> None:
    client = await make_client()
    before = (await create(client, description="kept", targetDate="2190-01-01", color="#a1b2c3", priority=2))["goal"]

    after = (await update(client, before["id"], name="Ship", targetDate=None, imageUrl=PICTURE, priority=1, status="PAUSED"))["goal"]

    assert after == {**before, "name": "Ship", "targetDate": None, "imageUrl": PICTURE, "priority": 1, "status": "PAUSED"}
    assert await one(client, before["id"]) == after
    assert await update(client, before["id"]) == {"goal": after, "errors": []}


@pytest.mark.parametrize("name", ["name", "targetAmount", "status", "priority"])
async def test_what_a_goal_must_have_cannot_be_taken_away(make_client: MakeClient, name: str) -> None:
    client = await make_client()
    before = (await create(client))["goal"]

    answer = await client.ask(UPDATE, input={"id": before["id"], name: None})

    assert codes(answer) == ["BAD_USER_INPUT"]
    assert f"`{name}`" in answer["errors"][0]["message"]
    assert await one(client, before["id"]) == before


async def test_what_is_saved_decides_whether_a_goal_is_achieved(make_client: MakeClient) -> None:
    client = await make_client()
    there = (await create(client, openingAmount="1000"))["goal"]
    goal = (await create(client, openingAmount="100"))["goal"]["id"]
    await give(client, goal, "400")

    lowered = (await update(client, goal, targetAmount="500"))["goal"]
    renamed = (await update(client, goal, name="Ship"))["goal"]
    raised = (await update(client, goal, targetAmount="500.01"))["goal"]
    paused = (await update(client, goal, targetAmount="1", status="PAUSED"))["goal"]
    resumed = (await update(client, goal, status="ACTIVE"))["goal"]

    assert (there["status"], there["achievedAt"] is None) == ("ACHIEVED", False)
    assert (lowered["status"], lowered["currentAmount"]["amount"]) == ("ACHIEVED", "500.00")
    assert renamed["achievedAt"] == lowered["achievedAt"]
    assert [(each["status"], each["achievedAt"]) for each in (raised, paused)] == [("ACTIVE", None), ("PAUSED", None)]
    assert resumed["status"] == "ACHIEVED"
    assert resumed["achievedAt"] > lowered["achievedAt"]


async def test_a_deleted_goal_is_gone_with_its_contributions(make_client: MakeClient) -> None:
    client = await make_client()
    goal, kept = [(await create(client, name=name))["goal"]["id"] for name in ("Boat", "Car")]
    contribution = (await give(client, goal))["goalContribution"]["id"]
    await give(client, kept)

    deleted = await delete(client, goal)
    again = await delete(client, goal)

    assert deleted == {"deletedGoalId": goal, "errors": []}
    assert again == {"deletedGoalId": None, "errors": [NOT_FOUND]}
    assert [each["id"] for each in await listed(client)] == [kept]
    assert await one(client, goal) is None
    assert await one(client, contribution) is None
    assert (await client.data(LIST))["me"]["goalContributions"]["totalCount"] == 1
    assert (await update(client, goal, name="Back"))["errors"] == [NOT_FOUND]
    assert [each["__typename"] for each in (await give(client, goal))["errors"]] == ["GoalNotFound"]
    gone = "mutation($input: GoalContributionDeleteInput!) { goalContributionDelete(input: $input) { errors { __typename } } }"
    refused = (await client.data(gone, input={"id": contribution}))["goalContributionDelete"]["errors"]
    assert refused == [{"__typename": "ContributionNotFound"}]


async def test_somebody_elses_goal_is_not_there_and_stays_as_it_is(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    before = (await create(robin))["goal"]
    given = (before["id"], gid("SavingsGoal", uuid4()), gid("Budget", uuid4()), "nonsense", "")

    changed = [await update(sam, each, name="Mine", targetAmount="1") for each in given]
    deleted = [await delete(sam, each) for each in given]

    assert changed == [{"goal": None, "errors": [NOT_FOUND]}] * len(given)
    assert deleted == [{"deletedGoalId": None, "errors": [NOT_FOUND]}] * len(given)
    assert await one(robin, before["id"]) == before


async def test_signed_out_no_goal_can_be_set_changed_or_deleted(make_client: MakeClient, nobody: Client) -> None:
    robin = await make_client()
    before = (await create(robin))["goal"]

    answers = [
        await nobody.ask(CREATE, input=creation()),
        await nobody.ask(UPDATE, input={"id": before["id"], "name": "Mine"}),
        await nobody.ask(DELETE, input={"id": before["id"]}),
    ]

    assert [(answer["data"], codes(answer)) for answer in answers] == [(None, ["UNAUTHENTICATED"])] * 3
    assert await one(robin, before["id"]) == before
