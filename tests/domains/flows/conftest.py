"""Databases of their own for what looks at everybody's rows: one per domain, as retention must never need two domains in one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from db.base import DOMAINS, schema_of
from db.engines import Db, Viewer
from db.redis import RedisConnections
from domains.core.clock import FixedClock
from domains.flows.services import Services
from domains.user.keys import KeyRing, UserCipher, generate_key
from migrations.run import upgrade_async
from tests.db.samples import insert, sample_rows
from tests.migrations.fresh import fresh_database
from tests.servers.suite import Servers, in_database

#: Reference data, and what says which tables there are.
STAYS = ("alembic_version", "categories", "notification_templates")


@dataclass(frozen=True, slots=True)
class Nights:
    """`services` on these databases, at an instant of which tests know the year; `databases`: the superuser's log-in, by domain."""

    services: Services
    databases: dict[str, str]

    async def run(self, domain: str, statement: str, *values: Any) -> list[Any]:
        """As the superuser, past triggers."""
        connection = await asyncpg.connect(self.databases[domain].replace("+asyncpg", "", 1))
        try:
            await connection.execute("set session_replication_role = replica")
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    async def add_user(self) -> Viewer:
        user_id = uuid4()
        await self.add("user_schema.users", sample_rows(user_id)["user_schema.users"])
        return Viewer(user_id)

    async def add(self, table: str, row: dict[str, Any]) -> None:
        connection = await asyncpg.connect(self.databases[table.partition("_")[0]].replace("+asyncpg", "", 1))
        try:
            await insert(connection, table, row)
        finally:
            await connection.close()

    async def snapshot(self) -> dict[str, list[str]]:
        """Every row of every table, as text."""
        found: dict[str, list[str]] = {}
        for domain in DOMAINS:
            for table in await self.tables(domain):
                rows = await self.run(domain, f"select (to_jsonb(t) - 'updated_at')::text from {table} t order by 1")
                found[table] = [row[0] for row in rows]
        return found

    async def tables(self, domain: str) -> list[str]:
        found = await self.run(
            domain,
            "select relname from pg_class where relnamespace = $1::regnamespace and relkind in ('r', 'p') and not relispartition",
            schema_of(domain),
        )
        return [f"{schema_of(domain)}.{row[0]}" for row in found]

    async def partitions(self) -> list[str]:
        return [row[0] for row in await self.run("transaction", "select name from transaction_schema.list_partitions()")]

    async def dates(self, user_id: UUID) -> list[date]:
        rows = await self.run(
            "transaction", "select transaction_date from transaction_schema.transactions where user_id = $1 order by 1", user_id
        )
        return [row[0] for row in rows]


@pytest.fixture(scope="module")
async def made_nights(servers: Servers, services: Services, redis: RedisConnections) -> AsyncIterator[Nights]:
    async with AsyncExitStack() as stack:
        fresh = {domain: await stack.enter_async_context(fresh_database(servers)) for domain in DOMAINS}
        names = {domain: each.owner.rpartition("/")[2].partition("?")[0] for domain, each in fresh.items()}
        await upgrade_async({domain: each.owner for domain, each in fresh.items()})
        async with fresh["transaction"].connect("owner") as owner:  # by year, also where there is TimescaleDB
            await owner.execute("select transaction_schema.rebuild_transactions(false)")
        logins = {
            domain: {role: in_database(servers.used.of(domain, role), name) for role in ("app", "system")} for domain, name in names.items()
        }
        now = datetime.now(UTC)
        db = Db(replace(servers.used, domains=logins), redis, now=lambda: now)
        stack.push_async_callback(db.close)
        cipher = UserCipher(db, KeyRing.from_text(generate_key()))
        yield Nights(
            replace(services, db=db, cipher=cipher, clock=FixedClock(now)), {domain: each.superuser for domain, each in fresh.items()}
        )


@pytest.fixture
async def nights(made_nights: Nights) -> Nights:
    """Without a row of anybody's, or a partition of a year that is over."""

    async def empty(domain: str) -> None:
        tables = [table for table in await made_nights.tables(domain) if not table.endswith(STAYS)]
        await made_nights.run(domain, f"truncate {', '.join(tables)}")

    await asyncio.gather(*(empty(domain) for domain in DOMAINS))
    over = "from transaction_schema.list_partitions() where end_day <= current_date - interval '5 years'"
    await made_nights.run("transaction", f"select transaction_schema.drop_empty(name) {over}")
    return made_nights
