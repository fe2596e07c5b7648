"""GraphQL over HTTP, on a real server."""

import asyncio
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
import structlog
from structlog.typing import EventDict

from db.limits import Bucket
from domains.flows.services import Services
from resolvers.execution.operation import Gateway, GraphQLRequest, Prepared
from resolvers.transport.admission import REFUSED_COST
from resolvers.transport.running import WATCHED_AFTER_S
from tests.resolvers.transport.conftest import Eventually, Served, transports
from tests.resolvers.transport.toy import seen

GRAPHQL = "application/graphql-response+json"


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def code_of(response: httpx.Response) -> str:
    errors = response.json()["errors"]
    assert response.headers["content-type"].endswith("; charset=utf-8")
    return str(errors[0]["extensions"]["code"])


async def test_a_query_is_answered_with_what_it_cost(served: Served, client: httpx.AsyncClient) -> None:
    user_id = uuid4()
    token = await served.token(user_id)

    response = await client.post(served.url, json={"query": "{ whoami }"}, headers=bearer(token))

    answer = response.json()
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert answer["data"] == {"whoami": str(user_id)}
    assert int(response.headers["content-length"]) == len(response.content)
    bucket = served.services.options.viewer_bucket
    cost = answer["extensions"]["cost"]
    assert cost["available"] == bucket.capacity - cost["requested"]
    assert (cost["capacity"], cost["restoredPerSecond"]) == (bucket.capacity, bucket.per_second)


async def test_variables_and_the_chosen_operation_are_used(served: Served, client: httpx.AsyncClient) -> None:
    body = {"query": "query A($n: String!) { hello(name: $n) } query B { whoami }", "operationName": "A", "variables": {"n": "Zoë 🏃"}}

    response = await client.post(served.url, json=body)

    assert response.json()["data"] == {"hello": "hello Zoë 🏃"}


async def test_signed_out_only_what_needs_no_viewer_is_answered(served: Served, client: httpx.AsyncClient) -> None:
    hello = await client.post(served.url, json={"query": "{ __typename hello }"})
    whoami = await client.post(served.url, json={"query": "{ whoami }"})

    assert hello.json()["data"] == {"__typename": "Query", "hello": "hello you"}
    assert (whoami.status_code, code_of(whoami)) == (401, "UNAUTHENTICATED")
    assert whoami.headers["www-authenticate"] == 'Bearer realm="florin"'


async def test_every_bad_token_gets_the_same_401(served: Served, client: httpx.AsyncClient) -> None:
    short_lived = await served.token(ttl_s=1)
    await asyncio.sleep(1.05)
    values = [
        "Bearer " + "A" * 43,
        "Bearer",
        "Bearer a b",
        "Bearer " + "A" * 600,
        "Bearer ü",
        "Basic dTpw",
        "",
        f"Bearer {short_lived}",
        f"Bearer {short_lived}x",
    ]
    queries = ["{ hello }", "{", "{ nothingSuch }"]

    responses = [
        await client.post(served.url, json={"query": query}, headers=[(b"authorization", value.encode("latin-1"))])
        for value in values
        for query in queries
    ]

    assert {response.status_code for response in responses} == {401}
    assert len({response.content for response in responses}) == 1
    assert {response.headers["www-authenticate"] for response in responses} == {'Bearer realm="florin"'}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused(served: Served, client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, served.url, json={"query": "{ hello }"})

    assert (response.status_code, code_of(response)) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("query", ["{", "{ nothingSuch }", "query($n: String!) { hello(name: $n) }", "subscription { count(to: 1) }"])
async def test_a_refused_document_is_400_or_in_the_old_media_type_200(served: Served, client: httpx.AsyncClient, query: str) -> None:
    new = await client.post(served.url, json={"query": query}, headers={"accept": GRAPHQL})
    old = await client.post(served.url, json={"query": query}, headers={"accept": "application/json"})

    assert (new.status_code, old.status_code) == (400, 200)
    assert new.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert new.json()["errors"] == old.json()["errors"]
    assert new.json().keys() == {"errors", "extensions"}
    assert new.json()["extensions"]["cost"]["requested"] == REFUSED_COST


async def test_an_answer_in_no_known_media_type_is_not_acceptable(served: Served, client: httpx.AsyncClient) -> None:
    response = await client.post(served.url, json={"query": "{ hello }"}, headers={"accept": "text/html"})

    assert (response.status_code, code_of(response)) == (406, "NOT_ACCEPTABLE")


async def test_an_empty_bucket_answers_429_and_when_to_come_back(services: Services, client: httpx.AsyncClient) -> None:
    poor = replace(services, options=replace(services.options, viewer_bucket=Bucket(REFUSED_COST + 1, 0.1)))
    async with transports(poor) as served:
        headers = bearer(await served.token())
        refused = await client.post(served.url, json={"query": "{"}, headers=headers | {"accept": GRAPHQL})
        last = await client.post(served.url, json={"query": "{ hello }"}, headers=headers)
        empty = await client.post(served.url, json={"query": "{ hello }"}, headers=headers)

    assert (refused.status_code, last.status_code) == (400, 200)
    assert (empty.status_code, code_of(empty)) == (429, "RATE_LIMITED")
    assert 9 <= int(empty.headers["retry-after"]) <= 10


