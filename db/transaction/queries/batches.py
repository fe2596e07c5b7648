"""Statements that take a provider's rows in: set-based, a bounded number of rows each."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Date,
    LargeBinary,
    Numeric,
    String,
    Text,
    Uuid,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.selectable import TableValuedAlias

from db.engines import SystemSession, WriteSession
from db.statements import as_arrays, given_rows, owned
from db.transaction.models import own_transactions, transaction_keys

#: Where a transaction was made, as a provider says it.
LOCATION: dict[str, Any] = {
    "location_address": String,
    "location_city": String,
    "location_region": String,
    "location_postal_code": String,
    "location_country": String,
    "location_lat": Numeric,
    "location_lon": Numeric,
}
#: What a provider says of a transaction, with the type it travels as. Everything else of a row is ours or the user's.
PROVIDED: dict[str, Any] = {
    "amount": Numeric,
    "currency": String,
    "direction": String,
    "merchant_name": String,
    "description": Text,
    "original_description": Text,
    "category": String,
    "category_detailed": String,
    "category_confidence": Numeric,
    "authorized_date": Date,
    "posted_date": Date,
    "status": String,
    "payment_meta": Text,
    "merchant_logo_url": Text,
    **LOCATION,
}
_NEW: dict[str, Any] = {
    "id": Uuid,
    "account_id": Uuid,
    "provider": String,
    "provider_transaction_id": String,
    "transaction_date": Date,
    "category_method": String,
    "provenance": Text,
    **PROVIDED,
}
#: What few providers say: left out of a statement in which no row has it.
_SELDOM = {*LOCATION, "merchant_logo_url"}
_KEYED: dict[str, Any] = {
    "id": Uuid,
    "account_id": Uuid,
    "provider_transaction_id": String,
    "transaction_date": Date,
    "fingerprint": LargeBinary,
}
_CHANGED: dict[str, Any] = {
    "id": Uuid,
    "transaction_date": Date,
    "fingerprint": LargeBinary,
    "provider_transaction_id": String,
    "category_method": String,
    "provenance": Text,
    **PROVIDED,
}
#: Fields that a user may set or lock, and the columns that a bank then says in vain.
LOCKABLE: dict[str, tuple[str, ...]] = {
    "merchant_name": ("merchant_name",),
    "description": ("description",),
    "category": ("category", "category_detailed", "category_confidence"),
}
_JSON = {"payment_meta", "provenance"}
_MOVED: dict[str, Any] = {"id": Uuid, "old_date": Date, "transaction_date": Date}


class Known(NamedTuple):
    """A provider's row that is stored already."""

    account_id: UUID
    provider_transaction_id: str
    transaction_id: UUID
    transaction_date: date
    fingerprint: bytes
    is_alias: bool
    deleted_at: datetime | None


Rows = Sequence[dict[str, Any]]


def _typed(given: TableValuedAlias, name: str) -> Any:
    """JSON travels as text."""
    return cast(given.c[name], JSONB) if name in _JSON else given.c[name]


async def lock_user(session: WriteSession) -> None:
    """Serialise the user's writers until this transaction ends. A statement of its own: the next one sees what they left."""
    key = literal(f"transactions:{session.viewer.user_id}")
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


async def ensure_partitions(session: SystemSession, years: Sequence[int]) -> None:
    """Make the yearly partitions that are missing; the database refuses years out of its bounds."""
    for year in years:
        await session.execute(select(func.transaction_schema.ensure_partition(date(year, 1, 1))))


async def find_known(session: WriteSession, account_ids: Sequence[UUID], provider_ids: Sequence[str]) -> list[Known]:
    """The stored ones among these (account, provider id) pairs."""
    given = given_rows({"account_id": Uuid, "provider_transaction_id": String})
    keys = transaction_keys.c
    same = and_(
        owned(transaction_keys), keys.account_id == given.c.account_id, keys.provider_transaction_id == given.c.provider_transaction_id
    )
    statement = select(*(keys[name] for name in Known._fields)).select_from(given.join(transaction_keys, same))
    found = await session.run(statement, account_id_s=account_ids, provider_transaction_id_s=provider_ids)
    return [Known(*row) for row in found]


