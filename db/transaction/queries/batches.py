"""Statements that take a provider's rows in: set-based, a bounded number of rows each."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Date,
    LargeBinary,
    Numeric,
    String,
    Text,
    Uuid,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.selectable import TableValuedAlias

from db.engines import SystemSession, WriteSession
from db.statements import as_arrays, given_rows, owned
from db.transaction.models import own_transactions, transaction_keys

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
}
_NEW: dict[str, Any] = {
    "id": Uuid,
    "account_id": Uuid,
    "provider": String,
    "provider_transaction_id": String,
    "transaction_date": Date,
    "category_method": String,
    **PROVIDED,
}
_KEYED: dict[str, Any] = {
    "id": Uuid,
    "account_id": Uuid,
    "provider_transaction_id": String,
    "transaction_date": Date,
    "fingerprint": LargeBinary,
}
_CHANGED: dict[str, Any] = {"id": Uuid, "transaction_date": Date, "fingerprint": LargeBinary, **PROVIDED}
_MOVED: dict[str, Any] = {"id": Uuid, "old_date": Date, "transaction_date": Date}


class Known(NamedTuple):
    """A provider's row that is stored already."""

    account_id: UUID
    provider_transaction_id: str
    transaction_id: UUID
    transaction_date: date
    fingerprint: bytes


Rows = Sequence[dict[str, Any]]


def _typed(given: TableValuedAlias, name: str) -> Any:
    """JSON travels as text."""
    return cast(given.c[name], JSONB) if name == "payment_meta" else given.c[name]


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
    given = given_rows(_NEW)
    await session.execute(
        insert(own_transactions).from_select(["user_id", *_NEW], select(mine, *(_typed(given, name) for name in _NEW))),
        as_arrays(rows, _NEW),
    )


async def change_transactions(session: WriteSession, rows: Rows) -> None:
    """Write what the provider now says of stored rows. The user's category, notes and tags stay."""
    given = given_rows(_CHANGED)
    target = own_transactions
    await session.run(
        update(target)
        .where(owned(target), target.c.id == given.c.id, target.c.transaction_date == given.c.transaction_date)
        .values({name: _typed(given, name) for name in PROVIDED}),
        **as_arrays(rows, _CHANGED),
    )
    await session.run(
        update(transaction_keys)
        .where(owned(transaction_keys), transaction_keys.c.transaction_id == given.c.id)
        .values(fingerprint=given.c.fingerprint, transaction_date=given.c.transaction_date),
        **as_arrays(rows, _CHANGED),
    )


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
