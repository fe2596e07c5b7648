"""Answers over HTTP, as GraphQL-over-HTTP words them.

`application/graphql-response+json` carries the outcome in the status, too: 400 for a document that was refused.
`application/json` (what older clients accept) answers 200 wherever GraphQL was asked at all. Both say alike what is no
matter of the document: 400 for what is no GraphQL request, 401, 403, 413, 415, 429, 503.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from starlette.types import Send

from resolvers.errors import Fault, fault_of
from resolvers.execution.operation import Answer, Gateway, RequestRefused, encode
from resolvers.transport.faults import NotAcceptable, http_status

MediaType = Literal["application/json", "application/graphql-response+json"]
JSON: MediaType = "application/json"
GRAPHQL: MediaType = "application/graphql-response+json"
Header = tuple[bytes, bytes]

#: Codes that decide the status of an answer in which nothing came of the operation.
_STATUS_OF_NOTHING = {"UNAUTHENTICATED": 401, "RATE_LIMITED": 429, "UNAVAILABLE": 503}
#: When nobody knows better.
RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    headers: Sequence[Header] = ()


@lru_cache(maxsize=256)
def media_type(accept: bytes | None) -> MediaType:
    """The media type that the Accept header prefers; application/json when it does not say. Errors: NotAcceptable."""
    if accept is None or not accept.strip():
        return JSON
    weights = dict(_weighted(part) for part in accept.decode("latin-1").lower().split(","))
    anything = max(weights.get("*/*", 0.0), weights.get("application/*", 0.0))
    plain, graphql = weights.get(JSON, anything), weights.get(GRAPHQL, 0.0)
    if graphql > 0 and graphql >= plain:
        return GRAPHQL
    if plain > 0:
        return JSON
    raise NotAcceptable


def _weighted(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                weight = float(parameter[2:])
            except ValueError:
                return name, 0.0
            return name, weight if 0.0 <= weight <= 1.0 else 0.0
    return name, 1.0


def executed(answer: Answer, media: MediaType) -> Reply:
    """The reply to an operation that ran. Where nothing came of it, the status says why."""
    status = 200
    errors = answer.get("errors")
    if errors and _is_nothing(answer.get("data")):
        status = next((found for error in errors if (found := _STATUS_OF_NOTHING.get(_code(error)))), 200)
    return _reply(status, answer, media)


def refused(error: Exception, gateway: Gateway, request_id: str, media: MediaType, cost: Mapping[str, Any] | None = None) -> Reply:
    """The reply to a request that did not get to run: a RequestRefused, a Fault, or a service that is away.

    cost: what it was charged, if anything. Anything else is a bug: logged and masked by the gateway, status 500.
    """
    return _reply(_status_of(error, media), gateway.refusal(error, request_id, cost), media)


def _status_of(error: Exception, media: MediaType) -> int:
    if isinstance(error, RequestRefused):
        return 200 if media == JSON and error.status == 400 else error.status
    fault = fault_of(error)
    return 500 if fault is None else http_status(fault)


def fault_reply(fault: Fault, *, status: int | None = None) -> Reply:
    """The same shape for endpoints that are not GraphQL."""
    return _reply(status or http_status(fault), {"errors": [{"message": fault.message, "extensions": fault.extensions}]}, JSON)


def _is_nothing(data: Any) -> bool:
    return data is None or all(value is None for value in data.values())


def _code(error: Any) -> str:
    return str(error.get("extensions", {}).get("code", ""))


def _reply(status: int, answer: Answer, media: MediaType) -> Reply:
    body = encode(answer)
    headers = [(b"content-type", f"{media}; charset=utf-8".encode()), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="florin"'))
    elif status in (429, 503):
        headers.append((b"retry-after", str(_retry_after_s(answer)).encode()))
    elif status == 405:
        headers.append((b"allow", b"POST, GET, OPTIONS"))
    elif status == 408:
        headers.append((b"connection", b"close"))  # after 413 the server discards what still comes, so that the client gets to read why
    return Reply(status, body, headers)


def _retry_after_s(answer: Answer) -> int:
    waits = [error["extensions"].get("retryAfterSeconds") for error in answer["errors"] if "extensions" in error]
    return max(1, math.ceil(max((wait for wait in waits if wait is not None), default=RETRY_AFTER_S)))


async def send_reply(send: Send, reply: Reply) -> None:
    await send({"type": "http.response.start", "status": reply.status, "headers": list(reply.headers)})
    await send({"type": "http.response.body", "body": reply.body})
