"""A fetch, and what its bank's owner, the provider or another fetch say of the connection while it goes on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from db.base import jobs_table
from db.engines import Viewer
from domains.bank.providers.errors import ProviderError, ProviderUnavailable, ReauthenticationRequired
from domains.bank.providers.plaid.webhooks import Webhook, WebhookKind
from domains.bank.providers.protocol import Credentials, Fetched, Listener, Reached
from domains.bank.service import sync_connections as service
from domains.bank.service.remove_connections import FORGET
from domains.flows import remove_connection as removing
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services
from domains.flows.sync_connection import request_by_hand
from domains.flows.take_webhook import take_webhook
from domains.transaction.service.forget_accounts import forget_some
from tests.banks import ToldBank, account, connection_of, history, hurry, link, movement, run_jobs, sync, with_banks
from tests.conftest import MakeUser
from tests.domains.flows.sync import ids_of, notices_of

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass
class Consenting(ToldBank):
    """A bank that says of its consent what it was told, as those of Open Banking."""

    async def fetch(self, reached: Reached, listener: Listener, today: date) -> Fetched:
        return replace(await ToldBank.fetch(self, reached, listener, today), consent_expires_at=reached.consent_expires_at)


def in_the_second_fetch(bank: ToldBank, step: Callable[[Listener], Awaitable[None]]) -> None:
    async def before(_reached: Reached, listener: Listener) -> None:
        if len(bank.fetched) == 2:
            await step(listener)

    bank.before = before


async def fetched_again(services: Services, viewer: Viewer, connection_id: UUID) -> None:
    await request_by_hand(services, viewer, connection_id)
    await sync(services, viewer)


async def sign_in_wanted(services: Services, viewer: Viewer, connection_id: UUID) -> bool:
    """The provider's message, which may be older than it looks."""
    item_id = (await connection_of(services, viewer, connection_id))["provider_item_id"]
    message = Webhook(kind=WebhookKind.REAUTHENTICATION, code="ITEM/ERROR", item_id=item_id, error_code="ITEM_LOGIN_REQUIRED")
    return await take_webhook(services, "plaid", message, f"{uuid4().hex}{uuid4().hex}")


@pytest.mark.parametrize("failure", [ReauthenticationRequired("ITEM_LOGIN_REQUIRED"), ProviderUnavailable()])
async def test_what_fails_with_old_credentials_does_not_break_what_was_repaired_meanwhile(
    services: Services, make_user: MakeUser, failure: ProviderError
) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await sync(banked, robin)

    async def repaired(_listener: Listener) -> None:
        await link(banked, robin, connection_id=connection_id)
        between.append(await connection_of(banked, robin, connection_id))
        raise failure

    between: list[Any] = []
    in_the_second_fetch(bank, repaired)
    await request_by_hand(banked, robin, connection_id)
    await run_jobs(banked, robin, service.SYNC)

    assert [line[1] for line in await history(banked, robin)] == ["success", "failed", "success"]
    found = await connection_of(banked, robin, connection_id)
    assert (between[0]["status"], found["status"], found["sync_failures"]) == ("active", "active", 0)
    assert found["next_sync_at"] is not None
    assert await notices_of(banked, robin) == []


