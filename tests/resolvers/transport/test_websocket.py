"""graphql-transport-ws, on a real server and socket."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from db.auth.queries import end_session
from db.limits import Bucket
from domains.flows.services import Services
from resolvers.transport.websocket import OPERATIONS_AT_MOST
from tests.resolvers.transport.conftest import Eventually, Served, transports
from tests.resolvers.transport.test_body import MALFORMED
from tests.resolvers.transport.toy import seen

PROTOCOL = Subprotocol("graphql-transport-ws")


class Talk:
    """A client that says what it is told to."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            heard: dict[str, Any] = json.loads(await self.socket.recv())
        return heard

    async def subscribe(self, id: str, query: str, **variables: Any) -> None:
        await self.say(id=id, type="subscribe", payload={"query": query, "variables": variables})

    async def closed(self) -> tuple[int, str]:
        """How the server ends the connection, whatever it still says before."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.hear()
        return self.socket.close_code or 0, self.socket.close_reason or ""


@asynccontextmanager
async def talking(served: Served, token: str | None = "", **options: Any) -> AsyncIterator[Talk]:
    """A connection; initialised with a new user's token, or the given one, or with None not at all."""
    async with connect(served.ws, subprotocols=[PROTOCOL], **options) as socket:
        talk = Talk(socket)
        if token is not None:
            await talk.say(type="connection_init", payload={"authorization": f"Bearer {token or await served.token()}"})
            assert await talk.hear() == {"type": "connection_ack"}
        yield talk


async def test_a_subscription_is_answered_until_it_completes(served: Served) -> None:
    async with talking(served) as talk:
        await talk.subscribe("a", "subscription($to: Int!) { count(to: $to) }", to=3)
        heard = [await talk.hear() for _ in range(4)]

    assert [(each["id"], each["type"]) for each in heard] == [("a", "next")] * 3 + [("a", "complete")]
    assert [each["payload"]["data"] for each in heard[:3]] == [{"count": 0}, {"count": 1}, {"count": 2}]
    assert heard[0]["payload"]["extensions"]["cost"]["requested"] >= 1


@pytest.mark.parametrize("payload", ["authorization", "Authorization", "token", "header"])
async def test_websocket_auth_the_token_comes_in_the_payload_or_in_the_header(served: Served, payload: str) -> None:
    user_id = uuid4()
    token = await served.token(user_id)
    header = {"authorization": f"Bearer {token}"} if payload == "header" else {}
    said = {} if payload == "header" else {"payload": {payload: token if payload == "token" else f"Bearer {token}"}}

    async with talking(served, None, additional_headers=header) as talk:
        await talk.say(type="connection_init", **said)
        assert await talk.hear() == {"type": "connection_ack"}
        await talk.subscribe("a", "{ whoami }")
        answer = await talk.hear()

    assert answer["payload"]["data"] == {"whoami": str(user_id)}


@pytest.mark.parametrize(
    "payload",
    [None, {}, {"token": "A" * 43}, {"token": "ü"}, {"authorization": "Basic x"}, {"authorization": "Bearer"}, {"authorization": ""}],
)
async def test_websocket_auth_without_a_good_token_it_is_4401(served: Served, payload: Any) -> None:
    async with talking(served, None) as talk:
        await talk.say(type="connection_init", payload=payload)

        assert await talk.closed() == (4401, "Unauthorized")


async def test_websocket_auth_nothing_runs_before_the_token_is_known(served: Served) -> None:
    name = uuid4().hex
    async with talking(served, None) as talk:
        await talk.subscribe("a", f'mutation {{ work(name: "{name}", seconds: 0) }}')

        assert await talk.closed() == (4401, "Unauthorized")
    assert name not in seen.begun


async def test_a_second_initialisation_is_4429(served: Served) -> None:
    async with talking(served) as talk:
        await talk.say(type="connection_init")

        assert await talk.closed() == (4429, "Too many initialisation requests")


async def test_an_id_in_use_is_4409_and_ends_what_ran(served: Served, eventually: Eventually) -> None:
    name = uuid4().hex
    async with talking(served) as talk:
        await talk.subscribe("a", f'subscription {{ watch(name: "{name}") }}')
        await talk.hear()
        await talk.subscribe("a", "{ hello }")

        assert await talk.closed() == (4409, "Subscriber for a already exists")
    await eventually(lambda: name in seen.ended)


