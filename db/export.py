"""Everything that is stored of one user, read from the tables themselves: what a table is, its metadata says.

A table that somebody adds is exported without a line here, with all its columns; what is not exported stands below with its reason.
Rows are read as the viewer, with the application's role: row security guards them as it does elsewhere.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final, Literal

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    Numeric,
    Select,
    Table,
    Text,
    cast,
    select,
)
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.dialects.postgresql import JSONB

from db.base import DOMAINS, metadata_of
from db.connection import Row
from db.read import Read
from db.statements import Statement, compiled, leaf, owned

#: How a value is written: numbers that are not exact in every reader are text in JSON.
Kind = Literal["text", "integer", "decimal", "boolean", "instant", "date", "json", "list", "bytes"]

_OPERATION: Final = "bookkeeping of the server: what it has to do, or has done, for the rows that are exported"
#: Tables that every domain has.
OPERATIONAL: Final[Mapping[str, str]] = dict.fromkeys(("jobs", "applied_jobs", "idempotency_keys"), _OPERATION)
#: Tables with rows of a user that are not exported, and why.
LEFT_OUT: Final[Mapping[str, str]] = {
    "user_schema.user_keys": "the key that your data is encrypted with: a secret",
    "bank_schema.bank_revocations": "access to a bank that it is being told to end, for a day at most: secrets",
    "transaction_schema.transactions": "exported by way of the view that shows you yours, as transaction/transactions",
    "transaction_schema.transaction_keys": "bookkeeping of imports: how a transaction is recognised; its ids stand with the transaction",
    "transaction_schema.ledgers": "a counter of changes",
    "audit_schema.audit_heads": "the end of the audit trail's chain, which proves that nothing was taken out of it on the server",
    "audit_schema.export_chunks": "files like this one",
    "audit_schema.legal_holds": "the operator's orders of what must be kept; whoever they are about need not be told",
}
_SECRET: Final = "a secret"  # noqa: S105 - the reason, and no secret
_PROVIDER: Final = "what a provider and this server know each other by"
_CHAIN: Final = "proves on the server that the trail is whole: it is made of what is stored, which is encrypted"
#: Columns of exported tables that are left out, and why.
COLUMNS_LEFT_OUT: Final[Mapping[str, Mapping[str, str]]] = {
    "user_schema.users": {"password_hash": _SECRET, "two_factor_secret": _SECRET},
    "user_schema.oauth_connections": dict.fromkeys(("access_token", "refresh_token", "token_expires_at"), "a secret, never kept"),
    "bank_schema.bank_connections": {
        "access_token_encrypted": _SECRET,
        "refresh_token_encrypted": _SECRET,
        "provider_item_id": _PROVIDER,
        "sync_cursor": _PROVIDER,
    },
    "bank_schema.bank_links": {"secret_encrypted": _SECRET, "state_digest": _PROVIDER},
    "bank_schema.uploads": {"ciphertext": "the statement that you sent, kept until it is imported, for a day at most"},
    "analytics_schema.transaction_embeddings": {"embedding": "what a model made of text_content: numbers that mean nothing without it"},
    "audit_schema.audit_logs": {"previous_hash": _CHAIN, "entry_hash": _CHAIN},
    "audit_schema.data_export_requests": {"build_id": _OPERATION},
    "audit_schema.deletion_requests": {"approved_by": "who approved it, which tells of somebody else"},
}
#: What a view is called in an export: the table that it shows.
_NAMES: Final = {"own_transactions": "transactions"}
#: Orders that an index serves; other tables are read in the order of their keys.
_ORDERS: Final = {"own_transactions": ("transaction_date", "id"), "audit_logs": ("sequence", "id")}

#: What is fetched at once: rows, and about how many bytes.
ROWS_AT_MOST: Final = 1_000
BATCH_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ExportColumn:
    name: str
    kind: Kind
    about: str | None


@dataclass(frozen=True, slots=True)
class ExportTable:
    """A table of a domain as it is exported. `key` is its name with the schema, `name` the one in the export."""

    domain: str
    key: str
    name: str
    about: str
    columns: tuple[ExportColumn, ...]
    left_out: Mapping[str, str]


def tables_of(domain: str) -> list[ExportTable]:
    """The tables that hold rows of a user and are exported, parents before children."""
    return [_described(domain, table) for table in _tables(domain) if is_users(table) and not is_left_out(table)]


def all_tables() -> list[Table]:
    """Every table of every domain."""
    return [table for domain in DOMAINS for table in _tables(domain)]


def _tables(domain: str) -> list[Table]:
    _abouts(domain)
    return metadata_of(domain).sorted_tables


@cache
def _abouts(domain: str) -> Mapping[str, str]:
    """What the tables of a domain hold, as their classes say it. A domain's tables are known once its models are imported."""
    mappers = import_module(f"db.{domain}.models").Base.registry.mappers
    said = {str(mapper.local_table.key): (mapper.class_.__doc__ or "").strip() for mapper in mappers}
    return {key: " ".join(text.partition("\n\n")[0].split()) for key, text in said.items()}


