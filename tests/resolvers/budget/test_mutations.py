"""Making, changing and deleting budgets."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from domains.budget.service import change_budgets
from domains.core.clock import FixedClock
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.budget.budgets import CREATE, DELETE, NOT_FOUND, UPDATE, create, creation, delete, listed, one, update
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import COFFEE, FOOD, MONTH, RENT, TODAY, account, bring, moved


async def test_a_new_budget_counts_what_is_there_already(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    await bring(client.services, client.viewer, account("Daily", [moved(TODAY, "40.00"), moved(TODAY, "2.50", status="pending")]))

    payload = await create(client, notes="For two", color="#a1b2c3", icon="🥕")

    budget = payload["budget"]
    assert payload["errors"] == []
    assert budget.pop("id")
    version = budget.pop("version")
    assert version == budget["utilization"].pop("version")
    following = (MONTH + timedelta(days=32)).replace(day=1)
    assert budget == {
        "name": "Food",
        "amount": {"amount": "100.00", "currency": "USD"},
        "period": "MONTHLY",
        "startDate": MONTH.isoformat(),
        "endDate": None,
        "status": "ACTIVE",
        "category": {"id": gid("Category", FOOD)},
        "notes": "For two",
        "color": "#a1b2c3",
        "icon": "🥕",
        "utilization": {
            "periodStart": MONTH.isoformat(),
            "periodEnd": following.isoformat(),
            "amountSpent": {"amount": "40.00", "currency": "USD"},
            "amountPending": {"amount": "2.50"},
            "amountRemaining": {"amount": "60.00"},
            "percentageUsed": "40.00",
            "isExceeded": False,
            "transactionCount": 2,
            "unconverted": [],
        },
    }


async def test_the_defaults_are_the_owners_currency_and_their_month(make_client: MakeClient) -> None:
    client = await make_client(timezone="Pacific/Kiritimati", currency="JPY")

    budget = (await create(client, amount="5000"))["budget"]

    assert budget["amount"] == {"amount": "5000", "currency": "JPY"}
    first = datetime.now(ZoneInfo("Pacific/Kiritimati")).date().replace(day=1)
    assert budget["startDate"] == first.isoformat()


async def test_a_retry_is_the_same_request_even_in_the_next_month(make_client: MakeClient) -> None:
    client, said = await make_client(), creation()

    def at(instant: datetime) -> Client:
        return client.but(services=replace(client.services, clock=FixedClock(instant)))

    before = await at(datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)).data(CREATE, input=said)
    after = await at(datetime(2026, 11, 1, tzinfo=UTC)).data(CREATE, input=said)

    assert before["budgetCreate"]["budget"]["startDate"] == "2026-10-01"
    assert after["budgetCreate"]["errors"] == []
    assert after["budgetCreate"]["budget"]["id"] == before["budgetCreate"]["budget"]["id"]
    assert len(await listed(client)) == 1


async def test_one_key_is_one_budget_and_another_input_is_an_error(make_client: MakeClient) -> None:
    client, said = await make_client(), creation()
    first = (await client.data(CREATE, input=said))["budgetCreate"]

    same = (await client.data(CREATE, input={**said, "amount": "100.00"}))["budgetCreate"]
    other = (await client.data(CREATE, input={**said, "amount": "200"}))["budgetCreate"]

    assert same["budget"]["id"] == first["budget"]["id"]
    assert other["budget"] is None
    assert [(error["__typename"], error["field"]) for error in other["errors"]] == [("IdempotencyKeyReused", "idempotencyKey")]
    assert [budget["amount"]["amount"] for budget in await listed(client)] == ["100.00"]


async def test_two_people_may_choose_the_same_key(make_client: MakeClient) -> None:
    robin, sam, said = await make_client(), await make_client(), creation(idempotencyKey="1")

    budgets = [(await client.data(CREATE, input=said))["budgetCreate"]["budget"] for client in (robin, sam)]

    assert budgets[0]["id"] != budgets[1]["id"]


async def test_twenty_calls_at_once_with_one_key_make_one_budget(make_client: MakeClient) -> None:
    client, said = await make_client(), creation()

    answers = await asyncio.gather(*(client.data(CREATE, input=said) for _ in range(20)))

    assert len({answer["budgetCreate"]["budget"]["id"] for answer in answers}) == 1
    assert all(answer["budgetCreate"]["errors"] == [] for answer in answers)
    assert len(await listed(client)) == 1


#: What is refused, in a new budget and in a change alike.
INVALID: list[tuple[dict[str, Any], str, str]] = [
    ({"name": " "}, "NameInvalid", "name"),
    ({"name": "x" * 256}, "NameInvalid", "name"),
    ({"name": "a\u0000b"}, "NameInvalid", "name"),
    ({"amount": "-0.01"}, "AmountInvalid", "amount"),
    ({"amount": "1.001"}, "AmountInvalid", "amount"),
    ({"startDate": "1969-12-31"}, "PeriodInvalid", "startDate"),
    ({"startDate": "9999-12-31"}, "PeriodInvalid", "startDate"),
    ({"startDate": "2026-11-02", "endDate": "2026-11-01"}, "PeriodInvalid", "endDate"),
    ({"color": "red"}, "LooksInvalid", "color"),
    ({"icon": "x" * 51}, "LooksInvalid", "icon"),
    ({"notes": "x" * 2_001}, "LooksInvalid", "notes"),
    ({"notes": "a\u0000b"}, "LooksInvalid", "notes"),
    ({"category": gid("Category", "NO_SUCH")}, "CategoryNotBudgetable", "category"),
    ({"category": gid("Category", "INCOME")}, "CategoryNotBudgetable", "category"),
    ({"category": gid("Budget", FOOD)}, "CategoryNotBudgetable", "category"),
    ({"category": "nonsense"}, "CategoryNotBudgetable", "category"),
]


@pytest.mark.parametrize(("said", "type_name", "field"), INVALID)
async def test_what_cannot_be_a_budget_is_refused_by_name(
    make_client: MakeClient, said: dict[str, Any], type_name: str, field: str
) -> None:
    client = await make_client()
    budget_id = (await create(client))["budget"]["id"]
    before = await listed(client)

    made = await create(client, **said)
    changed = await update(client, budget_id, **said)

    for payload in (made, changed):
        assert payload["budget"] is None
        assert [(error["__typename"], error["field"]) for error in payload["errors"]] == [(type_name, field)]
    assert await listed(client) == before


@pytest.mark.parametrize("key", ["", "x" * 256, "a\u0000b"])
async def test_a_key_that_is_none_is_refused(make_client: MakeClient, key: str) -> None:
    client = await make_client()

    payload = await create(client, idempotencyKey=key)

    assert [(error["__typename"], error["field"]) for error in payload["errors"]] == [("IdempotencyKeyInvalid", "idempotencyKey")]
    assert await listed(client) == []


async def test_what_is_no_value_of_the_schema_is_the_requests_fault(make_client: MakeClient) -> None:
    client = await make_client()

    for said in ({"amount": 100}, {"amount": "1e3"}, {"amount": "NaN"}, {"currency": "XXX"}, {"period": "monthly"}, {"startDate": "today"}):
        answer = await client.ask(CREATE, input=creation(**said))
        assert codes(answer) == ["BAD_USER_INPUT"], said
    assert await listed(client) == []


async def test_a_user_has_so_many_budgets_and_no_more(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await make_client()
    monkeypatch.setattr(change_budgets, "BUDGETS_AT_MOST", 2)

    payloads = [await create(client) for _ in range(3)]

    assert [[error["__typename"] for error in payload["errors"]] for payload in payloads] == [[], [], ["BudgetLimitReached"]]


async def test_a_change_is_of_what_is_given_and_moves_the_figures(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    rows = [moved(TODAY, "40.00"), moved(TODAY, "4.00", category_detailed=COFFEE), moved(TODAY, "900.00", category_detailed=RENT)]
    await bring(client.services, client.viewer, account("Daily", rows))
    before = (await create(client, notes="kept", endDate="2030-01-31"))["budget"]

    after = (await update(client, before["id"], name=" Coffee  only ", category=gid("Category", COFFEE), amount="3.99", endDate=None))[
        "budget"
    ]

    assert (after["name"], after["amount"]["amount"], after["notes"], after["endDate"]) == ("Coffee only", "3.99", "kept", None)
    assert after["utilization"]["amountSpent"]["amount"] == "4.00"
    assert after["utilization"]["amountRemaining"]["amount"] == "-0.01"
    assert after["utilization"]["isExceeded"] is True
    assert after["version"] > before["version"]
    assert await one(client, before["id"]) == after


async def test_changing_nothing_makes_no_version(make_client: MakeClient) -> None:
    client = await make_client()
    before = (await create(client))["budget"]

    payload = await update(client, before["id"])

    assert payload == {"budget": before, "errors": []}


@pytest.mark.parametrize("name", ["name", "category", "amount", "period", "startDate"])
async def test_what_a_budget_must_have_cannot_be_taken_away(make_client: MakeClient, name: str) -> None:
    client = await make_client()
    before = (await create(client))["budget"]

    answer = await client.ask(UPDATE, input={"id": before["id"], name: None})

    assert codes(answer) == ["BAD_USER_INPUT"]
    assert f"`{name}`" in answer["errors"][0]["message"]
    assert await one(client, before["id"]) == before


async def test_a_deleted_budget_is_gone_as_if_it_had_never_been(make_client: MakeClient) -> None:
    client = await make_client()
    budget_id = (await create(client))["budget"]["id"]

    deleted = await delete(client, budget_id)
    again = await delete(client, budget_id)

    assert deleted == {"deletedBudgetId": budget_id, "errors": []}
    assert again == {"deletedBudgetId": None, "errors": [NOT_FOUND]}
    assert (await listed(client), await one(client, budget_id)) == ([], None)
    assert (await update(client, budget_id, name="Back"))["errors"] == [NOT_FOUND]


async def test_somebody_elses_budget_is_not_there_and_stays_as_it_is(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    before = (await create(robin))["budget"]
    given = (before["id"], gid("Budget", uuid4()), gid("Category", FOOD), "nonsense", "")

    changed = [await update(sam, each, name="Mine", amount="1") for each in given]
    deleted = [await delete(sam, each) for each in given]

    assert changed == [{"budget": None, "errors": [NOT_FOUND]}] * len(given)
    assert deleted == [{"deletedBudgetId": None, "errors": [NOT_FOUND]}] * len(given)
    assert await one(sam, before["id"]) is None
    assert await one(robin, before["id"]) == before


async def test_signed_out_nothing_can_be_made_changed_or_deleted(make_client: MakeClient, nobody: Client) -> None:
    robin = await make_client()
    before = (await create(robin))["budget"]

    answers = [
        await nobody.ask(CREATE, input=creation()),
        await nobody.ask(UPDATE, input={"id": before["id"], "name": "Mine"}),
        await nobody.ask(DELETE, input={"id": before["id"]}),
    ]

    assert [(answer["data"], codes(answer)) for answer in answers] == [(None, ["UNAUTHENTICATED"])] * 3
    assert await one(robin, before["id"]) == before
