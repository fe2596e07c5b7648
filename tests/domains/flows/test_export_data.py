"""A copy of all that is stored of somebody: what is in it, who gets it, and what is left of it when something goes wrong."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from db.audit import queries_exports
from db.base import DOMAINS
from db.engines import Db, Viewer
from db.export import tables_of
from domains.audit.errors import DataExportAlreadyRequested, DataExportLimitReached, DataExportRequestNotFound
from domains.audit.service.answer_exports import end_exports
from domains.core.audit import Action
from domains.core.clock import FixedClock
from domains.flows import export_data
from domains.flows.audit_trail import open_trail
from domains.flows.data_requests import cancel_export
from domains.flows.export_data import open_download, run_export
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.db.samples import superuser
from tests.domains.audit.exports import (
    age,
    answer,
    ask,
    chunks_of,
    erase_key,
    exported,
    fetched,
    job_of,
    row_of,
    rows_in,
    store_samples,
    unpacked,
)
from tests.domains.audit.trail import settle, told
from tests.domains.flows.rows import GROCERIES, add_rows, row
from tests.resolvers.test_tenancy import unfiltered
from tests.servers.suite import Servers
from tests.workers.conftest import change

SAID = {"amount": "-12.50", "note": "äöü"}


@pytest.fixture
async def robin(make_user: MakeUser) -> Viewer:
    return await make_user()


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small household fills several."""
    monkeypatch.setattr(export_data, "PIECE_BYTES", 1_000)


async def note(services: Services, viewer: Viewer) -> None:
    trail = await open_trail(services, viewer)
    async with services.db.write("user", viewer) as session:
        await trail.note(session, Action.PREFERENCES_UPDATED, new=SAID)
    await settle(services, viewer.user_id)


# What is in it


async def test_a_small_household(services: Services, robin: Viewer) -> None:
    await add_rows(services, robin, [row(date(2026, 1, 5), "12.50"), row(date(2026, 2, 5), "7.25", category="X", merchant_name="=1+1")])
    await note(services, robin)

    files = await exported(services, robin)
    tables = rows_in(files)

    assert {name: len(rows) for name, rows in tables.items()} == {
        "user/users": 1,
        "transaction/transactions": 2,
        "transaction/monthly_category_summary": 2,
        "audit/audit_logs": 1,
        "audit/data_export_requests": 1,
    }
    first, second = tables["transaction/transactions"]
    of_first = {"transaction_date": "2026-01-05", "amount": "12.5000", "effective_category": GROCERIES, "category_name": "Groceries"}
    assert first | of_first == first
    assert (second["merchant_name"], second["effective_category"], second["category_name"]) == ("=1+1", "X", None)
    [user] = tables["user/users"]
    assert user["email"] == f"{robin.user_id}@example.com"
    assert user.keys().isdisjoint({"password_hash", "two_factor_secret"})
    [entry] = tables["audit/audit_logs"]
    assert (entry["action"], entry["new_values"], entry["old_values"]) == ("PREFERENCES_UPDATED", SAID, None)
    [request] = tables["audit/data_export_requests"]
    assert (request["status"], request["export_format"]) == ("processing", "json")


async def test_the_readme_says_what_is_there(services: Services, robin: Viewer) -> None:
    await add_rows(services, robin, [row(date(2026, 1, 5), "12.50")])

    files = await exported(services, robin, "csv")
    readme = json.loads(files["README.json"])

    assert (readme["layout"], readme["format"], readme["user"]) == (1, "csv", str(robin.user_id))
    assert list(readme["snapshots"]) == list(DOMAINS)
    assert {name for table in readme["tables"] for name in table["files"]} == set(files) - {"README.json"}
    assert [f"{each['domain']}/{each['table']}" for each in readme["tables"]] == [
        f"{domain}/{table.name}" for domain in DOMAINS for table in tables_of(domain)
    ]
    counts = {each["table"]: each["rows"] for each in readme["tables"]}
    assert (counts["transactions"], counts["budgets"]) == (1, 0)
    assert {each["table"] for each in readme["leftOut"]} >= {"user_schema.user_keys", "*.jobs"}
    lines = files["transaction/transactions.csv"].decode().split("\r\n")
    assert ('12.5000,"USD","debit"' in lines[1], lines[2:]) == (True, [""])


async def test_a_row_of_every_table_and_nothing_of_anybody_else(services: Services, servers: Servers) -> None:
    """Also when the application's owner filter lets everything through: then what is everybody's is in it too."""
    anna, ben = Viewer(uuid4()), Viewer(uuid4())
    for viewer in (anna, ben):
        await store_samples(servers, viewer.user_id)

    filtered = await exported(services, anna)
    request_id = await ask(services, anna)
    with unfiltered():
        assert await answer(services, request_id) == "done"
    bare = unpacked(await fetched(services, anna, request_id))

    every = {f"{domain}/{table.name}" for domain in DOMAINS for table in tables_of(domain)}
    assert set(rows_in(filtered)) == set(rows_in(bare)) == every
    for files in (filtered, bare):
        content = b"".join(files.values()).decode()
        assert str(anna.user_id) in content
        assert str(ben.user_id) not in content
    ids = {name: {line.get("user_id", str(anna.user_id)) for line in rows} for name, rows in rows_in(bare).items()}
    assert {name for name, owners in ids.items() if owners != {str(anna.user_id)}} <= {"analytics/llm_query_cache"}


