"""Statements of what is in doubt, or was decided: a user's inbox, the reviews of a transaction, and deciding one."""

from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, Uuid, and_, bindparam, literal, select, union_all, update

from db.base import INSTANT
from db.engines import WriteSession
from db.pages import count_of, page_of
from db.statements import Columns, compiled, is_one_of, owned, read_columns
from db.transaction.models import transaction_reviews

SORT = ("created_at", "id")


class Review(NamedTuple):
    """What was asked, or decided. The days are those of the transactions now."""

    id: UUID
    kind: str
    state: str
    decided_by: str | None
    transaction_id: UUID
    transaction_date: date
    other_id: UUID | None
    other_date: date | None


class ReviewFilter(NamedTuple):
    """Which reviews a page shows; None: whichever."""

    state: str = "suggested"
    kind: str | None = None

    def criteria(self) -> tuple[str, ...]:
        return ("state",) if self.kind is None else ("state", "kind")

    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.criteria()}


def _criterion(name: str) -> ColumnElement[bool]:
    return transaction_reviews.c[name] == bindparam(name, type_=String)


@compiled
def reviews_by_id(columns: Columns) -> Select[Any]:
    """Reviews by their ids."""
    reviews = transaction_reviews
    return select(*read_columns(reviews, columns, reviews.c.id)).where(owned(reviews), is_one_of(reviews.c.id))


@compiled
def review_page(columns: Columns, criteria: tuple[str, ...], *, after: bool) -> Select[Any]:
    """A page of the viewer's reviews, the newest first. Bound: `key` (the viewer), `size`, the criteria, `after_<column>`."""
    wanted = [_criterion(name) for name in criteria]
    return page_of(transaction_reviews, "user_id", columns, SORT, wanted, descending=True, after=after, many=False)


@compiled
def review_count(criteria: tuple[str, ...]) -> Select[Any]:
    """How many there are under the criteria: (key, count). Bound: `keys`."""
    return count_of(transaction_reviews, "user_id", [_criterion(name) for name in criteria])


@compiled
def reviews_by_transaction(columns: Columns) -> Select[Any]:
    """Reviews that each of these transactions is in, as either of two, the newest first."""
    reviews = transaction_reviews
    sides = [
        select(*read_columns(reviews, columns, reviews.c[side]), reviews.c.created_at.label("at"), reviews.c.id.label("which")).where(
            owned(reviews), is_one_of(reviews.c[side])
        )
        for side in ("transaction_id", "other_id")
    ]
    both = union_all(*sides).subquery("both")
    shown = [each for each in both.c if each.name not in ("at", "which")]
    return select(*shown).order_by(both.c.at.desc(), both.c.which.desc())


async def lock_review(session: WriteSession, review_id: UUID) -> Review | None:
    """The viewer's review, so that nobody else decides it at the same time; None when it is not theirs or not there."""
    reviews = transaction_reviews
    mine = and_(owned(reviews), reviews.c.id == bindparam("id", type_=Uuid))
    statement = select(*(reviews.c[name] for name in Review._fields)).where(mine).with_for_update()
    row = (await session.run(statement, id=review_id)).one_or_none()
    return None if row is None else Review(*row)


async def decide_review(session: WriteSession, review_id: UUID, state: str, at: datetime) -> None:
    """The user has decided: applied, or rejected."""
    reviews = transaction_reviews
    mine = and_(owned(reviews), reviews.c.id == bindparam("at_id", type_=Uuid))
    values = {"state": bindparam("new_state", type_=String), "decided_by": literal("user"), "decided_at": bindparam("at", type_=INSTANT)}
    await session.run(update(reviews).where(mine).values(values), at_id=review_id, new_state=state, at=at)
