"""What of the tables is exported: all that is somebody's, or a reason stands here why not."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import LargeBinary

from db import export
from db.base import DOMAINS
from db.connection import Row
from db.engines import Db, Viewer
from db.export import COLUMNS_LEFT_OUT, LEFT_OUT, OPERATIONAL, ExportTable, all_tables, is_left_out, is_users, stream_rows, tables_of
from domains.audit import sealing
from tests.db.samples import insert, superuser
from tests.servers.suite import Servers

#: Tables without a row of anybody's.
SHARED = {
    "transaction_schema.categories",
    "transaction_schema.exchange_rates",
    "analytics_schema.merchant_categories",
    "notification_schema.notification_templates",
    "notification_schema.notification_stats",
}
#: Words that columns are called by which nobody may export.
SECRETS = re.compile("password_hash|secret|token|encrypted|cursor|cipher|wrapped|hash|fingerprint")
#: What is called so and is none: they say when, or of which text.
NO_SECRETS = {"analytics_schema.llm_query_cache.tokens_used", "analytics_schema.llm_query_cache.query_hash"}
NO_SECRETS |= {"bank_schema.bank_connections.token_expires_at"}

EXPORTED = {table.key: table for domain in DOMAINS for table in tables_of(domain)}


def test_every_table_is_exported_or_says_why_not() -> None:
    everything = {table.key: table for table in all_tables()}

    assert {key for key, table in everything.items() if not is_users(table)} == SHARED
    assert set(EXPORTED) == {key for key, table in everything.items() if is_users(table) and not is_left_out(table)}
    assert len(EXPORTED) >= 27
    assert set(LEFT_OUT) <= set(everything)
    assert {table.name for table in everything.values()} >= set(OPERATIONAL)
    for key, columns in COLUMNS_LEFT_OUT.items():
        assert set(columns) <= set(everything[key].c.keys()), key


def test_no_secret_is_exported_and_whatever_is_sealed_is_opened_or_left_out() -> None:
    named = {f"{key}.{column.name}" for key, table in EXPORTED.items() for column in table.columns if SECRETS.search(column.name)}
    assert named == NO_SECRETS

    bytes_of = {table.key: {column.name for column in table.c if isinstance(column.type, LargeBinary)} for table in all_tables()}
    unread = {key: bytes_of[key] - set(COLUMNS_LEFT_OUT.get(key, {})) for key in EXPORTED}
    assert {key: columns for key, columns in unread.items() if columns} == {sealing.TABLE: set(sealing.SEALED)}


def test_files_have_names_of_their_own_and_every_table_says_what_it_holds() -> None:
    names = [(table.domain, table.name) for table in EXPORTED.values()]

    assert len(set(names)) == len(names)
    assert ("transaction", "transactions") in names
    assert [table.key for table in EXPORTED.values() if not table.about] == []


async def test_rows_come_in_bounded_batches_and_nobody_elses(db: Db, servers: Servers) -> None:
    """Of 2,500 small rows, 1,000 at most at once; of rows of 200 KB, as many as the bytes allow."""
    small, large = Viewer(uuid4()), Viewer(uuid4())
    async with superuser(servers.databases["notification"]) as connection:
        await connection.execute(
            "insert into notification_schema.notifications (user_id, type, channel, message)"
            " select $1, 'insight', 'in_app', 'n' || n from generate_series(1, 2500) n",
            small.user_id,
        )
        await connection.execute(
            "insert into notification_schema.notifications (user_id, type, channel, message)"
            " select $1, 'insight', 'in_app', repeat('x', 200000) from generate_series(1, 130)",
            large.user_id,
        )
    table = EXPORTED["notification_schema.notifications"]

    of_small, of_large = [await batches(db, each, table) for each in (small, large)]

    assert [len(batch) for batch in of_small] == [100, 1000, 1000, 400]
    assert {row.message for batch in of_small for row in batch} == {f"n{n}" for n in range(1, 2501)}
    assert [len(batch) for batch in of_large] == [100, 10, 10, 10]
    ids = [row.id for batch in of_small for row in batch]
    assert ids == sorted(ids)


async def batches(db: Db, viewer: Viewer, table: ExportTable) -> list[Sequence[Row]]:
    async with db.read(table.domain, viewer) as read:
        return [batch async for batch in stream_rows(read, table)]


async def test_all_of_a_domain_is_read_in_one_snapshot(db: Db, servers: Servers) -> None:
    viewer = Viewer(uuid4())
    goals, budgets = EXPORTED["budget_schema.savings_goals"], EXPORTED["budget_schema.budgets"]
    async with db.read("budget", viewer) as read:
        assert [batch async for batch in stream_rows(read, goals)] == []
        await add_budget(servers, viewer.user_id)
        during = [batch async for batch in stream_rows(read, budgets)]
    after = await batches(db, viewer, budgets)

    assert during == []
    assert [len(batch) for batch in after] == [1]


async def add_budget(servers: Servers, user_id: UUID) -> None:
    row: dict[str, Any] = {"user_id": user_id, "category": "FOOD_AND_DRINK", "amount": 5, "currency": "EUR", "start_date": date(2026, 1, 1)}
    async with superuser(servers.databases["budget"]) as connection:
        await insert(connection, "budget_schema.budgets", row)


async def test_a_batch_is_weighed_by_what_is_long_in_it(monkeypatch: pytest.MonkeyPatch, db: Db, servers: Servers) -> None:
    """One row at a time where one alone is all that a batch may have."""
    viewer = Viewer(uuid4())
    for _ in range(3):
        await add_budget(servers, viewer.user_id)
    monkeypatch.setattr(export, "ROWS_AT_MOST", 20)
    monkeypatch.setattr(export, "BATCH_BYTES", 10)

    found = await batches(db, viewer, EXPORTED["budget_schema.budgets"])

    assert [len(batch) for batch in found] == [2, 1]
