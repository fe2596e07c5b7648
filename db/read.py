"""One read transaction: a snapshot that all loaders of an operation share, one statement at a time."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import date
from typing import Any, cast
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from db.connection import LOST, Row
from db.errors import DatabaseUnavailable, passing_failure
from db.statements import Statement

ROLLBACK_WITHIN_S = 2.0

#: What goes on although whoever began it was cancelled. The loop itself keeps no task alive.
_ending: set[asyncio.Task[None]] = set()


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Run the work in a task that a cancellation of the caller does not reach."""
    task = asyncio.create_task(work, name="db.ending")
    _ending.add(task)
    task.add_done_callback(_ending.discard)
    await asyncio.shield(task)


async def wait_for_endings() -> None:
    """Wait until all that was begun so on this loop has ended. Each is bounded."""
    loop = asyncio.get_running_loop()
    while mine := [task for task in _ending if task.get_loop() is loop]:
        await asyncio.wait(mine)


class _driver_errors:
    """Turn what the driver raises when the connection is lost, or when others stand in the way, into our own failures."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, asyncpg.PostgresError) and (failure := passing_failure(error.sqlstate)) is not None:
            raise failure(type(error).__name__) from error
        if isinstance(error, LOST):
            raise DatabaseUnavailable(type(error).__name__) from error


class Read:
    """Runs compiled statements on the driver's connection.

    viewer_id: bound as `viewer` in every statement.
    today:     the civil date in the viewer's time zone when the transaction began.
    statements: how many have run; tests count them.
    """

    __slots__ = ("_connection", "_engine", "_fairy", "_lock", "statements", "today", "viewer_id")

    def __init__(self, engine: AsyncEngine, viewer_id: UUID, today: date) -> None:
        self._engine = engine
        self._lock = asyncio.Lock()
        self._fairy: Any = None
        self._connection: Any = None
        self.viewer_id = viewer_id
        self.today = today
        self.statements = 0

    async def begin(self) -> None:
        self._fairy = await self._engine.raw_connection()
        self._connection = self._fairy.driver_connection
        self._connection.viewer_id = self.viewer_id
        try:
            with _driver_errors():
                await self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        except BaseException:
            await self.abandon()
            raise

    async def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """All rows. Errors: DatabaseUnavailable when the connection is lost; DatabaseBusy."""
        values["viewer"] = self.viewer_id
        async with self._lock:
            self.statements += 1
            with _driver_errors():
                return cast(Sequence[Row], await self._connection.fetch(statement.sql, *statement.arguments(values)))

    async def row(self, statement: Statement, **values: Any) -> Row | None:
        """The first row, or None."""
        rows = await self.rows(statement, **values)
        return rows[0] if rows else None

    async def value(self, statement: Statement, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = await self.row(statement, **values)
        return None if row is None else row[0]

    async def close(self) -> None:
        """End the snapshot and give the connection back. Errors: DatabaseUnavailable."""
        try:
            with _driver_errors():
                await self._connection.execute("COMMIT")
        except BaseException:
            await self.abandon()
            raise
        await greenlet_spawn(self._fairy.close)

    async def abandon(self) -> None:
        """Give up, whatever state the connection is in. Whoever cancels us again cannot leave it half-way."""
        await to_its_end(self._roll_back())

    async def _roll_back(self) -> None:
        try:
            if not self._connection.is_closed():
                async with asyncio.timeout(ROLLBACK_WITHIN_S):
                    await self._connection.execute("ROLLBACK")
        except (asyncpg.PostgresError, *LOST):
            self._connection.terminate()
        finally:
            await greenlet_spawn(self._fairy.close)
