"""Tables of `bank_schema`: connections and how they come about and end, accounts, uploaded statements and their imports, and the history
of all fetching.

Children refer to their parent together with its user: a row can never hang on another user's connection, whose id row security hides
but a plain foreign key would accept.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Integer, LargeBinary, String, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from db.base import (
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
    table_of,
    updated_at,
    uuid_pk,
    version_number,
    word,
)

PROVIDERS: Final = ("plaid", "tink", "open_banking", "file", "sandbox", "manual")

#: Providers whose item ids are the user's own words (a bank's id in a statement), so that two people may have the same.
#: The text is the predicate of `uq_bank_connections_user_item`, as `ON CONFLICT` must repeat it.
PER_USER_ITEMS: Final = text("provider in ('file', 'manual')")
SHARED_ITEMS: Final = text("provider not in ('file', 'manual')")

#: Bytes of the largest statement that may be uploaded.
UPLOAD_LIMIT_BYTES: Final = 10 * 1024 * 1024


class Base(DeclarativeBase):
    metadata = metadata_of("bank")
    __mapper_args__ = MAPPER


class BankConnection(Base):
    """A user's login at an institution, or the place that hand-fed statements come to. Disconnected, never deleted."""

    __tablename__ = "bank_connections"
    __table_args__ = (
        one_of("provider", *PROVIDERS),
        one_of("status", "active", "error", "disconnected", "requires_update"),
        one_of("last_sync_status", "success", "partial", "failed"),
        CheckConstraint(
            "status <> 'active' or provider not in ('plaid', 'tink', 'open_banking') or access_token_encrypted is not null",
            name="active_has_token",
        ),
        CheckConstraint(
            "status <> 'disconnected' or access_token_encrypted is null and refresh_token_encrypted is null and token_expires_at is null",
            name="disconnected_has_no_token",
        ),
        CheckConstraint("status <> 'disconnected' or next_sync_at is null", name="disconnected_not_fetched"),
        *not_negative("sync_failures"),
        UniqueConstraint("id", "user_id"),
        Index("uq_bank_connections_item", "provider", "provider_item_id", unique=True, postgresql_where=SHARED_ITEMS),
        Index("uq_bank_connections_user_item", "user_id", "provider", "provider_item_id", unique=True, postgresql_where=PER_USER_ITEMS),
        Index("ix_bank_connections_user_id", "user_id"),
        Index("ix_bank_connections_next_sync_at", "next_sync_at", postgresql_where=text("next_sync_at is not null")),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    provider: Mapped[str] = mapped_column(String(50))
    provider_item_id: Mapped[str] = mapped_column(String(255))

    institution_id: Mapped[str | None] = mapped_column(String(255))
    institution_name: Mapped[str | None] = mapped_column(String(255))
    institution_logo_url: Mapped[str | None] = mapped_column(Text)

    access_token_encrypted: Mapped[bytes | None] = mapped_column(LargeBinary)
    refresh_token_encrypted: Mapped[bytes | None] = mapped_column(LargeBinary)
    token_expires_at: Mapped[datetime | None] = instant()

    status: Mapped[str] = word(50, "active")
    error_code: Mapped[str | None] = mapped_column(String(100))
    error_message: Mapped[str | None] = mapped_column(Text)
    consent_expires_at: Mapped[datetime | None] = instant()
    linked_at: Mapped[datetime | None] = mapped_column(INSTANT, comment="when it was begun, or begun anew after it had ended")

    last_sync_at: Mapped[datetime | None] = instant()
    last_sync_status: Mapped[str | None] = mapped_column(String(50))
    last_successful_sync_at: Mapped[datetime | None] = instant()
    sync_cursor: Mapped[str | None] = mapped_column(Text)
    next_sync_at: Mapped[datetime | None] = mapped_column(INSTANT, comment="NULL: nothing is fetched by the calendar")
    sync_failures: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="in a row, up to now")
    sync_requested_at: Mapped[datetime | None] = instant()
    consent_warned_at: Mapped[datetime | None] = mapped_column(INSTANT, comment="of the consent that holds now")

    metadata_: Mapped[dict[str, Any]] = json_object("metadata")
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()

    accounts: Mapped[list["BankAccount"]] = relationship(back_populates="connection", lazy="raise", viewonly=True)


