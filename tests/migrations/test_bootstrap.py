"""Roles, limits, extensions."""

import asyncio
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest

from migrations.bootstrap import ROLES, ROLES_SQL, _set_password, bootstrap, verifier, verifies
from tests.migrations.fresh import Fresh, fresh_database, plain
from tests.servers.suite import Servers

#: Which of what we use this server has. Only vector is on every one; TimescaleDB counts where the server was started with it.
TO_BE_HAD = """
    select name from pg_available_extensions where name in ('btree_gin', 'pg_trgm', 'vector')
      or name = 'timescaledb' and exists (select from pg_settings where pg_settings.name = 'timescaledb.disable_load')
    order by 1
"""


async def test_no_role_of_ours_may_bypass_row_security(fresh: Fresh) -> None:
    async with fresh.connect("superuser") as connection:
        rows = await connection.fetch(
            "select rolname, rolcanlogin, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication as mighty"
            " from pg_roles where rolname like 'florin%' order by 1"
        )

    assert [tuple(row) for row in rows] == [("florin_app", True, False), ("florin_owner", True, False), ("florin_system", True, False)]


async def test_the_limits_hold_for_whoever_logs_in(fresh: Fresh) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "client_connection_check_interval", "search_path")

    async with fresh.connect("app") as app, fresh.connect("system") as system, fresh.connect("owner") as owner:
        of_app = [await app.fetchval(f"show {name}") for name in names]
        of_system = [await system.fetchval(f"show {name}") for name in names]
        of_owner = await owner.fetchval("show search_path")

    assert of_app == ["30s", "5s", "1min", "1s", "pg_catalog"]
    assert of_system == ["2min", "5s", "1min", "1s", "pg_catalog"]
    assert of_owner == "pg_catalog"


async def test_extensions_are_in_their_schema_and_usable_by_the_application(fresh: Fresh) -> None:
    async with fresh.connect("app") as app:
        where = await app.fetch("select extname, extnamespace::regnamespace::text from pg_extension where extname <> 'plpgsql' order by 1")
        distance = await app.fetchval("select '[1,0]'::extensions.vector operator(extensions.<=>) '[0,1]'::extensions.vector")
        to_be_had = await app.fetch(TO_BE_HAD)

    assert [tuple(row) for row in where] == [(row["name"], "extensions") for row in to_be_had]
    assert distance == 1.0


async def test_an_extension_that_lives_elsewhere_is_named_with_its_remedy(servers: Servers) -> None:
    async with fresh_database(servers, bootstrapped=False) as fresh, fresh.connect("superuser") as connection:
        await connection.execute("create extension vector schema public")

        with pytest.raises(asyncpg.RaiseError, match="vector is in another schema") as refused:
            await bootstrap(fresh.superuser, {})

    assert refused.value.hint == "alter extension vector set schema extensions"


async def test_what_the_server_does_not_have_is_said_and_vector_is_insisted_on(servers: Servers) -> None:
    without = ROLES_SQL.replace("'btree_gin', 'pg_trgm'", "'florin_no_such', 'pg_trgm'")
    without_vector = ROLES_SQL.replace("extension = 'vector'", "extension = 'florin_no_such'").replace(
        "'vector', 'btree", "'florin_no_such', 'btree"
    )
    said: list[str] = []

    async with fresh_database(servers, bootstrapped=False) as fresh, fresh.connect("superuser") as connection:
        connection.add_log_listener(lambda _connection, message: said.append(message.message))
        await connection.execute(without)
        with pytest.raises(asyncpg.RaiseError, match="extension vector is not to be had") as refused:
            await connection.execute(without_vector)

    assert any(message.startswith("extension florin_no_such is not to be had here") for message in said)
    assert refused.value.hint == "install pgvector, or have it made for you: create extension vector with schema extensions"


