"""Servers of a benchmark's own: a Postgres and a Redis in a temporary folder, migrated, gone at the end."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from pydantic import SecretStr

from app.embedded import Embedded
from app.settings import Settings
from db.base import DOMAINS
from db.engines import Viewer
from db.user import queries as users
from domains.flows.services import Services
from domains.user.keys import generate_key
from migrations.run import upgrade


@contextmanager
def bench_servers() -> Iterator[tuple[Settings, Embedded]]:
    """Started and migrated servers, and the settings that reach them."""
    folder = Path(tempfile.mkdtemp(prefix="florin-bench-"))
    embedded = Embedded.start(folder)
    try:
        upgrade({domain: embedded.dsns.of(domain, "owner") for domain in DOMAINS})
        yield settings_for(embedded), embedded
    finally:
        embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)


def settings_for(embedded: Embedded) -> Settings:
    return Settings(
        database_dsn=SecretStr(embedded.dsns.app),
        database_system_dsn=SecretStr(embedded.dsns.system),
        database_owner_dsn=SecretStr(embedded.dsns.owner or ""),
        redis_dsn=SecretStr(embedded.redis_dsn),
        keyring=SecretStr(generate_key()),
        secret=SecretStr("a benchmark has no secrets of its own"),
        data=embedded.folder,
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as variables, for processes that a benchmark starts."""
    names = ("database_dsn", "database_system_dsn", "database_owner_dsn", "redis_dsn", "keyring", "secret")
    return {f"FLORIN_{name.upper()}": getattr(settings, name).get_secret_value() for name in names}


async def bench_user(services: Services) -> Viewer:
    """A user who cannot sign in."""
    user_id = uuid4()
    email = f"{user_id}@example.com"
    async with services.db.system("user") as session:
        await users.add_user(session, {"id": user_id, "email": email, "email_normalized": email})
    return Viewer(user_id)
