"""From a request to an answer: what every transport builds on.

    gateway = Gateway(build_schema())                        one per process
    prepared = gateway.prepare(request)                      parse, validate, coerce variables, cost; no I/O; raises RequestRefused
    ...the transport authenticates and charges `prepared.cost` to the viewer's bucket...
    async with OperationContext(services, viewer, ...) as context:
        answer = await gateway.execute(prepared, context)    query or mutation, within the deadline; never raises but for cancellation
        async for answer in gateway.subscribe(prepared, context): ...      subscription: one answer per event
    body = encode(answer)

An answer is {"data": ..., "errors": [...], "extensions": {"cost": {"requested": n, ...throttle}}}; `errors` only when
there are some, `data` only when the execution began, the cost wherever one was charged. `gateway.refusal(error,
request_id)` makes the answer of a request that was refused before, by `prepare` or by the transport.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import structlog
from graphql import ExecutionResult, GraphQLError, get_variable_values
from graphql.execution.values import VariableValues

from resolvers.context import OperationContext
from resolvers.cost import LIMITS, Limits, check_price
from resolvers.errors import BadUserInput, Fault, MethodNotAllowed, MutationTimedOut, TimedOut, graphql_error, present
from resolvers.execution.documents import MAX_ERRORS, Document, DocumentRefused, Documents, Operation, with_code
from resolvers.execution.interpret import event_stream, interpret
from resolvers.execution.persisted import Persisted
from resolvers.execution.plan import Plan
from resolvers.execution.run import Deviation, root_row, run
from resolvers.execution.sharing import Shared
from resolvers.schema import Schema

log = structlog.get_logger(__name__)

Answer = dict[str, Any]
OperationType = Literal["query", "mutation", "subscription"]
DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """What a client sent, already of these types (the transport refuses anything else).

    query, document_id: the document's text, or the id of one that is published; at least one of them.
    apollo:             whether the id came in Apollo's extension, whose clients want to be answered in its words.
    """

    query: str | None
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)
    method: Literal["GET", "POST", "WEBSOCKET"] = "POST"
    document_id: str | None = None
    apollo: bool = False


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

    request: GraphQLRequest
    document: Document
    operation: Operation
    operation_type: OperationType
    variables: VariableValues
    cost: int


NO_VARIABLES = VariableValues({}, {})
NONE_PERSISTED = Persisted()


class Gateway:
    """The schema, ready to answer. Holds caches of documents and plans, no state of any request.

    introspection: whether the schema may be asked about (`__schema`, `__type`, `_service`), and errors say "Did you mean"; not in public.
    persisted:     the documents that are known by an id, and whether any other is served.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        introspection: bool = False,
        persisted: Persisted = NONE_PERSISTED,
        deadline_s: float = DEADLINE_S,
        limits: Limits = LIMITS,
    ) -> None:
        self.schema = schema
        self._hide_suggestions = not introspection
        self._persisted = persisted
        self._deadline_s = deadline_s
        self._limits = limits
        self._events: Shared[ExecutionResult] = Shared()
        self._documents = Documents(schema, introspection=introspection, limits=limits)

    def prepare(self, request: GraphQLRequest) -> Prepared:
        """Everything that can be said about a request without I/O. Errors: RequestRefused."""
        try:
            document = self._documents.get(self._persisted.text_of(request.query, request.document_id, apollo=request.apollo))
            operation = _chosen(document, request)
            variables = self._coerced(operation, request)
            price = operation.measured.price(variables.coerced)
            check_price(price, self._limits)
        except DocumentRefused as refused:
            raise RequestRefused(refused.errors) from None
        except MethodNotAllowed as fault:
            raise RequestRefused([graphql_error(fault)], 405) from None
        except Fault as fault:
            raise RequestRefused([graphql_error(fault)]) from None
        return Prepared(request, document, operation, operation.definition.operation.value, variables, price.cost)

    def _coerced(self, operation: Operation, request: GraphQLRequest) -> VariableValues:
        declared = operation.definition.variable_definitions
        if not declared:
            return NO_VARIABLES
        values = get_variable_values(
            self.schema._schema, declared, dict(request.variables), max_errors=MAX_ERRORS, hide_suggestions=self._hide_suggestions
        )
        if isinstance(values, list):
            raise RequestRefused([with_code(error, BadUserInput.code) for error in values])
        return values

    async def execute(self, prepared: Prepared, context: OperationContext, throttle: Mapping[str, Any] | None = None) -> Answer:
        """Run a query or a mutation. `throttle` is reported beside the cost (what the viewer's bucket still holds)."""
        return _answer(prepared, context, await self._result(prepared, context, None), throttle)

    async def subscribe(
        self, prepared: Prepared, context: OperationContext, throttle: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Answer]:
        """Run a subscription: an answer per event, each with its own deadline, until the client closes the iterator."""
        stream = await event_stream(self.schema, prepared, context, hide_suggestions=self._hide_suggestions)
        if isinstance(stream, ExecutionResult):
            yield _answer(prepared, context, stream, throttle)
            return
        try:
            while True:
                try:
                    payload = await anext(stream)
                except StopAsyncIteration:
                    return
                except Exception as error:  # noqa: BLE001 - the outermost frame of the source: told, then the stream ends
                    yield _answer(prepared, context, ExecutionResult(None, [_wrapped(error)]), throttle)
                    return
                yield _answer(prepared, context, await self._event(prepared, context, payload), throttle)
        finally:
            await stream.aclose()

    async def _event(self, prepared: Prepared, context: OperationContext, payload: object) -> ExecutionResult:
        """The result for one event, read anew. A user's sockets that want the same of the same event share one reading.

        The same event is one whose payload is equal in everything, asked for or not: who is told of version 3 must never be given what
        was read for version 2, before it was there.
        """

        async def read() -> ExecutionResult:
            async with context.fresh() as fresh:
                return await self._result(prepared, fresh, payload)

        plan = self._plan(prepared, context)
        if plan is None or prepared.operation.definition.variable_definitions:
            return await read()
        try:
            row = root_row(plan, context, payload)
        except Deviation:
            return await read()
        viewer = context.viewer and context.viewer.user_id
        event = tuple(map(repr, vars(payload).values()))
        return await self._events.get((viewer, plan, row, event), read)

    async def _result(self, prepared: Prepared, context: OperationContext, payload: object | None) -> ExecutionResult:
        """The outermost frame of an execution: within the deadline, and with every exception as an error."""
        deadline = asyncio.timeout(self._deadline_s)
        try:
            async with deadline:
                return await self._execute(prepared, context, payload)
        except TimeoutError as error:
            is_mutation = prepared.operation_type == "mutation"
            failure: Exception = (MutationTimedOut() if is_mutation else TimedOut()) if deadline.expired() else error
        except Exception as error:  # noqa: BLE001 - masked and logged by present()
            failure = error
        await context.start_over()
        return ExecutionResult(None, [_wrapped(failure)])

    async def _execute(self, prepared: Prepared, context: OperationContext, payload: object | None) -> ExecutionResult:
        if prepared.operation_type == "subscription" and payload is None:
            raise BadUserInput("Subscribe to it: this is a subscription.")
        plan = self._plan(prepared, context)
        if plan is not None:
            try:
                return ExecutionResult(await run(self.schema, plan, context, prepared.variables, payload), None)
            except Deviation as reason:
                log.info("graphql.deviated", request_id=context.request_id, reason=str(reason))
                await context.start_over()
        return await interpret(self.schema, prepared, context, payload, hide_suggestions=self._hide_suggestions)

    def _plan(self, prepared: Prepared, context: OperationContext) -> Plan | None:
        if prepared.operation_type == "mutation":
            return None
        plan = prepared.operation.plan(self.schema, prepared.variables)
        if plan is None or (plan.needs_viewer and context.viewer is None):
            return None
        return plan

    def refusal(self, error: Exception, request_id: str, cost: Mapping[str, Any] | None = None) -> Answer:
        """The answer to a request that was refused (RequestRefused, a Fault), or that failed before its execution.

        cost: what it was charged all the same, for `extensions.cost`.
        """
        errors = error.errors if isinstance(error, RequestRefused) else [error]
        answer: Answer = {"errors": present(errors, request_id)}
        if cost is not None:
            answer["extensions"] = {"cost": dict(cost)}
        return answer


def _chosen(document: Document, request: GraphQLRequest) -> Operation:
    """The operation to run. Errors: BadUserInput, MethodNotAllowed."""
    operation = document.operation(request.operation_name)
    if operation is None:
        if request.operation_name is not None:
            raise BadUserInput("The document has no operation of that name.")
        raise BadUserInput("Say which of the document's operations to run.")
    if request.method == "GET" and operation.definition.operation.value != "query":
        raise MethodNotAllowed
    return operation


def _wrapped(error: Exception) -> GraphQLError:
    return error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)


def _answer(prepared: Prepared, context: OperationContext, result: ExecutionResult, throttle: Mapping[str, Any] | None) -> Answer:
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
