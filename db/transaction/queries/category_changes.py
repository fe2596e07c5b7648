"""Statements that change a user's categories, and what goes by them. Their callers hold the user's lock."""

from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    String,
    and_,
    bindparam,
    cast,
    delete,
    extract,
    func,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from db.engines import WriteSession
from db.statements import owned
from db.transaction.models import categories, monthly_category_summary, own_transactions, user_categories
from db.transaction.queries.categories import tree

_AT: BindParameter[str] = bindparam("at_category", type_=String)
#: What an override may hold of its own.
LOOKS = ("display_name", "icon", "color", "is_hidden")


class FoundCategory(NamedTuple):
    """A category to change: what the user's row says of it (an own one is all there), and the name it has by default."""

    id: str
    parent_id: str | None
    type: str
    default_name: str | None
    display_name: str | None
    icon: str | None
    color: str | None
    is_hidden: bool
    sort_order: int

    @property
    def is_own(self) -> bool:
        return self.default_name is None


class Sibling(NamedTuple):
    id: str
    name: str
    sort_order: int


async def find_category(session: WriteSession, category_id: str) -> FoundCategory | None:
    """A default one, or one of the viewer's own; None for what is neither."""
    mine = select(user_categories).where(owned(user_categories), user_categories.c.category_id == _AT).subquery("mine")
    theirs = select(categories).where(categories.c.id == _AT).subquery("theirs")
    kind = func.coalesce(theirs.c.type, mine.c.type)
    statement = select(
        func.coalesce(theirs.c.id, mine.c.category_id),
        func.coalesce(theirs.c.parent_id, mine.c.parent_id),
        kind,
        theirs.c.display_name,
        *(mine.c[name] for name in ("display_name", "icon", "color")),
        func.coalesce(mine.c.is_hidden, literal(False)),
        func.coalesce(theirs.c.sort_order, mine.c.sort_order),
    )
    joined = theirs.outerjoin(mine, theirs.c.id == mine.c.category_id, full=True)
    row = (await session.run(statement.select_from(joined).where(kind.is_not(None)), at_category=category_id)).one_or_none()
    return None if row is None else FoundCategory(*row)


async def list_siblings(session: WriteSession, parent_id: str | None) -> list[Sibling]:
    """The viewer's categories under this parent, or at the top, by the names they have for the viewer."""
    mine = select(user_categories).where(owned(user_categories)).subquery("mine")
    theirs = categories.c
    parent, kind = func.coalesce(theirs.parent_id, mine.c.parent_id), func.coalesce(theirs.type, mine.c.type)
    here = parent.is_(None) if parent_id is None else parent == bindparam("at_parent", type_=String)
    statement = (
        select(
            func.coalesce(theirs.id, mine.c.category_id),
            func.coalesce(mine.c.display_name, theirs.display_name),
            func.coalesce(theirs.sort_order, mine.c.sort_order),
        )
        .select_from(categories.outerjoin(mine, theirs.id == mine.c.category_id, full=True))
        .where(kind.is_not(None), here)
    )
    found = await session.run(statement, **({} if parent_id is None else {"at_parent": parent_id}))
    return [Sibling(*row) for row in found]


async def count_own(session: WriteSession) -> int:
    own = and_(owned(user_categories), user_categories.c.type.is_not(None))
    return int((await session.run(select(func.count()).select_from(user_categories).where(own))).scalar_one())


async def add_own(session: WriteSession, category_id: UUID, values: dict[str, Any]) -> None:
    row = {"id": category_id, "category_id": str(category_id), "user_id": session.viewer.user_id, **values}
    await session.execute(insert(user_categories).values(row))


async def change_own(session: WriteSession, category_id: str, values: dict[str, Any]) -> None:
    mine = and_(owned(user_categories), user_categories.c.category_id == _AT)
    await session.run(update(user_categories).where(mine).values(values), at_category=category_id)


async def store_override(session: WriteSession, category_id: str, looks: dict[str, Any]) -> None:
    """How the viewer has a default category from now on; `looks` are all of LOOKS."""
    row = upsert(user_categories).values(user_id=session.viewer.user_id, category_id=category_id, **looks)
    await session.execute(row.on_conflict_do_update(index_elements=["user_id", "category_id"], set_=looks))


async def delete_row(session: WriteSession, category_id: str) -> None:
    """What the viewer made of a category: an override, or the category itself."""
    mine = and_(owned(user_categories), user_categories.c.category_id == _AT)
    await session.run(delete(user_categories).where(mine), at_category=category_id)


async def move_transactions_of(session: WriteSession, category_id: str, to: str | None) -> list[date]:
    """Give the transactions that the user put in this category another one, or back to the automatic one.

    Answers the first days of the months they are in. Reached by the effective category, which has the index.
    """
    rows = own_transactions
    mine = and_(
        owned(rows),
        rows.c.effective_category == _AT,
        rows.c.user_category == _AT,
    )
    values = {"user_category": to, "category_method": "auto" if to is None else "user"}
    moved = update(rows).where(mine).values(values).returning(rows.c.transaction_date).cte("moved")
    first = moved.c.transaction_date - cast(extract("day", moved.c.transaction_date), Integer) + 1
    return list((await session.run(select(first).distinct(), at_category=category_id)).scalars())


async def move_frozen_sums(session: WriteSession, category_id: str, to: str | None) -> None:
    """The sums of months whose transactions are gone follow too: nothing else could say what they were of."""
    sums = monthly_category_summary
    key: list[ColumnElement[Any]] = [sums.c[name] for name in ("user_id", "month", "direction", "currency")]
    frozen = and_(owned(sums), sums.c.category == _AT, sums.c.is_frozen)
    gone = delete(sums).where(frozen).returning(*key, sums.c.total_amount, sums.c.transaction_count).cte("gone")
    names = ["user_id", "month", "direction", "currency", "total_amount", "transaction_count", "category", "is_frozen"]
    target = bindparam("new_category", type_=String)
    row = upsert(sums).from_select(names, select(*gone.c, target, true()))
    added = {name: sums.c[name] + row.excluded[name] for name in ("total_amount", "transaction_count")}
    statement = row.on_conflict_do_update(index_elements=["user_id", "month", "category", "direction", "currency"], set_=added)
    await session.run(statement, at_category=category_id, new_category=to)


async def has_children(session: WriteSession, category_id: str) -> bool:
    known = tree()
    child = select(literal(1)).where(known.c.parent_id == _AT).exists()
    return bool((await session.run(select(child), at_category=category_id)).scalar_one())
