"""Budgets, what has been used of them, and savings goals."""

import enum
from datetime import date, datetime
from decimal import Decimal

import strawberry

from resolvers.fields import CurrencyCode, Node, amounts, choice, column, entity, link, money, value


@strawberry.enum(description="How long a budget's periods are. They are counted from its `startDate`.")
class BudgetPeriod(enum.Enum):
    WEEKLY = choice("weekly", "Seven days.")
    BIWEEKLY = choice("biweekly", "Fourteen days.")
    MONTHLY = choice("monthly", "A month, from the day of the month on which the budget starts.")
    QUARTERLY = choice("quarterly", "Three months.")
    YEARLY = choice("yearly", "Twelve months.")


@strawberry.enum(description="Whether a budget is followed.")
class BudgetStatus(enum.Enum):
    ACTIVE = choice("active", "It is.")
    PAUSED = choice("paused", "Not for the time being.")
    COMPLETED = choice("completed", "It is over.")


@strawberry.enum(description="What has become of a goal.")
class SavingsGoalStatus(enum.Enum):
    ACTIVE = choice("active", "It is being saved for.")
    ACHIEVED = choice("achieved", "It is reached.")
    ABANDONED = choice("abandoned", "It was given up.")
    PAUSED = choice("paused", "Not for the time being.")


@value
class BudgetUtilization:
    """What has been used of a budget in its current period: the one that holds today in the owner's time zone.

    Spending is what went out less what came back, posted, in the budget's category and its children; transfers and duplicates do not
    count. Before a budget begins this is its first period with nothing spent; after its end the last one.
    """

    period_start = column(date, description="The first day of the period.")
    period_end = column(date, description="The day after its last: exclusive. A November ends on 1 December.")
    amount_spent = money(description="What has posted. Negative when more came back than went out.")
    amount_pending = money(description="What is pending, on top.")
    amount_remaining = money(description="The budget's amount less what has posted; negative when it is exceeded.")
    percentage_used = column(Decimal | None, description="Of the budget's amount, posted, with two digits; null for a budget of nothing.")
    is_exceeded = column(bool, description="Whether more has posted than the budget allows.")
    transaction_count = column(int, description="How many transactions are in it, pending ones too.")
    unconverted = amounts(description="What was spent in other currencies and is in none of these figures, as there is no rate for it.")
    version = column(int, description="The budget's `version` that these figures belong to.")


@entity(loader="budget.by_id")
class Budget(Node):
    """What its owner allows themselves for a category, per period."""

    name = column(str, description="What it is called.")
    amount = money(description="What may be spent per period.")
    period = column(BudgetPeriod, description="How long a period is.")
    start_date = column(date, description="The first day of its first period; the others are counted from it.")
    end_date = column(date | None, description="Its last day, inclusive; null for a budget without an end.")
    status = column(BudgetStatus, description="Whether it is followed.")
    category = link("Category", key="category", description="What it is for, with the category's children.")
    utilization = link(
        "BudgetUtilization",
        key="id",
        loader="budget.utilization_by_budget",
        nullable=False,
        description="What has been used of it in the current period.",
    )
    notes = column(str | None, description="What its owner wrote to it.")
    color = column(str | None, description="A colour, `#rrggbb`.")
    icon = column(str | None, description="The name of an icon, or an emoji.")
    version = column(int, description="Goes up by one with every change that can be seen here or in `utilization`, and is never reset.")
    created_at = column(datetime, description="When it was made.")
    updated_at = column(datetime, description="When it or its figures last changed.")


@entity(loader="budget.goal_by_id")
class SavingsGoal(Node):
    """What its owner saves towards. What depends on today is computed when it is asked for, in their time zone."""

    name = column(str, description="What it is for.")
    description = column(str | None, description="The same in more words.")
    target_amount = money(description="How much it takes.")
    current_amount = money(description="How much is saved.")
    currency = column(CurrencyCode, description="What all its amounts are in.")
    target_date = column(date | None, description="By when; null for a goal without a date.")
    started_at = column(date, description="Since when.")
    percentage_complete = column(Decimal, description="Saved of the target, with two digits; above 100 when more is saved.")
    months_remaining = column(
        int | None, description="Calendar months until the target date, 0 once its month has come; null without a date."
    )
    required_monthly_contribution = money(
        nullable=True, description="What to put aside each month to be there in time; null without a date."
    )
    is_on_track = column(bool | None, description="Whether as great a share is saved as of the time has passed; null without a date.")
    status = column(SavingsGoalStatus, description="What has become of it.")
    achieved_at = column(datetime | None, description="When it was reached.")
    color = column(str | None, description="A colour, `#rrggbb`.")
    priority = column(int, description="The order among the goals, the lowest first.")
    created_at = column(datetime, description="When it was made.")
