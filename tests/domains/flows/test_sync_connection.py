"""A connection is fetched from, and what its bank has to tell is in once, whatever goes wrong on the way."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from db.base import jobs_table
from db.engines import Viewer
from domains.bank import rules
from domains.bank.providers.errors import ProviderGarbled, ProviderRefused, ProviderUnavailable, ReauthenticationRequired
from domains.bank.providers.protocol import Credentials, Listener, Reached
from domains.bank.service import sync_connections as service
from domains.core.clock import FixedClock
from domains.flows.remove_connection import remove_connection
from domains.flows.services import Services
from domains.flows.sync_connection import request_by_hand
from tests.banks import (
    ToldBank,
    account,
    connection_of,
    forever,
    history,
    hurry,
    link,
    movement,
    next_job,
    run_jobs,
    sync,
    with_banks,
)
from tests.conftest import MakeUser
from tests.domains.flows.sync import balance_of, ids_of, notices_of, open_tokens

GOOD = ("manual", "success", "done")


async def test_what_a_bank_tells_is_in_and_again_changes_nothing(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1), movement(2)])])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    await sync(banked, robin)
    first = await ids_of(banked, robin)
    await again(banked, robin, connection_id)

    found = await connection_of(banked, robin, connection_id)
    assert (found["status"], found["sync_cursor"], found["last_sync_status"], found["sync_failures"]) == ("active", "2", "success", 0)
    assert await history(banked, robin) == [(*GOOD, 2, 2, 0, 0, None), ("manual", "success", "done", 2, 0, 0, 0, None)]
    assert bank.fetched == [None, "1"]
    assert await ids_of(banked, robin) == first
    assert set(first) == {"t-1", "t-2"}
    assert await balance_of(banked, robin) == Decimal("100.0000")


async def test_what_a_bank_takes_back_is_gone_and_counted(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1), movement(2)])])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await sync(banked, robin)

    bank.accounts = [account(transactions=[movement(3, "9.99")], removed=["t-1"])]
    await again(banked, robin, connection_id)

    assert set(await ids_of(banked, robin)) == {"t-2", "t-3"}
    assert (await history(banked, robin))[1] == (*GOOD, 1, 1, 0, 1, None)


async def test_movements_without_an_id_get_the_same_one_each_time(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    twice = [movement(1, provider_transaction_id=None), movement(1, provider_transaction_id=None)]
    bank = ToldBank(accounts=[account(transactions=twice)])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    await sync(banked, robin)
    first = await ids_of(banked, robin)
    await again(banked, robin, connection_id)

    assert len(first) == 2
    assert await ids_of(banked, robin) == first


@pytest.mark.parametrize(
    ("failure", "code", "detail"),
    [
        (ProviderUnavailable("TIMED_OUT"), "PROVIDER_UNAVAILABLE", "TIMED_OUT"),
        (ProviderGarbled("accounts[0].balance"), "PROVIDER_GARBLED", "ACCOUNTS_0__BALANCE"),
        (ProviderRefused(), "PROVIDER_REFUSED", "PROVIDER_REFUSED"),
    ],
)
async def test_a_fetch_that_fails_says_so_and_is_tried_again_a_minute_later(
    services: Services, make_user: MakeUser, failure: Any, code: str, detail: str
) -> None:
    robin, bank = await make_user(), ToldBank(failure=failure)
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    await sync(banked, robin)

    found = await connection_of(banked, robin, connection_id)
    assert (found["status"], found["error_code"], found["sync_failures"], found["last_sync_status"]) == ("active", detail, 1, "failed")
    assert found["next_sync_at"] - found["last_sync_at"] == timedelta(minutes=1)
    assert await history(banked, robin) == [("manual", "failed", "failed", 0, 0, 0, 0, code)]
    assert await notices_of(banked, robin) == []


async def test_four_failures_in_a_row_break_a_connection_and_its_owner_is_told_once(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(failure=ProviderUnavailable())
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    waits, statuses = [], []

    for _ in range(6):
        await sync(banked, robin)
        found = await connection_of(banked, robin, connection_id)
        waits.append(found["next_sync_at"] - found["last_sync_at"])
        statuses.append(found["status"])
        await ask(banked, robin, connection_id, "scheduled")

    assert waits[:4] == [timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2)]
    assert all(timedelta(hours=2) <= wait <= timedelta(hours=6) for wait in waits[4:])
    assert statuses == ["active"] * 3 + ["error"] * 3
    assert [line[:2] for line in await history(banked, robin)] == [("manual", "failed")] + [("retry", "failed")] * 5
    assert await notices_of(banked, robin) == [("First Bank cannot be reached", "BROKEN")]


async def test_a_success_clears_what_failures_left(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(failure=ProviderUnavailable())
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    for _ in range(4):
        await sync(banked, robin)
        await ask(banked, robin, connection_id)

    bank.failure = None
    await sync(banked, robin)

    found = await connection_of(banked, robin, connection_id)
    assert (found["status"], found["error_code"], found["sync_failures"], found["last_sync_status"]) == ("active", None, 0, "success")
    assert found["last_successful_sync_at"] == found["last_sync_at"]


async def test_a_bank_that_asks_to_be_left_alone_is(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(failure=ProviderUnavailable("rate_limit", retry_after_s=900))
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    await sync(banked, robin)

    found = await connection_of(banked, robin, connection_id)
    assert found["next_sync_at"] - found["last_sync_at"] == timedelta(minutes=15)


async def test_a_bank_that_wants_its_customer_is_not_asked_again_until_they_were_there(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(locale="de-DE"), ToldBank(failure=ReauthenticationRequired("ITEM_LOGIN_REQUIRED"))
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    await sync(banked, robin)
    broken = await connection_of(banked, robin, connection_id)
    await ask(banked, robin, connection_id)
    bank.failure = ProviderUnavailable()
    await sync(banked, robin)
    unsure = await connection_of(banked, robin, connection_id)
    bank.failure = ReauthenticationRequired("ITEM_LOGIN_REQUIRED")
    await ask(banked, robin, connection_id)
    await sync(banked, robin)
    still = await connection_of(banked, robin, connection_id)
    bank.failure = None
    assert await link(banked, robin, connection_id=connection_id) == connection_id
    await sync(banked, robin)

    assert (broken["status"], broken["error_code"], broken["next_sync_at"]) == ("requires_update", "ITEM_LOGIN_REQUIRED", None)
    assert unsure["status"] == "requires_update"
    assert unsure["next_sync_at"] is not None  # the bank has not said that it is of no use
    assert (still["status"], still["next_sync_at"]) == ("requires_update", None)
    repaired = await connection_of(banked, robin, connection_id)
    assert (repaired["status"], repaired["error_code"], repaired["sync_failures"]) == ("active", None, 0)
    assert repaired["next_sync_at"] is not None
    assert await notices_of(banked, robin) == [("Neu anmelden bei First Bank", "NEEDS_LOGIN")]


async def test_a_history_that_is_not_ready_is_asked_for_again_soon(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1)])], is_ready=False)
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    await sync(banked, robin)
    partly = await connection_of(banked, robin, connection_id)
    bank.is_ready = True
    await ask(banked, robin, connection_id)
    await sync(banked, robin)

    assert (partly["last_sync_status"], partly["last_successful_sync_at"], partly["sync_cursor"]) == ("partial", None, "1")
    assert partly["next_sync_at"] - partly["last_sync_at"] == rules.NOT_READY_AGAIN
    assert [line[1:3] + line[-1:] for line in await history(banked, robin)] == [
        ("partial", "done", "HISTORY_NOT_READY"),
        ("success", "done", None),
    ]


async def test_new_credentials_are_stored_even_if_the_fetch_fails_after(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(failure=ProviderUnavailable())
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    async def refresh(_reached: Reached, listener: Listener) -> None:
        await listener.credentials_changed(Credentials(access_token="new access", refresh_token="new refresh"))

    bank.before = refresh
    await sync(banked, robin)

    assert await open_tokens(banked, robin, connection_id) == ("new access", "new refresh")
    assert (await connection_of(banked, robin, connection_id))["sync_cursor"] is None
    stored = await connection_of(banked, robin, connection_id)
    assert b"new access" not in stored["access_token_encrypted"]


async def test_a_bank_that_hangs_is_given_up_in_time(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(before=forever)
    banked = with_banks(services, bank, fetch_within_s=0.2)
    await link(banked, robin)

    await sync(banked, robin)

    assert await history(banked, robin) == [("manual", "failed", "failed", 0, 0, 0, 0, "PROVIDER_UNAVAILABLE")]


async def test_tokens_that_cannot_be_read_want_the_owner(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    async with services.db.write("bank", robin) as session:
        await service.connections.change_connection(session, connection_id, {"access_token_encrypted": b"damaged"})

    await sync(banked, robin)

    assert (await connection_of(banked, robin, connection_id))["error_code"] == "TOKENS_LOST"
    assert bank.fetched == []


async def test_a_request_during_a_fetch_has_it_run_once_more(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1)])])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    async def news(reached: Reached, _listener: Listener) -> None:
        if reached.cursor is None:
            for _ in range(3):
                await ask(banked, robin, connection_id, "webhook")
            bank.accounts = [account(transactions=[movement(1), movement(2)])]

    bank.before = news
    await sync(banked, robin)

    assert bank.fetched == [None, "1"]
    assert set(await ids_of(banked, robin)) == {"t-1", "t-2"}


async def test_two_workers_fetch_one_connection_one_after_the_other(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1)])])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    running, most = 0, 0

    async def count(_reached: Reached, _listener: Listener) -> None:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.05)
        running -= 1

    bank.before = count
    await asyncio.gather(*(sync(banked, robin) for _ in range(4)), *(ask(banked, robin, connection_id) for _ in range(4)))
    await sync(banked, robin)

    assert most == 1
    assert len(await ids_of(banked, robin)) == 1


async def test_a_connection_that_is_removed_meanwhile_takes_nothing_in(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1)])])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    async def remove(_reached: Reached, listener: Listener) -> None:
        await remove_connection(banked, robin, connection_id, forgets=True)
        await listener.credentials_changed(Credentials(access_token="too late"))

    bank.before = remove
    await sync(banked, robin)
    await run_jobs(banked, robin, "bank.forget_transactions")

    assert await ids_of(banked, robin) == {}
    assert await history(banked, robin) == [("manual", "failed", "failed", 0, 0, 0, 0, "BANK_CONNECTION_ENDED")]
    found = await connection_of(banked, robin, connection_id)
    assert (found["status"], found["access_token_encrypted"], found["sync_cursor"]) == ("disconnected", None, None)


async def test_what_was_taken_in_while_the_connection_was_removed_goes_with_it(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from domains.flows import sync_connection as flow

    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1)])])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    real, waiting = flow.apply_batch, []

    async def removing(*args: Any, **kwargs: Any) -> Any:
        waiting.append(await next_job(banked, robin, "bank.forget_transactions"))
        return await real(*args, **kwargs)

    async def placed(*args: Any, **kwargs: Any) -> Any:
        found = await place(*args, **kwargs)
        await remove_connection(banked, robin, connection_id, forgets=True)
        await run_jobs(banked, robin, "bank.forget_transactions")  # waits for the fetch
        return found

    place = flow._place
    monkeypatch.setattr(flow, "apply_batch", removing)
    monkeypatch.setattr(flow, "_place", placed)
    await sync(banked, robin)
    there = await ids_of(banked, robin)
    await hurry(banked, robin, "bank.forget_transactions")
    await run_jobs(banked, robin, "bank.forget_transactions")

    assert waiting == [None]
    assert set(there) == {"t-1"}
    assert await ids_of(banked, robin) == {}
    assert (await history(banked, robin))[0] == ("manual", "failed", "failed", 1, 1, 0, 0, "BANK_CONNECTION_ENDED")


async def test_a_fetch_of_a_provider_that_is_not_set_up_any_more_fails_until_it_is(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    connection_id = await link(with_banks(services, bank), robin)

    await sync(with_banks(services), robin)
    await ask(services, robin, connection_id)
    await sync(with_banks(services, bank), robin)

    assert [line[1] for line in await history(services, robin)] == ["failed", "success"]
    assert (await connection_of(services, robin, connection_id))["status"] == "active"


async def test_a_fetch_whose_job_died_is_closed_and_one_that_lives_is_not(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    ref = await next_job(banked, robin, service.SYNC)
    assert ref is not None
    async with banked.db.write("bank", robin) as session:
        await service.begin_sync(session, connection_id, ref.id, "manual", banked.clock.now(), timedelta(hours=4))
        alive = await service.close_sync(session, ref.id, banked.clock.now(), timedelta(hours=4), service.NOTHING)
    table = jobs_table("bank")
    async with banked.db.system("bank") as system:
        await system.execute(table.update().where(table.c.id == ref.id).values(state="dead"))
        await service.request_closing_of_syncs(system)

    assert await run_jobs(banked, robin, service.CLOSE_SYNC) == 1

    assert not alive
    assert await history(banked, robin) == [("manual", "failed", "failed", 0, 0, 0, 0, service.GIVEN_UP)]
    found = await connection_of(banked, robin, connection_id)
    assert (found["sync_failures"], found["error_code"]) == (1, service.GIVEN_UP)
    async with banked.db.system("bank") as system:
        assert await service.queries_syncs.list_abandoned_fetches(system, [service.CLOSE_SYNC]) == []


async def test_a_dormant_owners_bank_is_asked_once_a_day(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    later = FixedClock(services.clock.now() + timedelta(days=31))
    banked = replace(with_banks(services, bank), clock=later)
    connection_id = await link(banked, robin)

    await sync(banked, robin)

    found = await connection_of(banked, robin, connection_id)
    assert timedelta(hours=12) <= found["next_sync_at"] - later.now() < timedelta(hours=36)


async def again(services: Services, viewer: Viewer, connection_id: UUID) -> None:
    await ask(services, viewer, connection_id)
    await sync(services, viewer)


async def ask(services: Services, viewer: Viewer, connection_id: UUID, sync_type: str = "manual") -> None:
    async with services.db.write("bank", viewer) as session:
        await service.request_sync(session, connection_id, sync_type)


async def test_asking_by_hand_twice_in_a_minute_is_too_soon(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    clock = FixedClock(services.clock.now())
    banked = replace(with_banks(services, bank), clock=clock)
    connection_id = await link(banked, robin)
    await sync(banked, robin)

    await request_by_hand(banked, robin, connection_id)
    clock.at += timedelta(seconds=20)
    with pytest.raises(service.SyncTooSoon) as refusal:
        await request_by_hand(banked, robin, connection_id)
    clock.at += timedelta(seconds=40)
    await request_by_hand(banked, robin, connection_id)

    assert refusal.value.retry_after_seconds == 40
    assert await run_jobs(banked, robin, service.SYNC) == 1


async def test_asking_by_hand_joins_a_fetch_that_goes_on(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    async def impatient(_reached: Reached, _listener: Listener) -> None:
        await request_by_hand(banked, robin, connection_id)

    bank.before = impatient
    await sync(banked, robin)

    assert bank.fetched == [None]
