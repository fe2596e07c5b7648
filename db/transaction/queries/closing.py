"""Statements that close months and let their transactions go."""

from collections.abc import Collection
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    Date,
    Text,
    Uuid,
    all_,
    and_,
    any_,
    bindparam,
    column,
    delete,
    func,
    literal,
    literal_column,
    not_,
    select,
    true,
    union,
    update,
)

from db.engines import SystemSession, WriteSession
from db.statements import owned
from db.transaction.models import ledgers, monthly_category_summary, own_transactions, transaction_keys, transactions
from db.transaction.queries.comparing import month_of

_TRUE = literal_column("true", Boolean)

# Letting months go, as the user whose they are


async def closed_among(session: WriteSession, months: Collection[date]) -> set[date]:
    """Those among these months (first days) that are closed for the viewer."""
    summary = monthly_category_summary
    of_these = and_(owned(summary), summary.c.is_frozen, summary.c.month == any_(bindparam("months", type_=ARRAY(Date))))
    found = await session.run(select(summary.c.month).distinct().where(of_these), months=sorted(months))
    return set(found.scalars())


async def ledger_version(session: WriteSession) -> int:
    """The version of the viewer's ledger, once nobody else can move it; 0 before their first transaction."""
    found = await session.run(select(ledgers.c.version).where(owned(ledgers)))
    return int(found.scalar_one_or_none() or 0)


async def open_months(session: WriteSession, until: date) -> list[date]:
    """First days of the months before a day that have transactions or sums of the viewer's and are not closed."""
    rows, summary, end = own_transactions, monthly_category_summary, bindparam("until", type_=Date)
    with_rows = select(month_of(rows.c.transaction_date).label("month")).where(owned(rows), rows.c.transaction_date < end)
    with_sums = select(summary.c.month).where(owned(summary), summary.c.month < end)
    closed = select(summary.c.month).where(owned(summary), summary.c.is_frozen)
    found = union(with_rows, with_sums).subquery("months")
    month = found.c.month
    return list((await session.run(select(month).where(month.not_in(closed)).order_by(month), until=until)).scalars())


async def close_months(session: WriteSession, until: date) -> int:
    """Freeze the viewer's sums of the months before a day; answers how many rows were not frozen yet."""
    summary = monthly_category_summary
    still_open = and_(owned(summary), summary.c.month < bindparam("until", type_=Date), ~summary.c.is_frozen)
    frozen = update(summary).where(still_open).values(is_frozen=_TRUE).returning(summary.c.month)
    return len((await session.run(frozen, until=until)).all())


async def delete_before(session: WriteSession, until: date) -> int:
    """Delete the viewer's transactions before a day, and what they were called by; answers how many there were."""
    rows, keys, end = own_transactions, transaction_keys, bindparam("until", type_=Date)
    await session.run(delete(keys).where(owned(keys), keys.c.transaction_date < end), until=until)
    gone = await session.run(delete(rows).where(owned(rows), rows.c.transaction_date < end).returning(literal(1)), until=until)
    return len(gone.all())


# Finding what is old, as the system


class OldRows(NamedTuple):
    """Transactions before a day: those that may go, and those that a hold keeps, with how many users either belong to."""

    rows: int
    users: int
    held_rows: int
    held_users: int


async def list_owners_before(session: SystemSession, until: date, after: UUID | None, *, limit: int) -> list[UUID]:
    """The next so many users with transactions before a day, in the order of their ids; `after` is the last one seen.

    By ledgers, of which everybody with transactions has one: a look into the index each.
    """
    rows, owner = transactions, ledgers.c.user_id
    has_any = select(literal(1)).where(rows.c.user_id == owner, rows.c.transaction_date < until).exists()
    statement = select(owner).where(has_any).order_by(owner).limit(limit)
    return list((await session.execute(statement if after is None else statement.where(owner > after))).scalars())


async def count_before(session: SystemSession, until: date, held: Collection[UUID]) -> OldRows:
    """Reads what is that old."""
    rows = transactions
    free = rows.c.user_id != all_(literal(sorted(held), ARRAY(Uuid)))
    of_all, users = func.count(), func.count(rows.c.user_id.distinct())
    counts = (of_all.filter(free), users.filter(free), of_all.filter(not_(free)), users.filter(not_(free)))
    return OldRows(*(await session.execute(select(*counts).where(rows.c.transaction_date < until))).one())


class Partition(NamedTuple):
    """A part that transactions are kept in: a year, or a chunk of a hypertable. `end_day` is the first day after."""

    name: str
    first_day: date
    end_day: date


async def list_partitions(session: SystemSession) -> list[Partition]:
    """The oldest first."""
    columns = (column("name", Text), column("first_day", Date), column("end_day", Date))
    listed = func.transaction_schema.list_partitions().table_valued(*columns)
    return [Partition(*row) for row in await session.execute(select(*listed.c).order_by(listed.c.first_day))]


async def has_rows(session: SystemSession, partition: Partition, users: Collection[UUID] | None = None) -> bool:
    """Whether there is a row in it; of one of these users, if they are given."""
    rows = transactions.c
    inside = and_(rows.transaction_date >= partition.first_day, rows.transaction_date < partition.end_day)
    theirs = true() if users is None else rows.user_id == any_(literal(sorted(users), ARRAY(Uuid)))
    return (await session.execute(select(literal(1)).where(inside, theirs).limit(1))).scalar_one_or_none() is not None


async def drop_empty(session: SystemSession, partition: Partition) -> bool:
    """False: it is not there any more, or has rows again. The database refuses what ended less than five years ago."""
    return bool((await session.execute(select(func.transaction_schema.drop_empty(partition.name)))).scalar_one())
