"""Statements that hold what a bank lists against what is stored, and follow what came of it: set-based, a bounded number of rows each."""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Date,
    LargeBinary,
    Numeric,
    Select,
    String,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from db.engines import WriteSession
from db.statements import as_arrays, given_rows, is_one_of, owned
from db.transaction.models import deleted_transactions, own_transactions, transaction_keys, transaction_reviews
from db.transaction.queries.batches import is_users, without

CANCELLED = literal_column("'cancelled'", String)
#: Whatever the bank says of a transaction with this fingerprint is news.
NO_FINGERPRINT = literal_column("''::bytea", LargeBinary)
#: The word in `provenance` for the whole row.
ROW = "row"
_PLACES: dict[str, Any] = {"id": Uuid, "transaction_date": Date}
_KEYS: dict[str, Any] = {
    "account_id": Uuid,
    "provider_transaction_id": String,
    "transaction_id": Uuid,
    "transaction_date": Date,
    "fingerprint": LargeBinary,
    "is_alias": Boolean,
}
_TOMBSTONES: dict[str, Any] = {**_KEYS, "likeness": LargeBinary}
_REVIEWS: dict[str, Any] = {
    "kind": String,
    "transaction_id": Uuid,
    "transaction_date": Date,
    "other_id": Uuid,
    "other_date": Date,
    "score": Numeric,
}
Rows = Sequence[dict[str, Any]]


class Place(NamedTuple):
    """Where a transaction is."""

    id: UUID
    transaction_date: date


class StoredRow(NamedTuple):
    """What a transaction is recognised by. `is_edited`: its owner has said something of it; `is_kept`: that it is theirs."""

    id: UUID
    transaction_date: date
    account_id: UUID
    provider: str
    provider_transaction_id: str
    amount: Decimal
    currency: str
    direction: str
    status: str
    description: str | None
    original_description: str | None
    is_edited: bool
    is_kept: bool


class Tombstone(NamedTuple):
    """A deleted transaction by its name at the bank, and what the bin has left of it."""

    account_id: UUID
    provider_transaction_id: str
    transaction_id: UUID
    transaction_date: date
    fingerprint: bytes
    likeness: bytes
    amount: Decimal | None
    currency: str | None
    direction: str | None
    status: str | None
    description: str | None
    original_description: str | None
    provider: str | None


# What is stored


async def find_unlisted(
    session: WriteSession, account_id: UUID, provider: str, window: tuple[date, date], listed: Collection[str]
) -> list[Place]:
    """Live transactions of the account and provider in these days (half-open) that are called by none of these names."""
    rows, names = own_transactions, given_rows({"name": String})
    is_listed = select(literal_column("1")).where(names.c.name == rows.c.provider_transaction_id).exists()
    inside = and_(
        rows.c.account_id == bindparam("account", type_=Uuid),
        rows.c.transaction_date >= bindparam("first", type_=Date),
        rows.c.transaction_date < bindparam("end", type_=Date),
        rows.c.provider == bindparam("provider", type_=String),
        rows.c.status != CANCELLED,
    )
    statement = select(rows.c.id, rows.c.transaction_date).where(owned(rows), inside, ~is_listed)
    first, end = window
    found = await session.run(statement, account=account_id, provider=provider, first=first, end=end, name_s=list(listed))
    return [Place(*row) for row in found]


async def find_stored(session: WriteSession, places: Sequence[Place]) -> list[StoredRow]:
    """The transactions at these places that are there."""
    given, rows = given_rows(_PLACES), own_transactions
    here = and_(owned(rows), rows.c.id == given.c.id, rows.c.transaction_date == given.c.transaction_date)
    statement = _stored().select_from(given.join(rows, here))
    found = await session.run(statement, **as_arrays([place._asdict() for place in places], _PLACES))
    return [StoredRow(*row) for row in found]


async def find_whole(session: WriteSession, place: Place) -> dict[str, Any] | None:
    """Every column of a transaction that somebody writes; None when it is not there."""
    rows = own_transactions
    here = and_(owned(rows), rows.c.id == bindparam("at_id", type_=Uuid), rows.c.transaction_date == bindparam("at_date", type_=Date))
    statement = select(*(each for each in rows.c if each.computed is None)).where(here)
    row = (await session.run(statement, at_id=place.id, at_date=place.transaction_date)).mappings().one_or_none()
    return None if row is None else dict(row)


async def find_cancelled(session: WriteSession, account_ids: Collection[UUID], first: date, last: date) -> list[StoredRow]:
    """Cancelled transactions of these accounts, in the days from the first to the last."""
    rows = own_transactions
    days = rows.c.transaction_date.between(bindparam("first", type_=Date), bindparam("last", type_=Date))
    statement = _stored().where(owned(rows), is_one_of(rows.c.account_id), days, rows.c.status == CANCELLED)
    return [StoredRow(*row) for row in await session.run(statement, keys=list(account_ids), first=first, last=last)]


