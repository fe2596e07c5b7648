"""What lists of closed periods and of contributions are narrowed to and ordered by."""

import enum
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import strawberry

from db.budget.queries_pages import NEWEST, OLDEST, criteria_of
from resolvers.errors import BadUserInput
from resolvers.fields import Sort, choice, from_global_id
from resolvers.loaders import Page

IDS_AT_MOST = 100


@strawberry.enum(description="The order of a list of closed periods.")
class BudgetHistorySort(enum.Enum):
    NEWEST = choice(NEWEST, "By `periodStart`, the latest first.")
    OLDEST = choice(OLDEST, "By `periodStart`, the earliest first.")


@strawberry.enum(description="The order of a list of contributions.")
class GoalContributionSort(enum.Enum):
    NEWEST = choice(NEWEST, "By `contributionDate`, the latest first.")
    OLDEST = choice(OLDEST, "By `contributionDate`, the earliest first.")


def _optional(description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description)


@strawberry.input(description="Narrows a list of closed periods. All that is given must hold; an empty list of ids matches nothing.")
class BudgetHistoryFilter:
    budget_ids: list[strawberry.ID] | None = _optional("Of any of these budgets, at most 100.")
    since: date | None = _optional("That began on this day or after.")
    until: date | None = _optional("That began before this day; the day itself is out.")


@strawberry.input(description="Narrows a list of contributions. All that is given must hold; an empty list of ids matches nothing.")
class GoalContributionFilter:
    goal_ids: list[strawberry.ID] | None = _optional("To any of these goals, at most 100.")
    since: date | None = _optional("On this day or after.")
    until: date | None = _optional("Before this day; the day itself is out.")


HISTORY_SORTS: dict[enum.Enum, Sort] = {
    each: Sort(("period_start", "id"), descending=each.value == NEWEST) for each in (BudgetHistorySort.NEWEST, BudgetHistorySort.OLDEST)
}
CONTRIBUTION_SORTS: dict[enum.Enum, Sort] = {
    each: Sort(("contribution_date", "id"), descending=each.value == NEWEST)
    for each in (GoalContributionSort.NEWEST, GoalContributionSort.OLDEST)
}


def read_criteria(given: BudgetHistoryFilter | GoalContributionFilter | None) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What the statements take. Whatever is no id matches as little as an id that is not there. Errors: BadUserInput."""
    if given is None:
        return criteria_of({})
    said = {name: None if value is strawberry.UNSET else value for name, value in vars(given).items()}
    if isinstance(given, BudgetHistoryFilter):
        parents = _keys(said["budget_ids"], "Budget", "budgetIds")
    else:
        parents = _keys(said["goal_ids"], "SavingsGoal", "goalIds")
    return criteria_of({"parents": parents, "since": said["since"], "until": said["until"]})


def _keys(given: Sequence[str] | None, kind: str, name: str) -> list[UUID] | None:
    if given is None:
        return None
    if len(given) > IDS_AT_MOST:
        raise BadUserInput(f"`filter.{name}` may have {IDS_AT_MOST} entries at most.", argument="filter")
    return [key for each in given if (key := from_global_id(each, kind)) is not None]


def page_values(ids: Sequence[str], page: Page) -> dict[str, Any]:
    """What every page statement binds. A single parent is asked for by a statement that needs no join."""
    values: dict[str, Any] = {"size": page.first + 1} | ({"keys": ids} if len(ids) > 1 else {"key": ids[0]})
    if page.after is not None and page.order is not None:
        values |= {f"after_{name}": value for name, value in zip(page.order.columns, page.after, strict=True)}
    return values