async def test_an_id_may_be_used_again_after_it_completed(served: Served) -> None:
    async with talking(served) as talk:
        for _ in range(50):
            await talk.subscribe("a", "{ hello }")
            assert [(await talk.hear())["type"] for _ in range(2)] == ["next", "complete"]


NOT_MESSAGES = [
    *(body.decode() for name, body in MALFORMED.items() if len(body) <= 64 * 1024 and "UTF" not in name),
    "[1]",
    "[" * 60_000,
    "{}",
    '{"type": 1}',
    '{"type": "start", "id": "a", "payload": {"query": "{ hello }"}}',
    '{"type": "connection_terminate"}',
    '{"type": "subscribe", "payload": {"query": "{ hello }"}}',
    '{"type": "subscribe", "id": "", "payload": {"query": "{ hello }"}}',
    '{"type": "subscribe", "id": 1, "payload": {"query": "{ hello }"}}',
    '{"type": "subscribe", "id": "%s", "payload": {"query": "{ hello }"}}' % ("i" * 129),
    '{"type": "subscribe", "id": "a"}',
    '{"type": "subscribe", "id": "a", "payload": []}',
    '{"type": "subscribe", "id": "a", "payload": {"query": 1}}',
    '{"type": "subscribe", "id": "a", "payload": {"query": "{ hello }", "variables": []}}',
    '{"type": "complete"}',
    b"\x01\x02",
]


@pytest.mark.parametrize("frame", NOT_MESSAGES, ids=range(len(NOT_MESSAGES)))
async def test_websocket_frames_what_is_no_message_is_4400(served: Served, frame: str | bytes) -> None:
    async with talking(served) as talk:
        await talk.socket.send(frame)
        code, reason = await talk.closed()

    assert code == 4400
    assert reason.startswith("Invalid message: ")


@pytest.mark.parametrize("payload", [[], "x", {"authorization": 1}, {"token": {}}])
async def test_websocket_frames_a_malformed_initialisation_is_4400(served: Served, payload: Any) -> None:
    async with talking(served, None) as talk:
        await talk.say(type="connection_init", payload=payload)

        assert (await talk.closed())[0] == 4400


async def test_websocket_frames_past_64_kib_end_the_connection(served: Served) -> None:
    async with talking(served) as talk:
        await talk.subscribe("a", "{ hello }" + " " * 64 * 1024)

        assert (await talk.closed())[0] == 1009


@pytest.mark.parametrize("offered", [["graphql-ws"], ["soap"], None])
async def test_websocket_subprotocol_only_the_one_is_spoken_and_never_the_legacy_one(
    served: Served, offered: list[Subprotocol] | None
) -> None:
    async with connect(served.ws, subprotocols=offered) as socket:
        assert await Talk(socket).closed() == (4406, "Subprotocol not acceptable")


async def test_websocket_subprotocol_it_is_chosen_among_several(served: Served) -> None:
    async with connect(served.ws, subprotocols=[Subprotocol("graphql-ws"), PROTOCOL]) as socket:
        assert socket.subprotocol == PROTOCOL


async def test_websocket_limits_who_never_initialises_is_4408(services: Services) -> None:
    async with transports(services, initialised_within_s=0.1) as served, talking(served, None) as talk:
        assert await talk.closed() == (4408, "Connection initialisation timeout")


async def test_pings_are_answered_before_and_after_the_initialisation(served: Served) -> None:
    async with talking(served, None) as talk:
        await talk.say(type="ping", payload={"at": 1})
        assert await talk.hear() == {"type": "pong"}
        await talk.say(type="pong")
        await talk.say(type="connection_init", payload={"token": await served.token()})
        assert await talk.hear() == {"type": "connection_ack"}
        await talk.say(type="ping")
        assert await talk.hear() == {"type": "pong"}


