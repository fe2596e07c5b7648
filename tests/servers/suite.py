"""What the suite runs on: the embedded Postgres, or what the environment names instead.

    FLORIN_TEST_POSTGRES=FOLDER    the Postgres (15 or later) whose programs are in FOLDER/bin, on data of its own
    FLORIN_TEST_DSN=DSN            a server that runs, as its superuser. For tests only: roles of ours get other passwords there
    FLORIN_TEST_TIMESCALEDB=1      that Postgres is started with TimescaleDB, if it is installed there. A server that runs has it or not
    FLORIN_TEST_SPLIT=1            every domain in a database of its own
    FLORIN_TEST_REDIS=FILE         the redis-server or valkey-server to start, 6.2 or later
    FLORIN_TEST_POOLER=1           processes reach the server through a PgBouncer in transaction mode

They are taken out of the environment here: what tests start must not know of them.
"""

import asyncio
import atexit
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from app import machine, postgres
from app.embedded import Embedded
from app.machine import Account
from db.base import APP_ROLE, DOMAINS, OWNER_ROLE, SYSTEM_ROLE
from db.dsn import driver_dsn
from db.engines import Dsns
from migrations.bootstrap import bootstrap
from migrations.run import upgrade
from tests.servers.pgbouncer import PgBouncer

MakeFolder = Callable[[], Path]
ROLES = {"app": APP_ROLE, "system": SYSTEM_ROLE, "owner": OWNER_ROLE}
#: Each domain's log-ins have pools of their own, in every process.
SPLIT = {"max_connections": "600"}
#: As docs/operating.md says. Every database has workers of its own, and tests make many.
TIMESCALEDB = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    "timescaledb.max_background_workers": "16",
    "max_worker_processes": "32",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the environment asks for. specs: the folder of descriptions that tests/specs.py reads; it is about no server."""

    postgres: str | None
    dsn: str | None
    timescaledb: bool
    split: bool
    pooler: bool
    redis: str | None
    specs: str | None

    @classmethod
    def take(cls) -> "Choice":
        names = ("POSTGRES", "DSN", "TIMESCALEDB", "SPLIT", "POOLER", "REDIS", "SPECS")
        given = {name: os.environ.pop(f"FLORIN_TEST_{name}", "") for name in names}
        unknown = [name for name in os.environ if name.startswith("FLORIN_TEST_")]
        if unknown:
            raise pytest.UsageError(f"no choice of servers: {', '.join(unknown)}")
        if given["POSTGRES"] and given["DSN"]:
            raise pytest.UsageError("FLORIN_TEST_POSTGRES and FLORIN_TEST_DSN are two servers: name one")
        if given["TIMESCALEDB"] == "1" and not given["POSTGRES"]:
            raise pytest.UsageError("FLORIN_TEST_TIMESCALEDB is for the server of FLORIN_TEST_POSTGRES: the embedded one has none")
        timescaledb, split, pooler = (given[name] == "1" for name in ("TIMESCALEDB", "SPLIT", "POOLER"))
        if given["REDIS"]:
            _prefer_redis(given["REDIS"])
        return cls(
            given["POSTGRES"] or None, given["DSN"] or None, timescaledb, split, pooler, given["REDIS"] or None, given["SPECS"] or None
        )

    def variables(self) -> dict[str, str]:
        """What was taken, for a process that takes it in turn."""
        asked = {"POSTGRES": self.postgres, "DSN": self.dsn, "REDIS": self.redis, "SPECS": self.specs}
        asked |= {"TIMESCALEDB": "1" * self.timescaledb, "SPLIT": "1" * self.split, "POOLER": "1" * self.pooler}
        return {f"FLORIN_TEST_{name}": value for name, value in asked.items() if value}

    @property
    def is_embedded(self) -> bool:
        return self.postgres is None and self.dsn is None

    def __str__(self) -> str:
        where = f"the Postgres of {self.postgres}" if self.postgres else "a server that runs" if self.dsn else "the embedded Postgres"
        where += " with TimescaleDB" if self.timescaledb else ""
        where += f", {self.redis}" if self.redis else ""
        return where + (", a database per domain" if self.split else "") + (", behind PgBouncer" if self.pooler else "")


def _prefer_redis(given: str) -> None:
    """The launcher, and every process that tests start, takes the first redis-server on PATH."""
    program = Path(given).resolve()
    if machine.redis_version(program) < machine.OLDEST_REDIS:
        raise pytest.UsageError(f"FLORIN_TEST_REDIS: {program} is no Redis of 6.2 or later")
    folder = Path(tempfile.mkdtemp(prefix="florin-tests-redis-"))
    folder.chmod(0o755)  # the servers of a run as root are another account's
    (folder / "redis-server").symlink_to(program)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


CHOICE = Choice.take()


@dataclass(frozen=True, slots=True)
class Servers:
    """The suite's servers.

    dsns, superuser_dsn: straight to one database that holds every domain, for tests that log in by themselves.
    used:      what the product's processes log in with: through the pooler, to a database per domain, if the suite runs so.
    databases: domain -> the superuser's log-in to the database that `used` leads to. One, or as many as domains.
    """

    dsns: Dsns
    superuser_dsn: str
    redis_dsn: str
    folder: Path
    used: Dsns
    databases: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Started:
    """A server with roles and one database, before tables."""

    dsns: Dsns
    superuser_dsn: str
    redis_dsn: str
    folder: Path


def in_database(dsn: str, name: str) -> str:
    """The same log-in to another database of the server."""
    return make_url(dsn).set(database=name).render_as_string(hide_password=False)


@contextmanager
def open_suite(make_folder: MakeFolder) -> Iterator[Servers]:
    """Started and migrated, as `CHOICE` says."""
    with ExitStack() as stack:
        started = stack.enter_context(_running(CHOICE.dsn, make_folder()) if CHOICE.dsn else launched(CHOICE.postgres, make_folder()))
        migrate(started.dsns)
        used, databases = started.dsns, dict.fromkeys(DOMAINS, started.superuser_dsn)
        if CHOICE.split:
            used, databases = stack.enter_context(_split(started))
            migrate(used)
        if CHOICE.pooler:
            bouncer = stack.enter_context(PgBouncer.started(make_folder(), started.superuser_dsn))
            used = bouncer.lead(used)
        yield Servers(started.dsns, started.superuser_dsn, started.redis_dsn, started.folder, used, databases)


def migrate(dsns: Dsns) -> None:
    """Every domain's history, as the owner, on a loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(upgrade, {domain: dsns.of(domain, "owner") for domain in DOMAINS}).result()


