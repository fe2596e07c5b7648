"""Linking a bank: begun, completed once, whoever asks how often; nobody completes anybody else's."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from db.bank import queries_links as links
from db.bank.models import bank_links, bank_revocations
from db.engines import Viewer
from domains.bank import errors
from domains.bank.providers.errors import LinkRefused, ProviderRefused, ProviderUnavailable
from domains.bank.providers.protocol import LinkAnswer, Linked
from domains.bank.providers.sandbox import SandboxProvider
from domains.bank.service import link_banks as service
from domains.core.clock import FixedClock
from domains.core.errors import IdempotencyKeyReused, TryAgain
from domains.flows import link_bank as flow
from domains.flows.link_bank import Answer, BegunLink, NewLink, complete_link, create_link
from domains.flows.remove_connection import remove_connection
from domains.flows.services import Services
from tests.banks import TOKEN, ToldBank, connection_of, history, link, next_job, run_jobs, sync, with_banks
from tests.conftest import MakeUser
from tests.domains.flows.sync import accounts_of, open_tokens

GOOD = Answer(public_token=TOKEN)


async def begin(services: Services, viewer: Viewer, **asked: Any) -> BegunLink:
    return await create_link(services, viewer, NewLink("plaid", **asked), str(uuid4()))


async def complete(services: Services, viewer: Viewer, begun: BegunLink, answer: Answer = GOOD) -> Any:
    return await complete_link(services, viewer, begun.id, answer, str(uuid4()))


async def link_row(services: Services, viewer: Viewer) -> Any:
    async with services.db.write("bank", viewer) as session:
        return (await session.execute(bank_links.select())).mappings().one()


async def test_a_link_ends_in_a_connection_that_works_and_a_first_fetch(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(currency="EUR", locale="de-AT"), ToldBank(tells_state=True)
    banked = with_banks(services, bank, bank_redirect_urls=("https://app.example/back",))

    begun = await begin(banked, robin, institution_id="ins_9", redirect_url="https://app.example/back")
    open_row = await link_row(banked, robin)
    connection_id = await complete(banked, robin, begun, Answer(code=TOKEN, state="state-1"))

    assert (begun.provider, begun.token, begun.url) == ("plaid", "link-1", None)
    [request] = bank.requests
    assert (request.user_reference, request.currency, request.locale) == (str(robin.user_id), "EUR", "de-AT")
    assert (request.institution_id, request.redirect_url, request.reached) == ("ins_9", "https://app.example/back", None)
    assert b"state-1" not in open_row["secret_encrypted"]
    assert b"link-1" not in open_row["secret_encrypted"]
    closed = await link_row(banked, robin)
    assert (closed["secret_encrypted"], closed["result_connection_id"]) == (None, connection_id)
    found = await connection_of(banked, robin, connection_id)
    assert (found["status"], found["sync_cursor"], found["last_sync_at"]) == ("active", None, None)
    assert await open_tokens(banked, robin, connection_id) == ("access-1", "refresh")
    assert b"access-1" not in found["access_token_encrypted"]
    await sync(banked, robin)
    assert [line[:3] for line in await history(banked, robin)] == [("manual", "success", "done")]


async def test_the_same_key_begins_one_link_and_answers_the_same(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)

    asked = [create_link(banked, robin, NewLink("plaid"), "key") for _ in range(4)]
    begun = [*await asyncio.gather(*asked), await create_link(banked, robin, NewLink("plaid"), "key")]

    assert len({(each.id, each.token, each.expires_at) for each in begun}) == 1
    await link_row(banked, robin)
    with pytest.raises(IdempotencyKeyReused):
        await create_link(banked, robin, NewLink("plaid", institution_id="ins_2"), "key")


async def test_a_link_that_was_completed_answers_its_connection_whoever_of_its_owner_asks(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    begun = await begin(banked, robin)

    first = await complete_link(banked, robin, begun.id, GOOD, "key")
    again = [
        await complete_link(banked, robin, begun.id, GOOD, "key"),
        await complete_link(banked, robin, begun.id, GOOD, "another key"),
        await complete_link(banked, robin, begun.id, Answer(public_token="stale"), "a third key"),
    ]

    assert {first, *again} == {first}
    assert bank.completed == 1
    with pytest.raises(IdempotencyKeyReused):
        await complete_link(banked, robin, begun.id, Answer(public_token="other"), "key")


async def test_two_calls_at_once_complete_a_link_once(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    begun = await begin(banked, robin)

    ended = await asyncio.gather(*(complete(banked, robin, begun) for _ in range(5)), return_exceptions=True)

    done = [each for each in ended if not isinstance(each, BaseException)]
    busy = [each.code for each in ended if isinstance(each, TryAgain)]
    assert (len(set(done)), len(done) + len(busy), set(busy) <= {"BANK_LINK_BUSY"}) == (1, 5, True)
    assert bank.completed == 1


async def test_somebody_elses_link_is_not_found_and_stays_open(services: Services, make_user: MakeUser) -> None:
    robin, sam, bank = await make_user(), await make_user(), ToldBank()
    banked = with_banks(services, bank)
    begun = await begin(banked, robin)

    with pytest.raises(errors.BankLinkNotFound):
        await complete(banked, sam, begun)

    assert bank.completed == 0
    assert await complete(banked, robin, begun)


async def test_a_code_that_leads_to_somebody_elses_connection_is_refused_like_any_stale_one(
    services: Services, make_user: MakeUser
) -> None:
    robin, sam, bank = await make_user(), await make_user(), ToldBank(item_id=str(uuid4()))
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    begun = await begin(banked, sam)

    with pytest.raises(errors.BankLinkRefused) as stolen:
        await complete(banked, sam, begun)
    with pytest.raises(errors.BankLinkRefused) as stale:
        await complete(banked, sam, await begin(banked, sam), Answer(public_token="stale"))

    assert (stolen.value.message, stolen.value.field) == (stale.value.message, stale.value.field)
    assert await open_tokens(banked, robin, connection_id) == ("access-1", "refresh")
    async with banked.db.write("bank", sam) as session:
        assert (await session.execute(bank_revocations.select())).all() == []


@pytest.mark.parametrize("state", [None, "state-2", "STATE-1", ""])
async def test_a_state_that_is_not_the_links_is_refused_before_the_bank_is_asked(
    services: Services, make_user: MakeUser, state: str | None
) -> None:
    robin, bank = await make_user(), ToldBank(tells_state=True)
    banked = with_banks(services, bank)
    begun = await begin(banked, robin)

    with pytest.raises((errors.BankLinkRefused, errors.BankAnswerIncomplete)):
        await complete(banked, robin, begun, Answer(code=TOKEN, state=state))

    assert bank.completed == 0
    assert await complete(banked, robin, begun, Answer(code=TOKEN, state="state-1"))


@pytest.mark.parametrize(
    "answer",
    [Answer(), Answer(code="c"), Answer(state="s"), Answer(public_token="p", code="c", state="s"), Answer(public_token="p", state="s")],
)
async def test_an_answer_is_a_token_or_a_code_with_its_state(services: Services, make_user: MakeUser, answer: Answer) -> None:
    robin = await make_user()

    with pytest.raises(errors.BankAnswerIncomplete):
        await complete_link(services, robin, uuid4(), answer, "key")


async def test_a_link_expires_and_its_secret_with_it(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    clock = FixedClock(services.clock.now())
    bank = ToldBank(link_expires_at=clock.now() + timedelta(minutes=30))
    banked = replace(with_banks(services, bank), clock=clock)
    begun = await begin(banked, robin)

    clock.at += timedelta(minutes=30)
    with pytest.raises(errors.BankLinkExpired):
        await complete(banked, robin, begun)

    async with banked.db.write("bank", robin) as session:
        await session.execute(bank_links.update().values(claimed_at=None))
    assert bank.completed == 0


async def test_links_that_are_over_lose_their_secret_and_go_after_a_week(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    now = services.clock.now()
    ends = {"open": now + timedelta(minutes=5), "over": now - timedelta(minutes=1), "old": now - timedelta(days=7, minutes=1)}
    ids = {}
    for name, expires_at in ends.items():
        ids[name] = (await begin(with_banks(services, ToldBank(link_expires_at=expires_at)), robin)).id

    after: links.Place | None = None
    async with services.db.system("bank") as system:
        assert await links.purge_links(system) >= 1
        while (after := await links.destroy_secrets(system, after, limit=1)) is not None:
            pass  # one by one, past those of other tests

    async with services.db.write("bank", robin) as session:
        left = {row["id"]: row["secret_encrypted"] is None for row in (await session.execute(bank_links.select())).mappings()}
    assert left == {ids["open"]: False, ids["over"]: True}


async def test_open_links_are_bounded(services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    monkeypatch.setattr(service, "LINKS_OPEN_AT_MOST", 2)

    begun = await asyncio.gather(*(begin(banked, robin) for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(each, BegunLink) for each in begun) == 2
    assert sum(isinstance(each, errors.BankLinksWaiting) for each in begun) == 3
    asked = len(bank.requests)
    with pytest.raises(errors.BankLinksWaiting):
        await begin(banked, robin)
    assert len(bank.requests) == asked  # nothing was begun at the bank
    await complete(banked, robin, next(each for each in begun if isinstance(each, BegunLink)))
    assert await begin(banked, robin)


async def test_only_addresses_that_the_operator_lists_are_sent_back_to(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank, bank_redirect_urls=("https://app.example/back",))

    for url in ("https://app.example/back/", "https://app.example", "https://evil.example/back", "HTTPS://app.example/back"):
        with pytest.raises(errors.RedirectUrlNotAllowed):
            await begin(banked, robin, redirect_url=url)

    assert bank.requests == []


async def test_a_provider_that_is_not_set_up_cannot_be_linked(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()

    for name in ("tink", "file", "manual"):
        with pytest.raises(errors.BankProviderNotFound):
            await create_link(with_banks(services, ToldBank()), robin, NewLink(name), str(uuid4()))


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        (ProviderUnavailable("TIMED_OUT", retry_after_s=7), TryAgain, "BANK_UNAVAILABLE"),
        (ProviderRefused("INVALID_API_KEYS"), errors.BankRefused, "BANK_REFUSED"),
        (LinkRefused("ACCESS_DENIED"), errors.BankLinkRefused, "BANK_LINK_REFUSED"),
    ],
)
async def test_what_a_provider_refuses_is_told_and_the_link_stays_open(
    services: Services, make_user: MakeUser, failure: Any, kind: Any, code: str
) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    begun = await begin(banked, robin)
    bank.refuses = failure

    with pytest.raises(kind) as beginning:
        await begin(banked, robin)
    with pytest.raises(kind) as completing:
        await complete(banked, robin, begun)
    bank.refuses = None

    assert (beginning.value.code, completing.value.code) == (code, code)
    assert await complete(banked, robin, begun)


async def test_a_repair_keeps_the_connection_its_accounts_and_its_cursor(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await sync(banked, robin)
    before = await accounts_of(banked, robin)

    assert await link(banked, robin, connection_id=connection_id) == connection_id
    await sync(banked, robin)

    assert bank.fetched == [None, "1"]
    assert bank.requests[1].reached is not None
    assert bank.requests[1].reached.credentials.access_token == "access-1"
    assert await open_tokens(banked, robin, connection_id) == ("access-2", "refresh")
    assert [each["id"] for each in await accounts_of(banked, robin)] == [each["id"] for each in before]


async def test_a_repair_by_another_login_is_refused_and_its_credentials_are_revoked(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    bank.item_id = str(uuid4())

    with pytest.raises(errors.BankLinkRefused):
        await link(banked, robin, connection_id=connection_id)
    await run_jobs(banked, robin, "bank.revoke")

    assert await open_tokens(banked, robin, connection_id) == ("access-1", "refresh")
    assert [each.credentials.access_token for each in bank.revoked] == ["access-2"]


async def test_a_connection_that_is_removed_while_it_is_repaired_stays_removed(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    begun = await begin(banked, robin, connection_id=connection_id)
    real = bank.complete_link

    async def while_it_is_removed(answer: LinkAnswer) -> Linked:
        await remove_connection(banked, robin, connection_id, forgets=False)
        return await real(answer)

    bank.complete_link = while_it_is_removed  # type: ignore[method-assign]
    with pytest.raises(errors.BankConnectionEnded):
        await complete(banked, robin, begun)
    await run_jobs(banked, robin, "bank.revoke")

    assert (await connection_of(banked, robin, connection_id))["status"] == "disconnected"
    assert sorted(each.credentials.access_token for each in bank.revoked) == ["access-1", "access-2"]
    with pytest.raises(errors.BankConnectionEnded):
        await begin(banked, robin, connection_id=connection_id)


async def test_somebody_elses_connection_cannot_be_repaired(services: Services, make_user: MakeUser) -> None:
    robin, sam, bank = await make_user(), await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    for asked in (connection_id, uuid4()):
        with pytest.raises(errors.BankConnectionNotFound):
            await begin(banked, sam, connection_id=asked)


async def test_a_caller_that_goes_away_does_not_lose_what_the_person_came_back_with(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    begun = await begin(banked, robin)
    asked, goes_on = asyncio.Event(), asyncio.Event()
    real = bank.complete_link

    async def slow(answer: LinkAnswer) -> Linked:
        asked.set()
        await goes_on.wait()
        return await real(answer)

    bank.complete_link = slow  # type: ignore[method-assign]
    calling = asyncio.create_task(complete(banked, robin, begun))
    await asked.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    goes_on.set()
    async with asyncio.timeout(5):
        while await next_job(banked, robin, "bank.sync") is None:
            await asyncio.sleep(0.01)

    assert await complete(banked, robin, begun)
    assert bank.completed == 1


async def test_who_died_while_completing_leaves_the_link_to_the_next_call(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    clock = FixedClock(services.clock.now())
    banked = replace(with_banks(services, bank), clock=clock)
    begun = await begin(banked, robin)
    async with banked.db.write("bank", robin) as session:
        await service.claim_link(session, begun.id, None, clock.now())

    with pytest.raises(TryAgain):
        await complete(banked, robin, begun)
    clock.at += service.CLAIMED_FOR

    assert await complete(banked, robin, begun)
    assert timedelta(seconds=flow.COMPLETED_WITHIN_S) < service.CLAIMED_FOR


async def test_the_sandbox_is_linked_by_the_name_of_a_customer(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    banked = with_banks(services, SandboxProvider(services.clock))
    begun = await create_link(banked, robin, NewLink("sandbox"), "key")

    with pytest.raises(errors.BankLinkRefused):
        await complete(banked, robin, begun, Answer(public_token="nobody"))
    connection_id = await complete(banked, robin, begun, Answer(public_token="robin"))
    await sync(banked, robin)

    [line] = await history(banked, robin)
    assert line[:3] == ("manual", "success", "done")
    assert line[3] == line[4] > 1_000
    assert (await connection_of(banked, robin, connection_id))["provider_item_id"] == f"robin:{robin.user_id}"


def test_what_a_person_goes_and_comes_back_with_is_not_to_be_read_in_a_log() -> None:
    begun = BegunLink(uuid4(), "plaid", datetime.now(UTC), "canary", "https://bank.example/?request=canary")

    assert "canary" not in repr(begun) + repr(Answer(public_token="canary")) + repr(Answer(code="canary", state="canary"))
