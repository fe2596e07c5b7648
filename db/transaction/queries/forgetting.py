"""Statements that take away all that is known of accounts: transactions, their names, what was deleted of them, questions about them."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Uuid, any_, bindparam, delete, or_, select

from db.engines import WriteSession
from db.statements import is_one_of, owned
from db.transaction.models import deleted_transactions, own_transactions, transaction_keys, transaction_reviews


class Place(NamedTuple):
    """Where a transaction is, and on which account."""

    id: UUID
    transaction_date: date
    account_id: UUID


async def find_some(session: WriteSession, account_ids: Sequence[UUID], *, limit: int) -> list[Place]:
    """The next so many transactions of the viewer's accounts, the newest first."""
    rows = own_transactions
    columns = (rows.c[name] for name in Place._fields)
    some = select(*columns).where(owned(rows), is_one_of(rows.c.account_id)).order_by(rows.c.transaction_date.desc(), rows.c.id.desc())
    found = await session.run(some.limit(bindparam("size", type_=Integer)), keys=list(account_ids), size=limit)
    return [Place(*row) for row in found]


async def drop_reviews(session: WriteSession, transaction_ids: Sequence[UUID]) -> None:
    """Whatever was asked, or decided, of these."""
    rows, ids = transaction_reviews, bindparam("keys", type_=ARRAY(Uuid))
    concerned = or_(rows.c.transaction_id == any_(ids), rows.c.other_id == any_(ids))
    await session.run(delete(rows).where(owned(rows), concerned), keys=list(transaction_ids))


async def drop_rest(session: WriteSession, account_ids: Sequence[UUID]) -> None:
    """What is left of accounts without transactions: what their owner has deleted, and the names that keep it away."""
    for rows in (deleted_transactions, transaction_keys):
        await session.run(delete(rows).where(owned(rows), is_one_of(rows.c.account_id)), keys=list(account_ids))
