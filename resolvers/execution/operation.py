"""From a request to an answer: what every transport builds on.

    gateway = Gateway(build_schema())                        one per process
    prepared = gateway.prepare(request)                      parse, validate, coerce variables, cost; no I/O; raises RequestRefused
    ...the transport authenticates and charges `prepared.cost` to the viewer's bucket...
    async with OperationContext(services, viewer, ...) as context:
        answer = await gateway.execute(prepared, context)    query or mutation, within the deadline; never raises but for cancellation
        async for answer in gateway.subscribe(prepared, context): ...      subscription: one answer per event
    body = encode(answer)

An answer is {"data": ..., "errors": [...], "extensions": {"cost": {"requested": n, ...throttle}}}; `errors` only when
there are some, `data` only when the execution began. `gateway.refusal(error, request_id)` makes the answer of a
request that was refused before, by `prepare` or by the transport.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    get_operation_ast,
    get_variable_values,
    parse,
    validate,
)
from graphql import execute as core_execute
from graphql import subscribe as core_subscribe

from resolvers.context import OperationContext, RootRow
from resolvers.errors import BadUserInput, Fault, MethodNotAllowed, ParseFailed, TimedOut, ValidationFailed, present

Answer = dict[str, Any]
OperationType = Literal["query", "mutation", "subscription"]
DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """What a client sent, already of these types (the transport refuses anything else)."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)
    method: Literal["GET", "POST", "WEBSOCKET"] = "POST"


class RequestRefused(Exception):
    """The request is refused before its execution.

    errors: why, each with `extensions.code`.
    status: the HTTP status for `application/graphql-response+json` (400, or 405 for a mutation by GET).
    """

    def __init__(self, errors: list[GraphQLError], status: int = 400) -> None:
        self.errors = errors
        self.status = status
        super().__init__("; ".join(error.message for error in errors))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that may run: parsed, valid, its variables coerced, its cost known and within the limit."""

    document: DocumentNode
    operation: OperationDefinitionNode
    operation_type: OperationType
    cost: int
    request: GraphQLRequest


class Gateway:
    """The schema, ready to answer. Holds caches of documents and plans, no state of any request."""

    def __init__(self, schema: strawberry.Schema, *, suggestions: bool = False, deadline_s: float = DEADLINE_S) -> None:
        self.schema = schema
        self._core = schema._schema
        self._hide_suggestions = not suggestions
        self._deadline_s = deadline_s

    def prepare(self, request: GraphQLRequest) -> Prepared:
        """Everything that can be said about a request without I/O. Errors: RequestRefused."""
        try:
            document = parse(request.query, max_lexical_tokens=2_000)
        except GraphQLSyntaxError as error:
            raise RequestRefused([_coded(error, ParseFailed.code)]) from None
        if errors := validate(self._core, document, hide_suggestions=self._hide_suggestions):
            raise RequestRefused([_coded(error, ValidationFailed.code) for error in errors])
        operation = get_operation_ast(document, request.operation_name)
        if operation is None:
            raise RequestRefused([GraphQLError("Say which operation to run.", extensions={"code": BadUserInput.code})])
        kind: OperationType = operation.operation.value
        if request.method == "GET" and kind != "query":
            raise RequestRefused([GraphQLError(MethodNotAllowed.default_message, extensions={"code": MethodNotAllowed.code})], 405)
        values = get_variable_values(self._core, operation.variable_definitions or (), dict(request.variables))
        if isinstance(values, list):
            raise RequestRefused([_coded(error, BadUserInput.code) for error in values])
        return Prepared(document, operation, kind, 1, request)

    async def execute(self, prepared: Prepared, context: OperationContext, throttle: Mapping[str, Any] | None = None) -> Answer:
        """Run a query or a mutation. `throttle` is reported beside the cost (what the viewer's bucket still holds)."""
        try:
            async with asyncio.timeout(self._deadline_s):
                result = core_execute(
                    self._core,
                    prepared.document,
                    RootRow(context),
                    context,
                    variable_values=dict(prepared.request.variables),
                    operation_name=prepared.request.operation_name,
                )
                if not isinstance(result, ExecutionResult):
                    result = await result
        except TimeoutError:
            result = ExecutionResult(None, [GraphQLError("", original_error=TimedOut())])
        return self._answer(prepared, context, result, throttle)

    async def subscribe(
        self, prepared: Prepared, context: OperationContext, throttle: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Answer]:
        """Run a subscription: an answer per event, each with its own deadline, until the client closes the iterator."""
        stream = core_subscribe(
            self._core,
            prepared.document,
            context_value=context,
            variable_values=dict(prepared.request.variables),
            operation_name=prepared.request.operation_name,
        )
        if isinstance(stream, Awaitable):
            stream = await stream
        if isinstance(stream, ExecutionResult):
            yield self._answer(prepared, context, stream, throttle)
            return
        async for result in stream:
            yield self._answer(prepared, context, result, throttle)

    def refusal(self, error: Exception, request_id: str) -> Answer:
        """The answer to a request that was refused (RequestRefused, a Fault), or that failed before its execution."""
        errors = error.errors if isinstance(error, RequestRefused) else [error]
        return {"errors": present(errors, request_id)}

    def _answer(self, prepared: Prepared, context: OperationContext, result: ExecutionResult, throttle: Mapping[str, Any] | None) -> Answer:
        answer: Answer = {"data": result.data}
        if result.errors:
            answer["errors"] = present(result.errors, context.request_id, prepared.request.variables)
        answer["extensions"] = {"cost": {"requested": prepared.cost, **(throttle or {})}}
        return answer


async def answer(
    gateway: Gateway,
    request: GraphQLRequest,
    context_factory: Callable[[Prepared], Awaitable[OperationContext]],
    request_id: str,
) -> Answer:
    """A query or mutation from end to end. `context_factory` authenticates and charges; a Fault it raises is the answer."""
    try:
        prepared = gateway.prepare(request)
        context = await context_factory(prepared)
    except (RequestRefused, Fault) as refused:
        return gateway.refusal(refused, request_id)
    async with context:
        return await gateway.execute(prepared, context)


def encode(answer: Answer) -> bytes:
    """The answer as JSON; dates and instants in it are written as `YYYY-MM-DD` and RFC 3339 with Z."""
    return orjson.dumps(answer, option=orjson.OPT_UTC_Z)


def _coded(error: GraphQLError, code: str) -> GraphQLError:
    return GraphQLError(
        error.message, nodes=error.nodes, source=error.source, positions=error.positions, path=error.path, extensions={"code": code}
    )
