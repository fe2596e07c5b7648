"""GET /downloads/exports/<name>: the copy of their data that somebody asked for, to them alone.

Signed in by a bearer token, never by a cookie: a link alone opens nothing. Whatever is not there for whoever asks answers 404, alike.
The file is decrypted while it is sent; where it turns out not to be what was stored, it ends short of its Content-Length.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import structlog
from starlette.types import Receive, Scope, Send

from db.errors import DatabaseUnavailable
from domains.audit.errors import DataExportRequestNotFound
from domains.audit.export_links import request_of
from domains.core.cipher import DecryptionFailed
from domains.flows.export_data import Download, open_download
from resolvers.errors import Unauthenticated, Unavailable, fault_of
from resolvers.transport.admission import Admission, bearer_token, client_address, origin_of
from resolvers.transport.faults import TransportFault, WrongMethod
from resolvers.transport.http import request_id_of
from resolvers.transport.reply import Header, fault_reply, send_reply

log = structlog.get_logger(__name__)

DOWNLOAD_COST = 50
#: Each holds one piece of its file, and for its time no connection to the database.
AT_ONCE = 16
SENT_WITHIN_S = 60 * 60.0


class NotFound(TransportFault):
    code = "NOT_FOUND"
    default_message = "There is no such file, or none any more."
    status = 404


class Downloads:
    """The ASGI endpoint."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._running += 1
        try:
            download = await self._open(scope)
        except Exception as error:
            fault = NotFound() if isinstance(error, DataExportRequestNotFound) else fault_of(error)
            if fault is None:
                raise
            await send_reply(send, fault_reply(fault))
        else:
            await _send_file(scope, receive, send, download)
        finally:
            self._running -= 1

    async def _open(self, scope: Scope) -> Download:
        """Errors: Faults; DataExportRequestNotFound; RedisUnavailable, DatabaseUnavailable."""
        if scope["method"] != "GET":
            raise WrongMethod("Fetch the file with GET.")
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        token = bearer_token(headers)
        if token is None:
            raise Unauthenticated
        admitted = await self._admission.admit(token, client_address(scope), DOWNLOAD_COST)
        if admitted.viewer is None:
            raise Unauthenticated
        if self._running > AT_ONCE:
            raise Unavailable("Too many files are fetched at once.", retry_after_s=5.0)
        request_id = request_of(scope["path_params"]["name"])
        if request_id is None:
            raise NotFound
        viewer = replace(admitted.viewer, origin=origin_of(scope, request_id_of(scope)))
        return await open_download(self._admission.services, viewer, request_id)


async def _send_file(scope: Scope, receive: Receive, send: Send, download: Download) -> None:
    """To its end, or not: a server closes the connection of an answer that is not whole, and its client sees that it is not."""
    gone = asyncio.create_task(_hangs_up(receive), name="download.client")
    try:
        async with asyncio.timeout(SENT_WITHIN_S):
            await send({"type": "http.response.start", "status": 200, "headers": _headers(download)})
            async for piece in download.pieces:
                if gone.done():
                    scope["state"]["client_left"] = True
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
    except (DecryptionFailed, DatabaseUnavailable, TimeoutError) as error:
        log.warning("download.cut_short", error=type(error).__name__)
    finally:
        gone.cancel()


async def _hangs_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _headers(download: Download) -> list[Header]:
    return [
        (b"content-type", b"application/zip"),
        (b"content-length", str(download.size_bytes).encode()),
        (b"content-disposition", f'attachment; filename="{download.filename}"'.encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
