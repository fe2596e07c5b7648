"""What the tables of every domain are made of: metadata, naming, column types, and the tables that each domain has.

A domain owns one Postgres schema and one MetaData; nothing here refers from one to another, so that a domain can move to its own server.
The migrations are written by hand; a test holds them against these tables.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    FetchedValue,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: Domains with a Postgres schema. `auth` has none: sessions live in Redis.
DOMAINS: Final = ("user", "bank", "transaction", "analytics", "budget", "notification", "audit")

#: Where vector, btree_gin and pg_trgm live. No role's search path holds it: operators and types are written with it.
EXTENSIONS_SCHEMA: Final = "extensions"

OWNER_ROLE: Final = "florin_owner"
APP_ROLE: Final = "florin_app"
SYSTEM_ROLE: Final = "florin_system"

#: Who is asking, as every policy and the view of transactions read it: NULL, hence nobody, outside a session with a viewer.
VIEWER_SQL: Final = "nullif(current_setting('app.user_id', true), '')::uuid"

NAMING: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

MONEY: Final = Numeric(19, 4)
#: Of many amounts, any of which may be as large as MONEY allows.
SUM: Final = Numeric(38, 4)
CONFIDENCE: Final = Numeric(3, 2)
INSTANT: Final = DateTime(timezone=True)
CURRENCY: Final = String(3)
CATEGORY: Final = String(100)
COLOR: Final = String(7)

#: What the database makes (generated columns, `updated_at`) comes back with the statement: no entity loads it later on its own.
MAPPER: Final[dict[str, Any]] = {"eager_defaults": True}


def schema_of(domain: str) -> str:
    return f"{domain}_schema"


def one_of(column: str, *values: str) -> CheckConstraint:
    """The column holds one of a closed set of words. (A NULL passes: columns that must have one are NOT NULL too.)"""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} in ({listed})", name=f"{column}_known")


def not_negative(*columns: str) -> Iterable[CheckConstraint]:
    return [CheckConstraint(f"{column} >= 0", name=f"{column}_not_negative") for column in columns]


def share(column: str) -> CheckConstraint:
    """The column is a share of one, from 0 to 1."""
    return CheckConstraint(f"{column} between 0 and 1", name=f"{column}_share")


def is_currency(column: str = "currency") -> CheckConstraint:
    return CheckConstraint(f"{column} ~ '^[A-Z]{{3}}$'", name=f"{column}_code")


def deleted_once() -> CheckConstraint:
    """The two marks of a deletion say the same."""
    return CheckConstraint("(status = 'deleted') = (deleted_at is not null)", name="deleted_once")


# Columns of the ORM classes. Ids and instants are also made by the database, for rows that no class writes.


def uuid_pk() -> Mapped[UUID]:
    return mapped_column(Uuid, primary_key=True, server_default=text("gen_random_uuid()"))


def created_at() -> Mapped[datetime]:
    return mapped_column(INSTANT, server_default=func.now())


def updated_at() -> Mapped[datetime]:
    """Kept by a trigger of the table's schema."""
    return mapped_column(INSTANT, server_default=func.now(), server_onupdate=FetchedValue())


def instant() -> Mapped[datetime | None]:
    return mapped_column(INSTANT)


def money() -> Mapped[Decimal]:
    return mapped_column(MONEY)


def money_zero() -> Mapped[Decimal]:
    return mapped_column(MONEY, server_default=text("0"))


def optional_money() -> Mapped[Decimal | None]:
    return mapped_column(MONEY)


def sum_zero() -> Mapped[Decimal]:
    return mapped_column(SUM, server_default=text("0"))


def optional_sum() -> Mapped[Decimal | None]:
    return mapped_column(SUM)


def flag(*, default: bool = False) -> Mapped[bool]:
    return mapped_column(Boolean, server_default=text("true" if default else "false"))


def counter() -> Mapped[int]:
    return mapped_column(Integer, server_default=text("0"))