async def test_many_at_once_in_two_databases_all_succeed(servers: Servers) -> None:
    passwords = {role: unquote(urlsplit(plain(dsn)).password or "") for role, dsn in zip(ROLES, _logins(servers), strict=True)}

    async with fresh_database(servers, bootstrapped=False) as one, fresh_database(servers, bootstrapped=False) as other:
        await asyncio.gather(*(bootstrap(database.superuser, passwords) for database in (one, other) * 3))

        for database in (one, other):
            async with database.connect("owner") as owner:
                made = [
                    row["extname"] for row in await owner.fetch("select extname from pg_extension where extname <> 'plpgsql' order by 1")
                ]
                assert made == [row["name"] for row in await owner.fetch(TO_BE_HAD)]


async def test_doing_it_again_writes_nothing(servers: Servers, fresh: Fresh) -> None:
    passwords = {role: unquote(urlsplit(plain(dsn)).password or "") for role, dsn in zip(ROLES, _logins(servers), strict=True)}
    tuples = "select xmin::text, ctid::text from pg_authid where rolname like 'florin%' union all select xmin::text, ctid::text from {}"
    written = tuples.format("pg_db_role_setting") + " order by 1, 2"

    async with fresh.connect("superuser") as connection:
        before = await connection.fetch(written)
        await bootstrap(fresh.superuser, passwords)
        after = await connection.fetch(written)

    assert before == after


async def test_a_password_is_set_by_its_verifier_and_only_when_it_differs(fresh: Fresh) -> None:
    async with fresh.connect("superuser") as connection:
        await connection.execute("create role florin_probe login")
        try:
            stored = []
            for password in ("first one", "first one", "second"):
                await _set_password(connection, "florin_probe", password)
                stored.append(await connection.fetchval("select rolpassword from pg_authid where rolname = 'florin_probe'"))
            probe = await asyncpg.connect(plain(fresh.superuser), user="florin_probe", password="second")
            await probe.close()
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(plain(fresh.superuser), user="florin_probe", password="first one")
        finally:
            await connection.execute("drop role florin_probe")

    assert stored[0] == stored[1]
    assert stored[1] != stored[2]


def test_a_verifier_tells_its_password_from_others() -> None:
    stored = verifier("pencil", b"0123456789abcdef")

    assert verifies(stored, "pencil")
    assert not verifies(stored, "pencils")
    assert not verifies("md5d41d8cd98f00b204e9800998ecf8427e", "pencil")


@pytest.mark.parametrize(
    ("passwords", "what"), [({"postgres": "x"}, "no roles of Florin"), ({"florin_app": "pässword"}, "printable ASCII")]
)
async def test_what_cannot_be_set_is_refused(fresh: Fresh, passwords: dict[str, str], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        await bootstrap(fresh.superuser, passwords)


async def test_a_role_that_bypasses_row_security_is_refused(fresh: Fresh) -> None:
    async with fresh.connect("superuser") as connection:
        await connection.execute("alter role florin_system bypassrls")
        try:
            with pytest.raises(asyncpg.RaiseError, match="florin_system is superuser or has BYPASSRLS"):
                await bootstrap(fresh.superuser, {})
        finally:
            await connection.execute("alter role florin_system nobypassrls")


async def test_a_role_that_may_become_another_is_refused(fresh: Fresh) -> None:
    async with fresh.connect("superuser") as connection:
        await connection.execute("grant florin_owner to florin_app")
        try:
            with pytest.raises(asyncpg.RaiseError, match="florin_app is a member of florin_owner"):
                await bootstrap(fresh.superuser, {})
        finally:
            await connection.execute("revoke florin_owner from florin_app")


def test_the_operators_script_is_the_one_that_runs() -> None:
    script = Path(__file__).parents[2] / "deploy" / "roles.sql"

    assert script.read_text() == ROLES_SQL, "run: python -m migrations.bootstrap > deploy/roles.sql"


def _logins(servers: Servers) -> tuple[str, str, str]:
    return (servers.dsns.owner or "", servers.dsns.app, servers.dsns.system)
