"""What people choose, and what holds until they do."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from db.user.models import CHOICES, user_preferences, users
from tests.db.samples import superuser
from tests.resolvers.api import Client, codes
from tests.resolvers.conftest import MakeClient
from tests.resolvers.test_operations import DOCUMENTS
from tests.servers.suite import Servers

READ, UPDATE = DOCUMENTS["user/preferences"], DOCUMENTS["user/update_preferences"]
DEFAULTS: dict[str, Any] = {
    "notificationEnabled": True,
    "emailNotifications": True,
    "telegramNotifications": True,
    "isTelegramLinked": False,
    "telegramUsername": None,
    "dailySummaryEnabled": True,
    "dailySummaryTime": "09:00",
    "weeklyReportEnabled": True,
    "weeklyReportDay": "MONDAY",
    "transactionAlertEnabled": True,
    "transactionAlertThreshold": {"amount": "500.00", "currency": "USD"},
    "budgetAlertEnabled": True,
    "budgetAlertThresholds": ["0.8", "1.0", "1.2"],
    "dashboardLayout": {},
    "updatedAt": None,
}
CHANGES: dict[str, Any] = {
    "notificationEnabled": False,
    "emailNotifications": False,
    "telegramNotifications": False,
    "dailySummaryEnabled": False,
    "dailySummaryTime": "23:59",
    "weeklyReportEnabled": False,
    "weeklyReportDay": "SUNDAY",
    "transactionAlertEnabled": False,
    "transactionAlertThreshold": "12.34",
    "budgetAlertEnabled": False,
    "budgetAlertThresholds": ["0.0001", "0.5", "10"],
    "dashboardLayout": {"widgets": [{"name": "budgets", "wide": True}, None], "é": 1.5},
}


async def preferences(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = (await client.data(READ))["me"]["preferences"]
    return found


async def change(client: Client, **given: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await client.data(UPDATE, input=given))["preferencesUpdate"]
    return payload


async def is_stored(client: Client) -> bool:
    async with client.services.db.write("user", client.viewer) as session:
        return (await session.execute(user_preferences.select())).first() is not None


@pytest.mark.parametrize("planned", [True, False])
async def test_without_a_choice_the_defaults_hold(make_client: MakeClient, planned: bool) -> None:
    client = await make_client()

    data, statements = await client.counted(READ, planned=planned)

    assert data["me"]["preferences"] == DEFAULTS
    assert statements == (1 if planned else 2)
    assert not await is_stored(client)


async def test_the_default_amount_is_in_the_owners_currency(make_client: MakeClient) -> None:
    client = await make_client(currency="JPY")

    assert (await preferences(client))["transactionAlertThreshold"] == {"amount": "500", "currency": "JPY"}


@pytest.mark.parametrize("planned", [True, False])
async def test_everything_can_be_chosen_and_is_read_back(make_client: MakeClient, planned: bool) -> None:
    client = await make_client()

    payload = await change(client, **CHANGES)

    assert payload["errors"] == []
    found = payload["preferences"]
    assert found.pop("updatedAt") is not None
    assert found == {
        **CHANGES,
        "transactionAlertThreshold": {"amount": "12.34", "currency": "USD"},
        "isTelegramLinked": False,
        "telegramUsername": None,
    }
    read = (await client.counted(READ, planned=planned))[0]["me"]["preferences"]
    assert {**read, "updatedAt": None} == {**found, "updatedAt": None}


def test_every_choice_is_tried_here() -> None:
    assert len(CHANGES) == len(CHOICES)
    assert {name for name in CHANGES if CHANGES[name] == DEFAULTS[name]} == set()


@pytest.mark.parametrize("name", CHANGES)
async def test_what_is_left_out_stays(make_client: MakeClient, name: str) -> None:
    client = await make_client()

    first = (await change(client, **{name: CHANGES[name]}))["preferences"]
    second = (await change(client, **{other: CHANGES[other] for other in CHANGES if other != name}))["preferences"]

    assert {**first, "updatedAt": None} == {**DEFAULTS, name: first[name]}
    assert first[name] != DEFAULTS[name]
    assert second[name] == first[name]


async def test_the_same_twice_is_the_same_and_nothing_given_changes_nothing(make_client: MakeClient) -> None:
    client = await make_client()

    nothing = await change(client)
    assert not await is_stored(client)
    first, second = await change(client, **CHANGES), await change(client, **CHANGES)
    after = await change(client)

    assert nothing == {"preferences": DEFAULTS, "errors": []}
    for payload in (first, second):
        payload["preferences"].pop("updatedAt")
    assert first == second
    assert after["preferences"]["weeklyReportDay"] == "SUNDAY"


async def test_changes_at_once_all_hold(make_client: MakeClient) -> None:
    client = await make_client()

    payloads = await asyncio.gather(*(change(client, **{name: value}) for name, value in CHANGES.items()))

    assert [payload["errors"] for payload in payloads] == [[]] * len(CHANGES)
    found = await preferences(client)
    assert {name: found[name] for name in CHANGES} == {**CHANGES, "transactionAlertThreshold": {"amount": "12.34", "currency": "USD"}}


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"transactionAlertThreshold": "-0.01"}, "ALERT_AMOUNT_INVALID", "transactionAlertThreshold"),
        ({"transactionAlertThreshold": "1.001"}, "ALERT_AMOUNT_INVALID", "transactionAlertThreshold"),
        ({"transactionAlertThreshold": "1000000000000000"}, "ALERT_AMOUNT_INVALID", "transactionAlertThreshold"),
        ({"budgetAlertThresholds": ["0"]}, "ALERT_THRESHOLDS_INVALID", "budgetAlertThresholds"),
        ({"budgetAlertThresholds": ["-1"]}, "ALERT_THRESHOLDS_INVALID", "budgetAlertThresholds"),
        ({"budgetAlertThresholds": ["10.0001"]}, "ALERT_THRESHOLDS_INVALID", "budgetAlertThresholds"),
        ({"budgetAlertThresholds": ["1", "0.8"]}, "ALERT_THRESHOLDS_INVALID", "budgetAlertThresholds"),
        ({"budgetAlertThresholds": ["1", "1.0"]}, "ALERT_THRESHOLDS_INVALID", "budgetAlertThresholds"),
        ({"budgetAlertThresholds": [f"0.{n}" for n in range(10, 21)]}, "ALERT_THRESHOLDS_INVALID", "budgetAlertThresholds"),
        ({"dashboardLayout": [1]}, "DASHBOARD_LAYOUT_INVALID", "dashboardLayout"),
        ({"dashboardLayout": "wide"}, "DASHBOARD_LAYOUT_INVALID", "dashboardLayout"),
    ],
)
async def test_a_choice_that_cannot_be_meant_is_refused_and_nothing_is_written(
    make_client: MakeClient, given: dict[str, Any], code: str, field: str
) -> None:
    client = await make_client()

    payload = await change(client, emailNotifications=False, **given)

    assert payload["preferences"] is None
    assert [(error["code"], error["field"]) for error in payload["errors"]] == [(code, field)]
    assert await preferences(client) == DEFAULTS
    assert not await is_stored(client)


@pytest.mark.parametrize(
    "given",
    [
        {"dailySummaryTime": "24:00"},
        {"dailySummaryTime": "9:00"},
        {"weeklyReportDay": "Monday"},
        {"transactionAlertThreshold": 5},
        {"budgetAlertThresholds": [None]},
        {"dashboardLayout": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}},
        {"dashboardLayout": {"text": "x" * 16_384}},
        {"telegramChatId": "1"},
        *({name: None} for name in CHANGES),
    ],
)
async def test_what_does_not_fit_the_input_is_a_fault(make_client: MakeClient, given: dict[str, Any]) -> None:
    client = await make_client()

    answer = await client.ask(UPDATE, input=given)

    assert codes(answer) == ["BAD_USER_INPUT"]
    assert not await is_stored(client)


async def test_no_threshold_is_never_told_and_zero_is_always_told(make_client: MakeClient) -> None:
    client = await make_client()

    found = (await change(client, budgetAlertThresholds=[], transactionAlertThreshold="0"))["preferences"]

    assert found["budgetAlertThresholds"] == []
    assert found["transactionAlertThreshold"] == {"amount": "0.00", "currency": "USD"}


async def test_an_amount_stays_in_the_currency_in_which_it_was_said(make_client: MakeClient) -> None:
    client = await make_client(currency="KWD")
    await change(client, transactionAlertThreshold="1.234")
    async with client.services.db.write("user", client.viewer) as session:
        await session.execute(update(users).values(currency="JPY"))

    kept = (await change(client, emailNotifications=False))["preferences"]
    refused = await change(client, transactionAlertThreshold="1.5")
    said_anew = (await change(client, transactionAlertThreshold="700"))["preferences"]

    assert kept["transactionAlertThreshold"] == {"amount": "1.234", "currency": "KWD"}
    assert [error["code"] for error in refused["errors"]] == ["ALERT_AMOUNT_INVALID"]
    assert said_anew["transactionAlertThreshold"] == {"amount": "700", "currency": "JPY"}


async def test_a_linked_chat_is_told_of_and_its_id_is_not(make_client: MakeClient, servers: Servers) -> None:
    client = await make_client()
    assert client.viewer is not None
    await change(client, emailNotifications=False)
    async with superuser(servers.databases["user"]) as connection:
        await connection.execute(
            "update user_schema.user_preferences set telegram_chat_id = '4711', telegram_username = 'robin' where user_id = $1",
            client.viewer.user_id,
        )

    found = await preferences(client)

    assert (found["isTelegramLinked"], found["telegramUsername"]) == (True, "robin")
    assert "4711" not in repr(found)


async def test_signed_out_nothing_is_read_or_changed(nobody: Client) -> None:
    assert codes(await nobody.ask(READ)) == ["UNAUTHENTICATED"]
    assert codes(await nobody.ask(UPDATE, input=CHANGES)) == ["UNAUTHENTICATED"]


async def test_what_one_chooses_is_nothing_to_anybody_else(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    await change(robin, **CHANGES)
    before = await preferences(robin)

    assert await preferences(sam) == DEFAULTS
    await change(sam, weeklyReportDay="FRIDAY")

    assert await preferences(robin) == before
    assert (await preferences(sam))["weeklyReportDay"] == "FRIDAY"
