"""The API process's server: uvicorn, as we want it."""

import gc
import socket
from typing import TYPE_CHECKING, Any

from app.settings import Settings

if TYPE_CHECKING:
    import uvicorn

#: The largest frame of a WebSocket: what clients send there are operations.
FRAME_LIMIT_BYTES = 64 * 1024
GRACE_S = 5


def make_server(app: Any, settings: Settings) -> "uvicorn.Server":
    import uvicorn

    from app.heads import BoundedHeads

    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http=BoundedHeads,
            ws="websockets-sansio",
            ws_max_size=FRAME_LIMIT_BYTES,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=GRACE_S,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            access_log=False,
            server_header=False,
            log_config=None,
        )
    )


def serve(app: Any, settings: Settings, listener: socket.socket | None = None) -> None:
    """Serve until SIGTERM or SIGINT, on the socket that is handed in or on one of our own."""
    make_server(app, settings).run(sockets=None if listener is None else [listener])


def rarely_collect_garbage() -> None:
    """What was imported stays: leave it out of collections, and collect the young less often (a third of the p99 of live events)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
