"""From a change to its entry: once, sealed, in one chain; and a chain that was tampered with is found out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from db import jobs
from db.audit import queries
from db.engines import Origin, Viewer
from db.errors import DatabaseUnavailable
from db.jobs import JobRef
from domains.audit.errors import MonthHeld
from domains.audit.rules import FIELDS, NO_HASH, Break, Entry, entry_hash
from domains.audit.service import keep_trail
from domains.audit.service import verify_chains as verify_chains_module
from domains.audit.service.append_entry import NewEntry, append_entry
from domains.audit.service.verify_chains import verify_chain, verify_chains
from domains.core.audit import RECORD, Action
from domains.core.cipher import DecryptionFailed
from domains.flows import audit_trail
from domains.flows.audit_trail import open_nobodys_trail, open_trail
from domains.flows.services import Services
from domains.user.keys import KeyRing, UserCipher, generate_key
from tests.conftest import MakeUser
from tests.db.samples import insert, superuser
from tests.domains.audit.trail import entries, settle, told, waiting
from tests.servers.suite import Servers
from tests.workers.conftest import change, row_of
from workers.runner import JobRunner
from workers.task import load_tasks

LOGS, HEADS = "audit_schema.audit_logs", "audit_schema.audit_heads"
CHANGED = "the entry is not what was written"
PHONE = Origin("api", "203.0.113.9", "Phone/1.0", "request-1")


@pytest.fixture
async def robin(make_user: MakeUser) -> Viewer:
    return replace(await make_user(), origin=PHONE)


async def note(services: Services, viewer: Viewer, **said: Any) -> None:
    trail = await open_trail(services, viewer)
    async with services.db.write("budget", viewer) as session:
        await trail.note(session, Action.BUDGET_UPDATED, **said)


async def check(services: Services, user_id: UUID | None) -> Break | None:
    async with services.db.system("audit") as session:
        return await verify_chain(session, user_id)


async def test_an_entry_says_who_what_when_where_and_what_changed(services: Services, robin: Viewer) -> None:
    resource = uuid4()
    async with services.db.system("budget") as session:
        before = await jobs.now(session)
    changed = {"old": {"amount": Decimal("10.50")}, "new": {"amount": Decimal("20.00")}, "metadata": {"rows": 2}}
    await note(services, robin, resource_type="Budget", resource_id=resource, **changed)

    assert await told(services, robin) == [
        {
            "action": "BUDGET_UPDATED",
            "service_name": "api",
            "resource_type": "Budget",
            "resource_id": str(resource),
            "request_id": "request-1",
            "ip_address": "203.0.113.9",
            "user_agent": "Phone/1.0",
            "old_values": {"amount": "10.50"},
            "new_values": {"amount": "20.00"},
            "metadata": {"rows": 2},
        }
    ]
    [entry] = await entries(services, robin.user_id)
    assert before <= entry.timestamp < before + timedelta(seconds=30)
    assert await check(services, robin.user_id) is None


async def test_nothing_readable_stands_in_the_job(services: Services, robin: Viewer, servers: Servers) -> None:
    await note(services, robin, new={"notes": "for Ben's surprise"}, metadata={"file": "salary.csv"})

    [ref] = await waiting(services, robin.user_id)
    async with superuser(servers.databases["budget"]) as connection:
        row = await connection.fetchval("select to_jsonb(j)::text from budget_schema.jobs j where id = $1", ref.id)
    assert not any(word in row for word in ("Ben", "notes", "salary", "203.0.113.9", "Phone"))
    assert "BUDGET_UPDATED" in row


async def test_what_is_rolled_back_leaves_no_entry(services: Services, robin: Viewer) -> None:
    trail = await open_trail(services, robin)

    with pytest.raises(RuntimeError, match="no"):
        async with services.db.write("budget", robin) as session:
            await trail.note(session, Action.BUDGET_UPDATED)
            raise RuntimeError("no")

    assert await told(services, robin) == []


async def test_an_entry_is_written_once_however_often_it_is_recorded(services: Services, robin: Viewer) -> None:
    await note(services, robin)
    [ref] = await waiting(services, robin.user_id)
    await settle(services, robin.user_id)
    await change(services.db, ref.id, state="queued", finished_at=None)

    await JobRunner(services, load_tasks()).run(JobRef("budget", ref.id, 1), RECORD)

    assert (await row_of(services.db, ref.id)).state == "done"
    assert [entry.sequence for entry in await entries(services, robin.user_id)] == [1]


STEPS: list[tuple[Any, str]] = [
    (jobs, "applied"),
    (queries, "ensure_month"),
    (queries, "lock_head"),
    (queries, "add_entry"),
    (queries, "move_head"),
    (audit_trail, "append_entry"),
    (jobs, "finish"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("place", "name"), STEPS, ids=[name for _, name in STEPS])
async def test_stopped_at_any_step_and_run_again_the_entry_is_there_once(
    services: Services, robin: Viewer, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, when: str
) -> None:
    await note(services, robin)
    [ref] = await waiting(services, robin.user_id)
    real: Callable[..., Awaitable[Any]] = getattr(place, name)

    async def stopped(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            await real(*args, **kwargs)
        raise ConnectionError("stopped here")

    with monkeypatch.context() as patched:
        patched.setattr(place, name, stopped)
        await JobRunner(services, load_tasks()).run(ref, RECORD)
    await change(services.db, ref.id, state="queued", run_at=jobs.func.now())
    await settle(services, robin.user_id)

    assert [entry.sequence for entry in await entries(services, robin.user_id)] == [1]
    assert await check(services, robin.user_id) is None


async def test_an_entry_waits_for_a_trail_that_is_away_for_longer_than_other_jobs_are_tried(
    services: Services, robin: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database of the trail's own may be away while changes go on in the others."""

    async def away(*_: Any) -> int:
        raise DatabaseUnavailable("away")

    await note(services, robin)
    [ref] = await waiting(services, robin.user_id)
    with monkeypatch.context() as patched:
        patched.setattr(audit_trail, "append_entry", away)
        for tried in range(jobs.MAX_ATTEMPTS):
            await JobRunner(services, load_tasks()).run(JobRef("budget", ref.id, tried), RECORD)
            await change(services.db, ref.id, run_at=jobs.func.now())

    row = await row_of(services.db, ref.id)
    assert (row.state, row.attempt) == ("queued", jobs.MAX_ATTEMPTS)
    await settle(services, robin.user_id)
    assert [entry.action for entry in await entries(services, robin.user_id)] == ["BUDGET_UPDATED"]


