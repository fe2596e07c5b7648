"""The transports on a real server and socket, around a toy schema, with real sessions and buckets in Redis."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from db.auth.queries import open_session
from db.redis import RedisConnections
from domains.flows.services import Options, Services
from resolvers.transport.admission import Admission
from resolvers.transport.http import GraphQLHttp
from resolvers.transport.running import Unstoppable
from resolvers.transport.websocket import GraphQLWebSocket
from tests.resolvers.transport.toy import make_gateway


class QuietServer(uvicorn.Server):
    """uvicorn without its signal handlers: those are the test runner's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The app behind uvicorn as we run it, at `127.0.0.1:port`."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's delay on
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=64 * 1024,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
        if task.done():
            task.result()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@dataclass(frozen=True)
class Served:
    """Where the transports are served, and a way to sign in."""

    host: str
    services: Services
    mutations: Unstoppable

    @property
    def url(self) -> str:
        return f"http://{self.host}/graphql"

    @property
    def ws(self) -> str:
        return f"ws://{self.host}/graphql"

    async def token(self, user_id: UUID | None = None, *, ttl_s: int = 600) -> str:
        settings = ("UTC", "USD", "en-US")
        return await open_session(self.services.redis, user_id or uuid4(), settings, at=datetime.now(UTC), ttl_s=ttl_s)


@asynccontextmanager
async def transports(services: Services, **websocket_options: Any) -> AsyncIterator[Served]:
    """Both transports, bare. `websocket_options`: times of GraphQLWebSocket."""
    gateway, admission, mutations = make_gateway(), Admission(services, b"s" * 32), Unstoppable()
    http = GraphQLHttp(gateway, admission, mutations)
    websocket = GraphQLWebSocket(gateway, admission, mutations, **websocket_options)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (websocket if scope["type"] == "websocket" else http)(scope, receive, send)

    async def without_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for done in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{done}.complete"})

    async with serving(without_lifespan) as host:
        yield Served(host, services, mutations)
    await mutations.drain(5)


@pytest.fixture(scope="session")
async def served(services: Services) -> AsyncIterator[Served]:
    async with transports(_with_room(services)) as found:
        yield found


def _with_room(services: Services) -> Services:
    """Every test calls from the one address: what that may spend is not what they are about."""
    return replace(services, options=replace(services.options, address_bucket=Options().viewer_bucket._replace(capacity=10**6)))


@pytest.fixture(scope="session")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10) as found:
        yield found


@pytest.fixture
async def away(services: Services) -> AsyncIterator[Services]:
    """Services whose Redis is not there."""
    redis = RedisConnections("redis://127.0.0.1:1/0")
    yield replace(services, redis=redis)
    await redis.close()


Eventually = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Wait until something holds; fail after five seconds."""

    async def wait(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():
                await asyncio.sleep(0.01)

    return wait
