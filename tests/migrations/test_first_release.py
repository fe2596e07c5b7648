"""A database that has been used since the first release comes to this one with its rows, and goes back."""

from typing import Any
from uuid import uuid4

from db.base import DOMAINS
from migrations.run import check_async, downgrade_async, upgrade_async
from tests.db.samples import Samples, insert_all, sample_rows
from tests.migrations.fresh import Fresh

#: Where each domain's history was then; audit and notification had none.
FIRST = {
    "user": "user_0001",
    "bank": "bank_0001",
    "transaction": "transaction_0002",
    "analytics": "analytics_0001",
    "budget": "budget_0002",
    "notification": "base",
    "audit": "base",
}


async def rows_of_then(connection: Any) -> Samples:
    """A row for each table that there was, of the columns that there were."""
    columns: dict[str, set[str]] = {}
    for table, column in await connection.fetch("select table_schema || '.' || table_name, column_name from information_schema.columns"):
        columns.setdefault(table, set()).add(column)
    return {
        table: {name: value for name, value in row.items() if name in columns[table]}
        for table, row in sample_rows(uuid4()).items()
        if table in columns
    }


async def stored(connection: Any, tables: Samples) -> dict[str, list[dict[str, Any]]]:
    """What the columns that there were then hold now."""
    found = {}
    for table, row in tables.items():
        rows = await connection.fetch(f"select * from {table}")
        found[table] = sorted(({name: str(each[name]) for name in row} for each in rows), key=str)
    return found


async def test_rows_of_the_first_release_are_there_after_every_migration_up_and_down(fresh: Fresh) -> None:
    await upgrade_async(fresh.owner)
    for domain, revision in FIRST.items():
        await downgrade_async(fresh.owner, [domain], revision)
    async with fresh.connect("superuser") as superuser:
        people = [await rows_of_then(superuser) for _ in range(3)]
        for rows in people:
            await insert_all(superuser, rows)
        before = await stored(superuser, people[0])

    await upgrade_async(fresh.owner)

    await check_async(fresh.owner)
    async with fresh.connect("superuser") as superuser:
        after = await stored(superuser, people[0])
    for domain, revision in FIRST.items():
        await downgrade_async(fresh.owner, [domain], revision)
    async with fresh.connect("superuser") as superuser:
        again = await stored(superuser, people[0])
    assert set(FIRST) <= set(DOMAINS)
    assert len(before) > 10
    assert {table: len(rows) for table, rows in before.items()} == dict.fromkeys(before, len(people))
    assert after == before
    assert again == before
