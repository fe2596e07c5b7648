"""Reading a request: what is accepted, and that nothing else is, soon and with a typed error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.transport.body import (
    BODY_LIMIT_BYTES,
    ClientGone,
    decode_object,
    graphql_request,
    read_body,
    request_of_parameters,
)
from resolvers.transport.faults import BadRequest, BodyTooLarge, BodyTooSlow

MALFORMED = {
    "a number": b"5",
    "null": b"null",
    "a text": b'"x"',
    "true": b"true",
    "nothing": b"",
    "a list of operations": b'[{"query": "{ hello }"}]',
    "invalid UTF-8": b'{"query": "\xff\xfe"}',
    "UTF-16": '{"query": "{ hello }"}'.encode("utf-16"),
    "a byte-order mark": b'\xef\xbb\xbf{"query": "{ hello }"}',
    "100,000 brackets": b"[" * 100_000,
    "100,000 objects": b'{"a":' * 40_000,
    "closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "5,000 digits": b'{"query": "{ hello }", "variables": {"n": ' + b"9" * 5_000 + b"}}",
    "5,000 digits in what is ignored": b'{"query": "{ hello }", "n": -' + b"9" * 5_000 + b"}",
    "an infinite number": b'{"query": "{ hello }", "variables": {"n": 1e999}}',
    "a long fraction": b'{"query": "{ hello }", "variables": {"n": 0.' + b"1" * 5_000 + b"}}",
    "NaN": b'{"query": "{ hello }", "variables": {"n": NaN}}',
    "Infinity": b'{"query": "{ hello }", "variables": {"n": -Infinity}}',
    "a key twice": b'{"query": "{ hello }", "query": "{ whoami }"}',
    "an inner key twice": b'{"query": "{ hello }", "variables": {"a": 1, "a": 2}}',
    "two values": b'{"query": "{ hello }"} {}',
    "a comma too many": b'{"query": "{ hello }",}',
    "single quotes": b"{'query': '{ hello }'}",
    "100,000 values": b'{"query": "{ hello }", "variables": {"n": [' + b"1," * 100_000 + b"1]}}",
    "a text that never ends": b'{"query": "' + b'\\"' * 100_000,
    "a raw line break in a text": b'{"query": "{ hello\n}"}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_malformed_what_is_not_one_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        decode_object(body)

    assert refused.value.code == "BAD_REQUEST"
    assert refused.value.__cause__ is None


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_malformed_nothing_but_a_refusal_comes_of_any_bytes(data: bytes) -> None:
    try:
        body = decode_object(data)
    except BadRequest:
        return
    assert json.loads(data) == body


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXT, JSON, max_size=5))
def test_variables_arrive_as_they_were(variables: dict[str, Any]) -> None:
    body = json.dumps({"query": "{ hello }", "variables": variables}).encode()

    assert graphql_request(decode_object(body), "POST").variables == variables


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


WRONG_PARTS = {
    "no query": {},
    "a query of null": {"query": None},
    "an empty query": {"query": ""},
    "a query that is a list": {"query": ["{ hello }"]},
    "a name that is a number": {"query": "{ hello }", "operationName": 1},
    "variables that are a list": {"query": "{ hello }", "variables": []},
    "variables that are false": {"query": "{ hello }", "variables": False},
    "extensions that are a text": {"query": "{ hello }", "extensions": "x"},
    "deep variables": {"query": "{ hello }", "variables": {"a": _nested(33)}},
    "deep extensions": {"query": "{ hello }", "extensions": {"a": _nested(33)}},
    "half a surrogate pair": {"query": "{ hello }", "variables": {"a": ["\ud800"]}},
    "half a surrogate pair in a key": {"query": "{ hello }", "variables": {"a\udfff": 1}},
    "half a surrogate pair in the query": {"query": '{ hello(name: "\ud800") }'},
    "NUL": {"query": "{ hello }", "variables": {"a": {"b": "x\0"}}},
}


@pytest.mark.parametrize("body", WRONG_PARTS.values(), ids=WRONG_PARTS)
def test_parts_of_the_wrong_kind_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        graphql_request(decode_object(json.dumps(body).encode()), "POST")


def test_deep_variables_within_the_limit_and_every_character_arrive() -> None:
    variables = {"deep": _nested(29), "text": "Grüße 🏃 \u0301", "number": 12345678901234567890, "rate": 0.25}
    body = {"query": "{ hello }", "variables": variables, "operationName": "A", "extensions": {"e": None}, "other": 1}

    request = graphql_request(decode_object(json.dumps(body).encode()), "POST")

    assert (request.query, request.operation_name, request.method) == ("{ hello }", "A", "POST")
    assert request.variables == variables
    assert request.extensions == {"e": None}


def test_nulls_stand_for_what_is_not_given() -> None:
    request = graphql_request({"query": "{ hello }", "variables": None, "operationName": None, "extensions": None}, "POST")

    assert (request.operation_name, request.variables, request.extensions) == (None, {}, {})


def test_parameters_of_a_get_are_read() -> None:
    request = request_of_parameters(b"query=query+A%28%24n%3AString%29%7Bhello%7D&variables=%7B%22n%22%3A%22%C3%BC%22%7D&operationName=A")

    assert request.query == "query A($n:String){hello}"
    assert request.variables == {"n": "ü"}
    assert (request.operation_name, request.method) == ("A", "GET")


@pytest.mark.parametrize(
    "parameters",
    [
        b"",
        b"query=",
        b"query=%7Bhello%7D&query=%7Bwhoami%7D",
        b"query=%7Bhello%7D&variables=%5B%5D",
        b"query=%7Bhello%7D&variables=%7B",
        b"query=%FF%FE",
        b"query=%7Bhello%7D\xff",
        b"&".join(b"p%d=1" % number for number in range(17)) + b"&query=%7Bhello%7D",
    ],
)
def test_malformed_parameters_are_refused(parameters: bytes) -> None:
    with pytest.raises(BadRequest):
        request_of_parameters(parameters)


class Wire:
    """An ASGI receive that hands out pieces of a body and counts what was taken."""

    def __init__(self, *pieces: bytes, hangs_up: bool = False) -> None:
        self.pieces = list(pieces)
        self.hangs_up = hangs_up
        self.taken = 0

    async def __call__(self) -> dict[str, Any]:
        if not self.pieces:
            assert self.hangs_up, "read past the end"
            return {"type": "http.disconnect"}
        piece = self.pieces.pop(0)
        self.taken += len(piece)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces) or self.hangs_up}


async def test_a_body_arrives_in_pieces_up_to_the_limit() -> None:
    assert await read_body({}, Wire(b"a" * 60, b"", b"b" * 40), limit_bytes=100) == b"a" * 60 + b"b" * 40


async def test_a_body_without_a_length_is_read_no_further_than_the_limit() -> None:
    wire = Wire(*[b"a" * 60] * 1_000)

    with pytest.raises(BodyTooLarge):
        await read_body({}, wire, limit_bytes=100)

    assert wire.taken == 120


@pytest.mark.parametrize("length", [b"262145", b"9" * 400, b"-1", b"1e3"])
async def test_a_length_past_the_limit_is_refused_unread(length: bytes) -> None:
    wire = Wire(b"a")

    with pytest.raises(BodyTooLarge):
        await read_body({b"content-length": length}, wire, limit_bytes=BODY_LIMIT_BYTES)

    assert wire.taken == 0


async def test_who_hangs_up_within_the_body_gets_no_answer() -> None:
    with pytest.raises(ClientGone):
        await read_body({}, Wire(b"a", hangs_up=True), limit_bytes=100)


async def test_a_body_that_drips_is_given_up() -> None:
    import asyncio

    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"a", "more_body": True}

    with pytest.raises(BodyTooSlow):
        await read_body({}, drip, limit_bytes=10_000, within_s=0.1)


def values(count: int) -> bytes:
    return b'{"query": "{ hello }", "variables": {"n": [' + b",".join([b"1"] * count) + b"]}}"


def test_ten_thousand_values_are_the_most_and_commas_in_texts_are_none() -> None:
    text = "a,b\\,c," * 20_000

    assert len(decode_object(values(9_998))["variables"]["n"]) == 9_998
    assert decode_object(json.dumps({"query": text}))["query"] == text
    for body in (values(10_002), values(100_000)):
        with pytest.raises(BadRequest, match="more than 10000 values"):
            decode_object(body)


def test_a_document_comes_as_its_text_as_its_id_or_as_apollos_hash() -> None:
    digest = "a" * 64
    apollo = {"persistedQuery": {"version": 1, "sha256Hash": digest}}

    by_id = graphql_request({"documentId": f"sha256:{digest}"}, "POST")
    by_hash = graphql_request({"extensions": apollo}, "WEBSOCKET")
    both = graphql_request({"query": "{ hello }", "extensions": apollo}, "POST")
    in_url = request_of_parameters(b"documentId=a-1&extensions=%7B%7D")

    assert (by_id.query, by_id.document_id, by_id.apollo) == (None, f"sha256:{digest}", False)
    assert (by_hash.query, by_hash.document_id, by_hash.apollo) == (None, digest, True)
    assert (both.query, both.document_id, both.apollo) == ("{ hello }", digest, True)
    assert (in_url.query, in_url.document_id, in_url.method) == (None, "a-1", "GET")


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": 5},
        {"documentId": ""},
        {"documentId": "\0"},
        {"query": "{ hello }", "documentId": []},
        {"extensions": {"persistedQuery": 5}},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "a"}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"query": "{ hello }", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": 1}}},
    ],
)
def test_a_malformed_id_of_a_document_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        graphql_request(body, "POST")
