"""The words of graphql-transport-ws (its protocol document, version 6 of graphql-ws): what clients may say, and what we answer."""

from dataclasses import dataclass
from typing import Any

from resolvers.execution.operation import Answer, GraphQLRequest, encode
from resolvers.transport.body import decode_object, graphql_request
from resolvers.transport.faults import BadRequest

PROTOCOL = "graphql-transport-ws"
ID_CHARACTERS = 128

BAD_MESSAGE = 4400
UNAUTHORIZED = 4401
FORBIDDEN = 4403
WRONG_PROTOCOL = 4406
INITIALISED_TOO_LATE = 4408
DUPLICATE_ID = 4409
INITIALISED_TWICE = 4429
TOO_BIG = 1009
TRY_AGAIN_LATER = 1013


class Close(Exception):
    """The connection must end, with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code} {reason}")


@dataclass(frozen=True, slots=True)
class Initialise:
    """connection_init: `authorization` ("Bearer ...") or `token` of its payload, None when it names neither."""

    authorization: str | None


@dataclass(frozen=True, slots=True)
class Subscribe:
    id: str
    request: GraphQLRequest


@dataclass(frozen=True, slots=True)
class Complete:
    id: str


@dataclass(frozen=True, slots=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True)
class Pong:
    pass


Said = Initialise | Subscribe | Complete | Ping | Pong


def understand(text: str) -> Said:
    """What a client's frame says. Errors: Close (4400)."""
    try:
        message = decode_object(text)
        match message.get("type"):
            case "connection_init":
                return Initialise(_authorization(_payload(message)))
            case "subscribe":
                return Subscribe(_id(message), graphql_request(_payload(message), "WEBSOCKET"))
            case "complete":
                return Complete(_id(message))
            case "ping":
                return Ping()
            case "pong":
                return Pong()
    except BadRequest as refused:
        raise Close(BAD_MESSAGE, f"Invalid message: {refused.message}") from None
    raise Close(BAD_MESSAGE, "Invalid message: no such type.")


def _id(message: dict[str, Any]) -> str:
    found = message.get("id")
    if not isinstance(found, str) or not 1 <= len(found) <= ID_CHARACTERS:
        raise BadRequest(f"`id` must be text of 1 to {ID_CHARACTERS} characters.")
    return found


def _payload(message: dict[str, Any]) -> dict[str, Any]:
    payload = message.get("payload")
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise BadRequest("`payload` must be an object.")
    return payload


def _authorization(payload: dict[str, Any]) -> str | None:
    token = payload.get("token")
    value = next((payload[name] for name in ("authorization", "Authorization") if payload.get(name) is not None), None)
    if value is None and token is not None:
        value = f"Bearer {token}" if isinstance(token, str) else token
    if value is not None and not isinstance(value, str):
        raise BadRequest("`authorization` must be text.")
    return value


ACKNOWLEDGED = b'{"type":"connection_ack"}'
PONG = b'{"type":"pong"}'


def next_of(operation_id: str, answer: Answer) -> bytes:
    return encode({"id": operation_id, "type": "next", "payload": answer})


def error_of(operation_id: str, errors: list[Any]) -> bytes:
    return encode({"id": operation_id, "type": "error", "payload": errors})


def complete_of(operation_id: str) -> bytes:
    return encode({"id": operation_id, "type": "complete"})
