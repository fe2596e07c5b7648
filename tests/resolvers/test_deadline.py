"""An operation that takes too long is answered with a typed error, and what it asked of Postgres ends with it."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.embedded import Embedded
from db.read import Read
from resolvers.execution.operation import Gateway
from tests.resolvers.api import codes, gid
from tests.resolvers.conftest import MakeClient

MARK = "deadline of a test"


PLANNED = "{ me { accounts { id } } }"
BY_GRAPHQL_CORE = f'{{ node(id: "{gid("Budget", UUID(int=1))}") {{ id }} }}'


@pytest.mark.parametrize("query", [PLANNED, BY_GRAPHQL_CORE])
async def test_past_the_deadline_the_statement_ends_on_the_server_and_the_error_says_try_again(
    api: Gateway, make_client: MakeClient, servers: Embedded, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    client = await make_client()
    hurried = client.but(gateway=Gateway(api.schema, deadline_s=0.3))

    async def slow(read: Read, *_: Any, **__: Any) -> None:
        await read._connection.execute(f"select pg_sleep(60) /* {MARK} */")

    monkeypatch.setattr(Read, "rows", slow)
    answer = await hurried.ask(query)

    assert (answer["data"], codes(answer)) == (None, ["TIMED_OUT"])
    assert answer["errors"][0]["extensions"]["retryable"] is True
    assert answer["extensions"]["cost"]["requested"] >= 1
    await _nothing_runs(servers)
    monkeypatch.undo()
    assert codes(await client.ask(PLANNED)) == []


async def _nothing_runs(servers: Embedded) -> None:
    """Within five seconds no server process runs a statement of ours or stands in its transaction."""
    connection = await asyncpg.connect(servers.superuser_dsn.replace("+asyncpg", ""))
    running = f"select count(*) from pg_stat_activity where query like '%{MARK}%' and query not like '%pg_stat%' and state <> 'idle'"
    try:
        async with asyncio.timeout(5):
            while await connection.fetchval(running):
                await asyncio.sleep(0.02)
    finally:
        await connection.close()
