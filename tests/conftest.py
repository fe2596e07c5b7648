"""Real servers for the whole suite: a Postgres and a Redis of its own, started and migrated once.

Nothing is cleared between tests: each makes its own users (`make_user`), and nobody sees another user's rows.
"""

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from app.embedded import Embedded
from app.settings import Settings
from db.base import DOMAINS
from db.engines import Db, Dsns, Viewer
from db.redis import RedisConnections
from db.user import queries as users
from domains.user.keys import generate_key
from domains.user.passwords import Passwords
from migrations.run import upgrade

if TYPE_CHECKING:
    from domains.flows.services import Services

#: argon2 at its cheapest: what is tested is never how slow it is.
QUICK_PASSWORDS = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


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
def servers(make_folder: Callable[[], Path]) -> Iterator[Embedded]:
    """The suite's servers: in a folder of their own, beside any `florin run`. Migrated."""
    embedded = Embedded.start(make_folder())
    try:
        migrate(embedded.dsns)
        yield embedded
    finally:
        embedded.stop()


def migrate(dsns: Dsns) -> None:
    """Every domain's history, as the owner, on a loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(upgrade, {domain: dsns.of(domain, "owner") for domain in DOMAINS}).result()


@pytest.fixture(scope="session")
def dsns(servers: Embedded) -> Dsns:
    return servers.dsns


@pytest.fixture(scope="session")
def settings(servers: Embedded) -> Settings:
    """What a process of this suite would read from its environment."""
    return Settings(
        database_dsn=SecretStr(servers.dsns.app),
        database_system_dsn=SecretStr(servers.dsns.system),
        database_owner_dsn=SecretStr(servers.dsns.owner or ""),
        redis_dsn=SecretStr(servers.redis_dsn),
        keyring=SecretStr(generate_key()),
        secret=SecretStr("the suite's own, of at least 32 characters"),
        data=servers.folder,
    )


@pytest.fixture(scope="session")
def environment(settings: Settings) -> dict[str, str]:
    """The same as variables, for processes that tests start."""
    values = {
        name: getattr(settings, name)
        for name in ("database_dsn", "database_system_dsn", "database_owner_dsn", "redis_dsn", "keyring", "secret")
    }
    return {f"FLORIN_{name.upper()}": value.get_secret_value() for name, value in values.items()}


@pytest.fixture(scope="session")
async def redis(servers: Embedded) -> AsyncIterator[RedisConnections]:
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
