"""GET /downloads/exports/<name>."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr

from app.http import downloads
from app.settings import Settings
from db.engines import Viewer
from domains.audit.export_links import PATH, path_of
from domains.flows import export_data
from domains.flows.data_requests import cancel_export
from domains.flows.services import Services
from tests.app.http.conftest import PAGE, Token, api
from tests.conftest import MakeUser
from tests.db.samples import superuser
from tests.domains.audit.exports import age, answer, ask, unpacked
from tests.domains.audit.trail import told
from tests.servers.suite import Servers

Headers = dict[str, str]


def bearer(token: str) -> Headers:
    return {"authorization": f"Bearer {token}"}


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["errors"][0]["extensions"]["code"]


@pytest.fixture
async def robin(make_user: MakeUser) -> Viewer:
    return await make_user()


@pytest.fixture
async def signed_in(robin: Viewer, sign_in: Token) -> Headers:
    return bearer(await sign_in(robin))


@pytest.fixture
async def finished(services: Services, robin: Viewer) -> UUID:
    """A request that was answered."""
    request_id = await ask(services, robin)
    assert await answer(services, request_id) == "done"
    return request_id


async def test_a_file_is_sent_to_its_owner(
    client: httpx.AsyncClient, services: Services, robin: Viewer, signed_in: Headers, finished: UUID
) -> None:
    response = await client.get(path_of(finished), headers=signed_in | {"user-agent": "Tablet/2.0"})

    assert response.status_code == 200
    assert "README.json" in unpacked(response.content)
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"].startswith('attachment; filename="florin-export-20')
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    *_, entry = await told(services, robin)
    assert (entry["action"], entry["service_name"], entry["user_agent"]) == ("DATA_EXPORT_DOWNLOADED", "api", "Tablet/2.0")
    assert entry["request_id"] == response.headers["x-request-id"]


async def somebody_elses(services: Services, _viewer: Viewer, stranger: Viewer) -> UUID:
    request_id = await ask(services, stranger)
    assert await answer(services, request_id) == "done"
    return request_id


async def expired(services: Services, viewer: Viewer, _stranger: Viewer) -> UUID:
    request_id = await ask(services, viewer)
    assert await answer(services, request_id) == "done"
    await age(services, request_id, timedelta(days=7))
    return request_id


async def cancelled(services: Services, viewer: Viewer, _stranger: Viewer) -> UUID:
    request_id = await ask(services, viewer)
    assert await answer(services, request_id) == "done"
    await cancel_export(services, viewer, request_id)
    return request_id


async def waiting(services: Services, viewer: Viewer, _stranger: Viewer) -> UUID:
    return await ask(services, viewer)


async def nowhere(_services: Services, _viewer: Viewer, _stranger: Viewer) -> UUID:
    return uuid4()


@pytest.mark.parametrize("make", [somebody_elses, expired, cancelled, waiting, nowhere])
async def test_whatever_is_not_there_for_whoever_asks_answers_alike(
    client: httpx.AsyncClient,
    services: Services,
    robin: Viewer,
    signed_in: Headers,
    make_user: MakeUser,
    make: Callable[[Services, Viewer, Viewer], Awaitable[UUID]],
) -> None:
    request_id = await make(services, robin, await make_user())

    missing = await client.get(path_of(request_id), headers=signed_in)
    malformed = await client.get(f"{PATH}nonsense", headers=signed_in)
    plain = await client.get(f"{PATH}{request_id}", headers=signed_in)

    assert code(missing) == (404, "NOT_FOUND")
    assert missing.content == malformed.content == plain.content
    assert {response.status_code for response in (malformed, plain)} == {404}
    actions = [entry["action"] for entry in await told(services, robin)]
    assert "DATA_EXPORT_DOWNLOADED" not in actions


@pytest.mark.parametrize("headers", [{}, bearer("A" * 43), {"cookie": "token=" + "A" * 43}, {"authorization": "Basic x"}])
@pytest.mark.parametrize("path", [path_of(UUID(int=1)), f"{PATH}nonsense"])
async def test_signed_out_nothing_is_said_of_what_is_there(client: httpx.AsyncClient, headers: Headers, path: str) -> None:
    response = await client.get(path, headers=headers)

    assert code(response) == (401, "UNAUTHENTICATED")
    assert "www-authenticate" in response.headers


async def test_a_token_in_a_cookie_or_in_the_address_opens_nothing(client: httpx.AsyncClient, signed_in: Headers, finished: UUID) -> None:
    token = signed_in["authorization"].removeprefix("Bearer ")

    by_cookie = await client.get(path_of(finished), headers={"cookie": f"token={token}; authorization=Bearer {token}"})
    by_address = await client.get(f"{path_of(finished)}?token={token}&access_token={token}")

    assert code(by_cookie) == code(by_address) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
async def test_it_is_fetched_with_get(client: httpx.AsyncClient, signed_in: Headers, finished: UUID, method: str) -> None:
    assert (await client.request(method, path_of(finished), headers=signed_in)).status_code == 405


async def test_without_redis_it_is_503(settings: Settings) -> None:
    async with api(settings, redis_dsn=SecretStr("redis://127.0.0.1:1/0")) as client:
        response = await client.get(path_of(uuid4()), headers=bearer("A" * 43))

    assert code(response) == (503, "UNAVAILABLE")
    assert int(response.headers["retry-after"]) >= 1


async def test_a_page_of_another_origin_may_ask_if_it_is_allowed_to(client: httpx.AsyncClient, signed_in: Headers, finished: UUID) -> None:
    allowed = await client.get(path_of(finished), headers=signed_in | {"origin": PAGE})
    foreign = await client.get(path_of(finished), headers=signed_in | {"origin": "https://evil.example"})

    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, PAGE)
    assert code(foreign) == (403, "ORIGIN_NOT_ALLOWED")


async def test_too_many_at_once_are_asked_to_wait(
    client: httpx.AsyncClient, signed_in: Headers, finished: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "AT_ONCE", 0)

    response = await client.get(path_of(finished), headers=signed_in)

    assert code(response) == (503, "UNAVAILABLE")


async def test_a_file_that_was_tampered_with_ends_short_of_its_length(
    client: httpx.AsyncClient,
    services: Services,
    servers: Servers,
    robin: Viewer,
    signed_in: Headers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export_data, "PIECE_BYTES", 1_000)
    request_id = await ask(services, robin)
    assert await answer(services, request_id) == "done"
    damage = "update audit_schema.export_chunks set ciphertext = set_byte(ciphertext, 40, get_byte(ciphertext, 40) # 1)"
    async with superuser(servers.databases["audit"]) as connection:
        await connection.execute(f"{damage} where request_id = $1 and seq = 2", request_id)

    came: list[Any] = []
    with pytest.raises(httpx.RemoteProtocolError):
        async with client.stream("GET", path_of(request_id), headers=signed_in) as response:
            async for piece in response.aiter_raw():
                came.append(piece)  # noqa: PERF401 - what came before the end counts

    assert sum(map(len, came)) == 2_000
    async with superuser(servers.databases["audit"]) as connection:
        await connection.execute(f"{damage} where request_id = $1 and seq = 0", request_id)
    assert code(await client.get(path_of(request_id), headers=signed_in)) == (404, "NOT_FOUND")
