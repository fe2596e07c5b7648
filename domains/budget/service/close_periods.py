"""Close the periods of budgets that are over: keep what each came to, and freeze what its transactions may leave behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from db import jobs
from db.budget import queries
from db.budget import queries_history as history
from db.budget.queries import Definition, LockedBudget
from db.budget.queries_history import ClosedPeriod
from db.engines import SystemSession, WriteSession
from domains.budget import rules
from domains.budget.service.apply_fold import Fold, unconverted, with_json_text
from domains.core.money import ZERO, quantize

CLOSE = "budget.close_periods"
#: Periods that are summed and stored together.
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Closing:
    """What there is to close of a user's budgets.

    folds:    a window per period, oldest first per budget: those without a row, and those to be folded again.
    budgets:  the definitions that this was planned for.
    next_on:  per budget, the day on which there is something to close once these are.
    """

    folds: list[Fold] = field(default_factory=list)
    budgets: dict[UUID, Definition] = field(default_factory=dict)
    next_on: dict[UUID, date] = field(default_factory=dict)

    def batches(self) -> list[list[Fold]]:
        return [self.folds[start : start + AT_ONCE] for start in range(0, len(self.folds), AT_ONCE)]


def plan_closing(
    definitions: Sequence[Definition],
    closed: Sequence[ClosedPeriod],
    today: date,
    *,
    at_most: int,
    again: tuple[date, date] | None = None,
    before: date | None = None,
) -> Closing:
    """What is over by today and has no row; at most so many periods, the rest waits for the next time.

    again:   also the rows of periods that hold a day of this half-open range, but for frozen ones.
    before:  only periods that begin before this day.
    """
    plan, known = Closing(), _by_budget(closed)
    for each in definitions:
        rows = known.get(each.id, [])
        plan.budgets[each.id] = each
        plan.next_on[each.id] = rules.next_closing(each.period, each.start_date, each.end_date, today)
        for fold in (*_missing(each, rows, today, before), *_again(each, rows, again)):
            if len(plan.folds) == at_most:
                plan.next_on[each.id] = today
                break
            plan.folds.append(fold)
    return plan


def _by_budget(closed: Sequence[ClosedPeriod]) -> Mapping[UUID, list[ClosedPeriod]]:
    found: dict[UUID, list[ClosedPeriod]] = {}
    for each in closed:
        found.setdefault(each.budget_id, []).append(each)
    return found


def _missing(budget: Definition, rows: Sequence[ClosedPeriod], today: date, before: date | None) -> list[Fold]:
    closed = [rules.Closed(rules.Period(row.period_start, row.period_end), row.is_frozen) for row in rows]
    periods = rules.periods_to_close(budget.period, budget.start_date, budget.end_date, closed, today)
    return [Fold(budget, period) for period in periods if before is None or period.start < before]


def _again(budget: Definition, rows: Sequence[ClosedPeriod], days: tuple[date, date] | None) -> list[Fold]:
    """Each with the category that it was closed with."""
    if days is None:
        return []
    first, end = days
    wanted = [row for row in rows if not row.is_frozen and row.period_start < end and row.period_end > first]
    return [Fold(budget._replace(category=row.category), rules.Period(row.period_start, row.period_end)) for row in wanted]


async def close_periods(
    session: WriteSession, plan: Closing, folds: Sequence[Fold], ledger_version: int, *, is_last: bool, freeze: bool = False
) -> bool:
    """Store what these periods came to: of those without a row, with what the budget allowed then; of the others, the sums anew.

    A frozen row stays as it is, and so does one from a newer ledger. is_last: note also when there is something to close again.
    Answers whether the budgets still are what they were when the closing was planned; if not, plan anew.
    """
    wanted = {fold.definition.id for fold in folds} | (set(plan.budgets) if is_last else set())
    locked = {budget.id: budget for budget in await queries.lock_budgets(session, list(wanted))}
    same = {budget_id: budget for budget_id, budget in locked.items() if budget.definition == plan.budgets[budget_id]}
    kept = [fold for fold in folds if fold.definition.id in same]
    if kept:
        allowed = await history.allowed_then(session, [(fold.definition.id, fold.period.start, fold.period.end) for fold in kept])
        rows = [_row(same[fold.definition.id], fold, allowed, ledger_version, is_frozen=freeze) for fold in kept]
        await history.store_history(session, [with_json_text(row) for row in rows])
    if is_last:
        await history.record_closing(session, [(budget_id, plan.next_on[budget_id]) for budget_id in same])
    return len(same) == len(locked)


def _row(
    budget: LockedBudget, fold: Fold, allowed: Mapping[tuple[UUID, date], Any], ledger_version: int, *, is_frozen: bool
) -> dict[str, Any]:
    amount = allowed.get((budget.id, fold.period.start), budget.amount)
    spent, last_day = quantize(fold.spent, budget.currency), fold.period.end - timedelta(days=1)
    figures = rules.utilization(amount=amount, spent=spent, pending=ZERO, period=fold.period, today=last_day, currency=budget.currency)
    return {
        "budget_id": budget.id,
        "category": fold.definition.category,
        "currency": budget.currency,
        "period_start": fold.period.start,
        "period_end": fold.period.end,
        "budget_amount": amount,
        "amount_spent": spent,
        "amount_remaining": figures.remaining,
        "percentage_used": figures.percentage_used,
        "unconverted": unconverted(fold),
        "was_exceeded": figures.is_exceeded,
        "transaction_count": fold.transactions,
        "is_frozen": is_frozen,
        "ledger_version": ledger_version,
    }


def is_any_under_way(definitions: Sequence[Definition], today: date, before: date) -> bool:
    """Whether a period that is not over by today has begun before a day."""
    current = [
        rules.period_containing(each.period, each.start_date, each.end_date, today) for each in definitions if each.start_date <= today
    ]
    return any(period is not None and period.start < before for period in current)


async def request_closing(session: SystemSession, day: date) -> int:
    """Queue a closing for everybody who may have something to close by this day, wherever they live; answers how many."""
    users = await history.list_users_with_ended_periods(session, day, CLOSE)
    for user_id in users:
        await jobs.add(session, CLOSE, key=str(user_id), user_id=user_id)
    return len(users)
