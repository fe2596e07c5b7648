"""Every statement of the budget domain."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    Integer,
    Numeric,
    Select,
    String,
    Table,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from db.base import INSTANT, jobs_table
from db.budget.models import budget_utilization, budgets, savings_goals
from db.engines import SystemSession, WriteSession
from db.jobs import is_live
from db.statements import Columns, as_arrays, compiled, given_rows, is_one_of, leaf, owned, read_columns

# Reads for clients


def _live(table: Any) -> Any:
    return and_(owned(table), table.c.deleted_at.is_(None))


@compiled
def budgets_by_id(columns: Columns) -> Select[Any]:
    return select(*read_columns(budgets, columns, budgets.c.id)).where(_live(budgets), is_one_of(budgets.c.id))


@compiled
def budgets_by_user(columns: Columns, *, with_status: bool = False) -> Select[Any]:
    """Oldest first; with a status only those in it, bound as `status`."""
    order = (budgets.c.created_at, budgets.c.id)
    wanted = [_live(budgets), is_one_of(budgets.c.user_id), *_in_status(budgets, given=with_status)]
    return select(*read_columns(budgets, columns, budgets.c.user_id)).where(*wanted).order_by(*order)


def _in_status(table: Table, *, given: bool) -> list[ColumnElement[bool]]:
    return [table.c.status == bindparam("status", type_=String)] if given else []


@compiled
def latest_utilization() -> Select[Any]:
    """Per budget id, the period that was folded last, beside what decides whether it still is the current one.

    Not the one that began last: a budget that has become monthly leaves a stored week that began later. `is_settled`: whether what
    remains was folded from the amount that the budget has now.
    """
    used = budget_utilization
    definition = [budgets.c[name] for name in ("period", "start_date", "end_date", "currency", "version")]
    figures = ["period_start", "period_end", "amount_spent", "amount_pending", "amount_remaining", "percentage_used"]
    counted = ["unconverted", "transaction_count", "is_exceeded", "last_transaction_at", "last_updated"]
    return (
        select(
            leaf(budgets.c.id).label("key"),
            *definition,
            leaf(budgets.c.amount).label("amount"),
            *(leaf(used.c[name]).label(name) for name in [*figures, *counted]),
            (used.c.amount_remaining == budgets.c.amount - used.c.amount_spent).label("is_settled"),
        )
        .select_from(budgets.outerjoin(used, and_(used.c.budget_id == budgets.c.id, used.c.is_current)))
        .where(_live(budgets), is_one_of(budgets.c.id))
    )


@compiled
def goals_by_id(columns: Columns) -> Select[Any]:
    return select(*read_columns(savings_goals, columns, savings_goals.c.id)).where(_live(savings_goals), is_one_of(savings_goals.c.id))


@compiled
def goals_by_user(columns: Columns, *, with_status: bool = False) -> Select[Any]:
    """By priority, then oldest first; with a status only those in it, bound as `status`."""
    goals = savings_goals
    order = (goals.c.priority, goals.c.created_at, goals.c.id)
    wanted = [_live(goals), is_one_of(goals.c.user_id), *_in_status(goals, given=with_status)]
    return select(*read_columns(goals, columns, goals.c.user_id)).where(*wanted).order_by(*order)


@compiled
def budgets_ever() -> Select[Any]:
    """How many budgets the viewer has made, deleted ones included."""
    return select(func.count()).select_from(budgets).where(owned(budgets))


@compiled
def budgets_to_fold() -> Select[Any]:
    """The definitions that decide what is summed for each live budget: (id, category, period, start_date, end_date, currency)."""
    return select(*(budgets.c[name] for name in Definition._fields)).where(_live(budgets)).order_by(budgets.c.id)


# Upkeep


async def list_users_between_periods(session: SystemSession, day: date, topic: str, *, limit: int = 1_000) -> list[UUID]:
    """Whose budgets have, by this day, no stored period that holds it though there is one: it began, and nobody has folded since.

    Those for whom a job of this topic waits or runs are left out.
    """
    used, jobs = budget_utilization.c, jobs_table(session.domain)
    begun = and_(used.budget_id.is_(None), budgets.c.start_date <= day)
    rolled = and_(used.period_end <= day, or_(budgets.c.end_date.is_(None), budgets.c.end_date >= used.period_end))
    asked = select(literal(1)).where(jobs.c.topic == topic, jobs.c.key == cast(budgets.c.user_id, String), is_live(jobs)).exists()
    current = budgets.outerjoin(budget_utilization, and_(used.budget_id == budgets.c.id, used.is_current))
    statement = select(budgets.c.user_id).distinct().select_from(current).where(budgets.c.deleted_at.is_(None), or_(begun, rolled), ~asked)
    return list((await session.execute(statement.limit(limit))).scalars())


# Changes


class Definition(NamedTuple):
    """What decides which transactions a budget counts."""

    id: UUID
    category: str
    period: str
    start_date: date
    end_date: date | None
    currency: str


class LockedBudget(NamedTuple):
    id: UUID
    category: str
    period: str
    start_date: date
    end_date: date | None
    currency: str
    amount: Decimal
    version: int
    folded_ledger_version: int
    folded_at: datetime | None

    @property
    def definition(self) -> Definition:
        return Definition(*self[:6])


class Utilization(NamedTuple):
    """A stored period of a budget."""

    budget_id: UUID
    period_start: date
    period_end: date
    currency: str
    amount_spent: Decimal
    amount_pending: Decimal
    amount_remaining: Decimal
    percentage_used: Decimal | None
    unconverted: dict[str, str]
    transaction_count: int
    last_transaction_at: datetime | None
    daily_average: Decimal | None
    projected_end_amount: Decimal | None
    is_exceeded: bool
    is_current: bool
    ledger_version: int


async def count_budgets(session: WriteSession) -> int:
    """The viewer's live budgets, counted one writer at a time."""
    key = f"budgets:{session.viewer.user_id}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    return int((await session.run(select(func.count()).select_from(budgets).where(_live(budgets)))).scalar_one())


