"""What goes wrong on the way to a bank, by plan or by chance."""

import asyncio
import random
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Faults of the way there and back; `WithFaults` makes them.
TRANSPORT: Final = ("server_error", "rate_limited", "time_out", "reset", "drip", "garbage")
#: Faults of what is said; a protocol asks for them where they can happen. `revoked` never happens by chance.
PAGES: Final = ("mutation", "duplicate_page", "reordered_page", "revoked")
_BY_CHANCE: Final = frozenset(PAGES) - {"revoked"}

#: Where a server lets an app break the connection (app.simulators.server does).
RESET: Final = "florin.reset"

_GARBAGE: Final = (
    b"<html><body>We will be right back.</body></html>",
    b'{"cut": [1, 2, {"in": "the mid',
    b'{"amount": NaN}',
    b'{"name": "\xff\xfe\xfa"}',
    b"[" * 100_000,
    b"",
)


class Faults:
    """Faults that are due. Planned ones come first, in their order, one per request; then chance's, each request with `rate` (0 to 1).

    retry_after: what a "rate_limited" answer says, in its header's words. stall_s: how long a "time_out" says nothing, and a "drip"
    takes at most. happened: all that took place, for tests.
    """

    def __init__(self, seed: int, rate: float = 0.0, *, retry_after: str = "1", stall_s: float = 60.0) -> None:
        self.rate = rate
        self.retry_after = retry_after
        self.stall_s = stall_s
        self.happened: list[str] = []
        self._random = random.Random(f"faults {seed}")  # noqa: S311  faults that can be had again, no secret
        self._planned: deque[str] = deque()

    def plan(self, *names: str) -> None:
        """Queue faults for the next requests that they can happen to. Errors: ValueError for an unknown name."""
        for name in names:
            if name not in TRANSPORT + PAGES:
                raise ValueError(f"There is no fault {name}.")
        self._planned.extend(names)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._planned.clear()
        self.rate = 0.0

    @property
    def planned(self) -> tuple[str, ...]:
        """What was planned and did not happen yet."""
        return tuple(self._planned)

    def take(self, name: str) -> bool:
        """Whether the fault `name`, one of PAGES, happens here and now."""
        if name not in PAGES:
            raise ValueError(f"There is no fault {name} of pages.")
        if self._next_planned((name,)) or (name in _BY_CHANCE and self._random.random() < self.rate):
            self.happened.append(name)
            return True
        return False

    def take_transport(self) -> str | None:
        """What goes wrong with this request, one of TRANSPORT, if anything."""
        name = self._next_planned(TRANSPORT)
        if name is None and self._random.random() < self.rate:
            name = self._random.choice(TRANSPORT)
        if name is not None:
            self.happened.append(name)
        return name

    def garbage(self) -> bytes:
        return self._random.choice(_GARBAGE)

    def _next_planned(self, names: Collection[str]) -> str | None:
        """The first planned one of these. Those of pages and of the way there do not wait for each other."""
        name = next((each for each in self._planned if each in names), None)
        if name is not None:
            self._planned.remove(name)
        return name


class WithFaults:
    """An app behind a bad line. With `time_out`, `reset` and `drip` the request arrives and is acted on: only the answer is lost."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._faults.take_transport() if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
        elif fault == "server_error":
            await _answer(send, 500, b'{"error": "internal"}')
        elif fault == "rate_limited":
            await _answer(send, 429, b'{"error": "slow down"}', (b"retry-after", self._faults.retry_after.encode()))
        elif fault == "garbage":
            await _answer(send, 200, self._faults.garbage())
        else:
            answered = _Answered()
            await self._app(scope, receive, answered)
            await self._lose(fault, scope, receive, send, answered)

    async def _lose(self, fault: str, scope: Scope, receive: Receive, send: Send, answered: "_Answered") -> None:
        if fault == "time_out":
            await _pause(receive, self._faults.stall_s)
            await answered.replay(send)
        elif fault == "reset":
            await answered.start(send)
            await send({"type": "http.response.body", "body": answered.body[: len(answered.body) // 2], "more_body": True})
            await _break(scope)
        else:
            await self._drip(receive, send, answered)

    async def _drip(self, receive: Receive, send: Send, answered: "_Answered") -> None:
        """A byte at a time, evenly over `stall_s`; the connection never falls silent for long."""
        await answered.start(send)
        pause_s = min(0.1, self._faults.stall_s / 10)
        drops = min(len(answered.body), int(self._faults.stall_s / pause_s))
        for place in range(drops):
            await send({"type": "http.response.body", "body": answered.body[place : place + 1], "more_body": True})
            if await _pause(receive, pause_s):
                return
        await send({"type": "http.response.body", "body": answered.body[drops:]})


class _Answered:
    """Takes an app's answer in, to send it in another way."""

    def __init__(self) -> None:
        self._start: Message = {"type": "http.response.start", "status": 500, "headers": []}
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    async def start(self, send: Send) -> None:
        headers = [(name, value) for name, value in self._start.get("headers", []) if name.lower() != b"content-length"]
        await send({**self._start, "headers": [*headers, (b"content-length", str(len(self.body)).encode())]})

    async def replay(self, send: Send) -> None:
        await self.start(send)
        await send({"type": "http.response.body", "body": self.body})


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    named = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": body})


async def _pause(receive: Receive, pause_s: float) -> bool:
    """Wait for so long, or until whoever asked has gone: True then."""
    with suppress(TimeoutError):
        async with asyncio.timeout(pause_s):
            while (await receive())["type"] != "http.disconnect":
                continue
            return True
    return False


async def _break(scope: Scope) -> None:
    """End the connection with a reset where the server can; else it ends it itself, as the answer is not complete."""
    reset = scope.get("extensions", {}).get(RESET)
    if reset is not None:
        reset["call"]()
        await asyncio.sleep(0)
