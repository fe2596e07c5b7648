"""The demo shows what it should on any day it is made."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest

from db.transaction.reference.categories import CATEGORIES
from domains.bank.providers.sandbox import PEOPLE, SandboxProvider
from domains.budget.rules import (
    check_amount,
    check_contribution,
    check_dates,
    check_looks,
    check_name,
    period_containing,
    progress,
    utilization,
)
from domains.flows.demo import (
    DEMO_USERS,
    NEAR,
    DaysAgo,
    DemoBudget,
    DemoUser,
    Exactly,
    MonthsAgo,
    PlannedBudget,
    Spending,
    Used,
    plan_budgets,
    plan_goals,
)
from domains.user.rules import check_currency, check_locale, check_password, check_timezone, normalise_email

EXPENSES = {row.id for row in CATEGORIES if row.type == "expense"}
TRANSFERS = {row.id for row in CATEGORIES if row.type == "transfer"}
#: Firsts and lasts of months, years and quarters, a leap day, and days in between.
DAYS = [
    date(2026, 11, 22),
    date(2026, 12, 1),
    date(2026, 12, 31),
    date(2027, 1, 1),
    date(2027, 3, 31),
    date(2027, 7, 1),
    date(2027, 9, 15),
    date(2028, 2, 29),
    date(2031, 6, 2),
]


def standing(user: DemoUser, spending: Spending, budget: PlannedBudget, today: date) -> str:
    period = period_containing(budget.period, budget.start_date, None, today)
    assert period is not None
    spent = spending.within(budget.category, period)
    figures = utilization(amount=budget.amount, spent=spent, pending=Decimal(0), period=period, today=today, currency=user.currency)
    assert figures.percentage_used is not None
    return "over" if figures.is_exceeded else "near" if figures.percentage_used >= 100 * NEAR else "under"


@pytest.mark.parametrize("today", DAYS, ids=str)
@pytest.mark.parametrize("user", DEMO_USERS, ids=lambda user: user.profile)
def test_budgets_are_under_near_and_over_on_any_day(user: DemoUser, today: date) -> None:
    statement = SandboxProvider().statement(user.profile, today)
    spending = Spending(statement, user.currency)

    planned = plan_budgets(user, statement, today)

    stand = {budget.name: standing(user, spending, budget, today) for budget in planned}
    assert stand == {budget.name: budget.standing for budget in planned}
    assert min(Counter(stand.values())[kind] for kind in ("under", "near", "over")) >= 2
    for budget in planned:
        assert budget.category in EXPENSES
        assert check_name(budget.name) == budget.name
        assert check_amount(budget.amount, budget.currency) > 0
        check_dates(budget.start_date, None)
        check_looks(None, budget.color, budget.icon)


@pytest.mark.parametrize("today", [*DAYS, date(2026, 8, 31), date(2026, 5, 31)], ids=str)
@pytest.mark.parametrize("user", DEMO_USERS, ids=lambda user: user.profile)
def test_goals_are_on_and_off_track_and_achieved_on_any_day(user: DemoUser, today: date) -> None:
    for goal in plan_goals(user, today):
        found = progress(
            target=goal.target_amount,
            current=goal.current_amount,
            starts_on=goal.started_on,
            ends_on=goal.target_date,
            today=today,
            currency=goal.currency,
        )
        assert goal.opening_amount >= goal.current_amount / 5 > 0
        assert all(goal.started_on < day <= today and check_contribution(amount, goal.currency) for day, amount in goal.contributions)
        assert len(goal.contributions) >= 8
        stands = "achieved" if found.percentage_complete >= 100 else "on_track" if found.is_on_track else "off_track"
        assert stands == goal.standing


def test_the_demos_people_could_have_signed_up() -> None:
    for user in DEMO_USERS:
        assert normalise_email(user.email) == user.email
        check_password(user.password, user.email)
        assert user.profile in PEOPLE
        assert (check_timezone(user.timezone), check_currency(user.currency), check_locale(user.locale)) == (
            user.timezone,
            user.currency,
            user.locale,
        )

    assert (DEMO_USERS[0].email, DEMO_USERS[0].password, DEMO_USERS[0].full_name) == ("demo@example.com", "florin-demo-2026", "Robin Demo")
    assert {goal.standing for user in DEMO_USERS for goal in user.goals} == {"on_track", "off_track", "achieved"}
    assert all(8 <= len(user.budgets) <= 10 for user in DEMO_USERS)


def test_spending_leaves_out_transfers_pending_rows_and_other_currencies() -> None:
    today = date(2026, 11, 22)
    statement = SandboxProvider().statement("robin", today)
    whole = period_containing("yearly", today - timedelta(days=364), None, today)
    assert whole is not None

    spending = Spending(statement, "USD")
    euros = Spending(statement, "EUR")

    assert all(spending.within(category, whole) == 0 for category in TRANSFERS)
    assert spending.within("RENT_AND_UTILITIES_RENT", whole) == 8 * 1885 + 4 * 1940
    assert euros.within("RENT_AND_UTILITIES", whole) == 0
    assert euros.within("GENERAL_MERCHANDISE_BOOKSTORES_AND_NEWSSTANDS", whole) == 12 * Decimal("9.99")
    food = ("GROCERIES", "RESTAURANT", "COFFEE", "FAST_FOOD", "OTHER_FOOD_AND_DRINK", "BEER_WINE_AND_LIQUOR", "VENDING_MACHINES")
    parts = sum(spending.within(f"FOOD_AND_DRINK_{part}", whole) for part in food)
    assert spending.within("FOOD_AND_DRINK", whole) == parts > 0


def test_a_limit_of_what_is_used_is_never_nothing() -> None:
    user = DEMO_USERS[0]
    unused = DemoBudget("Vet", "MEDICAL_VETERINARY_SERVICES", "monthly", MonthsAgo(1), Used("0.9"), "under")
    fixed = DemoBudget("Dogs", "GENERAL_MERCHANDISE_PET_SUPPLIES", "weekly", DaysAgo(3), Exactly("12.50"), "under")
    asker = DemoUser(
        user.email, user.password, user.full_name, user.timezone, user.currency, user.locale, user.profile, (unused, fixed), ()
    )

    planned = plan_budgets(asker, SandboxProvider().statement("robin", date(2026, 11, 22)), date(2026, 11, 22))

    assert [(budget.amount, budget.start_date) for budget in planned] == [
        (Decimal(5), date(2026, 10, 1)),
        (Decimal("12.50"), date(2026, 11, 19)),
    ]
