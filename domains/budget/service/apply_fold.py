"""Take in what a fold of the user's transactions says of each budget's current period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from db.budget import queries
from db.budget.queries import Definition, LockedBudget, Utilization
from db.budget.queries_history import frozen_among
from db.engines import WriteSession
from domains.budget import rules
from domains.core.money import quantize

TOPIC = "budget"
#: What clients see of a period; a fold that leaves all of it as it is makes no new version.
_VISIBLE = (
    "period_end",
    "amount_spent",
    "amount_pending",
    "amount_remaining",
    "percentage_used",
    "unconverted",
    "transaction_count",
    "is_exceeded",
)


@dataclass(slots=True)
class Fold:
    """Sums of one budget's current period. `others`: what was spent in currencies that the budget does not have."""

    definition: Definition
    period: rules.Period
    spent: Decimal = Decimal(0)
    pending: Decimal = Decimal(0)
    transactions: int = 0
    last_date: date | None = None
    others: dict[str, Decimal] = field(default_factory=dict)

    def take(self, currency: str, spent: Decimal, pending: Decimal, transactions: int, last_date: date | None) -> None:
        """Add what one currency contributes. last_date: None where only the sums of closed months are left."""
        self.transactions += transactions
        self.last_date = max((day for day in (last_date, self.last_date) if day is not None), default=None)
        if currency == self.definition.currency:
            self.spent += spent
            self.pending += pending
        elif spent:
            self.others[currency] = self.others.get(currency, Decimal(0)) + spent


async def apply_fold(session: WriteSession, folds: Sequence[Fold], ledger_version: int, today: date, at: datetime) -> bool:
    """Store the folds, unless what is stored is newer; raise and publish the versions of what changed.

    at: the instant that `today` is the owner's day of.
    Answers whether nothing is left to do: if not (a budget has been redefined, or a period has begun, since the windows were made), fold
    anew.
    """
    by_id = {fold.definition.id: fold for fold in folds}
    locked = await queries.lock_budgets(session, list(by_id))
    passed = await _passed_by_midnight(session, locked, by_id, at)
    outdated = [budget for budget in locked if budget.definition != by_id[budget.id].definition]
    current = [budget for budget in locked if budget not in outdated and budget.folded_ledger_version <= ledger_version]
    # what is stored is of a later period; a newer ledger must be in it too
    outdated += [budget for budget in current if budget.id in passed and budget.folded_ledger_version < ledger_version]
    settled = await _frozen(session, [by_id[budget.id] for budget in current], today)
    current = [budget for budget in current if budget.id not in passed | settled]
    if not current:
        return not outdated
    stored = await queries.utilization_of(session, [(budget.id, by_id[budget.id].period.start) for budget in current])
    rows = [_row(budget, by_id[budget.id], ledger_version, today) for budget in current]
    changed = [row for row in rows if _is_news(row, stored)]
    if changed:
        await queries.store_utilization(session, [with_json_text(row) for row in changed])
    folded = [budget.id for budget in current]
    versions = await queries.record_fold(session, folded, [row["budget_id"] for row in changed], ledger_version, at)
    for budget_id, version in versions.items():
        session.publish(TOPIC, budget_id, version)
    return not outdated


async def _passed_by_midnight(session: WriteSession, locked: Sequence[LockedBudget], folds: Mapping[UUID, Fold], at: datetime) -> set[UUID]:
    """Budgets of which a fold is stored that was made on a later day than this one, whose period is another: an older one."""
    later = [budget for budget in locked if budget.folded_at is not None and budget.folded_at > at]
    if not later:
        return set()
    current = await queries.current_periods(session, [budget.id for budget in later])
    return {budget_id for budget_id, start, end in current if (start, end) != (folds[budget_id].period.start, folds[budget_id].period.end)}


async def _frozen(session: WriteSession, folds: Sequence[Fold], today: date) -> set[UUID]:
    """Budgets that are over and whose last period is frozen: its transactions may be gone, its figures are what is left of them."""
    over = [(fold.definition.id, fold.period.start) for fold in folds if fold.period.end <= today]
    return await frozen_among(session, over) if over else set()


def _row(budget: LockedBudget, fold: Fold, ledger_version: int, today: date) -> dict[str, Any]:
    """The figures of a fold, as they are stored. What was spent is rounded first: with what remains it makes the amount."""
    spent, pending = quantize(fold.spent, budget.currency), quantize(fold.pending, budget.currency)
    figures = rules.utilization(
        amount=budget.amount, spent=spent, pending=pending, period=fold.period, today=today, currency=budget.currency
    )
    return {
        "budget_id": budget.id,
        "period_start": fold.period.start,
        "period_end": fold.period.end,
        "currency": budget.currency,
        "amount_spent": spent,
        "amount_pending": pending,
        "amount_remaining": figures.remaining,
        "percentage_used": figures.percentage_used,
        "unconverted": unconverted(fold),
        "transaction_count": fold.transactions,
        "last_transaction_at": _midnight(fold.last_date),
        "daily_average": figures.daily_average,
        "projected_end_amount": figures.projected_end,
        "is_exceeded": figures.is_exceeded,
        "ledger_version": ledger_version,
    }


def unconverted(fold: Fold) -> dict[str, str]:
    return {currency: f"{amount:f}" for currency, amount in sorted(fold.others.items())}


def with_json_text(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as statements take it."""
    return {**row, "unconverted": orjson.dumps(row["unconverted"]).decode()}


def _is_news(row: Mapping[str, Any], stored: Mapping[UUID, Utilization]) -> bool:
    before = stored.get(row["budget_id"])
    # a budget that returns to the periods it had finds their row as it left it, but another one standing for the present
    return before is None or not before.is_current or any(getattr(before, name) != row[name] for name in _VISIBLE)


def _midnight(day: date | None) -> datetime | None:
    """Transactions have a date and no time: the instant stored for one is the start of its day in UTC."""
    return None if day is None else datetime.combine(day, time.min, UTC)
