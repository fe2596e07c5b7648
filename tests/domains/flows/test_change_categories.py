"""Sums over categories of one's own: whatever is where, they are what a plain fold says."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import pytest

from db.budget import queries as budget_queries
from db.engines import Viewer
from db.transaction.queries import series
from domains.budget.errors import CategoryNotBudgetable
from domains.budget.service.change_budgets import CreateBudget
from domains.flows.change_budgets import create_budget, delete_budget
from domains.flows.change_categories import create_category, delete_category, update_category
from domains.flows.change_notification_rules import create_rule
from domains.flows.services import Services
from domains.flows.update_transaction import update_transaction
from domains.notification.rules import Conditions
from domains.notification.service.change_rules import CreateRule
from domains.transaction.errors import CategoryHasBudget, CategoryNotFound
from domains.transaction.service.change_categories import CreateCategory, DeleteCategory, UpdateCategory
from domains.transaction.service.update_transaction import UpdateTransaction
from tests.conftest import MakeUser
from tests.db.samples import superuser
from tests.domains.flows.rows import FOOD, GROCERIES, RENT, TRANSFER_OUT, add_rows, row
from tests.resolvers.household import MONTH, TODAY
from tests.servers.suite import Servers

PARENTS: dict[str, str | None] = {
    FOOD: None,
    GROCERIES: FOOD,
    "RENT_AND_UTILITIES": None,
    RENT: "RENT_AND_UTILITIES",
    TRANSFER_OUT: "TRANSFER_OUT",
}


async def own(services: Services, viewer: Viewer, name: str, parent: str | None = None, kind: str = "expense") -> str:
    command = CreateCategory(name, parent=parent, type=None if parent else kind)
    return await create_category(services, viewer, command, f"key of {name}")


async def budget(services: Services, viewer: Viewer, category: str) -> UUID:
    command = CreateBudget("B", category, Decimal(100), "USD", "monthly", MONTH)
    return await create_budget(services, viewer, command, f"key of {category}")


async def sums_of(services: Services, viewer: Viewer) -> dict[tuple[Any, ...], tuple[Decimal, int]]:
    """The months' sums by (month, category, direction)."""
    columns = ("month", "category", "direction", "total_amount", "transaction_count")
    async with services.db.read("transaction", viewer) as read:
        rows = await read.rows(series.summary_page(columns, "month_desc", (), after=False), key=viewer.user_id, size=1_000)
    return {(each.month, each.category, each.direction): (Decimal(each.total_amount), each.transaction_count) for each in rows}


@pytest.mark.parametrize("seed", range(6))
async def test_sums_and_budgets_equal_a_plain_fold_whatever_is_where(services: Services, make_user: MakeUser, seed: int) -> None:
    random, robin = Random(seed), await make_user()  # noqa: S311 - the same rows in each run
    parents = dict(PARENTS)
    top, transfer = await own(services, robin, "Top"), await own(services, robin, "Piggy bank", kind="transfer")
    parents |= {top: None, transfer: None}
    for n in range(4):
        parent = random.choice([FOOD, "RENT_AND_UTILITIES", top])
        parents[await own(services, robin, f"Own {n}", parent)] = parent
    mine = [each for each in parents if each.islower()]
    rows = [_random_row(random) for _ in range(40)]
    await add_rows(services, robin, rows)
    placed = {each["id"]: each["category"] for each in rows}
    for each in random.sample(rows, 25):
        placed[each["id"]] = random.choice(mine)
        await update_transaction(services, robin, UpdateTransaction(each["id"], category=placed[each["id"]]))
    budgets = {category: await budget(services, robin, category) for category in parents if category not in (transfer, TRANSFER_OUT)}

    moved = random.choice([each for each in mine if parents[each] is not None])
    parents[moved] = None if parents[moved] == top else top
    await update_category(services, robin, UpdateCategory(moved, parent=parents[moved]))

    counted = [each for each in rows if each["status"] == "posted" and placed[each["id"]] not in (transfer, TRANSFER_OUT)]
    expected: dict[tuple[Any, ...], tuple[Decimal, int]] = defaultdict(lambda: (Decimal(0), 0))
    for each in counted:
        key = (each["transaction_date"].replace(day=1), placed[each["id"]], each["direction"])
        expected[key] = (expected[key][0] + each["amount"], expected[key][1] + 1)
    assert await sums_of(services, robin) == dict(expected)
    async with services.db.read("budget", robin) as read:
        used = {each.key: each for each in await read.rows(budget_queries.latest_utilization(), keys=list(budgets.values()))}
    for category, budget_id in budgets.items():
        inside = [each for each in counted if category in (placed[each["id"]], parents[placed[each["id"]]])]
        inside = [each for each in inside if each["transaction_date"] >= MONTH]
        spent = sum((each["amount"] if each["direction"] == "debit" else -each["amount"] for each in inside), Decimal(0))
        assert Decimal(used[str(budget_id)].amount_spent) == spent, category


