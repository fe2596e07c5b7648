"""The trail is only ever added to: by grants, and by triggers on each partition, also for its owner."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.embedded import Embedded
from tests.db.samples import Samples, insert, login, sample_rows

LOGS = "audit_schema.audit_logs"
TODAY = datetime.now(UTC).date()
PARTITION = f"{LOGS}_{TODAY:%Y_%m}"
FAR = 200


def of_trail(rows: Samples) -> Samples:
    return {table: row for table, row in rows.items() if table in (LOGS, "audit_schema.audit_heads")}


@pytest.mark.parametrize("statement", ["update {} set action = 'OTHER'", "delete from {}", "truncate {}"])
@pytest.mark.parametrize("table", [LOGS, PARTITION, "{later}"])
@pytest.mark.parametrize("role", ["superuser", "owner", "system", "app"])
async def test_no_entry_is_changed_or_taken_out_by_anybody(servers: Embedded, role: str, table: str, statement: str) -> None:
    """Nor one in a partition that was made later; nobody but the owner and the superuser even gets as far as the trigger."""
    later = TODAY + timedelta(days=FAR)
    table = table.format(later=f"{LOGS}_{later:%Y_%m}")
    user = uuid4()

    async with login(servers.superuser_dsn) as connection:
        await connection.execute("select audit_schema.ensure_month($1)", later)
        for name, row in of_trail(sample_rows(user)).items():
            await insert(connection, name, row)
        await connection.execute(f"set local app.user_id = '{user}'")
        if role != "superuser":
            await connection.execute(f"set local role florin_{role}")

        with pytest.raises(asyncpg.InsufficientPrivilegeError) as refused:
            await connection.execute(statement.format(table))

    is_by_trigger = "the audit trail is never changed" in str(refused.value)
    assert is_by_trigger == (role in ("superuser", "owner"))


async def test_nobody_reads_a_partition_but_through_the_trail(servers: Embedded) -> None:
    user = uuid4()
    async with login(servers.superuser_dsn) as connection:
        for name, row in of_trail(sample_rows(user)).items():
            await insert(connection, name, row)
        await connection.execute(f"set local app.user_id = '{user}'")
        await connection.execute("set local role florin_owner")
        assert await connection.fetchval(f"select count(*) from {PARTITION}") == 0
        await connection.execute("set local role florin_app")
        assert await connection.fetchval(f"select count(*) from {LOGS}") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval(f"select count(*) from {PARTITION}")


@pytest.mark.parametrize("days", [-401, 401, None])
async def test_no_month_is_made_far_from_today(servers: Embedded, days: int | None) -> None:
    day = None if days is None else TODAY + timedelta(days=days)

    async with login(servers.dsns.app, uuid4()) as app:
        with pytest.raises(asyncpg.DatetimeFieldOverflowError, match="more than 400 days from today"):
            await app.fetchval("select audit_schema.ensure_month($1)", day)


async def test_a_month_is_made_once_and_holds_its_first_and_last_instant(servers: Embedded) -> None:
    month = (TODAY + timedelta(days=FAR)).replace(day=1)
    first = datetime(month.year, month.month, 1, tzinfo=UTC)
    last = (first + timedelta(days=32)).replace(day=1) - timedelta(microseconds=1)
    partition = f"audit_logs_{month:%Y_%m}"

    async with login(servers.superuser_dsn) as connection:
        await connection.execute("set local timezone = 'Pacific/Auckland'")
        made = [await connection.fetchval("select audit_schema.ensure_month($1)", day) for day in (month, last.date())]
        for at in (first, last):
            await insert(connection, LOGS, sample_rows(uuid4())[LOGS] | {"timestamp": at})
        where = await connection.fetch(f"select tableoid::regclass::text from {LOGS} where timestamp in ($1, $2)", first, last)

    assert made == [True, False]
    assert [row[0].removeprefix("audit_schema.") for row in where] == [partition, partition]


@pytest.mark.parametrize("months", [0, 12, 7 * 12 - 1])
async def test_a_month_that_must_be_kept_is_not_dropped(servers: Embedded, months: int) -> None:
    number = TODAY.year * 12 + TODAY.month - 1 - months
    month = date(number // 12, number % 12 + 1, 1)

    async with login(servers.dsns.system) as system:
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="is kept"):
            await system.fetchval("select audit_schema.drop_month($1)", month)


async def test_only_the_system_may_drop_a_month(servers: Embedded) -> None:
    async with login(servers.dsns.app, uuid4()) as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.fetchval("select audit_schema.drop_month('2001-01-01')")
    async with login(servers.dsns.system) as system:
        assert await system.fetchval("select audit_schema.drop_month('2001-01-01')") is False


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        (LOGS, {"action": "user login"}),
        (LOGS, {"service_name": "elsewhere"}),
        (LOGS, {"sequence": 0}),
        (LOGS, {"entry_hash": b"short"}),
        ("audit_schema.audit_heads", {"dropped_sequence": 2}),
        ("audit_schema.data_export_requests", {"status": "done"}),
        ("audit_schema.data_export_requests", {"export_format": "xml"}),
        ("audit_schema.data_export_requests", {"status": "cancelled"}),
        ("audit_schema.deletion_requests", {"status": "done"}),
        ("audit_schema.deletion_requests", {"reason": "x" * 2001}),
        ("audit_schema.deletion_requests", {"cancelled_at": datetime.now(UTC)}),
        ("audit_schema.legal_holds", {"released_at": datetime(2001, 1, 1, tzinfo=UTC)}),
    ],
)
async def test_what_contradicts_itself_is_refused(servers: Embedded, table: str, changes: dict[str, Any]) -> None:
    row = sample_rows(uuid4()).get(table, {"reason": "a lawsuit", "placed_by": "operator"}) | changes

    async with login(servers.superuser_dsn) as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await insert(connection, table, row)


async def test_a_user_has_one_chain_and_so_has_nobody(servers: Embedded) -> None:
    user = uuid4()
    async with login(servers.superuser_dsn) as connection:
        for owner in (user, None):
            await connection.execute("insert into audit_schema.audit_heads (user_id) values ($1) on conflict do nothing", owner)
            with pytest.raises(asyncpg.UniqueViolationError):
                async with connection.transaction():
                    await connection.execute("insert into audit_schema.audit_heads (user_id) values ($1)", owner)
