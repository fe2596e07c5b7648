"""Statements that hold the months' sums against the transactions that they are sums of."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Date, DateTime, FromClause, Select, Subquery, and_, cast, func, literal, literal_column, or_, select

from db.base import jobs_table
from db.engines import SystemSession, WriteSession
from db.jobs import is_live
from db.statements import is_one_of, owned
from db.transaction.models import categories, ledgers, monthly_category_summary, own_transactions, transactions, user_categories
from db.transaction.queries.counted import counted

_KEY = ("user_id", "month", "category", "direction", "currency")
_FIGURES = ("total_amount", "transaction_count")
_NONE: ColumnElement[Any] = literal_column("''")


class UnlikeMonth(NamedTuple):
    """A month (its first day) of a user whose sums are not those of the transactions."""

    user_id: UUID
    month: date


def month_of(day: ColumnElement[Any]) -> ColumnElement[Any]:
    """The first day of a day's month. Not by way of an instant, which depends on the connection's time zone."""
    return cast(func.date_trunc(literal_column("'month'"), cast(day, DateTime())), Date)


async def list_ledgers(session: SystemSession, after: UUID | None, *, limit: int) -> list[UUID]:
    """The next so many users with transactions, in the order of their ids; `after` is the last one seen."""
    owner = ledgers.c.user_id
    statement = select(owner).order_by(owner).limit(limit)
    return list((await session.execute(statement if after is None else statement.where(owner > after))).scalars())


async def list_waiting(session: SystemSession, topic: str, user_ids: Sequence[UUID]) -> set[UUID]:
    """Those among these users for whom a job of this topic waits or runs."""
    jobs = jobs_table(session.domain)
    found = select(jobs.c.user_id).where(jobs.c.topic == topic, is_live(jobs), is_one_of(jobs.c.user_id))
    return set((await session.run(found, keys=list(user_ids))).scalars())


async def unlike_months(session: SystemSession, user_ids: Sequence[UUID]) -> list[UnlikeMonth]:
    """Of these users. Closed months are left out: what they are sums of is gone. Reads all transactions of the users."""
    summary = monthly_category_summary
    statement = _unlike(transactions, is_one_of(transactions.c.user_id), is_one_of(summary.c.user_id))
    return [UnlikeMonth(*row) for row in await session.run(statement, keys=list(user_ids))]


async def own_unlike_months(session: WriteSession) -> list[date]:
    """The viewer's, as `unlike_months`."""
    statement = _unlike(own_transactions, owned(own_transactions), owned(monthly_category_summary))
    return [row.month for row in await session.run(statement)]


def _unlike(rows: FromClause, of_rows: ColumnElement[bool], of_sums: ColumnElement[bool]) -> Select[Any]:
    summary = monthly_category_summary
    stored_columns = [_named(name, summary.c[name]) for name in (*_KEY, *_FIGURES)]
    stored = select(*stored_columns).where(of_sums, ~summary.c.is_frozen).subquery("stored")
    true_sums = _true_sums(rows, of_rows)
    same = and_(*(true_sums.c[name] == stored.c[name] for name in _KEY))
    differs = or_(*(true_sums.c[name].is_distinct_from(stored.c[name]) for name in _FIGURES))
    which = [func.coalesce(true_sums.c[name], stored.c[name]).label(name) for name in UnlikeMonth._fields]
    both = true_sums.outerjoin(stored, same, full=True)
    return select(*which).distinct().select_from(both).where(differs).order_by(*which)


def _true_sums(rows: FromClause, of_rows: ColumnElement[bool]) -> Subquery:
    """What the summary ought to be: see `folds.refold_months`, which makes it so for one user."""
    summary, theirs, own = monthly_category_summary, categories.c, user_categories.c
    month = month_of(rows.c.transaction_date)
    closed = select(literal(1)).where(summary.c.user_id == rows.c.user_id, summary.c.month == month, summary.c.is_frozen).exists()
    category = rows.c.effective_category
    mine = and_(own.user_id == rows.c.user_id, own.category_id == category, own.type.is_not(None))
    joined = rows.outerjoin(categories, theirs.id == category).outerjoin(user_categories, mine)
    kind = func.coalesce(theirs.type, own.type)
    key = {"user_id": rows.c.user_id, "month": month, "category": category, "direction": rows.c.direction, "currency": rows.c.currency}
    figures = {"total_amount": func.sum(rows.c.amount), "transaction_count": func.count()}
    sums = select(*(_named(name, value) for name, value in (key | figures).items())).select_from(joined)
    return sums.where(of_rows, counted(rows, kind), ~closed).group_by(*key.values()).subquery("true_sums")


def _named(name: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Sums of no category are compared under an empty name."""
    return (func.coalesce(value, _NONE) if name == "category" else value).label(name)
