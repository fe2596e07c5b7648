"""GraphiQL, from files that we ship: no CDN, no inline script. Mounted only where the settings say so."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

FOLDER = Path(__file__).parent / "static"
PAGES = {
    "console.html": "text/html; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "console.css": "text/css; charset=utf-8",
    "LICENSES.txt": "text/plain; charset=utf-8",
}
#: Scripts, styles and connections of our own only. (A dialog of GraphiQL asks for a style element that stops the page behind
#: it from scrolling; refused, that page scrolls.)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def console_routes() -> list[BaseRoute]:
    return [Route("/console", _serve), Route("/console/{name}", _serve)]


async def _serve(request: Request) -> Response:
    name = request.path_params.get("name", "console.html")
    if name not in PAGES:
        return Response(status_code=404)
    body, tag = _file(name)
    headers = {
        "etag": tag,
        "cache-control": "no-cache",
        "content-security-policy": POLICY,
        "cross-origin-opener-policy": "same-origin",
    }
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, headers={**headers, "content-type": PAGES[name]})


@cache
def _file(name: str) -> tuple[bytes, str]:
    """The file and its entity tag."""
    body = (FOLDER / name).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
