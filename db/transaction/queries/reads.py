"""Statements that clients' queries are answered from: compiled once per shape, run on the driver."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Date,
    Double,
    Integer,
    Numeric,
    Select,
    String,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    true,
    tuple_,
)

from db.statements import Columns, compiled, is_one_of, leaf, owned, read_columns
from db.transaction.models import own_transactions, text_search, transaction_keys
from db.transaction.queries.categories import family, type_of

#: The sorts of a list of transactions: their columns, all in one direction, the last one unique.
SORTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "date_desc": (("transaction_date", "id"), True),
    "date_asc": (("transaction_date", "id"), False),
    "amount_desc": (("amount", "id"), True),
    "amount_asc": (("amount", "id"), False),
}
#: Criteria without a value.
FLAGS = ("is_pending", "is_recurring")
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
    merchant: str | None = None
    is_pending: bool | None = None
    is_recurring: bool | None = None

    def criteria(self) -> tuple[str, ...]:
        """Names of what narrows; the shape of a statement. A flag is in it as the answer it must have: a value could not use its index."""
        given = [name for name in self.__slots__ if getattr(self, name) is not None]
        return tuple(f"not_{name}" if name in FLAGS and not getattr(self, name) else name for name in given)

    def values(self) -> dict[str, Any]:
        return {f"by_{name}": getattr(self, name) for name in self.criteria() if name.removeprefix("not_") not in FLAGS}


def _criterion(name: str) -> Any:
    """One criterion; its value is bound as `by_<name>`."""
    rows = own_transactions.c

    def given(kind: Any) -> Any:
        return bindparam(f"by_{name}", type_=kind)

    match name:
        case "account_ids":
            return rows.account_id == any_(given(ARRAY(Uuid)))
        case "category_ids":
            return rows.effective_category == any_(family(given(ARRAY(String))))
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
        case "merchant":
            return rows.merchant_name == given(String)
        case "is_pending" | "is_recurring":
            return rows[name]
        case "not_is_pending" | "not_is_recurring":
            return ~rows[name.removeprefix("not_")]
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
    """A page of transactions for each parent, whose column (`user_id`, `account_id` or `recurring_series_id`) is `parent`.

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
        if names[0] == "transaction_date":  # says nothing new, but excludes partitions, which a comparison of pairs does not
            day = bindparam("after_transaction_date", type_=Date)
            wanted.append(rows.c.transaction_date <= day if descending else rows.c.transaction_date >= day)
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
def category_type() -> Select[Any]:
    """expense, income or transfer: the type of the category bound as `category`, if it is one of the viewer's."""
    return select(type_of(bindparam("category", type_=String)))


#: What is said of where a transaction was made; degrees are no amounts.
_LOCATION: dict[str, Any] = {
    **{name: own_transactions.c[f"location_{name}"] for name in ("address", "city", "region", "postal_code", "country")},
    "latitude": cast(own_transactions.c.location_lat, Double),
    "longitude": cast(own_transactions.c.location_lon, Double),
}
#: What our own readers of statements write of how it was paid.
PAYMENT_FACTS = ("type", "check_number", "reference", "original_currency", "currency_rate", "value_date", "security", "units", "unit_price")
_PAYMENT: dict[str, Any] = {
    **{name: own_transactions.c.payment_meta[name].astext for name in PAYMENT_FACTS},
    "all": own_transactions.c.payment_meta,
}


@compiled
def locations_by_transaction(columns: Columns) -> Select[Any]:
    """Where each of these transactions was made; no row where nothing is said."""
    return _part_of(_LOCATION, columns).where(func.num_nonnulls(*_LOCATION.values()) > 0)


@compiled
def payments_by_transaction(columns: Columns) -> Select[Any]:
    """How each of these transactions was paid; no row where nothing is said."""
    return _part_of(_PAYMENT, columns).where(own_transactions.c.payment_meta.is_not(None))


def _part_of(parts: Mapping[str, Any], columns: Columns) -> Select[Any]:
    keys, rows = transaction_keys, own_transactions
    place = (rows.c.id == keys.c.transaction_id) & (rows.c.transaction_date == keys.c.transaction_date) & owned(rows)
    shown = [parts[name].label(name) for name in columns]
    found = select(leaf(rows.c.id).label("key"), *shown).select_from(keys.join(rows, place))
    return found.where(owned(keys), is_one_of(keys.c.transaction_id), ~keys.c.is_alias)
