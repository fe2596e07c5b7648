"""Create, change and delete goals."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from db import idempotency
from db.budget import queries_goals as queries
from db.budget.queries import add_goal
from db.budget.queries_goals import LockedGoal
from db.engines import WriteSession
from domains.budget import rules
from domains.budget.errors import AmountInvalid, GoalLimitReached, GoalNotFound, GoalStatusInvalid
from domains.core.changes import UNSET, Unset
from domains.core.currencies import is_known
from domains.core.ids import new_id

CREATE = "goalCreate"
GOALS_AT_MOST = 100
#: What an owner may say of a goal; that it is achieved follows from what is saved.
_SAYABLE = ("active", "paused", "abandoned")


@dataclass(frozen=True, slots=True)
class CreateGoal:
    """A goal of `target_amount`, of which `opening_amount` is there already."""

    name: str
    target_amount: Decimal
    currency: str
    started_at: date
    opening_amount: Decimal = Decimal(0)
    target_date: date | None = None
    description: str | None = None
    color: str | None = None
    image_url: str | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True)
class UpdateGoal:
    """What to change; what is UNSET stays. The currency and what was there at the start always do."""

    goal_id: UUID
    name: str | Unset = UNSET
    target_amount: Decimal | Unset = UNSET
    target_date: date | Unset | None = UNSET
    status: str | Unset = UNSET
    description: str | Unset | None = UNSET
    color: str | Unset | None = UNSET
    image_url: str | Unset | None = UNSET
    priority: int | Unset = UNSET


async def create_goal(
    session: WriteSession, command: CreateGoal, idempotency_key: str, today: date, now: datetime, asked: Any = None
) -> UUID:
    """Store the goal once per idempotency key; answers its id. It is achieved from the start when its target is there already.

    today: the owner's. asked: what the client said, where the command holds defaults of the day.
    Errors: NameInvalid, AmountInvalid, GoalDatesInvalid, LooksInvalid; GoalLimitReached; KeyReused.
    """
    values = _checked(command, today)
    fingerprint = idempotency.fingerprint(command if asked is None else asked)
    answer = await idempotency.replay(session, CREATE, idempotency_key, fingerprint)
    if answer is not None:
        return UUID(answer["id"])
    if await queries.count_goals(session) >= GOALS_AT_MOST:
        raise GoalLimitReached
    goal_id = new_id()
    saved = rules.saved(opening=command.opening_amount, contributed=Decimal(0), target=command.target_amount, status="active")
    achieved_at = now if saved.status == "achieved" else None
    outcome = {"current_amount": saved.current, "status": saved.status, "achieved_at": achieved_at}
    await add_goal(session, {"id": goal_id, **values, **outcome})
    await idempotency.record(session, CREATE, idempotency_key, {"id": str(goal_id)})
    return goal_id


async def update_goal(session: WriteSession, command: UpdateGoal, now: datetime) -> UUID:
    """Change what is given; what is saved decides whether it is achieved. Errors: GoalNotFound, GoalStatusInvalid, those of create_goal."""
    goal = await queries.lock_goal(session, command.goal_id)
    if goal is None:
        raise GoalNotFound(field="id")
    values = _checked_changes(command, goal)
    if not values:
        return goal.id
    contributed, _ = await queries.sum_contributions(session, goal.id)
    target, status = values.get("target_amount", goal.target_amount), values.get("status", goal.status)
    saved = rules.saved(opening=goal.opening_amount, contributed=contributed, target=target, status=status)
    values["status"] = saved.status
    if saved.status != goal.status:
        values["achieved_at"] = now if saved.status == "achieved" else None
    await queries.change_goal(session, goal.id, values)
    return goal.id


async def delete_goal(session: WriteSession, goal_id: UUID, now: datetime) -> None:
    """Mark the goal deleted: it and its contributions answer like what never was. Errors: GoalNotFound."""
    if await queries.lock_goal(session, goal_id) is None:
        raise GoalNotFound(field="id")
    await queries.change_goal(session, goal_id, {"deleted_at": now})


def _checked(command: CreateGoal, today: date) -> dict[str, Any]:
    """The columns of a new goal."""
    if not is_known(command.currency):
        raise AmountInvalid("A currency is a code of ISO 4217, such as EUR.", field="currency")
    rules.check_target(command.target_amount, command.currency)
    rules.check_amount(command.opening_amount, command.currency, "openingAmount")
    rules.check_goal_dates(command.started_at, command.target_date, today)
    rules.check_goal_looks(command.description, command.color, command.image_url)
    return {**asdict(command), "name": rules.check_name(command.name)}


def _checked_changes(command: UpdateGoal, goal: LockedGoal) -> dict[str, Any]:
    """The columns that change, checked together with those that stay."""
    given = {name: value for name, value in asdict(command).items() if value is not UNSET and name != "goal_id"}
    if given.get("status", "active") not in _SAYABLE:
        raise GoalStatusInvalid(field="status")
    if "target_date" in given:
        rules.check_goal_dates(goal.started_at, given["target_date"], goal.started_at)
    if "target_amount" in given:
        rules.check_target(given["target_amount"], goal.currency)
    rules.check_goal_looks(given.get("description"), given.get("color"), given.get("image_url"))
    if "name" in given:
        given["name"] = rules.check_name(given["name"])
    return given
