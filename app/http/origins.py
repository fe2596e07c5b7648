"""Which web pages may talk to the API: those of our own origin, and of the origins that the operator named.

Nothing here authenticates by cookie, so a foreign page has no one's rights to abuse; this keeps it from using a reader's
browser as a client at all (OWASP: Fetch Metadata first, Origin where a browser does not send that). Programs, which send
neither header, pass.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers.transport.faults import ForeignOrigin
from resolvers.transport.reply import fault_reply, send_reply

PREFLIGHT_KEPT_S = 600
ALLOWED_REQUEST_HEADERS = b"authorization, content-type, content-disposition, x-request-id"
EXPOSED_HEADERS = b"x-request-id, retry-after, www-authenticate"


class Origins:
    """ASGI middleware for the endpoints that web pages call, over HTTP and WebSocket."""

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        self._app = app
        self._allowed = frozenset(origin.lower().encode() for origin in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        is_allowed = origin is not None and origin.lower() in self._allowed
        if not is_allowed and not _is_ours(headers, origin):
            await _refuse(scope, receive, send)
        elif scope["type"] == "http" and is_allowed and origin is not None:
            await self._answer_allowed(scope, receive, send, headers, origin)
        else:
            await self._app(scope, receive, send)

    async def _answer_allowed(self, scope: Scope, receive: Receive, send: Send, headers: Mapping[bytes, bytes], origin: bytes) -> None:
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await _answer_preflight(send, origin)
            return

        async def send_with_origin(message: Message) -> None:
            if message["type"] == "http.response.start":
                shared = [
                    (b"access-control-allow-origin", origin),
                    (b"access-control-expose-headers", EXPOSED_HEADERS),
                    (b"vary", b"origin"),
                ]
                shared.append((b"cross-origin-resource-policy", b"cross-origin"))
                message["headers"] = [*message.get("headers", []), *shared]
            await send(message)

        await self._app(scope, receive, send_with_origin)


def _is_ours(headers: Mapping[bytes, bytes], origin: bytes | None) -> bool:
    """Whether a browser calls for a page of our own, or no browser calls."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site in (b"same-origin", b"none")
    if origin is None:
        return True
    try:
        return urlsplit(origin.decode("latin-1").lower()).netloc == headers.get(b"host", b"").decode("latin-1").lower() != ""
    except ValueError:
        return False


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await send_reply(send, fault_reply(ForeignOrigin()))
    else:
        await receive()
        await send({"type": "websocket.close", "code": 1008})  # before it was accepted: the server answers 403


async def _answer_preflight(send: Send, origin: bytes) -> None:
    headers = [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", b"POST, GET"),
        (b"access-control-allow-headers", ALLOWED_REQUEST_HEADERS),
        (b"access-control-max-age", str(PREFLIGHT_KEPT_S).encode()),
        (b"vary", b"origin"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
