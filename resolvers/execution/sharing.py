"""One piece of work for all who want it at the same moment."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Work under way, by what it is for. Whoever asks for the same joins it; nothing is kept once it is done.

    The work belongs to nobody: one of those who wait may go away, and the others still get it.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.ensure_future(_started(work))
            task.add_done_callback(lambda _done: self._running.pop(key, None))
        return await asyncio.shield(task)


async def _started(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()
