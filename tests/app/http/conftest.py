"""The API process as it is, but for the toy schema in it, on a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.asgi import create_app
from app.settings import Settings
from db.auth.queries import open_session
from db.engines import Viewer
from db.redis import RedisConnections
from tests.resolvers.transport.conftest import serving
from tests.resolvers.transport.toy import make_gateway

PAGE = "https://money.example"

Token = Callable[[Viewer], Awaitable[str]]


@asynccontextmanager
async def api(settings: Settings, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API process with these settings."""
    app = create_app(settings.model_copy(update=changes), gateway=make_gateway())
    async with serving(app) as host, httpx.AsyncClient(base_url=f"http://{host}", timeout=10) as client:
        yield client


@pytest.fixture(scope="session")
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Of a process with the console, and one other origin that may call it."""
    async with api(settings, graphiql=True, allowed_origins=(PAGE,)) as found:
        yield found


@pytest.fixture
def sign_in(redis: RedisConnections) -> Token:
    """Headers with a bearer token of the viewer."""

    async def token(viewer: Viewer) -> str:
        settings = (viewer.timezone, viewer.currency, viewer.locale)
        return await open_session(redis, viewer.user_id, settings, at=datetime.now(UTC), ttl_s=600)

    return token
