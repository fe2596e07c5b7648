"""The head of a request is bounded in bytes and in time, on the server as it is served."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import connect

from app import heads
from app.serving import make_server
from app.settings import Settings

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def port(settings: Settings) -> AsyncIterator[int]:
    async def hello(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": str((await receive())["type"])})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"hi"})

    server = make_server(hello, settings)
    server.config.lifespan = "off"
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    listener = await asyncio.get_running_loop().create_server(
        lambda: heads.BoundedHeads(config=server.config, server_state=server.server_state, app_state={}), "127.0.0.1", 0
    )
    assert server.config.http_protocol_class is heads.BoundedHeads
    yield listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_a_head_that_never_ends_is_refused_soon(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx-a: ")
        for _ in range(5):
            writer.write(b"a" * 16_384)

        answered = await asyncio.wait_for(reader.read(), 5)

    assert answered.startswith(b"HTTP/1.1 431 ")
    assert answered.endswith(b"The head of the request is too large.")


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET /again"], ids=["silence", "half", "the second"])
async def test_a_head_that_does_not_come_ends_the_connection(port: int, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(heads, "HEAD_WITHIN_S", 0.2)

    async with connected(port) as (reader, writer):
        writer.write(begun)
        answered = await asyncio.wait_for(reader.read(), 5)

    assert answered.count(b"HTTP/1.1 200") == begun.count(b"\r\n\r\n")


async def test_requests_after_one_another_and_large_bodies_are_not_in_a_hurry(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_WITHIN_S", 0.2)

    async with connected(port) as (reader, writer):
        for _ in range(3):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n" + b"b" * 200_000)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(2) == b"hi"
            await asyncio.sleep(0.3)


async def test_a_socket_that_was_upgraded_stays_open(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_WITHIN_S", 0.2)

    async with connect(f"ws://127.0.0.1:{port}/") as socket:
        await asyncio.sleep(0.5)
        await socket.send("still here")

        assert await socket.recv() == "websocket.receive"
