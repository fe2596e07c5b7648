"""Closed periods as clients read them: of a budget, and of all."""

from datetime import date
from typing import Any

import pytest

from domains.flows.close_periods import close_periods, freeze_history
from domains.flows.services import Services
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.budget.budgets import create, delete
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import FOOD, RENT, account, bring, moved

ROW = """fragment Row on BudgetHistory {
  id periodStart periodEnd budgetAmount { amount currency } amountSpent { amount } amountRemaining { amount } percentageUsed wasExceeded
  transactionCount unconverted { amount currency } isFrozen category { id } budget { id name } createdAt updatedAt
}"""
ALL = f"""query($filter: BudgetHistoryFilter, $sort: BudgetHistorySort, $first: Int, $after: String) {{ me {{
  budgetHistory(filter: $filter, sort: $sort, first: $first, after: $after) {{
    nodes {{ ...Row }} totalCount pageInfo {{ hasNextPage endCursor }} }} }} }} {ROW}"""
OF_BUDGETS = f"""query($first: Int, $filter: BudgetHistoryFilter) {{ me {{ budgets {{
  name history(first: $first, filter: $filter) {{ nodes {{ ...Row }} totalCount pageInfo {{ hasNextPage }} }} }} }} }} {ROW}"""
ONE = f"query($id: ID!) {{ node(id: $id) {{ ...Row }} }} {ROW}"
#: Three months that are over, whenever this runs.
SAID = {"startDate": "2026-01-31", "endDate": "2026-04-29"}


@pytest.fixture
async def robin(make_client: MakeClient) -> Client:
    """Food over three months, and rent over one; all closed, January of them frozen."""
    client = await make_client()
    assert client.viewer is not None
    rows = [
        moved(date(2026, 2, 1), "40"),
        moved(date(2026, 2, 27), "80.50"),
        moved(date(2026, 2, 28), "10"),
        moved(date(2026, 3, 31), "1", currency="EUR"),
    ]
    await bring(client.services, client.viewer, account("Daily", rows))
    await create(client, **SAID)
    await create(client, name="Rent", category=gid("Category", RENT), amount="0", startDate="2026-03-01", endDate="2026-03-31")
    await freeze_history(client.services, client.viewer, date(2026, 2, 1))
    await close_periods(client.services, client.viewer)
    return client


async def listed(client: Client, **variables: Any) -> Any:
    return (await client.data(ALL, **variables))["me"]["budgetHistory"]


async def test_closed_periods_say_what_was_true(robin: Client) -> None:
    found = await listed(robin)

    assert found["totalCount"] == 4
    assert [node["periodStart"] for node in found["nodes"]] == ["2026-03-31", "2026-03-01", "2026-02-28", "2026-01-31"]
    last, rent, _, first = found["nodes"]
    budget = first.pop("budget")
    assert budget["name"] == "Food"
    assert first.pop("createdAt") <= first.pop("updatedAt")
    assert first.pop("id") != last["id"]
    assert first == {
        "periodStart": "2026-01-31",
        "periodEnd": "2026-02-28",
        "budgetAmount": {"amount": "100.00", "currency": "USD"},
        "amountSpent": {"amount": "120.50"},
        "amountRemaining": {"amount": "-20.50"},
        "percentageUsed": "120.50",
        "wasExceeded": True,
        "transactionCount": 2,
        "unconverted": [],
        "isFrozen": True,
        "category": {"id": gid("Category", FOOD)},
    }
    assert (last["periodEnd"], last["isFrozen"], last["unconverted"]) == ("2026-04-30", False, [{"amount": "1.00", "currency": "EUR"}])
    assert (rent["percentageUsed"], rent["budget"]["name"]) == (None, "Rent")