class BankAccount(Base):
    """An account at a bank. Balances are as the bank last said, at `balance_updated_at`; they may be negative."""

    __tablename__ = "bank_accounts"
    __table_args__ = (
        ForeignKeyConstraint(["connection_id", "user_id"], [BankConnection.id, BankConnection.user_id]),
        one_of("account_type", "checking", "savings", "credit", "investment", "loan"),
        one_of("status", "active", "closed"),
        is_currency(),
        UniqueConstraint("connection_id", "provider_account_id"),
        Index("ix_bank_accounts_user_id", "user_id"),
    )

    id: Mapped[UUID] = uuid_pk()
    connection_id: Mapped[UUID] = mapped_column(Uuid)
    user_id: Mapped[UUID] = mapped_column(Uuid)
    provider_account_id: Mapped[str] = mapped_column(String(255))
    account_type: Mapped[str | None] = mapped_column(String(50))
    account_subtype: Mapped[str | None] = mapped_column(String(50))

    account_name: Mapped[str | None] = mapped_column(String(255))
    account_official_name: Mapped[str | None] = mapped_column(String(255))
    account_mask: Mapped[str | None] = mapped_column(String(10))
    persistent_id: Mapped[str | None] = mapped_column(String(255), comment="names the account even when its owner links the bank again")

    current_balance: Mapped[Decimal | None] = optional_money()
    available_balance: Mapped[Decimal | None] = optional_money()
    credit_limit: Mapped[Decimal | None] = optional_money()
    currency: Mapped[str] = word(3, "USD")

    status: Mapped[str] = word(50, "active")
    is_manual: Mapped[bool] = flag()
    metadata_: Mapped[dict[str, Any]] = json_object("metadata")
    balance_updated_at: Mapped[datetime | None] = instant()
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()

    connection: Mapped[BankConnection] = relationship(back_populates="accounts", lazy="raise", viewonly=True)


