"""Tables of `notification_schema`: what people are told, what they want to be told, in which words, and how delivery goes."""

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Date, Index, Integer, String, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.base import (
    MAPPER,
    counter,
    created_at,
    flag,
    instant,
    json_object,
    metadata_of,
    not_negative,
    one_of,
    table_of,
    updated_at,
    uuid_pk,
    word,
)

TYPES: Final = ("transaction_alert", "budget_alert", "insight", "daily_summary", "weekly_report", "connection_alert")
CHANNELS: Final = ("telegram", "email", "push", "in_app")
STATUSES: Final = ("pending", "sent", "failed", "cancelled")
PRIORITIES: Final = ("low", "normal", "high", "urgent")
RULE_TYPES: Final = ("large_transaction", "budget_threshold", "category_limit", "custom")
FREQUENCIES: Final = ("immediate", "hourly", "daily", "weekly")

_LISTED_CHANNELS: Final = ", ".join(f"'{channel}'" for channel in CHANNELS)


class Base(DeclarativeBase):
    metadata = metadata_of("notification")
    __mapper_args__ = MAPPER


class Notification(Base):
    """Something that a user is told over one channel.

    `correlation_id` names the event that it answers: one is written per user, event, type and channel, whoever tries again.
    `error_message` holds a code, never a provider's text.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        one_of("type", *TYPES),
        one_of("channel", *CHANNELS),
        one_of("status", *STATUSES),
        one_of("priority", *PRIORITIES),
        *not_negative("max_retries"),
        CheckConstraint("retry_count between 0 and max_retries", name="retry_count_allowed"),
        CheckConstraint("(status = 'sent') = (sent_at is not null)", name="sent_once"),
        CheckConstraint("delivered_at is null or status = 'sent'", name="delivered_was_sent"),
        CheckConstraint("next_retry_at is null or status = 'failed'", name="retried_had_failed"),
        CheckConstraint("status <> 'failed' or error_message is not null", name="failed_says_why"),
        CheckConstraint("jsonb_typeof(data) = 'object'", name="data_object"),
        Index(
            "uq_notifications_answer",
            "user_id",
            "correlation_id",
            "type",
            "channel",
            unique=True,
            postgresql_where=text("correlation_id is not null"),
        ),
        Index("ix_notifications_user_id", "user_id", "created_at", "id"),
        Index("ix_notifications_type", "user_id", "type", "created_at", "id"),
        Index("ix_notifications_channel", "user_id", "channel", "created_at", "id"),
        Index(
            "ix_notifications_unread",
            "user_id",
            "created_at",
            "id",
            postgresql_include=["channel", "status", "expires_at"],
            postgresql_where=text("read_at is null"),
        ),
        Index("ix_notifications_retry", "user_id", "next_retry_at", postgresql_where=text("status = 'failed'")),
        Index("ix_notifications_created_at", "created_at"),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    type: Mapped[str] = mapped_column(String(50))
    channel: Mapped[str] = mapped_column(String(20))

    title: Mapped[str | None] = mapped_column(String(255))
    message: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = json_object()

    status: Mapped[str] = word(20, "pending")
    sent_at: Mapped[datetime | None] = instant()
    delivered_at: Mapped[datetime | None] = instant()
    read_at: Mapped[datetime | None] = instant()

    error_message: Mapped[str | None] = mapped_column(Text, comment="a code, never what a provider said")
    retry_count: Mapped[int] = counter()
    max_retries: Mapped[int] = mapped_column(Integer, server_default=text("3"))
    next_retry_at: Mapped[datetime | None] = instant()

    correlation_id: Mapped[UUID | None] = mapped_column(Uuid, comment="the event that it answers; NULL: none")
    priority: Mapped[str] = word(20, "normal")
    created_at: Mapped[datetime] = created_at()
    expires_at: Mapped[datetime | None] = instant()


class NotificationRule(Base):
    """When a user wants to be told.

    `default_key` names the default that the rule is a copy of. A deleted rule is kept and marked, so that a default that was deleted is
    not given again.
    """

    __tablename__ = "notification_rules"
    __table_args__ = (
        one_of("rule_type", *RULE_TYPES),
        one_of("max_frequency", *FREQUENCIES),
        one_of("priority", *PRIORITIES),
        *not_negative("trigger_count"),
        CheckConstraint("jsonb_typeof(conditions) = 'object'", name="conditions_object"),
        CheckConstraint(
            f"channels <@ array[{_LISTED_CHANNELS}]::varchar[] and cardinality(channels) between 1 and {len(CHANNELS)}",
            name="channels_known",
        ),
        Index(
            "uq_notification_rules_default",
            "user_id",
            "default_key",
            unique=True,
            postgresql_where=text("default_key is not null"),
        ),
        Index("ix_notification_rules_user_id", "user_id", "created_at", "id", postgresql_where=text("deleted_at is null")),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    name: Mapped[str | None] = mapped_column(String(255))
    rule_type: Mapped[str] = mapped_column(String(50))
    enabled: Mapped[bool] = flag(default=True)
    conditions: Mapped[dict[str, Any]] = mapped_column(JSONB)
    channels: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=text("array['in_app']::varchar[]"))

    max_frequency: Mapped[str] = word(50, "immediate")
    last_triggered_at: Mapped[datetime | None] = instant()
    trigger_count: Mapped[int] = counter()
    priority: Mapped[str] = word(20, "normal")
    default_key: Mapped[str | None] = mapped_column(String(50), comment="the default that it was made from; NULL: the user's own")
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()
    deleted_at: Mapped[datetime | None] = instant()


class NotificationTemplate(Base):
    """The words of a kind of notification, for one channel and language. Everybody's; loaded by migrations."""

    __tablename__ = "notification_templates"
    __table_args__ = (
        UniqueConstraint("template_key", "channel", "locale"),
        one_of("channel", *CHANNELS),
        CheckConstraint("jsonb_typeof(variables) = 'array'", name="variables_array"),
    )

    id: Mapped[UUID] = uuid_pk()
    template_key: Mapped[str] = mapped_column(String(100))
    channel: Mapped[str] = mapped_column(String(20))
    subject_template: Mapped[str | None] = mapped_column(String(255))
    body_template: Mapped[str] = mapped_column(Text)
    variables: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    locale: Mapped[str] = word(10, "en-US")
    is_active: Mapped[bool] = flag(default=True)
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()


class NotificationStats(Base):
    """How delivery went, per day (UTC) of writing, channel and type: a fold of the notifications, which tells of no user."""

    __tablename__ = "notification_stats"
    __table_args__ = (
        UniqueConstraint("date", "channel", "type"),
        one_of("channel", *CHANNELS),
        one_of("type", *TYPES),
        *not_negative("sent_count", "delivered_count", "failed_count", "read_count", "avg_delivery_time_ms"),
    )

    id: Mapped[UUID] = uuid_pk()
    date: Mapped[date] = mapped_column(Date)
    channel: Mapped[str] = mapped_column(String(20))
    type: Mapped[str] = mapped_column(String(50))
    sent_count: Mapped[int] = counter()
    delivered_count: Mapped[int] = counter()
    failed_count: Mapped[int] = counter()
    read_count: Mapped[int] = counter()
    avg_delivery_time_ms: Mapped[int | None] = mapped_column(Integer, comment="from sent to delivered")
    created_at: Mapped[datetime] = created_at()


notifications = table_of(Notification)
notification_rules = table_of(NotificationRule)
notification_templates = table_of(NotificationTemplate)
notification_stats = table_of(NotificationStats)
