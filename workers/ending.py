"""Ending asyncio tasks for certain."""

import asyncio
from collections.abc import Collection
from typing import Any, Final

#: Long enough for a cancelled task to tidy up, which asking again would interrupt.
AGAIN_AFTER_S: Final = 1.0


async def cancel(tasks: "Collection[asyncio.Task[Any]]", within_s: float | None = None) -> bool:
    """Cancel tasks until they have ended; whether they did within the time. What they raised is theirs to tell.

    Asking once is not enough: `asyncio.wait_for` of Python 3.11, through which redis-py sends commands, returns its result when a
    cancellation comes in the same turn of the loop, and the cancellation is gone.
    """
    loop = asyncio.get_running_loop()
    gives_up_at = None if within_s is None else loop.time() + within_s
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        left_s = AGAIN_AFTER_S if gives_up_at is None else min(AGAIN_AFTER_S, gives_up_at - loop.time())
        _, pending = await asyncio.wait(pending, timeout=max(0.0, left_s))
        if gives_up_at is not None and loop.time() >= gives_up_at:
            break
    return not pending