async def test_credentials_of_before_a_repair_do_not_take_the_place_of_its_own(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await sync(banked, robin)

    async def renewed(listener: Listener) -> None:
        await listener.credentials_changed(Credentials(access_token="renewed once"))
        await link(banked, robin, connection_id=connection_id)
        await listener.credentials_changed(Credentials(access_token="renewed too late"))

    in_the_second_fetch(bank, renewed)
    await fetched_again(banked, robin, connection_id)

    assert [each.credentials.access_token for each in bank.reached] == ["access-1", "access-1", "access-2"]
    assert (await connection_of(banked, robin, connection_id))["sync_failures"] == 0


async def test_a_consent_that_was_renewed_during_a_fetch_keeps_its_new_end(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), Consenting(consent_expires_at=NOW + timedelta(days=2))
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await sync(banked, robin)

    async def renewed(_listener: Listener) -> None:
        bank.consent_expires_at = NOW + timedelta(days=90)
        await link(banked, robin, connection_id=connection_id)

    in_the_second_fetch(bank, renewed)
    await fetched_again(banked, robin, connection_id)

    assert len(bank.fetched) == 3
    assert (await connection_of(banked, robin, connection_id))["consent_expires_at"] == NOW + timedelta(days=90)


async def test_a_connection_that_was_linked_anew_during_a_fetch_begins_anew(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(item_id=str(uuid4()), accounts=[account(transactions=[movement(1)])])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await sync(banked, robin)

    async def anew(_listener: Listener) -> None:
        await removing.remove_connection(banked, robin, connection_id, forgets=True)
        assert await link(banked, robin) == connection_id

    in_the_second_fetch(bank, anew)
    await fetched_again(banked, robin, connection_id)

    assert bank.fetched == [None, "1", None]
    assert [line[1] for line in await history(banked, robin)] == ["success", "failed", "success"]
    assert set(await ids_of(banked, robin)) == {"t-1"}


async def test_a_message_that_is_older_than_a_repair_leaves_no_connection_that_is_never_asked(
    services: Services, make_user: MakeUser
) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await sync(banked, robin)

    assert await sign_in_wanted(banked, robin, connection_id)
    bank.failure = ProviderUnavailable("HTTP_500")
    await hurry(banked, robin, service.SYNC)
    await sync(banked, robin)
    unsure = await connection_of(banked, robin, connection_id)
    bank.failure = None
    await fetched_again(banked, robin, connection_id)

    assert unsure["status"] == "requires_update"
    assert unsure["next_sync_at"] - unsure["last_sync_at"] == timedelta(minutes=1)
    assert (await connection_of(banked, robin, connection_id))["status"] == "active"


async def test_a_login_that_ends_during_a_fetch_is_told_once(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await sync(banked, robin)

    async def told(_reached: Reached, _listener: Listener) -> None:
        if len(bank.fetched) == 2:
            assert await sign_in_wanted(banked, robin, connection_id)
            assert len(await notices_of(banked, robin)) == 1
        else:
            raise ReauthenticationRequired("ITEM_LOGIN_REQUIRED")

    bank.before = told
    await request_by_hand(banked, robin, connection_id)
    await sync(banked, robin)
    between = await connection_of(banked, robin, connection_id)
    await hurry(banked, robin, service.SYNC)
    await sync(banked, robin)

    assert (between["status"], len(bank.fetched)) == ("requires_update", 3)
    assert (await connection_of(banked, robin, connection_id))["status"] == "requires_update"
    assert len(await notices_of(banked, robin)) == 1


async def test_a_fetch_that_died_says_nothing_of_a_connection_that_a_later_one_reached(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    async def a_bug(_reached: Reached, _listener: Listener) -> None:
        raise RuntimeError

    bank.before = a_bug
    table = jobs_table("bank")
    async with banked.db.system("bank") as system:
        its = (table.c.topic == service.SYNC, table.c.user_id == robin.user_id)
        await system.execute(update(table).where(*its).values(max_attempts=1))
    await sync(banked, robin)
    bank.before = None
    await fetched_again(banked, robin, connection_id)
    async with banked.db.system("bank") as system:
        await service.request_closing_of_syncs(system)
    assert await run_jobs(banked, robin, service.CLOSE_SYNC) == 1

    assert [line[1] for line in await history(banked, robin)] == ["failed", "success"]
    found = await connection_of(banked, robin, connection_id)
    assert (found["last_sync_status"], found["error_code"], found["sync_failures"]) == ("success", None, 0)


async def test_what_is_fetched_anew_waits_for_what_is_still_being_deleted(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linked again through another login while a large account is being forgotten: nothing new may go with the old."""
    robin = await make_user()
    bank = ToldBank(accounts=[account(transactions=[movement(number) for number in range(6)])])
    banked = with_banks(services, bank)
    removed_id = await link(banked, robin)
    await sync(banked, robin)
    await removing.remove_connection(banked, robin, removed_id, forgets=True)
    batches: list[int] = []

    async def some(session: Any, account_ids: Any) -> Any:
        return await forget_some(session, account_ids, at_once=4)

    async def between(*given: Any) -> None:
        batches.append(len(await ids_of(banked, robin)))
        if len(batches) == 1:
            assert await link(banked, robin) != removed_id
            await sync(banked, robin)
        await refold_held(*given)

    monkeypatch.setattr(removing, "forget_some", some)
    monkeypatch.setattr(removing, "refold_held", between)
    await run_jobs(banked, robin, FORGET)
    await hurry(banked, robin, service.SYNC)
    await sync(banked, robin)

    assert batches == [2, 0]
    assert len(await ids_of(banked, robin)) == 6
    assert [line[1] for line in await history(banked, robin)] == ["success", "success"]
