"""POST /webhooks/plaid, on a socket, with a Plaid of the test's own that is asked for keys."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import structlog
from joserfc.jwk import ECKey
from pydantic import SecretStr

from app.http.webhooks import BODY_LIMIT_BYTES, REFUSED
from app.settings import Settings
from db import jobs
from db.bank import queries_connections as connections
from db.engines import Db, Dsns
from db.redis import RedisConnections
from domains.bank.providers.plaid.webhook_keys import ASKED_AT_MOST
from domains.bank.providers.protocol import Credentials, Linked
from domains.bank.service.link_banks import store_connection
from domains.flows.services import Services
from tests.app.http.conftest import api
from tests.app.http.hooks import (
    PATH,
    SYNC,
    Connection,
    Endpoint,
    Plaid,
    changed,
    claimed,
    end_jobs,
    endpoint,
    message,
    notices,
    now,
    receipts,
    standing,
    stored,
    syncs,
)
from tests.conftest import MakeUser
from tests.domains.bank.plaid.test_webhooks import KEY, jwk, signed, unsigned
from tests.servers.everywhere import Everywhere
from tests.servers.suite import Servers

OTHER = ECKey.generate_key("P-256")


@pytest.fixture(autouse=True)
async def nobody_has_forged_yet(redis: RedisConnections) -> None:
    """All tests are at one address."""
    await redis.client.delete("bucket:webhook:127.0.0.1")


@pytest.fixture
async def here(services: Services) -> AsyncIterator[Endpoint]:
    async with endpoint(services) as found:
        yield found


LinkBank = Callable[[], Awaitable[Connection]]


@pytest.fixture
def link_bank(services: Services, make_user: MakeUser) -> LinkBank:
    """Somebody new has linked a bank through Plaid."""

    async def link() -> Connection:
        viewer, item_id = await make_user(), f"item-{uuid4()}"
        key = await services.cipher.key_of(viewer.user_id, make=True)
        linked = Linked(item_id=item_id, credentials=Credentials(access_token="access"))
        async with services.db.write("bank", viewer) as session:
            _, connection_id = await store_connection(session, "plaid", linked, key, now(), timedelta(hours=4))
        return Connection(connection_id, item_id, viewer)

    return link


@pytest.fixture
async def connection(link_bank: LinkBank) -> Connection:
    return await link_bank()


@pytest.fixture
async def everything(servers: Servers) -> AsyncIterator[Everywhere]:
    everywhere = await Everywhere.open(servers.databases)
    yield everywhere
    await everywhere.close()


# What is Plaid's


async def test_ten_equal_ones_at_once_are_one_fetch_in_a_second(here: Endpoint, connection: Connection, everything: Everywhere) -> None:
    body = changed(connection)
    token = signed(body, at=now())

    answers = await asyncio.gather(*(here.send(body, token) for _ in range(10)))

    assert answers == [200] * 10
    assert await receipts(everything, connection) == {"TRANSACTIONS/SYNC_UPDATES_AVAILABLE": 1}
    assert await syncs(everything, connection) == [("queued", False, "webhook")]
    waits = "select extract(epoch from run_at - created_at)::float from bank_schema.jobs where topic = $1 and key = $2"
    assert await everything.fetchval(waits, SYNC, str(connection.id)) == pytest.approx(1.0)
    assert here.plaid.asked == [jwk()["kid"]], "ten who ask for one key ask once"


async def test_equal_different_forged_and_stale_ones_at_once_are_one_fetch(
    here: Endpoint, connection: Connection, everything: Everywhere
) -> None:
    """In any order: an event that is told of late is told of all the same."""
    early, late = changed(connection, is_complete=False), changed(connection)
    accounts = message("ITEM/NEW_ACCOUNTS_AVAILABLE", connection)
    token = signed(late, at=now())
    good = [(late, token)] * 4 + [(early, signed(early, at=now() - timedelta(seconds=90))), (accounts, signed(accounts, at=now()))]
    stale = [(late, signed(late, at=now() - timedelta(seconds=301)))] * 2
    forged = [(late, signed(late, at=now(), key=OTHER)), (late + b" ", token), (early, token)]

    answers = await asyncio.gather(*(here.send(*each) for each in good[::-1] + stale + forged))

    assert answers == [200] * 6 + [400] * 5
    assert await syncs(everything, connection) == [("queued", False, "webhook")]
    assert await receipts(everything, connection) == {"TRANSACTIONS/SYNC_UPDATES_AVAILABLE": 2, "ITEM/NEW_ACCOUNTS_AVAILABLE": 1}


async def test_the_same_news_on_another_day_count_again(
    here: Endpoint, connection: Connection, services: Services, everything: Everywhere
) -> None:
    """The bodies are the same, letter by letter: Plaid's have neither a number nor a time."""
    body = changed(connection)
    assert await here.tell(body, at=now() - timedelta(seconds=20)) == 200
    await end_jobs(services, connection)

    assert await here.tell(body) == 200

    assert await syncs(everything, connection) == [("done", False, "webhook"), ("queued", False, "webhook")]


