"""The demo, as data: who can sign in, and which budgets and goals they have.

A demo should show budgets under, near and over their limits on any day it is made, the first of a month included. So limits are not
figures but follow from what the sandbox bank says was spent, in one of three ways:

    Used      the limit at which so much of it is used today. For periods that are well under way whatever the day: they began so many
              days ago, on the day the budget was made; or everything in them is paid on their first day (rent, gym, phone).
    Headroom  so many times what is usual, and never less than leaves a quarter free today. For weeks, months and quarters of the
              calendar, however far they are.
    Exactly   a round figure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from statistics import median
from typing import Any, Final, Literal

from domains.bank.providers.protocol import Statement
from domains.budget.rules import Period, add_months, period_containing
from domains.transaction.rules import categorise, clean_merchant

Standing = Literal["under", "near", "over"]
GoalStanding = Literal["on_track", "off_track", "achieved"]

#: From where on a budget is near its limit: 80 % used.
NEAR: Final = Decimal("0.8")
_NONE: Final = Decimal(0)
#: How many periods before the current one are looked at, for headroom.
_LOOKED_BACK: Final = 12
_TRANSFER = re.compile(r"TRANSFER_(?:IN|OUT)(?:_|$)|LOAN_PAYMENTS_CREDIT_CARD_PAYMENT$")


@dataclass(frozen=True, slots=True)
class Used:
    """So much of the limit is used today; limits are whole multiples of `step`."""

    share: str
    step: int = 5


@dataclass(frozen=True, slots=True)
class Headroom:
    """So many times the middle one of the periods before, and a third more than is used by now at the least; whole multiples of `step`."""

    times: str
    step: int = 25


@dataclass(frozen=True, slots=True)
class Exactly:
    amount: str


@dataclass(frozen=True, slots=True)
class MonthsAgo:
    """Begins on the first of the month so many months ago."""

    months: int


@dataclass(frozen=True, slots=True)
class DaysAgo:
    """Begins so many days ago: a day in the life of the current period that no calendar changes."""

    days: int


@dataclass(frozen=True, slots=True)
class MondayAgo:
    """Begins on the Monday so many weeks ago."""

    weeks: int


@dataclass(frozen=True, slots=True)
class DemoBudget:
    """A budget to make; `standing` is what it shows on the day it is made."""

    name: str
    category: str
    period: str
    begins: MonthsAgo | DaysAgo | MondayAgo
    limit: Used | Headroom | Exactly
    standing: Standing
    icon: str | None = None
    color: str | None = None


@dataclass(frozen=True, slots=True)
class DemoGoal:
    """A goal to make, with dates told from the day it is made. Amounts are in its owner's currency."""

    name: str
    target: str
    current: str
    begun_months_ago: int
    due_in_months: int
    standing: GoalStanding
    color: str | None = None


@dataclass(frozen=True, slots=True)
class DemoUser:
    """Somebody who can sign in; `profile` is the sandbox bank's customer whose accounts they have."""

    email: str
    password: str
    full_name: str
    timezone: str
    currency: str
    locale: str
    profile: str
    budgets: tuple[DemoBudget, ...]
    goals: tuple[DemoGoal, ...]


@dataclass(frozen=True, slots=True)
class PlannedBudget:
    """A budget in figures: what `budgetCreate` takes."""

    name: str
    category: str
    period: str
    start_date: date
    amount: Decimal
    currency: str
    icon: str | None
    color: str | None
    standing: Standing


@dataclass(frozen=True, slots=True)
class PlannedGoal:
    name: str
    target_amount: Decimal
    current_amount: Decimal
    currency: str
    started_on: date
    target_date: date
    color: str | None
    standing: GoalStanding
    contributions: tuple[tuple[date, Decimal], ...]

    @property
    def opening_amount(self) -> Decimal:
        return self.current_amount - sum((amount for _, amount in self.contributions), _NONE)


def plan_budgets(user: DemoUser, statement: Statement, today: date) -> list[PlannedBudget]:
    """The user's budgets with limits that follow from the statement of today."""
    spending = Spending(statement, user.currency)
    return [_planned(user, budget, spending, today) for budget in user.budgets]


def plan_goals(user: DemoUser, today: date) -> list[PlannedGoal]:
    """The user's goals with dates."""
    return [
        PlannedGoal(
            name=goal.name,
            target_amount=Decimal(goal.target),
            current_amount=Decimal(goal.current),
            currency=user.currency,
            started_on=add_months(today, -goal.begun_months_ago),
            target_date=add_months(today, goal.due_in_months),
            color=goal.color,
            standing=goal.standing,
            contributions=tuple(_contributions(goal, today)),
        )
        for goal in user.goals
    ]


