"""Sessions: the only way to the database.

    async with db.read("budget", viewer) as read:        one snapshot, read only, on the driver's connection
    async with db.write("budget", viewer) as session:    one transaction; wake-up and live events follow its commit
    async with db.system("budget") as session:           no viewer: the short list in `SYSTEM_USES`

Domains that share a DSN share its pools.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import orjson
import structlog
from sqlalchemy import Engine, event
from sqlalchemy.connectors.asyncio import AsyncAdapt_Error
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.util import await_only

from db import jobs
from db.attempts import note_commit
from db.connection import LOST, Row, SystemConnection, Trust, ViewerConnection, encode_json
from db.dsn import DIALECT, driver_dsn
from db.errors import DatabaseBusy, DatabaseUnavailable, NoViewer, PoolExhausted, passing_failure
from db.live import Event, announce
from db.read import Read, to_its_end, wait_for_endings
from db.redis import RedisConnections

log = structlog.get_logger(__name__)

#: What may run without a viewer.
SYSTEM_USES = (
    "claiming, renewing, finishing and purging jobs; the relay; the scheduler",
    "partitions and other upkeep, retention",
    "looking up whoever signs in or sends a webhook; creating whoever signs up",
    "entries of the audit trail without a user, checking the trail, listing requests for the operator",
    "data migrations",
)

Pooler = Literal["none", "transaction"]

POOL_SIZE = 10
POOL_TIMEOUT_S = 5.0
#: One user's writers wait for each other in Postgres, each on a connection: together they hold at most one in so many.
WRITERS_SHARE = 3
#: Prepared statements that are kept, by the driver and by SQLAlchemy. A statement that is kept belongs to one server connection: behind a
#: transaction pooler none is, and the driver then names none and sends its text again with each use.
STATEMENT_CACHES: Mapping[Pooler, Mapping[str, int]] = {
    "none": {"statement_cache_size": 500},
    "transaction": {"statement_cache_size": 0, "prepared_statement_cache_size": 0},
}
#: A killed process's events are published by the relay after this long.
OUTBOX_DELAY_S = 2.0
OUTBOX_FLUSH_S = 0.2
#: A connection that was idle for so long is asked for a sign of life before it is used: firewalls forget, and say nothing.
PING_AFTER_S = 10.0
CONNECTED_WITHIN_S = 8.0
#: A server that says nothing at all is given up. Longer than the roles' statement_timeout, by which a server that is there speaks.
ANSWERED_WITHIN_S: Mapping[str, float] = {"app": 35.0, "system": 125.0}
#: How long a transaction may take to roll back before its connection is closed instead.
ENDED_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, for the audit trail. None: not known, or there is no such thing.

    service: how it came in: `api`, `worker` or `cli`.
    """

    service: str
    address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Viewer:
    """On whose behalf a session acts. The database refuses what is not theirs.

    origin: of the change that they make; reads have none. It does not make another viewer of them.
    """

    user_id: UUID
    timezone: str = "UTC"
    currency: str = "USD"
    locale: str = "en-US"
    origin: Origin | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Dsns:
    """Log-ins, as `postgresql+asyncpg://` DSNs. `domains` holds what a domain overrides: {"budget": {"app": ...}}.

    pooler: what stands before the server for all but the owner. `transaction`: a pooler that gives each transaction any server
            connection, so that nothing of ours may live longer than one.
    """

    app: str
    system: str
    owner: str | None = None
    domains: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pooler: Pooler = "none"

    def of(self, domain: str, role: str) -> str:
        """The DSN of `role` (app, system, owner or read) for a domain. `read` falls back to `app`."""
        overrides = self.domains.get(domain, {})
        if role == "read":
            return overrides.get("read") or self.of(domain, "app")
        dsn = overrides.get(role) or getattr(self, role)
        if dsn is None:
            raise DatabaseUnavailable(f"no {role} DSN for {domain}")
        return str(dsn)


