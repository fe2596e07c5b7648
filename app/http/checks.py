"""What must be so before this process is sent requests."""

from collections.abc import Sequence

from app.http.health import Check
from db.base import DOMAINS
from db.engines import Dsns
from db.redis import RedisConnections, answer
from migrations.run import current_revisions, revisions


class NotReachable(Exception):
    """The server did not answer."""


class NotMigrated(Exception):
    """A domain's tables are older than this code."""


def readiness(dsns: Dsns, redis: RedisConnections) -> dict[str, Check]:
    """The checks by name: postgres, migrations, redis."""

    async def postgres() -> None:
        """Somebody new can log in: of the pools nothing is asked, they mend themselves."""
        for dsn in _by_dsn(dsns, "app"):
            await current_revisions(dsn, ())

    async def redis_answers() -> None:
        if not await answer(redis.client.ping()):
            raise NotReachable

    return {"postgres": postgres, "migrations": _Migrations(dsns), "redis": redis_answers}


class _Migrations:
    """Asks until every domain is at the revision that this code ends with, or at a newer release's; then it is known."""

    def __init__(self, dsns: Dsns) -> None:
        self._dsns = dsns
        self._is_migrated = False

    async def __call__(self) -> None:
        if self._is_migrated:
            return
        for dsn, domains in _by_dsn(self._dsns, "system").items():
            for domain, current in (await current_revisions(dsn, domains)).items():
                if current is None or current in revisions(domain)[:-1]:
                    raise NotMigrated(domain)
        self._is_migrated = True


def _by_dsn(dsns: Dsns, role: str) -> dict[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for domain in DOMAINS:
        found.setdefault(dsns.of(domain, role), []).append(domain)
    return {dsn: tuple(domains) for dsn, domains in found.items()}
