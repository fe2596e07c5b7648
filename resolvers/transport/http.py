"""GraphQL over HTTP, on ASGI itself: one request, one operation, one answer."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import structlog
from graphql import GraphQLError
from starlette.types import Receive, Scope, Send

from resolvers.context import OperationContext
from resolvers.errors import BadUserInput, Unauthenticated
from resolvers.execution.operation import Answer, Gateway, GraphQLRequest, Prepared, RequestRefused
from resolvers.transport.admission import REFUSED_COST, Admission, bearer_token, client_address, origin_of
from resolvers.transport.body import (
    BODY_LIMIT_BYTES,
    ClientGone,
    decode_object,
    graphql_request,
    read_body,
    request_of_parameters,
)
from resolvers.transport.faults import UnsupportedMediaType, WrongMethod
from resolvers.transport.reply import JSON, MediaType, Reply, executed, media_type, refused, send_reply
from resolvers.transport.running import Unstoppable, unless_client_leaves

log = structlog.get_logger(__name__)

Headers = Mapping[bytes, bytes]
#: Each run of spaces can be read in one way only: what does not match is found out in one pass, whatever its length.
_JSON_TYPE = re.compile(rb"application/json\s*+(?:;\s*+charset=\"?utf-?8\"?\s*+)?+;?\s*+", re.IGNORECASE)


class GraphQLHttp:
    """The ASGI endpoint. Origins and response headers that every page has are the concern of whoever mounts it."""

    def __init__(self, gateway: Gateway, admission: Admission, mutations: Unstoppable, *, body_limit_bytes: int = BODY_LIMIT_BYTES) -> None:
        self._gateway = gateway
        self._admission = admission
        self._mutations = mutations
        self._body_limit_bytes = body_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Headers = dict(scope["headers"])
        request_id = request_id_of(scope)
        media = JSON
        try:
            media = media_type(headers.get(b"accept"))
            request = await self._request(scope["method"], scope["query_string"], headers, receive)
            reply = await self._answer(request, scope, headers, receive, request_id, media)
        except ClientGone:
            scope.setdefault("state", {})["client_left"] = True
            return
        except Exception as error:  # noqa: BLE001 - the outermost frame: a bug is logged and masked by the gateway
            reply = refused(error, self._gateway, request_id, media)
        await send_reply(send, reply)

    async def _request(self, method: str, query_string: bytes, headers: Headers, receive: Receive) -> GraphQLRequest:
        if method == "GET":
            if bearer_token(headers) is None:
                raise Unauthenticated("A query by GET needs a bearer token.")
            return request_of_parameters(query_string)
        if method != "POST":
            raise WrongMethod
        if not _JSON_TYPE.fullmatch(headers.get(b"content-type", b"")) or headers.get(b"content-encoding", b"identity") != b"identity":
            raise UnsupportedMediaType
        return graphql_request(decode_object(await read_body(headers, receive, limit_bytes=self._body_limit_bytes)), "POST")

    async def _answer(
        self, request: GraphQLRequest, scope: Scope, headers: Headers, receive: Receive, request_id: str, media: MediaType
    ) -> Reply:
        token, address = bearer_token(headers), client_address(scope)
        await self._admission.look(token, address)
        try:
            prepared = self._gateway.prepare(request)
            if prepared.operation_type == "subscription":
                raise RequestRefused([_SUBSCRIBE_ELSEWHERE])
        except RequestRefused as error:
            throttle = (await self._admission.admit(token, address, REFUSED_COST)).throttle
            return refused(error, self._gateway, request_id, media, {"requested": REFUSED_COST, **throttle})
        scope.setdefault("state", {})["operation"] = {"operation": prepared.operation_type, "cost": prepared.cost}
        admitted = await self._admission.admit(token, address, prepared.cost)
        is_mutation = prepared.operation_type == "mutation"
        context = self._admission.context(admitted, request_id, origin_of(scope, request_id) if is_mutation else None)
        work = run_operation(self._gateway, prepared, context, admitted.throttle)
        if is_mutation:
            return executed(await self._mutations.run(work), media)
        return executed(await unless_client_leaves(receive, work), media)


_SUBSCRIBE_ELSEWHERE = GraphQLError("Subscriptions run over WebSocket, with graphql-transport-ws.", extensions={"code": BadUserInput.code})


async def run_operation(gateway: Gateway, prepared: Prepared, context: OperationContext, throttle: Mapping[str, Any]) -> Answer:
    """A query's or a mutation's answer, in a context that is closed with it."""
    async with context:
        return await gateway.execute(prepared, context, throttle)


def request_id_of(scope: Scope) -> str:
    """The id under which this request is logged: its own, or a new one where no middleware gave it any."""
    found = scope.get("state", {}).get("request_id")
    return found if isinstance(found, str) else uuid4().hex
