"""Tables of `budget_schema`: budgets, what is and was used of them per period, savings goals and contributions to them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Computed,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from db.base import (
    CATEGORY,
    COLOR,
    CURRENCY,
    INSTANT,
    MAPPER,
    MONEY,
    SUM,
    counter,
    created_at,
    deleted_once,
    flag,
    instant,
    is_currency,
    metadata_of,
    money,
    money_zero,
    not_negative,
    one_of,
    optional_money,
    optional_sum,
    sum_zero,
    table_of,
    updated_at,
    uuid_pk,
    version_number,
    word,
)

PERIODS: Final = ("weekly", "biweekly", "monthly", "quarterly", "yearly")
ROLLOVER_MODES: Final = ("NONE", "SURPLUS", "FULL", "CAPPED")


class Base(DeclarativeBase):
    metadata = metadata_of("budget")
    __mapper_args__ = MAPPER


class Budget(Base):
    """What a user allows for a category per period.

    `version` goes up by one with every change that clients see and is never reset; `folded_ledger_version` is the version of the
    user's ledger that the utilisation was last folded from: an older fold must not overwrite a newer one.
    """

    __tablename__ = "budgets"
    __table_args__ = (
        *not_negative("amount"),
        is_currency(),
        one_of("period", *PERIODS),
        one_of("rollover_mode", *ROLLOVER_MODES),
        CheckConstraint("rollover_mode <> 'CAPPED' or rollover_cap >= 0 and rollover_cap is not null", name="capped_has_cap"),
        one_of("status", "active", "paused", "completed", "deleted"),
        deleted_once(),
        CheckConstraint("end_date is null or end_date >= start_date", name="ends_after_start"),
        UniqueConstraint("id", "user_id"),
        Index("ix_budgets_user_id", "user_id", "created_at", "id", postgresql_where=text("deleted_at is null")),
        Index("ix_budgets_closes_on", "closes_on", postgresql_where=text("deleted_at is null")),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    name: Mapped[str | None] = mapped_column(String(255))
    category: Mapped[str] = mapped_column(CATEGORY)
    amount: Mapped[Decimal] = money()
    currency: Mapped[str] = mapped_column(CURRENCY)

    period: Mapped[str] = word(20, "monthly")
    start_date: Mapped[date] = mapped_column(Date)
    end_date: Mapped[date | None] = mapped_column(Date)

    rollover: Mapped[bool] = mapped_column(Boolean, Computed("rollover_mode <> 'NONE'", persisted=True))
    rollover_mode: Mapped[str] = word(20, "NONE")
    rollover_cap: Mapped[Decimal | None] = optional_money()
    rollover_amount: Mapped[Decimal] = money_zero()

    alert_enabled: Mapped[bool] = flag(default=True)
    alert_thresholds: Mapped[list[Decimal]] = mapped_column(ARRAY(Numeric), server_default=text("array[0.8, 1.0, 1.2]"))
    last_alert_sent_at: Mapped[datetime | None] = instant()
    last_alert_threshold: Mapped[Decimal | None] = mapped_column(Numeric)

    status: Mapped[str] = word(20, "active")
    version: Mapped[int] = version_number()
    folded_ledger_version: Mapped[int] = version_number()
    folded_at: Mapped[datetime | None] = mapped_column(INSTANT, comment="the instant whose day the last fold took for today")
    closes_on: Mapped[date | None] = mapped_column(
        Date,
        comment="the first day on which another period of it can be closed; NULL: nobody has looked since it was made or redefined",
    )
    notes: Mapped[str | None] = mapped_column(Text)
    color: Mapped[str | None] = mapped_column(COLOR)
    icon: Mapped[str | None] = mapped_column(String(50))
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()
    deleted_at: Mapped[datetime | None] = instant()

    utilizations: Mapped[list["BudgetUtilization"]] = relationship(back_populates="budget", lazy="raise", viewonly=True)


class BudgetUtilization(Base):
    """What has been used of a budget in one period, half open: from `period_start` until before `period_end`.

    A fold of the user's transactions, in the budget's currency; `unconverted` holds what it could not add: {currency: amount as text}.
    """

    __tablename__ = "budget_utilization"
    __table_args__ = (
        UniqueConstraint("budget_id", "period_start"),
        CheckConstraint("period_end > period_start", name="period_not_empty"),
        is_currency(),
        *not_negative("transaction_count"),
        Index("uq_budget_utilization_current", "budget_id", unique=True, postgresql_where=text("is_current")),
    )

    id: Mapped[UUID] = uuid_pk()
    budget_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey(Budget.id, ondelete="CASCADE"))
    currency: Mapped[str] = mapped_column(CURRENCY)
    period_start: Mapped[date] = mapped_column(Date)
    period_end: Mapped[date] = mapped_column(Date)

    amount_spent: Mapped[Decimal] = sum_zero()
    amount_pending: Mapped[Decimal] = sum_zero()
    amount_remaining: Mapped[Decimal | None] = optional_sum()
    percentage_used: Mapped[Decimal | None] = mapped_column(Numeric, comment="NULL when the budget allows nothing")
    unconverted: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))

    transaction_count: Mapped[int] = counter()
    last_transaction_at: Mapped[datetime | None] = instant()
    daily_average: Mapped[Decimal | None] = optional_sum()
    projected_end_amount: Mapped[Decimal | None] = optional_sum()

    is_exceeded: Mapped[bool] = flag()
    is_current: Mapped[bool] = flag(default=True)
    ledger_version: Mapped[int] = version_number()
    last_updated: Mapped[datetime] = mapped_column(INSTANT, server_default=text("now()"))
    created_at: Mapped[datetime] = created_at()

    budget: Mapped[Budget] = relationship(back_populates="utilizations", lazy="raise", viewonly=True)


class BudgetHistory(Base):
    """What a budget came to in a period that is over, half open: from `period_start` until before `period_end`.

    `category`, `budget_amount` and the period are those that the budget had then; the sums are a fold of the user's transactions, in
    `currency`. Once `is_frozen` the row is what is left of them, and no fold changes it.
    """

    __tablename__ = "budget_history"
    __table_args__ = (
        UniqueConstraint("budget_id", "period_start"),
        ForeignKeyConstraint(["budget_id", "user_id"], [Budget.id, Budget.user_id], ondelete="CASCADE"),
        CheckConstraint("period_end > period_start", name="period_not_empty"),
        is_currency(),
        *not_negative("budget_amount", "transaction_count"),
        Index("ix_budget_history_user_id_period_start", "user_id", "period_start", "id"),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    budget_id: Mapped[UUID] = mapped_column(Uuid)
    category: Mapped[str] = mapped_column(CATEGORY)
    currency: Mapped[str] = mapped_column(CURRENCY)
    period_start: Mapped[date] = mapped_column(Date)
    period_end: Mapped[date] = mapped_column(Date)

    budget_amount: Mapped[Decimal] = money()
    amount_spent: Mapped[Decimal] = mapped_column(SUM)
    amount_remaining: Mapped[Decimal | None] = optional_sum()
    percentage_used: Mapped[Decimal | None] = mapped_column(Numeric, comment="NULL when the budget allowed nothing")
    unconverted: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    was_exceeded: Mapped[bool] = flag()
    transaction_count: Mapped[int] = counter()

    is_frozen: Mapped[bool] = mapped_column(
        Boolean, server_default=text("false"), comment="its transactions may be gone: nothing folds it again"
    )
    ledger_version: Mapped[int] = version_number()
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()


class SavingsGoal(Base):
    """What a user saves towards. `current_amount` is a fold: the opening amount and all contributions."""

    __tablename__ = "savings_goals"
    __table_args__ = (
        *not_negative("target_amount", "current_amount", "opening_amount"),
        is_currency(),
        UniqueConstraint("id", "user_id"),
        one_of("status", "active", "achieved", "abandoned", "paused"),
        Index("ix_savings_goals_user_id", "user_id", "created_at", "id", postgresql_where=text("deleted_at is null")),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    target_amount: Mapped[Decimal] = money()
    current_amount: Mapped[Decimal] = money_zero()
    opening_amount: Mapped[Decimal] = mapped_column(MONEY, server_default=text("0"), comment="what was saved before the first contribution")
    currency: Mapped[str] = mapped_column(CURRENCY)

    target_date: Mapped[date | None] = mapped_column(Date)
    started_at: Mapped[date] = mapped_column(Date, server_default=text("current_date"))
    percentage_complete: Mapped[Decimal] = mapped_column(Numeric, server_default=text("0"))
    months_remaining: Mapped[int | None] = mapped_column(Integer)
    required_monthly_contribution: Mapped[Decimal | None] = optional_money()

    status: Mapped[str] = word(20, "active")
    achieved_at: Mapped[datetime | None] = instant()
    image_url: Mapped[str | None] = mapped_column(Text)
    color: Mapped[str | None] = mapped_column(COLOR)
    priority: Mapped[int] = counter()
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()
    deleted_at: Mapped[datetime | None] = instant()


class GoalContribution(Base):
    """What was put aside for a goal on a day, or, below zero, taken out of it; in the goal's currency."""

    __tablename__ = "goal_contributions"
    __table_args__ = (
        ForeignKeyConstraint(["goal_id", "user_id"], [SavingsGoal.id, SavingsGoal.user_id], ondelete="CASCADE"),
        CheckConstraint("amount <> 0", name="amount_moves"),
        is_currency(),
        Index("ix_goal_contributions_user_id_goal_id", "user_id", "goal_id", "contribution_date", "id", postgresql_include=["amount"]),
        Index("ix_goal_contributions_user_id_contribution_date", "user_id", "contribution_date", "id"),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    goal_id: Mapped[UUID] = mapped_column(Uuid)
    amount: Mapped[Decimal] = mapped_column(MONEY, comment="negative: taken out")
    currency: Mapped[str] = mapped_column(CURRENCY)
    contribution_date: Mapped[date] = mapped_column(Date, server_default=text("current_date"))
    notes: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = created_at()


budgets = table_of(Budget)
budget_utilization = table_of(BudgetUtilization)
budget_history = table_of(BudgetHistory)
savings_goals = table_of(SavingsGoal)
goal_contributions = table_of(GoalContribution)
