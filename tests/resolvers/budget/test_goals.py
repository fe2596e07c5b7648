"""Savings goals; what depends on today is computed when it is read."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.resolvers.api import Client, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import MONTH, TODAY, add_goal

GOALS = """{ me { goals {
  name description targetAmount { amount currency } currentAmount { amount } currency targetDate startedAt percentageComplete
  monthsRemaining requiredMonthlyContribution { amount currency } isOnTrack status achievedAt color priority
} } }"""
ONE = "query($id: ID!) { node(id: $id) { ... on SavingsGoal { name percentageComplete monthsRemaining isOnTrack } } }"


async def goals(client: Client) -> dict[str, Any]:
    return {goal["name"]: goal for goal in (await client.data(GOALS))["me"]["goals"]}


async def test_a_goal_is_computed_as_of_today(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    in_five_months = (MONTH + timedelta(days=5 * 31)).replace(day=1)
    months = 12 * (in_five_months.year - TODAY.year) + in_five_months.month - TODAY.month
    await add_goal(client.services, client.viewer, "Boat", target_date=in_five_months, priority=2)
    await add_goal(client.services, client.viewer, "Someday", target_amount=Decimal(300), currency="JPY", priority=1)

    found = await goals(client)

    assert list(found) == ["Someday", "Boat"]
    boat, someday = found["Boat"], found["Someday"]
    assert (boat["percentageComplete"], boat["monthsRemaining"]) == ("25.00", months)
    assert boat["requiredMonthlyContribution"] == {"amount": f"{Decimal(750) / months:.2f}", "currency": "USD"}
    assert boat["isOnTrack"] is True
    assert (boat["status"], boat["startedAt"], boat["targetDate"]) == ("ACTIVE", MONTH.isoformat(), in_five_months.isoformat())
    assert (someday["percentageComplete"], someday["targetAmount"]) == ("83.33", {"amount": "300", "currency": "JPY"})
    assert [someday[name] for name in ("monthsRemaining", "requiredMonthlyContribution", "isOnTrack", "targetDate")] == [None] * 4


async def test_goals_behind_beyond_and_past_their_date(make_client: MakeClient) -> None:
    client = await make_client()
    viewer = client.viewer
    assert viewer is not None
    last_year = TODAY - timedelta(days=365)
    await add_goal(client.services, viewer, "behind", started_at=last_year, target_date=TODAY + timedelta(days=5))
    await add_goal(client.services, viewer, "beyond", current_amount=Decimal(1500), target_date=TODAY + timedelta(days=40))
    await add_goal(client.services, viewer, "past", started_at=last_year, target_date=TODAY - timedelta(days=40))

    found = await goals(client)

    assert found["behind"]["isOnTrack"] is False
    assert (found["beyond"]["percentageComplete"], found["beyond"]["isOnTrack"]) == ("150.00", True)
    assert found["beyond"]["requiredMonthlyContribution"]["amount"] == "0.00"
    assert (found["past"]["monthsRemaining"], found["past"]["isOnTrack"]) == (0, False)


async def test_some_fields_need_not_be_asked_for_and_all_agree_with_graphql_core(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    await add_goal(client.services, client.viewer, "Boat", target_date=TODAY)
    queries = [GOALS, "{ me { goals { isOnTrack } } }", "{ me { goals { name currency } } }", "{ me { goals { id monthsRemaining } } }"]

    for query in queries:
        planned, statements = await client.counted(query, planned=True)
        interpreted, _ = await client.counted(query, planned=False)
        assert planned == interpreted
        assert statements == 1


async def test_a_goal_by_its_id_for_its_owner_only(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    assert robin.viewer is not None
    goal_id = gid("SavingsGoal", await add_goal(robin.services, robin.viewer, "Boat"))

    mine, theirs = await robin.data(ONE, id=goal_id), await sam.data(ONE, id=goal_id)

    assert mine["node"] == {"name": "Boat", "percentageComplete": "25.00", "monthsRemaining": None, "isOnTrack": None}
    assert theirs == {"node": None}


async def test_goals_of_one_status(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    for status in ("active", "paused", "achieved"):
        await add_goal(client.services, client.viewer, status, status=status)
    query = "query($filter: SavingsGoalFilter) { me { goals(filter: $filter) { name isOnTrack } } }"

    async def named(given: Any) -> list[str]:
        planned, statements = await client.counted(query, planned=True, filter=given)
        interpreted, _ = await client.counted(query, planned=False, filter=given)
        assert (planned, statements) == (interpreted, 1)
        return [goal["name"] for goal in planned["me"]["goals"]]

    assert await named({"status": "PAUSED"}) == ["paused"]
    assert await named({"status": "ABANDONED"}) == []
    for every in (None, {}, {"status": None}):
        assert await named(every) == ["active", "paused", "achieved"]
