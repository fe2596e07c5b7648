"""The API process: `uvicorn app.asgi:app`, or `create_app(settings)` for whoever has settings of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app import logging
from app.http.checks import readiness
from app.http.console import console_routes
from app.http.downloads import Downloads
from app.http.edge import Edge
from app.http.health import Ready, live
from app.http.origins import Origins
from app.http.published import published
from app.http.uploads import Uploads
from app.serving import rarely_collect_garbage
from app.settings import Settings
from app.wiring import open_services
from domains.audit.export_links import PATH
from domains.flows.services import Services
from resolvers.cost import Limits
from resolvers.execution.operation import Gateway
from resolvers.execution.persisted import Persisted
from resolvers.schema import build_schema
from resolvers.transport.admission import Admission
from resolvers.transport.http import GraphQLHttp
from resolvers.transport.running import Unstoppable
from resolvers.transport.websocket import GraphQLWebSocket

log = structlog.get_logger(__name__)

#: How long a stopping process waits for mutations that had begun: longer than the deadline of any.
MUTATIONS_END_WITHIN_S = 15.0


def create_app(settings: Settings, *, gateway: Gateway | None = None) -> Starlette:
    """The ASGI application. Its services open when the server starts it and close when that stops.

    gateway: serves another schema than ours, for tests of what is around it.
    Errors: SettingsInvalid, where a manifest of operations cannot be read.
    """
    persisted = published(settings.operations_manifests, only=settings.operations == "persisted")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with open_services(settings) as services:
            served = gateway or _gateway(settings, persisted)
            admission = Admission(services, settings.cursor_secret())
            mutations = Unstoppable()
            rarely_collect_garbage()
            log.info("api.started")
            yield {
                "graphql_http": GraphQLHttp(served, admission, mutations, body_limit_bytes=settings.body_limit_bytes),
                "graphql_websocket": GraphQLWebSocket(served, admission, mutations),
                "downloads": Downloads(admission),
                "plaid_webhooks": _plaid_webhooks(services),
                "uploads": Uploads(admission, limit_bytes=settings.upload_limit_bytes),
                "ready": Ready(readiness(settings.dsns(), services.redis)),
            }
            await mutations.drain(MUTATIONS_END_WITHIN_S)
        log.info("api.stopped")

    app = Starlette(
        routes=_routes(settings),
        middleware=[Middleware(Edge)],
        exception_handlers={HTTPException: _say_as_json},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _gateway(settings: Settings, persisted: Persisted) -> Gateway:
    return Gateway(
        build_schema(),
        introspection=settings.has_introspection(),
        persisted=persisted,
        deadline_s=settings.deadline_s,
        limits=Limits(tokens=settings.token_limit, depth=settings.depth_limit, cost=settings.cost_limit),
    )


def _routes(settings: Settings) -> list[BaseRoute]:
    def for_pages(name: str) -> Origins:
        return Origins(_Opened(name), settings.allowed_origins)

    routes: list[BaseRoute] = [
        Route("/graphql", for_pages("graphql_http")),
        WebSocketRoute("/graphql", for_pages("graphql_websocket")),
        Route("/uploads", for_pages("uploads")),
        Route(f"{PATH}{{name}}", for_pages("downloads")),
        Route("/webhooks/plaid", _Opened("plaid_webhooks")),
        Route("/health/live", live),
        Route("/health/ready", _ready),
        Route("/", _to_the_console if settings.graphiql else _what_this_is),
    ]
    return [*routes, *console_routes()] if settings.graphiql else routes


class _Opened:
    """An endpoint that needs services: there since the process started, handed on in the scope's state."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["state"][self._name](scope, receive, send)


def _plaid_webhooks(services: Services) -> ASGIApp:
    """Its code, and that of signatures, is loaded where Plaid is used."""
    if "plaid" not in services.banks:
        return _not_here
    from app.http.webhooks import plaid_webhooks

    return plaid_webhooks(services) or _not_here


async def _not_here(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise HTTPException(404)


async def _ready(request: Request) -> Response:
    ready: Ready = request.scope["state"]["ready"]
    return await ready(request)


async def _to_the_console(_request: Request) -> Response:
    return RedirectResponse("/console")


async def _what_this_is(_request: Request) -> Response:
    return JSONResponse({"name": "florin", "graphql": "/graphql", "uploads": "/uploads", "ready": "/health/ready"})


async def _say_as_json(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    code = error.detail.upper().replace(" ", "_")
    return JSONResponse({"errors": [{"message": error.detail, "extensions": {"code": code}}]}, error.status_code, error.headers)


def __getattr__(name: str) -> Any:
    """`app`, made when a server asks for it: importing this module reads no environment."""
    if name != "app":
        raise AttributeError(name)
    settings = Settings.load()
    logging.configure(settings)
    return create_app(settings)
