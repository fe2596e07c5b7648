"""What an operation costs is known before it runs, and so is that it asks for too much."""

from typing import Any

import pytest
from graphql import get_introspection_query

from resolvers.cost import LIMITS, Limits
from resolvers.execution.operation import Gateway, RequestRefused
from resolvers.schema import Schema
from tests.resolvers.core.asking import prepare


def cost(gateway: Gateway, query: str, **variables: Any) -> int:
    return prepare(gateway, query, **variables).cost


def refusal(gateway: Gateway, query: str, **variables: Any) -> tuple[str, str]:
    """Code and message."""
    with pytest.raises(RequestRefused) as refused:
        prepare(gateway, query, **variables)
    [error] = refused.value.errors
    assert refused.value.status == 400
    return str((error.extensions or {})["code"]), error.message


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ __typename }", 1),
        ("{ me { id name } }", 1),
        ("{ me { favourite { id } } }", 2),
        ("{ me { pots { id size { amount currency } } } }", 1 + 10),
        ("{ labels { id } }", 3),
        ("{ me { entries { nodes { id } } } }", 1 + 1 + 20),
        ("{ me { entries(first: 50) { nodes { pot { id } amount { amount } } pageInfo { endCursor } } } }", 1 + 1 + 50 * 2),
        ("{ me { entries(first: 5) { totalCount } } }", 1 + 1 + 1),
        ("{ me { entryCount } }", 1 + 1),
        ("{ me { entries(first: 5) { edges { cursor node { pot { label { id } } } } nodes { id } } } }", 1 + 1 + 5 * 3 + 5),
        ("{ me { pots { entries(first: 3) { nodes { id } } } } }", 1 + 10 * (1 + 1 + 3)),
        ("{ me { ...F ...F } } fragment F on Person { favourite { id } }", 2),
        ("{ a: me { id } b: me { id } c: me { id } }", 3),
        ('{ nodes(ids: ["a", "b", "c"]) { id ... on Pot { label { id } } } }', 3 * 2),
        ('mutation { potResize(input: {id: "x", size: "1"}) { pot { id } errors { code } } }', 10 + 1 + 1),
        ("{ me { name @skip(if: true) favourite @skip(if: true) { id } } }", 2),
    ],
)
def test_the_cost_is_the_sum_of_what_may_be_read(gateway: Gateway, query: str, expected: int) -> None:
    assert cost(gateway, query) == expected


def test_leaves_cost_nothing_and_are_bounded_all_the_same(gateway: Gateway) -> None:
    """Three hundred names for one note, a hundred rows, ten pages: bytes without end, of what was read once."""
    leaves = " ".join(f"a{n}: id" for n in range(297))
    rows = f"{{ nodes {{ {leaves} pot {{ id }} amount {{ amount currency }} }} }}"
    document = f"query ($n: Int!) {{ me {{ entries(first: $n) {rows} }} }}"

    assert cost(gateway, document, n=100) == 1 + 1 + 100 * 2
    most = " ".join(["a: entries(first: 50)", rows, "b: entries(first: 50)", rows])
    assert refusal(gateway, f"{{ me {{ name {most} }} }}") == (
        "COST_LIMIT_EXCEEDED",
        "The answer may hold 30001 values, and 30000 is the most. Ask for fewer fields, or smaller pages.",
    )


def test_a_variable_decides_the_cost_of_each_request(gateway: Gateway) -> None:
    query = "query ($n: Int = 7) { me { entries(first: $n) { nodes { id } } } }"

    assert cost(gateway, query) == 1 + 1 + 7
    assert cost(gateway, query, n=50) == 1 + 1 + 50
    assert cost(gateway, query, n=None) == 1 + 1 + 20
    assert cost(gateway, query, n=10**6) == 1 + 1 + 100
    assert cost(gateway, query, n=-5) == 2
    assert cost(gateway, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["a"] * 30) == 30


def test_too_much_at_once_is_refused_with_its_cost(gateway: Gateway) -> None:
    query = "query ($n: Int) { me { pots { entries(first: $n) { nodes { pot { id } } } } } }"

    assert refusal(gateway, query, n=100)[0] == "COST_LIMIT_EXCEEDED"
    assert cost(gateway, query, n=40) == 1 + 10 * (2 + 80) <= LIMITS.cost


def test_aliases_cost_what_they_repeat(gateway: Gateway) -> None:
    def aliases(count: int) -> str:
        return "{ me { " + " ".join(f"a{number}: entries(first: 9) {{ nodes {{ id }} }}" for number in range(count)) + " } }"

    assert cost(gateway, aliases(99)) == 1 + 99 * 10
    assert refusal(gateway, aliases(100))[0] == "COST_LIMIT_EXCEEDED"


def deep(levels: int) -> str:
    return "{ me " + "{ favourite { owner " * (levels // 2) + "{ id }" + "} }" * (levels // 2) + " }"


def test_depth_of_fifteen_fields_is_the_most(gateway: Gateway) -> None:
    assert cost(gateway, deep(12)) == 13
    assert refusal(gateway, deep(14)) == ("COST_LIMIT_EXCEEDED", "An operation may be 15 fields deep at most.")


def test_introspection_is_let_through_and_not_nested(toy: Schema) -> None:
    gateway = Gateway(toy, introspection=True)
    assert cost(gateway, get_introspection_query()) <= LIMITS.cost / 2
    twice = "{ __schema { types { fields { type { fields { name } } } } } }"
    three = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"
    many = "{ " + " ".join(f"a{n}: __schema {{ types {{ fields {{ name args {{ name type {{ name }} }} }} }} }}" for n in range(60)) + " }"

    assert cost(gateway, twice) <= LIMITS.cost
    assert refusal(gateway, three)[0] == "GRAPHQL_VALIDATION_FAILED"
    assert refusal(gateway, many)[0] == "COST_LIMIT_EXCEEDED"


def test_tokens_are_two_thousand_at_most(gateway: Gateway) -> None:
    code, _ = refusal(gateway, "{ me { " + "id " * 2_000 + "} }")

    assert code == "GRAPHQL_PARSE_FAILED"


@pytest.mark.parametrize(
    ("limits", "query"),
    [
        (Limits(tokens=5), "{ me { id name } }"),
        (Limits(depth=2), "{ me { favourite { id } } }"),
        (Limits(cost=10), "{ me { pots { id size { amount currency } } } }"),
    ],
)
def test_an_operators_own_limits_are_what_counts(toy: Schema, gateway: Gateway, limits: Limits, query: str) -> None:
    prepare(gateway, query)

    refusal(Gateway(toy, limits=limits), query)
