"""The other side of a wire, byte for byte as a test says."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from domains.bank.providers.wire import NoCircuits, Timeouts, Wire

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]

#: Of a bank that is meant to be slow: short enough to wait for, long enough for two cores that others use, too.
QUICK = Timeouts(connect_s=2, read_s=0.3, attempt_s=2, deadline_s=20)


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FarEnd:
    """Answers in the order of `answers`: bytes as they are, or what an act does. Afterwards `{"ok": true}`."""

    url: str = ""
    answers: deque[bytes | Act] = field(default_factory=deque)
    requests: list[Received] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.requests.append(await _received(reader))
                answer = self.answers.popleft() if self.answers else ok()
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@dataclass
class Slept:
    """Stands in for sleeping: notes how long it would have been."""

    waits_s: list[float] = field(default_factory=list)

    async def __call__(self, wait_s: float) -> None:
        self.waits_s.append(wait_s)


class Counted(NoCircuits):
    """Circuits that note what they are told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def before(self, key: str) -> None:
        self.told.append(f"before {key}")

    async def failed(self, key: str) -> None:
        self.told.append(f"failed {key}")

    async def succeeded(self, key: str) -> None:
        self.told.append(f"succeeded {key}")


@asynccontextmanager
async def far_end(*answers: bytes | Act, tls: ssl.SSLContext | None = None) -> AsyncIterator[FarEnd]:
    end = FarEnd(answers=deque(answers))
    server = await asyncio.start_server(end.serve, "127.0.0.1", 0, ssl=tls, limit=1024 * 1024)
    end.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield end
    finally:
        server.close()


@asynccontextmanager
async def wired(
    end: FarEnd, slept: Slept | None = None, circuits: NoCircuits | None = None, within: Timeouts = QUICK
) -> AsyncIterator[Wire]:
    """A wire to it that sleeps not at all, and by chance always takes the longest wait."""
    wire = Wire(end.url, circuits=circuits or NoCircuits(), timeout=within, sleep=slept or Slept(), random=lambda _low, high: high)
    try:
        yield wire
    finally:
        await wire.close()


def ok(body: bytes = b'{"ok": true}', *headers: str, status: str = "200 OK") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
    return f"{head}\r\n\r\n".encode() + body


async def silence(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def half_a_body(writer: asyncio.StreamWriter) -> None:
    """A promise of a hundred bytes, ten of them, and a reset."""
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"ok": tru')
    await writer.drain()
    writer.transport.abort()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def drip(writer: asyncio.StreamWriter) -> None:
    """A byte every twentieth of a second: never silent for as long as a read may take, and never done."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _received(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    method, target, _version = first.split(" ")
    return Received(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
