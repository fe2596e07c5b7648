"""What a user says of a budget."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import strawberry
from strawberry.utils.str_converters import to_camel_case

from db.engines import Viewer
from domains.budget.service.change_budgets import CreateBudget, UpdateBudget
from domains.budget.service.change_goals import CreateGoal, UpdateGoal
from domains.budget.service.contribute_to_goals import Contribute
from resolvers.budget.types import BudgetPeriod, BudgetStatus, SavingsGoalStatus
from resolvers.errors import BadUserInput
from resolvers.fields import CurrencyCode, given_id, text_from_global_id


def _optional(description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description)


@strawberry.input(description="A new budget.")
class BudgetCreateInput:
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters that you choose for this budget. A retry with it and the same input answers the same for 48 hours."
    )
    name: str = strawberry.field(description="1 to 255 characters.")
    category: strawberry.ID = strawberry.field(description="A category of expenses; its children count too.")
    amount: Decimal = strawberry.field(description="What may be spent per period: not negative, with no more digits than the currency has.")
    currency: CurrencyCode | None = _optional("By default yours.")
    period: BudgetPeriod = strawberry.field(default=BudgetPeriod.MONTHLY, description="How long a period is.")
    start_date: date | None = _optional("The first day of the first period. By default the first of this month, in your time zone.")
    end_date: date | None = _optional("The last day, inclusive. By default none.")
    notes: str | None = _optional("At most 2,000 characters.")
    color: str | None = _optional("`#rrggbb`, in lower case.")
    icon: str | None = _optional("The name of an icon, or an emoji: at most 50 characters.")


@strawberry.input(description="What to change of a budget. What is left out stays as it is; its currency always does.")
class BudgetUpdateInput:
    id: strawberry.ID = strawberry.field(description="The budget.")
    name: str | None = _optional("1 to 255 characters; not null.")
    category: strawberry.ID | None = _optional("A category of expenses; not null.")
    amount: Decimal | None = _optional("In the budget's currency; not null.")
    period: BudgetPeriod | None = _optional("How long a period is; not null.")
    start_date: date | None = _optional("The first day of the first period; not null.")
    end_date: date | None = _optional("The last day, inclusive; null for no end.")
    notes: str | None = _optional("At most 2,000 characters; null for none.")
    color: str | None = _optional("`#rrggbb`, in lower case; null for none.")
    icon: str | None = _optional("At most 50 characters; null for none.")


@strawberry.input(description="Which budget to delete.")
class BudgetDeleteInput:
    id: strawberry.ID = strawberry.field(description="The budget.")


@strawberry.input(description="A new goal.")
class GoalCreateInput:
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters that you choose for this goal. A retry with it and the same input answers the same for 48 hours."
    )
    name: str = strawberry.field(description="1 to 255 characters.")
    target_amount: Decimal = strawberry.field(description="How much it takes: more than nothing, in as many digits as the currency has.")
    currency: CurrencyCode | None = _optional("By default yours.")
    opening_amount: Decimal | None = _optional("How much of it is there already. By default nothing.")
    started_at: date | None = _optional("Since when, not after today. By default today, in your time zone.")
    target_date: date | None = _optional("By when: a day after `startedAt`. By default none.")
    description: str | None = _optional("At most 2,000 characters.")
    color: str | None = _optional("`#rrggbb`, in lower case.")
    image_url: str | None = _optional("Where a picture of it is: `https://...`, at most 2,000 characters.")
    priority: int = strawberry.field(default=0, description="The order among the goals, the lowest first.")


@strawberry.input(description="What to change of a goal. What is left out stays as it is; its currency and its opening amount always do.")
class GoalUpdateInput:
    id: strawberry.ID = strawberry.field(description="The goal.")
    name: str | None = _optional("1 to 255 characters; not null.")
    target_amount: Decimal | None = _optional("In the goal's currency, more than nothing; not null.")
    target_date: date | None = _optional("By when; null for no date.")
    status: SavingsGoalStatus | None = _optional("ACTIVE, PAUSED or ABANDONED; not null. An active one that has its target is ACHIEVED.")
    description: str | None = _optional("At most 2,000 characters; null for none.")
    color: str | None = _optional("`#rrggbb`, in lower case; null for none.")
    image_url: str | None = _optional("`https://...`; null for none.")
    priority: int | None = _optional("The order among the goals, the lowest first; not null.")


@strawberry.input(description="Which goal to delete.")
class GoalDeleteInput:
    id: strawberry.ID = strawberry.field(description="The goal.")


@strawberry.input(description="Money put aside for a goal, or taken out of it.")
class GoalContributionCreateInput:
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters that you choose for this contribution. A retry with it and the same input answers the same for "
        "48 hours."
    )
    goal_id: strawberry.ID = strawberry.field(description="The goal.")
    amount: Decimal = strawberry.field(
        description="In the goal's currency, with no more digits than it has; negative takes out, but never more than is saved."
    )
    contribution_date: date | None = _optional("On which day, not after today. By default today, in your time zone.")
    notes: str | None = _optional("At most 2,000 characters.")


@strawberry.input(description="Which contribution to undo.")
class GoalContributionDeleteInput:
    id: strawberry.ID = strawberry.field(description="The contribution.")


@strawberry.input(description="Narrows a list of budgets.")
class BudgetFilter:
    status: BudgetStatus | None = _optional("Only in this status.")


@strawberry.input(description="Narrows a list of goals.")
class SavingsGoalFilter:
    status: SavingsGoalStatus | None = _optional("Only in this status.")


def read_status(given: BudgetFilter | SavingsGoalFilter | None) -> dict[str, str]:
    """The status that is wanted as statements take it; nothing for any."""
    return {"status": given.status.value} if given is not None and given.status else {}


#: What may be left out of a change, but not taken away.
_NEVER_NULL = ("name", "category", "amount", "period", "start_date")
_GOALS_NEVER_NULL = ("name", "target_amount", "status", "priority")


def read_creation(given: BudgetCreateInput, viewer: Viewer, today: date) -> CreateBudget:
    """The command, with the defaults of this viewer on this day."""
    return CreateBudget(
        name=given.name,
        category=_category(given.category),
        amount=given.amount,
        currency=given.currency or viewer.currency,
        period=given.period.value,
        start_date=given.start_date or today.replace(day=1),
        end_date=given.end_date or None,
        notes=_or_none(given.notes),
        color=_or_none(given.color),
        icon=_or_none(given.icon),
    )


def read_change(given: BudgetUpdateInput) -> UpdateBudget:
    """Errors: BadUserInput for a null that cannot be meant."""
    said = _said(given, _NEVER_NULL)
    if "category" in said:
        said["category"] = _category(said["category"])
    if "period" in said:
        said["period"] = said["period"].value
    return UpdateBudget(budget_id=given_id(given.id, "Budget"), **said)


def read_goal(given: GoalCreateInput, viewer: Viewer, today: date) -> CreateGoal:
    """The command, with the defaults of this viewer on this day."""
    return CreateGoal(
        name=given.name,
        target_amount=given.target_amount,
        currency=given.currency or viewer.currency,
        started_at=given.started_at or today,
        opening_amount=_or_none(given.opening_amount) or Decimal(0),
        target_date=given.target_date or None,
        description=_or_none(given.description),
        color=_or_none(given.color),
        image_url=_or_none(given.image_url),
        priority=given.priority,
    )


def read_goal_change(given: GoalUpdateInput) -> UpdateGoal:
    """Errors: BadUserInput for a null that cannot be meant."""
    said = _said(given, _GOALS_NEVER_NULL)
    if "status" in said:
        said["status"] = said["status"].value
    return UpdateGoal(goal_id=given_id(given.id, "SavingsGoal"), **said)


def _said(given: BudgetUpdateInput | GoalUpdateInput, never_null: Sequence[str]) -> dict[str, Any]:
    said = {name: value for name, value in vars(given).items() if name != "id" and value is not strawberry.UNSET}
    for name in never_null:
        if name in said and said[name] is None:
            raise BadUserInput(f"`{to_camel_case(name)}` cannot be null. Leave it out to keep it.", argument="input")
    return said


def read_contribution(given: GoalContributionCreateInput, today: date) -> Contribute:
    return Contribute(
        goal_id=given_id(given.goal_id, "SavingsGoal"),
        amount=given.amount,
        contributed_on=given.contribution_date or today,
        notes=_or_none(given.notes),
    )


def as_given(given: BudgetCreateInput | GoalCreateInput | GoalContributionCreateInput) -> dict[str, Any]:
    """What the client said and nothing of ours: what two requests with one idempotency key must agree in."""
    return {name: value for name, value in vars(given).items() if name != "idempotency_key" and value not in (None, strawberry.UNSET)}


def _category(given: str) -> str:
    """The category's id; what is no id becomes that of no category."""
    return text_from_global_id(given, "Category") or ""


def _or_none(given: Any) -> Any:
    return None if given is strawberry.UNSET else given
