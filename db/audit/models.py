"""Tables of `audit_schema`: the trail, the heads of its chains, what people ask of their data, legal holds."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.base import (
    INSTANT,
    MAPPER,
    created_at,
    flag,
    instant,
    metadata_of,
    not_negative,
    one_of,
    table_of,
    uuid_pk,
    version_number,
    word,
)

SERVICES: Final = ("api", "worker", "cli")
EXPORT_STATUSES: Final = ("pending", "processing", "completed", "failed", "cancelled")
EXPORT_FORMATS: Final = ("json", "csv")
DELETION_STATUSES: Final = ("pending", "approved", "processing", "completed", "rejected", "cancelled")
#: A request that somebody still has to answer. A user has one of a kind at most.
LIVE_EXPORT: Final = "status in ('pending', 'processing')"
LIVE_DELETION: Final = "status in ('pending', 'approved', 'processing')"

#: Of a chunk of an export, sealed.
CHUNK_BYTES: Final = 1024 * 1024

_NO_HASH: Final = text("decode(repeat('00', 32), 'hex')")


class Base(DeclarativeBase):
    metadata = metadata_of("audit")
    __mapper_args__ = MAPPER


class AuditLog(Base):
    """An entry of the trail, never changed. Partitioned by the month (UTC) of `timestamp`.

    Who, what and when are plain; address, user agent, values and metadata are ciphertext under the user's data key (JSON or text
    inside). An entry without a user has nothing personal: its metadata is JSON as it is.
    """

    __tablename__ = "audit_logs"

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID | None] = mapped_column(Uuid, comment="NULL: nobody in particular; such entries are a chain of their own")
    service_name: Mapped[str] = mapped_column(String(50))
    action: Mapped[str] = mapped_column(String(100))
    resource_type: Mapped[str | None] = mapped_column(String(50))
    resource_id: Mapped[str | None] = mapped_column(String(255))
    ip_address: Mapped[bytes | None] = mapped_column(LargeBinary)
    user_agent: Mapped[bytes | None] = mapped_column(LargeBinary)
    request_id: Mapped[str | None] = mapped_column(String(100))
    correlation_id: Mapped[UUID | None] = mapped_column(Uuid)
    old_values: Mapped[bytes | None] = mapped_column(LargeBinary)
    new_values: Mapped[bytes | None] = mapped_column(LargeBinary)
    metadata_: Mapped[bytes | None] = mapped_column("metadata", LargeBinary)
    timestamp: Mapped[datetime] = mapped_column(
        INSTANT,
        primary_key=True,
        server_default=text("now()"),
        comment="when it happened; entries may be written a little later, in another order",
    )
    sequence: Mapped[int] = mapped_column(BigInteger, comment="from 1, without a gap, per user: the order in which entries were written")
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    entry_hash: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        one_of("service_name", *SERVICES),
        CheckConstraint("action ~ '^[A-Z][A-Z0-9_]*$'", name="action_is_constant"),
        CheckConstraint("sequence > 0", name="sequence_positive"),
        CheckConstraint("octet_length(previous_hash) = 32 and octet_length(entry_hash) = 32", name="hashes_whole"),
        {"postgresql_partition_by": "RANGE (timestamp)"},
    )


class AuditHead(Base):
    """The end of a user's chain, written with each entry: who deletes the last entries is found out by it."""

    __tablename__ = "audit_heads"
    __table_args__ = (
        UniqueConstraint("user_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("dropped_sequence between 0 and sequence", name="dropped_first"),
    )

    user_id: Mapped[UUID | None] = mapped_column(Uuid, comment="NULL: the chain of the entries without a user")
    sequence: Mapped[int] = version_number()
    entry_hash: Mapped[bytes] = mapped_column(LargeBinary, server_default=_NO_HASH)
    dropped_sequence: Mapped[int] = mapped_column(
        BigInteger, server_default=text("0"), comment="the last entry that retention has dropped, where the rest begins"
    )
    dropped_hash: Mapped[bytes] = mapped_column(LargeBinary, server_default=_NO_HASH)

    __mapper_args__ = {**MAPPER, "primary_key": [user_id]}  # noqa: RUF012


class DataExportRequest(Base):
    """Somebody wants a copy of what is stored of them."""

    __tablename__ = "data_export_requests"

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    status: Mapped[str] = word(20, "pending")
    export_format: Mapped[str] = word(10, "json")
    file_url: Mapped[str | None] = mapped_column(Text)
    file_size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    completed_at: Mapped[datetime | None] = instant()
    cancelled_at: Mapped[datetime | None] = instant()
    expires_at: Mapped[datetime | None] = instant()
    build_id: Mapped[UUID | None] = mapped_column(Uuid, comment="the run that makes the file, or made it: no other may add to it")
    created_at: Mapped[datetime] = created_at()

    __table_args__ = (
        UniqueConstraint("id", "user_id"),
        Index("ix_data_export_requests_expires_at", "expires_at", postgresql_where=text("file_url is not null")),
        one_of("status", *EXPORT_STATUSES),
        one_of("export_format", *EXPORT_FORMATS),
        *not_negative("file_size_bytes"),
        CheckConstraint("(status = 'cancelled') = (cancelled_at is not null)", name="cancelled_once"),
    )


class ExportChunk(Base):
    """A piece of the file that an export request is answered with, sealed for its place in it with the data key of whoever asked."""

    __tablename__ = "export_chunks"
    __table_args__ = (
        ForeignKeyConstraint(["request_id", "user_id"], [DataExportRequest.id, DataExportRequest.user_id], ondelete="CASCADE"),
        *not_negative("seq"),
        CheckConstraint(f"octet_length(ciphertext) <= {CHUNK_BYTES}", name="ciphertext_bounded"),
    )

    request_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Uuid)
    is_last: Mapped[bool] = flag()
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = created_at()


