"""Statements about recurring patterns and the months' sums: pages of them, and the door for whoever looks for patterns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Date,
    Integer,
    Numeric,
    Select,
    String,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from db.engines import WriteSession
from db.statements import Columns, as_arrays, compiled, given_rows, is_one_of, leaf, owned, read_columns
from db.transaction.models import monthly_category_summary, own_transactions, recurring_patterns, transaction_keys
from db.transaction.queries.categories import family

#: The sorts of each list: their columns, all in one direction, unique together.
PATTERN_SORTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "next_expected_asc": (("next_expected_date", "id"), False),
    "next_expected_desc": (("next_expected_date", "id"), True),
}
SUMMARY_SORTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "month_desc": (("month", "category", "direction", "currency"), True),
    "month_asc": (("month", "category", "direction", "currency"), False),
}
_KINDS: dict[str, Any] = {
    "next_expected_date": Date,
    "id": Uuid,
    "month": Date,
    "category": String,
    "direction": String,
    "currency": String,
}
#: Sums of no category stand before the others of their month.
_NONE = literal_column("''", String)


@dataclass(frozen=True, slots=True)
class PatternFilter:
    """What a list is narrowed to; None leaves a criterion out. `active`: the next one is expected on `today` or later."""

    frequency: str | None = None
    active: bool | None = None

    def criteria(self) -> tuple[str, ...]:
        wanted = {"frequency": self.frequency is not None, "active": self.active is True, "overdue": self.active is False}
        return tuple(name for name, is_wanted in wanted.items() if is_wanted)

    def values(self, today: date) -> dict[str, Any]:
        return {**({} if self.frequency is None else {"by_frequency": self.frequency}), **({} if self.active is None else {"today": today})}


@dataclass(frozen=True, slots=True)
class SummaryFilter:
    """What a list is narrowed to; None leaves a criterion out. Months by their first days, half-open: from `since` until before `until`."""

    since: date | None = None
    until: date | None = None
    category_ids: Sequence[str] | None = None
    direction: str | None = None
    currency: str | None = None

    def criteria(self) -> tuple[str, ...]:
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)

    def values(self) -> dict[str, Any]:
        return {f"by_{name}": getattr(self, name) for name in self.criteria()}


def _pattern_criterion(name: str) -> ColumnElement[bool]:
    rows, today = recurring_patterns.c, bindparam("today", type_=Date)
    match name:
        case "frequency":
            return rows.frequency == bindparam("by_frequency", type_=String)
        case "active":
            return rows.next_expected_date >= today
        case "overdue":
            return rows.next_expected_date < today
    raise ValueError(name)


def _summary_criterion(name: str) -> ColumnElement[bool]:
    rows = monthly_category_summary.c
    match name:
        case "since":
            return rows.month >= bindparam("by_since", type_=Date)
        case "until":
            return rows.month < bindparam("by_until", type_=Date)
        case "category_ids":
            return rows.category == any_(family(bindparam("by_category_ids", type_=ARRAY(String))))
        case "direction" | "currency":
            return rows[name] == bindparam(f"by_{name}", type_=String)
    raise ValueError(name)


def _page(found: Select[Any], sort: tuple[tuple[str, ...], bool], place: Sequence[Any], *, after: bool) -> Select[Any]:
    """The rows in the sort's order, where `place` are its columns; with `after`, on from the values bound as `after_<column>`."""
    names, descending = sort
    if after:
        seen = tuple_(*(_seen(name) for name in names))
        found = found.where(tuple_(*place) < seen if descending else tuple_(*place) > seen)
    return found.order_by(*(each.desc() if descending else each.asc() for each in place)).limit(bindparam("size", type_=Integer))


def _seen(name: str) -> ColumnElement[Any]:
    value: ColumnElement[Any] = bindparam(f"after_{name}", type_=_KINDS[name])
    return func.coalesce(value, _NONE) if name == "category" else value


@compiled
def patterns_by_id(columns: Columns) -> Select[Any]:
    rows = recurring_patterns
    return select(*read_columns(rows, columns, rows.c.id)).where(owned(rows), is_one_of(rows.c.id))


@compiled
def pattern_page(columns: Columns, sort: str, criteria: tuple[str, ...], *, after: bool) -> Select[Any]:
    """A page of the patterns of the user bound as `key`."""
    rows = recurring_patterns
    wanted = [owned(rows), rows.c.user_id == bindparam("key", type_=Uuid), *(_pattern_criterion(name) for name in criteria)]
    found = select(*read_columns(rows, columns, rows.c.user_id)).where(*wanted)
    return _page(found, PATTERN_SORTS[sort], [rows.c[name] for name in PATTERN_SORTS[sort][0]], after=after)