def _random_row(random: Random) -> dict[str, Any]:
    """This month or the one before, any category, some pending, some refunds."""
    day = random.choice([TODAY, MONTH, MONTH - timedelta(days=1)])
    category = random.choice([FOOD, GROCERIES, RENT, TRANSFER_OUT])
    direction, status = random.choice(["debit", "debit", "credit"]), random.choice(["posted", "posted", "pending"])
    return row(day, f"{random.randrange(1, 10_000)}.{random.randrange(100):02}", category, direction=direction, status=status)


@pytest.mark.parametrize("parent", [FOOD, None])
async def test_sums_of_months_that_are_gone_follow_a_deleted_category(
    services: Services, make_user: MakeUser, servers: Servers, parent: str | None
) -> None:
    robin = await make_user()
    gone, kept = await own(services, robin, "Gone", parent), await own(services, robin, "Kept")
    month = date(2001, 2, 1)
    async with superuser(servers.databases["transaction"]) as connection:
        for category, total, count in ((gone, 5, 2), (kept, 7, 3)):
            await connection.execute(
                "insert into transaction_schema.monthly_category_summary (user_id, month, category, direction, currency, total_amount,"
                " transaction_count, is_frozen) values ($1, $2, $3, 'debit', 'USD', $4, $5, true)",
                *(robin.user_id, month, category, Decimal(total), count),
            )

    await delete_category(services, robin, DeleteCategory(gone))
    to_the_parent = await sums_of(services, robin)
    await delete_category(services, robin, DeleteCategory(kept, move_to=parent))
    together = await sums_of(services, robin)

    assert to_the_parent == {(month, parent, "debit"): (Decimal(5), 2), (month, kept, "debit"): (Decimal(7), 3)}
    assert together == {(month, parent, "debit"): (Decimal(12), 5)}


async def test_a_category_with_a_budget_stays_with_all_that_is_in_it(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    category = await own(services, robin, "Own")
    [one] = rows = [row(TODAY, "5")]
    await add_rows(services, robin, rows)
    await update_transaction(services, robin, UpdateTransaction(one["id"], category=category))
    await budget(services, robin, category)
    before = await sums_of(services, robin)

    with pytest.raises(CategoryHasBudget) as refused:
        await delete_category(services, robin, DeleteCategory(category, move_to=FOOD))

    assert refused.value.budget_name == "B"
    assert await sums_of(services, robin) == before == {(MONTH, category, "debit"): (Decimal(5), 1)}


async def test_what_was_made_for_a_category_that_is_deleted_since_is_answered_again(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    coffee = await own(services, robin, "Coffee")
    rule = CreateRule("Coffee", "custom", Conditions(categories=(coffee,)), ["in_app"], "immediate", "normal", enabled=True)
    budget_id, rule_id = await budget(services, robin, coffee), await create_rule(services, robin, rule, "key")
    await delete_budget(services, robin, budget_id)
    await delete_category(services, robin, DeleteCategory(coffee))

    assert await budget(services, robin, coffee) == budget_id
    assert await create_rule(services, robin, rule, "key") == rule_id
    with pytest.raises(CategoryNotFound):
        await create_rule(services, robin, rule, "another key")
    with pytest.raises(CategoryNotBudgetable):
        await create_budget(services, robin, CreateBudget("B", coffee, Decimal(1), "USD", "monthly", MONTH), "another key")
