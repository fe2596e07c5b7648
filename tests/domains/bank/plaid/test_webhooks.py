"""Messages that say they are from Plaid: which are believed, and what they mean."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from domains.bank.providers.errors import ProviderUnavailable
from domains.bank.providers.plaid.webhook_keys import ASKED_AT_MOST, KEPT, WebhookKeys
from domains.bank.providers.plaid.webhooks import (
    WebhookForged,
    WebhookKind,
    WebhookMalformed,
    read_webhook,
    verify_webhook,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KID = "bfbd5111-8e33-4643-8ced-b2e642a72f3c"
KEY = ECKey.generate_key("P-256")
BODY = b'{"webhook_type": "TRANSACTIONS", "webhook_code": "SYNC_UPDATES_AVAILABLE"}'


def jwk(key: ECKey = KEY, **changed: Any) -> dict[str, Any]:
    public = {**key.as_dict(private=False), "kid": KID, "alg": "ES256", "use": "sig", "created_at": 1_560_466_150, "expired_at": None}
    return {**public, **changed}


def signed(
    body: bytes = BODY, *, key: Any = KEY, at: datetime = NOW, alg: str = "ES256", header: Mapping[str, Any] | None = None, **claims: Any
) -> str:
    said = {"iat": int(at.timestamp()), "request_body_sha256": hashlib.sha256(body).hexdigest(), **claims}
    return jwt.encode({"alg": alg, "kid": KID, **(header or {})}, said, key, algorithms=[alg])


def unsigned(header: Mapping[str, Any], claims: object, signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


class Plaid:
    """Whoever is asked for keys, counting."""

    def __init__(self, keys: Mapping[str, Mapping[str, Any]]) -> None:
        self.keys = keys
        self.asked: list[str] = []
        self.is_down = False

    async def __call__(self, kid: str) -> Mapping[str, Any] | None:
        self.asked.append(kid)
        await asyncio.sleep(0)
        if self.is_down:
            raise ProviderUnavailable("DOWN")
        return self.keys.get(kid)


@pytest.fixture
def plaid() -> Plaid:
    return Plaid({KID: jwk()})


@pytest.fixture
def keys(plaid: Plaid) -> WebhookKeys:
    return WebhookKeys(plaid)


async def refused(token: str | None, keys: WebhookKeys, *, body: bytes = BODY, now: datetime = NOW) -> str:
    with pytest.raises(WebhookForged) as caught:
        await verify_webhook(body, token, keys, now)
    return caught.value.reason


async def test_a_message_that_plaid_signed_is_believed(keys: WebhookKeys, plaid: Plaid) -> None:
    await verify_webhook(BODY, signed(), keys, NOW)

    assert plaid.asked == [KID]


@pytest.mark.parametrize("age_s", [-60, 0, 300])
async def test_a_message_of_the_last_five_minutes_is_believed(keys: WebhookKeys, age_s: int) -> None:
    await verify_webhook(BODY, signed(at=NOW - timedelta(seconds=age_s)), keys, NOW)


@pytest.mark.parametrize("age_s", [-61, 301, 86_400])
async def test_an_old_message_is_not_believed_and_costs_no_question(keys: WebhookKeys, plaid: Plaid, age_s: int) -> None:
    assert await refused(signed(at=NOW - timedelta(seconds=age_s)), keys) == "stale"
    assert plaid.asked == []


async def test_a_signature_of_another_body_is_not_believed_and_costs_no_question(keys: WebhookKeys, plaid: Plaid) -> None:
    assert await refused(signed(), keys, body=BODY + b" ") == "another body"
    assert plaid.asked == []


async def test_a_signature_of_another_key_is_not_believed(keys: WebhookKeys) -> None:
    assert await refused(signed(key=ECKey.generate_key("P-256")), keys) == "bad signature"


async def test_changed_claims_are_not_believed(keys: WebhookKeys) -> None:
    head, _, tail = signed(at=NOW - timedelta(hours=1)).split(".")
    claims = {"iat": int(NOW.timestamp()), "request_body_sha256": hashlib.sha256(BODY).hexdigest()}
    middle = unsigned({}, claims).split(".")[1]

    assert await refused(f"{head}.{middle}.{tail}", keys) == "bad signature"


def with_none() -> str:
    return unsigned({"alg": "none", "kid": KID}, {"iat": int(NOW.timestamp()), "request_body_sha256": hashlib.sha256(BODY).hexdigest()})


def with_the_public_key_as_a_secret() -> str:
    secret = KEY.as_pem(private=False)
    content = unsigned({"alg": "HS256", "kid": KID}, {"iat": int(NOW.timestamp()), "request_body_sha256": hashlib.sha256(BODY).hexdigest()})
    told = content.rpartition(".")[0]
    mac = hmac.digest(secret, told.encode(), "sha256")
    return f"{told}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (with_none, "another algorithm"),
        (with_the_public_key_as_a_secret, "another algorithm"),
        (lambda: signed(alg="HS256", key=OctKey.import_key(b"k" * 32)), "another algorithm"),
        (lambda: signed(alg="ES384", key=ECKey.generate_key("P-384")), "another algorithm"),
        (lambda: signed(header={"kid": ""}), "no key named"),
        (lambda: signed(header={"kid": "k" * 65}), "no key named"),
        (lambda: signed(header={"kid": "käse"}), "no key named"),
        (lambda: unsigned({"alg": "ES256"}, {}), "no key named"),
        (lambda: unsigned({"alg": "ES256", "kid": 7}, {}), "no key named"),
        (lambda: unsigned({"alg": "ES256", "kid": KID, "crit": ["x"], "x": 1}, {}), "unknown extension"),
        (lambda: signed(iat=None), "no time"),
        (lambda: signed(iat=True), "no time"),
        (lambda: signed(iat="1700000000"), "no time"),
        (lambda: signed(iat=10**400), "no time"),
        (lambda: signed(request_body_sha256=None), "no digest"),
        (lambda: unsigned({"alg": "ES256", "kid": KID}, {"iat": int(NOW.timestamp()), "request_body_sha256": "\ud800"}), "another body"),
        (lambda: unsigned({"alg": "ES256", "kid": KID}, [1]), "no claims"),
        (lambda: signed(header={"kid": "another"}), "unknown key"),
        (lambda: None, "no signature"),
        (lambda: "", "no signature"),
        (lambda: "a" * 4_097, "no signature"),
        (lambda: "ä.b.c", "unreadable signature"),
        (lambda: "a.b", "unreadable signature"),
    ],
)
async def test_what_is_not_signed_as_plaid_signs_is_not_believed(keys: WebhookKeys, token: Callable[[], str | None], reason: str) -> None:
    assert await refused(token(), keys) == reason


@pytest.mark.parametrize(
    "changed",
    [
        {"alg": "ES384"},
        {"crv": "P-384"},
        {"kty": "OKP"},
        {"use": "enc"},
        {"kid": "another"},
        {"x": 5},
        {"x": "AAAA"},
        {"expired_at": "soon"},
    ],
)
async def test_a_key_of_another_kind_is_no_key(changed: dict[str, Any]) -> None:
    keys = WebhookKeys(Plaid({KID: jwk(**changed)}))

    assert await refused(signed(), keys) == "unknown key"


async def test_a_key_that_plaid_has_retired_is_no_key(plaid: Plaid) -> None:
    plaid.keys = {KID: jwk(expired_at=int((NOW + timedelta(seconds=10)).timestamp()))}
    keys = WebhookKeys(plaid)

    await verify_webhook(BODY, signed(), keys, NOW)
    later = NOW + timedelta(seconds=10)

    assert await refused(signed(at=later), keys, now=later) == "unknown key"


@given(
    st.text(alphabet=st.characters(max_codepoint=126, min_codepoint=32), max_size=60).flatmap(
        lambda text: st.permutations([text, signed(), with_none(), "..", "e30"]).map(lambda parts: ".".join(parts)[:400])
    )
)
def test_no_token_is_too_odd_to_be_refused(token: str) -> None:
    async def ask() -> None:
        with pytest.raises(WebhookForged):
            await verify_webhook(b"x", token, WebhookKeys(Plaid({})), NOW)

    asyncio.run(ask())


# The keys


async def test_many_who_need_one_key_at_once_ask_once(keys: WebhookKeys, plaid: Plaid) -> None:
    await asyncio.gather(*(verify_webhook(BODY, signed(), keys, NOW) for _ in range(50)))

    assert plaid.asked == [KID]


async def test_who_stops_waiting_takes_the_answer_from_nobody(keys: WebhookKeys, plaid: Plaid) -> None:
    first = asyncio.create_task(verify_webhook(BODY, signed(), keys, NOW))
    second = asyncio.create_task(verify_webhook(BODY, signed(), keys, NOW))
    await asyncio.sleep(0)
    first.cancel()
    await second

    assert plaid.asked == [KID]


async def test_a_key_is_asked_for_again_after_an_hour_and_not_before(keys: WebhookKeys, plaid: Plaid) -> None:
    for minutes in (0, 30, 59, 60, 90):
        now = NOW + timedelta(minutes=minutes)
        await verify_webhook(BODY, signed(at=now), keys, now)

    assert plaid.asked == [KID, KID]


async def test_a_key_goes_on_being_used_for_a_day_while_plaid_does_not_answer(keys: WebhookKeys, plaid: Plaid) -> None:
    await verify_webhook(BODY, signed(), keys, NOW)
    plaid.is_down = True

    for hours in (2, 23):
        now = NOW + timedelta(hours=hours)
        await verify_webhook(BODY, signed(at=now), keys, now)
    with pytest.raises(ProviderUnavailable):
        await verify_webhook(BODY, signed(at=NOW + KEPT), keys, NOW + KEPT)


async def test_an_unknown_key_is_asked_for_once_in_ten_minutes(keys: WebhookKeys, plaid: Plaid) -> None:
    for minutes in (0, 1, 9, 10):
        now = NOW + timedelta(minutes=minutes)
        assert await refused(signed(at=now, header={"kid": "invented"}), keys, now=now) == "unknown key"

    assert plaid.asked == ["invented", "invented"]


async def test_a_flood_of_invented_keys_asks_plaid_a_few_times_a_minute_and_known_ones_still_verify(
    keys: WebhookKeys, plaid: Plaid
) -> None:
    await verify_webhook(BODY, signed(), keys, NOW)
    answers = []
    for number in range(200):
        try:
            await verify_webhook(BODY, signed(header={"kid": f"invented-{number}"}), keys, NOW)
        except (WebhookForged, ProviderUnavailable) as error:
            answers.append(type(error))
    await verify_webhook(BODY, signed(), keys, NOW)
    later = NOW + timedelta(minutes=1)
    await refused(signed(at=later, header={"kid": "invented-later"}), keys, now=later)

    assert len(plaid.asked) == ASKED_AT_MOST + 1
    assert answers == [WebhookForged] * (ASKED_AT_MOST - 1) + [ProviderUnavailable] * (200 - ASKED_AT_MOST + 1)


async def test_a_known_key_past_its_hour_still_verifies_during_a_flood(keys: WebhookKeys, plaid: Plaid) -> None:
    await verify_webhook(BODY, signed(), keys, NOW)
    later = NOW + timedelta(hours=2)
    for number in range(ASKED_AT_MOST):
        await refused(signed(at=later, header={"kid": f"invented-{number}"}), keys, now=later)

    await verify_webhook(BODY, signed(at=later), keys, later)

    assert plaid.asked.count(KID) == 1


# What they mean


def message(kind: str, code: str, **more: Any) -> bytes:
    return json.dumps({"webhook_type": kind, "webhook_code": code, "item_id": "item-1", "environment": "production", **more}).encode()


def test_changed_transactions_are_to_be_fetched() -> None:
    read = read_webhook(message("TRANSACTIONS", "SYNC_UPDATES_AVAILABLE", initial_update_complete=True, historical_update_complete=False))

    assert (read.kind, read.code, read.item_id, read.is_history_complete) == (
        WebhookKind.CHANGED, "TRANSACTIONS/SYNC_UPDATES_AVAILABLE", "item-1", False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "kind", "error_code"),
    [
        (message("ITEM", "ERROR", error={"error_code": "ITEM_LOGIN_REQUIRED"}), WebhookKind.REAUTHENTICATION, "ITEM_LOGIN_REQUIRED"),
        (message("ITEM", "ERROR", error={"error_code": "my mother's maiden name"}), WebhookKind.REAUTHENTICATION, "ERROR"),
        (message("ITEM", "ERROR"), WebhookKind.REAUTHENTICATION, "ERROR"),
        (message("ITEM", "USER_PERMISSION_REVOKED", error=None), WebhookKind.REAUTHENTICATION, "USER_PERMISSION_REVOKED"),
        (message("ITEM", "LOGIN_REPAIRED"), WebhookKind.REPAIRED, None),
        (message("ITEM", "NEW_ACCOUNTS_AVAILABLE"), WebhookKind.NEW_ACCOUNTS, None),
    ],
)
def test_what_an_item_says_of_itself(body: bytes, kind: WebhookKind, error_code: str | None) -> None:
    read = read_webhook(body)

    assert (read.kind, read.item_id, read.error_code) == (kind, "item-1", error_code)


@pytest.mark.parametrize(
    "body",
    [
        message("ITEM", "PENDING_EXPIRATION", consent_expiration_time="2026-11-29T13:25:17.766Z"),
        message("ITEM", "PENDING_DISCONNECT", reason="INSTITUTION_MIGRATION", disconnect_time="2026-11-29T13:25:17.766Z"),
    ],
)
def test_what_will_end_says_when(body: bytes) -> None:
    read = read_webhook(body)

    assert (read.kind, read.expires_at) == (WebhookKind.EXPIRING, datetime(2026, 11, 29, 13, 25, 17, 766_000, tzinfo=UTC))


def test_an_account_that_was_taken_back_is_named() -> None:
    read = read_webhook(message("ITEM", "USER_ACCOUNT_REVOKED", account_id="acc-1"))

    assert (read.kind, read.account_id) == (WebhookKind.ACCOUNT_REVOKED, "acc-1")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("TRANSACTIONS", "INITIAL_UPDATE"), ("TRANSACTIONS", "HISTORICAL_UPDATE"), ("TRANSACTIONS", "DEFAULT_UPDATE"),
        ("TRANSACTIONS", "TRANSACTIONS_REMOVED"), ("TRANSACTIONS", "RECURRING_TRANSACTIONS_UPDATE"),
        ("ITEM", "WEBHOOK_UPDATE_ACKNOWLEDGED"), ("LINK", "SESSION_FINISHED"), ("HOLDINGS", "DEFAULT_UPDATE"),
    ],
)  # fmt: skip
def test_older_messages_and_those_of_other_products_are_ignored(kind: str, code: str) -> None:
    read = read_webhook(json.dumps({"webhook_type": kind, "webhook_code": code}).encode())

    assert (read.kind, read.code, read.item_id) == (WebhookKind.IGNORED, f"{kind}/{code}", None)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'{"webhook_type": "ITEM"}', b'{"webhook_type": 1, "webhook_code": "ERROR"}',
        b'{"webhook_type": "ITEM", "webhook_code": "ERROR", "item_id": ""}', b'{"webhook_type": "ITEM", "webhook_code": "ERROR"}',
        message("ITEM", "PENDING_EXPIRATION"), message("ITEM", "PENDING_EXPIRATION", consent_expiration_time="soon"),
        message("ITEM", "PENDING_EXPIRATION", consent_expiration_time="2026-11-29T13:25:17"), message("ITEM", "USER_ACCOUNT_REVOKED"),
        message("ITEM", "LOGIN_REPAIRED", item_id="i" * 256), message("ITEM", "LOGIN_REPAIRED", item_id="ï"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_apart_from_what_is_ignored(body: bytes) -> None:
    with pytest.raises(WebhookMalformed):
        read_webhook(body)
