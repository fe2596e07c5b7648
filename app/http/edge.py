"""The outermost frame of the API process: request ids, response headers, one log line per request, and the last resort."""

import re
import time
from uuid import uuid4

import orjson
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers.errors import MASKED_MESSAGE, describe

log = structlog.get_logger(__name__)

#: A request id that a proxy or a client may choose: it ends up in logs and headers.
_WELL_FORMED_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")

#: What every response says unless it says otherwise itself. Pages of their own bring their own policy.
HEADERS = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}


class Edge:
    """ASGI middleware. What it logs of a request are its method, its path where that is one of ours, figures, and never a value."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            if scope["type"] == "http":
                await self._http(scope, receive, send, request_id)
            else:
                await self._websocket(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        began = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message.setdefault("headers", [])
                names = {name for name, _ in given}
                message["headers"] = [
                    *given,
                    (b"x-request-id", request_id.encode()),
                    *((name, value) for name, value in HEADERS.items() if name not in names),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            log.error("http.failed", **describe(error, {}))
            if status:
                raise
            await _send_masked(send_with_headers, request_id)
        finally:
            state = scope["state"]
            log.info(
                "http.request",
                method=scope["method"],
                path=scope["path"] if status != 404 else None,
                status=499 if state.get("client_left") else status,
                ms=round((time.perf_counter() - began) * 1000, 2),
                **state.get("operation", {}),
            )

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            log.error("websocket.failed", **describe(error, {}))
            raise
        finally:
            log.info("websocket.closed", seconds=round(time.perf_counter() - began, 1), **scope["state"].get("operation", {}))


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if _WELL_FORMED_ID.fullmatch(given) else uuid4().hex


async def _send_masked(send: Send, request_id: str) -> None:
    error = {"message": MASKED_MESSAGE, "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id}}
    body = orjson.dumps({"errors": [error]})
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