async def test_what_an_earlier_key_sealed_is_left_empty(services: Services, servers: Servers, robin: Viewer) -> None:
    await note(services, robin)
    await erase_key(services, servers, robin)
    await note(services, robin)

    entries = rows_in(await exported(services, robin))["audit/audit_logs"]

    assert [entry["new_values"] for entry in entries] == [None, SAID]


async def test_a_hundred_thousand_transactions_are_read_in_bounded_batches(
    services: Services, servers: Servers, robin: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 100_000
    async with superuser(servers.databases["transaction"]) as connection:
        await connection.execute(
            """
            insert into transaction_schema.transactions
              (user_id, account_id, transaction_date, provider, provider_transaction_id, amount, direction, description)
            select $1, gen_random_uuid(), current_date - n % 28, 'file', n::text, n, 'debit', 'number ' || n
            from generate_series(1, $2::int) n
            """,
            robin.user_id,
            count,
        )
    sizes: list[int] = []
    held: list[int] = []
    real = export_data.stream_rows

    async def counted(*given: Any) -> AsyncIterator[Any]:
        async for batch in real(*given):
            sizes.append(len(batch))
            yield batch

    monkeypatch.setattr(export_data, "stream_rows", counted)
    real_take = export_data.Sink.take_full

    def taken(sink: Any) -> list[bytes]:
        held.append(len(sink._held))
        return real_take(sink)

    monkeypatch.setattr(export_data.Sink, "take_full", taken)

    try:
        request_id = await ask(services, robin, "csv")
        assert await answer(services, request_id) == "done"
        files = unpacked(await fetched(services, robin, request_id))
    finally:
        async with superuser(servers.databases["transaction"]) as connection:
            await connection.execute("delete from transaction_schema.transactions where user_id = $1", robin.user_id)

    lines = files["transaction/transactions.csv"].decode().split("\r\n")
    assert len(lines) == count + 2
    assert len({line.split(",", 1)[0] for line in lines[1:-1]}) == count
    assert (max(sizes), sum(sizes) >= count) == (1_000, True)
    assert max(held) < 3 * export_data.PIECE_BYTES
    assert len(await chunks_of(services, request_id)) > 3


# Once, whatever is killed


class Killed(BaseException):
    """As good as a process that ends."""


class DyingDb:
    """A database whose process dies before the n-th transaction, or right after it committed."""

    def __init__(self, db: Db, dies_at: int, *, after: bool) -> None:
        self._db = db
        self._left = dies_at
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @asynccontextmanager
    async def write(self, *given: Any) -> AsyncIterator[Any]:
        self._left -= 1
        if not self._left and not self._after:
            raise Killed
        async with self._db.write(*given) as session:
            yield session
        if not self._left and self._after:
            raise Killed


class _Job:
    """A job that was claimed, and that this run would finish."""

    def __init__(self, viewer: Viewer) -> None:
        self.id = uuid4()
        self.domain = "audit"
        self.viewer = viewer
        self.is_finished = False

    async def finish(self, session: Any) -> None:
        self.is_finished = True


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("after", [False, True])
async def test_killed_at_any_step_it_is_made_once_in_the_end(services: Services, robin: Viewer, after: bool) -> None:
    await add_rows(services, robin, [row(date(2026, 1, 5), "12.50")])
    request_id = await ask(services, robin)
    for step in range(1, 100):
        dying: Any = DyingDb(services.db, step, after=after)
        try:
            await run_export(replace(services, db=dying), _Job(robin), request_id)
        except Killed:
            continue
        break

    assert step > 5
    assert (await row_of(services, request_id)).status == "completed"
    chunks = await chunks_of(services, request_id)
    assert chunks == [(seq, seq == len(chunks) - 1) for seq in range(len(chunks))]
    assert len(rows_in(unpacked(await fetched(services, robin, request_id)))["transaction/transactions"]) == 1
    actions = [entry["action"] for entry in await told(services, robin)]
    assert actions.count("DATA_EXPORTED") == 1


@pytest.mark.usefixtures("small_pieces")
async def test_a_run_that_was_overtaken_adds_nothing(services: Services, robin: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id = await ask(services, robin)
    slow, fast = _Job(robin), _Job(robin)
    overtaken: list[bool] = []
    real = export_data.stream_rows

    async def overtaking(*given: Any) -> AsyncIterator[Any]:
        if not overtaken:
            overtaken.append(True)
            await run_export(services, fast, request_id)
        async for batch in real(*given):
            yield batch

    monkeypatch.setattr(export_data, "stream_rows", overtaking)
    await run_export(services, slow, request_id)

    assert (overtaken, fast.is_finished) == ([True], True)
    assert unpacked(await fetched(services, robin, request_id))
    assert [entry["action"] for entry in await told(services, robin)].count("DATA_EXPORTED") == 1


async def test_run_again_it_changes_nothing(services: Services, robin: Viewer) -> None:
    request_id = await ask(services, robin)
    assert await answer(services, request_id) == "done"
    first, file = await row_of(services, request_id), await fetched(services, robin, request_id)
    await change(services.db, (await job_of(services, request_id)).id, "audit", state="queued", finished_at=None)

    assert await answer(services, request_id) == "done"

    assert await row_of(services, request_id) == first
    assert await fetched(services, robin, request_id) == file


# Requests


async def test_a_finished_request_says_where_and_until_when(services: Services, robin: Viewer) -> None:
    request_id = await ask(services, robin)
    assert await answer(services, request_id) == "done"
    done = await row_of(services, request_id)

    assert (done.status, done.file_size_bytes) == ("completed", len(await fetched(services, robin, request_id)))
    assert done.file_url.startswith("/downloads/exports/")
    assert done.expires_at - done.completed_at == timedelta(days=7)
    *_, made, loaded = await told(services, robin)
    assert (made["action"], made["service_name"], made["metadata"]["bytes"]) == ("DATA_EXPORTED", "worker", done.file_size_bytes)
    assert (loaded["action"], loaded["resource_id"]) == ("DATA_EXPORT_DOWNLOADED", str(request_id))


async def test_one_at_a_time_and_three_a_day(services: Services, robin: Viewer, make_user: MakeUser) -> None:
    first = await ask(services, robin)
    with pytest.raises(DataExportAlreadyRequested):
        await ask(services, robin)
    await cancel_export(services, robin, first)
    await cancel_export(services, robin, await ask(services, robin))
    third = await ask(services, robin)
    assert await answer(services, third) == "done"

    with pytest.raises(DataExportLimitReached):
        await ask(services, robin)

    assert await ask(services, await make_user())


@pytest.mark.usefixtures("small_pieces")
async def test_cancelled_while_it_is_made_nothing_of_it_stays(services: Services, robin: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id = await ask(services, robin)
    seen: list[int] = []
    real = export_data.stream_rows

    async def cancelling(*given: Any) -> AsyncIterator[Any]:
        if given[1].domain == "audit" and not seen:
            seen.append(len(await chunks_of(services, request_id)))
            await cancel_export(services, robin, request_id)
        async for batch in real(*given):
            yield batch

    monkeypatch.setattr(export_data, "stream_rows", cancelling)

    assert await answer(services, request_id) == "done"

    assert seen[0] > 0
    assert ((await row_of(services, request_id)).status, await chunks_of(services, request_id)) == ("cancelled", [])
    with pytest.raises(DataExportRequestNotFound):
        await open_download(services, robin, request_id)


async def test_cancelled_before_and_after(services: Services, robin: Viewer) -> None:
    waiting = await ask(services, robin)
    await cancel_export(services, robin, waiting)
    assert await answer(services, waiting) == "done"
    finished = await ask(services, robin)
    assert await answer(services, finished) == "done"
    await cancel_export(services, robin, finished)

    for request_id in (waiting, finished):
        found = await row_of(services, request_id)
        assert (found.status, found.file_url, await chunks_of(services, request_id)) == ("cancelled", None, [])
        with pytest.raises(DataExportRequestNotFound):
            await open_download(services, robin, request_id)


async def test_an_expired_file_cannot_be_fetched_and_goes(services: Services, robin: Viewer, make_user: MakeUser) -> None:
    sam = await make_user()
    request_id, kept = await ask(services, robin), await ask(services, sam)
    for each in (request_id, kept):
        await answer(services, each)
    done = await row_of(services, request_id)
    last = replace(services, clock=FixedClock(done.expires_at - timedelta(seconds=1)))
    late = replace(services, clock=FixedClock(done.expires_at))

    assert await open_download(last, robin, request_id)
    with pytest.raises(DataExportRequestNotFound):
        await open_download(late, robin, request_id)

    await age(services, request_id, timedelta(days=7))
    async with services.db.system("audit") as session:
        assert await end_exports(session, limit=1_000) >= 1
    gone = await row_of(services, request_id)
    assert (gone.status, gone.file_url, await chunks_of(services, request_id)) == ("completed", None, [])
    assert await fetched(services, sam, kept)


async def test_a_request_whose_job_died_fails_and_another_can_be_made(
    services: Services, robin: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, alive = await ask(services, robin), None
    await change(services.db, (await job_of(services, dead)).id, "audit", state="dead")
    async with services.db.system("audit") as session:
        await end_exports(session, limit=1_000)
    assert (await row_of(services, dead)).status == "pending", "it is too young to be given up"

    monkeypatch.setattr(queries_exports, "ABANDONED_AFTER", timedelta(0))
    async with services.db.system("audit") as session:
        await end_exports(session, limit=1_000)
    assert (await row_of(services, dead)).status == "failed"
    alive = await ask(services, robin)
    async with services.db.system("audit") as session:
        await end_exports(session, limit=1_000)
    assert (await row_of(services, alive)).status == "pending"
