"""Statements that pair transactions: of a batch, one each, whatever its size. Around the days that were touched, never the whole ledger."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    FromClause,
    Numeric,
    Select,
    String,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    column,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from db.engines import WriteSession
from db.statements import Columns, as_arrays, compiled, given_rows, is_one_of, leaf, owned
from db.transaction.models import exchange_rates, own_transactions, transaction_keys, transaction_reviews
from db.transaction.queries.categories import tree
from db.transaction.queries.counted import PENDING, POSTED, TRANSFER

DUPLICATE: Final = "duplicate"
SUGGESTED, APPLIED, REJECTED = "suggested", "applied", "rejected"
LIVE: Final = (POSTED, PENDING)
_SEPARATOR: ColumnElement[Any] = literal_column("','")
_PAIRS: dict[str, Any] = {
    "transaction_id": Uuid,
    "transaction_date": Date,
    "other_id": Uuid,
    "other_date": Date,
    "state": String,
    "decided_by": String,
    "score": Numeric,
    "reasons": Text,
}
_MARKS: dict[str, Any] = {"id": Uuid, "transaction_date": Date, "value": Uuid}

Rows = Sequence[dict[str, Any]]


class FoundMover(NamedTuple):
    """A transaction that is in no pair. `is_known_otherwise`: surely spending or income, or so by its owner's word."""

    id: UUID
    account_id: UUID
    transaction_date: date
    amount: Decimal
    currency: str
    direction: str
    is_known_otherwise: bool


class FoundListed(NamedTuple):
    """A transaction as a connection lists it."""

    id: UUID
    account_id: UUID
    transaction_date: date
    amount: Decimal
    currency: str
    direction: str
    text: str
    created_at: datetime


class Side(NamedTuple):
    """One of a pair, as it is now."""

    id: UUID
    transaction_date: date
    account_id: UUID
    amount: Decimal
    currency: str
    direction: str
    status: str
    is_duplicate: bool
    transfer_id: UUID | None
    duplicate_of: UUID | None


class FoundPair(NamedTuple):
    """A pair that was suggested or decided; `one` and `other` are None when they are there no more."""

    id: UUID
    state: str
    decided_by: str | None
    score: Decimal | None
    reasons: list[str]
    transaction_id: UUID
    other_id: UUID
    one: Side | None
    other: Side | None


class Joined(NamedTuple):
    """A pair that was stored, and its review."""

    id: UUID
    transaction_id: UUID
    other_id: UUID
    state: str


def _windows() -> Any:
    """Half-open ranges of days, bound as `firsts` and `ends`."""
    arrays = [bindparam(name, type_=ARRAY(Date)) for name in ("firsts", "ends")]
    return func.unnest(*arrays).table_valued(column("first", Date), column("end", Date)).render_derived(name="given")


def _is_live(rows: FromClause) -> ColumnElement[bool]:
    return and_(rows.c.status.in_([literal(each) for each in LIVE]), ~rows.c.is_duplicate, rows.c.amount > literal_column("0", Numeric))


async def find_movers(session: WriteSession, windows: Sequence[tuple[date, date]], believed: Decimal) -> list[FoundMover]:
    """Unpaired transactions in these days that have an opposite of their amount there; all of them where there are more currencies than
    one, and rates.

    windows: half-open, none in another. believed: how sure the category must be to speak against a transfer.
    """
    rows, given, known = own_transactions, _windows(), tree()
    is_sure = or_(rows.c.user_category.is_not(None), rows.c.category_confidence >= bindparam("believed", type_=Numeric))
    otherwise = func.coalesce(and_(known.c.type != literal(TRANSFER), is_sure), literal_column("false")).label("is_known_otherwise")
    inside = and_(owned(rows), rows.c.transaction_date >= given.c.first, rows.c.transaction_date < given.c.end)
    names = FoundMover._fields
    columns = [otherwise if name == "is_known_otherwise" else rows.c[name] for name in names]
    joined = given.join(rows, inside).outerjoin(known, known.c.id == rows.c.effective_category)
    near = select(*columns).select_from(joined).where(_is_live(rows), rows.c.transfer_id.is_(None)).cte("near").prefix_with("materialized")
    key = (near.c.currency, near.c.amount)
    opposed = (
        select(*key)
        .group_by(*key)
        .having(func.min(near.c.direction) != func.max(near.c.direction), func.bool_or(~near.c.is_known_otherwise))
    )
    has_rates = select(literal(1)).select_from(exchange_rates).exists()
    is_abroad = select(func.min(near.c.currency) != func.max(near.c.currency)).scalar_subquery()
    wanted = or_(tuple_(*key).in_(opposed), and_(~near.c.is_known_otherwise, is_abroad, has_rates))
    statement = select(*(near.c[name] for name in names)).where(wanted)
    found = await session.run(statement, firsts=[first for first, _ in windows], ends=[end for _, end in windows], believed=believed)
    return [FoundMover(*row) for row in found]


