"""A budget's figures are those of the period that holds today, where its owner lives, stored or not."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from db.base import jobs_table
from db.budget import queries
from db.engines import Db, Dsns
from db.redis import RedisConnections
from domains.budget.service.change_budgets import REFOLD, request_roll_over
from domains.core.clock import FixedClock
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services
from resolvers.ids import from_global_id
from tests.resolvers.api import Client, gid
from tests.resolvers.budget.budgets import create, listed, one, update
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import GROCERIES, RENT, account, bring, moved

NOON = datetime(2026, 10, 15, 12, tzinfo=UTC)
At = Callable[[Client, datetime], Client]


@pytest.fixture
async def at(dsns: Dsns, redis: RedisConnections) -> AsyncIterator[At]:
    """The client at another time."""
    opened: list[Db] = []

    def moved_in_time(client: Client, instant: datetime) -> Client:
        db = Db(dsns, redis, now=lambda: instant)
        opened.append(db)
        services: Services = replace(client.services, db=db, clock=FixedClock(instant))
        return client.but(services=services)

    yield moved_in_time
    for db in opened:
        await db.close()


async def spend(client: Client, *days_and_amounts: tuple[date, str], **changes: Any) -> None:
    assert client.viewer is not None
    rows = [moved(day, amount, **changes) for day, amount in days_and_amounts]
    await bring(client.services, client.viewer, account("Daily", rows))


def figures(budget: Any) -> tuple[Any, ...]:
    used = budget["utilization"]
    return (
        used["periodStart"],
        used["periodEnd"],
        used["amountSpent"]["amount"],
        used["amountRemaining"]["amount"],
        used["transactionCount"],
    )


async def test_a_new_period_begins_with_nothing_spent_though_nobody_has_folded(make_client: MakeClient, at: At) -> None:
    october = at(await make_client(), NOON)
    await spend(october, (date(2026, 10, 3), "40"))
    budget = (await create(october))["budget"]
    assert figures(budget) == ("2026-10-01", "2026-11-01", "40.00", "60.00", 1)

    found = await one(at(october, datetime(2026, 11, 1, tzinfo=UTC)), budget["id"])

    assert figures(found) == ("2026-11-01", "2026-12-01", "0.00", "100.00", 0)
    assert (found["utilization"]["percentageUsed"], found["utilization"]["isExceeded"]) == ("0.00", False)
    assert found["utilization"]["version"] == found["version"] == budget["version"]


async def test_the_day_is_that_of_the_owners_time_zone(make_client: MakeClient, at: At) -> None:
    east = at(await make_client(timezone="Pacific/Kiritimati"), NOON)
    west = at(await make_client(timezone="Pacific/Pago_Pago"), NOON)
    ids = [(await create(client))["budget"]["id"] for client in (east, west)]
    midnight = datetime(2026, 11, 1, 5, tzinfo=UTC)

    periods = [figures(await one(at(client, midnight), id))[0] for client, id in zip((east, west), ids, strict=True)]

    assert periods == ["2026-11-01", "2026-10-01"]


async def test_a_budget_that_becomes_monthly_shows_its_month_and_not_the_week_stored_before(make_client: MakeClient, at: At) -> None:
    client = at(await make_client(), NOON)
    await spend(client, (date(2026, 10, 2), "10"), (date(2026, 10, 14), "30"))
    weekly = (await create(client, period="WEEKLY", startDate="2026-10-01"))["budget"]
    assert figures(weekly) == ("2026-10-15", "2026-10-22", "0.00", "100.00", 0)

    monthly = (await update(client, weekly["id"], period="MONTHLY"))["budget"]

    assert figures(monthly) == ("2026-10-01", "2026-11-01", "40.00", "60.00", 2)
    assert figures(await one(client, weekly["id"])) == figures(monthly)


async def test_before_its_start_a_budget_shows_its_first_period_and_after_its_end_the_last(make_client: MakeClient, at: At) -> None:
    client = at(await make_client(), NOON)
    await spend(client, (date(2026, 10, 5), "25"))
    future = (await create(client, startDate="2027-03-15"))["budget"]
    ending = (await create(client, startDate="2026-09-01", endDate="2026-10-20"))["budget"]
    over = (await create(client, startDate="2026-06-01", endDate="2026-08-10"))["budget"]

    later = at(client, datetime(2026, 12, 24, tzinfo=UTC))

    assert figures(future) == figures(await one(later, future["id"])) == ("2027-03-15", "2027-04-15", "0.00", "100.00", 0)
    assert figures(ending) == figures(await one(later, ending["id"])) == ("2026-10-01", "2026-10-21", "25.00", "75.00", 1)
    assert figures(over) == ("2026-08-01", "2026-08-11", "0.00", "100.00", 0)


async def test_an_ended_budget_whose_last_period_nobody_folded_shows_nothing_spent_in_it(make_client: MakeClient, at: At) -> None:
    client = at(await make_client(), NOON)
    await spend(client, (date(2026, 10, 5), "25"))
    budget = (await create(client, startDate="2026-10-01", endDate="2026-11-30"))["budget"]

    found = await one(at(client, datetime(2026, 12, 24, tzinfo=UTC)), budget["id"])

    assert figures(found) == ("2026-11-01", "2026-12-01", "0.00", "100.00", 0)


async def test_what_cannot_be_converted_is_told_and_not_added(make_client: MakeClient, at: At) -> None:
    client = at(await make_client(), NOON)
    day = date(2026, 10, 5)
    await spend(client, (day, "10"))
    await spend(client, (day, "20.5"), currency="EUR")
    await spend(client, (day, "700"), currency="JPY")

    used = (await create(client))["budget"]["utilization"]

    assert used["amountSpent"] == {"amount": "10.00", "currency": "USD"}
    assert used["unconverted"] == [{"amount": "20.50", "currency": "EUR"}, {"amount": "700", "currency": "JPY"}]
    assert used["transactionCount"] == 3


async def test_of_a_budget_of_nothing_there_is_no_percentage_and_any_spending_exceeds_it(make_client: MakeClient, at: At) -> None:
    client = at(await make_client(), NOON)
    await spend(client, (date(2026, 10, 5), "0.01"))

    spent = (await create(client, amount="0"))["budget"]["utilization"]
    unspent = (await create(client, amount="0", category=gid("Category", RENT)))["budget"]["utilization"]
    before_its_start = (await create(client, amount="0", startDate="2027-01-01"))["budget"]["utilization"]

    assert (spent["percentageUsed"], spent["isExceeded"]) == (None, True)
    assert (unspent["percentageUsed"], unspent["isExceeded"]) == (None, False)
    assert (before_its_start["percentageUsed"], before_its_start["isExceeded"]) == (None, False)


async def test_the_plan_and_graphql_core_compute_the_same(make_client: MakeClient, at: At) -> None:
    client = at(await make_client(), NOON)
    await spend(client, (date(2026, 10, 5), "25"))
    for said in ({}, {"startDate": "2027-01-01"}, {"endDate": "2026-10-20"}, {"category": gid("Category", GROCERIES), "period": "YEARLY"}):
        await create(client, **said)
    query = """{ me { budgets { utilization { version periodEnd isExceeded percentageUsed unconverted { amount }
      amountRemaining { amount currency } } name } } }"""

    planned, _ = await client.counted(query, planned=True)
    interpreted, _ = await client.counted(query, planned=False)

    assert planned == interpreted
    assert len(await listed(client)) == 4


async def test_every_budget_has_figures_whatever_its_period_and_whenever_it_is_read(make_client: MakeClient, at: At) -> None:
    client = at(await make_client(), NOON)
    for period in ("WEEKLY", "BIWEEKLY", "MONTHLY", "QUARTERLY", "YEARLY"):
        for start in ("2024-01-31", "2026-10-15", "2028-02-29"):
            await create(client, period=period, startDate=start)

    for days in (-4_000, -1, 0, 1, 17, 400, 20_000):
        day = NOON + timedelta(days=days)
        for budget in await listed(at(client, day)):
            used = budget["utilization"]
            assert used["periodStart"] < used["periodEnd"]
            assert used["periodStart"] <= max(day.date().isoformat(), budget["startDate"]) < used["periodEnd"]


async def test_between_a_new_amount_and_its_fold_the_figures_already_agree_with_the_amount(make_client: MakeClient, at: At) -> None:
    client = at(await make_client(), NOON)
    assert client.viewer is not None
    await spend(client, (date(2026, 10, 5), "40"))
    budget = (await create(client))["budget"]
    key = from_global_id(budget["id"], "Budget")
    assert key is not None

    async with client.services.db.write("budget", client.viewer) as session:
        await queries.change_budget(session, key, {"amount": Decimal(30)})
    found = await one(client, budget["id"])

    assert figures(found) == ("2026-10-01", "2026-11-01", "40.00", "-10.00", 1)
    assert (found["utilization"]["percentageUsed"], found["utilization"]["isExceeded"]) == ("133.33", True)


async def test_a_budget_that_is_monthly_again_shows_the_month_and_not_the_week_between(make_client: MakeClient, at: At) -> None:
    client = at(await make_client(), NOON)
    await spend(client, (date(2026, 10, 3), "40"), (date(2026, 10, 15), "7"))
    monthly = (await create(client))["budget"]
    assert figures((await update(client, monthly["id"], period="WEEKLY"))["budget"])[:3] == ("2026-10-15", "2026-10-22", "7.00")

    again = (await update(client, monthly["id"], period="MONTHLY"))["budget"]

    assert figures(again) == figures(monthly) == ("2026-10-01", "2026-11-01", "47.00", "53.00", 2)


async def test_what_is_learnt_of_the_last_period_after_its_end_counts(make_client: MakeClient, at: At) -> None:
    october = at(await make_client(), NOON)
    await spend(october, (date(2026, 10, 3), "40"))
    budget = (await create(october, endDate="2026-11-30"))["budget"]
    december = at(october, datetime(2026, 12, 5, 12, tzinfo=UTC))

    await spend(december, (date(2026, 11, 20), "25"), (date(2026, 12, 2), "500"))

    assert figures(await one(december, budget["id"])) == ("2026-11-01", "2026-12-01", "25.00", "75.00", 1)


async def test_a_budget_of_the_past_shows_what_was_spent_in_its_last_period(make_client: MakeClient, at: At) -> None:
    client = at(await make_client(), NOON)
    await spend(client, (date(2026, 7, 3), "11"), (date(2026, 8, 3), "40"))

    budget = (await create(client, startDate="2026-07-01", endDate="2026-08-31"))["budget"]

    assert figures(budget) == ("2026-08-01", "2026-09-01", "40.00", "60.00", 1)


async def test_a_week_is_never_shown_as_a_month_while_the_fold_is_on_its_way(make_client: MakeClient, at: At) -> None:
    client = at(await make_client(), NOON)
    assert client.viewer is not None
    await spend(client, (date(2026, 10, 3), "40"), (date(2026, 10, 15), "7"))
    weekly = (await create(client, period="WEEKLY", startDate="2026-10-01"))["budget"]
    key = from_global_id(weekly["id"], "Budget")
    assert key is not None

    async with client.services.db.write("budget", client.viewer) as session:
        await queries.change_budget(session, key, {"period": "monthly"})

    assert figures(await one(client, weekly["id"]))[:3] == ("2026-10-01", "2026-11-01", "0.00")


async def test_what_is_dated_ahead_counts_when_its_period_begins(make_client: MakeClient, at: At) -> None:
    october = at(await make_client(timezone="Pacific/Auckland"), NOON)
    assert october.viewer is not None
    await spend(october, (date(2026, 10, 3), "40"), (date(2026, 11, 1), "25"), (date(2026, 12, 1), "3"))
    running, future = (await create(october))["budget"], (await create(october, startDate="2026-11-01"))["budget"]
    november = at(october, datetime(2026, 10, 31, 11, 30, tzinfo=UTC))

    async with november.services.db.system("budget") as session:
        assert await request_roll_over(session, date(2026, 11, 1)) >= 1
        jobs = jobs_table("budget")
        asked = await session.execute(jobs.select().where(jobs.c.topic == REFOLD, jobs.c.key == str(october.viewer.user_id)))
        assert [row.user_id for row in asked if row.state == "queued"] == [october.viewer.user_id]
    await refold_held(november.services, october.viewer, None)

    for budget in (running, future):
        assert figures(await one(november, budget["id"])) == ("2026-11-01", "2026-12-01", "25.00", "75.00", 1)
    async with november.services.db.system("budget") as session:
        assert october.viewer.user_id not in await queries.list_users_between_periods(session, date(2026, 11, 1), "no topic")


async def test_the_pace_is_as_of_the_day_it_is_read(make_client: MakeClient, at: At) -> None:
    client = at(await make_client(), NOON)
    await spend(client, (date(2026, 10, 3), "10"), (date(2026, 10, 12), "20"))
    await spend(client, (date(2026, 10, 14), "5"), status="pending")
    await create(client)
    query = """{ me { budgets { utilization { dailyAverage { amount currency } projectedEndAmount { amount } lastTransactionAt
      lastUpdated } } } }"""

    async def pace(day: datetime) -> tuple[Any, ...]:
        planned, _ = await at(client, day).counted(query, planned=True)
        interpreted, _ = await at(client, day).counted(query, planned=False)
        assert planned == interpreted
        used = planned["me"]["budgets"][0]["utilization"]
        return used["dailyAverage"]["amount"], used["projectedEndAmount"]["amount"], used["lastTransactionAt"], bool(used["lastUpdated"])

    assert await pace(NOON) == ("2.00", "67.00", "2026-10-14T00:00:00Z", True)
    assert await pace(NOON + timedelta(days=15)) == ("1.00", "36.00", "2026-10-14T00:00:00Z", True)
    assert await pace(NOON + timedelta(days=16)) == ("0.97", "35.00", "2026-10-14T00:00:00Z", True)
    assert await pace(NOON + timedelta(days=17)) == ("0.00", "0.00", None, False)


async def test_budgets_of_one_status(make_client: MakeClient) -> None:
    client = await make_client()
    await create(client)
    query = "query($filter: BudgetFilter) { me { budgets(filter: $filter) { name utilization { isExceeded } } } }"

    counts = [
        len((await client.counted(query, planned=planned, filter=given))[0]["me"]["budgets"])
        for given in ({"status": "ACTIVE"}, {"status": "PAUSED"}, {"status": None}, None)
        for planned in (True, False)
    ]

    assert counts == [1, 1, 0, 0, 1, 1, 1, 1]