async def find_tombstones(session: WriteSession, account_ids: Collection[UUID]) -> list[Tombstone]:
    """What was deleted of these accounts, by the name that the bank has for it now."""
    keys, was = transaction_keys, deleted_transactions
    content = was.c.content
    said: dict[str, ColumnElement[Any]] = {
        "amount": cast(content["amount"].astext, Numeric),
        **{name: content[name].astext for name in ("currency", "direction", "status", "description", "original_description", "provider")},
    }
    columns = [said[name].label(name) if name in said else keys.c[name] for name in Tombstone._fields]
    joined = keys.outerjoin(was, and_(owned(was), was.c.id == keys.c.transaction_id))
    dead = and_(owned(keys), is_one_of(keys.c.account_id), keys.c.deleted_at.is_not(None), ~keys.c.is_alias)
    found = await session.run(select(*columns).select_from(joined).where(dead), keys=list(account_ids))
    return [Tombstone(*row) for row in found]


async def find_overdue(session: WriteSession, account_ids: Collection[UUID], since: date, until: date) -> list[tuple[Place, UUID]]:
    """Pending transactions of these accounts before a day and not before another, each with its account."""
    rows = own_transactions
    days = and_(rows.c.transaction_date >= bindparam("since", type_=Date), rows.c.transaction_date < bindparam("until", type_=Date))
    statement = select(rows.c.id, rows.c.transaction_date, rows.c.account_id).where(
        owned(rows), rows.c.is_pending, days, is_one_of(rows.c.account_id)
    )
    found = await session.run(statement, keys=list(account_ids), since=since, until=until)
    return [(Place(row.id, row.transaction_date), row.account_id) for row in found]


def _stored() -> Select[Any]:
    rows = own_transactions
    others = without(rows.c.provenance, "category") != literal_column("'{}'::jsonb", JSONB)
    by_user = or_(others, is_users(rows.c.provenance, "category"))
    computed: dict[str, ColumnElement[Any]] = {
        "is_edited": or_(rows.c.user_category.is_not(None), rows.c.notes.is_not(None), func.cardinality(rows.c.tags) > 0, by_user),
        "is_kept": rows.c.provenance.has_key(ROW),
    }
    return select(*(computed[name].label(name) if name in computed else rows.c[name] for name in StoredRow._fields))


# What came of it


async def cancel_transactions(session: WriteSession, places: Sequence[Place]) -> None:
    """Mark these as cancelled."""
    given, rows = given_rows(_PLACES), own_transactions
    here = and_(owned(rows), rows.c.id == given.c.id, rows.c.transaction_date == given.c.transaction_date)
    await session.run(update(rows).where(here).values(status=CANCELLED), **_as_places(places))


async def delete_transactions(session: WriteSession, places: Sequence[Place]) -> None:
    """Take these away with all their names."""
    await delete_rows(session, places)
    await session.run(
        delete(transaction_keys).where(owned(transaction_keys), is_one_of(transaction_keys.c.transaction_id)), keys=_ids(places)
    )


async def delete_rows(session: WriteSession, places: Sequence[Place]) -> None:
    """Take these away; what their names stand for is the caller's business."""
    given, rows = given_rows(_PLACES), own_transactions
    here = and_(owned(rows), rows.c.id == given.c.id, rows.c.transaction_date == given.c.transaction_date)
    await session.run(delete(rows).where(here), **_as_places(places))


async def hand_over_names(session: WriteSession, one: UUID, to: Place) -> None:
    """All names of a transaction stand for another one, of which all were old ones."""
    keys = transaction_keys
    theirs = and_(owned(keys), keys.c.transaction_id == bindparam("from_id", type_=Uuid))
    values = {"transaction_id": bindparam("to_id", type_=Uuid), "transaction_date": bindparam("to_date", type_=Date)}
    await session.run(update(keys).where(theirs).values(values), from_id=one, to_id=to.id, to_date=to.transaction_date)


async def forget_fingerprints(session: WriteSession, transaction_ids: Collection[UUID]) -> None:
    """Whatever the bank says of these from now on is news."""
    keys = transaction_keys
    theirs = and_(owned(keys), is_one_of(keys.c.transaction_id), keys.c.fingerprint != NO_FINGERPRINT)
    await session.run(update(keys).where(theirs).values(fingerprint=NO_FINGERPRINT), keys=list(transaction_ids))


async def age_names(session: WriteSession, transaction_ids: Collection[UUID]) -> None:
    """All names of these are old ones now: the new one follows."""
    keys = transaction_keys
    theirs = and_(owned(keys), is_one_of(keys.c.transaction_id), ~keys.c.is_alias)
    await session.run(update(keys).where(theirs).values(is_alias=literal_column("true", Boolean)), keys=list(transaction_ids))


async def place_names(session: WriteSession, rows: Rows) -> None:
    """Let each name stand for its transaction, whatever it stood for before."""
    await _put_names(session, rows, _KEYS, deleted_at=None, likeness=None)


async def place_tombstones(session: WriteSession, rows: Rows) -> None:
    """Let each name stand for a transaction that was deleted."""
    await _put_names(session, rows, _TOMBSTONES, deleted_at=func.now())


