"""Put aside for a goal, and take out again. What is saved is a fold of the contributions, made under the goal's lock."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from db import idempotency
from db.budget import queries_goals as queries
from db.budget.queries_goals import LockedGoal
from db.engines import WriteSession
from domains.budget import rules
from domains.budget.errors import ContributionLimitReached, ContributionNotFound, GoalNotFound
from domains.core.ids import new_id

CREATE = "goalContributionCreate"
CONTRIBUTIONS_AT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Contribute:
    """Put `amount` aside, in the goal's currency; below zero it is taken out."""

    goal_id: UUID
    amount: Decimal
    contributed_on: date
    notes: str | None = None


async def create_contribution(
    session: WriteSession, command: Contribute, idempotency_key: str, today: date, now: datetime, asked: Any = None
) -> UUID:
    """Store the contribution once per idempotency key; answers its id.

    today: the owner's. asked: what the client said, where the command holds defaults of the day.
    Effects: the goal holds what its contributions come to; it is achieved when that is its target, and active again below it.
    Errors:  AmountInvalid, ContributionDateInvalid, LooksInvalid; GoalNotFound; GoalOverdrawn; ContributionLimitReached; KeyReused.
    """
    rules.check_contribution_date(command.contributed_on, today)
    rules.check_looks(command.notes, None, None)
    fingerprint = idempotency.fingerprint(command if asked is None else asked)
    answer = await idempotency.replay(session, CREATE, idempotency_key, fingerprint)
    if answer is not None:
        return UUID(answer["id"])
    goal = await queries.lock_goal(session, command.goal_id)
    if goal is None:
        raise GoalNotFound(field="goalId")
    amount = rules.check_contribution(command.amount, goal.currency)
    contribution_id = new_id()
    row = {"goal_id": goal.id, "amount": amount, "currency": goal.currency, "contribution_date": command.contributed_on}
    await queries.add_contribution(session, {"id": contribution_id, "notes": command.notes, **row})
    if await _refold(session, goal, now) > CONTRIBUTIONS_AT_MOST:
        raise ContributionLimitReached(field="goalId")
    await idempotency.record(session, CREATE, idempotency_key, {"id": str(contribution_id)})
    return contribution_id


async def delete_contribution(session: WriteSession, contribution_id: UUID, now: datetime) -> UUID:
    """Undo a contribution; answers its goal's id. Errors: ContributionNotFound; GoalOverdrawn when more has been taken out since."""
    found = await queries.find_contribution(session, contribution_id)
    goal = None if found is None else await queries.lock_goal(session, found.goal_id)
    if goal is None or not await queries.delete_contribution(session, contribution_id):
        raise ContributionNotFound(field="id")
    await _refold(session, goal, now, field="id")
    return goal.id


async def _refold(session: WriteSession, goal: LockedGoal, now: datetime, field: str = "amount") -> int:
    """Make the goal equal to its contributions; answers how many they are."""
    contributed, count = await queries.sum_contributions(session, goal.id)
    saved = rules.saved(opening=goal.opening_amount, contributed=contributed, target=goal.target_amount, status=goal.status, field=field)
    values: dict[str, Any] = {"current_amount": saved.current}
    if saved.status != goal.status:
        values |= {"status": saved.status, "achieved_at": now if saved.status == "achieved" else None}
    await queries.change_goal(session, goal.id, values)
    return count
