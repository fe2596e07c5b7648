"""Budgets, what is and was used of them, savings goals and contributions to them."""

import enum
from datetime import date, datetime
from decimal import Decimal

import strawberry

from resolvers.budget.lists import CONTRIBUTION_SORTS, HISTORY_SORTS, BudgetHistoryFilter, GoalContributionFilter
from resolvers.fields import CurrencyCode, Node, amounts, choice, column, entity, link, money, page, value


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


@strawberry.enum(description="What of a period's surplus or debt the next one takes over.")
class BudgetRolloverMode(enum.Enum):
    NONE = choice("NONE", "Nothing.")
    SURPLUS = choice("SURPLUS", "What was left.")
    FULL = choice("FULL", "What was left, or what was spent beyond it.")
    CAPPED = choice("CAPPED", "What was left, up to `rolloverCap`.")


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
    daily_average = money(description="What has posted, over the days of the period that have begun.")
    projected_end_amount = money(
        description="What will have been spent at its end at this pace, what is pending on top; never less than what has posted."
    )
    last_transaction_at = column(
        datetime | None, description="When the last of its transactions was: the day's start in UTC, since they have a date and no time."
    )
    last_updated = column(datetime | None, description="When these figures were last computed anew; null before the period's first ones.")
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
    history = page(
        "BudgetHistory",
        loader="budget.history_by_budget",
        count="budget.history_count_by_budget",
        filter=BudgetHistoryFilter,
        sorts=HISTORY_SORTS,
        description="What it came to in periods that are over, the latest first unless `sort` says otherwise.",
    )
    rollover = column(bool, description="Whether `rolloverMode` is another than NONE.")
    rollover_mode = column(BudgetRolloverMode, description="What the next period takes over.")
    rollover_cap = money(nullable=True, description="How much is taken over at most; null unless `rolloverMode` is CAPPED.")
    rollover_amount = money(description="What this period has taken over; negative for a debt.")
    alert_enabled = column(bool, description="Whether its owner wants to be told when it is nearly used up.")
    alert_thresholds = column(list[Decimal], description="At which shares of the amount; `0.8` is at 80 %.")
    last_alert_sent_at = column(datetime | None, description="When its owner was last told; null if never.")
    last_alert_threshold = column(Decimal | None, description="At which share that was.")
    notes = column(str | None, description="What its owner wrote to it.")
    color = column(str | None, description="A colour, `#rrggbb`.")
    icon = column(str | None, description="The name of an icon, or an emoji.")
    version = column(int, description="Goes up by one with every change that can be seen here or in `utilization`, and is never reset.")
    created_at = column(datetime, description="When it was made.")
    updated_at = column(datetime, description="When it or its figures last changed.")


@entity(loader="budget.history_by_id")
class BudgetHistory(Node):
    """What a budget came to in a period that is over.

    Amount and category are those that the budget had then. What is imported or changed for the period later is counted in within seconds,
    until `isFrozen`.
    """

    period_start = column(date, description="The first day of the period.")
    period_end = column(date, description="The day after its last: exclusive.")
    budget_amount = money(description="What the budget allowed.")
    amount_spent = money(description="What had posted. Negative when more came back than went out.")
    amount_remaining = money(description="What it allowed less what had posted; negative when it was exceeded.")
    percentage_used = column(Decimal | None, description="Of what it allowed, with two digits; null for a budget of nothing.")
    was_exceeded = column(bool, description="Whether more had posted than it allowed.")
    transaction_count = column(int, description="How many transactions were in it.")
    unconverted = amounts(description="What was spent in other currencies and is in none of these figures, as there is no rate for it.")
    is_frozen = column(bool, description="Whether it stays as it is for ever, since transactions of the time may be gone.")
    category = link("Category", key="category", description="What was counted, with the category's children.")
    budget = link("Budget", key="budget_id", description="The budget as it is today.")
    created_at = column(datetime, description="When the period was first closed.")
    updated_at = column(datetime, description="When it was last summed.")


@entity(loader="budget.goal_by_id")
class SavingsGoal(Node):
    """What its owner saves towards. What depends on today is computed when it is asked for, in their time zone."""

    name = column(str, description="What it is for.")
    description = column(str | None, description="The same in more words.")
    target_amount = money(description="How much it takes.")
    current_amount = money(description="How much is saved: the opening amount and all contributions.")
    opening_amount = money(description="How much was saved before the first contribution.")
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
    contributions = page(
        "GoalContribution",
        loader="budget.contributions_by_goal",
        count="budget.contribution_count_by_goal",
        filter=GoalContributionFilter,
        sorts=CONTRIBUTION_SORTS,
        description="What was put aside for it and taken out, the latest first unless `sort` says otherwise.",
    )
    image_url = column(str | None, description="Where a picture of it is.")
    color = column(str | None, description="A colour, `#rrggbb`.")
    priority = column(int, description="The order among the goals, the lowest first.")
    created_at = column(datetime, description="When it was made.")
    updated_at = column(datetime, description="When it or what is saved for it last changed.")


@entity(loader="budget.contribution_by_id")
class GoalContribution(Node):
    """What was put aside for a goal on a day, or taken out of it. It is never changed: delete it and make another."""

    amount = money(description="How much, in the goal's currency; negative when it was taken out.")
    contribution_date = column(date, description="On which day.")
    notes = column(str | None, description="What its owner wrote to it.")
    goal = link("SavingsGoal", key="goal_id", description="What it is for.")
    created_at = column(datetime, description="When it was entered.")