async def find_listed(session: WriteSession, account_ids: Collection[UUID], windows: Sequence[tuple[date, date]]) -> list[FoundListed]:
    """Transactions of these accounts in these days that stand for no other."""
    rows, given = own_transactions, _windows()
    inside = and_(owned(rows), rows.c.transaction_date >= given.c.first, rows.c.transaction_date < given.c.end)
    text = func.coalesce(rows.c.original_description, rows.c.description, literal_column("''")).label("text")
    columns = [text if name == "text" else rows.c[name] for name in FoundListed._fields]
    statement = select(*columns).select_from(given.join(rows, inside)).where(_is_live(rows), is_one_of(rows.c.account_id))
    firsts, ends = [first for first, _ in windows], [end for _, end in windows]
    return [FoundListed(*row) for row in await session.run(statement, keys=list(account_ids), firsts=firsts, ends=ends)]


async def find_pairs(session: WriteSession, kind: str, transaction_ids: Collection[UUID], *states: str) -> list[FoundPair]:
    """Pairs of this kind that one of these transactions is in, with both as they are now; of these states, or of any."""
    reviews, ids = transaction_reviews, bindparam("keys", type_=ARRAY(Uuid))
    one, other = own_transactions.alias("one"), own_transactions.alias("other")
    concerned = or_(reviews.c.transaction_id == any_(ids), reviews.c.other_id == any_(ids))
    wanted = and_(owned(reviews), reviews.c.kind == literal(kind), concerned)
    if states:
        wanted = and_(wanted, reviews.c.state.in_([literal(state) for state in states]))
    joined = reviews.outerjoin(one, _is_at(one, reviews.c.transaction_id, reviews.c.transaction_date)).outerjoin(
        other, _is_at(other, reviews.c.other_id, reviews.c.other_date)
    )
    own = FoundPair._fields[:-2]
    sides = [side.c[name].label(f"{side.name}_{name}") for side in (one, other) for name in Side._fields]
    statement = select(*(reviews.c[name] for name in own), *sides).select_from(joined).where(wanted)
    found = await session.run(statement, keys=list(transaction_ids))
    return [_found_pair(tuple(row), len(own)) for row in found]