async def test_during_a_fetch_it_is_followed_by_another(
    here: Endpoint, connection: Connection, services: Services, everything: Everywhere
) -> None:
    await here.tell(changed(connection), at=now() - timedelta(seconds=20))
    claim = await claimed(services, connection)

    await asyncio.gather(*(here.tell(changed(connection), at=now() - timedelta(seconds=each)) for each in range(5)))

    assert await syncs(everything, connection) == [("running", True, "webhook")]
    async with services.db.write("bank", connection.viewer) as session:
        await jobs.finish(session, claim)
    assert await syncs(everything, connection) == [("done", True, "webhook"), ("queued", False, "webhook")]


async def test_who_has_to_sign_in_is_told_once_and_the_next_fetch_looks(
    here: Endpoint, connection: Connection, everything: Everywhere
) -> None:
    error = {"error_type": "ITEM_ERROR", "error_code": "ITEM_LOGIN_REQUIRED", "error_message": "the login details changed"}
    body = message("ITEM/ERROR", connection, error=error)

    for age_s in (3, 2, 1):
        assert await here.tell(body, at=now() - timedelta(seconds=age_s)) == 200

    assert await standing(everything, connection) == ("requires_update", "ITEM_LOGIN_REQUIRED", False, None)
    assert await notices(everything, connection) == ["NEEDS_LOGIN"]
    assert await syncs(everything, connection) == [("queued", False, "webhook")]


async def test_access_that_was_taken_back_needs_its_owner(here: Endpoint, connection: Connection, everything: Everywhere) -> None:
    assert await here.tell(message("ITEM/USER_PERMISSION_REVOKED", connection, error=None)) == 200

    assert await standing(everything, connection) == ("requires_update", "USER_PERMISSION_REVOKED", False, None)
    assert await notices(everything, connection) == ["NEEDS_LOGIN"]


async def test_a_login_that_was_repaired_elsewhere_works_and_is_fetched(
    here: Endpoint, connection: Connection, services: Services, everything: Everywhere
) -> None:
    await here.tell(message("ITEM/USER_PERMISSION_REVOKED", connection))
    await end_jobs(services, connection)

    assert await here.tell(message("ITEM/LOGIN_REPAIRED", connection)) == 200

    assert await standing(everything, connection) == ("active", None, True, None)
    assert [state for state, _, _ in await syncs(everything, connection)] == ["done", "queued"]


@pytest.mark.parametrize(
    ("code", "name"), [("ITEM/PENDING_EXPIRATION", "consent_expiration_time"), ("ITEM/PENDING_DISCONNECT", "disconnect_time")]
)
async def test_of_an_end_that_comes_its_owner_is_told_once(
    here: Endpoint, connection: Connection, services: Services, everything: Everywhere, code: str, name: str
) -> None:
    ends, later = datetime(2031, 1, 1, 12, tzinfo=UTC), datetime(2031, 3, 1, 12, tzinfo=UTC)
    told = []

    for age_s, at in ((4, ends), (3, ends), (2, later), (1, later)):
        body = message(code, connection, **{name: at.isoformat()})
        assert await here.tell(body, at=now() - timedelta(seconds=age_s)) == 200
        told.append(await notices(everything, connection))
        await end_jobs(services, connection, "notification.notice")

    assert [len(each) for each in told] == [1, 1, 2, 2]
    assert set(told[-1]) == {"CONSENT_ENDS"}
    assert await standing(everything, connection) == ("active", None, True, later)
    assert await syncs(everything, connection) == []


async def test_what_concerns_nobody_here_is_taken_and_leaves_nothing(
    here: Endpoint, connection: Connection, link_bank: LinkBank, services: Services, everything: Everywhere
) -> None:
    """Items of nobody, connections that were removed, messages of other products; and what is Plaid's and cannot be read."""
    removed = await link_bank()
    async with services.db.write("bank", removed.viewer) as session:
        ended = {"status": "disconnected", "access_token_encrypted": None, "next_sync_at": None}
        await connections.change_connection(session, removed.id, ended)
    before = await stored(everything)

    answers = [
        await here.tell(each)
        for each in (
            changed(replace(connection, item_id="nobodys")),
            changed(removed),
            message("ITEM/USER_PERMISSION_REVOKED", removed),
            message("TRANSACTIONS/DEFAULT_UPDATE", connection, new_transactions=3),
            message("HOLDINGS/DEFAULT_UPDATE", connection),
            message("ITEM/PENDING_EXPIRATION", connection),
            message("TRANSACTIONS/SYNC_UPDATES_AVAILABLE"),
            b"[]",
            b"\xff",
            b"",
        )
    ]

    assert answers == [200] * 10
    assert await stored(everything) == before
    assert (await syncs(everything, connection), await syncs(everything, removed)) == ([], [])
    assert (await standing(everything, removed))[0] == "disconnected"


