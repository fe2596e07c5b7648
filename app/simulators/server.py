"""A simulated bank on a socket of this machine."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.simulators.faults import RESET

HOST: Final = "127.0.0.1"
_GRACE_S: Final = 1
#: SO_LINGER of no seconds: closing such a socket sends a reset, and throws away what was not sent yet.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class Breakable(HttpToolsProtocol):
    """uvicorn's protocol, which lets an app break the connection: `scope["extensions"][RESET]["call"]()`."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {RESET: {"call": self._reset}}

    def _reset(self) -> None:
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: those are whoever's process this is."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Whoever is kept waiting is let go first: a stall that is meant is nothing to wait for, or to complain of."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """The app on 127.0.0.1, for as long as the block lasts, in this event loop; answers its URL, such as http://127.0.0.1:49152.

    Port 0: any that is free. Errors: OSError when the port is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        config = uvicorn.Config(
            app, http=Breakable, ws="none", lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=_GRACE_S
        )
        server = _Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        running.add_done_callback(lambda _: server.listens.set())
        try:
            await server.listens.wait()
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running