async def test_signed_out_callers_share_the_bucket_of_their_address(services: Services, client: httpx.AsyncClient) -> None:
    poor = replace(services, options=replace(services.options, address_bucket=Bucket(3, 0.01)))
    await services.redis.client.delete("bucket:address:127.0.0.1")
    async with transports(poor) as served:
        statuses = [(await client.post(served.url, json={"query": "{ hello }"})).status_code for _ in range(5)]
        signed_in = await client.post(served.url, json={"query": "{ hello }"}, headers=bearer(await served.token()))
    await services.redis.client.delete("bucket:address:127.0.0.1")

    assert statuses == [200, 200, 200, 429, 429]
    assert signed_in.status_code == 200


async def test_who_is_told_to_wait_gets_no_more_documents_read(
    services: Services, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    poor = replace(services, options=replace(services.options, viewer_bucket=Bucket(6, 0.01), address_bucket=Bucket(6, 0.01)))
    read: list[str] = []
    real = Gateway.prepare

    def prepare(gateway: Gateway, request: GraphQLRequest) -> Prepared:
        read.append(request.query)
        return real(gateway, request)

    monkeypatch.setattr(Gateway, "prepare", prepare)
    await services.redis.client.delete("bucket:address:127.0.0.1")
    async with transports(poor) as served:
        good = bearer(await served.token())
        bad = [bearer(f"{number}" * 43) for number in range(5)]
        senders = [{}, {}, {}, *bad]
        unsigned = [(await client.post(served.url, json={"query": "{"}, headers=headers)).status_code for headers in senders]
        while_address_is_empty = [(await client.post(served.url, json={"query": "{"}, headers=good)).status_code for _ in range(4)]
    await services.redis.client.delete("bucket:address:127.0.0.1")

    assert unsigned == [200, 429, 429, *[401] * 5]
    assert while_address_is_empty == [200, 429, 429, 429]
    assert len(read) == 4


async def test_without_redis_it_is_503_for_everybody_and_401_for_nobody(away: Services, client: httpx.AsyncClient) -> None:
    async with transports(away) as served:
        responses = [
            await client.post(served.url, json={"query": query}, headers=headers)
            for query in ("{ hello }", "{")
            for headers in ({}, bearer("A" * 43))
        ]

    assert [(each.status_code, code_of(each), each.headers["retry-after"]) for each in responses] == [(503, "UNAVAILABLE", "1")] * 4


async def test_without_postgres_it_is_503(served: Served, client: httpx.AsyncClient) -> None:
    response = await client.post(served.url, json={"query": "{ database }"})

    assert (response.status_code, code_of(response), response.headers["retry-after"]) == (503, "UNAVAILABLE", "1")


async def test_a_bug_is_masked_and_logged_once_without_the_value(
    served: Served, client: httpx.AsyncClient, logged: list[EventDict]
) -> None:
    secret = "canary-5417"
    body = {"query": "query($s: String!) { bug(secret: $s) hello }", "variables": {"s": secret}}

    response = await client.post(served.url, json=body)

    error = response.json()["errors"][0]
    assert response.status_code == 200
    assert response.json()["data"] == {"bug": None, "hello": "hello you"}
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert secret not in response.text
    assert [line["request_id"] for line in logged if line["log_level"] == "error"] == [error["extensions"]["requestId"]]
    assert secret not in json.dumps(logged, default=str)


async def _hang_up_during(served: Served, body: dict[str, Any], *, after_s: float) -> None:
    """Send a request on a plain socket and close it before the answer."""
    content = json.dumps(body).encode()
    host, port = served.host.split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(content) + content
    )
    await writer.drain()
    await asyncio.sleep(after_s)
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("after_s", [0.02, WATCHED_AFTER_S + 0.05])
async def test_a_query_ends_with_its_client(served: Served, eventually: Eventually, after_s: float) -> None:
    name = uuid4().hex

    await _hang_up_during(served, {"query": f'{{ slow(name: "{name}", seconds: 30) }}'}, after_s=after_s)

    await eventually(lambda: name in seen.cancelled)
    assert name not in seen.ended


async def test_a_mutation_outlives_its_client(served: Served, eventually: Eventually) -> None:
    name = uuid4().hex

    await _hang_up_during(served, {"query": f'mutation {{ work(name: "{name}", seconds: 0.3) }}'}, after_s=0.1)

    await eventually(lambda: name in seen.ended)
    assert name not in seen.cancelled


async def test_a_mutation_outlives_a_server_that_is_told_to_stop_and_is_waited_for(services: Services, eventually: Eventually) -> None:
    name = uuid4().hex
    async with httpx.AsyncClient() as client:
        async with transports(services) as served:
            body = {"query": f'mutation {{ work(name: "{name}", seconds: 3) }}'}
            request = asyncio.create_task(client.post(served.url, json=body, timeout=10))
            await eventually(lambda: name in seen.begun)  # the server gives running requests two seconds
        with pytest.raises((httpx.HTTPError, AssertionError)):
            assert (await request).status_code == 200

    assert name in seen.ended
    assert name not in seen.cancelled


async def test_two_requests_in_one_write_are_answered_in_order(served: Served) -> None:
    def ask() -> list[str]:
        host, port = served.host.split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            one = b'{"query": "{ hello(name: \\"1\\") }"}'
            two = b'{"query": "{ hello(name: \\"2\\") }"}'
            for content in (one, two):
                connection.sendall(
                    b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                    % (len(content), content)
                )
            received = b""
            while received.count(b"hello ") < 2:
                received += connection.recv(65536)
            return [part[:7].decode() for part in received.split(b'"hello":"')[1:]]

    assert await asyncio.to_thread(ask) == ["hello 1", "hello 2"]
