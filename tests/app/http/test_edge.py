"""What every response carries, what is logged of it, and what is left when all else failed."""

import re
from typing import Any

import httpx
import pytest
import structlog
from starlette.types import Receive, Scope, Send

from app.http.edge import Edge
from tests.resolvers.transport.conftest import serving


@pytest.mark.parametrize("path", ["/", "/graphql", "/uploads", "/health/live", "/health/ready", "/console", "/nothing-such"])
async def test_every_response_has_the_headers_of_the_house(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("no-cache" if path == "/console" else "no-store")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [("0123abcd", True), ("a-b_c" * 12, True), ("short", False), ("x" * 65, False), ("a b c d e f", False), ("a;drop=1;", False)],
)
async def test_a_well_formed_request_id_is_taken_over(client: httpx.AsyncClient, given: str, is_taken: bool) -> None:
    response = await client.get("/health/live", headers={"x-request-id": given})

    assert (response.headers["x-request-id"] == given) is is_taken


async def test_a_masked_error_quotes_the_request_id(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": '{ bug(secret: "s") }'}, headers={"x-request-id": "from-the-client"})

    assert response.json()["errors"][0]["extensions"]["requestId"] == "from-the-client"
    assert response.headers["x-request-id"] == "from-the-client"


async def test_one_line_is_logged_per_request_and_no_value_is_in_it(client: httpx.AsyncClient) -> None:
    canary = "canary-7731"
    with structlog.testing.capture_logs() as lines:
        await client.post(
            f"/graphql?x={canary}",
            json={"query": f'query($n: String!) {{ hello(name: $n) bug(secret: "{canary}") }}', "variables": {"n": canary}},
            headers={"authorization": f"Bearer {canary}", "user-agent": canary},
        )
        await client.get(f"/{canary}")

    requests = [line for line in lines if line["event"] == "http.request"]
    assert [(line["method"], line["path"], line["status"]) for line in requests] == [("POST", "/graphql", 401), ("GET", None, 404)]
    assert all(line["ms"] >= 0 for line in requests)
    assert requests[0]["operation"] == "query"
    assert canary not in str(lines)


async def test_what_nobody_caught_is_masked_and_logged_once() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        raise RuntimeError("the password is hunter2")

    with structlog.testing.capture_logs() as lines:
        async with serving(Edge(broken)) as host, httpx.AsyncClient() as client:
            response = await client.get(f"http://{host}/")

    error = response.json()["errors"][0]
    assert response.status_code == 500
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": response.headers["x-request-id"]}
    assert "hunter2" not in response.text
    assert [line["event"] for line in lines] == ["http.failed", "http.request"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"), [("GET", "/nothing-such", 404, "NOT_FOUND"), ("POST", "/health/live", 405, "METHOD_NOT_ALLOWED")]
)
async def test_what_is_not_there_is_said_as_json(client: httpx.AsyncClient, method: str, path: str, status: int, code: str) -> None:
    response = await client.request(method, path)

    answer: dict[str, Any] = response.json()
    assert (response.status_code, answer["errors"][0]["extensions"]["code"]) == (status, code)
