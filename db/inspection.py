"""Looking at servers without touching anything: what `florin doctor` is told.

Every look is one short read-only transaction on a connection of its own, so that it also works through a pooler.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from db.base import APP_ROLE, OWNER_ROLE, SYSTEM_ROLE, schema_of
from db.dsn import DIALECT, driver_dsn
from db.redis import RedisConnections, answer

TIMEOUT_S: Final = 5.0
#: Parameters of a log-in that bound what one statement or one forgotten transaction can do.
BOUNDS: Final = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "client_connection_check_interval")


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A Postgres, as one of our log-ins finds it.

    skew_s:     its clock less ours. round_trip_s: how inexact that is.
    is_pooled:  another process than the one that greeted us runs our statements.
    member_of:  roles of ours whose rights this one has beside its own.
    bounds:     parameters of `BOUNDS` -> value, "0" where there is no bound.
    """

    version_num: int
    version: str
    role: str
    is_superuser: bool
    bypasses_row_security: bool
    member_of: tuple[str, ...]
    database: str
    encoding: str
    is_encrypted: bool
    is_local: bool
    is_pooled: bool
    is_standby: bool
    max_connections: int
    bounds: Mapping[str, str]
    skew_s: float
    round_trip_s: float


@dataclass(frozen=True, slots=True)
class JobFacts:
    """Work of one domain: how much waits overdue, since when (seconds), and what failed for good."""

    overdue: int
    oldest_s: float
    dead: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What transactions are kept in.

    first_missing: the first of the next days for which there is no partition; None for a hypertable, which makes them itself.
    uncompressed:  chunks that have been old enough to be compressed for a day.
    last_run:      how the last run of their compression ended, "Success" or "Failed"; None: none yet, or nothing compresses them.
    """

    is_hypertable: bool
    count: int
    first_missing: date | None
    is_compressing: bool
    uncompressed: int
    last_run: str | None


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """`product` is redis or valkey. skew_s as for Postgres."""

    product: str
    version: str
    eviction: str
    skew_s: float


def describe(dsn: str) -> str:
    """Where a DSN points and as whom, without its password."""
    url = make_url(dsn)
    host = url.host or url.query.get("host") or "socket"
    where = host if isinstance(host, str) else ",".join(host)
    return f"Postgres {url.username or '?'}@{'socket' if where.startswith('/') else where}/{url.database}"


@asynccontextmanager
async def looking(dsn: str) -> AsyncIterator["Look"]:
    """A read-only transaction as the DSN's role. Errors: those of the driver, OSError, TimeoutError."""
    engine = create_async_engine(
        DIALECT, poolclass=NullPool, connect_args={"dsn": driver_dsn(dsn), "statement_cache_size": 0, "timeout": TIMEOUT_S}
    )
    try:
        async with engine.connect() as opened:
            driver: Any = (await opened.get_raw_connection()).driver_connection
            async with driver.transaction(readonly=True):
                yield Look(driver)
    finally:
        await engine.dispose()


class Look:
    """What can be asked within one transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def server(self) -> ServerFacts:
        before = time.time()
        row = dict(await self._connection.fetchrow(_SERVER, [APP_ROLE, SYSTEM_ROLE, OWNER_ROLE]))
        after = time.time()
        clock, backend = row.pop("clock"), row.pop("backend")
        return ServerFacts(
            **{**row, "member_of": tuple(row["member_of"])},
            bounds={name: await self._connection.fetchval("select current_setting($1, true)", name) or "0" for name in BOUNDS},
            is_pooled=backend != self._connection.get_server_pid(),
            skew_s=clock.timestamp() - (before + after) / 2,
            round_trip_s=after - before,
        )

    async def extensions(self) -> dict[str, tuple[str, str]]:
        """Name -> (version, schema) of what is installed."""
        rows = await self._connection.fetch("select extname, extversion, extnamespace::regnamespace::text from pg_extension")
        return {name: (version, schema) for name, version, schema in rows}

    async def unguarded(self, domain: str) -> list[str]:
        """Tables with rows of users that the application's role reaches and row security does not guard."""
        return [row[0] for row in await self._connection.fetch(_UNGUARDED, schema_of(domain), APP_ROLE)]

    async def owned_by_application(self, domain: str) -> list[str]:
        """Tables that one of the roles owns that must own none."""
        return [row[0] for row in await self._connection.fetch(_OWNED, schema_of(domain), [APP_ROLE, SYSTEM_ROLE])]

    async def revision(self, domain: str) -> str | None:
        """The revision that the domain's schema is at; None: there is none."""
        table = f"{schema_of(domain)}.alembic_version"
        if await self._connection.fetchval("select to_regclass($1)", table) is None:
            return None
        found: str | None = await self._connection.fetchval(f"select version_num from {table}")  # noqa: S608 - a constant of ours
        return found

    async def parts_of_transactions(self, ahead: timedelta) -> Parts | None:
        """None: this release's functions are not there yet. `ahead`: for how long there must be partitions. As the system."""
        if await self._connection.fetchval("select to_regprocedure('transaction_schema.list_partitions()')") is None:
            return None
        row = dict(await self._connection.fetchrow(_PARTS, ahead))
        compression: tuple[Any, ...] = (False, 0, None)
        if row["is_hypertable"]:
            compression = tuple(await self._connection.fetchrow(_COMPRESSION))
        return Parts(**row, **dict(zip(("is_compressing", "uncompressed", "last_run"), compression, strict=True)))

    async def partitions(self, table: str) -> list[str]:
        """Names of a partitioned table's partitions."""
        return [row[0] for row in await self._connection.fetch(_PARTITIONS, table)]

    async def jobs(self, domain: str) -> JobFacts:
        """As the system, which sees everybody's."""
        return JobFacts(*await self._connection.fetchrow(_JOBS.format(schema=schema_of(domain))))

    async def data_keys(self) -> dict[str, int]:
        """How many users' data keys each key of the ring wraps; as the system, in the database of `user`."""
        return dict(await self._connection.fetch("select key_id, count(*) from user_schema.user_keys group by key_id"))


