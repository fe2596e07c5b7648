"""Tables of `transaction_schema`: the transactions, the way to them, the categories, the monthly sums.

`transactions` has no row security (TimescaleDB refuses it on compressed chunks, and it would cost every text index); the application's
role has no right on it and goes through the view `own_transactions`, which shows and takes the viewer's rows only.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Computed,
    Date,
    FetchedValue,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.base import (
    CATEGORY,
    COLOR,
    CONFIDENCE,
    CURRENCY,
    INSTANT,
    MAPPER,
    MONEY,
    counter,
    created_at,
    flag,
    is_currency,
    json_object,
    metadata_of,
    money,
    not_negative,
    one_of,
    share,
    sum_zero,
    table_of,
    updated_at,
    uuid_pk,
    version_number,
    word,
)

DIRECTIONS: Final = ("debit", "credit")
STATUSES: Final = ("pending", "posted", "cancelled")
CATEGORY_TYPES: Final = ("expense", "income", "transfer")
REVIEW_KINDS: Final = ("posting", "removal", "transfer", "duplicate")
REVIEW_STATES: Final = ("suggested", "applied", "rejected")
FREQUENCIES: Final = ("weekly", "biweekly", "monthly", "quarterly", "yearly")


def text_search(table: FromClause) -> ColumnElement[Any]:
    """What text search looks into; written as the index has it, or the index would not be used. Words as they are, no language."""
    words = func.coalesce(table.c.description, literal_column("''")) + literal_column("' '")
    return func.to_tsvector(literal_column("'simple'::regconfig"), words + func.coalesce(table.c.merchant_name, literal_column("''")))


class Base(DeclarativeBase):
    metadata = metadata_of("transaction")
    __mapper_args__ = MAPPER


class Transaction(Base):
    """A movement on an account: `amount` is never negative, `direction` says which way. Partitioned by the year of `transaction_date`.

    The id is unique by way of `transaction_keys`, which also gives the date that a statement about one transaction must carry.
    A date that changes is a delete and an insert with the same id.

    `provenance` tells by field what is not as a rule: that the bank says what a bank says, and categorisation the category
    (`domains.transaction.provenance`). `transfer_id`: the review that pairs it with what its money became on another own account.
    """

    __tablename__ = "transactions"

    id: Mapped[UUID] = uuid_pk()
    transaction_date: Mapped[date] = mapped_column(Date, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Uuid)
    account_id: Mapped[UUID] = mapped_column(Uuid)
    provider: Mapped[str] = mapped_column(String(50))
    provider_transaction_id: Mapped[str] = mapped_column(String(255))

    amount: Mapped[Decimal] = money()
    currency: Mapped[str] = word(3, "USD")
    direction: Mapped[str] = mapped_column(String(10))
    merchant_name: Mapped[str | None] = mapped_column(String(255))
    merchant_logo_url: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    original_description: Mapped[str | None] = mapped_column(Text)

    category: Mapped[str | None] = mapped_column(CATEGORY)
    category_detailed: Mapped[str | None] = mapped_column(CATEGORY)
    category_confidence: Mapped[Decimal | None] = mapped_column(CONFIDENCE)
    user_category: Mapped[str | None] = mapped_column(CATEGORY)
    category_method: Mapped[str] = word(50, "auto")
    effective_category: Mapped[str | None] = mapped_column(
        CATEGORY, Computed("coalesce(user_category, category_detailed, category)", persisted=True)
    )

    location_address: Mapped[str | None] = mapped_column(String(500))
    location_city: Mapped[str | None] = mapped_column(String(100))
    location_region: Mapped[str | None] = mapped_column(String(100))
    location_postal_code: Mapped[str | None] = mapped_column(String(20))
    location_country: Mapped[str | None] = mapped_column(String(2))
    location_lat: Mapped[Decimal | None] = mapped_column(Numeric(10, 8))
    location_lon: Mapped[Decimal | None] = mapped_column(Numeric(11, 8))

    authorized_date: Mapped[date | None] = mapped_column(Date)
    posted_date: Mapped[date | None] = mapped_column(Date)
    status: Mapped[str] = word(50, "posted")
    is_pending: Mapped[bool] = mapped_column(Boolean, Computed("status = 'pending'", persisted=True))

    is_duplicate: Mapped[bool] = flag()
    duplicate_of: Mapped[UUID | None] = mapped_column(Uuid)
    is_recurring: Mapped[bool] = flag()
    recurring_series_id: Mapped[UUID | None] = mapped_column(Uuid)

    notes: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'::text[]"))
    metadata_: Mapped[dict[str, Any]] = json_object("metadata")
    payment_meta: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()
    provenance: Mapped[dict[str, Any]] = json_object()
    transfer_id: Mapped[UUID | None] = mapped_column(Uuid)

    __table_args__ = (
        *not_negative("amount"),
        is_currency(),
        one_of("direction", *DIRECTIONS),
        one_of("status", *STATUSES),
        one_of("category_method", "auto", "user", "rule"),
        share("category_confidence"),
        {"postgresql_partition_by": "RANGE (transaction_date)"},
    )


class TransactionKey(Base):
    """A provider's name for a transaction, and where the transaction is. Older names (of a pending one that has posted) stay as aliases.

    `fingerprint` digests what the provider said, so that a row that has not changed is recognised without looking at the transaction;
    empty: whatever it says is news. Of a transaction that its owner deleted the names stay, so that it does not return.
    """

    __tablename__ = "transaction_keys"
    __table_args__ = (
        Index("ix_transaction_keys_transaction_id", "transaction_id"),
        Index("ix_transaction_keys_deleted", "user_id", "account_id", postgresql_where=text("deleted_at is not null")),
        CheckConstraint("likeness is null or deleted_at is not null", name="only_the_deleted_are_likened"),
    )

    user_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    provider_transaction_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    transaction_id: Mapped[UUID] = mapped_column(Uuid)
    transaction_date: Mapped[date] = mapped_column(Date)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    is_alias: Mapped[bool] = flag()
    deleted_at: Mapped[datetime | None] = mapped_column(
        INSTANT, comment="when the user deleted it: the transaction is gone and stays so, whatever the bank says"
    )
    likeness: Mapped[bytes | None] = mapped_column(LargeBinary, comment="of a deleted one: a digest of what it was")


class DeletedTransaction(Base):
    """A transaction that its owner deleted, with its id, until it is gone for good."""

    __tablename__ = "deleted_transactions"
    __table_args__ = (Index("ix_deleted_transactions_user_id", "user_id", text("deleted_at desc"), text("id desc")),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Uuid)
    account_id: Mapped[UUID] = mapped_column(Uuid)
    transaction_date: Mapped[date] = mapped_column(Date)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB, comment="the row as it was, by column")
    offered: Mapped[dict[str, Any] | None] = mapped_column(JSONB, comment="what the bank has said of it since; NULL: nothing new")
    deleted_at: Mapped[datetime] = created_at()


class TransactionReview(Base):
    """What is in doubt, or was decided, of one transaction or of two: nothing doubtful is done to them before their owner says so.

    A pair that was rejected stays rejected.
    """

    __tablename__ = "transaction_reviews"
    __table_args__ = (
        UniqueConstraint(
            "user_id", "kind", "transaction_id", "other_id", name="uq_transaction_reviews_pair", postgresql_nulls_not_distinct=True
        ),
        one_of("kind", *REVIEW_KINDS),
        one_of("state", *REVIEW_STATES),
        one_of("decided_by", "auto", "user"),
        share("score"),
        CheckConstraint("(state = 'suggested') = (decided_by is null)", name="decided_by_somebody"),
        CheckConstraint("(decided_by is null) = (decided_at is null)", name="decided_once"),
        CheckConstraint("(other_id is null) = (other_date is null)", name="other_is_whole"),
        CheckConstraint("(kind = 'removal') = (other_id is null)", name="removal_is_of_one"),
        CheckConstraint("other_id <> transaction_id", name="of_two"),
        Index("ix_transaction_reviews_state", "user_id", "state", text("created_at desc"), text("id desc")),
        Index("ix_transaction_reviews_transaction_id", "user_id", "transaction_id"),
        Index("ix_transaction_reviews_other_id", "user_id", "other_id", postgresql_where=text("other_id is not null")),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = word(20, "suggested")
    decided_by: Mapped[str | None] = mapped_column(String(10))
    transaction_id: Mapped[UUID] = mapped_column(
        Uuid, comment="posting: the pending one; removal: what the bank removed; transfer: the debit; duplicate: the one that is too many"
    )
    transaction_date: Mapped[date] = mapped_column(Date)
    other_id: Mapped[UUID | None] = mapped_column(Uuid, comment="posting: the posted one; transfer: the credit; duplicate: the original")
    other_date: Mapped[date | None] = mapped_column(Date)
    score: Mapped[Decimal | None] = mapped_column(CONFIDENCE)
    created_at: Mapped[datetime] = created_at()
    decided_at: Mapped[datetime | None] = mapped_column(INSTANT)
    reasons: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("'{}'::text[]"), comment="what was taken off the score, by name"
    )


class ExchangeRate(Base):
    """Reference data: how many of a currency one euro was on a day. Days on which nobody said have none."""

    __tablename__ = "exchange_rates"
    __table_args__ = (
        is_currency(),
        CheckConstraint("currency <> 'EUR'", name="not_of_the_euro"),
        CheckConstraint("per_eur > 0", name="per_eur_positive"),
    )

    currency: Mapped[str] = mapped_column(CURRENCY, primary_key=True)
    on_date: Mapped[date] = mapped_column(Date, primary_key=True)
    per_eur: Mapped[Decimal] = mapped_column(Numeric(20, 8), comment="how many of it one euro was on that day")


class Category(Base):
    """Reference data: what money is spent on and comes from. Ids are those of Plaid's personal-finance categories."""

    __tablename__ = "categories"
    __table_args__ = (
        one_of("type", *CATEGORY_TYPES),
        CheckConstraint("color ~ '^#[0-9a-f]{6}$'", name="color_hex"),
        CheckConstraint("parent_id <> id", name="not_its_own_parent"),
        Index("ix_categories_parent_id", "parent_id"),
    )

    id: Mapped[str] = mapped_column(CATEGORY, primary_key=True)
    parent_id: Mapped[str | None] = mapped_column(CATEGORY, ForeignKey("transaction_schema.categories.id"))
    name: Mapped[str] = mapped_column(String(100))
    display_name: Mapped[str] = mapped_column(String(100))
    icon: Mapped[str | None] = mapped_column(String(50))
    color: Mapped[str | None] = mapped_column(COLOR)
    type: Mapped[str] = word(20, "expense")
    is_default: Mapped[bool] = flag(default=True)
    sort_order: Mapped[int] = counter()
    created_at: Mapped[datetime] = created_at()


