"""Every table and column of the database design document is in the models, or its absence is in the corrections; and so are the types.

Neither text is part of the repository. DESIGN_DOCUMENTS names their folder, or it lies beside the repository.
"""

import os
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import Column, DateTime, Numeric, String, Table

from db.base import DOMAINS, metadata_of, schema_of

BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "spec"
FOLDER = Path(os.environ.get("DESIGN_DOCUMENTS") or BESIDE)

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="DESIGN_DOCUMENTS does not name the folder of the design documents")

TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\);", re.DOTALL)
SCHEMA = re.compile(r"CREATE SCHEMA IF NOT EXISTS (\w+);")
COLUMN = re.compile(r"^  ([a-z_]+) ([A-Za-z]+)(?:\((\d+)(?:, ?(\d+))?\))?([^,]*)", re.MULTILINE)
#: Words that begin a line of a table and no column.
CLAUSES = {"CONSTRAINT", "UNIQUE", "PRIMARY", "FOREIGN", "CHECK"}

#: Columns with a default in the document that may be empty all the same, with the correction that says so.
MAY_BE_NULL = {
    "budget_utilization.percentage_used": "C8: NULL where the budget allows nothing",
    "audit_logs.metadata": "C36: sealed, and gone with the user's key",
}


class Said(NamedTuple):
    """A column of the document."""

    schema: str
    table: str
    name: str
    kind: str
    size: int | None
    has_default: bool

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


@cache
def corrections() -> str:
    return (FOLDER / "corrections.md").read_text()


@cache
def said() -> tuple[Said, ...]:
    """Every column of the document, in its order."""
    text = (FOLDER / "database-design.md").read_text()
    found: list[Said] = []
    schemas = [(match.start(), match[1]) for match in SCHEMA.finditer(text)]
    for table in TABLE.finditer(text):
        schema = next(name for start, name in reversed(schemas) if start < table.start())
        for name, kind, size, _, rest in COLUMN.findall(re.sub(r"/\*.*?\*/|--[^\n]*", "", table[2], flags=re.DOTALL)):
            if name.upper() not in CLAUSES:
                found.append(Said(schema, table[1], name, kind.upper(), int(size) if size else None, "DEFAULT" in rest))
    return tuple(found)


@cache
def tables() -> dict[tuple[str, str], Table]:
    for domain in DOMAINS:
        import_module(f"db.{domain}.models")
    return {(schema_of(domain), table.name): table for domain in DOMAINS for table in metadata_of(domain).tables.values()}


def column_of(said: Said) -> Column[object] | None:
    table = tables().get((said.schema, said.table))
    return None if table is None else table.c.get(said.name)


def built() -> list[tuple[Said, Column[object]]]:
    return [(each, column) for each in said() if (column := column_of(each)) is not None]


def test_the_document_is_read_whole() -> None:
    assert len({(each.schema, each.table) for each in said()}) == 27
    assert len(said()) == 385


def test_every_table_of_the_document_is_in_the_models() -> None:
    assert {(each.schema, each.table) for each in said()} - tables().keys() == set()


def test_every_column_of_the_document_is_in_the_models_or_in_the_corrections() -> None:
    missing = [each for each in said() if column_of(each) is None]

    assert [str(each) for each in missing if not is_corrected(each)] == []


def is_corrected(said: Said) -> bool:
    """Whether one correction speaks of this very column: it has its name, and the table's where the name alone would not do."""
    rows = [row for row in corrections().splitlines() if re.search(rf"\b{said.name}\b", row)]
    return any(is_only_one(said) or re.search(rf"\b{said.table}\b", row) for row in rows)


def is_only_one(column: Said) -> bool:
    """Whether no other table of the document has a column of this name."""
    return sum(each.name == column.name for each in said()) == 1


def test_every_instant_knows_its_zone() -> None:
    naive = [
        str(each)
        for each, column in built()
        if each.kind == "TIMESTAMP" and not (isinstance(column.type, DateTime) and column.type.timezone)
    ]

    assert naive == []


def test_what_has_a_default_is_never_null() -> None:
    nullable = [str(each) for each, column in built() if each.has_default and column.nullable]

    assert [name for name in nullable if name not in MAY_BE_NULL] == []


def test_no_amount_is_kept_with_fewer_digits() -> None:
    narrow = [
        str(each)
        for each, column in built()
        if each.kind == "DECIMAL"
        and each.size == 15
        and not (isinstance(column.type, Numeric) and (column.type.precision or 99) >= 19 and column.type.scale == 4)
    ]

    assert narrow == []


def test_no_text_is_kept_shorter() -> None:
    cut = [
        str(each)
        for each, column in built()
        if each.kind == "VARCHAR"
        and each.size is not None
        and isinstance(column.type, String)
        and (column.type.length or 10**9) < each.size
    ]

    assert cut == []
