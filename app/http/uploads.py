"""POST /uploads: a statement file on its way in. What comes of it is asked for by the `statementImport` mutation.

The body is the file itself; its name comes in Content-Disposition or `?filename=`. It is kept encrypted until it is
imported, and deleted when nobody does. Answers 201 {"uploadId": "..."}.
"""

import re
import unicodedata
from collections.abc import Mapping
from email.message import Message as MimeHeader
from urllib.parse import parse_qs
from uuid import UUID

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from domains.bank.errors import UploadsWaiting
from domains.flows.uploads import store_upload
from resolvers.errors import Unauthenticated, Unavailable, fault_of
from resolvers.ids import to_global_id
from resolvers.transport.admission import Admission, bearer_token, client_address
from resolvers.transport.body import ClientGone, read_body
from resolvers.transport.faults import BadRequest, UnsupportedMediaType, WrongMethod
from resolvers.transport.reply import Reply, fault_reply, send_reply

log = structlog.get_logger(__name__)

Headers = Mapping[bytes, bytes]

UPLOAD_COST = 50
READ_WITHIN_S = 120.0
#: Each may hold its file in memory, encrypted and not.
AT_ONCE = 8
NAME_CHARACTERS = 255
NAMELESS = "statement"
_MEDIA_TYPE = re.compile(rb"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")
#: What a form sends: the file would be wrapped in something that no parser of ours reads.
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


class Uploads:
    """The ASGI endpoint."""

    def __init__(self, admission: Admission, *, limit_bytes: int) -> None:
        self._admission = admission
        self._limit_bytes = limit_bytes
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = _created(await self._store(scope, receive))
        except ClientGone:
            scope["state"]["client_left"] = True
            return
        except Exception as error:
            fault = fault_of(error)
            if fault is None:
                raise
            reply = fault_reply(fault, status=409 if isinstance(error, UploadsWaiting) else None)
        await send_reply(send, reply)

    async def _store(self, scope: Scope, receive: Receive) -> UUID:
        """Errors: Faults; UploadsWaiting; ClientGone; RedisUnavailable, DatabaseUnavailable."""
        if scope["method"] != "POST":
            raise WrongMethod("Send the file with POST.")
        headers: Headers = dict(scope["headers"])
        token = bearer_token(headers)
        if token is None:
            raise Unauthenticated
        content_type = _content_type(headers)
        filename = file_name(headers, scope["query_string"])
        admitted = await self._admission.admit(token, client_address(scope), UPLOAD_COST)
        if admitted.viewer is None:
            raise Unauthenticated
        if self._running >= AT_ONCE:
            raise Unavailable("Too many files arrive at once.", retry_after_s=2.0)
        self._running += 1
        try:
            data = await read_body(headers, receive, limit_bytes=self._limit_bytes, within_s=READ_WITHIN_S)
            if not data:
                raise BadRequest("The file is empty.")
            return await store_upload(self._admission.services, admitted.viewer, data, filename, content_type)
        finally:
            self._running -= 1


def file_name(headers: Headers, query_string: bytes) -> str:
    """The name the client gave the file, without folders and control characters, cut to 255 characters; else `statement`."""
    given = _disposition_name(headers.get(b"content-disposition"))
    if given is None:
        given = parse_qs(query_string.decode("latin-1"), max_num_fields=10).get("filename", [""])[0]
    name = re.split(r"[/\\]", unicodedata.normalize("NFC", given))[-1]
    printable = "".join(character for character in name if unicodedata.category(character)[0] != "C")
    return " ".join(printable.split())[:NAME_CHARACTERS].strip(". ") or NAMELESS


def _disposition_name(value: bytes | None) -> str | None:
    """`filename` or `filename*` (RFC 6266) of a Content-Disposition header."""
    if value is None:
        return None
    header = MimeHeader()
    header["content-disposition"] = value.decode("latin-1")
    return header.get_filename()


def _content_type(headers: Headers) -> str | None:
    """The media type without its parameters. Errors: UnsupportedMediaType."""
    value = headers.get(b"content-type")
    media_type = None if value is None else value.partition(b";")[0].strip().lower()
    if media_type is not None and not _MEDIA_TYPE.fullmatch(media_type):
        raise BadRequest("Content-Type is not a media type.")
    found = None if media_type is None else media_type.decode()
    if found in _FORMS or headers.get(b"content-encoding", b"identity") != b"identity":
        raise UnsupportedMediaType("Send the file itself as the body, neither in a form nor compressed.")
    return found


def _created(upload_id: UUID) -> Reply:
    body = orjson.dumps({"uploadId": to_global_id("Upload", upload_id)})
    return Reply(201, body, [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", str(len(body)).encode())])
