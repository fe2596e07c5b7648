"""One superuser for all databases of a suite: a statement goes to where the schema that it names lives."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import asyncpg

from db.base import DOMAINS, schema_of
from db.dsn import driver_dsn

_SCHEMA = re.compile(rf"\b({'|'.join(schema_of(domain) for domain in DOMAINS)})\.")


class Everywhere:
    """Reads and writes past every policy. Made by `open`, ended by `close`.

    A statement that names no schema is put to every database, and its rows are put together. One that names schemas of two databases
    cannot be: AssertionError.
    """

    def __init__(self, connections: Mapping[str, Any]) -> None:
        self._of_schema = connections

    @classmethod
    async def open(cls, databases: Mapping[str, str]) -> "Everywhere":
        """`databases`: domain -> DSN."""
        opened = {dsn: await asyncpg.connect(driver_dsn(dsn)) for dsn in set(databases.values())}
        return cls({schema_of(domain): opened[dsn] for domain, dsn in databases.items()})

    async def close(self) -> None:
        for connection in set(self._of_schema.values()):
            await connection.close()

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        return [row for connection in self._asked(query) for row in await connection.fetch(query, *values)]

    async def fetchval(self, query: str, *values: Any) -> Any:
        [connection] = self._asked(query)
        return await connection.fetchval(query, *values)

    async def execute(self, query: str, *values: Any) -> None:
        for connection in self._asked(query):
            await connection.execute(query, *values)

    def _asked(self, query: str) -> Iterable[Any]:
        named = set(_SCHEMA.findall(query))
        asked = {self._of_schema[schema] for schema in named or self._of_schema}
        assert not named or len(asked) == 1, f"no database has all of {sorted(named)}"
        return asked
