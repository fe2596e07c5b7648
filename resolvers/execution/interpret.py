"""Running an operation on graphql-core, for what has no plan: mutations, introspection, plain resolvers, and errors."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from graphql import ExecutionResult, Executor, create_source_event_stream
from graphql import execute as core_execute
from strawberry.execution import optimized_is_awaitable

from resolvers.context import OperationContext, RootRow
from resolvers.schema import Schema

if TYPE_CHECKING:
    from resolvers.execution.operation import Prepared


_is_awaitable = cast("Callable[[Any], TypeGuard[Awaitable[Any]]]", optimized_is_awaitable)


async def interpret(
    schema: Schema, prepared: "Prepared", context: OperationContext, payload: object | None, *, hide_suggestions: bool
) -> ExecutionResult:
    """The result of an operation, or of one event of a subscription whose payload is given."""
    result = core_execute(
        schema._schema,
        prepared.document.node,
        RootRow(context) if payload is None else payload,
        context,
        dict(prepared.request.variables),
        prepared.request.operation_name,
        executor_class=schema.execution_context_class,
        is_awaitable=_is_awaitable,
        hide_suggestions=hide_suggestions,
    )
    return result if isinstance(result, ExecutionResult) else await result


async def event_stream(
    schema: Schema, prepared: "Prepared", context: OperationContext, *, hide_suggestions: bool
) -> AsyncGenerator[Any, None] | ExecutionResult:
    """The payloads that a subscription's resolver yields, or why there are none."""
    executor = schema.execution_context_class.build(
        schema._schema,
        prepared.document.node,
        RootRow(context),
        context,
        dict(prepared.request.variables),
        prepared.request.operation_name,
        is_awaitable=_is_awaitable,
        hide_suggestions=hide_suggestions,
    )
    if not isinstance(executor, Executor):
        return ExecutionResult(None, executor)
    stream = create_source_event_stream(executor)
    if not isinstance(stream, ExecutionResult) and not hasattr(stream, "__aiter__"):
        stream = await stream
    return cast("AsyncGenerator[Any, None] | ExecutionResult", stream)
