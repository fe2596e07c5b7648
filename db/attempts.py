"""Running a unit of work again from its start when the server chose it to give way: a deadlock, a serialization failure.

    await retrying(lambda: create_budget(services, viewer, command, key))

Only an entry point does it (a mutation, a job's handler, a job that its requester runs): what is run again is all that was asked for,
with sessions of its own. Once it has committed anything it is run again only if that does no harm; else the failure is told as one that
the client may retry, and what was left to do is a job's.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from db.errors import Conflict, passing_failure

T = TypeVar("T")
log = structlog.get_logger(__name__)

TRIES: Final = 3
#: The wait before the second try is at most this, before the third at most twice that; at random, or two would meet again.
WAIT_S: Final = 0.05


@dataclass(slots=True)
class _Attempt:
    """One run of a unit of work. Tasks that it starts share it."""

    has_committed: bool = False


_attempt: ContextVar[_Attempt | None] = ContextVar("attempt", default=None)


async def retrying(
    work: Callable[[], Awaitable[T]], *, may_repeat: bool = False, between: Callable[[], Awaitable[None]] | None = None
) -> T:
    """What the work comes to, run again up to `TRIES` times in all after a Conflict.

    may_repeat: it does no harm to run it again after it has committed something: a job's handler, a mutation with a key.
    between:    called before each further run, to forget what the failed one has read.
    Errors: Conflict, when the last try met one too, or one came after a commit.
    """
    for number in range(1, TRIES + 1):
        attempt = _Attempt()
        token = _attempt.set(attempt)
        try:
            return await work()
        except Conflict as error:
            if number == TRIES or (attempt.has_committed and not may_repeat):
                raise
            log.info("db.run_again", reason=str(error), tries=number)
        finally:
            _attempt.reset(token)
            if attempt.has_committed and (outer := _attempt.get()) is not None:
                outer.has_committed = True
        if between is not None:
            await between()
        await asyncio.sleep(random.uniform(0, WAIT_S * number))  # noqa: S311 - not a secret
    raise AssertionError("unreachable")


@contextmanager
def uncounted() -> Iterator[None]:
    """Commits in the block are not counted as the unit of work's: what they do is there for whoever comes next, asked for or not."""
    token = _attempt.set(None)
    try:
        yield
    finally:
        _attempt.reset(token)


def note_commit(error: BaseException | None) -> None:
    """A transaction has committed (None), or its commit has failed: unless it is known not to have happened, it counts as one."""
    attempt = _attempt.get()
    if attempt is None or (isinstance(error, DBAPIError) and passing_failure(getattr(error.orig, "sqlstate", None)) is Conflict):
        return
    attempt.has_committed = True
