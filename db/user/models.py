"""Tables of `user_schema` that this domain writes: people, what they choose, whom they sign in with elsewhere, their data keys."""

from datetime import datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, LargeBinary, Numeric, String, Text, Time, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.base import (
    CURRENCY,
    INSTANT,
    MAPPER,
    MONEY,
    counter,
    created_at,
    deleted_once,
    flag,
    instant,
    is_currency,
    json_object,
    metadata_of,
    not_negative,
    one_of,
    table_of,
    updated_at,
    uuid_pk,
    word,
)

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
THRESHOLDS_AT_MOST: Final = 10
LARGEST_THRESHOLD: Final = 10


class Base(DeclarativeBase):
    metadata = metadata_of("user")
    __mapper_args__ = MAPPER


class User(Base):
    """A person. `email` is as they typed it; `email_normalized` is what makes two addresses one, and is made by the application.

    Credentials end with the account: a trigger takes them out of a row that is marked deleted.
    """

    __tablename__ = "users"
    __table_args__ = (
        one_of("status", "active", "suspended", "deleted"),
        deleted_once(),
        is_currency(),
        Index("uq_users_email_normalized", "email_normalized", unique=True, postgresql_where=text("deleted_at is null")),
    )

    id: Mapped[UUID] = uuid_pk()
    email: Mapped[str] = mapped_column(String(255))
    email_normalized: Mapped[str] = mapped_column(String(255))
    email_verified: Mapped[bool] = flag()
    email_verified_at: Mapped[datetime | None] = instant()

    full_name: Mapped[str | None] = mapped_column(String(255))
    avatar_url: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(String(50))
    phone_verified: Mapped[bool] = flag()

    timezone: Mapped[str] = word(50, "UTC")
    currency: Mapped[str] = word(3, "USD")
    locale: Mapped[str] = word(10, "en-US")

    password_hash: Mapped[str | None] = mapped_column(String(255))
    password_changed_at: Mapped[datetime | None] = instant()
    two_factor_enabled: Mapped[bool] = flag()
    two_factor_secret: Mapped[bytes | None] = mapped_column(LargeBinary, comment="encrypted with the user's data key")

    last_login_at: Mapped[datetime | None] = instant()
    last_login_ip: Mapped[str | None] = mapped_column(INET)
    login_count: Mapped[int] = counter()

    status: Mapped[str] = word(20, "active")
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()
    deleted_at: Mapped[datetime | None] = mapped_column(INSTANT)


class UserKey(Base):
    """A person's data key, wrapped by the key-ring key `key_id`. Deleting the row erases whatever it encrypted."""

    __tablename__ = "user_keys"

    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    wrapped_key: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = created_at()


class UserPreferences(Base):
    """What a person has chosen. Without a row the defaults hold, which are those of the columns, and `currency` is the person's.

    What is sent to them, and where, is what they consent to.
    """

    __tablename__ = "user_preferences"
    __table_args__ = (
        one_of("weekly_report_day", *WEEKDAYS),
        *not_negative("transaction_alert_threshold"),
        is_currency(),
        CheckConstraint(
            f"cardinality(budget_alert_thresholds) <= {THRESHOLDS_AT_MOST} and array_position(budget_alert_thresholds, null) is null"
            f" and 0 < all (budget_alert_thresholds) and {LARGEST_THRESHOLD} >= all (budget_alert_thresholds)",
            name="budget_alert_thresholds_bounded",
        ),
        CheckConstraint("jsonb_typeof(dashboard_layout) = 'object'", name="dashboard_layout_object"),
    )

    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)

    notification_enabled: Mapped[bool] = flag(default=True)
    email_notifications: Mapped[bool] = flag(default=True)
    telegram_notifications: Mapped[bool] = flag(default=True)
    telegram_chat_id: Mapped[str | None] = mapped_column(String(255))
    telegram_username: Mapped[str | None] = mapped_column(String(255))

    daily_summary_enabled: Mapped[bool] = flag(default=True)
    daily_summary_time: Mapped[time] = mapped_column(Time, server_default=text("'09:00'"))
    weekly_report_enabled: Mapped[bool] = flag(default=True)
    weekly_report_day: Mapped[str] = word(10, "Monday")

    transaction_alert_enabled: Mapped[bool] = flag(default=True)
    transaction_alert_threshold: Mapped[Decimal] = mapped_column(MONEY, server_default=text("500"))
    currency: Mapped[str] = mapped_column(CURRENCY, comment="of transaction_alert_threshold")
    budget_alert_enabled: Mapped[bool] = flag(default=True)
    budget_alert_thresholds: Mapped[list[Decimal]] = mapped_column(ARRAY(Numeric), server_default=text("array[0.8, 1.0, 1.2]"))

    dashboard_layout: Mapped[dict[str, Any]] = json_object()
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()


class OAuthConnection(Base):
    """Whom a person signs in with elsewhere. It ends with the account: a trigger deletes it when the account is marked deleted.

    Tokens are not kept after sign-in, and a CHECK holds us to it. `profile_data` holds what is shown, `name` and `email`: not
    encrypted, since the same person's name and address stand in clear in `users`, and a sealed copy would protect nothing.
    """

    __tablename__ = "oauth_connections"
    __table_args__ = (
        one_of("provider", "google", "apple", "facebook"),
        CheckConstraint("access_token is null and refresh_token is null and token_expires_at is null", name="tokens_not_kept"),
        CheckConstraint(
            "jsonb_typeof(profile_data) = 'object' and profile_data - '{name,email}'::text[] = '{}'::jsonb", name="profile_data_shown"
        ),
        UniqueConstraint("provider", "provider_user_id"),
        Index("ix_oauth_connections_user_id", "user_id"),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey(User.id, ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(String(50))
    provider_user_id: Mapped[str] = mapped_column(String(255))
    access_token: Mapped[str | None] = mapped_column(Text)
    refresh_token: Mapped[str | None] = mapped_column(Text)
    token_expires_at: Mapped[datetime | None] = instant()
    profile_data: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    connected_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()


#: What a person may choose, each with a default.
CHOICES: Final = (
    "notification_enabled",
    "email_notifications",
    "telegram_notifications",
    "daily_summary_enabled",
    "daily_summary_time",
    "weekly_report_enabled",
    "weekly_report_day",
    "transaction_alert_enabled",
    "transaction_alert_threshold",
    "budget_alert_enabled",
    "budget_alert_thresholds",
    "dashboard_layout",
)

users = table_of(User)
user_preferences = table_of(UserPreferences)
oauth_connections = table_of(OAuthConnection)
user_keys = table_of(UserKey)