class UserCategory(Base):
    """What a user made of the categories: another look for a default one, or a category of their own.

    An override holds what differs, NULL for what does not. A category of one's own has a type and a name, and is called by its row:
    `category_id` is the row's id as text, which no default is (theirs are upper case) and nobody can guess.
    """

    __tablename__ = "user_categories"
    __table_args__ = (
        UniqueConstraint("user_id", "category_id"),
        one_of("type", *CATEGORY_TYPES),
        CheckConstraint("color ~ '^#[0-9a-f]{6}$'", name="color_hex"),
        CheckConstraint("(type is not null) = (category_id = id::text)", name="own_is_named_by_its_row"),
        CheckConstraint("type is null or display_name is not null", name="own_has_a_name"),
        CheckConstraint("type is not null or parent_id is null and sort_order = 0", name="default_keeps_its_place"),
        CheckConstraint("parent_id <> category_id", name="not_its_own_parent"),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    category_id: Mapped[str] = mapped_column(CATEGORY)
    parent_id: Mapped[str | None] = mapped_column(CATEGORY, comment="of an own one: a default or an own one at the top")
    type: Mapped[str | None] = mapped_column(String(20), comment="NULL: a default category, shown in another way")
    display_name: Mapped[str | None] = mapped_column(String(100))
    icon: Mapped[str | None] = mapped_column(String(50))
    color: Mapped[str | None] = mapped_column(COLOR)
    is_hidden: Mapped[bool] = flag()
    sort_order: Mapped[int] = counter()
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()


class RecurringPattern(Base):
    """A series of like transactions, as whoever looks for such series found it. `group_key` names the series among the user's.

    Its transactions have its id as their `recurring_series_id`.
    """

    __tablename__ = "recurring_patterns"
    __table_args__ = (
        UniqueConstraint("user_id", "group_key"),
        Index("ix_recurring_patterns_user_id", "user_id", "next_expected_date", "id"),
        *not_negative("amount_min", "amount_max", "transaction_count"),
        is_currency(),
        one_of("frequency", *FREQUENCIES),
        share("confidence"),
        CheckConstraint("amount_min <= amount_max", name="amounts_in_order"),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    group_key: Mapped[str] = mapped_column(String(255))
    merchant_name: Mapped[str | None] = mapped_column(String(255))
    amount_min: Mapped[Decimal] = money()
    amount_max: Mapped[Decimal] = money()
    currency: Mapped[str] = mapped_column(CURRENCY)
    frequency: Mapped[str] = mapped_column(String(20))
    last_transaction_date: Mapped[date] = mapped_column(Date)
    next_expected_date: Mapped[date] = mapped_column(Date)
    confidence: Mapped[Decimal | None] = mapped_column(CONFIDENCE)
    transaction_count: Mapped[int] = counter()
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()


class Ledger(Base):
    """A user's count of writing transactions: whoever folds reads it in the same snapshot as the sums."""

    __tablename__ = "ledgers"

    user_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    version: Mapped[int] = version_number()


class MonthlyCategorySummary(Base):
    """Sums per user, month (its first day), category, direction and currency, over posted transactions that count.

    Folded with the write that changed it; `is_frozen` rows are all that is left of months whose transactions are gone.
    """

    __tablename__ = "monthly_category_summary"
    __table_args__ = (
        UniqueConstraint(
            "user_id",
            "month",
            "category",
            "direction",
            "currency",
            name="uq_monthly_category_summary_key",
            postgresql_nulls_not_distinct=True,
        ),
        one_of("direction", *DIRECTIONS),
        is_currency(),
        *not_negative("total_amount"),
        CheckConstraint("transaction_count > 0", name="transaction_count_positive"),
        CheckConstraint("extract(day from month) = 1", name="month_is_first_day"),
        Index("ix_monthly_category_summary_frozen", "user_id", "month", postgresql_where=text("is_frozen")),
    )

    user_id: Mapped[UUID] = mapped_column(Uuid)
    month: Mapped[date] = mapped_column(Date)
    category: Mapped[str | None] = mapped_column(CATEGORY, comment="the effective one; NULL: none")
    direction: Mapped[str] = mapped_column(String(10))
    currency: Mapped[str] = mapped_column(CURRENCY)
    total_amount: Mapped[Decimal] = sum_zero()
    transaction_count: Mapped[int] = mapped_column(Integer)
    avg_amount: Mapped[Decimal] = mapped_column(MONEY, Computed("total_amount / transaction_count", persisted=True))
    is_frozen: Mapped[bool] = flag()
    updated_at: Mapped[datetime] = updated_at()

    __mapper_args__ = {**MAPPER, "primary_key": [user_id, month, category, direction, currency]}  # noqa: RUF012


transactions = table_of(Transaction)
transaction_keys = table_of(TransactionKey)
deleted_transactions = table_of(DeletedTransaction)
transaction_reviews = table_of(TransactionReview)
exchange_rates = table_of(ExchangeRate)
categories = table_of(Category)
user_categories = table_of(UserCategory)
recurring_patterns = table_of(RecurringPattern)
ledgers = table_of(Ledger)
monthly_category_summary = table_of(MonthlyCategorySummary)

_GIN: Final = {"gin_pending_list_limit": 256}

# Every list is one user's: each index is led by the user.
Index("ix_transactions_user_date", transactions.c.user_id, transactions.c.transaction_date.desc(), transactions.c.id.desc())
Index(
    "ix_transactions_account",
    transactions.c.user_id,
    transactions.c.account_id,
    transactions.c.transaction_date.desc(),
    transactions.c.id.desc(),
)
Index("ix_transactions_category", transactions.c.user_id, transactions.c.effective_category, transactions.c.transaction_date.desc())
Index("ix_transactions_amount", transactions.c.user_id, transactions.c.amount, transactions.c.id)
Index("ix_transactions_pending", transactions.c.user_id, transactions.c.transaction_date.desc(), postgresql_where=transactions.c.is_pending)
Index(
    "ix_transactions_merchant",
    transactions.c.user_id,
    transactions.c.merchant_name,
    transactions.c.transaction_date.desc(),
    transactions.c.id.desc(),
    postgresql_where=transactions.c.merchant_name.is_not(None),
)
Index(
    "ix_transactions_recurring",
    transactions.c.user_id,
    transactions.c.transaction_date.desc(),
    transactions.c.id.desc(),
    postgresql_where=transactions.c.is_recurring,
)
Index(
    "ix_transactions_series",
    transactions.c.user_id,
    transactions.c.recurring_series_id,
    transactions.c.transaction_date.desc(),
    transactions.c.id.desc(),
    postgresql_where=transactions.c.recurring_series_id.is_not(None),
)
Index("ix_transactions_search", transactions.c.user_id, text_search(transactions), postgresql_using="gin", postgresql_with=_GIN)
Index("ix_transactions_tags", transactions.c.user_id, transactions.c.tags, postgresql_using="gin", postgresql_with=_GIN)

#: What the application's role may change of a transaction; the rest identifies the row and says whose it is.
MUTABLE_COLUMNS: Final = tuple(
    column.name
    for column in transactions.c
    if column.computed is None
    and column.name not in {"id", "user_id", "account_id", "transaction_date", "provider", "created_at", "updated_at"}
)


def _view_column(column: Column[Any]) -> Column[Any]:
    name, kind = column.name, column.type
    if column.computed is not None:
        return Column(name, kind, Computed(column.computed.sqltext, persisted=True), nullable=column.nullable)
    made: dict[str, Any] = {
        "server_default": column.server_default,
        "server_onupdate": FetchedValue() if column.server_onupdate is not None else None,
    }
    return Column(name, kind, primary_key=column.primary_key, nullable=column.nullable, **made)


#: The viewer's transactions, with the same columns: what read and write sessions select from, insert into, update and delete from.
own_transactions = Table("own_transactions", Base.metadata, *(_view_column(column) for column in transactions.c), info={"is_view": True})


class OwnTransaction(Base):
    """A transaction of the viewer, through the view."""

    __table__ = own_transactions

    metadata_ = own_transactions.c["metadata"]