class Upload(Base):
    """A statement as it was sent, encrypted with the user's data key, kept until it is imported or expires."""

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint(f"size_bytes between 0 and {UPLOAD_LIMIT_BYTES}", name="size_bytes_bounded"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_hex"),
        UniqueConstraint("id", "user_id"),
        Index("ix_uploads_user_id_created_at", "user_id", "created_at"),
        Index("ix_uploads_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    filename: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str | None] = mapped_column(String(255))
    size_bytes: Mapped[int] = mapped_column(Integer, comment="of the plain file")
    sha256: Mapped[str] = mapped_column(String(64), comment="of the plain file, lower-case hex")
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = created_at()
    expires_at: Mapped[datetime] = mapped_column(INSTANT)


class StatementImport(Base):
    """One statement on its way in, and what came of it: rows added, changed, and recognised as they were."""

    __tablename__ = "statement_imports"
    __table_args__ = (
        ForeignKeyConstraint(["upload_id", "user_id"], [Upload.id, Upload.user_id], ondelete="SET NULL (upload_id)"),
        ForeignKeyConstraint(["connection_id", "user_id"], [BankConnection.id, BankConnection.user_id]),
        one_of("status", "queued", "running", "done", "failed"),
        *not_negative("added", "updated", "unchanged", "account_count"),
        CheckConstraint("(status in ('done', 'failed')) = (completed_at is not null)", name="completed_once"),
        UniqueConstraint("id", "user_id"),
        Index("ix_statement_imports_user_id_created_at", "user_id", text("created_at desc")),
        Index("ix_statement_imports_upload_id", "upload_id"),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    upload_id: Mapped[UUID | None] = mapped_column(Uuid)
    connection_id: Mapped[UUID | None] = mapped_column(Uuid)
    filename: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = word(20, "queued")
    options: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    added: Mapped[int] = counter()
    updated: Mapped[int] = counter()
    unchanged: Mapped[int] = counter()
    account_count: Mapped[int] = counter()
    error_code: Mapped[str | None] = mapped_column(String(100))
    error_message: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = version_number()
    created_at: Mapped[datetime] = created_at()
    completed_at: Mapped[datetime | None] = instant()


class BankSync(Base):
    """What one fetch from a bank came to (`job_id`), or one statement that was taken in (`import_id`). It outlives what it speaks of.

    A statement that could not be read belongs to no connection. What only a fetch has is NULL or 0 for a statement.
    """

    __tablename__ = "sync_history"
    __table_args__ = (
        ForeignKeyConstraint(["connection_id", "user_id"], [BankConnection.id, BankConnection.user_id]),
        ForeignKeyConstraint(["import_id", "user_id"], [StatementImport.id, StatementImport.user_id], ondelete="SET NULL (import_id)"),
        one_of("sync_type", "scheduled", "manual", "retry", "webhook"),
        one_of("status", "started", "success", "failed", "partial"),
        one_of("stage", "fetching", "applying", "budgets", "done", "failed"),
        *not_negative("transactions_added", "transactions_updated", "duration_ms"),
        *not_negative("pages", "transactions_fetched", "transactions_removed"),
        CheckConstraint("(status <> 'started') = (completed_at is not null)", name="completed_once"),
        CheckConstraint("status <> 'failed' or error_code is not null", name="failed_says_why"),
        UniqueConstraint("import_id"),
        UniqueConstraint("job_id"),
        Index("ix_sync_history_user_id_started_at", "user_id", "started_at", "id"),
        Index("ix_sync_history_user_id_connection_id_started_at", "user_id", "connection_id", "started_at", "id"),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    connection_id: Mapped[UUID | None] = mapped_column(Uuid)
    import_id: Mapped[UUID | None] = mapped_column(Uuid)
    job_id: Mapped[UUID | None] = mapped_column(Uuid)
    sync_type: Mapped[str] = mapped_column(String(50))
    status: Mapped[str] = word(50, "started")
    stage: Mapped[str | None] = mapped_column(String(20))
    pages: Mapped[int] = counter()
    transactions_fetched: Mapped[int] = counter()
    transactions_added: Mapped[int] = counter()
    transactions_updated: Mapped[int] = counter()
    transactions_removed: Mapped[int] = counter()
    error_code: Mapped[str | None] = mapped_column(String(100))
    error_message: Mapped[str | None] = mapped_column(Text)
    duration_ms: Mapped[int | None] = mapped_column(Integer)
    version: Mapped[int] = version_number()
    started_at: Mapped[datetime] = created_at()
    completed_at: Mapped[datetime | None] = instant()


class BankLink(Base):
    """A bank that somebody began to link, or to repair (`connection_id`).

    `secret_encrypted` goes when the link is completed or over; the row stays a while, so that whoever asks again is told the same.
    """

    __tablename__ = "bank_links"
    __table_args__ = (
        ForeignKeyConstraint(["connection_id", "user_id"], [BankConnection.id, BankConnection.user_id]),
        ForeignKeyConstraint(["result_connection_id", "user_id"], [BankConnection.id, BankConnection.user_id]),
        one_of("provider", *PROVIDERS),
        CheckConstraint("state_digest ~ '^[0-9a-f]{64}$'", name="state_digest_hex"),
        CheckConstraint("(completed_at is not null) = (result_connection_id is not null)", name="completed_once"),
        CheckConstraint("completed_at is null or secret_encrypted is null", name="completed_has_no_secret"),
        Index("ix_bank_links_user_id", "user_id"),
        Index("ix_bank_links_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    provider: Mapped[str] = mapped_column(String(50))
    connection_id: Mapped[UUID | None] = mapped_column(Uuid, comment="what is to be repaired; NULL: a new connection")
    institution_id: Mapped[str | None] = mapped_column(String(255))
    redirect_url: Mapped[str | None] = mapped_column(Text)
    state_digest: Mapped[str | None] = mapped_column(String(64), comment="SHA-256 of the state that the bank sends back, lower-case hex")
    secret_encrypted: Mapped[bytes | None] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(INSTANT)
    claimed_at: Mapped[datetime | None] = mapped_column(INSTANT, comment="when somebody began to complete it")
    completed_at: Mapped[datetime | None] = instant()
    result_connection_id: Mapped[UUID | None] = mapped_column(Uuid)
    created_at: Mapped[datetime] = created_at()


class BankRevocation(Base):
    """Access that a bank must still be told to end. The connection itself has no token any more; these go with the row, soon."""

    __tablename__ = "bank_revocations"
    __table_args__ = (ForeignKeyConstraint(["connection_id", "user_id"], [BankConnection.id, BankConnection.user_id]),)

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    connection_id: Mapped[UUID] = mapped_column(Uuid)
    access_token_encrypted: Mapped[bytes] = mapped_column(LargeBinary)
    refresh_token_encrypted: Mapped[bytes | None] = mapped_column(LargeBinary)
    token_expires_at: Mapped[datetime | None] = instant()
    gives_up_at: Mapped[datetime] = mapped_column(INSTANT)
    created_at: Mapped[datetime] = created_at()


class BankWebhook(Base):
    """The receipt of a message that a provider sent about a connection: the second of two equal ones finds it."""

    __tablename__ = "bank_webhooks"
    __table_args__ = (
        ForeignKeyConstraint(["connection_id", "user_id"], [BankConnection.id, BankConnection.user_id]),
        one_of("provider", *PROVIDERS),
        CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="digest_hex"),
        Index("ix_bank_webhooks_received_at", "received_at"),
    )

    provider: Mapped[str] = mapped_column(String(50), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True, comment="SHA-256 of the message as it came, lower-case hex")
    user_id: Mapped[UUID] = mapped_column(Uuid)
    connection_id: Mapped[UUID] = mapped_column(Uuid)
    kind: Mapped[str] = mapped_column(String(100))
    received_at: Mapped[datetime] = created_at()


bank_connections = table_of(BankConnection)
bank_accounts = table_of(BankAccount)
uploads = table_of(Upload)
statement_imports = table_of(StatementImport)
sync_history = table_of(BankSync)
bank_links = table_of(BankLink)
bank_revocations = table_of(BankRevocation)
bank_webhooks = table_of(BankWebhook)
