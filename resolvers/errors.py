"""What a client is told when something fails, and what the log is told.

Three kinds. An *expected* failure (AppError) of a mutation becomes a typed entry of its payload's `errors`
(`resolvers/payloads.py`). A *client or passing* fault is a top-level error with `extensions.code`. Everything else is
a bug: the client sees INTERNAL_SERVER_ERROR and the request id, the log gets the traceback once, and neither ever
carries the value of a variable.
"""

import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import structlog
from graphql import GraphQLError, GraphQLFormattedError
from strawberry.exceptions import StrawberryInputCoercionError

from db.errors import DatabaseUnavailable, LeaseLost, NoViewer, RedisUnavailable
from domains.core.errors import AppError, TryAgain

log = structlog.get_logger(__name__)

MASKED_MESSAGE = "Something went wrong on our side. Quote the request id when you report it."
#: Longest piece of an exception's message that is logged.
LOGGED_MESSAGE_CHARACTERS = 300


class Fault(Exception):
    """A client's or a passing fault, shown as a top-level error with its permanent code."""

    code: ClassVar[str]
    default_message: ClassVar[str]
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None, *, retry_after_s: float | None = None, **extensions: Any) -> None:
        self.message = message or self.default_message
        self.extensions: dict[str, Any] = {"code": self.code, **extensions}
        if self.retryable:
            self.extensions["retryable"] = True
        if retry_after_s is not None:
            self.extensions["retryAfterSeconds"] = retry_after_s
        super().__init__(self.message)


class ParseFailed(Fault):
    code = "GRAPHQL_PARSE_FAILED"
    default_message = "The document is not valid GraphQL."


class ValidationFailed(Fault):
    code = "GRAPHQL_VALIDATION_FAILED"
    default_message = "The document does not fit the schema."


class IntrospectionNotAllowed(Fault):
    code = "INTROSPECTION_NOT_ALLOWED"
    default_message = "The schema may not be asked about here. It is published as graphql/schema.graphql."


class BadUserInput(Fault):
    code = "BAD_USER_INPUT"
    default_message = "A value of the request is not valid."


class Unauthenticated(Fault):
    code = "UNAUTHENTICATED"
    default_message = "Sign in first."


class CostLimitExceeded(Fault):
    code = "COST_LIMIT_EXCEEDED"
    default_message = "The operation asks for too much at once."


class RateLimited(Fault):
    code = "RATE_LIMITED"
    default_message = "Too many requests; wait before trying again."
    retryable = True


class TimedOut(Fault):
    code = "TIMED_OUT"
    default_message = "The operation took too long and was stopped."
    retryable = True


class MutationTimedOut(TimedOut):
    """Its time may have run out after the commit."""

    default_message = "The mutation took too long, and may have been done all the same. Look, or repeat it with the same idempotencyKey."


class Unavailable(Fault):
    code = "UNAVAILABLE"
    default_message = "A part of the service is unavailable at the moment."
    retryable = True


class MethodNotAllowed(Fault):
    code = "METHOD_NOT_ALLOWED"
    default_message = "Only queries may be sent with GET."


def fault_of(error: BaseException | None) -> Fault | None:
    """The client's view of an exception, or None when it is a bug."""
    match error:
        case Fault():
            return error
        case NoViewer():
            return Unauthenticated()
        case DatabaseUnavailable() | RedisUnavailable() | LeaseLost():
            return Unavailable()
        case TimeoutError():
            return TimedOut()
        case StrawberryInputCoercionError():
            return BadUserInput(error.message)
        case TryAgain():
            return _passing(error)
        case AppError():
            return _expected(error)
        case _:
            return None


def _passing(error: TryAgain) -> Fault:
    fault = Unavailable(error.message, retry_after_s=error.retry_after_s)
    fault.extensions["code"] = error.code
    return fault


def _expected(error: AppError) -> Fault:
    """An expected failure outside a payload, in a query or a subscription: shown under its own code."""
    fault = BadUserInput(error.message)
    fault.extensions["code"] = error.code
    if error.field is not None:
        fault.extensions["field"] = error.field
    return fault


def graphql_error(fault: Fault, located: GraphQLError | None = None) -> GraphQLError:
    """The fault as a GraphQL error, at the place of the error that carried it."""
    return GraphQLError(
        fault.message,
        nodes=located.nodes if located else None,
        source=located.source if located else None,
        positions=located.positions if located else None,
        path=located.path if located else None,
        extensions=dict(fault.extensions),
    )


def root_cause(error: BaseException) -> BaseException:
    """What was raised first, under the GraphQLErrors that located it."""
    while isinstance(error, GraphQLError) and error.original_error is not None:
        error = error.original_error
    return error


def present(errors: Iterable[BaseException], request_id: str, variables: Mapping[str, Any] | None = None) -> list[GraphQLFormattedError]:
    """The `errors` of an answer. Bugs are masked here and logged, each cause once; see the module."""
    logged: set[int] = set()
    return [_presented(error, request_id, variables or {}, logged).formatted for error in errors]


def _presented(error: BaseException, request_id: str, variables: Mapping[str, Any], logged: set[int]) -> GraphQLError:
    located = error if isinstance(error, GraphQLError) else None
    cause = root_cause(error)
    fault = fault_of(cause)
    if fault is not None:
        return graphql_error(fault, located)
    if located is not None and cause is located and _is_the_clients(located):
        return located
    if id(cause) not in logged:
        logged.add(id(cause))
        log.error("graphql.failed", request_id=request_id, path=located.path if located else None, **describe(cause, variables))
    return GraphQLError(
        MASKED_MESSAGE,
        nodes=located.nodes if located else None,
        path=located.path if located else None,
        extensions={"code": "INTERNAL_SERVER_ERROR", "requestId": request_id},
    )


def _is_the_clients(error: GraphQLError) -> bool:
    """Whether a plain GraphQLError speaks of the request: it carries a code, or the execution refused an argument."""
    if error.extensions and "code" in error.extensions:
        return True
    if error.message.startswith("Argument "):
        error.extensions = {"code": BadUserInput.code}
        return True
    return False


def describe(error: BaseException, variables: Mapping[str, Any]) -> dict[str, str]:
    """An exception for the log: its type, message and traceback, without any value that came in a variable.

    Of each message only the first line is kept: drivers put parameters and row contents on the lines after it.
    """
    secrets = sorted({text for text in _leaves(variables) if text}, key=len, reverse=True)
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = "".join(traceback.format_tb(current.__traceback__))
        parts.append(f"{frames}{type(current).__name__}: {_redacted(current, secrets)}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return {"error": type(error).__name__, "message": _redacted(error, secrets), "traceback": "\nCaused by:\n".join(parts)}


def _redacted(error: BaseException, secrets: Sequence[str]) -> str:
    lines = str(error).splitlines()
    text = lines[0][:LOGGED_MESSAGE_CHARACTERS] if lines else ""
    for secret in secrets:
        text = text.replace(secret, "•")
    return text


def _leaves(value: object) -> Iterator[str]:
    """Every value inside the variables, as text."""
    match value:
        case Mapping():
            for inner in value.values():
                yield from _leaves(inner)
        case str():
            yield from value.splitlines() or [value]
        case Sequence():
            for inner in value:
                yield from _leaves(inner)
        case None | bool():
            return
        case _:
            yield str(value)