async def look_at_redis(dsn: str) -> RedisFacts:
    """Errors: RedisUnavailable."""
    connections = RedisConnections(dsn)
    try:
        info = await answer(connections.client.info())
        before = time.time()
        seconds, micros = await answer(connections.client.time())
        after = time.time()
    finally:
        await connections.close()
    product = "valkey" if "valkey_version" in info else "redis"
    version = str(info.get(f"{product}_version", "0"))
    return RedisFacts(product, version, str(info.get("maxmemory_policy", "noeviction")), seconds + micros / 1e6 - (before + after) / 2)


_SERVER: Final = """
    select current_setting('server_version_num')::int as version_num, current_setting('server_version') as version,
           current_user::text as role, r.rolsuper as is_superuser, r.rolbypassrls as bypasses_row_security,
           array(select name from unnest($1::text[]) name join pg_roles o on o.rolname = name
                 where name <> current_user and pg_has_role(current_user, o.oid, 'member')) as member_of,
           current_database()::text as database, pg_encoding_to_char(d.encoding)::text as encoding,
           coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as is_encrypted,
           inet_client_addr() is null or inet_client_addr() <<= '127.0.0.0/8' or inet_client_addr() = '::1' as is_local,
           pg_is_in_recovery() as is_standby, current_setting('max_connections')::int as max_connections,
           pg_backend_pid() as backend, clock_timestamp() as clock
    from pg_roles r, pg_database d where r.rolname = current_user and d.datname = current_database()
"""

_UNGUARDED: Final = """
    select c.relname::text from pg_class c
    where c.relnamespace = to_regnamespace($1) and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
      and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped)
      and has_any_column_privilege($2, c.oid, 'select, insert, update')
    order by 1
"""

_OWNED: Final = """
    select c.relname::text from pg_class c
    where c.relnamespace = to_regnamespace($1) and c.relkind <> 'i' and pg_get_userbyid(c.relowner) = any($2) order by 1
"""

_PARTITIONS: Final = """
    select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = to_regclass($1) order by 1
"""

_PARTS: Final = """
    with part as (select * from transaction_schema.list_partitions()),
      kind as (select relkind <> 'p' as is_hypertable from pg_class where oid = 'transaction_schema.transactions'::regclass)
    select is_hypertable, (select count(*) from part) as count,
           (select min(day) from (select current_date union all select (current_date + $1::interval)::date) days (day)
            where not is_hypertable and not exists (select from part where day >= first_day and day < end_day)) as first_missing
    from kind
"""

_COMPRESSION: Final = """
    select exists (select from timescaledb_information.jobs j where j.proc_name = 'policy_compression' and j.scheduled
                   and j.hypertable_schema = 'transaction_schema' and j.hypertable_name = 'transactions'),
           (select count(*) from transaction_schema.list_partitions()
            where not is_compressed and end_day < current_date - interval '6 months 1 day'),
           (select min(s.last_run_status) from timescaledb_information.jobs j join timescaledb_information.job_stats s using (job_id)
            where j.proc_name = 'policy_compression' and j.hypertable_schema = 'transaction_schema' and j.hypertable_name = 'transactions')
"""

_JOBS: Final = """
    select count(*) filter (where state = 'queued' and run_at < now() - interval '1 minute'),
           coalesce(extract(epoch from now() - min(run_at) filter (where state = 'queued')), 0)::float8,
           count(*) filter (where state = 'dead')
    from {schema}.jobs where state in ('queued', 'dead')
"""
