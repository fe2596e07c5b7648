"""What is no GraphQL request is told so with 400, soon, and is nobody's bug."""

import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import structlog
from structlog.typing import EventDict

from tests.resolvers.transport.conftest import Served
from tests.resolvers.transport.test_body import MALFORMED
from tests.resolvers.transport.test_http import GRAPHQL, bearer, code_of


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_bodies_are_400_and_leave_no_traceback(
    served: Served, client: httpx.AsyncClient, logged: list[EventDict], body: bytes
) -> None:
    response = await client.post(served.url, content=body, headers={"content-type": "application/json"})

    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")
    assert logged == []


async def test_malformed_a_body_past_256_kib_is_refused_whether_or_not_it_says_so(served: Served, client: httpx.AsyncClient) -> None:
    padding = b" " * (256 * 1024)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield padding[:65536]

    headers = {"content-type": "application/json"}
    said = await client.post(served.url, content=b'{"query": "{ hello }"}' + padding, headers=headers)
    unsaid = await client.post(served.url, content=pieces(), headers=headers)
    just = await client.post(served.url, content=(b'{"query": "{ hello }"}' + padding)[: 256 * 1024], headers=headers)

    assert [(each.status_code, code_of(each)) for each in (said, unsaid)] == [(413, "PAYLOAD_TOO_LARGE")] * 2
    assert just.json()["data"] == {"hello": "hello you"}


DOCUMENTS = {
    "nothing": "",
    "a brace": "{",
    "no document": "hello",
    "a document without an operation": "fragment F on Query { hello }",
    "half of a surrogate pair": "{ hello \\ud800 }",
    "the NUL character": "{ hello } #\\u0000",
    "60 levels": "{" * 60,
    "50,000 levels": "{a" * 50_000,
    "50,000 brackets": "{ hello(name: " + "[" * 50_000,
    "a number of 5,000 digits": "{ slow(name: 1, seconds: " + "9" * 5_000 + ") }",
}
CODES = {"BAD_REQUEST", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "COST_LIMIT_EXCEEDED", "BAD_USER_INPUT"}


@pytest.mark.parametrize("query", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_malformed_documents_are_400_and_leave_no_traceback(
    served: Served, client: httpx.AsyncClient, logged: list[EventDict], query: str
) -> None:
    body = b'{"query": "' + query.encode() + b'"}'

    response = await client.post(served.url, content=body, headers={"content-type": "application/json", "accept": GRAPHQL})

    assert response.status_code == 400
    assert code_of(response) in (
        "BAD_REQUEST",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "COST_LIMIT_EXCEEDED",
        "BAD_USER_INPUT",
    )
    assert logged == []


VARIABLES = {
    "33 levels": '{"n": ' + "[" * 33 + "]" * 33 + "}",
    "100,000 brackets": '{"n": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "10,001 values": '{"n": [' + "1," * 10_001 + "1]}",
    "a list": "[]",
    "a text": '"n"',
    "half of a surrogate pair": '{"n": "\\ud800"}',
    "the NUL character": '{"n": "\\u0000"}',
}


@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES)
async def test_malformed_variables_are_400_and_leave_no_traceback(
    served: Served, client: httpx.AsyncClient, logged: list[EventDict], variables: str
) -> None:
    query = "query($n: String) { hello(name: $n) }"
    posted = f'{{"query": "{query}", "variables": {variables}}}'.encode()

    by_post = await client.post(served.url, content=posted, headers={"content-type": "application/json"})
    replies = [by_post]
    if len(variables) < 10_000:
        by_get = await client.get(served.url, params={"query": query, "variables": variables}, headers=bearer(await served.token()))
        replies.append(by_get)

    assert {(reply.status_code, code_of(reply)) for reply in replies} == {(400, "BAD_REQUEST")}
    assert logged == []


async def test_malformed_a_content_type_of_many_spaces_takes_no_time_to_refuse(served: Served, client: httpx.AsyncClient) -> None:
    """Where each space may belong to one part of it or to the next, 60,000 of them are a billion ways to fail."""
    headers = {"content-type": "application/json" + " " * 60_000 + "x"}

    began = time.process_time()
    response = await client.post(served.url, content=b'{"query": "{ hello }"}', headers=headers)

    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert time.process_time() - began < 0.5