def is_users(table: Table) -> bool:
    """Whether a row of it is somebody's, by its own column or by its parent's."""
    return _owner(table) is not None


def is_left_out(table: Table) -> bool:
    return table.name in OPERATIONAL or table.key in LEFT_OUT


def _owner(table: Table) -> Table | None:
    """The table whose rows say whose this one's rows are: itself, or a parent of its own schema."""
    if table.name == "users" or "user_id" in table.c:
        return table
    return next((parent for parent in _parents(table) if _owner(parent) is not None), None)


def _parents(table: Table) -> list[Table]:
    return [key.column.table for key in table.foreign_keys if key.column.table is not table]


def _described(domain: str, table: Table) -> ExportTable:
    left_out = COLUMNS_LEFT_OUT.get(table.key, {})
    columns = tuple(ExportColumn(str(each.name), kind_of(each), each.comment) for each in table.c if each.name not in left_out)
    return ExportTable(domain, table.key, _NAMES.get(table.name, table.name), _abouts(domain).get(table.key, ""), columns, left_out)


def kind_of(column: Column[Any]) -> Kind:
    match column.type:
        case Boolean():
            return "boolean"
        case Integer():
            return "integer"
        case Numeric():
            return "decimal"
        case DateTime():
            return "instant"
        case Date():
            return "date"
        case JSONB():
            return "json"
        case ARRAY():
            return "list"
        case LargeBinary():
            return "bytes"
    return "text"


@compiled
def _own_rows(domain: str, key: str) -> Select[Any]:
    """All of the viewer's rows of a table, the columns that are exported."""
    table = metadata_of(domain).tables[key]
    names = [column.name for column in table.c if column.name not in COLUMNS_LEFT_OUT.get(key, {})]
    return select(*(_readable(table.c[name]).label(name) for name in names)).where(_is_own(table)).order_by(*_order(table))


def _readable(column: Column[Any]) -> ColumnElement[Any]:
    return cast(column, Text) if kind_of(column) == "json" else leaf(column)


def _is_own(table: Table) -> ColumnElement[bool]:
    if table.name == "users" or "user_id" in table.c:
        return owned(table)
    parent = _owner(table)
    key = next(each for each in table.foreign_keys if each.column.table is parent)
    assert parent is not None  # noqa: S101 - it is exported
    return key.parent.in_(select(key.column).where(_is_own(parent)))


def _order(table: Table) -> list[ColumnElement[Any]]:
    keys: Sequence[Column[Any]] = [table.c[name] for name in _ORDERS.get(table.name, ())] or list(table.primary_key)
    if not keys:
        keys = next(list(each.columns) for each in table.constraints if isinstance(each, Unique))
    return [column for column in keys if column.name != "user_id"] or list(keys)


async def stream_rows(read: Read, table: ExportTable) -> AsyncIterator[Sequence[Row]]:
    """The viewer's rows of a table in the read's snapshot, in batches: through a cursor, which ends with the transaction.

    A batch has at most ROWS_AT_MOST rows; how many is what BATCH_BYTES hold of rows like those of the batch before.
    JSON comes as its text, exact numbers as text.
    """
    rows = _own_rows(table.domain, table.key)
    cursor = f"export_{table.name}"
    await read.rows(Statement(f"declare {cursor} no scroll cursor for {rows.sql}", rows.names, rows.literals))
    wanted = ROWS_AT_MOST // 10
    while True:
        batch = await read.rows(Statement(f"fetch {wanted} from {cursor}", (), {}))
        if batch:
            yield batch
        if len(batch) < wanted:
            break
        row_bytes = sum(map(_weight, batch)) // len(batch)
        wanted = next(size for size in (ROWS_AT_MOST, ROWS_AT_MOST // 10, 10, 1) if size == 1 or size * row_bytes <= BATCH_BYTES)
    await read.rows(Statement(f"close {cursor}", (), {}))


def _weight(row: Row) -> int:
    """About as many bytes as a row takes, from what may be long in it."""
    return 200 + sum(len(value) for value in row if isinstance(value, str | bytes | list))
