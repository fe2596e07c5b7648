"""A managed server: nobody is superuser or has BYPASSRLS. Who has CREATEROLE makes the roles, and `florin_owner` migrates."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from db.base import DOMAINS
from db.engines import Db, Dsns, Viewer
from db.user import queries as users
from db.user.models import users as users_table
from migrations.bootstrap import ROLES, ROLES_SQL, bootstrap
from migrations.run import check_async, current_revisions, revisions, upgrade_async
from tests.migrations.fresh import plain
from tests.servers.suite import CHOICE, in_database, launched

pytestmark = pytest.mark.skipif(CHOICE.dsn is not None, reason="the roles of a server that runs are not these tests' to drop")

ADMIN = "provider_admin"
PASSWORDS = {role: secrets.token_urlsafe(12) for role in (ADMIN, *ROLES)}


@pytest.fixture(scope="module")
def provider(make_folder: Callable[[], Path]) -> Iterator[str]:
    """The superuser's DSN, which the provider keeps, of a server of this module's own."""
    with launched(CHOICE.postgres, make_folder()) as started:
        yield in_database(started.superuser_dsn, "postgres")


def as_role(dsn: str, role: str, database: str = "florin") -> str:
    return make_url(dsn).set(username=role, password=PASSWORDS[role], database=database).render_as_string(hide_password=False)


async def run(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(plain(dsn))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def admin(provider: str) -> str:
    """The log-in that the provider hands out, to an empty database that it owns; nothing of ours is on the server."""
    roles = "nosuperuser noreplication nobypassrls createrole createdb"
    await run(provider, "drop database if exists florin with (force)", *(f"drop role if exists {role}" for role in (*ROLES, ADMIN)))
    await run(provider, f"create role {ADMIN} login {roles} password '{PASSWORDS[ADMIN]}'")
    await run(as_role(provider, ADMIN, "postgres"), "create database florin")
    return as_role(provider, ADMIN)


@pytest.fixture
async def allowed(provider: str, admin: str) -> str:
    """The same, where the provider has made vector, the one extension that Postgres lets superusers only create."""
    await run(
        in_database(provider, "florin"), f"create schema extensions authorization {ADMIN}", "create extension vector schema extensions"
    )
    return admin


async def test_who_may_make_roles_and_owns_the_database_makes_all_that_is_needed(allowed: str) -> None:
    for _ in range(2):
        await bootstrap(allowed, {role: PASSWORDS[role] for role in ROLES})
    owner = as_role(allowed, "florin_owner")
    moved = await upgrade_async(owner)
    await check_async(owner)

    assert sorted(moved) == sorted(DOMAINS)
    assert await current_revisions(as_role(allowed, "florin_system")) == {domain: revisions(domain)[-1] for domain in DOMAINS}


async def test_row_security_holds_where_no_role_may_pass_it(allowed: str) -> None:
    await bootstrap(allowed, {role: PASSWORDS[role] for role in ROLES})
    await upgrade_async(as_role(allowed, "florin_owner"))
    db = Db(Dsns(app=as_role(allowed, "florin_app"), system=as_role(allowed, "florin_system")), None)
    anna, ben = Viewer(uuid4()), Viewer(uuid4())

    async with db.system("user") as session:
        for viewer in (anna, ben):
            email = f"{viewer.user_id}@example.com"
            await users.add_user(session, {"id": viewer.user_id, "email": email, "email_normalized": email})
        of_system = set((await session.execute(select(users_table.c.id))).scalars())
    async with db.write("user", anna) as session:
        of_anna = (await session.execute(select(users_table.c.id))).scalars().all()
    await db.close()

    assert of_system == {anna.user_id, ben.user_id}
    assert of_anna == [anna.user_id]
    for login in (allowed, as_role(allowed, "florin_owner")):
        connection = await asyncpg.connect(plain(login))
        assert await connection.fetchval("select rolsuper or rolbypassrls from pg_roles where rolname = current_user") is False
        await connection.close()


async def test_the_limits_hold_here_too(allowed: str) -> None:
    await bootstrap(allowed, {role: PASSWORDS[role] for role in ROLES})
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "client_connection_check_interval", "search_path")

    app = await asyncpg.connect(plain(as_role(allowed, "florin_app")))
    shown = [await app.fetchval(f"show {name}") for name in names]
    await app.close()

    assert shown == ["30s", "5s", "1min", "1s", "pg_catalog"]


async def test_a_server_that_keeps_vector_to_itself_says_what_to_ask_for(admin: str) -> None:
    with pytest.raises(asyncpg.RaiseError, match="extension vector is not to be had: permission denied") as refused:
        await bootstrap(admin, {})

    assert refused.value.hint == "install pgvector, or have it made for you: create extension vector with schema extensions"


async def test_whoever_does_not_own_the_database_is_told(provider: str, allowed: str) -> None:
    await run(provider, "alter database florin owner to postgres")

    with pytest.raises((asyncpg.RaiseError, asyncpg.InsufficientPrivilegeError)) as refused:
        await bootstrap(allowed, {})

    assert "database florin" in str(refused.value)


async def test_limits_of_roles_that_somebody_else_made_are_asked_of_them(provider: str, allowed: str) -> None:
    """Since Postgres 16, who has CREATEROLE changes only the roles that they made."""
    version = await _version(provider)
    await run(provider, *(f"create role {role} login password '{PASSWORDS[role]}'" for role in ROLES))
    said: list[str] = []
    connection = await asyncpg.connect(plain(allowed))
    connection.add_log_listener(lambda _connection, message: said.append(message.message))

    await connection.execute(ROLES_SQL)
    await connection.close()

    asked = [message for message in said if message.startswith("not yours to set: ")]
    assert len(asked) == (11 if version >= 16 else 0)


async def _version(dsn: str) -> int:
    connection = await asyncpg.connect(plain(dsn))
    try:
        return int(connection.get_server_version().major)
    finally:
        await connection.close()
