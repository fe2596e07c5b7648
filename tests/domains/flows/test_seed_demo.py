"""The demo is all there, once, and shows what a demo should."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from db.budget import queries as budgets
from db.budget.queries_goals import contribution_page
from db.budget.queries_history import closed_periods
from db.engines import Viewer
from db.transaction.models import own_transactions
from db.user import queries as users
from domains.core.clock import FixedClock, local_date
from domains.flows.demo import DEMO_USERS
from domains.flows.seed_demo import seed_demo
from domains.flows.services import Services

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def viewer_of(services: Services, email: str) -> Viewer:
    async with services.db.system("user") as session:
        account = await users.find_account(session, email)
    assert account is not None
    return Viewer(account.id, account.timezone, account.currency)


async def counted(services: Services, viewer: Viewer) -> dict[str, int]:
    async with services.db.write("transaction", viewer) as session:
        rows = (await session.execute(own_transactions.select())).mappings().all()
    async with services.db.read("budget", viewer) as read:
        made = await read.rows(budgets.budgets_by_user(("id",)), keys=[viewer.user_id])
        goals = await read.rows(budgets.goals_by_user(("id", "current_amount", "opening_amount")), keys=[viewer.user_id])
        closed = await read.rows(closed_periods())
        contributed = await read.rows(
            contribution_page("user_id", ("amount",), "newest", (), after=False, many=False), key=viewer.user_id, size=999
        )
    return {
        "transactions": len(rows),
        "pending": sum(row["is_pending"] for row in rows),
        "uncategorised": sum(row["effective_category"] is None for row in rows),
        "accounts": len({row["account_id"] for row in rows}),
        "currencies": len({row["currency"] for row in rows}),
        "budgets": len(made),
        "goals": len(goals),
        "closed": len(closed),
        "contributions": len(contributed),
        "astray": int(
            sum(Decimal(goal.current_amount) - Decimal(goal.opening_amount) for goal in goals)
            - sum(Decimal(each.amount) for each in contributed)
        ),
    }


async def standings(services: Services, viewer: Viewer, today: date) -> dict[str, str]:
    async with services.db.read("budget", viewer) as read:
        named = {row.key: row.name for row in await read.rows(budgets.budgets_by_id(("name",)), keys=await _ids(read, viewer))}
        used = await read.rows(budgets.latest_utilization(), keys=list(named), today=today)
    shown = {}
    for row in used:
        share = float(row.percentage_used or 0)
        shown[named[row.key]] = "over" if row.is_exceeded else "near" if share >= 80 else "under"
    return shown


async def _ids(read: Any, viewer: Viewer) -> list[str]:
    return [row.id for row in await read.rows(budgets.budgets_by_user(("id",)), keys=[viewer.user_id])]


async def test_the_demo_is_made_once_and_shows_budgets_under_near_and_over(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    # the first of a month, on purpose: the worst day for a demo
    clock = FixedClock(NOON)
    monkeypatch.setattr(type(services.clock), "now", lambda _self: clock.now())

    await seed_demo(services)
    people = [await viewer_of(services, person.email) for person in DEMO_USERS]
    first = [await counted(services, viewer) for viewer in people]
    await seed_demo(services)
    second = [await counted(services, viewer) for viewer in people]

    assert first == second
    for person, viewer, counts in zip(DEMO_USERS, people, first, strict=True):
        assert counts["accounts"] == 4
        assert counts["transactions"] > 1_000
        assert counts["pending"] > 0
        assert counts["uncategorised"] < counts["transactions"] / 20
        assert (counts["budgets"], counts["goals"]) == (len(person.budgets), len(person.goals))
        assert counts["closed"] > 60
        assert counts["contributions"] >= sum(goal.begun_months_ago for goal in person.goals)
        assert counts["astray"] == 0
        today = local_date(NOON, person.timezone)
        assert await standings(services, viewer, today) == {budget.name: budget.standing for budget in person.budgets}
