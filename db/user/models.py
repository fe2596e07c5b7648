"""Tables of `user_schema` that this domain writes: people and their data keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, Uuid, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.base import (
    INSTANT,
    MAPPER,
    counter,
    created_at,
    deleted_once,
    flag,
    instant,
    is_currency,
    metadata_of,
    one_of,
    table_of,
    updated_at,
    uuid_pk,
    word,
)


class Base(DeclarativeBase):
    metadata = metadata_of("user")
    __mapper_args__ = MAPPER


class User(Base):
    """A person. `email` is as they typed it; `email_normalized` is what makes two addresses one, and is made by the application."""

    __tablename__ = "users"
    __table_args__ = (
        one_of("status", "active", "suspended", "deleted"),
        deleted_once(),
        is_currency(),
        Index("uq_users_email_normalized", "email_normalized", unique=True, postgresql_where=text("deleted_at is null")),
        Index("ix_users_created_at", "created_at"),
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


users = table_of(User)
user_keys = table_of(UserKey)
