"""A TCP proxy before Postgres, which does to connections what networks do."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from sqlalchemy.engine import make_url

CHUNK = 65_536


class Proxy:
    """Passes bytes on, until told otherwise. Of what it has done: `connections`, how many were made.

    silent: connections stay open, and nothing passes any more: a firewall that has forgotten them, a server that is gone.
    delay_s: how long each piece of an answer takes.
    swallow: the answer to a piece that holds these bytes is not passed on: the connection is closed instead.
    """

    def __init__(self, dsn: str) -> None:
        url = make_url(dsn)
        self._url = url
        self._folder, self._host, self._port = url.query.get("host"), url.host, url.port or url.query.get("port") or 5432
        self.silent = False
        self.delay_s = 0.0
        self.swallow: bytes | None = None
        self.connections = 0
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._gone: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def lead(self, dsn: str) -> str:
        """The same log-in, by way of here."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        url = make_url(dsn)
        query = {name: value for name, value in url.query.items() if name not in ("host", "port")}
        return url.set(host="127.0.0.1", port=port, query=query).render_as_string(hide_password=False)

    def forget(self) -> None:
        """Connections that are open now are passed nothing any more; later ones are."""
        self._gone.update(writer for pair in self._pairs for writer in pair)

    def reset(self) -> None:
        """Hang up on everybody, at once and without a word of farewell."""
        for pair in list(self._pairs):
            for writer in pair:
                raw = writer.get_extra_info("socket")
                if raw is not None and raw.family == socket.AF_INET:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._folder is not None:
            server = await asyncio.open_unix_connection(f"{self._folder}/.s.PGSQL.{self._port}")
        else:
            server = await asyncio.open_connection(self._host, self._port)
        pair = (writer, server[1])
        self._pairs.add(pair)
        swallowing = asyncio.Event()

        def asks(data: bytes) -> bool:
            if self.swallow is not None and self.swallow in data:
                swallowing.set()
            return True

        def answers(_data: bytes) -> bool:
            return not swallowing.is_set()

        tasks = [
            asyncio.create_task(self._pass(reader, server[1], asks, 0.0)),
            asyncio.create_task(self._pass(server[0], writer, answers, None)),
        ]
        self._tasks.update(tasks)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for each in pair:
            each.transport.abort()
        self._pairs.discard(pair)

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, may: Callable[[bytes], bool], delay_s: float | None
    ) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                if self.silent or sink in self._gone:
                    continue
                await asyncio.sleep(self.delay_s if delay_s is None else delay_s)
                if not may(data):
                    return
                sink.write(data)
                await sink.drain()