async def test_pages_go_on_where_the_last_one_ended_in_either_order(robin: Client) -> None:
    for sort in ("NEWEST", "OLDEST"):
        whole = [node["id"] for node in (await listed(robin, sort=sort))["nodes"]]
        walked, after = [], None
        for _ in whole:
            page = await listed(robin, sort=sort, first=1, after=after)
            walked += [node["id"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]

        assert walked == whole
        assert page["pageInfo"]["hasNextPage"] is False
    assert codes(await robin.ask(ALL, sort="NEWEST", after=after)) == ["BAD_USER_INPUT"]


async def test_what_is_given_narrows_and_what_is_no_id_matches_nothing(robin: Client) -> None:
    food = next(node["budget"]["id"] for node in (await listed(robin))["nodes"] if node["budget"]["name"] == "Food")

    async def starts(**given: Any) -> list[str]:
        found = await listed(robin, filter=given)
        assert found["totalCount"] == len(found["nodes"])
        return [node["periodStart"] for node in found["nodes"]]

    assert await starts(budgetIds=[food]) == ["2026-03-31", "2026-02-28", "2026-01-31"]
    assert await starts(budgetIds=[food, "nonsense"], since="2026-02-28", until="2026-03-31") == ["2026-02-28"]
    assert await starts(since="2026-03-01", until=None) == ["2026-03-31", "2026-03-01"]
    assert await starts(budgetIds=[gid("SavingsGoal", food)]) == await starts(budgetIds=[]) == []
    assert codes(await robin.ask(ALL, filter={"budgetIds": [food] * 101})) == ["BAD_USER_INPUT"]


async def test_each_budget_has_its_own_and_both_ways_agree(robin: Client) -> None:
    planned, _ = await robin.counted(OF_BUDGETS, planned=True, first=2)
    interpreted, _ = await robin.counted(OF_BUDGETS, planned=False, first=2)

    assert planned == interpreted
    food, rent = planned["me"]["budgets"]
    assert [node["periodStart"] for node in food["history"]["nodes"]] == ["2026-03-31", "2026-02-28"]
    assert (food["history"]["totalCount"], food["history"]["pageInfo"]["hasNextPage"]) == (3, True)
    assert [node["budget"]["name"] for node in rent["history"]["nodes"]] == ["Rent"]


async def test_the_history_of_a_deleted_budget_is_gone_with_it(robin: Client) -> None:
    row = (await listed(robin))["nodes"][-1]
    assert (await robin.data(ONE, id=row["id"]))["node"] == row

    await delete(robin, row["budget"]["id"])

    left = await listed(robin)
    assert (left["totalCount"], [node["budget"]["name"] for node in left["nodes"]]) == (1, ["Rent"])
    assert (await robin.data(ONE, id=row["id"])) == {"node": None}


async def test_nobody_else_sees_it(robin: Client, make_client: MakeClient, nobody: Client) -> None:
    sam = await make_client()
    row = (await listed(robin))["nodes"][0]

    assert (await listed(sam, filter={"budgetIds": [row["budget"]["id"]]}))["nodes"] == []
    assert (await sam.data(ONE, id=row["id"])) == {"node": None}
    assert codes(await nobody.ask(ALL)) == ["UNAUTHENTICATED"]


async def test_a_budget_shows_every_column_that_it_has(make_client: MakeClient, services: Services) -> None:
    client = await make_client()
    await create(client)
    query = """{ me { budgets { rollover rolloverMode rolloverCap { amount } rolloverAmount { amount currency } alertEnabled alertThresholds
      lastAlertSentAt lastAlertThreshold } } }"""

    planned, _ = await client.counted(query, planned=True)
    interpreted, _ = await client.counted(query, planned=False)

    assert planned == interpreted
    assert planned["me"]["budgets"] == [
        {
            "rollover": False,
            "rolloverMode": "NONE",
            "rolloverCap": None,
            "rolloverAmount": {"amount": "0.00", "currency": "USD"},
            "alertEnabled": True,
            "alertThresholds": ["0.8", "1.0", "1.2"],
            "lastAlertSentAt": None,
            "lastAlertThreshold": None,
        }
    ]
