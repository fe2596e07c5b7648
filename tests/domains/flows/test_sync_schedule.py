"""When a bank is asked: by the calendar, once however often it was missed, and by nobody when there is nothing to ask."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import update

from db import jobs
from db.bank import queries_links as links
from db.bank.models import bank_connections, bank_webhooks
from db.base import jobs_table
from db.engines import Viewer
from domains.bank.service import sync_connections as service
from domains.core.clock import FixedClock
from domains.flows.remove_connection import remove_connection
from domains.flows.services import Services
from domains.flows.sync_connection import request_due
from tests.banks import ToldBank, connection_of, history, link, run_jobs, sync, with_banks
from tests.conftest import MakeUser
from tests.domains.flows.sync import notices_of

EVERY = timedelta(hours=4)


async def change(services: Services, connection_id: UUID, **values: Any) -> None:
    async with services.db.system("bank") as system:
        await system.execute(update(bank_connections).where(bank_connections.c.id == connection_id).values(**values))


async def all_due(services: Services, at: datetime) -> int:
    """Ask for what is due, until nothing is."""
    count, clocked = 0, replace(services, clock=FixedClock(at))
    while found := await request_due(clocked):
        count += found
    return count


async def live(services: Services, viewer: Viewer) -> list[Any]:
    table = jobs_table("bank")
    mine = (table.c.topic == service.SYNC, table.c.user_id == viewer.user_id, table.c.state == jobs.QUEUED)
    async with services.db.system("bank") as system:
        return list((await system.execute(table.select().where(*mine))).mappings())


async def test_what_is_due_is_asked_for_once_however_many_times_it_was_missed(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await sync(banked, robin)
    first = (await connection_of(banked, robin, connection_id))["next_sync_at"]

    early = await all_due(banked, first - timedelta(seconds=1))
    assert await live(banked, robin) == []
    late = first + timedelta(days=3)
    await all_due(banked, late)
    await all_due(banked, late + timedelta(minutes=1))

    [job] = await live(banked, robin)
    assert (job["payload"]["sync_type"], job["key"]) == ("scheduled", str(connection_id))
    following = (await connection_of(banked, robin, connection_id))["next_sync_at"]
    assert late + EVERY / 2 <= following < late + EVERY * 3 / 2
    assert (following - first) % EVERY == timedelta(0)
    await sync(banked, robin)
    assert [line[0] for line in await history(banked, robin)] == ["manual", "scheduled"]
    assert early >= 0


async def test_two_schedulers_at_once_ask_once(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await sync(banked, robin)
    due = (await connection_of(banked, robin, connection_id))["next_sync_at"]
    clocked = replace(banked, clock=FixedClock(due))

    async with clocked.db.system("bank") as one, clocked.db.system("bank") as other:
        found = [len(await service.connections.list_due(each, service.SYNC, ["plaid"], due)) for each in (one, other)]

    assert (found[0] >= 1, found[1]) == (True, 0)


async def test_a_fetch_that_goes_on_is_not_asked_for_again(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await change(banked, connection_id, next_sync_at=services.clock.now() - timedelta(minutes=1))

    await all_due(banked, services.clock.now())

    [job] = await live(banked, robin)
    assert (job["dirty"], job["payload"]["sync_type"]) == (False, "manual")


async def test_nothing_is_asked_of_what_has_ended_wants_its_owner_or_is_not_set_up(services: Services, make_user: MakeUser) -> None:
    robin, bank, tink = await make_user(), ToldBank(), ToldBank(name="tink")
    banked = with_banks(services, bank, tink)
    removed, waits, unset = await link(banked, robin), await link(banked, robin), await link(banked, robin, provider="tink")
    await sync(banked, robin)
    await remove_connection(banked, robin, removed, forgets=False)
    async with banked.db.write("bank", robin) as session:
        assert await service.require_login(session, waits, "ITEM_LOGIN_REQUIRED", "Sign in.")
        assert not await service.require_login(session, waits, "ITEM_LOGIN_REQUIRED", "Sign in.")
        assert not await service.require_login(session, removed, "ITEM_LOGIN_REQUIRED", "Sign in.")

    await all_due(with_banks(services, bank), services.clock.now() + timedelta(days=30))
    none = await live(banked, robin)
    await all_due(banked, services.clock.now() + timedelta(days=30))

    assert none == []
    assert [job["key"] for job in await live(banked, robin)] == [str(unset)]


async def test_connections_of_one_moment_are_not_asked_in_one_moment(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = replace(with_banks(services, bank), clock=FixedClock(services.clock.now()))
    ids = [await link(banked, robin) for _ in range(8)]

    at = [(await connection_of(banked, robin, each))["next_sync_at"] for each in ids]

    assert len(set(at)) == 8
    assert max(at) - min(at) < EVERY


async def test_who_has_to_agree_again_within_a_week_is_told_once(services: Services, make_user: MakeUser) -> None:
    robin = await make_user(locale="fr-FR")
    now = services.clock.now()
    bank = ToldBank(consent_expires_at=now + timedelta(days=8))
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await sync(banked, robin)

    for days in (0, 2, 3):
        async with banked.db.system("bank") as system:
            while await service.warn_of_consents(system, now + timedelta(days=days)):
                pass
    told = await notices_of(banked, robin)
    bank.consent_expires_at = now + timedelta(days=98)
    await link(banked, robin, connection_id=connection_id)
    renewed = await connection_of(banked, robin, connection_id)
    async with banked.db.system("bank") as system:
        while await service.warn_of_consents(system, now + timedelta(days=92)):
            pass

    assert told == [("Consentement à renouveler chez First Bank", "CONSENT_ENDS")]
    assert renewed["consent_warned_at"] is None
    assert [kind for _, kind in await notices_of(banked, robin)] == ["CONSENT_ENDS", "CONSENT_ENDS"]


async def test_nobody_is_told_of_a_connection_that_was_removed_meanwhile(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    async with banked.db.write("bank", robin) as session:
        await service.require_login(session, connection_id, "ITEM_LOGIN_REQUIRED", "Sign in.")
    await remove_connection(banked, robin, connection_id, forgets=False)

    assert await notices_of(banked, robin) == []


async def test_a_notice_whose_worker_died_is_written_once(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    async with banked.db.write("bank", robin) as session:
        await service.require_login(session, connection_id, "ITEM_LOGIN_REQUIRED", "Sign in.")
    await notices_of(banked, robin)
    table = jobs_table("bank")
    async with banked.db.system("bank") as system:
        again = update(table).where(table.c.topic == service.NOTICE, table.c.user_id == robin.user_id)
        await system.execute(again.values(state="queued", finished_at=None))

    assert await run_jobs(banked, robin, service.NOTICE) == 1
    assert len(await notices_of(banked, robin)) == 1


async def test_receipts_go_after_a_week(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    digests = [uuid4().hex * 2 for _ in range(2)]
    async with banked.db.write("bank", robin) as session:
        first = [await links.add_receipt(session, "plaid", each, connection_id, "SYNC_UPDATES_AVAILABLE") for each in digests]
        again = await links.add_receipt(session, "plaid", digests[0], connection_id, "SYNC_UPDATES_AVAILABLE")
        old = services.clock.now() - timedelta(days=7, minutes=1)
        values = {"provider": "plaid", "digest": uuid4().hex * 2, "user_id": robin.user_id, "connection_id": connection_id, "kind": "X"}
        await session.execute(bank_webhooks.insert().values(received_at=old, **values))

    async with banked.db.system("bank") as system:
        assert await links.purge_webhooks(system) >= 1

    async with banked.db.write("bank", robin) as session:
        left = {row["digest"] for row in (await session.execute(bank_webhooks.select())).mappings()}
    assert (first, again, left) == ([True, True], False, set(digests))
