"""How budgets, their figures and goals are reached. One statement each.

What depends on today, a budget's current period and a goal's progress, is decided here, when it is read, with the rules
of the domain and the civil date in the viewer's time zone.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from db.budget import queries
from db.budget import queries_goals as goals
from db.budget import queries_history as history
from db.budget.queries_pages import NEWEST
from db.connection import Row
from db.read import Read
from db.statements import Statement
from domains.budget import rules
from resolvers.budget.inputs import read_status
from resolvers.budget.lists import page_values, read_criteria
from resolvers.loaders import Columns, Page, loader
from resolvers.rows import computed_row


@loader("budget.by_id")
async def by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(queries.budgets_by_id(columns), keys=ids)


@loader("budget.by_user", shape="many")
async def by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """Oldest first."""
    wanted = read_status(page.filter)
    return await read.rows(queries.budgets_by_user(columns, with_status=bool(wanted)), keys=ids, **wanted)


@loader("budget.utilization_by_budget")
async def utilization_by_budget(read: Read, ids: Sequence[str], columns: Columns) -> list[Any]:
    """Figures of each budget's current period; none only for a budget that is missing or not the viewer's. One statement."""
    rows = await read.rows(queries.latest_utilization(), keys=ids)
    moves = not PACE.isdisjoint(columns)
    return [computed_row(row.key, columns, _utilization(row, read.today, moves=moves)) for row in rows]


#: What changes from day to day though nothing is spent.
PACE = frozenset({"daily_average", "projected_end_amount"})


def _utilization(row: Any, today: date, *, moves: bool) -> Mapping[str, Any]:
    """The stored figures when they are of the current period; else nothing has been spent in it. moves: with the pace as of today.

    Before a budget begins its current period is the first one, after its end the last one. Between a new amount and the fold that
    follows it, what depends on the amount is computed from what is stored.
    """
    day = max(today, row.start_date) if row.end_date is None else min(max(today, row.start_date), row.end_date)
    period = rules.period_containing(row.period, row.start_date, row.end_date, day)
    assert period is not None  # noqa: S101 - `day` is between the budget's first and last
    if row.period_start == period.start and row.period_end == period.end:
        stored: Mapping[str, Any] = row
        return stored if row.is_settled and not moves else {**row, **_figures(row, row.amount_spent, row.amount_pending, period, today)}
    return {**row, **NOTHING, **_figures(row, "0", "0", period, today), "period_start": period.start, "period_end": period.end}


NOTHING: Mapping[str, Any] = {
    "amount_spent": "0",
    "amount_pending": "0",
    "transaction_count": 0,
    "unconverted": {},
    "last_transaction_at": None,
    "last_updated": None,
}


def _figures(row: Any, spent: str, pending: str, period: rules.Period, today: date) -> dict[str, Any]:
    """What follows from the budget's amount, what was spent of it and the day."""
    figures = rules.utilization(
        amount=Decimal(row.amount),
        spent=Decimal(spent),
        pending=Decimal(pending),
        period=period,
        today=today,
        currency=row.currency,
    )
    return {
        "amount_remaining": _text(figures.remaining),
        "percentage_used": _text(figures.percentage_used),
        "is_exceeded": figures.is_exceeded,
        "daily_average": _text(figures.daily_average),
        "projected_end_amount": _text(figures.projected_end),
    }


#: What is computed of a goal, and what of it that takes.
PROGRESS = frozenset({"percentage_complete", "months_remaining", "required_monthly_contribution", "is_on_track"})
PROGRESS_OF = ("target_amount", "current_amount", "currency", "started_at", "target_date")


@loader("budget.goal_by_id")
async def goal_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Any]:
    return _goals(await read.rows(queries.goals_by_id(_stored(columns)), keys=ids), columns, read.today)


@loader("budget.goals_by_user", shape="many")
async def goals_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Any]:
    """By priority, then oldest first."""
    wanted = read_status(page.filter)
    statement = queries.goals_by_user(_stored(columns), with_status=bool(wanted))
    return _goals(await read.rows(statement, keys=ids, **wanted), columns, read.today)


def _stored(columns: Columns) -> Columns:
    """The columns to read for these."""
    if PROGRESS.isdisjoint(columns):
        return columns
    return tuple(dict.fromkeys((*(name for name in columns if name not in PROGRESS), *PROGRESS_OF)))


def _goals(rows: Sequence[Row], columns: Columns, today: date) -> Sequence[Any]:
    if PROGRESS.isdisjoint(columns):
        return rows
    return [computed_row(row.key, columns, {**row, **_progress(row, today)}) for row in rows]


def _progress(row: Any, today: date) -> dict[str, Any]:
    progress = rules.progress(
        target=Decimal(row.target_amount),
        current=Decimal(row.current_amount),
        starts_on=row.started_at,
        ends_on=row.target_date,
        today=today,
        currency=row.currency,
    )
    return {
        "percentage_complete": _text(progress.percentage_complete),
        "months_remaining": progress.months_remaining,
        "required_monthly_contribution": _text(progress.required_monthly),
        "is_on_track": progress.is_on_track,
    }


@loader("budget.history_by_id")
async def history_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(history.history_by_id(columns), keys=ids)


@loader("budget.history_by_user", shape="page")
async def history_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _page(read, history.history_page, "user_id", ids, columns, page)


@loader("budget.history_count_by_user", shape="count")
async def history_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    return await _count(read, history.history_count, "user_id", ids, page)


@loader("budget.history_by_budget", shape="page")
async def history_by_budget(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _page(read, history.history_page, "budget_id", ids, columns, page)


@loader("budget.history_count_by_budget", shape="count")
async def history_count_by_budget(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    return await _count(read, history.history_count, "budget_id", ids, page)


@loader("budget.contribution_by_id")
async def contribution_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(goals.contributions_by_id(columns), keys=ids)


@loader("budget.contributions_by_user", shape="page")
async def contributions_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _page(read, goals.contribution_page, "user_id", ids, columns, page)


@loader("budget.contribution_count_by_user", shape="count")
async def contribution_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    return await _count(read, goals.contribution_count, "user_id", ids, page)


@loader("budget.contributions_by_goal", shape="page")
async def contributions_by_goal(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _page(read, goals.contribution_page, "goal_id", ids, columns, page)


@loader("budget.contribution_count_by_goal", shape="count")
async def contribution_count_by_goal(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    return await _count(read, goals.contribution_count, "goal_id", ids, page)


async def _page(
    read: Read, statement: Callable[..., Statement], parent: str, ids: Sequence[str], columns: Columns, page: Page
) -> Sequence[Row]:
    """Up to `first` + 1 rows per parent."""
    criteria, values = read_criteria(page.filter)
    sort = NEWEST if page.sort is None else page.sort.value
    asked = statement(parent, columns, sort, criteria, after=page.after is not None, many=len(ids) > 1)
    return await read.rows(asked, **page_values(ids, page), **values)


async def _count(read: Read, statement: Callable[..., Statement], parent: str, ids: Sequence[str], page: Page) -> Sequence[Row]:
    criteria, values = read_criteria(page.filter)
    return await read.rows(statement(parent, criteria), keys=ids, **values)


def _text(value: Decimal | None) -> str | None:
    """As exact numbers leave the database."""
    return None if value is None else f"{value:f}"