async def test_only_the_connection_of_the_item_is_touched(here: Endpoint, link_bank: LinkBank, everything: Everywhere) -> None:
    mine, yours = await link_bank(), await link_bank()

    await here.tell(message("ITEM/USER_PERMISSION_REVOKED", mine))

    assert (await standing(everything, yours))[0] == "active"
    assert (await syncs(everything, yours), await notices(everything, yours), await receipts(everything, yours)) == ([], [], {})


# What is not


def claims_of(body: bytes) -> dict[str, Any]:
    """What Plaid would sign now."""
    return {"iat": int(now().timestamp()), "request_body_sha256": hashlib.sha256(body).hexdigest()}


def with_one_byte_changed(token: str) -> str:
    head, claims, signature = token.split(".")
    return ".".join((head, claims, ("B" if signature[0] == "A" else "A") + signature[1:]))


def with_the_public_key_as_secret(body: bytes) -> str:
    """HS256, signed with what everybody can read."""
    said = unsigned({"alg": "HS256", "kid": jwk()["kid"]}, claims_of(body)).rpartition(".")[0]
    digest = hmac.digest(KEY.as_pem(private=False), said.encode(), "sha256")
    return said + "." + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


FORGED: dict[str, Callable[[bytes], tuple[bytes, str | None]]] = {
    "no signature": lambda body: (body, None),
    "an empty one": lambda body: (body, ""),
    "no token": lambda body: (body, "nonsense"),
    "alg none": lambda body: (body, unsigned({"alg": "none", "kid": jwk()["kid"]}, claims_of(body))),
    "alg none, unsigned ES256": lambda body: (body, unsigned({"alg": "ES256", "kid": jwk()["kid"]}, claims_of(body))),
    "HS256 with the public key": lambda body: (body, with_the_public_key_as_secret(body)),
    "another key": lambda body: (body, signed(body, at=now(), key=OTHER)),
    "a byte of the signature": lambda body: (body, with_one_byte_changed(signed(body, at=now()))),
    "a byte of the body": lambda body: (body.replace(b"sandbox", b"sandbux"), signed(body, at=now())),
    "a space more": lambda body: (body + b" ", signed(body, at=now())),
    "of five minutes ago": lambda body: (body, signed(body, at=now() - timedelta(seconds=302))),
    "of the future": lambda body: (body, signed(body, at=now() + timedelta(seconds=90))),
    "a key that Plaid does not know": lambda body: (body, signed(body, at=now(), header={"kid": str(uuid4())})),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
async def test_what_is_forged_or_stale_is_refused_and_leaves_no_row(
    here: Endpoint, connection: Connection, everything: Everywhere, forge: Callable[[bytes], tuple[bytes, str | None]]
) -> None:
    body, token = forge(changed(connection))
    before = await stored(everything)

    with structlog.testing.capture_logs() as lines:
        status = await here.send(body, token)

    assert status == 400
    assert await stored(everything) == before
    assert (await syncs(everything, connection), await standing(everything, connection)) == ([], ("active", None, True, None))
    refusals = [line for line in lines if line["event"] == "webhook.refused"]
    assert [sorted(line) for line in refusals] == [["event", "log_level", "reason"]]
    assert connection.item_id not in str(lines)
    assert not token or token not in str(lines)


async def test_only_post_and_only_so_much(here: Endpoint, connection: Connection, everything: Everywhere) -> None:
    large = b" " * (BODY_LIMIT_BYTES + 1)
    before = await stored(everything)

    got = await here.client.get(PATH)
    sent = await here.send(large, signed(large, at=now()))

    assert (got.status_code, sent) == (405, 413)
    assert await stored(everything) == before


async def test_where_plaid_is_not_used_there_is_nothing(settings: Settings, connection: Connection) -> None:
    async with api(settings) as client:
        answer = await client.post(PATH, content=changed(connection), headers={"plaid-verification": signed(changed(connection), at=now())})

    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")


async def test_where_it_is_used_the_api_serves_it(settings: Settings, connection: Connection, everything: Everywhere) -> None:
    body = changed(connection)
    async with Plaid().on_a_socket() as url:
        async with api(settings, plaid_client_id="id", plaid_secret=SecretStr("secret"), plaid_url=url) as client:
            answer = await client.post(PATH, content=body, headers={"plaid-verification": signed(body, at=now())})

    assert (answer.status_code, answer.json()) == (200, {})
    assert await syncs(everything, connection) == [("queued", False, "webhook")]


async def test_no_page_of_a_browser_may_call_it_and_no_token_is_asked_for(here: Endpoint, connection: Connection) -> None:
    body = changed(connection)
    headers = {"origin": "https://evil.example", "authorization": "Bearer nonsense", "plaid-verification": signed(body, at=now())}

    answer = await here.client.post(PATH, content=body, headers=headers)

    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]