async def test_twenty_writers_at_once_make_one_chain(services: Services, robin: Viewer) -> None:
    async def write(number: int) -> int:
        async with services.db.system("audit") as session:
            now = await jobs.now(session)
            new = NewEntry(
                id=uuid4(), user_id=robin.user_id, timestamp=now, service_name="api", action="BUDGET_UPDATED", request_id=str(number)
            )
            return await append_entry(session, new)

    numbers = await asyncio.gather(*map(write, range(20)))

    assert sorted(numbers) == list(range(1, 21))
    assert await check(services, robin.user_id) is None


async def test_entries_of_nobody_are_a_chain_of_their_own_and_have_nothing_personal(services: Services) -> None:
    trail = open_nobodys_trail(Origin("cli"))
    await settle(services, None)  # whatever others have left of nobody's
    before = len(await entries(services, None))
    async with services.db.system("audit") as session:
        await trail.note(session, Action.AUDIT_MONTH_DROPPED, resource_id="2019-11", metadata={"dropped": True})
    await settle(services, None)

    *_, last = await entries(services, None)
    assert last.sequence == before + 1
    assert (last.action, last.metadata, last.ip_address) == ("AUDIT_MONTH_DROPPED", b'{"dropped":true}', None)
    assert await check(services, None) is None
    async with services.db.system("audit") as session:
        with pytest.raises(ValueError, match="nothing personal"):
            await open_nobodys_trail(PHONE).note(session, Action.AUDIT_MONTH_DROPPED)


