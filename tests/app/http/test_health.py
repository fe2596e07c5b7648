"""Liveness and readiness."""

import httpx
import pytest
from pydantic import SecretStr

from app.http import checks
from app.http.checks import NotMigrated, readiness
from app.settings import Settings
from db.engines import Dsns
from db.redis import RedisConnections
from migrations.run import revisions
from tests.app.http.conftest import api

NOWHERE = SecretStr("postgresql+asyncpg://florin_app:x@127.0.0.1:1/florin")


async def test_a_process_that_may_be_sent_requests_says_so(client: httpx.AsyncClient) -> None:
    live = await client.get("/health/live")
    ready = await client.get("/health/ready")

    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "postgres": "ok", "migrations": "ok", "redis": "ok"})


async def test_without_redis_it_is_alive_and_not_ready(settings: Settings) -> None:
    async with api(settings, redis_dsn=SecretStr("redis://127.0.0.1:1/0")) as client:
        live, ready = await client.get("/health/live"), await client.get("/health/ready")

    assert live.status_code == 200
    assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
    assert ready.json() == {"status": "unavailable", "postgres": "ok", "migrations": "ok", "redis": "unavailable"}


@pytest.mark.usefixtures("no_database_apart")
async def test_without_postgres_it_is_alive_and_not_ready(settings: Settings) -> None:
    gone = {f"database{role}_dsn": NOWHERE for role in ("", "_system", "_owner")}
    async with api(settings, **gone) as client:
        live, ready = await client.get("/health/live"), await client.get("/health/ready")

    assert live.status_code == 200
    assert ready.status_code == 503
    assert ready.json() == {"status": "unavailable", "postgres": "unavailable", "migrations": "unavailable", "redis": "ok"}


async def test_a_process_without_the_owner_s_login_can_tell_too(settings: Settings) -> None:
    async with api(settings, database_owner_dsn=None) as client:
        ready = await client.get("/health/ready")

    assert (ready.status_code, ready.json()["migrations"]) == (200, "ok")


async def test_tables_older_than_the_code_are_not_ready(dsns: Dsns, redis: RedisConnections, monkeypatch: pytest.MonkeyPatch) -> None:
    check = readiness(dsns, redis)["migrations"]
    monkeypatch.setattr(checks, "revisions", lambda domain: (*revisions(domain), f"{domain}_9999"))

    with pytest.raises(NotMigrated):
        await check()


async def test_tables_newer_than_the_code_are_ready(dsns: Dsns, redis: RedisConnections, monkeypatch: pytest.MonkeyPatch) -> None:
    check = readiness(dsns, redis)["migrations"]
    monkeypatch.setattr(checks, "revisions", lambda domain: (f"{domain}_0000",))

    await check()