def _is_at(rows: FromClause, transaction_id: ColumnElement[Any], day: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(owned(rows), rows.c.id == transaction_id, rows.c.transaction_date == day)


def _found_pair(row: tuple[Any, ...], own: int) -> FoundPair:
    size = len(Side._fields)
    sides = [Side(*side) if side[0] is not None else None for side in (row[own : own + size], row[own + size :])]
    return FoundPair(*row[:own], *sides)


async def record_pairs(session: WriteSession, kind: str, pairs: Rows, *, by_user: bool = False) -> list[Joined]:
    """Store pairs as they are by now; those that were decided already only by their owner's word. Answers those that are stored.

    pairs: `reasons` is a list of words.
    """
    given, reviews = given_rows(_PAIRS), transaction_reviews
    decided_at = case((given.c.state == literal(SUGGESTED), None), else_=func.now())
    reasons = func.string_to_array(given.c.reasons, _SEPARATOR)
    chosen = [literal(session.viewer.user_id, Uuid), literal(kind), decided_at]
    chosen += [reasons if name == "reasons" else given.c[name] for name in _PAIRS]
    names = ["user_id", "kind", "decided_at", *_PAIRS]
    row = upsert(reviews).from_select(names, select(*chosen))
    changed = {name: row.excluded[name] for name in ("state", "decided_by", "decided_at", "score", "reasons")}
    key = ["user_id", "kind", "transaction_id", "other_id"]
    open_ = None if by_user else reviews.c.state == literal(SUGGESTED)
    stored = row.on_conflict_do_update(index_elements=key, set_=changed, where=open_)
    statement = stored.returning(*(reviews.c[name] for name in Joined._fields))
    arrays = as_arrays([{**each, "reasons": ",".join(each["reasons"])} for each in pairs], _PAIRS)
    return [Joined(*found) for found in await session.run(statement, **arrays)]


async def drop_pairs(session: WriteSession, review_ids: Collection[UUID]) -> None:
    """Forget these pairs."""
    reviews = transaction_reviews
    await session.run(delete(reviews).where(owned(reviews), is_one_of(reviews.c.id)), keys=list(review_ids))


async def mark_transfers(session: WriteSession, marks: Sequence[tuple[UUID, date, UUID | None]]) -> None:
    """Say of each (transaction, day) which pair it is in; None: in none."""
    given = given_rows(_MARKS)
    await _mark(session, given, {"transfer_id": given.c.value}, marks)


async def mark_duplicates(session: WriteSession, marks: Sequence[tuple[UUID, date, UUID | None]]) -> None:
    """Say of each (transaction, day) which one it stands for once more; None: it is one of its own."""
    given = given_rows(_MARKS)
    await _mark(session, given, {"duplicate_of": given.c.value, "is_duplicate": given.c.value.is_not(None)}, marks)


async def _mark(session: WriteSession, given: Any, values: dict[str, Any], marks: Sequence[tuple[UUID, date, UUID | None]]) -> None:
    rows = own_transactions
    here = and_(owned(rows), rows.c.id == given.c.id, rows.c.transaction_date == given.c.transaction_date)
    arrays = as_arrays([dict(zip(_MARKS, mark, strict=True)) for mark in marks], _MARKS)
    await session.run(update(rows).where(here).values(values), **arrays)


async def find_sides(session: WriteSession, transaction_ids: Collection[UUID]) -> list[Side]:
    """These transactions of the viewer's, by way of their keys, which give the partition."""
    keys, rows = transaction_keys, own_transactions
    place = and_(owned(rows), rows.c.id == keys.c.transaction_id, rows.c.transaction_date == keys.c.transaction_date)
    named = and_(owned(keys), is_one_of(keys.c.transaction_id), ~keys.c.is_alias)
    statement = select(*(rows.c[name] for name in Side._fields)).select_from(keys.join(rows, place)).where(named)
    return [Side(*row) for row in await session.run(statement, keys=list(transaction_ids))]


@compiled
def transfers_by_transaction(columns: Columns) -> Select[Any]:
    """The transfer that each of these transactions is in, seen from it: beside the review's columns `other_id`, and both accounts."""
    made = [_transfer_seen_from(one, other, columns) for one, other in (("transaction_id", "other_id"), ("other_id", "transaction_id"))]
    return select(union_all(*made).subquery("seen"))


def _transfer_seen_from(one: str, other: str, columns: Columns) -> Select[Any]:
    reviews, debit, credit = transaction_reviews, own_transactions.alias("debit"), own_transactions.alias("credit")
    special: dict[str, ColumnElement[Any]] = {
        "other_id": reviews.c[other],
        "from_account_id": debit.c.account_id,
        "to_account_id": credit.c.account_id,
    }
    shown = [leaf(special[name] if name in special else reviews.c[name]).label(name) for name in columns]
    joined = reviews.join(debit, _is_at(debit, reviews.c.transaction_id, reviews.c.transaction_date)).join(
        credit, _is_at(credit, reviews.c.other_id, reviews.c.other_date)
    )
    wanted = and_(owned(reviews), is_one_of(reviews.c[one]), reviews.c.kind == literal(TRANSFER), reviews.c.state == literal(APPLIED))
    return select(leaf(reviews.c[one]).label("key"), *shown).select_from(joined).where(wanted)
