"""What the tables themselves see to: tokens end with their connection, credentials with their account."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.db.samples import insert, login, sample_rows
from tests.servers.suite import Servers

CONNECTIONS, USERS = "bank_schema.bank_connections", "user_schema.users"


@pytest.fixture
async def connection(servers: Servers) -> AsyncIterator[Any]:
    """In a transaction that is rolled back."""
    async with login(servers.superuser_dsn) as opened:
        yield opened


@pytest.mark.parametrize("column", ["access_token_encrypted", "refresh_token_encrypted"])
async def test_a_connection_that_ended_has_no_token(connection: Any, column: str) -> None:
    row = sample_rows(uuid4())[CONNECTIONS]
    await insert(connection, CONNECTIONS, row | {column: b"sealed"})

    with pytest.raises(asyncpg.CheckViolationError, match="disconnected_has_no_token"):
        await connection.execute(f"update {CONNECTIONS} set status = 'disconnected' where id = $1", row["id"])


async def test_a_connection_ends_with_its_tokens(connection: Any) -> None:
    row = sample_rows(uuid4())[CONNECTIONS]
    await insert(connection, CONNECTIONS, row | {"access_token_encrypted": b"sealed"})

    ended = f"update {CONNECTIONS} set status = 'disconnected', access_token_encrypted = null where id = $1"

    assert await connection.execute(ended, row["id"]) == "UPDATE 1"


async def test_credentials_end_with_the_account_and_not_before(connection: Any) -> None:
    row = sample_rows(uuid4())[USERS] | {"password_hash": "hash", "two_factor_secret": b"sealed", "two_factor_enabled": True}
    await insert(connection, USERS, row)
    find = f"select password_hash, two_factor_secret, two_factor_enabled from {USERS} where id = $1"

    await connection.execute(f"update {USERS} set full_name = 'Robin' where id = $1", row["id"])
    before = await connection.fetchrow(find, row["id"])
    await connection.execute(f"update {USERS} set status = 'deleted', deleted_at = now() where id = $1", row["id"])
    after = await connection.fetchrow(find, row["id"])

    assert tuple(before) == ("hash", b"sealed", True)
    assert tuple(after) == (None, None, False)
