"""Tables of `analytics_schema`: what models and rules found in a user's money, and what is known about merchants in general."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Date, Index, Integer, Numeric, String, Text, UniqueConstraint, Uuid, literal_column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.analytics.vectors import MODELS, Vector, index_name, indexed_type, lengths_check
from db.base import (
    CATEGORY,
    CONFIDENCE,
    CURRENCY,
    EXTENSIONS_SCHEMA,
    INSTANT,
    MAPPER,
    counter,
    created_at,
    flag,
    instant,
    is_currency,
    json_object,
    metadata_of,
    not_negative,
    one_of,
    optional_money,
    share,
    table_of,
    updated_at,
    uuid_pk,
    word,
)

INSIGHT_TYPES: Final = ("savings_opportunity", "spending_spike", "forecast", "category_trend")
PRIORITIES: Final = ("low", "medium", "high")
FEEDBACK: Final = ("helpful", "not_helpful")
PATTERN_TYPES: Final = ("seasonal", "day_of_week", "time_of_day", "location_based")
QUERY_TYPES: Final = ("categorization", "insight", "natural_language_query")
#: So many people must say the same of a merchant before anybody else is told: a merchant's name may be a person's.
AGREEING_AT_LEAST: Final = 3


class Base(DeclarativeBase):
    metadata = metadata_of("analytics")
    __mapper_args__ = MAPPER


class Insight(Base):
    """Something worth telling a user about their money. Its period is half open: `time_period_end` is the day after."""

    __tablename__ = "insights"
    __table_args__ = (
        one_of("type", *INSIGHT_TYPES),
        one_of("priority", *PRIORITIES),
        one_of("feedback", *FEEDBACK),
        one_of("generated_by", "llm", "rule_engine"),
        share("confidence"),
        CheckConstraint("time_period_end > time_period_start", name="period_not_empty"),
        CheckConstraint("viewed = (viewed_at is not null)", name="viewed_once"),
        CheckConstraint("dismissed = (dismissed_at is not null)", name="dismissed_once"),
        Index("ix_insights_user_id", "user_id", "created_at", "id"),
        Index("ix_insights_user_id_type", "user_id", "type", "priority", postgresql_where=text("not dismissed")),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    type: Mapped[str] = mapped_column(String(50))
    priority: Mapped[str] = word(20, "medium")

    title: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(Text)
    actionable_advice: Mapped[str | None] = mapped_column(Text)

    data: Mapped[dict[str, Any]] = json_object()
    affected_categories: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'::text[]"))
    time_period_start: Mapped[date | None] = mapped_column(Date)
    time_period_end: Mapped[date | None] = mapped_column(Date)

    viewed: Mapped[bool] = flag()
    viewed_at: Mapped[datetime | None] = instant()
    dismissed: Mapped[bool] = flag()
    dismissed_at: Mapped[datetime | None] = instant()
    feedback: Mapped[str | None] = mapped_column(String(20))

    generated_by: Mapped[str] = word(50, "llm")
    model_version: Mapped[str | None] = mapped_column(String(50))
    confidence: Mapped[Decimal | None] = mapped_column(CONFIDENCE)
    created_at: Mapped[datetime] = created_at()
    expires_at: Mapped[datetime | None] = instant()


class SpendingPattern(Base):
    """A habit found in a user's transactions. `avg_amount` is in `currency`."""

    __tablename__ = "spending_patterns"
    __table_args__ = (
        UniqueConstraint(
            "user_id",
            "pattern_type",
            "category",
            "merchant_name",
            name="uq_spending_patterns_key",
            postgresql_nulls_not_distinct=True,
        ),
        one_of("pattern_type", *PATTERN_TYPES),
        is_currency(),
        *not_negative("sample_size"),
        share("confidence"),
        Index("ix_spending_patterns_user_id", "user_id", "last_observed_at", "id"),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    pattern_type: Mapped[str] = mapped_column(String(50))
    category: Mapped[str | None] = mapped_column(CATEGORY)
    merchant_name: Mapped[str | None] = mapped_column(String(255))

    pattern_data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    frequency: Mapped[str | None] = mapped_column(String(50))
    avg_amount: Mapped[Decimal | None] = optional_money()
    currency: Mapped[str] = mapped_column(CURRENCY)

    confidence: Mapped[Decimal | None] = mapped_column(CONFIDENCE)
    sample_size: Mapped[int | None] = mapped_column(Integer, comment="transactions that it was found in")
    first_detected_at: Mapped[datetime] = created_at()
    last_observed_at: Mapped[datetime] = created_at()


class LlmQuery(Base):
    """A question that a model was asked, and its answer. One with somebody's text in it is theirs; without a user it is everybody's."""

    __tablename__ = "llm_query_cache"
    __table_args__ = (
        UniqueConstraint("query_hash", "user_id", name="uq_llm_query_cache_key", postgresql_nulls_not_distinct=True),
        CheckConstraint("query_hash ~ '^[0-9a-f]{64}$'", name="query_hash_is_sha256"),
        one_of("query_type", *QUERY_TYPES),
        *not_negative("tokens_used", "cost_usd", "hit_count"),
        Index("ix_llm_query_cache_user_id", "user_id", "created_at", "id"),
        Index("ix_llm_query_cache_user_id_query_type", "user_id", "query_type", "created_at", "id"),
        Index("ix_llm_query_cache_expires_at", "expires_at", postgresql_where=text("expires_at is not null")),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID | None] = mapped_column(Uuid, comment="NULL: holds nobody's text, and answers everybody")
    query_hash: Mapped[str] = mapped_column(String(64), comment="SHA-256 of type, model and text")
    query_text: Mapped[str] = mapped_column(Text)
    query_type: Mapped[str] = mapped_column(String(50))
    response: Mapped[dict[str, Any]] = mapped_column(JSONB)
    model: Mapped[str] = mapped_column(String(50))
    tokens_used: Mapped[int | None] = mapped_column(Integer)
    cost_usd: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    hit_count: Mapped[int] = counter()
    last_used_at: Mapped[datetime] = created_at()
    created_at: Mapped[datetime] = created_at()
    expires_at: Mapped[datetime | None] = instant()


class MerchantCategory(Base):
    """The category that a merchant's transactions get. Shared by all users, hence without samples of anybody's text.

    What users say gets here once `AGREEING_AT_LEAST` of them agree; `user_count` is how many do.
    """

    __tablename__ = "merchant_categories"
    __table_args__ = (
        one_of("categorized_by", "llm", "user", "rule"),
        share("confidence"),
        *not_negative("user_count"),
        CheckConstraint(f"categorized_by <> 'user' or user_count >= {AGREEING_AT_LEAST}", name="enough_agree"),
    )

    merchant_name: Mapped[str] = mapped_column(String(255), primary_key=True)
    category: Mapped[str] = mapped_column(CATEGORY)
    category_detailed: Mapped[str | None] = mapped_column(CATEGORY)
    confidence: Mapped[Decimal | None] = mapped_column(CONFIDENCE)
    categorized_by: Mapped[str] = word(50, "llm")
    user_count: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    last_seen_at: Mapped[datetime] = mapped_column(INSTANT, server_default=text("now()"))
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()


class MerchantVote(Base):
    """The category that one user's own word gives to a merchant. Theirs alone; `merchant_categories` is folded from many.

    A vote that is withdrawn has no category until the fold has seen it: `is_counted` says whether the fold knows the vote as it is.
    """

    __tablename__ = "merchant_category_votes"
    __table_args__ = (
        UniqueConstraint("user_id", "merchant_name"),
        CheckConstraint("category is not null or category_detailed is null", name="detailed_has_category"),
        CheckConstraint("category is not null or not is_counted", name="withdrawn_waits"),
        Index("ix_merchant_category_votes_merchant_name", "merchant_name", postgresql_where=text("category is not null")),
        Index("ix_merchant_category_votes_uncounted", "user_id", "merchant_name", postgresql_where=text("not is_counted")),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    merchant_name: Mapped[str] = mapped_column(String(255), comment="normalised, as in merchant_categories")
    category: Mapped[str | None] = mapped_column(CATEGORY, comment="a primary; NULL: withdrawn")
    category_detailed: Mapped[str | None] = mapped_column(CATEGORY)
    is_counted: Mapped[bool] = flag()
    voted_at: Mapped[datetime] = created_at()
    created_at: Mapped[datetime] = created_at()


def _nearness(model: str) -> Index:
    """An index of its own per model: vectors of two models are not comparable, and have other lengths."""
    kind = indexed_type(model)
    return Index(
        index_name(model),
        literal_column(f"(embedding::{kind.get_col_spec()})").label("near"),
        postgresql_using="hnsw",
        postgresql_ops={"near": f"{EXTENSIONS_SCHEMA}.{kind.name}_cosine_ops"},
        postgresql_where=text(f"embedding_model = '{model}'"),
    )


class TransactionEmbedding(Base):
    """What a model made of a transaction's text. `transaction_date` leads to the transaction, whose id alone does not."""

    __tablename__ = "transaction_embeddings"
    __table_args__ = (
        one_of("embedding_model", *MODELS),
        CheckConstraint(lengths_check(), name="embedding_length"),
        Index("ix_transaction_embeddings_user_id", "user_id", "created_at", "transaction_id", "embedding_model"),
        Index("ix_transaction_embeddings_user_id_embedding_model", "user_id", "embedding_model"),
        *(_nearness(model) for model in MODELS),
    )

    transaction_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    embedding_model: Mapped[str] = mapped_column(String(50), primary_key=True, server_default=text("'text-embedding-ada-002'"))
    user_id: Mapped[UUID] = mapped_column(Uuid)
    transaction_date: Mapped[date] = mapped_column(Date)
    embedding: Mapped[str] = mapped_column(Vector())
    text_content: Mapped[str | None] = mapped_column(Text, comment="what was embedded")
    created_at: Mapped[datetime] = created_at()


insights = table_of(Insight)
spending_patterns = table_of(SpendingPattern)
llm_query_cache = table_of(LlmQuery)
merchant_categories = table_of(MerchantCategory)
merchant_category_votes = table_of(MerchantVote)
transaction_embeddings = table_of(TransactionEmbedding)