@compiled
def pattern_count(criteria: tuple[str, ...]) -> Select[Any]:
    rows = recurring_patterns
    wanted = [owned(rows), is_one_of(rows.c.user_id), *(_pattern_criterion(name) for name in criteria)]
    return select(leaf(rows.c.user_id).label("key"), func.count().label("count")).where(*wanted).group_by(rows.c.user_id)


@compiled
def summary_page(columns: Columns, sort: str, criteria: tuple[str, ...], *, after: bool) -> Select[Any]:
    """A page of the months' sums of the user bound as `key`. The unique key, led by user and month, has them in nearly this order."""
    rows = monthly_category_summary
    wanted = [owned(rows), rows.c.user_id == bindparam("key", type_=Uuid), *(_summary_criterion(name) for name in criteria)]
    place = [func.coalesce(rows.c.category, _NONE) if name == "category" else rows.c[name] for name in SUMMARY_SORTS[sort][0]]
    return _page(select(*read_columns(rows, columns, rows.c.user_id)).where(*wanted), SUMMARY_SORTS[sort], place, after=after)


@compiled
def summary_count(criteria: tuple[str, ...]) -> Select[Any]:
    rows = monthly_category_summary
    wanted = [owned(rows), is_one_of(rows.c.user_id), *(_summary_criterion(name) for name in criteria)]
    return select(leaf(rows.c.user_id).label("key"), func.count().label("count")).where(*wanted).group_by(rows.c.user_id)


_FOUND: dict[str, Any] = {
    "id": Uuid,
    "group_key": String,
    "merchant_name": String,
    "amount_min": Numeric,
    "amount_max": Numeric,
    "currency": String,
    "frequency": String,
    "last_transaction_date": Date,
    "next_expected_date": Date,
    "confidence": Numeric,
    "transaction_count": Integer,
}
_KEPT = ("id", "group_key")


async def record_patterns(session: WriteSession, rows: Sequence[dict[str, Any]]) -> dict[str, UUID]:
    """Store patterns under their group keys, in the keys' order, so that two writers cannot wait for each other; answers their ids.

    One that is there keeps its id.
    """
    found = given_rows(_FOUND)
    mine = bindparam("user_id", type_=Uuid)
    row = upsert(recurring_patterns).from_select(
        ["user_id", *_FOUND], select(mine, *(found.c[name] for name in _FOUND)).order_by(found.c.group_key)
    )
    kept = {name: row.excluded[name] for name in _FOUND if name not in _KEPT}
    stored = row.on_conflict_do_update(index_elements=["user_id", "group_key"], set_=kept)
    statement = stored.returning(recurring_patterns.c.group_key, recurring_patterns.c.id)
    answered = await session.execute(statement, {"user_id": session.viewer.user_id, **as_arrays(rows, _FOUND)})
    return {row.group_key: row.id for row in answered}


_IN_SERIES: dict[str, Any] = {"transaction_id": Uuid, "series_id": Uuid}


async def mark_series(session: WriteSession, patterns: Sequence[UUID], members: Sequence[tuple[UUID, UUID]]) -> None:
    """Say of these (transaction, pattern) that the one belongs to the other; of the patterns' other transactions, that they do not."""
    rows, keys, given = own_transactions, transaction_keys, given_rows(_IN_SERIES)
    values = as_arrays([{"transaction_id": member, "series_id": series} for member, series in members], _IN_SERIES)
    left = and_(rows.c.recurring_series_id == any_(bindparam("patterns", type_=ARRAY(Uuid))), owned(rows))
    stays = rows.c.id == any_(bindparam("transaction_id_s", type_=ARRAY(Uuid)))
    no_more = update(rows).where(left, ~stays).values(recurring_series_id=None, is_recurring=literal_column("false", Boolean))
    await session.run(no_more, patterns=list(patterns), transaction_id_s=values["transaction_id_s"])
    mine = and_(owned(keys), keys.c.transaction_id == given.c.transaction_id, ~keys.c.is_alias)
    place = and_(owned(rows), rows.c.id == keys.c.transaction_id, rows.c.transaction_date == keys.c.transaction_date)
    marked = {"recurring_series_id": given.c.series_id, "is_recurring": literal_column("true", Boolean)}
    await session.run(update(rows).where(place, mine).values(marked), **values)
