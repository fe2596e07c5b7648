"""Statements about periods of budgets that are over."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    Integer,
    Numeric,
    Select,
    String,
    Text,
    Uuid,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from db.base import jobs_table
from db.budget.models import budget_history, budget_utilization, budgets
from db.budget.queries_pages import Paged
from db.engines import SystemSession, WriteSession
from db.jobs import is_live
from db.statements import Columns, as_arrays, compiled, given_rows, owned

HISTORY = Paged(budget_history, day="period_start", parents="budget_id", parent=budgets)

# Reads for clients


@compiled
def history_by_id(columns: Columns) -> Select[Any]:
    return HISTORY.by_id(columns)


@compiled
def history_page(key_name: str, columns: Columns, sort: str, criteria: tuple[str, ...], *, after: bool, many: bool) -> Select[Any]:
    """A page of closed periods for each parent: `user_id` or `budget_id`; see Paged.page."""
    return HISTORY.page(key_name, columns, sort, criteria, after=after, many=many)


@compiled
def history_count(key_name: str, criteria: tuple[str, ...]) -> Select[Any]:
    return HISTORY.count(key_name, criteria)


# Closing


class ClosedPeriod(NamedTuple):
    """Which period a stored row is of, and how it is summed again."""

    budget_id: UUID
    period_start: date
    period_end: date
    category: str
    is_frozen: bool


@compiled
def closed_periods() -> Select[Any]:
    """Every closed period of the viewer's live budgets, by budget and then in their order."""
    rows = budget_history
    order = (rows.c.budget_id, rows.c.period_start)
    return select(*(rows.c[name] for name in ClosedPeriod._fields)).where(owned(rows), HISTORY.shown()).order_by(*order)


async def list_users_with_ended_periods(session: SystemSession, day: date, topic: str, *, limit: int = 1_000) -> list[UUID]:
    """Whose budgets have a period to close by this day, or have not been looked at since they were made or redefined.

    Those for whom a job of this topic waits or runs are left out.
    """
    jobs = jobs_table(session.domain)
    asked = select(literal(1)).where(jobs.c.topic == topic, jobs.c.key == cast(budgets.c.user_id, String), is_live(jobs)).exists()
    due = or_(budgets.c.closes_on.is_(None), budgets.c.closes_on <= day)
    statement = select(budgets.c.user_id).distinct().where(budgets.c.deleted_at.is_(None), due, ~asked)
    return list((await session.execute(statement.limit(limit))).scalars())


async def allowed_then(session: WriteSession, places: Sequence[tuple[UUID, date, date]]) -> dict[tuple[UUID, date], Any]:
    """What budgets allowed in these (budget, first day, day after the last), where a row of the period tells: by budget and first day.

    A closed period keeps its amount; one that was followed while it lasted has the one of its last fold.
    """
    given = given_rows({"budget_id": Uuid, "period_start": Date, "period_end": Date})
    used, closed = budget_utilization, budget_history
    found = (
        select(
            given.c.budget_id,
            given.c.period_start,
            func.coalesce(closed.c.budget_amount, used.c.amount_remaining + used.c.amount_spent).label("amount"),
        )
        .select_from(
            given.join(budgets, and_(budgets.c.id == given.c.budget_id, owned(budgets)))
            .outerjoin(closed, and_(owned(closed), _is_same_period(closed, given)))
            .outerjoin(used, and_(_is_same_period(used, given), used.c.currency == budgets.c.currency))
        )
        .where(or_(closed.c.id.is_not(None), used.c.id.is_not(None)))
    )
    rows = await session.run(
        found,
        budget_id_s=[budget_id for budget_id, _, _ in places],
        period_start_s=[start for _, start, _ in places],
        period_end_s=[end for _, _, end in places],
    )
    return {(budget_id, start): amount for budget_id, start, amount in rows if amount is not None}


def _is_same_period(table: Any, given: Any) -> Any:
    return and_(*(table.c[name] == given.c[name] for name in ("budget_id", "period_start", "period_end")))


_STORED: dict[str, Any] = {
    "budget_id": Uuid,
    "category": String,
    "currency": String,
    "period_start": Date,
    "period_end": Date,
    "budget_amount": Numeric,
    "amount_spent": Numeric,
    "amount_remaining": Numeric,
    "percentage_used": Numeric,
    "unconverted": Text,
    "was_exceeded": Boolean,
    "transaction_count": Integer,
    "is_frozen": Boolean,
    "ledger_version": BigInteger,
}


async def store_history(session: WriteSession, rows: Sequence[dict[str, Any]]) -> None:
    """Store these closed periods; `unconverted` as JSON text. A frozen row stays, and so does one of a newer ledger."""
    closed, given = budget_history, given_rows(_STORED)
    mine = given.join(budgets, and_(budgets.c.id == given.c.budget_id, owned(budgets)))
    taken = [cast(given.c[name], JSONB) if name == "unconverted" else given.c[name] for name in _STORED]
    row = upsert(closed).from_select(["user_id", *_STORED], select(budgets.c.user_id, *taken).select_from(mine))
    kept = {name: row.excluded[name] for name in _STORED if name not in ("budget_id", "period_start")}
    news = or_(*(closed.c[name].is_distinct_from(row.excluded[name]) for name in kept))
    allowed = and_(~closed.c.is_frozen, closed.c.ledger_version <= row.excluded.ledger_version, news)
    stored = row.on_conflict_do_update(index_elements=["budget_id", "period_start"], set_=kept, where=allowed)
    await session.run(stored, **as_arrays(rows, _STORED))


async def record_closing(session: WriteSession, due: Sequence[tuple[UUID, date]]) -> None:
    """Note of each budget on which day there is something to close again."""
    given = given_rows({"id": Uuid, "closes_on": Date})
    changed = and_(owned(budgets), budgets.c.id == given.c.id, budgets.c.closes_on.is_distinct_from(given.c.closes_on))
    statement = update(budgets).where(changed).values(closes_on=given.c.closes_on)
    await session.run(statement, id_s=[budget_id for budget_id, _ in due], closes_on_s=[day for _, day in due])


async def frozen_among(session: WriteSession, places: Sequence[tuple[UUID, date]]) -> set[UUID]:
    """The budgets of those of these (budget, first day of a period) that are frozen."""
    closed, given = budget_history, given_rows({"budget_id": Uuid, "period_start": Date})
    same = and_(owned(closed), closed.c.budget_id == given.c.budget_id, closed.c.period_start == given.c.period_start, closed.c.is_frozen)
    found = await session.run(
        select(closed.c.budget_id).select_from(given.join(closed, same)),
        budget_id_s=[budget_id for budget_id, _ in places],
        period_start_s=[start for _, start in places],
    )
    return set(found.scalars())