async def add_budget(session: WriteSession, values: dict[str, Any]) -> None:
    await session.execute(insert(budgets).values(user_id=session.viewer.user_id, version=1, **values))


async def add_goal(session: WriteSession, values: dict[str, Any]) -> bool:
    """Store a goal under an id of the caller's; False when it is there. Without contributions, its opening amount is all that is saved."""
    given = {"opening_amount": values.get("current_amount", 0), **values}
    row = upsert(savings_goals).values(user_id=session.viewer.user_id, **given).on_conflict_do_nothing()
    return (await session.execute(row.returning(savings_goals.c.id))).scalar_one_or_none() is not None


async def lock_budgets(session: WriteSession, ids: Sequence[UUID]) -> list[LockedBudget]:
    """The live ones among these, locked in the order of their ids, so that two writers cannot wait for each other."""
    statement = select(*(budgets.c[name] for name in LockedBudget._fields)).where(_live(budgets), is_one_of(budgets.c.id))
    found = await session.run(statement.order_by(budgets.c.id).with_for_update(), keys=list(ids))
    return [LockedBudget(*row) for row in found]


async def budget_values(session: WriteSession, budget_id: UUID, names: Iterable[str]) -> dict[str, Any]:
    """What these columns of a budget hold, by name; all of it null for one that is not there."""
    columns = [budgets.c[name] for name in names]
    found = (await session.run(select(*columns).where(_live(budgets), budgets.c.id == bindparam("id")), id=budget_id)).one_or_none()
    return dict.fromkeys(column.name for column in columns) if found is None else dict(found._mapping)


async def change_budget(session: WriteSession, budget_id: UUID, values: dict[str, Any]) -> int:
    """Write the values and answer the budget's new version."""
    statement = update(budgets).where(owned(budgets), budgets.c.id == bindparam("at_id"))
    changed = await session.run(statement.values(**values, version=budgets.c.version + 1).returning(budgets.c.version), at_id=budget_id)
    return int(changed.scalar_one())


async def delete_budget(session: WriteSession, budget_id: UUID) -> int:
    """Mark the budget deleted and answer its last version."""
    return await change_budget(session, budget_id, {"status": "deleted", "deleted_at": func.now()})


