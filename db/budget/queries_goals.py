"""Statements about goals and what is put aside for them."""

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, func, insert, select, update

from db.budget.models import goal_contributions, savings_goals
from db.budget.queries_pages import Paged
from db.engines import WriteSession
from db.statements import Columns, compiled, owned

CONTRIBUTIONS = Paged(goal_contributions, day="contribution_date", parents="goal_id", parent=savings_goals)

# Reads for clients


@compiled
def contributions_by_id(columns: Columns) -> Select[Any]:
    return CONTRIBUTIONS.by_id(columns)


@compiled
def contribution_page(key_name: str, columns: Columns, sort: str, criteria: tuple[str, ...], *, after: bool, many: bool) -> Select[Any]:
    """A page of contributions for each parent: `user_id` or `goal_id`; see Paged.page."""
    return CONTRIBUTIONS.page(key_name, columns, sort, criteria, after=after, many=many)


@compiled
def contribution_count(key_name: str, criteria: tuple[str, ...]) -> Select[Any]:
    return CONTRIBUTIONS.count(key_name, criteria)


# Changes


class LockedGoal(NamedTuple):
    id: UUID
    currency: str
    target_amount: Decimal
    opening_amount: Decimal
    started_at: date
    target_date: date | None
    status: str


class Contribution(NamedTuple):
    id: UUID
    goal_id: UUID
    amount: Decimal


async def count_goals(session: WriteSession) -> int:
    """The viewer's live goals, counted one writer at a time."""
    key = f"goals:{session.viewer.user_id}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    live = (owned(savings_goals), savings_goals.c.deleted_at.is_(None))
    return int((await session.run(select(func.count()).select_from(savings_goals).where(*live))).scalar_one())


async def lock_goal(session: WriteSession, goal_id: UUID) -> LockedGoal | None:
    """The live goal, locked in a statement of its own: what is read next sees every contribution that was committed before."""
    goals = savings_goals
    mine = (owned(goals), goals.c.id == bindparam("at_id"), goals.c.deleted_at.is_(None))
    statement = select(*(goals.c[name] for name in LockedGoal._fields)).where(*mine).with_for_update()
    row = (await session.run(statement, at_id=goal_id)).one_or_none()
    return None if row is None else LockedGoal(*row)


async def sum_contributions(session: WriteSession, goal_id: UUID) -> tuple[Decimal, int]:
    """The sum of a goal's contributions, and how many they are."""
    rows = goal_contributions
    statement = select(func.coalesce(func.sum(rows.c.amount), 0), func.count()).where(owned(rows), rows.c.goal_id == bindparam("at_id"))
    total, count = (await session.run(statement, at_id=goal_id)).one()
    return Decimal(total), int(count)


async def add_contribution(session: WriteSession, values: dict[str, Any]) -> None:
    await session.execute(insert(goal_contributions).values(user_id=session.viewer.user_id, **values))


async def find_contribution(session: WriteSession, contribution_id: UUID) -> Contribution | None:
    """One of a live goal's."""
    rows = goal_contributions
    mine = (owned(rows), rows.c.id == bindparam("at_id"), CONTRIBUTIONS.shown())
    row = (await session.run(select(*(rows.c[name] for name in Contribution._fields)).where(*mine), at_id=contribution_id)).one_or_none()
    return None if row is None else Contribution(*row)


async def delete_contribution(session: WriteSession, contribution_id: UUID) -> bool:
    """Whether it was still there."""
    rows = goal_contributions
    gone = delete(rows).where(owned(rows), rows.c.id == bindparam("at_id")).returning(rows.c.id)
    return (await session.run(gone, at_id=contribution_id)).scalar_one_or_none() is not None


async def change_goal(session: WriteSession, goal_id: UUID, values: dict[str, Any]) -> None:
    goals = savings_goals
    await session.run(update(goals).where(owned(goals), goals.c.id == bindparam("at_id")).values(**values), at_id=goal_id)