class DeletionRequest(Base):
    """Somebody wants to be forgotten."""

    __tablename__ = "deletion_requests"

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID] = mapped_column(Uuid)
    status: Mapped[str] = word(20, "pending")
    reason: Mapped[str | None] = mapped_column(Text)
    approved_by: Mapped[UUID | None] = mapped_column(Uuid)
    approved_at: Mapped[datetime | None] = instant()
    completed_at: Mapped[datetime | None] = instant()
    cancelled_at: Mapped[datetime | None] = instant()
    created_at: Mapped[datetime] = created_at()

    __table_args__ = (
        one_of("status", *DELETION_STATUSES),
        CheckConstraint("length(reason) <= 2000", name="reason_bounded"),
        CheckConstraint("(status = 'cancelled') = (cancelled_at is not null)", name="cancelled_once"),
    )


class LegalHold(Base):
    """What retention and erasure must leave alone, for as long as it is not released."""

    __tablename__ = "legal_holds"
    __table_args__ = (CheckConstraint("released_at >= placed_at", name="released_after_placed"),)

    id: Mapped[UUID] = uuid_pk()
    user_id: Mapped[UUID | None] = mapped_column(Uuid, comment="NULL: everybody")
    reason: Mapped[str] = mapped_column(Text)
    placed_by: Mapped[str] = mapped_column(String(255))
    placed_at: Mapped[datetime] = created_at()
    released_at: Mapped[datetime | None] = instant()


audit_logs = table_of(AuditLog)
audit_heads = table_of(AuditHead)
data_export_requests = table_of(DataExportRequest)
export_chunks = table_of(ExportChunk)
deletion_requests = table_of(DeletionRequest)
legal_holds = table_of(LegalHold)

_entries = audit_logs.c
Index("ix_audit_logs_user_id", _entries.user_id, _entries.timestamp.desc(), _entries.sequence.desc())
Index("ix_audit_logs_action", _entries.user_id, _entries.action, _entries.timestamp.desc(), _entries.sequence.desc())
Index("ix_audit_logs_chain", _entries.user_id, _entries.sequence)
for _requests, _live in ((data_export_requests, LIVE_EXPORT), (deletion_requests, LIVE_DELETION)):
    Index(f"ix_{_requests.name}_user_id", _requests.c.user_id, _requests.c.created_at.desc(), _requests.c.id.desc())
    Index(f"uq_{_requests.name}_live", _requests.c.user_id, unique=True, postgresql_where=text(_live))