async def test_a_query_and_a_mutation_answer_once_and_complete(served: Served) -> None:
    name = uuid4().hex
    async with talking(served) as talk:
        await talk.subscribe("q", "query($n: String!) { hello(name: $n) }", n="ü")
        query = [await talk.hear(), await talk.hear()]
        await talk.subscribe("m", f'mutation {{ work(name: "{name}", seconds: 0) }}')
        mutation = [await talk.hear(), await talk.hear()]

    assert query[0]["payload"]["data"] == {"hello": "hello ü"}
    assert mutation[0]["payload"]["data"] == {"work": name}
    assert [each["type"] for each in (query[1], mutation[1])] == ["complete", "complete"]


async def test_every_operation_has_a_context_of_its_own(served: Served) -> None:
    async with talking(served) as talk:
        for id in "ab":
            await talk.subscribe(id, '{ contextId slow(name: "x", seconds: 0.1) }')
        heard = [await talk.hear() for _ in range(4)]

    found = {each["payload"]["data"]["contextId"] for each in heard if each["type"] == "next"}
    loaders, request_ids = zip(*(each.split() for each in found), strict=True)
    assert len(set(loaders)) == 2
    assert {each.rpartition("-")[2] for each in request_ids} == {"1", "2"}


@pytest.mark.parametrize(
    ("query", "code"),
    [("{", "GRAPHQL_PARSE_FAILED"), ("{ nothingSuch }", "GRAPHQL_VALIDATION_FAILED"), ("query A{hello} query B{hello}", "BAD_USER_INPUT")],
)
async def test_a_refused_document_is_an_error_of_its_operation_only(served: Served, query: str, code: str) -> None:
    async with talking(served) as talk:
        await talk.subscribe("bad", query)
        error = await talk.hear()
        await talk.subscribe("bad", "{ hello }")
        answer = await talk.hear()

    assert (error["id"], error["type"], error["payload"][0]["extensions"]["code"]) == ("bad", "error", code)
    assert answer["type"] == "next"


async def test_a_bug_in_a_subscription_is_masked(served: Served) -> None:
    async with talking(served) as talk:
        await talk.subscribe("a", "subscription { fails }")
        heard = [await talk.hear(), await talk.hear()]

    assert heard[0]["payload"]["data"] == {"fails": 1}
    assert "secret" not in json.dumps(heard)
    assert "INTERNAL_SERVER_ERROR" in json.dumps(heard[1])


async def test_complete_closes_the_source_and_nothing_follows(served: Served, eventually: Eventually) -> None:
    name = uuid4().hex
    async with talking(served) as talk:
        await talk.subscribe("a", f'subscription {{ watch(name: "{name}") }}')
        assert (await talk.hear())["type"] == "next"
        await talk.say(id="a", type="complete")
        await eventually(lambda: name in seen.ended)
        await talk.say(id="unknown", type="complete")
        await talk.subscribe("a", "{ hello }")
        heard = [await talk.hear(), await talk.hear()]

    assert [each["type"] for each in heard] == ["next", "complete"]


async def test_a_lost_connection_closes_every_source(served: Served, eventually: Eventually) -> None:
    names = [uuid4().hex for _ in range(3)]
    async with talking(served) as talk:
        for name in names:
            await talk.subscribe(name, f'subscription {{ watch(name: "{name}") }}')
        for _ in names:
            await talk.hear()
        talk.socket.transport.abort()
        await eventually(lambda: seen.ended.issuperset(names))


async def test_a_mutation_outlives_its_connection(served: Served, eventually: Eventually) -> None:
    name = uuid4().hex
    async with talking(served) as talk:
        await talk.subscribe("a", f'mutation {{ work(name: "{name}", seconds: 0.3) }}')
        await eventually(lambda: name in seen.begun)

    await eventually(lambda: name in seen.ended)
    assert name not in seen.cancelled


async def test_a_query_ends_with_its_connection(served: Served, eventually: Eventually) -> None:
    name = uuid4().hex
    async with talking(served) as talk:
        await talk.subscribe("a", f'{{ slow(name: "{name}", seconds: 30) }}')
        await eventually(lambda: name in seen.begun)

    await eventually(lambda: name in seen.cancelled)
    assert name not in seen.ended