async def test_the_trail_of_somebody_who_is_gone_is_still_written(services: Services, robin: Viewer) -> None:
    await note(services, robin)
    async with services.db.system("user") as session:
        await session.execute(
            text("update user_schema.users set status = 'deleted', deleted_at = now() where id = :id"), {"id": robin.user_id}
        )

    await settle(services, robin.user_id)

    assert [entry.action for entry in await entries(services, robin.user_id)] == ["BUDGET_UPDATED"]


async def test_the_first_key_is_made_before_the_transaction_and_only_once(services: Services, make_user: MakeUser) -> None:
    viewer = await make_user()

    await asyncio.gather(*(note(services, viewer, new={"n": n}) for n in range(5)))

    assert sorted(each["new_values"]["n"] for each in await told(services, viewer)) == [0, 1, 2, 3, 4]


# What an attacker with every right does


@pytest.fixture
async def chain(services: Services, robin: Viewer) -> Viewer:
    for n in range(4):
        await note(services, robin, new={"n": n})
    await settle(services, robin.user_id)
    assert await check(services, robin.user_id) is None
    return robin


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            f"update {LOGS} set new_values = 'other' where user_id = $1 and sequence = 2",
            Break(2, CHANGED),
        ),
        (
            f"update {LOGS} set action = 'OTHER' where user_id = $1 and sequence = 3",
            Break(3, CHANGED),
        ),
        (f"delete from {LOGS} where user_id = $1 and sequence = 2", Break(2, "the entry is missing")),
        (f"delete from {LOGS} where user_id = $1 and sequence = 1", Break(1, "the entry is missing")),
        (
            f"delete from {LOGS} where user_id = $1 and sequence > 2",
            Break(3, "the entry is missing, and so is all after it up to 4"),
        ),
        (f"delete from {LOGS} where user_id = $1", Break(1, "the entry is missing, and so is all after it up to 4")),
        (f"delete from {HEADS} where user_id = $1", Break(1, "the chain has entries and no head")),
        (f"update {HEADS} set sequence = 3 where user_id = $1", Break(4, "the chain does not end where its head says")),
        (
            f"update {LOGS} set sequence = 5 - sequence where user_id = $1 and sequence in (2, 3)",
            Break(2, "the entry does not follow the one before it"),
        ),
    ],
)
async def test_what_was_tampered_with_is_found(services: Services, chain: Viewer, servers: Servers, statement: str, found: Break) -> None:
    async with restored(servers, chain.user_id) as connection:
        await connection.execute(statement, chain.user_id)

        seen = await check(services, chain.user_id)
        listed = {user_id: broken async for user_id, broken in verify_chains(services.db)}

    assert seen == found
    assert listed[chain.user_id] == found
    assert await check(services, chain.user_id) is None


@asynccontextmanager
async def restored(servers: Servers, user_id: UUID) -> AsyncIterator[Any]:
    """The superuser with every trigger off; afterwards a user's chain is what it was."""
    tables = (LOGS, HEADS)
    async with superuser(servers.databases["audit"]) as connection:
        await connection.execute("set session_replication_role = replica")
        kept = {table: await connection.fetch(f"select * from {table} where user_id = $1", user_id) for table in tables}
        yield connection
        for table, rows in kept.items():
            await connection.execute(f"delete from {table} where user_id = $1", user_id)
            for row in rows:
                await insert(connection, table, dict(row))


