"""One request is one operation: nobody's limits are passed by sending many at once."""

import json
from uuid import uuid4

import httpx
import pytest

from tests.resolvers.transport.conftest import Served
from tests.resolvers.transport.test_http import bearer, code_of
from tests.resolvers.transport.test_websocket import talking
from tests.resolvers.transport.toy import seen


def work(name: str) -> dict[str, str]:
    return {"query": f'mutation {{ work(name: "{name}", seconds: 0) }}'}


@pytest.mark.parametrize("count", [0, 1, 2, 500])
async def test_batching_a_list_body_is_refused_and_nothing_of_it_runs(served: Served, client: httpx.AsyncClient, count: int) -> None:
    name = uuid4().hex

    response = await client.post(served.url, json=[work(name)] * count, headers=bearer(await served.token()))

    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")
    assert name not in seen.begun


async def test_batching_two_bodies_in_one_are_refused(served: Served, client: httpx.AsyncClient) -> None:
    name = uuid4().hex
    body = json.dumps(work(name))

    response = await client.post(served.url, content=f"{body}\n{body}", headers={"content-type": "application/json"})

    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")
    assert name not in seen.begun


async def test_batching_by_get_is_refused(served: Served, client: httpx.AsyncClient) -> None:
    headers = bearer(await served.token())

    twice = await client.get(f"{served.url}?query=%7Bhello%7D&query=%7Bhello%7D", headers=headers)
    listed = await client.get(served.url, params={"query": "[{hello},{hello}]"}, headers=headers)

    assert (twice.status_code, code_of(twice)) == (400, "BAD_REQUEST")
    assert code_of(listed) == "GRAPHQL_PARSE_FAILED"


async def test_batching_a_document_of_two_operations_runs_the_named_one(served: Served, client: httpx.AsyncClient) -> None:
    first, second = uuid4().hex, uuid4().hex
    query = f'mutation A {{ work(name: "{first}", seconds: 0) }} mutation B {{ work(name: "{second}", seconds: 0) }}'

    neither = await client.post(served.url, json={"query": query})
    one = await client.post(served.url, json={"query": query, "operationName": "B"})

    assert code_of(neither) == "BAD_USER_INPUT"
    assert one.json()["data"] == {"work": second}
    assert (first in seen.begun, second in seen.begun) == (False, True)


async def test_batching_in_a_frame_is_refused(served: Served) -> None:
    async with talking(served) as talk:
        await talk.socket.send(json.dumps([{"type": "ping"}, {"type": "ping"}]))

        assert (await talk.closed())[0] == 4400


async def test_batching_by_aliases_costs_each(served: Served, client: httpx.AsyncClient) -> None:
    """Fifty mutations in one document are charged as fifty."""
    name = uuid4().hex
    many = " ".join(f'a{number}: work(name: "{name}", seconds: 0)' for number in range(50))
    one = await client.post(served.url, json=work(name), headers=bearer(await served.token()))
    fifty = await client.post(served.url, json={"query": f"mutation {{ {many} }}"}, headers=bearer(await served.token()))

    cost = one.json()["extensions"]["cost"]["requested"]
    assert cost == 10
    assert fifty.json()["extensions"]["cost"]["requested"] == 50 * cost