async def test_websocket_limits_a_connection_runs_twenty_operations_at_most(served: Served) -> None:
    async with talking(served) as talk:
        for number in range(OPERATIONS_AT_MOST):
            await talk.subscribe(str(number), f'subscription {{ watch(name: "{uuid4().hex}") }}')
            assert (await talk.hear())["type"] == "next"
        await talk.subscribe("more", "{ hello }")
        refused = await talk.hear()
        await talk.say(id="0", type="complete")
        await asyncio.sleep(0.05)
        await talk.subscribe("more", "{ hello }")
        answered = await talk.hear()

    assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "TOO_MANY_OPERATIONS")
    assert answered["type"] == "next"


async def test_websocket_limits_operations_are_charged_to_the_same_bucket(services: Services) -> None:
    poor = replace(services, options=replace(services.options, viewer_bucket=Bucket(3, 0.01)))
    async with transports(poor) as served, talking(served) as talk:
        codes = []
        for id in "abc":
            await talk.subscribe(id, "{ hello }")
            answer = await talk.hear()
            codes.append(answer["payload"][0]["extensions"]["code"] if answer["type"] == "error" else (await talk.hear())["type"])

    assert codes == ["complete", "complete", "RATE_LIMITED"]


async def test_websocket_auth_the_connection_ends_with_its_token(served: Served, eventually: Eventually) -> None:
    name = uuid4().hex
    async with talking(served, await served.token(ttl_s=1)) as talk:
        await talk.subscribe("a", f'subscription {{ watch(name: "{name}") }}')
        await talk.hear()

        assert await talk.closed() == (4403, "Token expired")
    await eventually(lambda: name in seen.ended)


async def test_websocket_auth_signing_out_elsewhere_ends_the_connection_at_the_next_look(services: Services) -> None:
    async with transports(services, token_checked_every_s=0.1) as served:
        token = await served.token()
        async with talking(served, token) as talk:
            await asyncio.sleep(0.3)  # looked at, and found good
            await talk.subscribe("a", "{ hello }")
            assert (await talk.hear())["type"] == "next"
            await end_session(services.redis, token)

            assert await talk.closed() == (4403, "Token expired")


async def test_websocket_auth_signing_out_elsewhere_ends_it_with_the_next_operation(served: Served) -> None:
    token = await served.token()
    async with talking(served, token) as talk:
        await end_session(served.services.redis, token)
        await talk.subscribe("a", "{ hello }")

        assert await talk.closed() == (4403, "Token expired")


async def test_without_redis_nobody_is_told_that_their_token_is_bad(away: Services) -> None:
    async with transports(away) as served, talking(served, None) as talk:
        await talk.say(type="connection_init", payload={"token": "A" * 43})

        assert await talk.closed() == (1013, "Try again later")


async def test_websocket_limits_a_client_that_reads_nothing_is_left_and_others_go_on(services: Services, eventually: Eventually) -> None:
    name = uuid4().hex
    async with transports(services, sent_within_s=0.3) as served, talking(served) as quick:
        async with _deaf(served, name):
            await eventually(lambda: seen.sent.get(name, 0) > 1)
            await quick.subscribe("a", "{ hello }")
            assert (await quick.hear())["type"] == "next"

            await eventually(lambda: name in seen.ended)
    sent = seen.sent[name]

    assert sent < 400  # what fits between the two, and no queue: 400 would be 25 MB


@asynccontextmanager
async def _deaf(served: Served, name: str) -> AsyncIterator[None]:
    """A connection with a small window that subscribes to a flood and never reads again."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    host, port = served.host.split(":")
    await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
    socket_options: dict[str, Any] = {"sock": raw, "max_queue": 1, "ping_interval": None, "close_timeout": 0.1}
    async with talking(served, **socket_options) as talk:
        await talk.subscribe("a", f'subscription {{ flood(name: "{name}", size: 65536) }}')
        talk.socket.transport.pause_reading()
        yield
        talk.socket.transport.abort()


async def test_a_server_that_stops_says_so_and_ends_what_runs(services: Services) -> None:
    name = uuid4().hex
    async with contextlib.AsyncExitStack() as stack:
        async with transports(services) as served:
            talk = await stack.enter_async_context(talking(served))
            await talk.subscribe("a", f'subscription {{ watch(name: "{name}") }}')
            await talk.hear()

        assert (await talk.closed())[0] == 1012
    assert name in seen.ended
