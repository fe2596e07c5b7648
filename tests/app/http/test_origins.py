"""Which web pages may call."""

from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.app.http.conftest import PAGE
from tests.resolvers.transport.toy import seen

PROTOCOL = Subprotocol("graphql-transport-ws")
OURS = "http://{host}"


def _filled(headers: dict[str, str], client: httpx.AsyncClient) -> dict[str, str]:
    return {name: value.format(host=client.base_url.netloc.decode()) for name, value in headers.items()}


REFUSED = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "https://money.example.evil.example"},
    {"origin": "http://{host}.evil.example"},
    {"origin": "http://[::1"},
    {"origin": "", "sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "anything"},
    {"origin": OURS, "sec-fetch-site": "cross-site"},
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
]
ALLOWED = [
    {},
    {"origin": OURS},
    {"origin": "https://{host}"},
    {"origin": OURS, "sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"origin": PAGE},
    {"origin": PAGE, "sec-fetch-site": "cross-site"},
]


@pytest.mark.parametrize("headers", REFUSED)
@pytest.mark.parametrize("path", ["/graphql", "/uploads"])
async def test_csrf_a_foreign_page_is_refused_and_nothing_runs(client: httpx.AsyncClient, headers: dict[str, str], path: str) -> None:
    name = uuid4().hex

    body = {"query": f'mutation {{ work(name: "{name}", seconds: 0) }}'}
    response = await client.post(path, json=body, headers=_filled(headers, client))

    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (403, "ORIGIN_NOT_ALLOWED")
    assert "access-control-allow-origin" not in response.headers
    assert name not in seen.begun


@pytest.mark.parametrize("headers", ALLOWED)
async def test_csrf_our_own_pages_named_ones_and_programs_are_answered(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.post("/graphql", json={"query": "{ hello }"}, headers=_filled(headers, client))

    assert response.json()["data"] == {"hello": "hello you"}
    assert response.headers.get("access-control-allow-origin") == (PAGE if headers.get("origin") == PAGE else None)


async def test_a_named_page_may_read_refusals_too(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", content=b"{", headers={"origin": PAGE, "content-type": "application/json"})

    assert response.status_code == 400
    assert response.headers["access-control-allow-origin"] == PAGE
    assert response.headers["vary"] == "origin"
    assert "x-request-id" in response.headers["access-control-expose-headers"]


async def test_csrf_a_named_page_s_preflight_is_answered_and_a_foreign_one_s_is_not(client: httpx.AsyncClient) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}

    named = await client.options("/graphql", headers={"origin": PAGE, "sec-fetch-site": "cross-site", **asked})
    foreign = await client.options("/graphql", headers={"origin": "https://evil.example", **asked})

    assert (named.status_code, foreign.status_code) == (204, 403)
    assert named.headers["access-control-allow-origin"] == PAGE
    assert "authorization" in named.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in named.headers
    assert "access-control-allow-origin" not in foreign.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_websocket_origin_a_foreign_page_gets_no_socket(client: httpx.AsyncClient, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{client.base_url.netloc.decode()}/graphql", subprotocols=[PROTOCOL], origin=Origin(origin))

    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", [OURS, PAGE, None])
async def test_websocket_origin_our_own_pages_named_ones_and_programs_get_a_socket(client: httpx.AsyncClient, origin: str | None) -> None:
    host = client.base_url.netloc.decode()
    named = None if origin is None else Origin(origin.format(host=host))

    async with connect(f"ws://{host}/graphql", subprotocols=[PROTOCOL], origin=named) as socket:
        assert socket.subprotocol == PROTOCOL


async def test_a_link_from_elsewhere_may_open_the_console(client: httpx.AsyncClient) -> None:
    response = await client.get("/console", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})

    assert response.status_code == 200
