"""Migrations: one history per domain, each with its version table in the domain's schema. `florin migrate` is the door.

The owner's log-in goes to the server itself, not through a pooler. `owner` is one DSN for all domains, or one per domain.

A new revision is a file `migrations/<domain>/versions/<domain>_<number>_<what>.py`, its revision id the first two parts, its statements
written by hand, up and down. Whoever adds a table says who may see its rows (`migrations/ddl.py`); tests hold the result against the
models, and fail for a table of a user that anybody else could read.
"""

import asyncio
import io
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import asyncpg

from db.base import DOMAINS, schema_of
from db.dsn import DIALECT, driver_dsn

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent
FILE_NAME = re.compile(r"(?P<revision>[a-z]+_\d{4})_\w+\.py")

_ALEMBIC = Lock()

Owner = str | Mapping[str, str]


class UnknownRevision(Exception):
    """The database is at a revision that this code does not have: it belongs to a newer release."""


class SchemaDrift(Exception):
    """The tables differ from the models. The message lists how."""


def upgrade(owner: Owner, domains: Sequence[str] = DOMAINS) -> list[str]:
    """Bring the domains to their newest revisions. Returns the domains that were behind; costs one look where none is.

    Blocks. Within a running event loop, await `upgrade_async`. Errors: UnknownRevision; those of the database.
    """
    return asyncio.run(upgrade_async(owner, domains))


def downgrade(owner: Owner, domains: Sequence[str] = DOMAINS, revision: str = "base") -> None:
    """Take the domains back to a revision; to `base`: all their tables and rows are gone."""
    asyncio.run(downgrade_async(owner, domains, revision))


def check(owner: Owner, domains: Sequence[str] = DOMAINS) -> None:
    """Errors: SchemaDrift."""
    asyncio.run(check_async(owner, domains))


async def upgrade_async(owner: Owner, domains: Sequence[str] = DOMAINS) -> list[str]:
    """As `upgrade`."""
    moved: list[str] = []
    for dsn, group in _by_dsn(owner, domains).items():
        behind = await _behind(dsn, group)
        if behind:
            await _with_alembic(dsn, behind, _upgrade)
            moved += behind
    return moved


async def downgrade_async(owner: Owner, domains: Sequence[str] = DOMAINS, revision: str = "base") -> None:
    """As `downgrade`."""
    for dsn, group in _by_dsn(owner, domains).items():
        await _with_alembic(dsn, group, lambda config: _downgrade(config, revision))


async def check_async(owner: Owner, domains: Sequence[str] = DOMAINS) -> None:
    """As `check`."""
    for dsn, group in _by_dsn(owner, domains).items():
        await _with_alembic(dsn, group, _check)


@cache
def revisions(domain: str) -> tuple[str, ...]:
    """The domain's revisions, oldest first, by their files' names: Alembic need not be loaded to see that nothing is to do."""
    names = (FILE_NAME.fullmatch(path.name) for path in (FOLDER / domain / "versions").iterdir())
    return tuple(sorted(name["revision"] for name in names if name))


async def current_revisions(dsn: str, domains: Sequence[str] = DOMAINS) -> dict[str, str | None]:
    """What each domain's schema is at; None: nothing there."""
    # readiness asks with the log-ins of processes, which may lead to a pooler: no statement with a name, which another process has too
    connection = await asyncpg.connect(driver_dsn(dsn), statement_cache_size=0)
    try:
        tables = [f"{schema_of(domain)}.alembic_version" for domain in domains]
        present = await connection.fetch("select t from unnest($1::text[]) t where to_regclass(t) is not null", tables)
        union = " union all ".join(f"select '{row['t']}', version_num from {row['t']}" for row in present)
        found = {row[0]: str(row[1]) for row in await connection.fetch(union)} if union else {}
    finally:
        await connection.close()
    return {domain: found.get(table) for domain, table in zip(domains, tables, strict=True)}


async def _behind(dsn: str, domains: Sequence[str]) -> list[str]:
    behind = []
    for domain, current in (await current_revisions(dsn, domains)).items():
        known = revisions(domain)
        if current is not None and current not in known:
            raise UnknownRevision(f"{schema_of(domain)} is at {current}, this release ends with {known[-1]}")
        if current != known[-1]:
            behind.append(domain)
    return behind


def _by_dsn(owner: Owner, domains: Sequence[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for domain in domains:
        groups.setdefault(owner if isinstance(owner, str) else owner[domain], []).append(domain)
    return groups


async def _with_alembic(dsn: str, domains: Sequence[str], work: Callable[["Config"], None]) -> None:
    """Alembic's context belongs to the process: on a thread and a loop of its own, one at a time."""

    def alone() -> None:
        with _ALEMBIC:
            asyncio.run(_run(dsn, domains, work))

    await asyncio.to_thread(alone)


async def _run(dsn: str, domains: Sequence[str], work: Callable[["Config"], None]) -> None:
    from alembic.config import Config
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine(DIALECT, poolclass=NullPool, connect_args={"dsn": driver_dsn(dsn)})
    async with engine.connect() as connection:
        for domain in domains:
            config = Config(stdout=io.StringIO())
            config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
            config.set_main_option("version_locations", str(FOLDER / domain / "versions").replace("%", "%%"))
            config.set_main_option("path_separator", "newline")

            def in_domain(sync: object, config: Config = config, domain: str = domain) -> None:
                config.attributes.update(connection=sync, domain=domain)
                work(config)

            await connection.run_sync(in_domain)
    await engine.dispose()


def _upgrade(config: "Config") -> None:
    from alembic import command

    command.upgrade(config, "head")


def _downgrade(config: "Config", revision: str) -> None:
    from alembic import command

    command.downgrade(config, revision)


def _check(config: "Config") -> None:
    from alembic import command
    from alembic.util import AutogenerateDiffsDetected, CommandError

    try:
        command.check(config)
    except (AutogenerateDiffsDetected, CommandError) as drift:
        raise SchemaDrift(str(drift)) from drift