async def drop_names(session: WriteSession, names: Sequence[tuple[UUID, str]]) -> None:
    """These (account, name) pairs stand for nothing: others are about to have them."""
    kinds: dict[str, Any] = {"account_id": Uuid, "provider_transaction_id": String}
    given, keys = given_rows(kinds), transaction_keys
    same = and_(keys.c.account_id == given.c.account_id, keys.c.provider_transaction_id == given.c.provider_transaction_id)
    rows = [dict(zip(kinds, name, strict=True)) for name in names]
    await session.run(delete(keys).where(owned(keys), same), **as_arrays(rows, kinds))


async def _put_names(session: WriteSession, rows: Rows, kinds: dict[str, Any], **fixed: Any) -> None:
    given, keys = given_rows(kinds), transaction_keys
    chosen = [given.c[name] for name in kinds] + [
        literal(None, keys.c[name].type) if value is None else value for name, value in fixed.items()
    ]
    names = ["user_id", *kinds, *fixed]
    statement = upsert(keys).from_select(names, select(literal(session.viewer.user_id, Uuid), *chosen))
    kept = {name: statement.excluded[name] for name in names if name not in ("user_id", "account_id", "provider_transaction_id")}
    await session.run(statement.on_conflict_do_update(index_elements=list(keys.primary_key), set_=kept), **as_arrays(rows, kinds))


async def move_names(session: WriteSession, places: Sequence[Place]) -> None:
    """All names of these know the new day; so does what is in doubt of them."""
    given, keys, reviews = given_rows(_PLACES), transaction_keys, transaction_reviews
    theirs = and_(owned(keys), keys.c.transaction_id == given.c.id, keys.c.transaction_date != given.c.transaction_date)
    await session.run(update(keys).where(theirs).values(transaction_date=given.c.transaction_date), **_as_places(places))
    for which, day in (("transaction_id", "transaction_date"), ("other_id", "other_date")):
        concerned = and_(owned(reviews), reviews.c[which] == given.c.id)
        await session.run(update(reviews).where(concerned).values({day: given.c.transaction_date}), **_as_places(places))


async def keep_offered(session: WriteSession, rows: Rows) -> None:
    """Remember what the bank says of deleted transactions, for when their owner wants them back. `rows`: `id`, `offered` (JSON)."""
    kinds: dict[str, Any] = {"id": Uuid, "offered": Text}
    given, was = given_rows(kinds), deleted_transactions
    statement = update(was).where(owned(was), was.c.id == given.c.id).values(offered=cast(given.c.offered, JSONB))
    await session.run(statement, **as_arrays(rows, kinds))


async def refresh_tombstones(session: WriteSession, rows: Rows) -> None:
    """What the bank now says of deleted transactions is known. `rows`: `id`, `fingerprint`, of the name that is not an old one."""
    kinds: dict[str, Any] = {"id": Uuid, "fingerprint": LargeBinary}
    given, keys = given_rows(kinds), transaction_keys
    theirs = and_(owned(keys), keys.c.transaction_id == given.c.id, ~keys.c.is_alias)
    await session.run(update(keys).where(theirs).values(fingerprint=given.c.fingerprint), **as_arrays(rows, kinds))


# What is in doubt


async def suggest_reviews(session: WriteSession, rows: Rows) -> int:
    """Put these to the user, but what they have been asked before; answers how many are new."""
    given, reviews = given_rows(_REVIEWS), transaction_reviews
    chosen = select(literal(session.viewer.user_id, Uuid), *(given.c[name] for name in _REVIEWS))
    statement = upsert(reviews).from_select(["user_id", *_REVIEWS], chosen).on_conflict_do_nothing().returning(reviews.c.id)
    return len((await session.run(statement, **as_arrays(rows, _REVIEWS))).all())


async def withdraw_removals(session: WriteSession, transaction_ids: Collection[UUID]) -> None:
    """The bank has these again: nobody need be asked whether they may go."""
    reviews = transaction_reviews
    asked = and_(owned(reviews), reviews.c.kind == "removal", reviews.c.state == "suggested", is_one_of(reviews.c.transaction_id))
    await session.run(delete(reviews).where(asked), keys=list(transaction_ids))


async def withdraw_reviews(session: WriteSession, transaction_ids: Collection[UUID]) -> None:
    """What was in doubt of these, or between one of them and another, is so no more. What was decided stays."""
    reviews, ids = transaction_reviews, bindparam("keys", type_=ARRAY(Uuid))
    concerned = or_(reviews.c.transaction_id == any_(ids), reviews.c.other_id == any_(ids))
    mine = and_(owned(reviews), reviews.c.state == "suggested", reviews.c.kind.in_(("posting", "removal")))
    await session.run(delete(reviews).where(mine, concerned), keys=list(transaction_ids))


def _ids(places: Sequence[Place]) -> list[UUID]:
    return [place.id for place in places]


def _as_places(places: Sequence[Place]) -> dict[str, list[Any]]:
    return as_arrays([place._asdict() for place in places], _PLACES)
