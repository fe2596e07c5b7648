"""Work that outlives its request, and work that must not."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog
from starlette.types import Receive

from resolvers.transport.body import ClientGone

log = structlog.get_logger(__name__)
T = TypeVar("T")

#: Only after this long is a query's client watched: most are answered sooner, and watching costs a task.
WATCHED_AFTER_S = 0.1


async def unless_client_leaves(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work, which is cancelled when the client hangs up. Errors: ClientGone."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=WATCHED_AFTER_S)
        if not task.done():
            await _wait_watching(receive, task)
        return task.result()
    finally:
        if not task.done():
            await _cancelled(task)


async def _wait_watching(receive: Receive, task: asyncio.Task[Any]) -> None:
    leaving = asyncio.create_task(_until_gone(receive))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
    finally:
        leaving.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """Wait until the cancelled work has given back what it held."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()


class Unstoppable:
    """Mutations: begun, they end, whoever hangs up meanwhile. The process waits for them before it lets go of its services."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of the work. Cancelling the caller leaves the work running."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_say_how_it_failed)
            raise

    async def drain(self, within_s: float) -> None:
        """Wait until all have ended, for at most `within_s` seconds."""
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=within_s)
            if left:
                log.warning("transport.mutations_left_running", count=len(left))


def _say_how_it_failed(task: asyncio.Task[Any]) -> None:
    """Nobody else is left to hear it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("transport.mutation_failed", error=type(error).__name__)
