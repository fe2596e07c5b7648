"""Statements that clients' queries are answered from: compiled once per shape, run on the driver."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Date,
    Integer,
    Numeric,
    Select,
    String,
    Text,
    Uuid,
    any_,
    bindparam,
    column,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)

from db.statements import Columns, compiled, is_one_of, leaf, owned, read_columns
from db.transaction.models import categories, own_transactions, text_search, transaction_keys

#: The sorts of a list of transactions: their columns, all in one direction, the last one unique.
SORTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "date_desc": (("transaction_date", "id"), True),
    "date_asc": (("transaction_date", "id"), False),
    "amount_desc": (("amount", "id"), True),
    "amount_asc": (("amount", "id"), False),
}
_KINDS: dict[str, Any] = {"transaction_date": Date, "amount": Numeric, "id": Uuid}


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """What a list is narrowed to; None leaves a criterion out. Dates are half-open: from `since` until before `until`."""

    account_ids: Sequence[UUID] | None = None
    category_ids: Sequence[str] | None = None
    since: date | None = None
    until: date | None = None
    amount_min: Decimal | None = None
    amount_max: Decimal | None = None
    direction: str | None = None
    status: str | None = None
    text: str | None = None
    tags: Sequence[str] | None = None

    def criteria(self) -> tuple[str, ...]:
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)

    def values(self) -> dict[str, Any]:
        return {f"by_{name}": getattr(self, name) for name in self.criteria()}


def _criterion(name: str) -> Any:
    """One criterion; its value is bound as `by_<name>`."""
    rows = own_transactions.c

    def given(kind: Any) -> Any:
        return bindparam(f"by_{name}", type_=kind)

    match name:
        case "account_ids":
            return rows.account_id == any_(given(ARRAY(Uuid)))
        case "category_ids":
            roots = given(ARRAY(String))
            children = select(categories.c.id).where(or_(categories.c.id == any_(roots), categories.c.parent_id == any_(roots)))
            return rows.effective_category == any_(func.array(children.scalar_subquery()))
        case "since":
            return rows.transaction_date >= given(Date)
        case "until":
            return rows.transaction_date < given(Date)
        case "amount_min":
            return rows.amount >= given(Numeric)
        case "amount_max":
            return rows.amount <= given(Numeric)
        case "direction":
            return rows.direction == given(String)
        case "status":
            return rows.status == given(String)
        case "text":
            return text_search(own_transactions).op("@@")(func.websearch_to_tsquery(literal_column("'simple'::regconfig"), given(Text)))
        case "tags":
            return rows.tags.op("@>")(given(ARRAY(Text)))
    raise ValueError(name)


@compiled
def transactions_by_id(columns: Columns) -> Select[Any]:
    """The viewer's transactions with these ids, by way of their keys, which give the partition."""
    keys, rows = transaction_keys, own_transactions
    place = (rows.c.id == keys.c.transaction_id) & (rows.c.transaction_date == keys.c.transaction_date) & owned(rows)
    return (
        select(*read_columns(rows, columns, rows.c.id))
        .select_from(keys.join(rows, place))
        .where(owned(keys), is_one_of(keys.c.transaction_id), ~keys.c.is_alias)
    )


@compiled
def transaction_page(parent: str, columns: Columns, sort: str, criteria: tuple[str, ...], *, after: bool, many: bool) -> Select[Any]:
    """A page of transactions for each parent, whose column (`user_id` or `account_id`) is `parent`.

    Bound: `keys` (the parents; one parent as `key`), `size`, the criteria's values;
    with `after`, the last seen row's `after_<column>` of the sort.
    """
    rows = own_transactions
    names, descending = SORTS[sort]
    wanted = [owned(rows), *(_criterion(name) for name in criteria)]
    if after:
        seen = tuple_(*(bindparam(f"after_{name}", type_=_KINDS[name]) for name in names))
        mine = tuple_(*(rows.c[name] for name in names))
        wanted.append(mine < seen if descending else mine > seen)
    order = [rows.c[name].desc() if descending else rows.c[name].asc() for name in names]
    size = bindparam("size", type_=Integer)
    key = rows.c[parent]
    if not many:
        mine_only = key == bindparam("key", type_=Uuid)
        return select(*read_columns(rows, columns, key)).where(mine_only, *wanted).order_by(*order).limit(size)
    parents = func.unnest(bindparam("keys", type_=ARRAY(Uuid))).table_valued(column("id", Uuid)).render_derived(name="parents")
    page = select(*read_columns(rows, columns, key)).where(key == parents.c.id, *wanted).order_by(*order).limit(size).lateral("page")
    return select(*page.c).select_from(parents.join(page, true()))


@compiled
def transaction_count(parent: str, criteria: tuple[str, ...]) -> Select[Any]:
    """How many transactions each parent has under the criteria: (key, count)."""
    rows = own_transactions
    key = rows.c[parent]
    count = func.count().label("count")
    wanted = [owned(rows), is_one_of(key), *(_criterion(name) for name in criteria)]
    return select(leaf(key).label("key"), count).where(*wanted).group_by(key)


@compiled
def categories_by_id(columns: Columns) -> Select[Any]:
    return select(*read_columns(categories, columns, categories.c.id)).where(is_one_of(categories.c.id))


@compiled
def category_type() -> Select[Any]:
    """expense, income or transfer: the type of the category bound as `category`."""
    return select(categories.c.type).where(categories.c.id == bindparam("category", type_=String))


@compiled
def categories_by_parent(columns: Columns) -> Select[Any]:
    order = (categories.c.sort_order, categories.c.id)
    return select(*read_columns(categories, columns, categories.c.parent_id)).where(is_one_of(categories.c.parent_id)).order_by(*order)


@compiled
def all_categories(columns: Columns) -> Select[Any]:
    """Every category in the order to show, under the one key bound as `key`."""
    order = (categories.c.sort_order, categories.c.id)
    return select(*read_columns(categories, columns, bindparam("key", type_=Text))).order_by(*order)
