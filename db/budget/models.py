"""Tables of `budget_schema`: budgets, what has been used of them per period, savings goals."""

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
        Index("ix_budgets_user_id", "user_id", "created_at", "id", postgresql_where=text("deleted_at is null")),
        Index("ix_budgets_user_id_category", "user_id", "category", postgresql_where=text("status = 'active'")),
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


class SavingsGoal(Base):
    """What a user saves towards."""

    __tablename__ = "savings_goals"
    __table_args__ = (
        *not_negative("target_amount", "current_amount"),
        is_currency(),
        one_of("status", "active", "achieved", "abandoned", "paused"),
        Index("ix_savings_goals_user_id", "user_id", "created_at", "id", postgresql_where=text("deleted_at is null")),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    target_amount: Mapped[Decimal] = money()
    current_amount: Mapped[Decimal] = money_zero()
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


budgets = table_of(Budget)
budget_utilization = table_of(BudgetUtilization)
savings_goals = table_of(SavingsGoal)
