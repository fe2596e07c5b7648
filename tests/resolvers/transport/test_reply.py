"""Media types and statuses."""

from typing import Any

import orjson
import pytest

from resolvers.errors import RateLimited
from resolvers.transport.faults import BodyTooSlow, ForeignOrigin, NotAcceptable
from resolvers.transport.reply import GRAPHQL, JSON, executed, fault_reply, media_type


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        (b"", JSON),
        (b"*/*", JSON),
        (b"application/*", JSON),
        (b"application/json", JSON),
        (b"Application/JSON; charset=utf-8", JSON),
        (b"application/graphql-response+json", GRAPHQL),
        (b"application/graphql-response+json; charset=utf-8, application/json; charset=utf-8", GRAPHQL),
        (b"application/graphql-response+json;q=0.9, application/json", JSON),
        (b"application/graphql-response+json, application/json;q=0.9", GRAPHQL),
        (b"text/html, */*;q=0.1", JSON),
        (b"application/graphql-response+json;q=0, */*", JSON),
    ],
)
def test_the_accepted_media_type_is_answered(accept: bytes | None, expected: str) -> None:
    assert media_type(accept) == expected


@pytest.mark.parametrize("accept", [b"text/html", b"application/json;q=0", b"application/json;q=abc", b"multipart/mixed"])
def test_another_media_type_is_not_acceptable(accept: bytes) -> None:
    with pytest.raises(NotAcceptable):
        media_type(accept)


@pytest.mark.parametrize(
    ("data", "code", "status"),
    [
        (None, "UNAUTHENTICATED", 401),
        ({"me": None}, "UNAUTHENTICATED", 401),
        ({"me": {"id": 1}, "other": None}, "UNAUTHENTICATED", 200),
        (None, "UNAVAILABLE", 503),
        ({"signIn": None}, "RATE_LIMITED", 429),
        ({"me": None}, "INTERNAL_SERVER_ERROR", 200),
        ({"me": None}, "SOMETHING_EXPECTED", 200),
    ],
)
def test_the_status_tells_why_nothing_came_of_an_operation(data: Any, code: str, status: int) -> None:
    reply = executed({"data": data, "errors": [{"message": "m", "extensions": {"code": code}}]}, GRAPHQL)

    assert reply.status == status


def test_an_empty_answer_without_errors_is_fine() -> None:
    assert executed({"data": {"node": None}}, JSON).status == 200


def test_a_reply_names_its_length_and_when_to_come_back() -> None:
    reply = fault_reply(RateLimited(retry_after_s=2.1))

    headers = dict(reply.headers)
    assert (reply.status, headers[b"retry-after"], headers[b"content-length"]) == (429, b"3", str(len(reply.body)).encode())
    assert orjson.loads(reply.body)["errors"][0]["extensions"] == {"code": "RATE_LIMITED", "retryable": True, "retryAfterSeconds": 2.1}


def test_a_connection_whose_body_never_came_is_closed() -> None:
    assert dict(fault_reply(BodyTooSlow()).headers)[b"connection"] == b"close"
    assert b"connection" not in dict(fault_reply(ForeignOrigin()).headers)
