"""What clients and the log are told of an exception."""

import pytest
from graphql import GraphQLError
from strawberry.exceptions import StrawberryInputCoercionError
from structlog.typing import EventDict

from db.errors import DatabaseUnavailable, LeaseLost, NoViewer, PoolExhausted, RedisUnavailable
from domains.core.errors import IdempotencyKeyReused, TryAgain
from resolvers.errors import BadUserInput, RateLimited, describe, fault_of, present


def only(error: BaseException, **variables: object) -> dict[str, object]:
    [shown] = present([error], "request-7", variables)
    return dict(shown)


@pytest.mark.parametrize(
    ("error", "extensions"),
    [
        (BadUserInput("no", argument="first"), {"code": "BAD_USER_INPUT", "argument": "first"}),
        (RateLimited(retry_after_s=1.5), {"code": "RATE_LIMITED", "retryable": True, "retryAfterSeconds": 1.5}),
        (NoViewer(), {"code": "UNAUTHENTICATED"}),
        (DatabaseUnavailable("host=secret"), {"code": "UNAVAILABLE", "retryable": True}),
        (PoolExhausted("host=secret"), {"code": "UNAVAILABLE", "retryable": True}),
        (RedisUnavailable("host=secret"), {"code": "UNAVAILABLE", "retryable": True}),
        (LeaseLost(), {"code": "UNAVAILABLE", "retryable": True}),
        (TryAgain("LOCKED", "Locked."), {"code": "LOCKED", "retryable": True, "retryAfterSeconds": 1.0}),
        (IdempotencyKeyReused(field="key"), {"code": "IDEMPOTENCY_KEY_REUSED", "field": "key"}),
        (GraphQLError("x", original_error=StrawberryInputCoercionError("null")), {"code": "BAD_USER_INPUT"}),
        (TimeoutError(), {"code": "TIMED_OUT", "retryable": True}),
    ],
)
def test_what_is_no_bug_has_its_code(error: Exception, extensions: dict[str, object], logged: list[EventDict]) -> None:
    shown = only(error)

    assert shown["extensions"] == extensions
    assert "secret" not in str(shown)
    assert logged == []


def test_a_located_fault_keeps_its_place() -> None:
    shown = only(GraphQLError("x", path=["me", 0, "name"], original_error=BadUserInput("no")))

    assert shown == {"message": "no", "path": ["me", 0, "name"], "extensions": {"code": "BAD_USER_INPUT"}}


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("secret"), GraphQLError("secret"), GraphQLError("x", original_error=KeyError("secret"))]
)
def test_everything_else_is_masked(error: Exception, logged: list[EventDict]) -> None:
    shown = only(error)

    assert shown["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-7"}
    assert "secret" not in str(shown)
    assert [event["event"] for event in logged] == ["graphql.failed"]


def test_a_refused_argument_is_the_client_s() -> None:
    shown = only(GraphQLError("Argument 'first' has invalid value 5.", path=["me"]))

    assert shown["extensions"] == {"code": "BAD_USER_INPUT"}
    assert fault_of(None) is None


def test_the_log_has_the_whole_chain_and_no_value_of_a_variable() -> None:
    def fail() -> None:
        try:
            raise ValueError("no such row: sesame 77\nDETAIL: (email)=(a@b.example)")
        except ValueError as error:
            raise RuntimeError("could not open sesame") from error

    with pytest.raises(RuntimeError) as raised:
        fail()
    told = describe(raised.value, {"input": {"password": "sesame", "list": [{"n": 77}], "none": None, "flag": True}})

    assert told["error"] == "RuntimeError"
    assert told["message"] == "could not open •"
    assert "in fail" in told["traceback"]
    assert "ValueError: no such row: • •" in told["traceback"]
    assert "Caused by" in told["traceback"]
    for value in ("77", "a@b.example"):
        assert value not in told["message"] + told["traceback"].rpartition("ValueError:")[2]


def test_an_exception_that_causes_itself_is_told_once() -> None:
    error = ValueError("x")
    error.__context__ = error

    assert describe(error, {})["traceback"] == "ValueError: x"


def test_a_long_message_is_cut() -> None:
    assert len(describe(ValueError("x" * 10_000), {})["message"]) == 300
