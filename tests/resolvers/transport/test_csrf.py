"""A page of somebody else's makes no request of ours with a reader's browser: what it may send unasked is no request here.

Which pages may ask at all (Origin, Sec-Fetch-Site) is looked at before: tests/app/http/test_origins.py.
"""

import gzip
from uuid import uuid4

import httpx
import pytest

from tests.resolvers.transport.conftest import Eventually, Served
from tests.resolvers.transport.test_http import GRAPHQL, bearer, code_of
from tests.resolvers.transport.toy import seen


async def test_csrf_a_token_in_a_cookie_opens_nothing(served: Served, client: httpx.AsyncClient) -> None:
    cookie = {"cookie": f"authorization=Bearer {await served.token()}; token={await served.token()}"}

    by_post = await client.post(served.url, json={"query": "{ whoami }"}, headers=cookie)
    by_get = await client.get(served.url, params={"query": "{ hello }"}, headers=cookie)

    assert (by_post.status_code, by_get.status_code) == (401, 401)


async def test_csrf_a_get_runs_a_query_with_a_bearer_token_and_no_mutation(
    served: Served, client: httpx.AsyncClient, eventually: Eventually
) -> None:
    headers = bearer(await served.token()) | {"accept": GRAPHQL}
    name = uuid4().hex

    query = await client.get(
        served.url, params={"query": "query($n: String!) { hello(name: $n) }", "variables": '{"n": "b"}'}, headers=headers
    )
    mutation = await client.get(served.url, params={"query": f'mutation {{ work(name: "{name}", seconds: 0) }}'}, headers=headers)

    assert query.json()["data"] == {"hello": "hello b"}
    assert (mutation.status_code, code_of(mutation), mutation.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "POST, GET, OPTIONS")
    assert name not in seen.begun


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/graphql"},
        {"content-type": "application/json; charset=iso-8859-1"},
        {"content-type": "text/plain; application/json"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_csrf_what_a_page_may_send_unasked_is_refused(served: Served, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    body = b'{"query": "{ hello }"}'

    response = await client.post(served.url, content=gzip.compress(body) if "content-encoding" in headers else body, headers=headers)

    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")
