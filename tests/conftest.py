"""Real servers for the whole suite: a Postgres and a Redis of its own, started and migrated once. Which: tests/servers/suite.py.

Nothing is cleared between tests: each makes its own users (`make_user`), and nobody sees another user's rows.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from app.settings import OVERRIDES, Settings
from db.engines import Db, Dsns, Viewer
from db.redis import RedisConnections
from db.user import queries as users
from domains.user.keys import generate_key
from domains.user.passwords import Passwords
from tests.servers.suite import CHOICE, Servers, open_suite

if TYPE_CHECKING:
    from domains.flows.services import Services

#: argon2 at its cheapest: what is tested is never how slow it is.
QUICK_PASSWORDS = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


#: About the launcher of the embedded Postgres 18: on another server they would try the same thing again.
OF_THE_LAUNCHER = ("tests/app/test_embedded.py", "tests/app/test_run.py", "tests/app/test_operator.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHOICE.is_embedded:
        return
    skipped = pytest.mark.skip(reason="about the launcher of the embedded Postgres, not about this server")
    for item in items:
        if item.nodeid.partition("::")[0] in OF_THE_LAUNCHER:
            item.add_marker(skipped)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: the processes of a run; 0 is this one. Each has servers of its own; on a server that runs, both would give the roles
    there other passwords."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 if processors >= 2 and CHOICE.dsn is None else 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """The processes of a run ask the environment for their choice of servers, which this one has taken out."""
    os.environ.update(CHOICE.variables())


def pytest_report_header() -> str:
    return f"servers: {CHOICE}"


class MakeUser(Protocol):
    async def __call__(
        self,
        *,
        email: str | None = None,
        password: str | None = None,
        timezone: str = "UTC",
        currency: str = "USD",
        locale: str = "en-US",
    ) -> Viewer: ...


@pytest.fixture(scope="session")
def make_folder() -> Iterator[Callable[[], Path]]:
    """Folders for servers' data, gone after the suite.

    Not pytest's own: each session closes those to all accounts but ours, and as root the servers of another session run as another.
    """
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="florin-tests-")))
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def servers(make_folder: Callable[[], Path]) -> Iterator[Servers]:
    """The suite's servers: in a folder of their own, beside any `florin run`. Migrated."""
    with open_suite(make_folder) as opened:
        yield opened


@pytest.fixture(scope="session")
def dsns(servers: Servers) -> Dsns:
    """What a process of this suite logs in with."""
    return servers.used


@pytest.fixture(scope="session")
def settings(servers: Servers) -> Iterator[Settings]:
    """What a process of this suite would read from its environment, where domains' own log-ins are for as long."""
    apart = pytest.MonkeyPatch()
    for name, dsn in domain_variables(servers.used).items():
        apart.setenv(name, dsn)
    yield Settings(
        database_dsn=SecretStr(servers.used.app),
        database_system_dsn=SecretStr(servers.used.system),
        database_owner_dsn=SecretStr(servers.used.owner or ""),
        pooler=servers.used.pooler,
        redis_dsn=SecretStr(servers.redis_dsn),
        keyring=SecretStr(generate_key()),
        secret=SecretStr("the suite's own, of at least 32 characters"),
        data=servers.folder,
    )
    apart.undo()


@pytest.fixture(scope="session")
def environment(settings: Settings, dsns: Dsns) -> dict[str, str]:
    """The same as variables, for processes that tests start."""
    values = {
        name: getattr(settings, name)
        for name in ("database_dsn", "database_system_dsn", "database_owner_dsn", "redis_dsn", "keyring", "secret")
    }
    named = {f"FLORIN_{name.upper()}": value.get_secret_value() for name, value in values.items()}
    return named | {"FLORIN_POOLER": settings.pooler} | domain_variables(dsns)


def domain_variables(dsns: Dsns) -> dict[str, str]:
    """FLORIN_<DOMAIN>_..., of the domains that have log-ins of their own."""
    endings = {role: ending for ending, role in OVERRIDES.items()}
    return {f"FLORIN_{domain.upper()}_{endings[role]}": dsn for domain, logins in dsns.domains.items() for role, dsn in logins.items()}


@pytest.fixture
def no_database_apart(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that name other servers: the domains' own log-ins, which would win over theirs, are not in the environment."""
    for name in [name for name in os.environ if name.startswith("FLORIN_") and name.endswith("_DSN")]:
        monkeypatch.delenv(name)


@pytest.fixture
def settings_of_one(settings: Settings, servers: Servers, no_database_apart: None) -> Settings:
    """Of one database, and straight to it, however the suite runs: for tests that put another in its place."""
    logins = {"database_dsn": servers.dsns.app, "database_system_dsn": servers.dsns.system, "database_owner_dsn": servers.dsns.owner or ""}
    return settings.model_copy(update={name: SecretStr(dsn) for name, dsn in logins.items()} | {"pooler": "none"})


@pytest.fixture(scope="session")
async def redis(servers: Servers) -> AsyncIterator[RedisConnections]:
    connections = RedisConnections(servers.redis_dsn)
    yield connections
    await connections.close()


@pytest.fixture(scope="session")
async def db(dsns: Dsns, redis: RedisConnections) -> AsyncIterator[Db]:
    database = Db(dsns, redis)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def services(settings: Settings) -> AsyncIterator["Services"]:
    """What every use case is handed, on the suite's servers."""
    from app.wiring import open_services

    async with open_services(settings, passwords=QUICK_PASSWORDS) as opened:
        yield opened


@pytest.fixture(scope="session")
def make_user(db: Db) -> MakeUser:
    """A new user for one test. The address is its own unless given; without a password nobody can sign in as them."""

    async def make(
        *,
        email: str | None = None,
        password: str | None = None,
        timezone: str = "UTC",
        currency: str = "USD",
        locale: str = "en-US",
    ) -> Viewer:
        user_id = uuid4()
        email = email or f"{user_id}@example.com"
        row = {
            "id": user_id,
            "email": email,
            "email_normalized": email.lower(),
            "timezone": timezone,
            "currency": currency,
            "locale": locale,
        }
        row["password_hash"] = await QUICK_PASSWORDS.hash(password) if password else None
        async with db.system("user") as session:
            assert await users.add_user(session, row), f"{email} is taken"
        return Viewer(user_id, timezone, currency, locale)

    return make