def _apart(work: Coroutine[Any, Any, None]) -> None:
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


# --- the server ---------------------------------------------------------------------------------------------------------------


@contextmanager
def launched(other: str | None, folder: Path) -> Iterator[_Started]:
    """The embedded servers of a folder, with the programs of another Postgres if one is named."""
    with ExitStack() as stack:
        if other is not None:
            for patch in _programs_of(installation(other)):
                stack.enter_context(patch)
        if CHOICE.timescaledb:
            stack.enter_context(mock.patch.dict(postgres.SETTINGS, TIMESCALEDB))
        if CHOICE.split:
            stack.enter_context(mock.patch.dict(postgres.SETTINGS, SPLIT))
        embedded = Embedded.start(folder)
    try:
        yield _Started(embedded.dsns, embedded.superuser_dsn, embedded.redis_dsn, embedded.folder)
    finally:
        embedded.stop()


def installation(given: str) -> Path:
    folder = Path(given).resolve()
    folder = folder.parent if folder.name == "bin" else folder
    if not (folder / "bin" / "postgres").exists():
        raise pytest.UsageError(f"FLORIN_TEST_POSTGRES: there is no {folder}/bin/postgres")
    return folder


def _programs_of(installation: Path) -> list[Any]:
    """The launcher is for one Postgres, but its keeper, locks and sockets do for another: only the programs are told apart."""
    return [
        mock.patch.object(machine, "postgres_folder", return_value=installation),
        mock.patch.object(postgres, "_run", _without_news(installation, postgres._run)),
        mock.patch.object(postgres, "check_version"),
    ]


def _without_news(installation: Path, run: Callable[..., None]) -> Callable[..., None]:
    """initdb before 17 has no provider of its own for UTF-8: it sorts and folds as the C library's C.UTF-8 does."""
    said = subprocess.run([installation / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    is_old = int(said.split()[2].partition(".")[0]) < 17

    def run_program(command: list[str], account: Account | None) -> None:
        news = ("--locale-provider", "--builtin-locale") if is_old else ()
        run([part for part in command if not part.startswith(news)] if news else command, account)

    return run_program


@contextmanager
def _running(superuser_dsn: str, folder: Path) -> Iterator[_Started]:
    """A database of the suite's own on somebody's server, gone at the end (the roles stay), and a Redis."""
    from tests.workers.conftest import OwnRedis

    admin = make_url(superuser_dsn).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
    name = f"florin_tests_{uuid4().hex}"
    superuser, passwords = in_database(admin, name), {role: secrets.token_urlsafe(24) for role in ROLES.values()}
    redis = OwnRedis(folder)
    with _database(admin, name):
        _apart(bootstrap(superuser, passwords))
        logins = {kind: _as(superuser, role, passwords[role]) for kind, role in ROLES.items()}
        redis.start()
        try:
            yield _Started(Dsns(**logins), superuser, redis.dsn, folder)
        finally:
            redis.stop()


def _as(dsn: str, role: str, password: str) -> str:
    return make_url(dsn).set(username=role, password=password).render_as_string(hide_password=False)


# --- a database per domain ------------------------------------------------------------------------------------------------------


@contextmanager
def _split(started: _Started) -> Iterator[tuple[Dsns, dict[str, str]]]:
    """A database per domain, without tables yet. Whatever forgets to say for which domain it asks finds a database with nothing."""
    with ExitStack() as stack:
        names = {domain: f"florin_{domain}_{uuid4().hex[:8]}" for domain in (*DOMAINS, "nothing")}
        for name in names.values():
            stack.enter_context(_database(started.superuser_dsn, name))
            _apart(bootstrap(in_database(started.superuser_dsn, name), {}))
        domains = {domain: {role: in_database(getattr(started.dsns, role), names[domain]) for role in ROLES} for domain in DOMAINS}
        nothing = {role: in_database(getattr(started.dsns, role), names["nothing"]) for role in ROLES}
        yield Dsns(**nothing, domains=domains), {domain: in_database(started.superuser_dsn, names[domain]) for domain in DOMAINS}


@contextmanager
def _database(superuser_dsn: str, name: str) -> Iterator[None]:
    async def run(statement: str) -> None:
        connection = await asyncpg.connect(driver_dsn(superuser_dsn))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    _apart(run(f"create database {name}"))
    try:
        yield
    finally:
        _apart(run(f"drop database if exists {name} with (force)"))
