"""Cancelling work at its n-th await, and looking at what it has left to whoever borrows the connection next."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import text

from db.engines import Db, Viewer

#: As often as anyio and Starlette cancel whoever goes on awaiting: at this await and the ones after it.
CANCELLED_IN_A_ROW = 3
SETTLED_WITHIN_S = 10.0


class CancelledAt:
    """Awaits the work, and has the task cancelled at the n-th thing that the loop is asked to wait for, and at the next two.

    awaits: how many there were.
    """

    def __init__(self, work: Coroutine[Any, Any, None], at: int) -> None:
        self._work = work
        self._at = at
        self.awaits = 0

    def __await__(self) -> Generator[Any, Any, None]:
        task = asyncio.current_task()
        assert task is not None
        steps = self._work.__await__()
        thrown: BaseException | None = None
        while True:
            try:
                waited_for = steps.send(None) if thrown is None else steps.throw(thrown)
            except StopIteration:
                return
            self.awaits += 1
            if self._at <= self.awaits < self._at + CANCELLED_IN_A_ROW:
                task.cancel()
            try:
                yield waited_for
            except BaseException as error:  # noqa: BLE001 - thrown into the work at the next step
                thrown = error
            else:
                thrown = None


async def cancelled_at(work: Coroutine[Any, Any, None], at: int) -> bool:
    """Run the work so; whether it came to its end untouched. Whatever it raises then is its own."""
    stepped = CancelledAt(work, at)

    async def run() -> None:
        await stepped

    task = asyncio.create_task(run())
    await asyncio.wait({task}, timeout=SETTLED_WITHIN_S)
    assert task.done(), f"cancelled at await {at}, it hangs"
    if stepped.awaits < at:
        task.result()
        return True
    if not task.cancelled():
        task.exception()
    return False


@dataclass(frozen=True, slots=True)
class Found:
    """What a borrower finds on the connection: as it should be, all of it is as a new one has it."""

    user: str
    viewer: str
    timeout: str
    locks: int
    temporary: int
    transactions: int


LOOK = text(
    "select current_user::text, coalesce(current_setting('app.user_id', true), ''), current_setting('statement_timeout'),"
    " (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),"
    " (select count(*) from pg_class where relpersistence = 't' and relnamespace = pg_my_temp_schema()),"
    " (select count(*) from pg_stat_activity where pid = pg_backend_pid() and xact_start < statement_timestamp() - interval '1 hour')"
)


def checked_out(db: Db) -> int:
    return sum(engine.pool.checkedout() for engine in db._engines.values())  # type: ignore[attr-defined]


async def until_given_back(db: Db) -> None:
    """Wait for what ends in the background; afterwards no connection is in anybody's hands."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while checked_out(db):
        assert time.monotonic() < deadline, f"{checked_out(db)} connections were never given back"
        await asyncio.sleep(0.005)


async def look(db: Db, viewer: Viewer | None) -> Found:
    """What the next borrower of `florin_app` finds, or of `florin_system` without a viewer."""
    async with db.write("user", viewer) if viewer else db.system("user") as session:
        return Found(*(await session.execute(LOOK)).one())


@asynccontextmanager
async def watching(superuser_dsn: str) -> AsyncIterator["Watch"]:
    connection = await asyncpg.connect(superuser_dsn.replace("+asyncpg", ""))
    try:
        yield Watch(connection)
    finally:
        await connection.close()


class Watch:
    """Sees every backend of our roles."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def orphans(self) -> list[str]:
        """Backends of ours that are in a transaction or hold advisory locks."""
        found = await self._connection.fetch(
            "select a.usename || ' ' || a.state || ': ' || a.query as said from pg_stat_activity a"
            " where a.usename in ('florin_app', 'florin_system') and (a.state <> 'idle'"
            " or exists (select from pg_locks l where l.pid = a.pid and l.locktype = 'advisory'))"
        )
        return [row["said"] for row in found]

    async def until_no_orphans(self, within_s: float = SETTLED_WITHIN_S) -> None:
        deadline = time.monotonic() + within_s
        while found := await self.orphans():
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.02)
