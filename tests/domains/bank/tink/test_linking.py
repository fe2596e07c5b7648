"""A bank is linked and repaired at Tink Link; nobody else's is."""

from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from app.simulators.tink import authority
from domains.bank.providers.errors import LinkRefused, ProviderGarbled, ProviderRefused, ProviderUnavailable, ReauthenticationRequired
from domains.bank.providers.protocol import LinkRequest, Reached
from domains.bank.providers.tink.link import LINK_CLIENT, locale_for, parts_of
from domains.bank.providers.wire import Timeouts
from tests.domains.bank.tink.world import NOW, REDIRECT, World, answered, came_back, reached_by, world


async def test_a_person_is_sent_to_tink_link_and_comes_back_with_a_connection() -> None:
    async with world() as here:
        start = await here.begin(institution_id="gb-other-bank")

        query = dict(parse_qsl(urlsplit(start.url or "").query))
        linked = await here.provider.complete_link(answered(start, came_back(here.tink.agree(start.url or ""))))

    code = query.pop("authorization_code")
    assert len(code) == 32
    assert query == {
        "client_id": "simulated-client",
        "redirect_uri": REDIRECT,
        "market": "GB",
        "locale": "de_DE",
        "state": start.secret["state"],
        "input_provider": "gb-other-bank",
    }
    assert urlsplit(start.url or "").path == "/1.0/transactions/connect-accounts"
    assert (start.expires_at - NOW).total_seconds() == 1800
    assert start.token is None
    assert parts_of(linked.item_id) == ("person-1", next(iter(here.tink.consents)))
    assert linked.institution_id == "gb-other-bank"
    assert linked.institution_name == "Simulated Bank"
    assert linked.institution_logo_url == "https://example.com/simulated-bank.png"
    assert linked.consent_expires_at is not None
    assert (linked.consent_expires_at - NOW).days == 90
    assert linked.credentials.expires_at is not None
    assert (linked.credentials.expires_at - NOW).total_seconds() == 1800


async def test_the_page_that_stands_for_tink_link_is_used_with_a_browser() -> None:
    async with world() as here:
        start = await here.begin()
        async with httpx.AsyncClient() as browser:
            page = await browser.get(start.url or "")
            sent = await browser.post(start.url or "", content="choice=agree")
            again = await browser.post(start.url or "", content="choice=agree")

        linked = await here.provider.complete_link(answered(start, came_back(sent.headers["location"])))

    assert page.status_code == 200
    assert 'name="choice" value="agree"' in page.text
    assert sent.status_code == 303
    assert came_back(again.headers["location"])["error_reason"] == "INVALID_PARAMETER_AUTHORIZATION_CODE"
    assert linked.institution_name == "Simulated Bank"


async def test_the_page_sends_nobody_to_an_address_that_is_not_allowed() -> None:
    async with world(redirect_urls=frozenset({"https://elsewhere.example/"})) as here:
        start = await here.begin()
        async with httpx.AsyncClient() as browser:
            page = await browser.post(start.url or "", content="choice=agree")

    assert page.status_code == 400
    assert "location" not in page.headers
    assert here.tink.consents == {}


@pytest.mark.parametrize("choice", ["cancel", "fail"])
async def test_who_does_not_agree_has_no_connection(choice: str) -> None:
    async with world() as here:
        start = await here.begin()

        with pytest.raises(LinkRefused, match="NO_CODE"):
            await here.provider.complete_link(answered(start, came_back(here.tink.agree(start.url or "", choice))))


async def test_a_link_without_a_place_to_come_back_to_is_refused() -> None:
    async with world() as here:
        request = LinkRequest(user_reference="person-1", redirect_url=None, locale="en-GB", currency="GBP")

        with pytest.raises(LinkRefused, match="REDIRECT_URL_MISSING"):
            await here.provider.begin_link(request)

    assert here.tink.authority.users == {}


