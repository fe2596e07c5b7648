"""Statements of a user's own changes to one transaction. An id is resolved to its date first: no statement looks up by id alone."""

from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import String, bindparam, select, update

from db.engines import WriteSession
from db.statements import owned
from db.transaction.models import own_transactions, transaction_keys
from db.transaction.queries.categories import type_of


class Found(NamedTuple):
    """Where a transaction is, and what the user may change of it."""

    id: UUID
    transaction_date: date
    user_category: str | None
    notes: str | None
    tags: list[str]
    merchant_name: str | None
    description: str | None
    category: str | None
    provenance: dict[str, Any]


async def find_transaction(session: WriteSession, transaction_id: UUID) -> Found | None:
    """The viewer's transaction, or None when it is not theirs or not there."""
    keys, rows = transaction_keys, own_transactions
    place = (rows.c.id == keys.c.transaction_id) & (rows.c.transaction_date == keys.c.transaction_date) & owned(rows)
    statement = select(*(rows.c[name] for name in Found._fields)).select_from(keys.join(rows, place))
    found = await session.run(statement.where(owned(keys), keys.c.transaction_id == bindparam("id")).limit(1), id=transaction_id)
    row = found.one_or_none()
    return None if row is None else Found(*row)


async def edit_transaction(session: WriteSession, found: Found, values: dict[str, Any]) -> None:
    rows = own_transactions
    target = update(rows).where(owned(rows), rows.c.id == bindparam("at_id"), rows.c.transaction_date == bindparam("at_date"))
    await session.run(target.values(values), at_id=found.id, at_date=found.transaction_date)


async def find_category_type(session: WriteSession, category_id: str) -> str | None:
    """expense, income or transfer; None for what is no category of the viewer's."""
    found = await session.run(select(type_of(bindparam("category", type_=String))), category=category_id)
    kind: str | None = found.scalar_one()
    return kind
