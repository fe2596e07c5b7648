"""Statements of what its owner deleted: into the bin and out of it, and what is in it."""

from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    LargeBinary,
    Numeric,
    Select,
    Uuid,
    and_,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from db.base import INSTANT
from db.engines import WriteSession
from db.pages import count_of, page_of
from db.statements import Columns, compiled, is_one_of, owned, read_columns
from db.transaction.models import deleted_transactions, own_transactions, transaction_keys
from db.transaction.queries.reconciling import NO_FINGERPRINT, Place

SORT = ("deleted_at", "id")
#: How long a deleted transaction can be had back; retention takes it away after that.
KEPT_SQL = "interval '30 days'"


class Deleted(NamedTuple):
    """A transaction in the bin. `offered`: what the bank has said of it since."""

    id: UUID
    account_id: UUID
    transaction_date: date
    content: dict[str, Any]
    offered: dict[str, Any] | None


def _is_kept() -> ColumnElement[bool]:
    return deleted_transactions.c.deleted_at > func.now() - literal_column(KEPT_SQL)


def _shown() -> Any:
    """The bin with what is shown of a row."""
    was = deleted_transactions
    texts = ("currency", "direction", "merchant_name", "description", "status")
    said = {name: was.c.content[name].astext.label(name) for name in texts}
    own = [was.c[name] for name in ("id", "user_id", "account_id", "transaction_date", "deleted_at")]
    until = (was.c.deleted_at + literal_column(KEPT_SQL)).label("restorable_until")
    amount = cast(was.c.content["amount"].astext, Numeric).label("amount")
    return (
        select(*own, cast(until, INSTANT).label("restorable_until"), amount, *said.values()).where(owned(was), _is_kept()).subquery("shown")
    )


@compiled
def deleted_by_id(columns: Columns) -> Select[Any]:
    """What can be had back, by the transaction's id."""
    shown = _shown()
    return select(*read_columns(shown, columns, shown.c.id)).where(owned(shown), is_one_of(shown.c.id))


@compiled
def deleted_page(columns: Columns, *, after: bool) -> Select[Any]:
    """A page of what can be had back, what was deleted last first. Bound: `key` (the viewer), `size`, `after_<column>`."""
    return page_of(_shown(), "user_id", columns, SORT, descending=True, after=after, many=False)


@compiled
def deleted_count() -> Select[Any]:
    """How much can be had back: (key, count). Bound: `keys`."""
    return count_of(_shown(), "user_id")


async def find_deleted(session: WriteSession, transaction_id: UUID) -> Deleted | None:
    """What can be had back under this id."""
    was = deleted_transactions
    statement = select(*(was.c[name] for name in Deleted._fields)).where(owned(was), was.c.id == bindparam("id", type_=Uuid), _is_kept())
    row = (await session.run(statement, id=transaction_id)).one_or_none()
    return None if row is None else Deleted(*row)


async def find_place(session: WriteSession, transaction_id: UUID) -> Place | None:
    """Where a transaction of the viewer's is; None when it is not theirs, or not there."""
    keys, rows = transaction_keys, own_transactions
    here = and_(owned(rows), rows.c.id == keys.c.transaction_id, rows.c.transaction_date == keys.c.transaction_date)
    statement = select(rows.c.id, rows.c.transaction_date).select_from(keys.join(rows, here))
    found = await session.run(
        statement.where(owned(keys), keys.c.transaction_id == bindparam("id", type_=Uuid)).limit(1), id=transaction_id
    )
    row = found.one_or_none()
    return None if row is None else Place(*row)


async def put_into_bin(session: WriteSession, place: Place, likeness: bytes, at: datetime) -> None:
    """Keep the row as it is, take it away, and let its names say that it was deleted."""
    rows, was, keys = own_transactions, deleted_transactions, transaction_keys
    here = and_(owned(rows), rows.c.id == bindparam("at_id", type_=Uuid), rows.c.transaction_date == bindparam("at_date"))
    names = ("id", "user_id", "account_id", "transaction_date")
    whole = func.to_jsonb(literal_column("own_transactions.*"))
    copy = select(*(rows.c[name] for name in names), whole, bindparam("at", type_=INSTANT)).select_from(rows).where(here)
    about = {"at_id": place.id, "at_date": place.transaction_date}
    await session.run(delete(was).where(owned(was), was.c.id == bindparam("at_id", type_=Uuid)), at_id=place.id)
    await session.run(insert(was).from_select([*names, "content", "deleted_at"], copy), at=at, **about)
    await session.run(delete(rows).where(here), **about)
    theirs = and_(owned(keys), keys.c.transaction_id == bindparam("at_id", type_=Uuid))
    dead = {"deleted_at": bindparam("at", type_=INSTANT), "likeness": bindparam("likeness_of_it", type_=LargeBinary)}
    await session.run(update(keys).where(theirs).values(dead), at_id=place.id, at=at, likeness_of_it=likeness)


async def take_out_of_bin(session: WriteSession, found: Deleted) -> None:
    """Put the row back as it was, in no pair, with the names that are still its own; where none is left, with the one that it had."""
    rows, was, keys = own_transactions, deleted_transactions, transaction_keys
    names = [each.name for each in rows.c if each.computed is None]
    content = was.c.content
    base: ColumnElement[Any] = literal_column("null::transaction_schema.own_transactions")
    record = func.jsonb_populate_record(base, content).table_valued(*(column(name, rows.c[name].type) for name in names)).lateral("row")
    alone: dict[str, ColumnElement[Any]] = {
        "transfer_id": literal(None, Uuid),
        "is_duplicate": literal_column("false", Boolean),
        "duplicate_of": literal(None, Uuid),
    }
    whole = select(*(alone.get(name, record.c[name]) for name in names)).select_from(was.join(record, literal(True)))
    here = and_(owned(was), was.c.id == bindparam("at_id", type_=Uuid))
    await session.run(insert(rows).from_select(names, whole.where(here)), at_id=found.id)
    theirs = and_(owned(keys), keys.c.transaction_id == bindparam("at_id", type_=Uuid))
    alive = {"deleted_at": literal(None, INSTANT), "likeness": literal(None, LargeBinary)}
    await session.run(update(keys).where(theirs).values({**alive, "transaction_date": found.transaction_date}), at_id=found.id)
    named = ("user_id", "account_id", "provider_transaction_id", "transaction_id", "transaction_date", "fingerprint", "is_alias")
    of_it = [was.c.user_id, was.c.account_id, content["provider_transaction_id"].astext, was.c.id, was.c.transaction_date]
    name = select(*of_it, NO_FINGERPRINT, literal_column("false", Boolean)).where(here)
    await session.run(upsert(keys).from_select(list(named), name).on_conflict_do_nothing(), at_id=found.id)
    await session.run(delete(was).where(here), at_id=found.id)


async def fingerprint_of(session: WriteSession, transaction_id: UUID) -> bytes:
    """What the bank said last of a transaction, as its present name has it; nothing where no name is left."""
    keys = transaction_keys
    present = and_(owned(keys), keys.c.transaction_id == bindparam("id", type_=Uuid), ~keys.c.is_alias)
    found = (await session.run(select(keys.c.fingerprint).where(present).limit(1), id=transaction_id)).scalar_one_or_none()
    return bytes(found or b"")