@pytest.mark.parametrize("state", [None, "", "x", "Ä" * 43])
async def test_a_state_that_we_did_not_give_away_is_refused_before_anything_is_asked(state: str | None) -> None:
    async with world() as here:
        start = await here.begin()
        answer = answered(start, came_back(here.tink.agree(start.url or "")))

        with pytest.raises(LinkRefused, match="STATE_MISMATCH"):
            await here.provider.complete_link(replace(answer, state=state))

    assert here.tink.authority.given == {"client_credentials": 1}


async def test_an_empty_state_of_ours_matches_nothing() -> None:
    async with world() as here:
        start = await here.begin()
        answer = answered(start, came_back(here.tink.agree(start.url or "")))

        with pytest.raises(LinkRefused, match="STATE_MISMATCH"):
            await here.provider.complete_link(replace(answer, secret={"user": "person-1"}, state=""))


async def test_somebody_elses_credentials_are_not_ones_own() -> None:
    async with world() as here:
        await here.link()
        theirs = next(iter(here.tink.consents))
        here.user = "person-2"
        start = await here.begin()
        query = came_back(here.tink.agree(start.url or ""))

        with pytest.raises(LinkRefused, match="UNKNOWN_CREDENTIALS"):
            await here.provider.complete_link(answered(start, {**query, "credentials_id": theirs}))


@pytest.mark.parametrize("code", ["../../user", "a/b", "ä", "x" * 101, "a b"])
async def test_credentials_that_cannot_be_any_are_not_asked_for(code: str) -> None:
    async with world() as here:
        start = await here.begin()

        with pytest.raises(LinkRefused, match="UNKNOWN_CREDENTIALS"):
            await here.provider.complete_link(answered(start, {"credentials_id": code, "state": start.secret["state"]}))

    assert here.tink.authority.given == {"client_credentials": 1}


async def test_a_second_bank_of_a_person_is_a_second_consent_of_the_same_user() -> None:
    async with world() as here:
        first, second = await here.link(), await here.link()

    assert parts_of(first.item_id)[0] == parts_of(second.item_id)[0] == "person-1"
    assert first.item_id != second.item_id
    assert list(here.tink.authority.users) == ["person-1"]


async def test_a_lost_connection_is_repaired_and_stays_the_same() -> None:
    async with world() as here:
        reached = await here.reach()
        here.tink.expire_login()
        with pytest.raises(ReauthenticationRequired, match="SESSION_EXPIRED"):
            await here.fetch(reached)

        start = await here.begin(reached)
        query = came_back(here.tink.agree(start.url or ""))
        repaired = await here.provider.complete_link(answered(start, query, reached))
        fetched = await here.fetch(reached_by(repaired))

    assert urlsplit(start.url or "").path == "/1.0/transactions/update-consent"
    assert dict(parse_qsl(urlsplit(start.url or "").query))["credentials_id"] == parts_of(reached.item_id)[1]
    assert repaired.item_id == reached.item_id
    assert len(fetched.statement.accounts) == 3


async def test_a_repair_that_led_to_another_consent_is_refused() -> None:
    async with world() as here:
        reached, other = await here.reach(), await here.link()
        start = await here.begin(reached)
        state = came_back(here.tink.agree(start.url or ""))["state"]

        with pytest.raises(LinkRefused, match="OTHER_CREDENTIALS"):
            await here.provider.complete_link(answered(start, {"credentials_id": parts_of(other.item_id)[1], "state": state}))


async def test_a_consent_that_is_lost_already_is_not_linked() -> None:
    async with world() as here:
        start = await here.begin()
        query = came_back(here.tink.agree(start.url or ""))
        here.tink.revoke()

        with pytest.raises(LinkRefused, match="AUTHENTICATION_ERROR"):
            await here.provider.complete_link(answered(start, query))


async def test_repairing_what_tink_has_forgotten_is_refused() -> None:
    async with world() as here:
        reached = await here.reach()
        here.tink.delete_user("person-1")

        with pytest.raises(LinkRefused, match="USER_NOT_FOUND"):
            await here.begin(reached)