def version_number() -> Mapped[int]:
    return mapped_column(BigInteger, server_default=text("0"))


def word(length: int, default: str) -> Mapped[str]:
    """A status or kind, whose set a CHECK names."""
    return mapped_column(String(length), server_default=text(f"'{default}'"))


def json_object(name: str | None = None) -> Mapped[dict[str, Any]]:
    kwargs: dict[str, Any] = {"server_default": text("'{}'::jsonb")}
    return mapped_column(name, JSONB, **kwargs) if name else mapped_column(JSONB, **kwargs)


def operational_tables(metadata: MetaData) -> None:
    """The tables that every domain has: its jobs, the fences of jobs of other domains, its idempotency keys."""
    now = func.now()
    Table(
        "jobs",
        metadata,
        Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
        Column("user_id", Uuid, comment="NULL: upkeep, which only the system sees"),
        Column("topic", String(100), nullable=False),
        Column("key", String(255), nullable=False),
        Column("payload", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
        Column("state", String(20), nullable=False, server_default=text("'queued'")),
        Column("run_at", INSTANT, nullable=False, server_default=now),
        Column("attempt", Integer, nullable=False, server_default=text("0")),
        Column("max_attempts", Integer, nullable=False, server_default=text("8")),
        Column("lease_token", BigInteger, nullable=False, server_default=text("0")),
        Column("leased_until", INSTANT),
        Column("dirty", Boolean, nullable=False, server_default=text("false")),
        Column("last_error", Text),
        Column("created_at", INSTANT, nullable=False, server_default=now),
        Column("finished_at", INSTANT),
        one_of("state", "queued", "running", "done", "dead"),
        CheckConstraint("state <> 'running' or leased_until is not null", name="running_is_leased"),
        CheckConstraint("max_attempts > 0", name="max_attempts_positive"),
        Index("uq_jobs_live", "topic", "key", unique=True, postgresql_where=text("state in ('queued', 'running')")),
        Index("ix_jobs_due", "run_at", postgresql_where=text("state = 'queued'")),
        Index("ix_jobs_leased", "leased_until", postgresql_where=text("state = 'running'")),
        Index("ix_jobs_user_id", "user_id"),
    )
    Table(
        "applied_jobs",
        metadata,
        Column("job_id", Uuid, primary_key=True),
        Column("user_id", Uuid),
        Column("outcome", JSONB, comment="what the job's effect in this domain came to, for a run that repeats it"),
        Column("applied_at", INSTANT, nullable=False, server_default=now),
    )
    Table(
        "idempotency_keys",
        metadata,
        Column("user_id", Uuid, primary_key=True),
        Column("mutation", String(100), primary_key=True),
        Column("key", String(255), primary_key=True),
        Column("fingerprint", String(64), nullable=False),
        Column("answer", JSONB),
        Column("created_at", INSTANT, nullable=False, server_default=now),
    )


def _metadata(domain: str) -> MetaData:
    metadata = MetaData(schema=schema_of(domain), naming_convention=NAMING)
    operational_tables(metadata)
    return metadata


_METADATA: Final = {domain: _metadata(domain) for domain in DOMAINS}


def metadata_of(domain: str) -> MetaData:
    """The domain's tables: those that all domains have, and, once `db.<domain>.models` is imported, its own."""
    return _METADATA[domain]


def jobs_table(domain: str) -> Table:
    return _METADATA[domain].tables[f"{schema_of(domain)}.jobs"]


def applied_jobs_table(domain: str) -> Table:
    return _METADATA[domain].tables[f"{schema_of(domain)}.applied_jobs"]


def idempotency_keys_table(domain: str) -> Table:
    return _METADATA[domain].tables[f"{schema_of(domain)}.idempotency_keys"]


def table_of(model: type[DeclarativeBase]) -> Table:
    """The Core table under an ORM class, which statements are written with."""
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not mapped to a table")
    return table
