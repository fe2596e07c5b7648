"""A bank is linked and repaired by its customer's consent; nobody else's answer counts."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from domains.bank.providers.errors import LinkRefused, ProviderGarbled, ProviderRefused, ProviderUnavailable, ReauthenticationRequired
from domains.bank.providers.open_banking.access import Access
from domains.bank.providers.open_banking.config import ResponseType
from domains.bank.providers.protocol import LinkAnswer, LinkRequest
from domains.bank.providers.wire import Timeouts
from tests.domains.bank.open_banking.world import NOW, REDIRECT, World, answered, came_back, reached_by, world

RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")


def query_of(url: str | None) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url or "").query))


async def test_a_person_is_sent_to_the_bank_and_comes_back_with_a_connection() -> None:
    async with world() as here:
        start = await here.begin()
        waiting = here.statuses

        linked = await here.provider.complete_link(answered(start, came_back(here.simulator.agree(start.url or ""))))

    query = query_of(start.url)
    assert waiting == ["AWAU"]
    assert here.statuses == ["AUTH"]
    assert json.loads(query.pop("claims"))["id_token"] == {"openbanking_intent_id": {"value": here.consent_ids[0], "essential": True}}
    assert len(query.pop("code_challenge")) == 43
    assert query == {
        "response_type": "code",
        "client_id": "simulated-client",
        "redirect_uri": REDIRECT,
        "scope": "openid accounts",
        "state": start.secret["state"],
        "nonce": start.secret["nonce"],
        "code_challenge_method": "S256",
    }
    assert start.token is None
    assert start.expires_at - NOW == timedelta(minutes=30)
    assert linked.item_id == f"simulated-bank:{here.consent_ids[0]}"
    assert linked.institution_id == "simulated-bank"
    assert linked.institution_name == "Simulated Bank"
    assert linked.institution_logo_url == "https://simulated.example/logo.png"
    assert linked.consent_expires_at == NOW + timedelta(days=90)
    assert linked.credentials.refresh_token is not None
    assert linked.credentials.expires_at == NOW + timedelta(minutes=5)


async def test_only_what_is_needed_is_asked_for() -> None:
    async with world() as here:
        await here.begin()

        sent = here.simulator.exchanges[-1]

    assert (sent.method, sent.path) == ("POST", "/account-access-consents")
    assert sent.body == {
        "Data": {
            "Permissions": [
                "ReadAccountsDetail",
                "ReadBalances",
                "ReadTransactionsCredits",
                "ReadTransactionsDebits",
                "ReadTransactionsDetail",
            ],
            "ExpirationDateTime": "2026-10-18T09:00:00Z",
        },
        "Risk": {},
    }


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "PS256"), (EC, "ES256")])
async def test_with_a_key_the_request_and_who_we_are_are_signed(key: RSAKey | ECKey, algorithm: str) -> None:
    async with world(key=key) as here:
        start = await here.begin()
        query = query_of(start.url)
        linked = await here.provider.complete_link(answered(start, came_back(here.simulator.agree(start.url or ""))))

        signed = jwt.decode(query["request"], key, algorithms=[algorithm])
        fetched = await here.fetch(reached_by(linked))

    assert signed.header["kid"] == "our-key"
    assert signed.claims["aud"] == here.url
    assert signed.claims["exp"] - signed.claims["nbf"] == 1800
    assert {name: query[name] for name in ("state", "nonce", "redirect_uri", "scope", "response_type", "client_id")} == {
        name: signed.claims[name] for name in ("state", "nonce", "redirect_uri", "scope", "response_type", "client_id")
    }
    assert signed.claims["code_challenge_method"] == "S256"
    assert "code_challenge" not in query
    assert len(fetched.statement.accounts) == 3


async def test_another_key_than_the_banks_knows_is_refused_as_ours_to_mend() -> None:
    async with world(key=EC) as here:
        here.simulator.authority._client_key = ECKey.generate_key("P-256")

        with pytest.raises(ProviderRefused) as refused:
            await here.begin()

    assert refused.value.detail == "INVALID_CLIENT"


@pytest.mark.parametrize("response_type", ["code", "code id_token"])
async def test_the_answer_may_come_in_the_query_or_in_the_fragment(response_type: ResponseType) -> None:
    async with world(response_type=response_type) as here:
        start = await here.begin()
        back = here.simulator.agree(start.url or "")

        linked = await here.provider.complete_link(answered(start, came_back(back)))

    assert ("#" in back) == (response_type != "code")
    assert linked.item_id == f"simulated-bank:{here.consent_ids[0]}"


async def test_the_banks_page_is_used_with_a_browser() -> None:
    async with world() as here:
        start = await here.begin()
        async with httpx.AsyncClient() as browser:
            page = await browser.get(start.url or "")
            sent = await browser.post(start.url or "", content="answer=agree")
            again = await browser.post(start.url or "", content="answer=agree")
            astray = await browser.get(f"{here.url}/authorize?client_id=%3Cscript%3E")

        linked = await here.provider.complete_link(answered(start, came_back(sent.headers["location"])))

    assert page.status_code == 200
    assert 'name="answer" value="agree"' in page.text
    assert "2026-10-18" in page.text
    assert sent.status_code == 303
    assert again.status_code == 400
    assert astray.status_code == 400
    assert "<script>" not in astray.text
    assert linked.item_id == f"simulated-bank:{here.consent_ids[0]}"


async def test_who_refuses_at_the_bank_is_not_linked() -> None:
    async with world() as here:
        start = await here.begin()
        said = came_back(here.simulator.refuse(start.url or ""))

        with pytest.raises(LinkRefused) as refused:
            await here.provider.complete_link(answered(start, said))

    assert said["error"] == "access_denied"
    assert refused.value.detail == "NO_CODE"
    assert here.simulator.authority.given == {"client_credentials": 1}


@pytest.mark.parametrize("state", [None, "", "forged", "\ud800", "é"])
async def test_a_forged_state_is_refused_before_anything_is_asked_of_the_bank(state: str | None) -> None:
    async with world() as here:
        start = await here.begin()
        query = came_back(here.simulator.agree(start.url or ""))

        with pytest.raises(LinkRefused) as refused:
            await here.provider.complete_link(replace(answered(start, query), state=state))

    assert refused.value.detail == "STATE_MISMATCH"
    assert "authorization_code" not in here.simulator.authority.given


async def test_an_answer_is_good_for_the_link_it_belongs_to_and_for_no_other() -> None:
    async with world() as here:
        mine, theirs = await here.begin(), await here.begin()
        query = came_back(here.simulator.agree(theirs.url or ""))

        with pytest.raises(LinkRefused) as replayed:
            await here.provider.complete_link(answered(mine, query))
        with pytest.raises(LinkRefused) as injected:
            await here.provider.complete_link(answered(mine, {**query, "state": mine.secret["state"]}))

    assert replayed.value.detail == "STATE_MISMATCH"
    assert injected.value.detail == "INVALID_GRANT"  # the verifier is another one


async def test_a_code_is_good_once() -> None:
    async with world() as here:
        start = await here.begin()
        answer = answered(start, came_back(here.simulator.agree(start.url or "")))
        linked = await here.provider.complete_link(answer)

        with pytest.raises(LinkRefused) as refused:
            await here.provider.complete_link(answer)

    assert linked.item_id == f"simulated-bank:{here.consent_ids[0]}"
    assert refused.value.detail == "INVALID_GRANT"
    assert here.simulator.authority.given["authorization_code"] == 1


@pytest.mark.parametrize("fault", ["reset", "time_out", "server_error"])
async def test_a_code_is_shown_once_whatever_becomes_of_the_answer(fault: str) -> None:
    async with world(retries=3, timeouts=Timeouts(attempt_s=0.3)) as here:
        start = await here.begin()
        answer = answered(start, came_back(here.simulator.agree(start.url or "")))
        here.faults.plan(fault)

        with pytest.raises(ProviderUnavailable):
            await here.provider.complete_link(answer)

    assert here.simulator.authority.given.get("authorization_code", 0) == (0 if fault == "server_error" else 1)
    assert here.faults.happened == [fault]


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"nonce": "another"}, "ID_TOKEN_NONCE"),
        ({"nonce": None}, "ID_TOKEN_NONCE"),
        ({"aud": "somebody-else"}, "ID_TOKEN_AUDIENCE"),
        ({"aud": ["x", "y"]}, "ID_TOKEN_AUDIENCE"),
        ({"openbanking_intent_id": "consent-999999"}, "ID_TOKEN_CONSENT"),
        ({"exp": int(NOW.timestamp()) - 3600}, "ID_TOKEN_EXPIRED"),
        ({"exp": "tomorrow"}, "ID_TOKEN_EXPIRED"),
    ],
)
async def test_a_token_that_is_for_something_else_is_refused(claims: Mapping[str, Any], why: str) -> None:
    async with world() as here:
        here.simulator.authority.id_token_claims = dict(claims)
        start = await here.begin()

        with pytest.raises(LinkRefused) as refused:
            await here.provider.complete_link(answered(start, came_back(here.simulator.agree(start.url or ""))))

    assert refused.value.detail == why


@pytest.mark.parametrize("status", ["AWAU", "RJCT", "CANC", "EXPD"])
async def test_a_consent_that_the_bank_does_not_call_authorised_makes_no_connection(status: str) -> None:
    async with world() as here:
        start = await here.begin()
        query = came_back(here.simulator.agree(start.url or ""))
        here.simulator.tamper = lambda path, body: (
            {**body, "Data": {**body["Data"], "Status": status}} if path.startswith("/account-access-consents/") else body
        )

        with pytest.raises(LinkRefused) as refused:
            await here.provider.complete_link(answered(start, query))

    assert refused.value.detail == status


async def test_the_words_of_3_1_are_understood() -> None:
    async with world(version="3.1") as here:
        reached = await here.reach()
        fetched = await here.fetch(reached)

        read = next(each for each in here.simulator.exchanges if each.method == "GET")

    assert read.answer["Data"]["Status"] == "Authorised"
    assert {(each.account_type, each.account_subtype) for each in fetched.statement.accounts} == {
        ("checking", "checking"),
        ("savings", "savings"),
        ("credit", "credit card"),
    }


async def test_a_link_needs_a_page_to_come_back_to_and_a_bank_that_is_set_up() -> None:
    async with world() as here:
        asked = LinkRequest(user_reference="person-1", redirect_url=None, locale="en-GB", currency="GBP")

        with pytest.raises(LinkRefused) as nowhere:
            await here.provider.begin_link(asked)
        with pytest.raises(LinkRefused) as unknown:
            await here.provider.begin_link(replace(asked, redirect_url=REDIRECT, institution_id="another-bank"))

    assert nowhere.value.detail == "REDIRECT_URL_MISSING"
    assert unknown.value.detail == "INSTITUTION_UNKNOWN"
    assert not here.simulator.authority.consents


async def test_another_redirect_page_than_the_links_is_refused() -> None:
    async with world() as here:
        start = await here.begin()
        query = came_back(here.simulator.agree(start.url or ""))

        with pytest.raises(LinkRefused) as refused:
            await here.provider.complete_link(replace(answered(start, query), redirect_url="https://elsewhere.example/"))

    assert refused.value.detail == "REDIRECT_URL_MISMATCH"


async def test_a_repair_keeps_the_old_consent_until_the_new_one_has_worked() -> None:
    async with world() as here:
        first = await here.reach()
        fetched, reached = await here.settle(first)
        repaired = reached_by(await here.link(reached), cursor=reached.cursor)
        before = here.statuses
        here.faults.plan("server_error")
        with pytest.raises(ProviderUnavailable):
            await here.fetch(repaired)
        failed = here.statuses

        again = await here.fetch(repaired)

    assert repaired.item_id == first.item_id
    assert before == failed == ["AUTH", "AUTH"]
    assert here.statuses == ["CANC", "AUTH"]
    assert [each.provider_account_id for each in again.statement.accounts] == [
        each.provider_account_id for each in fetched.statement.accounts
    ]
    kept = Access.read(here.told.credentials[-1])
    assert (kept.consent_id, tuple(kept.former)) == (here.consent_ids[1], ())


async def test_an_old_consent_that_cannot_be_ended_is_ended_after_a_later_fetch() -> None:
    async with world() as here:
        reached = await here.reach()
        repaired = reached_by(await here.link(reached))
        here.simulator.tamper = _breaking_after_the_last_balance(here)

        first, reached = await here.settle(repaired)
        here.simulator.tamper = None
        kept = here.statuses[0]
        await here.fetch(reached)

    assert len(first.statement.accounts) == 3
    assert kept == "AUTH"
    assert here.statuses[0] == "CANC"


async def test_a_connection_is_ended_at_the_bank_with_all_its_consents_and_once_more_is_no_error() -> None:
    async with world() as here:
        repaired = reached_by(await here.link(await here.reach()))

        await here.provider.revoke(repaired)
        await here.provider.revoke(repaired)

        with pytest.raises(ReauthenticationRequired):
            await here.fetch(repaired)
    assert here.statuses == ["CANC", "CANC"]


async def test_a_consent_that_the_bank_has_forgotten_has_ended() -> None:
    async with world() as here:
        reached = await here.reach()
        here.simulator.authority.consents.clear()

        await here.provider.revoke(reached)
        with pytest.raises(ReauthenticationRequired):
            await here.fetch(reached)


async def test_credentials_that_cannot_be_read_end_what_is_known() -> None:
    async with world() as here:
        reached = await here.reach()

        await here.provider.revoke(replace(reached, credentials=replace(reached.credentials, access_token="not ours")))

    assert here.statuses[0] == "CANC"


async def test_a_client_secret_that_the_bank_does_not_know_is_the_operators_to_mend() -> None:
    async with world(client_secret="another") as here:
        with pytest.raises(ProviderRefused) as refused:
            await here.begin()

    assert refused.value.detail == "INVALID_CLIENT"


async def test_the_banks_own_words_never_reach_a_client_and_secrets_never_a_log() -> None:
    async with world() as here:
        start = await here.begin()
        answer: LinkAnswer = answered(start, came_back(here.simulator.agree(start.url or "")))
        linked = await here.provider.complete_link(answer)

        shown = " ".join(map(repr, (start, answer, linked, here.config, Access.read(linked.credentials), here.provider)))

    secrets = [*start.secret.values(), answer.code or "", linked.credentials.access_token, linked.credentials.refresh_token or ""]
    hidden = [start.secret[name] for name in ("nonce", "verifier")] + secrets[-3:] + ["simulated-secret"]
    assert not [each for each in hidden if each in shown.replace(start.url or "", "")]


async def test_a_bank_that_gives_no_id_token_is_garbled_where_one_was_asked_for() -> None:
    async with world() as here:
        start = await here.begin()
        query = came_back(here.simulator.agree(start.url or ""))
        here.simulator.authority.id_token = lambda _asked: ""  # type: ignore[method-assign]

        with pytest.raises(ProviderGarbled) as garbled:
            await here.provider.complete_link(answered(start, query))

    assert garbled.value.detail == "ID_TOKEN"


def _breaking_after_the_last_balance(here: World) -> Callable[[str, Any], Any]:
    """What is asked after all three accounts have said what they hold, which is the end of a consent, goes wrong."""
    asked: list[str] = []

    def tamper(path: str, body: Any) -> Any:
        asked.extend([path] if path.endswith("/balances") else [])
        if len(asked) == 3 and path == asked[-1]:
            here.faults.plan("server_error")
        return body

    return tamper
