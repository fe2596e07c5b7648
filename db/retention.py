"""Statements of retention and of the sweep for orphans, over any table of any domain: which, a policy or a soft reference says.

Nights are long and these tables are read by their users' indexes, so that what is old is found by reading the table once; what goes, goes
in batches, each a transaction. Two that run at once wait for each other's rows and find them gone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Date, Table, Uuid, all_, and_, any_, delete, func, literal, not_, or_, select, true, tuple_

from db.base import INSTANT, metadata_of, schema_of
from db.engines import SystemSession


@dataclass(frozen=True, slots=True)
class Aged:
    """Rows of a table whose `since` (an instant, or a day of UTC) lies before `until`; `statuses`: only those in one of them."""

    table: str
    since: str
    until: datetime
    statuses: tuple[str, ...] = ()


class Counted(NamedTuple):
    """Rows that would go, those that a hold keeps, and of how many users these are."""

    rows: int
    held_rows: int
    held_users: int


def table_named(domain: str, name: str) -> Table:
    """A table of a domain. Errors: KeyError; the domain's models must have been imported."""
    return metadata_of(domain).tables[f"{schema_of(domain)}.{name}"]


async def count_aged(session: SystemSession, aged: Aged, held: Collection[UUID]) -> Counted:
    """One statement, which reads the table."""
    table = table_named(session.domain, aged.table)
    kept, owner = not_(_is_free(table, held)), table.c.user_id
    counts = (func.count().filter(not_(kept)), func.count().filter(kept), func.count(owner.distinct()).filter(kept))
    return Counted(*(await session.execute(select(*counts).where(_is_over(table, aged)))).one())


async def delete_aged(session: SystemSession, aged: Aged, held: Collection[UUID], *, limit: int) -> int:
    """Delete at most `limit` of them, but for those of held users; answers how many went."""
    table = table_named(session.domain, aged.table)
    return await _delete_some(session, table, and_(_is_over(table, aged), _is_free(table, held)), limit)


async def list_values(session: SystemSession, table: str, column: str, after: UUID | None, *, limit: int) -> list[UUID]:
    """The next so many ids that a column holds, each once, in their order; `after` is the last one seen."""
    held = table_named(session.domain, table).c[column]
    statement = select(held).distinct().where(held.is_not(None)).order_by(held).limit(limit)
    return list((await session.execute(statement if after is None else statement.where(held > after))).scalars())


async def find_present(session: SystemSession, table: str, column: str, ids: Sequence[UUID], ended: str = "") -> set[UUID]:
    """Those among these ids that the column holds; in a row in which the column `ended`, if there is one, is NULL."""
    rows = table_named(session.domain, table)
    held = rows.c[column]
    there = _is_among(held, ids) & rows.c[ended].is_(None) if ended else _is_among(held, ids)
    return set((await session.execute(select(held).distinct().where(there))).scalars())


class Orphans(NamedTuple):
    """Rows of `table` whose `column` holds one of `ids`, and that `since` says were there before `until`."""

    table: str
    column: str
    ids: Sequence[UUID]
    since: str
    until: datetime


async def count_orphans(session: SystemSession, orphans: Orphans, held: Collection[UUID]) -> int:
    table = table_named(session.domain, orphans.table)
    return int((await session.execute(select(func.count()).where(_is_orphan(table, orphans, held)))).scalar_one())


async def delete_orphans(session: SystemSession, orphans: Orphans, held: Collection[UUID], *, limit: int) -> int:
    """Delete at most `limit` of them, but for those of held users; answers how many went."""
    table = table_named(session.domain, orphans.table)
    return await _delete_some(session, table, _is_orphan(table, orphans, held), limit)


async def _delete_some(session: SystemSession, table: Table, condition: ColumnElement[bool], limit: int) -> int:
    """Not by rows that are locked first: the system may delete these tables' rows and not change them, and locking is a right to change."""
    key = tuple_(*table.primary_key.columns)
    some = select(*table.primary_key.columns).where(condition).limit(limit)
    gone = await session.execute(delete(table).where(key.in_(some), condition).returning(literal(1)))
    return len(gone.all())


def _is_over(table: Table, aged: Aged) -> ColumnElement[bool]:
    since = table.c[aged.since]
    until = literal(aged.until.date(), Date) if isinstance(since.type, Date) else literal(aged.until, INSTANT)
    chosen = table.c.status == any_(literal(list(aged.statuses), ARRAY(table.c.status.type))) if aged.statuses else true()
    return and_(since < until, chosen)


def _is_orphan(table: Table, orphans: Orphans, held: Collection[UUID]) -> ColumnElement[bool]:
    is_missing = _is_among(table.c[orphans.column], orphans.ids)
    return and_(is_missing, table.c[orphans.since] < literal(orphans.until, INSTANT), _is_free(table, held))


def _is_free(table: Table, held: Collection[UUID]) -> ColumnElement[bool]:
    """Nobody is held whose row it is. A row of nobody's is nobody's."""
    owner = table.c.user_id
    return or_(owner.is_(None), owner != all_(literal(sorted(held), ARRAY(Uuid))))


def _is_among(column: ColumnElement[Any], ids: Sequence[UUID]) -> ColumnElement[bool]:
    return column == any_(literal(list(ids), ARRAY(Uuid)))