async def test_a_chain_whose_key_was_destroyed_still_holds(services: Services, chain: Viewer, servers: Servers) -> None:
    async with superuser(servers.databases["user"]) as connection:
        await connection.execute("delete from user_schema.user_keys where user_id = $1", chain.user_id)

    assert await check(services, chain.user_id) is None
    with pytest.raises(DecryptionFailed):
        await UserCipher(services.db, KeyRing.from_text(generate_key())).key_of(chain.user_id, make=False)


async def test_a_long_chain_is_checked_in_batches(
    services: Services, chain: Viewer, monkeypatch: pytest.MonkeyPatch, servers: Servers
) -> None:
    monkeypatch.setattr(verify_chains_module, "BATCH", 2)

    assert await check(services, chain.user_id) is None
    async with restored(servers, chain.user_id) as connection:
        await connection.execute(f"update {LOGS} set request_id = 'x' where user_id = $1 and sequence = 4", chain.user_id)
        assert await check(services, chain.user_id) == Break(4, CHANGED)


async def test_a_month_that_was_dropped_is_where_the_chain_begins(services: Services, chain: Viewer, servers: Servers) -> None:
    """Entries 1 and 3 were written into an old month, 2 and 4 into this one: what is left of before is checked by itself."""
    old = datetime(2016, 5, 9, tzinfo=UTC)
    async with old_month(servers, old):
        await move_into(servers, chain.user_id, old, (1, 3))
        assert await check(services, chain.user_id) is None
        async with services.db.system("audit") as session:
            hold = await keep_trail.place_hold(session, keep_trail.PlaceHold(chain.user_id, "a lawsuit", "operator"))
        with pytest.raises(MonthHeld):
            async with services.db.system("audit") as session:
                await keep_trail.drop_month(session, old.date())
        async with services.db.system("audit") as session:
            assert [each.id for each in await queries.list_holds(session)] == [hold]
            assert await keep_trail.release_hold(session, hold)
            assert not await keep_trail.release_hold(session, hold)

        async with services.db.system("audit") as session:
            assert await keep_trail.drop_month(session, old.date())
        async with services.db.system("audit") as session:
            assert not await keep_trail.drop_month(session, old.date())

    assert [entry.sequence for entry in await entries(services, chain.user_id)] == [2, 4]
    assert await check(services, chain.user_id) is None
    async with restored(servers, chain.user_id) as connection:
        await connection.execute(f"update {LOGS} set request_id = 'x' where user_id = $1 and sequence = 2", chain.user_id)
        assert await check(services, chain.user_id) == Break(2, CHANGED)


@asynccontextmanager
async def old_month(servers: Servers, at: datetime) -> AsyncIterator[None]:
    """A partition from before there was a trail."""
    partition = f"audit_schema.audit_logs_{at:%Y_%m}"
    async with superuser(servers.databases["audit"]) as connection:
        await connection.execute(
            f"create table {partition} partition of {LOGS} for values from ('2016-05-01 00:00+00') to ('2016-06-01 00:00+00')"
        )
        await connection.execute(f"alter table {partition} owner to florin_owner")
        yield
        await connection.execute(f"drop table if exists {partition}")


async def move_into(servers: Servers, user_id: UUID, at: datetime, sequences: tuple[int, ...]) -> None:
    """Make some entries of a chain old, and the chain whole again."""
    async with superuser(servers.databases["audit"]) as connection:
        await connection.execute("set session_replication_role = replica")
        rows = await connection.fetch("select * from audit_schema.audit_logs where user_id = $1 order by sequence", user_id)
        await connection.execute(f"delete from {LOGS} where user_id = $1", user_id)
        previous = NO_HASH
        for row in rows:
            values = dict(row) | ({"timestamp": at} if row["sequence"] in sequences else {})
            digest = entry_hash(previous, Entry(**{name: values[name] for name in FIELDS}))
            await insert(connection, "audit_schema.audit_logs", values | {"previous_hash": previous, "entry_hash": digest})
            previous = digest
        await connection.execute(f"update {HEADS} set entry_hash = $2 where user_id = $1", user_id, previous)
