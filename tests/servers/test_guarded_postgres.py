"""Postgres over TLS, as a process of ours meets it: log-ins of every role, what is verified, and what is never said."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.doctor import Level, examine
from app.settings import Settings
from db.base import APP_ROLE, DOMAINS, OWNER_ROLE, SYSTEM_ROLE
from db.dsn import postgres_dsn
from db.engines import Db, Dsns, Viewer
from db.errors import DatabaseUnavailable
from db.inspection import describe, looking
from migrations.run import check_async, current_revisions, revisions, upgrade_async
from tests.servers.guarded import CANARY, GuardedPostgres, free_port, guarded_postgres, needs_tls_postgres

pytestmark = needs_tls_postgres

ENCRYPTED = text("select current_user::text, ssl from pg_catalog.pg_stat_ssl where pid = pg_catalog.pg_backend_pid()")


@pytest.fixture(scope="module")
def server(make_folder: Callable[[], Path]) -> Iterator[GuardedPostgres]:
    with guarded_postgres(make_folder()) as guarded:
        yield guarded


@pytest.fixture(scope="module")
async def migrated(server: GuardedPostgres) -> GuardedPostgres:
    """As the owner, who shows a certificate."""
    await upgrade_async(postgres_dsn(server.checked(OWNER_ROLE)))
    return server


@pytest.fixture
def guarded_settings(migrated: GuardedPostgres, settings_of_one: Settings) -> Settings:
    logins = {"database_dsn": APP_ROLE, "database_system_dsn": SYSTEM_ROLE, "database_owner_dsn": OWNER_ROLE}
    dsns = {name: SecretStr(postgres_dsn(migrated.checked(role))) for name, role in logins.items()}
    return settings_of_one.model_copy(update=dsns)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sslmode": "require"},
        {"sslmode": "require", "sslrootcert": "ours"},
        {"sslmode": "verify-ca", "sslrootcert": "ours"},
        {"sslmode": "verify-ca", "sslrootcert": "ours", "host": "127.0.0.1"},
        {"sslmode": "verify-full", "sslrootcert": "ours"},
        {"ssl": "verify-full", "sslrootcert": "ours"},
        {"sslmode": "verify-full", "sslrootcert": "ours", "channel_binding": "prefer"},
        {"sslmode": "verify-full", "sslrootcert": "ours", "ssl_min_protocol_version": "TLSv1.3"},
        {"sslmode": "verify-full", "sslrootcert": "ours", "application_name": "florin & co"},
    ],
)
async def test_every_way_of_asking_for_tls_gets_it(server: GuardedPostgres, options: dict[str, str]) -> None:
    given = {name: str(server.ca) if value == "ours" else value for name, value in options.items()}

    async with looking(postgres_dsn(server.dsn(SYSTEM_ROLE, **given))) as look:
        facts = await look.server()

    assert (facts.role, facts.is_encrypted) == (SYSTEM_ROLE, True)


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"sslmode": "verify-full", "sslrootcert": "ours", "host": "127.0.0.1"}, "SSLCertVerificationError"),
        ({"sslmode": "verify-full", "sslrootcert": "stranger"}, "SSLCertVerificationError"),
        ({"sslmode": "verify-ca", "sslrootcert": "stranger"}, "SSLCertVerificationError"),
        ({"sslmode": "require", "sslrootcert": "stranger"}, "SSLCertVerificationError"),
        ({"sslmode": "disable"}, "InvalidAuthorizationSpecificationError (28000)"),
        ({"sslmode": "require", "password": CANARY}, "InvalidPasswordError (28P01)"),
    ],
)
async def test_what_is_not_as_asked_for_is_refused_and_named(
    server: GuardedPostgres, settings_of_one: Settings, options: dict[str, str], seen: str
) -> None:
    files = {"ours": str(server.ca), "stranger": str(server.stranger)}
    given = {name: files.get(value, value) for name, value in options.items()}
    dsn = SecretStr(postgres_dsn(server.dsn(APP_ROLE, **given)))

    findings = await examine(settings_of_one.model_copy(update={"database_dsn": dsn}))

    (finding,) = [finding for finding in findings if finding.subject == describe(dsn.get_secret_value())]
    assert (finding.level, finding.seen) == (Level.FAILED, f"cannot be examined: {seen}")
    assert CANARY not in repr(findings)


async def test_the_owner_is_asked_for_a_certificate(server: GuardedPostgres) -> None:
    without = postgres_dsn(server.dsn(OWNER_ROLE, sslmode="require", sslcert="", sslkey=""))

    with pytest.raises(Exception, match="certificate") as refusal:
        await current_revisions(without)

    assert getattr(refusal.value, "sqlstate", None) == "28000"
    assert CANARY not in repr(refusal.value)


async def test_the_owner_migrates_and_everybody_else_works_over_tls(migrated: GuardedPostgres) -> None:
    owner, app, system = (postgres_dsn(migrated.checked(role)) for role in (OWNER_ROLE, APP_ROLE, SYSTEM_ROLE))
    dead = free_port()
    read = postgres_dsn(migrated.checked(APP_ROLE).replace("@localhost:", f"@localhost:{dead},localhost:"))
    db = Db(Dsns(app, system, owner, domains={"budget": {"read": read}}), None)
    viewer = Viewer(uuid4())

    try:
        async with db.system("user") as session:
            assert (await session.execute(ENCRYPTED)).one() == (SYSTEM_ROLE, True)
        async with db.write("user", viewer) as session:
            assert (await session.execute(ENCRYPTED)).one() == (APP_ROLE, True)
        async with db.read("budget", viewer) as look:
            assert look is not None
    finally:
        await db.close()

    assert await current_revisions(owner) == {domain: revisions(domain)[-1] for domain in DOMAINS}
    await check_async(owner, ["budget"])


async def test_where_nobody_answers_for_the_certificate_the_database_is_away(migrated: GuardedPostgres) -> None:
    strange = postgres_dsn(migrated.dsn(APP_ROLE, sslmode="verify-full", sslrootcert=str(migrated.stranger)))
    db = Db(Dsns(strange, strange), None)

    with pytest.raises(DatabaseUnavailable) as refusal:
        async with db.read("user", Viewer(uuid4())):
            pytest.fail("a session began")

    assert str(refusal.value) == "SSLCertVerificationError"
    await db.close()


async def test_doctor_finds_an_installation_over_tls_in_order(guarded_settings: Settings) -> None:
    findings = await examine(guarded_settings)

    assert [finding for finding in findings if finding.level is Level.FAILED] == []
    assert CANARY not in repr(findings)


@pytest.mark.parametrize("command", [["doctor", "--json"], ["migrate"]])
def test_commands_work_with_hard_passwords_and_never_say_them(
    migrated: GuardedPostgres, environment: dict[str, str], command: list[str]
) -> None:
    logins = {"DATABASE_DSN": APP_ROLE, "DATABASE_SYSTEM_DSN": SYSTEM_ROLE, "DATABASE_OWNER_DSN": OWNER_ROLE}
    of_one = {name: value for name, value in environment.items() if not name.endswith("_DSN") or name == "FLORIN_REDIS_DSN"}
    dsns = {f"FLORIN_{name}": migrated.checked(role) for name, role in logins.items()}

    done = _florin(command, of_one | dsns | {"FLORIN_POOLER": "none", "FLORIN_LOG_LEVEL": "debug"})

    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr
    if command == ["migrate"]:
        assert done.stdout == "nothing to migrate\n"
    else:
        assert {json.loads(line)["level"] for line in done.stdout.splitlines()} <= {"ok", "warning"}


@pytest.mark.parametrize("command", [["doctor"], ["migrate"], ["serve", "--port", "0"]])
@pytest.mark.parametrize("wrong", ["password", "authority"])
def test_a_command_that_fails_never_says_a_password(
    migrated: GuardedPostgres, environment: dict[str, str], command: list[str], wrong: str
) -> None:
    options = {"sslmode": "verify-full", "sslrootcert": str(migrated.ca if wrong == "password" else migrated.stranger)}
    password = {"password": f"{CANARY}-wrong"} if wrong == "password" else {}
    logins = {"DATABASE_DSN": APP_ROLE, "DATABASE_SYSTEM_DSN": SYSTEM_ROLE, "DATABASE_OWNER_DSN": OWNER_ROLE}
    of_one = {name: value for name, value in environment.items() if not name.endswith("_DSN") or name == "FLORIN_REDIS_DSN"}
    dsns = {f"FLORIN_{name}": migrated.dsn(role, **options, **password) for name, role in logins.items()}

    done = _florin(command, of_one | dsns | {"FLORIN_POOLER": "none", "FLORIN_LOG_LEVEL": "debug"})

    assert done.returncode != 0
    assert done.stdout + done.stderr != ""
    assert CANARY not in done.stdout + done.stderr


def _florin(command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    started = [sys.executable, "-m", "app.cli", *command]
    return subprocess.run(started, capture_output=True, text=True, env=kept | environment, timeout=60, check=False)