# What is ours


async def test_an_address_that_forges_is_told_to_wait_and_plaid_at_the_same_address_is_not(
    here: Endpoint, connection: Connection, everything: Everywhere
) -> None:
    body = changed(connection)
    with structlog.testing.capture_logs() as lines:
        refused = [await here.send(body, None) for _ in range(REFUSED.capacity + 20)]

    assert await here.tell(body) == 200
    assert set(refused) == {400, 429}
    assert refused[-1] == 429
    assert len([line for line in lines if line["event"] == "webhook.refused"]) == refused.count(400) < len(refused)
    assert await syncs(everything, connection) == [("queued", False, "webhook")]


async def test_a_flood_of_invented_keys_asks_plaid_a_few_times(here: Endpoint, connection: Connection, everything: Everywhere) -> None:
    """And whoever is known goes on."""
    body = changed(connection)
    assert await here.tell(body, at=now() - timedelta(seconds=5)) == 200

    flood = [here.send(body, signed(body, at=now(), key=OTHER, header={"kid": str(uuid4())})) for _ in range(40)]
    answers = await asyncio.gather(*flood)

    assert len(here.plaid.asked) == ASKED_AT_MOST
    assert set(answers) == {400, 503}
    assert await here.tell(body) == 200
    assert len(here.plaid.asked) == ASKED_AT_MOST
    assert await receipts(everything, connection) == {"TRANSACTIONS/SYNC_UPDATES_AVAILABLE": 2}


async def test_while_plaid_cannot_be_asked_for_its_key_it_is_to_send_again(
    here: Endpoint, connection: Connection, everything: Everywhere
) -> None:
    body = changed(connection)
    token = signed(body, at=now())
    here.plaid.is_down = True
    down = await here.client.post(PATH, content=body, headers={"plaid-verification": token})
    here.plaid.is_down = False

    again = await here.send(body, token)

    assert (down.status_code, again) == (503, 200)
    assert int(down.headers["retry-after"]) >= 1
    assert await receipts(everything, connection) == {"TRANSACTIONS/SYNC_UPDATES_AVAILABLE": 1}


async def test_without_a_database_it_is_503_and_what_is_sent_again_counts(
    services: Services, connection: Connection, everything: Everywhere
) -> None:
    nowhere = "postgresql+asyncpg://florin@127.0.0.1:1/florin"
    away = Db(Dsns(app=nowhere, system=nowhere), None)
    body = changed(connection)
    token = signed(body, at=now())
    async with endpoint(services, db=away) as down:
        first = await down.client.post(PATH, content=body, headers={"plaid-verification": token})
        forged = await down.send(body, None)
    await away.close()

    async with endpoint(services) as up:
        second = await up.send(body, token)

    assert (first.status_code, forged, second) == (503, 400, 200)
    assert first.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert await syncs(everything, connection) == [("queued", False, "webhook")]


async def test_without_redis_nothing_is_lost(services: Services, connection: Connection, everything: Everywhere) -> None:
    """The row is what counts; who forges is refused all the same."""
    redis = RedisConnections("redis://127.0.0.1:1/0")
    db = Db(services.db.dsns, redis)
    body = changed(connection)
    async with endpoint(services, redis=redis, db=db) as here:
        answers = [await here.tell(body), await here.send(body, None), await here.send(body + b" ", signed(body, at=now()))]
    await db.close()
    await redis.close()

    assert answers == [200, 400, 400]
    assert await syncs(everything, connection) == [("queued", False, "webhook")]


async def test_a_bug_is_masked_and_no_refusal(
    here: Endpoint, connection: Connection, monkeypatch: pytest.MonkeyPatch, everything: Everywhere
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("app.http.webhooks.take_webhook", broken)

    answer = await here.client.post(
        PATH, content=changed(connection), headers={"plaid-verification": signed(changed(connection), at=now())}
    )

    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert await receipts(everything, connection) == {}