async def current_periods(session: WriteSession, ids: Sequence[UUID]) -> list[tuple[UUID, date, date]]:
    """The period that was folded last of each of these: (budget, first day, day after the last)."""
    used = budget_utilization
    mine = used.join(budgets, and_(budgets.c.id == used.c.budget_id, owned(budgets)))
    statement = select(used.c.budget_id, used.c.period_start, used.c.period_end).select_from(mine)
    found = await session.run(statement.where(is_one_of(used.c.budget_id), used.c.is_current), keys=list(ids))
    return [tuple(row) for row in found]


async def utilization_of(session: WriteSession, places: Sequence[tuple[UUID, date]]) -> dict[UUID, Utilization]:
    """What is stored for these (budget, first day of the period), by budget."""
    used = budget_utilization
    given = given_rows({"budget_id": Uuid, "period_start": Date})
    same = and_(used.c.budget_id == given.c.budget_id, used.c.period_start == given.c.period_start)
    mine = given.join(used, same).join(budgets, and_(budgets.c.id == used.c.budget_id, owned(budgets)))
    found = await session.run(
        select(*(used.c[name] for name in Utilization._fields)).select_from(mine),
        budget_id_s=[budget for budget, _ in places],
        period_start_s=[start for _, start in places],
    )
    return {row.budget_id: Utilization(*row) for row in found}


_STORED: dict[str, Any] = {
    "budget_id": Uuid,
    "period_start": Date,
    "period_end": Date,
    "currency": String,
    "amount_spent": Numeric,
    "amount_pending": Numeric,
    "amount_remaining": Numeric,
    "percentage_used": Numeric,
    "unconverted": Text,
    "transaction_count": Integer,
    "last_transaction_at": INSTANT,
    "daily_average": Numeric,
    "projected_end_amount": Numeric,
    "is_exceeded": Boolean,
    "ledger_version": BigInteger,
}


async def store_utilization(session: WriteSession, rows: Sequence[dict[str, Any]]) -> None:
    """Store these as the current periods of their budgets; `unconverted` as JSON text."""
    used = budget_utilization
    ended = used.c.is_current & (used.c.budget_id == any_(bindparam("budget_id_s", type_=ARRAY(Uuid))))
    values = as_arrays(rows, _STORED)
    await session.execute(update(used).where(ended).values(is_current=False), {"budget_id_s": values["budget_id_s"]})
    given = given_rows(_STORED)
    mine = given.join(budgets, and_(budgets.c.id == given.c.budget_id, owned(budgets)))
    taken = [cast(given.c[name], JSONB) if name == "unconverted" else given.c[name] for name in _STORED]
    row = upsert(used).from_select([*_STORED, "is_current"], select(*taken, true()).select_from(mine))
    kept = {name: row.excluded[name] for name in _STORED if name not in ("budget_id", "period_start")}
    stored = row.on_conflict_do_update(
        index_elements=["budget_id", "period_start"], set_={**kept, "is_current": True, "last_updated": func.now()}
    )
    await session.run(stored, **values)


async def record_fold(
    session: WriteSession, folded: Sequence[UUID], changed: Sequence[UUID], ledger_version: int, at: datetime
) -> dict[UUID, int]:
    """Note from which ledger version and on which day these were folded; those that changed get, and answer, their next version."""
    is_changed = budgets.c.id == any_(bindparam("changed", type_=ARRAY(Uuid)))
    statement = (
        update(budgets)
        .where(owned(budgets), is_one_of(budgets.c.id), or_(is_changed, budgets.c.folded_ledger_version != ledger_version))
        .values(
            folded_ledger_version=ledger_version,
            folded_at=func.greatest(budgets.c.folded_at, at),
            version=budgets.c.version + cast(is_changed, Integer),
        )
        .returning(budgets.c.id, budgets.c.version)
    )
    wanted = set(changed)
    rows = await session.run(statement, keys=list(folded), changed=list(changed))
    return {budget_id: version for budget_id, version in rows if budget_id in wanted}
