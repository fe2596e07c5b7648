"""From bytes to a GraphQL request, trusting nothing.

A body is refused with BadRequest unless it is one JSON object in UTF-8: no byte-order mark, no NaN, no number longer
than 40 digits, no key twice, no text that Postgres could not hold, nothing nested deeper than 32, no more than 10,000
values. What it costs to find out is bounded by the size of the body.
"""

import asyncio
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl

from starlette.types import Receive

from resolvers.execution.operation import GraphQLRequest
from resolvers.transport.faults import BadRequest, BodyTooLarge, BodyTooSlow

BODY_LIMIT_BYTES = 256 * 1024
BODY_WITHIN_S = 10.0
NUMBER_CHARACTERS = 40
NESTED_AT_MOST = 32
VALUES_AT_MOST = 10_000
#: A JSON text, or what begins like one and never ends: it is taken to the end, so that no place is looked at twice.
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
#: Parameters of a GET request; a client needs five.
PARAMETERS_AT_MOST = 16


class ClientGone(Exception):
    """The client hung up: there is nobody to answer."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, *, limit_bytes: int, within_s: float = BODY_WITHIN_S) -> bytes:
    """The body. No more than `limit_bytes` of it is ever held.

    Errors: BodyTooLarge, BodyTooSlow, ClientGone.
    """
    announced = headers.get(b"content-length", b"0")
    if not announced.isdigit() or len(announced) > 15 or int(announced) > limit_bytes:
        raise BodyTooLarge(f"The body is larger than {limit_bytes} bytes.")
    try:
        async with asyncio.timeout(within_s):
            return await _read(receive, limit_bytes)
    except TimeoutError:
        raise BodyTooSlow from None


async def _read(receive: Receive, limit_bytes: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > limit_bytes:
            raise BodyTooLarge(f"The body is larger than {limit_bytes} bytes.")
        if not message.get("more_body", False):
            return bytes(body)


def decode_object(data: bytes | str) -> dict[str, Any]:
    """The one JSON object in `data`. Errors: BadRequest."""
    try:
        text = data.decode() if isinstance(data, bytes) else data
        _check_values_count(text)
        value = _decoder.decode(text)
    except UnicodeDecodeError:
        raise BadRequest("The body is not valid UTF-8.") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    except _Refused as refused:
        raise BadRequest(str(refused)) from None
    except ValueError:
        raise BadRequest("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be one JSON object; lists of operations are not supported.")
    return value


def graphql_request(body: Mapping[str, Any], method: Literal["GET", "POST", "WEBSOCKET"]) -> GraphQLRequest:
    """The request that the object describes; what it does not know of is ignored. Errors: BadRequest."""
    query = _text(body, "query")
    extensions = _object(body, "extensions")
    document_id = _text(body, "documentId")
    apollo = document_id is None and extensions.get("persistedQuery") is not None
    if apollo:
        document_id = _apollo_hash(extensions["persistedQuery"])
    if query is None and document_id is None:
        raise BadRequest("The request needs a `query`, which is text, or the `documentId` of a published one.")
    operation_name = _text(body, "operationName")
    return GraphQLRequest(query, operation_name, _object(body, "variables"), extensions, method, document_id, apollo)


def _apollo_hash(persisted: object) -> str:
    match persisted:
        case {"version": 1, "sha256Hash": str(digest)}:
            return digest
        case _:
            raise BadRequest("`persistedQuery` has a `version`, which is 1, and a `sha256Hash`, which is text.")


def request_of_parameters(query_string: bytes) -> GraphQLRequest:
    """The request in the parameters of a GET: `variables` and `extensions` are JSON objects. Errors: BadRequest."""
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_AT_MOST)
    except ValueError:
        raise BadRequest("The parameters are malformed.") from None
    parameters: dict[str, Any] = dict(pairs)
    if len(parameters) != len(pairs):
        raise BadRequest("A parameter is given twice.")
    for name in ("variables", "extensions"):
        text = parameters.get(name)
        parameters[name] = decode_object(text) if text else None
    return graphql_request(parameters, "GET")


def _check_values_count(text: str) -> None:
    """Every value but the first of its list or object has a comma before it. Errors: BadRequest."""
    if text.count(",") > VALUES_AT_MOST and _TEXT.sub("", text).count(",") > VALUES_AT_MOST:
        raise BadRequest(f"The body holds more than {VALUES_AT_MOST} values.")


class _Refused(ValueError):
    """JSON that a parser accepts and we do not."""


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("An object of the body has a key twice.")
    return found


def _integer(digits: str) -> int:
    if len(digits) > NUMBER_CHARACTERS:
        raise _Refused("A number of the body is too long.")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits) if len(digits) <= NUMBER_CHARACTERS else math.inf
    if math.isinf(value):
        raise _Refused("A number of the body is too long or too large.")
    return value


def _no_constant(name: str) -> float:
    raise _Refused(f"{name} is not JSON.")


_decoder = json.JSONDecoder(object_pairs_hook=_object_without_repeats, parse_int=_integer, parse_float=_number, parse_constant=_no_constant)


def _text(body: Mapping[str, Any], name: str) -> str | None:
    """A text that is there and not empty. Errors: BadRequest."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadRequest(f"`{name}` must be text.")
    _check_text(value)
    return value


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"`{name}` must be an object.")
    _check_values(value)
    return value


def _check_values(value: dict[str, Any]) -> None:
    """Bounds the depth without recursion, and looks at every text. Errors: BadRequest."""
    level: list[Any] = [value]
    for _ in range(NESTED_AT_MOST):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict):
                below.extend(item)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return
        level = below
    raise BadRequest(f"The variables are nested deeper than {NESTED_AT_MOST}.")


def _check_text(text: str) -> None:
    """Half a surrogate pair is no character, and Postgres keeps no NUL. Errors: BadRequest."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest("A text of the request is not valid Unicode.") from None
    if "\0" in text:
        raise BadRequest("A text of the request holds the NUL character.")