async def add_transactions(session: WriteSession, rows: Rows) -> None:
    """Store new rows and the keys they are recognised by."""
    keyed = given_rows(_KEYED)
    mine = literal(session.viewer.user_id, Uuid)
    key_columns = ["user_id", "transaction_id", "account_id", "provider_transaction_id", "transaction_date", "fingerprint"]
    await session.execute(
        insert(transaction_keys).from_select(key_columns, select(mine, *(keyed.c[name] for name in _KEYED))), as_arrays(rows, _KEYED)
    )
    kinds = {name: kind for name, kind in _NEW.items() if name not in _SELDOM or any(row[name] is not None for row in rows)}
    given = given_rows(kinds)
    await session.execute(
        insert(own_transactions).from_select(["user_id", *kinds], select(mine, *(_typed(given, name) for name in kinds))),
        as_arrays(rows, kinds),
    )


async def change_transactions(session: WriteSession, rows: Rows) -> None:
    """Write what the provider now says of stored rows, under the name it has for them now. What the user set or locked stays, and so do
    their category, notes and tags."""
    given = given_rows(_CHANGED)
    target = own_transactions
    values = {name: _typed(given, name) for name in PROVIDED} | {"provider_transaction_id": given.c.provider_transaction_id}
    for field, columns in LOCKABLE.items():
        values |= {name: case((is_users(target.c.provenance, field), target.c[name]), else_=given.c[name]) for name in columns}
    chosen = or_(target.c.user_category.is_not(None), is_users(target.c.provenance, "category"))
    values["category_method"] = case((chosen, target.c.category_method), else_=given.c.category_method)
    await session.run(
        update(target)
        .where(owned(target), target.c.id == given.c.id, target.c.transaction_date == given.c.transaction_date)
        .values(values | {"provenance": _told(given)}),
        **as_arrays(rows, _CHANGED),
    )
    keys = transaction_keys
    await session.run(
        update(keys)
        .where(owned(keys), keys.c.transaction_id == given.c.id, ~keys.c.is_alias)
        .values(fingerprint=given.c.fingerprint, transaction_date=given.c.transaction_date),
        **as_arrays(rows, _CHANGED),
    )


def is_users(provenance: ColumnElement[Any], field: str) -> ColumnElement[bool]:
    """Whether the user set or locked the field."""
    return func.coalesce(provenance[field]["by"].astext == literal_column("'user'", String), literal_column("false", Boolean))


def without(provenance: ColumnElement[Any], field: str) -> ColumnElement[Any]:
    """What is known of who set the other fields."""
    return provenance.op("-", return_type=JSONB())(literal_column(f"'{field}'::text", Text))


def _told(given: TableValuedAlias) -> ColumnElement[Any]:
    """What is known of who set which field, once the provider has spoken: of what the user set it is kept what the provider would say."""
    before: ColumnElement[Any] = own_transactions.c.provenance
    said_anew = without(before, "category").op("||", return_type=JSONB())(cast(given.c.provenance, JSONB))
    after: ColumnElement[Any] = case((is_users(before, "category"), before), else_=said_anew)
    for field in ("merchant_name", "description"):
        place = literal_column(f"'{{{field},was}}'::text[]", ARRAY(Text))
        said = func.coalesce(func.to_jsonb(given.c[field]), literal_column("'null'::jsonb", JSONB))
        after = case((is_users(before, field), func.jsonb_set(after, place, said)), else_=after)
    return after


async def move_transactions(session: WriteSession, rows: Rows) -> None:
    """Give stored rows another date, as delete and insert: a row may have to change its partition. The id stays."""
    given = given_rows(_MOVED)
    target = own_transactions
    left_out = {"transaction_date", *_generated()}
    names = [column.name for column in target.c if column.name not in left_out]
    gone = (
        delete(target)
        .where(owned(target), target.c.id == given.c.id, target.c.transaction_date == given.c.old_date)
        .returning(*(target.c[name] for name in names), given.c.transaction_date)
        .cte("gone")
    )
    await session.run(
        insert(target).from_select([*names, "transaction_date"], select(*(gone.c[name] for name in names), gone.c.transaction_date)),
        **as_arrays(rows, _MOVED),
    )


def _generated() -> set[str]:
    return {column.name for column in own_transactions.c if column.computed is not None}
