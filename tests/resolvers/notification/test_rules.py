"""Rules of notification: what they may say, and whose they are."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from domains.notification.service import change_rules
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.budget.budgets import create as create_budget
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import COFFEE, FOOD
from tests.resolvers.notification.notices import ERRORS

ALL = """fragment All on NotificationRule {
  id name ruleType enabled channels maxFrequency priority lastTriggeredAt triggerCount
  conditions { amountThreshold { amount currency } categoryIds budgetIds timeOfDay { start end } daysOfWeek }
}"""
CREATE = f"""mutation($input: NotificationRuleCreateInput!) {{
  notificationRuleCreate(input: $input) {{ notificationRule {{ ...All }} {ERRORS} }}
}} {ALL}"""
UPDATE = f"""mutation($input: NotificationRuleUpdateInput!) {{
  notificationRuleUpdate(input: $input) {{ notificationRule {{ ...All }} {ERRORS} }}
}} {ALL}"""
DELETE = f"""mutation($input: NotificationRuleDeleteInput!) {{
  notificationRuleDelete(input: $input) {{ deletedNotificationRuleId {ERRORS} }}
}}"""
LIST = f"{{ me {{ notificationRules {{ ...All }} }} }} {ALL}"
ONE = f"query($id: ID!) {{ node(id: $id) {{ ...All }} }} {ALL}"
NOT_FOUND = {
    "__typename": "NotificationRuleNotFound",
    "code": "NOTIFICATION_RULE_NOT_FOUND",
    "message": "There is no such rule.",
    "field": "id",
}
NOTHING: dict[str, Any] = {"amountThreshold": None, "categoryIds": [], "budgetIds": [], "timeOfDay": None, "daysOfWeek": []}
OFFICE = {"start": "09:00", "end": "18:00"}
WEEKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]


def creation(**said: Any) -> dict[str, Any]:
    """What the design document gives as its example, unless said otherwise."""
    example = {
        "idempotencyKey": str(uuid4()),
        "name": "Out",
        "ruleType": "CUSTOM",
        "conditions": {
            "amountThreshold": {"amount": "500"},
            "categoryIds": [gid("Category", FOOD), gid("Category", "ENTERTAINMENT")],
            "timeOfDay": OFFICE,
            "daysOfWeek": WEEKDAYS,
        },
    }
    return {**example, **said}


async def create(client: Client, **said: Any) -> Any:
    return (await client.data(CREATE, input=creation(**said)))["notificationRuleCreate"]


async def update(client: Client, rule_id: str, **said: Any) -> Any:
    return (await client.data(UPDATE, input={"id": rule_id, **said}))["notificationRuleUpdate"]


async def delete(client: Client, rule_id: str) -> Any:
    return (await client.data(DELETE, input={"id": rule_id}))["notificationRuleDelete"]


async def listed(client: Client) -> list[Any]:
    return list((await client.data(LIST))["me"]["notificationRules"])


async def test_the_documents_example_is_a_rule(make_client: MakeClient) -> None:
    client = await make_client(currency="EUR")

    made = await create(
        client, name="  Out   and about ", channels=["IN_APP", "EMAIL"], maxFrequency="DAILY", priority="HIGH", enabled=False
    )

    rule = made["notificationRule"]
    assert made["errors"] == []
    assert {**rule, "id": None} == {
        "id": None,
        "name": "Out and about",
        "ruleType": "CUSTOM",
        "enabled": False,
        "channels": ["IN_APP", "EMAIL"],
        "maxFrequency": "DAILY",
        "priority": "HIGH",
        "lastTriggeredAt": None,
        "triggerCount": 0,
        "conditions": {
            "amountThreshold": {"amount": "500.00", "currency": "EUR"},
            "categoryIds": [gid("Category", FOOD), gid("Category", "ENTERTAINMENT")],
            "budgetIds": [],
            "timeOfDay": OFFICE,
            "daysOfWeek": WEEKDAYS,
        },
    }
    assert await listed(client) == [rule]
    assert (await client.data(ONE, id=rule["id"]))["node"] == rule


async def test_a_rule_says_no_more_than_it_was_told(make_client: MakeClient) -> None:
    client = await make_client()
    budget = (await create_budget(client))["budget"]["id"]

    plain = await create(client, ruleType="BUDGET_THRESHOLD", conditions={})
    one = await create(
        client, ruleType="BUDGET_THRESHOLD", conditions={"budgetIds": [budget], "timeOfDay": {"start": "22:00", "end": "06:30"}}
    )
    large = await create(client, ruleType="LARGE_TRANSACTION", conditions={"amountThreshold": {"amount": "1000", "currency": "JPY"}})

    rules = [each["notificationRule"] for each in (plain, one, large)]
    assert [rule["conditions"] for rule in rules] == [
        NOTHING,
        {**NOTHING, "budgetIds": [budget], "timeOfDay": {"start": "22:00", "end": "06:30"}},
        {**NOTHING, "amountThreshold": {"amount": "1000", "currency": "JPY"}},
    ]
    assert [(rule["channels"], rule["enabled"], rule["maxFrequency"], rule["priority"]) for rule in rules] == [
        (["IN_APP"], True, "IMMEDIATE", "NORMAL")
    ] * 3


FROM_500 = {"amountThreshold": {"amount": "500"}}
#: What a rule of the type cannot say: (type, conditions, the field at fault).
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("LARGE_TRANSACTION", {}, "conditions.amountThreshold"),
    ("LARGE_TRANSACTION", {"amountThreshold": None, "daysOfWeek": ["MONDAY"]}, "conditions.amountThreshold"),
    ("LARGE_TRANSACTION", {**FROM_500, "budgetIds": [gid("Budget", uuid4())]}, "conditions.budgetIds"),
    ("BUDGET_THRESHOLD", FROM_500, "conditions.amountThreshold"),
    ("BUDGET_THRESHOLD", {"categoryIds": [gid("Category", FOOD)]}, "conditions.categoryIds"),
    ("CATEGORY_LIMIT", FROM_500, "conditions.categoryIds"),
    ("CATEGORY_LIMIT", {"categoryIds": [gid("Category", FOOD)]}, "conditions.amountThreshold"),
    ("CUSTOM", {}, "conditions"),
    ("CUSTOM", {"categoryIds": [], "daysOfWeek": []}, "conditions"),
    ("CUSTOM", {"amountThreshold": {"amount": "0"}}, "conditions.amountThreshold.amount"),
    ("CUSTOM", {"amountThreshold": {"amount": "-1"}}, "conditions.amountThreshold.amount"),
    ("CUSTOM", {"amountThreshold": {"amount": "1.001"}}, "conditions.amountThreshold.amount"),
    ("CUSTOM", {"amountThreshold": {"amount": "1.5", "currency": "JPY"}}, "conditions.amountThreshold.amount"),
    ("CUSTOM", {"timeOfDay": {"start": "09:00", "end": "09:00"}}, "conditions.timeOfDay"),
    ("CUSTOM", {"daysOfWeek": ["MONDAY", "MONDAY"]}, "conditions.daysOfWeek"),
    ("CUSTOM", {"categoryIds": [gid("Category", FOOD)] * 2}, "conditions.categoryIds"),
    ("CUSTOM", {"categoryIds": [gid("Category", f"C{number}") for number in range(101)]}, "conditions.categoryIds"),
]


@pytest.mark.parametrize(("rule_type", "conditions", "field"), REFUSED)
async def test_conditions_that_make_no_rule_of_its_type_are_refused_where_they_stand(
    make_client: MakeClient, rule_type: str, conditions: dict[str, Any], field: str
) -> None:
    client = await make_client()
    budget = (await create_budget(client))["budget"]["id"]
    if "budgetIds" in conditions:
        conditions = {**conditions, "budgetIds": [budget]}
    good = {
        "LARGE_TRANSACTION": FROM_500,
        "BUDGET_THRESHOLD": {},
        "CATEGORY_LIMIT": {**FROM_500, "categoryIds": [gid("Category", FOOD)]},
        "CUSTOM": FROM_500,
    }
    rule = (await create(client, ruleType=rule_type, conditions=good[rule_type]))["notificationRule"]

    made = await create(client, ruleType=rule_type, conditions=conditions)
    changed = await update(client, rule["id"], name="Else", conditions=conditions)

    for payload in (made, changed):
        assert payload["notificationRule"] is None
        assert [(error["code"], error["field"]) for error in payload["errors"]] == [("NOTIFICATION_CONDITIONS_INVALID", field)]
    assert await listed(client) == [rule]


@pytest.mark.parametrize(
    ("said", "type_name", "field"),
    [
        ({"name": " "}, "NotificationRuleNameInvalid", "name"),
        ({"name": "x" * 256}, "NotificationRuleNameInvalid", "name"),
        ({"name": "a\u0000b"}, "NotificationRuleNameInvalid", "name"),
        ({"channels": []}, "NotificationChannelsInvalid", "channels"),
        ({"channels": ["PUSH", "PUSH"]}, "NotificationChannelsInvalid", "channels"),
        ({"conditions": {"categoryIds": [gid("Category", "NO_SUCH")]}}, "CategoryNotFound", "conditions.categoryIds"),
        ({"conditions": {"categoryIds": ["nonsense"]}}, "CategoryNotFound", "conditions.categoryIds"),
        ({"conditions": {"categoryIds": [gid("Category", FOOD), gid("Budget", uuid4())]}}, "CategoryNotFound", "conditions.categoryIds"),
        ({"conditions": {"budgetIds": [gid("Budget", uuid4())]}}, "BudgetNotFound", "conditions.budgetIds"),
        ({"conditions": {"budgetIds": ["nonsense"]}}, "BudgetNotFound", "conditions.budgetIds"),
    ],
)
async def test_what_cannot_be_a_rule_is_refused_by_name(make_client: MakeClient, said: dict[str, Any], type_name: str, field: str) -> None:
    client = await make_client()
    rule = (await create(client))["notificationRule"]

    made = await create(client, **said)
    changed = await update(client, rule["id"], **said)

    for payload in (made, changed):
        assert payload["notificationRule"] is None
        assert [(error["__typename"], error["field"]) for error in payload["errors"]] == [(type_name, field)]
    assert await listed(client) == [rule]


async def test_what_is_no_value_of_the_schema_is_the_requests_fault(make_client: MakeClient) -> None:
    client = await make_client()

    for conditions in (
        {"timeOfDay": {"start": "9:00", "end": "18:00"}},
        {"timeOfDay": {"start": "09:00", "end": "24:00"}},
        {"timeOfDay": {"start": "09:00"}},
        {"daysOfWeek": ["Monday"]},
        {"amountThreshold": {"amount": 500}},
        {"amountThreshold": {"amount": "500", "currency": "XXX"}},
    ):
        answer = await client.ask(CREATE, input=creation(conditions=conditions))
        assert codes(answer) == ["BAD_USER_INPUT"], conditions
    assert await listed(client) == []


async def test_one_key_is_one_rule_and_another_input_is_an_error(make_client: MakeClient) -> None:
    client, said = await make_client(), creation()
    first = (await client.data(CREATE, input=said))["notificationRuleCreate"]

    same = (await client.data(CREATE, input=said))["notificationRuleCreate"]
    other = (await client.data(CREATE, input={**said, "priority": "LOW"}))["notificationRuleCreate"]

    assert same == first
    assert other["notificationRule"] is None
    assert [(error["__typename"], error["field"]) for error in other["errors"]] == [("IdempotencyKeyReused", "idempotencyKey")]
    assert await listed(client) == [first["notificationRule"]]


async def test_ten_calls_at_once_with_one_key_make_one_rule(make_client: MakeClient) -> None:
    client, said = await make_client(), creation()

    answers = await asyncio.gather(*(client.data(CREATE, input=said) for _ in range(10)))

    assert len({answer["notificationRuleCreate"]["notificationRule"]["id"] for answer in answers}) == 1
    assert len(await listed(client)) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\u0000b"])
async def test_a_key_that_is_none_is_refused(make_client: MakeClient, key: str) -> None:
    client = await make_client()

    payload = await create(client, idempotencyKey=key)

    assert [(error["__typename"], error["field"]) for error in payload["errors"]] == [("IdempotencyKeyInvalid", "idempotencyKey")]
    assert await listed(client) == []


async def test_a_user_has_so_many_rules_and_no_more_even_at_once(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await make_client()
    monkeypatch.setattr(change_rules, "RULES_AT_MOST", 3)

    payloads = await asyncio.gather(*(create(client) for _ in range(6)))
    await delete(client, (await listed(client))[0]["id"])
    after = await create(client)

    refused = [error["__typename"] for payload in payloads for error in payload["errors"]]
    assert refused == ["NotificationRuleLimitReached"] * 3
    assert after["errors"] == []
    assert len(await listed(client)) == 3


async def test_a_change_is_of_what_is_given_and_conditions_are_given_whole(make_client: MakeClient) -> None:
    client = await make_client()
    before = (await create(client, channels=["PUSH"]))["notificationRule"]

    off = (await update(client, before["id"], enabled=False))["notificationRule"]
    coffee = {"categoryIds": [gid("Category", COFFEE)]}
    after = (
        await update(client, before["id"], name="Coffee", conditions=coffee, channels=["EMAIL"], maxFrequency="WEEKLY", priority="LOW")
    )["notificationRule"]
    nothing = await update(client, before["id"])

    assert off == {**before, "enabled": False}
    assert after == {
        **off,
        "name": "Coffee",
        "conditions": {**NOTHING, "categoryIds": [gid("Category", COFFEE)]},
        "channels": ["EMAIL"],
        "maxFrequency": "WEEKLY",
        "priority": "LOW",
    }
    assert nothing == {"notificationRule": after, "errors": []}


@pytest.mark.parametrize("name", ["name", "conditions", "channels", "maxFrequency", "priority", "enabled"])
async def test_what_a_rule_must_have_cannot_be_taken_away(make_client: MakeClient, name: str) -> None:
    client = await make_client()
    before = (await create(client))["notificationRule"]

    answer = await client.ask(UPDATE, input={"id": before["id"], name: None})

    assert codes(answer) == ["BAD_USER_INPUT"]
    assert f"`{name}`" in answer["errors"][0]["message"]
    assert await listed(client) == [before]


async def test_a_deleted_rule_is_gone_as_if_it_had_never_been(make_client: MakeClient) -> None:
    client = await make_client()
    rule_id = (await create(client))["notificationRule"]["id"]

    deleted = await delete(client, rule_id)
    again = await delete(client, rule_id)

    assert deleted == {"deletedNotificationRuleId": rule_id, "errors": []}
    assert again == {"deletedNotificationRuleId": None, "errors": [NOT_FOUND]}
    assert (await listed(client), (await client.data(ONE, id=rule_id))["node"]) == ([], None)
    assert (await update(client, rule_id, name="Back"))["errors"] == [NOT_FOUND]


async def test_somebody_elses_rule_is_not_there_and_stays_as_it_is(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    before = (await create(robin))["notificationRule"]
    given = (before["id"], gid("NotificationRule", uuid4()), gid("Category", FOOD), "nonsense", "")

    changed = [await update(sam, each, name="Mine", enabled=False) for each in given]
    deleted = [await delete(sam, each) for each in given]

    assert changed == [{"notificationRule": None, "errors": [NOT_FOUND]}] * len(given)
    assert deleted == [{"deletedNotificationRuleId": None, "errors": [NOT_FOUND]}] * len(given)
    assert (await listed(sam), (await sam.data(ONE, id=before["id"]))["node"]) == ([], None)
    assert await listed(robin) == [before]


async def test_somebody_elses_budget_is_not_there_for_a_rule(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    budget = (await create_budget(robin))["budget"]["id"]

    refused = await create(sam, ruleType="BUDGET_THRESHOLD", conditions={"budgetIds": [budget]})

    assert [error["code"] for error in refused["errors"]] == ["BUDGET_NOT_FOUND"]
    assert await listed(sam) == []


async def test_signed_out_nothing_can_be_made_changed_or_deleted(make_client: MakeClient, nobody: Client) -> None:
    robin = await make_client()
    before = (await create(robin))["notificationRule"]

    answers = [
        await nobody.ask(CREATE, input=creation()),
        await nobody.ask(UPDATE, input={"id": before["id"], "name": "Mine"}),
        await nobody.ask(DELETE, input={"id": before["id"]}),
    ]

    assert [(answer["data"], codes(answer)) for answer in answers] == [(None, ["UNAUTHENTICATED"])] * 3
    assert await listed(robin) == [before]


async def test_many_rules_take_the_statement_of_one(make_client: MakeClient) -> None:
    client = await make_client()
    await create(client)
    _, one = await client.counted(LIST, planned=True)
    await asyncio.gather(*(create(client) for _ in range(4)))

    data, five = await client.counted(LIST, planned=True)
    interpreted, _ = await client.counted(LIST, planned=False)

    assert (one, five, len(data["me"]["notificationRules"])) == (1, 1, 5)
    assert interpreted == data
