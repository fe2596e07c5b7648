"""Create, change and delete budgets. Each change queues the refold that its caller runs after the commit."""

from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from db import idempotency, jobs
from db.budget import queries
from db.engines import SystemSession, WriteSession
from domains.budget import rules
from domains.budget.errors import AmountInvalid, BudgetLimitReached, BudgetNotFound, PeriodInvalid
from domains.budget.service.apply_fold import TOPIC
from domains.core.changes import UNSET, Unset
from domains.core.currencies import is_known
from domains.core.errors import AppError
from domains.core.ids import new_id

REFOLD = "budget.refold"
REFOLD_LEASE_S = 30.0
BUDGETS_AT_MOST = 200
CREATE = "budgetCreate"
#: What decides which periods a budget has.
_PERIODS = {"period", "start_date", "end_date"}


@dataclass(frozen=True, slots=True)
class CreateBudget:
    """A budget of `amount` per period for a category and its children. Without a currency or start: the user's, this month's first day."""

    name: str
    category: str
    amount: Decimal
    currency: str
    period: str
    start_date: date
    end_date: date | None = None
    notes: str | None = None
    color: str | None = None
    icon: str | None = None


@dataclass(frozen=True, slots=True)
class UpdateBudget:
    """What to change; what is UNSET stays."""

    budget_id: UUID
    name: str | Unset = UNSET
    category: str | Unset = UNSET
    amount: Decimal | Unset = UNSET
    period: str | Unset = UNSET
    start_date: date | Unset = UNSET
    end_date: date | Unset | None = UNSET
    notes: str | Unset | None = UNSET
    color: str | Unset | None = UNSET
    icon: str | Unset | None = UNSET


@dataclass(frozen=True, slots=True)
class Changed:
    """The budget, and its refold if the caller holds it; `old` and `new`: the columns that this call has changed."""

    budget_id: UUID
    refold: jobs.Claim | None
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)


async def create_budget(
    session: WriteSession, command: CreateBudget, idempotency_key: str, asked: Any = None, refusal: AppError | None = None
) -> Changed:
    """Store the budget once per idempotency key.

    refusal: why there cannot be such a budget now, by what other domains say; one that was made when there could is answered all the same.
    asked: what the client said, where the command holds defaults of the day: a retry after midnight is the same request.
    Errors: NameInvalid, AmountInvalid, CurrencyInvalid, PeriodInvalid, ...; BudgetLimitReached; KeyReused.
    """
    values = _checked(command)
    fingerprint = idempotency.fingerprint(command if asked is None else asked)
    answer = await idempotency.replay(session, CREATE, idempotency_key, fingerprint)
    if answer is not None:
        return Changed(UUID(answer["id"]), refold=None)
    if refusal is not None:
        raise refusal
    if await queries.count_budgets(session) >= BUDGETS_AT_MOST:
        raise BudgetLimitReached
    budget_id = new_id()
    await queries.add_budget(session, {"id": budget_id, **values})
    await idempotency.record(session, CREATE, idempotency_key, {"id": str(budget_id)})
    session.publish(TOPIC, budget_id, 1)
    return Changed(budget_id, await _refold(session), new={name: value for name, value in values.items() if value is not None})


async def update_budget(session: WriteSession, command: UpdateBudget) -> Changed:
    """Change what is given. Errors: BudgetNotFound, and those of create_budget for what is changed."""
    found = await queries.lock_budgets(session, [command.budget_id])
    if not found:
        raise BudgetNotFound(field="id")
    values = _checked_changes(command, found[0])
    if not values:
        return Changed(command.budget_id, refold=None)
    old = await queries.budget_values(session, command.budget_id, values)
    new = {name: value for name, value in values.items() if value != old[name]}
    if values.keys() & _PERIODS:
        values["closes_on"] = None  # it has other periods now
    version = await queries.change_budget(session, command.budget_id, values)
    session.publish(TOPIC, command.budget_id, version)
    return Changed(command.budget_id, await _refold(session), {name: old[name] for name in new}, new)


async def delete_budget(session: WriteSession, budget_id: UUID) -> dict[str, Any]:
    """Mark the budget deleted: no list shows it, and its id answers like one that never was. Answers what it was.

    Errors: BudgetNotFound.
    """
    if not await queries.lock_budgets(session, [budget_id]):
        raise BudgetNotFound(field="id")
    old = await queries.budget_values(session, budget_id, CreateBudget.__slots__)
    version = await queries.delete_budget(session, budget_id)
    session.publish(TOPIC, budget_id, version)
    return {name: value for name, value in old.items() if value is not None}


async def request_roll_over(session: SystemSession, day: date) -> int:
    """Queue a fold for everybody with a budget whose next period has begun by this day, wherever they live; answers how many.

    What the bank dated ahead is there already, and counts from the period's first day on.
    """
    users = await queries.list_users_between_periods(session, day, REFOLD)
    for user_id in users:
        await jobs.add(session, REFOLD, key=str(user_id), user_id=user_id)
    return len(users)


def _checked(command: CreateBudget) -> dict[str, Any]:
    """The columns of a new budget."""
    if command.period not in rules.PERIODS:
        raise PeriodInvalid(field="period")
    if not is_known(command.currency):
        raise AmountInvalid("A currency is a code of ISO 4217, such as EUR.", field="currency")
    rules.check_dates(command.start_date, command.end_date)
    rules.check_looks(command.notes, command.color, command.icon)
    values = asdict(command)
    return {**values, "name": rules.check_name(command.name), "amount": rules.check_amount(command.amount, command.currency)}


def _checked_changes(command: UpdateBudget, budget: queries.LockedBudget) -> dict[str, Any]:
    """The columns that change, checked together with those that stay."""
    given = {name: value for name, value in asdict(command).items() if value is not UNSET and name != "budget_id"}
    if "period" in given and given["period"] not in rules.PERIODS:
        raise PeriodInvalid(field="period")
    rules.check_dates(given.get("start_date", budget.start_date), given.get("end_date", budget.end_date))
    rules.check_looks(given.get("notes"), given.get("color"), given.get("icon"))
    if "name" in given:
        given["name"] = rules.check_name(given["name"])
    if "amount" in given:
        given["amount"] = rules.check_amount(given["amount"], budget.currency)
    return given


async def _refold(session: WriteSession) -> jobs.Claim | None:
    return await jobs.add_held(session, REFOLD, key=str(session.viewer.user_id), lease_s=REFOLD_LEASE_S)