async def test_a_bank_without_a_name_is_called_by_its_id() -> None:
    async with world() as here:
        start = await here.begin()
        query = came_back(here.tink.agree(start.url or ""))
        here.tink.bank_names = False

        linked = await here.provider.complete_link(answered(start, query))

    assert linked.institution_name == "gb-simulated-bank"
    assert linked.institution_logo_url is None


async def test_an_app_that_tink_does_not_know_is_the_operators_to_mend() -> None:
    async with world(client_secret="another") as here:
        with pytest.raises(ProviderRefused, match="INVALID_CLIENT"):
            await here.begin()


async def test_a_market_that_tink_does_not_know_is_the_operators_to_mend() -> None:
    async with world(market="SE") as here:
        with pytest.raises(ProviderRefused, match="INVALID_MARKET"):
            await here.begin()


async def test_removing_the_last_bank_removes_the_person_at_tink() -> None:
    async with world() as here:
        first, second = await here.reach(), await here.reach()

        await here.provider.revoke(first)
        after_first = (dict(here.tink.authority.users), list(here.tink.consents))
        await here.provider.revoke(second)

    assert list(after_first[0]) == ["person-1"]
    assert after_first[1] == [parts_of(second.item_id)[1]]
    assert here.tink.authority.users == {}
    assert here.tink.consents == {}


async def test_removing_what_is_gone_already_is_no_error() -> None:
    async with world() as here:
        first, second = await here.reach(), await here.reach()

        await here.provider.revoke(first)
        await here.provider.revoke(first)
        here.tink.delete_user("person-1")
        await here.provider.revoke(second)

    assert here.tink.authority.users == {}


@pytest.mark.parametrize("seed", range(8))
async def test_a_removal_over_a_bad_line_is_done_when_it_is_asked_again(seed: int) -> None:
    async with world(seed, timeouts=Timeouts(read_s=0.3, attempt_s=0.3)) as here:
        reached = await here.reach_at_last()
        here.faults.rate = 0.5

        tries = 1
        while not await revoked(here, reached):
            tries += 1
            assert tries < 100

    assert here.faults.happened
    assert here.tink.authority.users == {}
    assert here.tink.consents == {}


async def test_no_secret_is_in_what_is_shown_of_a_link() -> None:
    async with world() as here:
        start = await here.begin()
        linked = await here.link()

    shown = f"{start!r} {linked!r} {here.provider.__dict__!r}"
    assert start.secret["state"] not in shown.replace(start.url or "", "")
    assert linked.credentials.access_token not in shown
    assert (linked.credentials.refresh_token or "?") not in shown
    assert "simulated-secret" not in shown


@pytest.mark.parametrize(
    ("given", "spoken"),
    [
        ("en-US", "en_US"),
        ("en-GB", "en_GB"),
        ("en", "en_US"),
        ("de-AT", "de_DE"),
        ("pt-BR", "pt_PT"),
        ("nb-NO", "no_NO"),
        ("nn", "no_NO"),
        ("zh-Hans-CN", "en_US"),
        ("", "en_US"),
        ("sv_SE", "sv_SE"),
    ],
)
def test_a_language_that_tink_link_speaks_is_asked_for(given: str, spoken: str) -> None:
    assert locale_for(given) == spoken


def test_what_is_no_connection_of_ours_is_not_taken_for_one() -> None:
    for item in ("", "person", "/credentials", "person/"):
        with pytest.raises(ValueError, match="no connection"):
            parts_of(item)


def test_tink_link_is_one_and_the_same_on_both_sides() -> None:
    assert authority.LINK_CLIENT == LINK_CLIENT


async def revoked(here: World, reached: Reached) -> bool:
    try:
        await here.provider.revoke(reached)
    except (ProviderUnavailable, ProviderGarbled):
        return False
    return True