def _contributions(goal: DemoGoal, today: date) -> Iterable[tuple[date, Decimal]]:
    """The same each month since it began, four fifths of what is saved in all. Who is behind has once taken two of them out again."""
    each = (Decimal(goal.current) * 4 / 5 / goal.begun_months_ago / 5).to_integral_value(ROUND_FLOOR) * 5
    for months_ago in range(goal.begun_months_ago - 1, -1, -1):
        yield add_months(today, -months_ago), each
    if goal.standing == "off_track":
        yield add_months(today, -(goal.begun_months_ago // 2)), -2 * each


class Spending:
    """What a statement's posted rows in one currency say was spent: debits less credits, without transfers."""

    def __init__(self, statement: Statement, currency: str) -> None:
        self.first = min((row.transaction_date for account in statement.accounts for row in account.transactions), default=date.max)
        self._days: dict[str, list[tuple[date, Decimal]]] = {}
        for account in statement.accounts:
            for row in account.transactions:
                if row.currency != currency or row.status != "posted":
                    continue
                merchant = clean_merchant(row.description, row.merchant_name)
                found = categorise(row.description, merchant, row.direction, account.account_type, _NOTHING_KNOWN, row.category_detailed)
                category = found.category_detailed or found.category
                if category is not None and _TRANSFER.match(category) is None:
                    signed = row.amount if row.direction == "debit" else -row.amount
                    for each in {category, found.category or category}:
                        self._days.setdefault(each, []).append((row.transaction_date, signed))

    def within(self, category: str, period: Period) -> Decimal:
        """Spent on the category, and on its children where it has some."""
        return sum((amount for day, amount in self._days.get(category, ()) if period.start <= day < period.end), _NONE)


_NOTHING_KNOWN: Final[Mapping[str, Any]] = {}


def _planned(user: DemoUser, budget: DemoBudget, spending: Spending, today: date) -> PlannedBudget:
    start = _start(budget.begins, today)
    period = period_containing(budget.period, start, None, today)
    if period is None:
        raise ValueError(f"The demo's budget {budget.name!r} begins after {today}.")
    return PlannedBudget(
        name=budget.name,
        category=budget.category,
        period=budget.period,
        start_date=start,
        amount=_limit(budget, spending, period),
        currency=user.currency,
        icon=budget.icon,
        color=budget.color,
        standing=budget.standing,
    )


def _start(begins: MonthsAgo | DaysAgo | MondayAgo, today: date) -> date:
    match begins:
        case MonthsAgo(months):
            return add_months(today.replace(day=1), -months)
        case DaysAgo(days):
            return today - timedelta(days=days)
        case MondayAgo(weeks):
            return today - timedelta(days=today.weekday() + 7 * weeks)


def _limit(budget: DemoBudget, spending: Spending, period: Period) -> Decimal:
    spent = spending.within(budget.category, period)
    match budget.limit:
        case Exactly(amount):
            return Decimal(amount)
        case Used(share, step):
            parts = (spent / Decimal(share) / step).to_integral_value(ROUND_HALF_EVEN)
            return max(parts, Decimal(1)) * step
        case Headroom(times, step):
            usual = [spending.within(budget.category, each) for each in _before(budget, spending, period)]
            wanted = max(median(usual) * Decimal(times) if usual else _NONE, spent * 4 / 3, _NONE)
            return max((wanted / step).to_integral_value(ROUND_CEILING), Decimal(1)) * step


def _before(budget: DemoBudget, spending: Spending, period: Period) -> Iterable[Period]:
    """The whole periods before this one that the statement tells of, the latest first."""
    length = period.end - period.start
    for number in range(1, _LOOKED_BACK + 1):
        if budget.period in ("weekly", "biweekly"):
            start = period.start - number * length
            before = Period(start, start + length)
        else:
            months = {"monthly": 1, "quarterly": 3, "yearly": 12}[budget.period]
            before = Period(add_months(period.start, -number * months), add_months(period.start, -(number - 1) * months))
        if before.start < spending.first:
            return
        yield before


_ROBINS_BUDGETS: Final = (
    DemoBudget("Rent", "RENT_AND_UTILITIES_RENT", "monthly", MonthsAgo(12), Used("1"), "near", "key", "#f9a825"),
    DemoBudget("Phone", "RENT_AND_UTILITIES_TELEPHONE", "monthly", MonthsAgo(12), Exactly("75"), "near", "smartphone"),
    DemoBudget("Gym", "PERSONAL_CARE_GYMS_AND_FITNESS_CENTERS", "monthly", MonthsAgo(8), Exactly("20"), "over", "fitness_center"),
    DemoBudget(
        "Groceries", "FOOD_AND_DRINK_GROCERIES", "monthly", MonthsAgo(12), Headroom("1.15"), "under", "local_grocery_store", "#43a047"
    ),
    DemoBudget("Coffee", "FOOD_AND_DRINK_COFFEE", "weekly", MondayAgo(20), Headroom("1.3", 5), "under", "coffee", "#6d4c41"),
    DemoBudget("Eating out", "FOOD_AND_DRINK_RESTAURANT", "quarterly", DaysAgo(72), Used("1.14"), "over", "restaurant", "#e64a19"),
    DemoBudget("Online shopping", "GENERAL_MERCHANDISE_ONLINE_MARKETPLACES", "yearly", DaysAgo(240), Used("0.91"), "near", "shopping_cart"),
    DemoBudget(
        "Books and news", "GENERAL_MERCHANDISE_BOOKSTORES_AND_NEWSSTANDS", "monthly", MonthsAgo(6), Headroom("1.3", 5), "under", "menu_book"
    ),
    DemoBudget("Going out", "ENTERTAINMENT", "quarterly", MonthsAgo(12), Headroom("1.2"), "under", "theaters", "#8e24aa"),
    DemoBudget("Travel", "TRAVEL", "yearly", MonthsAgo(11), Headroom("1.3", 100), "under", "flight", "#0288d1"),
)

_SAMS_BUDGETS: Final = (
    DemoBudget("Miete", "RENT_AND_UTILITIES_RENT", "monthly", MonthsAgo(12), Used("1"), "near", "key", "#f9a825"),
    DemoBudget("Strom", "RENT_AND_UTILITIES_GAS_AND_ELECTRICITY", "monthly", MonthsAgo(12), Headroom("1.4", 5), "under", "bolt"),
    DemoBudget("Sport", "PERSONAL_CARE_GYMS_AND_FITNESS_CENTERS", "monthly", MonthsAgo(12), Exactly("50"), "over", "fitness_center"),
    DemoBudget("Versicherungen", "GENERAL_SERVICES_INSURANCE", "yearly", DaysAgo(300), Used("0.93"), "near", "shield"),
    DemoBudget(
        "Lebensmittel", "FOOD_AND_DRINK_GROCERIES", "monthly", MonthsAgo(12), Headroom("1.15"), "under", "local_grocery_store", "#43a047"
    ),
    DemoBudget("Restaurants", "FOOD_AND_DRINK_RESTAURANT", "quarterly", DaysAgo(66), Used("1.18"), "over", "restaurant", "#e64a19"),
    DemoBudget("Onlinekäufe", "GENERAL_MERCHANDISE_ONLINE_MARKETPLACES", "yearly", DaysAgo(210), Used("0.88"), "near", "shopping_cart"),
    DemoBudget("Unterwegs", "TRANSPORTATION", "monthly", MonthsAgo(12), Headroom("1.2", 10), "under", "train", "#00897b"),
    DemoBudget("Freizeit", "ENTERTAINMENT", "quarterly", MonthsAgo(12), Headroom("1.2"), "under", "theaters", "#8e24aa"),
)

DEMO_USERS: Final = (
    DemoUser(
        email="demo@example.com",
        password="florin-demo-2026",  # noqa: S106 - it is printed for everybody who starts the demo
        full_name="Robin Demo",
        timezone="America/Chicago",
        currency="USD",
        locale="en-US",
        profile="robin",
        budgets=_ROBINS_BUDGETS,
        goals=(
            DemoGoal("Emergency fund", "15000.00", "12200.00", 18, 6, "on_track", "#2e7d32"),
            DemoGoal("A newer car", "20000.00", "4150.00", 13, 11, "off_track", "#c62828"),
            DemoGoal("Two weeks in Japan", "4500.00", "4500.00", 14, 3, "achieved", "#0288d1"),
        ),
    ),
    DemoUser(
        email="sam@example.com",
        password="florin-demo-2026",  # noqa: S106 - as above
        full_name="Sam Sample",
        timezone="Europe/Berlin",
        currency="EUR",
        locale="de-DE",
        profile="sam",
        budgets=_SAMS_BUDGETS,
        goals=(
            DemoGoal("Lastenrad", "4800.00", "2950.00", 8, 8, "on_track", "#00897b"),
            DemoGoal("Eigenkapital", "40000.00", "11500.00", 24, 24, "off_track", "#c62828"),
        ),
    ),
)
