"""Databases of their own, beside the suite's, on the suite's server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg

from migrations.bootstrap import bootstrap
from tests.servers.suite import Servers, in_database


@dataclass(frozen=True, slots=True)
class Fresh:
    """Log-ins to one database, as SQLAlchemy spells them."""

    superuser: str
    owner: str
    app: str
    system: str

    @asynccontextmanager
    async def connect(self, role: str) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(plain(getattr(self, role)))
        try:
            yield connection
        finally:
            await connection.close()


def plain(dsn: str) -> str:
    return dsn.replace("+asyncpg", "", 1)


@asynccontextmanager
async def fresh_database(servers: Servers, *, bootstrapped: bool = True) -> AsyncIterator[Fresh]:
    """An empty database with roles and extensions; gone afterwards."""
    name = f"fresh_{uuid4().hex}"
    admin = await asyncpg.connect(plain(servers.superuser_dsn))
    try:
        await admin.execute(f"create database {name}")
        logins = (servers.superuser_dsn, servers.dsns.owner or "", servers.dsns.app, servers.dsns.system)
        fresh = Fresh(*(in_database(dsn, name) for dsn in logins))
        if bootstrapped:
            await bootstrap(fresh.superuser, {})
        yield fresh
    finally:
        await admin.execute(f"drop database if exists {name} with (force)")
        await admin.close()