class SystemSession(AsyncSession):
    """A transaction of `florin_system` in one domain's database."""

    domain: str
    viewer: Viewer | None = None
    #: Whether an idempotency key showed that the call was answered before: then nothing happens in this transaction.
    is_replay = False

    def __init__(self, *args: Any, domain: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.domain = domain
        self.wakes = False

    async def run(self, statement: Any, **values: Any) -> Any:
        """Execute a statement of db/<domain>/queries.py with the values of its bound names."""
        return await self.execute(statement, values)

    def wake(self) -> None:
        """Have the relay look for jobs as soon as this has committed."""
        self.wakes = True


class _ViewerSyncSession(Session):
    """Hands the viewer to the connection before it begins."""


@event.listens_for(_ViewerSyncSession, "after_begin")
def _hand_over_viewer(session: Session, _transaction: Any, connection: Any) -> None:
    connection.connection.driver_connection.viewer_id = session.info["viewer_id"]


class WriteSession(SystemSession):
    """A transaction on a viewer's behalf."""

    sync_session_class = _ViewerSyncSession
    viewer: Viewer

    def __init__(self, *args: Any, domain: str, viewer: Viewer, **kwargs: Any) -> None:
        super().__init__(*args, domain=domain, info={"viewer_id": viewer.user_id}, **kwargs)
        self.viewer = viewer
        self.events: list[Event] = []

    async def run(self, statement: Any, **values: Any) -> Any:
        """Execute a statement with the values of its bound names; `viewer` is bound for `owned()`."""
        return await self.execute(statement, {"viewer": self.viewer.user_id, **values})

    def publish(self, topic: str, key: UUID, version: int) -> None:
        """Tell the user's listeners after the commit. The event is a row too, for whoever is killed before telling."""
        self.events.append(Event(topic, key, version))


class Db:
    """The pools of one process."""

    def __init__(
        self, dsns: Dsns, redis: RedisConnections | None, *, pool_size: int = POOL_SIZE, now: Callable[[], datetime] | None = None
    ) -> None:
        self.dsns = dsns
        self._redis = redis
        self._pool_size = pool_size
        self._now = now or (lambda: datetime.now(UTC))
        self._engines: dict[tuple[str, bool], AsyncEngine] = {}
        self._outbox = _Outbox(self)
        self._turns = _Turns(max(1, pool_size // WRITERS_SHARE))

    async def close(self) -> None:
        await self._outbox.close()
        await wait_for_endings()
        for engine in self._engines.values():
            with suppress(TimeoutError):  # a server that is silent does not answer a farewell
                async with asyncio.timeout(ENDED_WITHIN_S):
                    await engine.dispose()

    def dsn_key(self, domain: str, *, fresh: bool = False) -> str:
        """Domains with equal keys can share one read transaction. `fresh` as in `open_read`."""
        return self.dsns.of(domain, "app" if fresh else "read")

    @asynccontextmanager
    async def read(self, domain: str, viewer: Viewer | None) -> AsyncIterator[Read]:
        """One snapshot, never of a replica: what a use case reads decides what it writes. Errors: NoViewer, DatabaseUnavailable."""
        read = await self.open_read(domain, viewer, fresh=True)
        try:
            yield read
        except BaseException:
            await read.abandon()
            raise
        await read.close()

    async def open_read(self, domain: str, viewer: Viewer | None, *, fresh: bool = False) -> Read:
        """As `read`, for callers whose life has no block: they must close() or abandon() it.

        fresh: what was committed before must be seen. Without, the domain's read replica is asked if it has one, which lags.
        """
        if viewer is None:
            raise NoViewer
        engine = self._engine(self.dsn_key(domain, fresh=fresh), viewers=True)
        read = Read(engine, viewer.user_id, self._now().astimezone(ZoneInfo(viewer.timezone)).date())
        with _unavailable():
            await read.begin()
        return read

    @asynccontextmanager
    async def write(self, domain: str, viewer: Viewer | None) -> AsyncIterator[WriteSession]:
        """One transaction on the viewer's behalf, committed on success. Never inside another one of theirs: it takes a turn.

        Errors: NoViewer, DatabaseUnavailable, DatabaseBusy.
        """
        if viewer is None:
            raise NoViewer
        engine = self._engine(self.dsns.of(domain, "app"), viewers=True)
        session = WriteSession(engine, domain=domain, viewer=viewer, expire_on_commit=False, autoflush=False)
        outbox_id: UUID | None = None
        async with self._turns.take(viewer.user_id), self._transaction(session):
            yield session
            if session.events:
                outbox_id = await _leave_row(session)
        if self._redis is not None and (session.events or session.wakes):
            told = await announce(self._redis, viewer.user_id, session.events, wake=session.wakes)
            if outbox_id is not None and told:
                self._outbox.forget(domain, outbox_id)

    @asynccontextmanager
    async def system(self, domain: str) -> AsyncIterator[SystemSession]:
        """One transaction without a viewer, for what `SYSTEM_USES` lists. Errors: DatabaseUnavailable."""
        engine = self._engine(self.dsns.of(domain, "system"), viewers=False)
        session = SystemSession(engine, domain=domain, expire_on_commit=False, autoflush=False)
        async with self._transaction(session):
            yield session
        if self._redis is not None and session.wakes:
            await announce(self._redis, None, (), wake=True)

    @asynccontextmanager
    async def _transaction(self, session: AsyncSession) -> AsyncIterator[None]:
        driver: SystemConnection | None = None
        try:
            with _unavailable():
                opened = await session.connection()
                driver = opened.sync_connection.connection.driver_connection  # type: ignore[union-attr]
                yield
                try:
                    await session.commit()
                except BaseException as error:
                    note_commit(error)
                    raise
                note_commit(None)
        finally:
            await to_its_end(_end(session, driver))

    def _engine(self, dsn: str, *, viewers: bool) -> AsyncEngine:
        engine = self._engines.get((dsn, viewers))
        if engine is None:
            engine = self._engines[(dsn, viewers)] = _make_engine(dsn, viewers=viewers, size=self._pool_size, pooler=self.dsns.pooler)
        return engine


async def _end(session: AsyncSession, driver: SystemConnection | None) -> None:
    """Roll back what is open and give the connection back, whatever the server does: it has so long, then the connection is closed."""
    watch = None if driver is None else asyncio.get_running_loop().call_later(ENDED_WITHIN_S, driver.terminate)
    try:
        await session.close()
    except (DBAPIError, *LOST):
        await session.invalidate()  # it went away meanwhile, and what was open on it with it
    finally:
        if watch is not None:
            watch.cancel()


class _Turns:
    """Lets a user write in as many transactions at once, in one process; further ones wait without a connection."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._writers: dict[UUID, _Writers] = {}

    @asynccontextmanager
    async def take(self, user_id: UUID) -> AsyncIterator[None]:
        """Errors: DatabaseBusy, after waiting as long as for a connection."""
        writers = self._writers.get(user_id) or self._writers.setdefault(user_id, _Writers(asyncio.Semaphore(self._at_once)))
        writers.count += 1
        try:
            try:
                async with asyncio.timeout(POOL_TIMEOUT_S):
                    await writers.turn.acquire()
            except TimeoutError as error:
                raise DatabaseBusy("this user's other transactions did not end in time") from error
            try:
                yield
            finally:
                writers.turn.release()
        finally:
            writers.count -= 1
            if not writers.count:
                del self._writers[user_id]


@dataclass(slots=True)
class _Writers:
    """A user's transactions, those that wait included."""

    turn: asyncio.Semaphore
    count: int = 0


def _make_engine(dsn: str, *, viewers: bool, size: int, pooler: Pooler) -> AsyncEngine:
    engine = create_async_engine(
        DIALECT,
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_use_lifo=True,
        json_serializer=encode_json,
        json_deserializer=orjson.loads,
        hide_parameters=True,
        connect_args={
            "dsn": driver_dsn(dsn),
            "connection_class": ViewerConnection if viewers else SystemConnection,
            "record_class": Row,
            "max_cached_statement_lifetime": 0,
            "timeout": CONNECTED_WITHIN_S,
            "command_timeout": ANSWERED_WITHIN_S["app" if viewers else "system"],
            **STATEMENT_CACHES[pooler],
        },
    )
    _keep_clean(engine.sync_engine, viewers=viewers)
    return engine


def _keep_clean(engine: Engine, *, viewers: bool) -> None:
    """Nobody is handed a connection that is not there, or one that another left anything on. Costs no trip while it is in use."""
    trust = Trust()

    def prepare(connection: Any, _record: Any) -> None:
        driver: SystemConnection = connection.driver_connection
        driver.trust = trust
        driver.keep_alive()

    def check(connection: Any, _record: Any, _proxy: Any) -> None:
        driver: SystemConnection = connection.driver_connection
        if viewers:
            connection.driver_connection.viewer_id = None
        if driver.is_closed():
            raise DisconnectionError  # the driver has seen the server hang up: the pool makes another
        idle_s = time.monotonic() - driver.idle_since
        if idle_s >= PING_AFTER_S or driver.idle_since <= trust.lost_at:
            _ping(driver)

    def take_back(connection: Any, _record: Any) -> None:
        if connection is None:
            return
        driver: SystemConnection = connection.driver_connection
        if viewers:
            connection.driver_connection.viewer_id = None
        driver.idle_since = time.monotonic()
        if not driver.is_clean():
            if driver.is_suspect:
                log.warning("db.connection_discarded", reason="something may have been left in its session")
            driver.terminate()

    event.listen(engine, "connect", prepare)
    event.listen(engine, "checkout", check)
    event.listen(engine, "checkin", take_back)


def _ping(driver: SystemConnection) -> None:
    """Ask whether the server is there still, unless others of the pool were not answered since. Errors: DisconnectionError."""
    if driver.idle_since <= driver.trust.lost_at:
        driver.terminate()
        raise DisconnectionError
    try:
        await_only(driver.ping())
    except (asyncpg.PostgresError, *LOST) as error:
        raise DisconnectionError from error


class _unavailable:
    """Turn a lost or refused connection into DatabaseUnavailable, and what others stand in the way of into DatabaseBusy."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, PoolTimeout):
            raise PoolExhausted("every connection stayed busy") from error
        if isinstance(error, LOST):
            raise DatabaseUnavailable(type(error).__name__) from error
        if isinstance(error, DBAPIError):
            failure = passing_failure(getattr(error.orig, "sqlstate", None))
            if failure is not None or error.connection_invalidated:
                raise (failure or DatabaseUnavailable)(type(error.orig).__name__) from error
        if isinstance(error, AsyncAdapt_Error):
            # a read that could not be connected: only engines wrap what the dialect makes of the driver's errors
            cause = error.__cause__ or error
            failure = passing_failure(getattr(error, "sqlstate", None))
            if failure is not None or isinstance(cause, LOST):
                raise (failure or DatabaseUnavailable)(type(cause).__name__) from error


async def _leave_row(session: WriteSession) -> UUID:
    """The events as a job row that is due only if this process does not get to publish them."""
    key = uuid4()
    events = [[event.topic, str(event.id), event.version] for event in session.events]
    return await jobs.add(session, jobs.PUBLISH, key=str(key), payload={"events": events}, delay_s=OUTBOX_DELAY_S, wake=False)


class _Outbox:
    """Drops the rows of events that were published, many in one statement, off the path of any request."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._published: dict[str, list[UUID]] = {}
        self._task: asyncio.Task[None] | None = None

    def forget(self, domain: str, job_id: UUID) -> None:
        self._published.setdefault(domain, []).append(job_id)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drop(), name="db.outbox")

    async def close(self) -> None:
        if self._task is not None:
            await self._task

    async def _drop(self) -> None:
        while self._published:
            await asyncio.sleep(OUTBOX_FLUSH_S)
            published, self._published = self._published, {}
            for domain, ids in published.items():
                try:
                    async with self._db.system(domain) as session:
                        await jobs.drop(session, ids)
                except DatabaseUnavailable:
                    return  # the rows stay, the relay publishes once more: a repeated version changes nothing
