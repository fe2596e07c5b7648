"""Documents made to be slow to check are refused for what is counted in them, before anything slow begins."""

import pytest
from graphql import parse

from resolvers import cost as costs
from resolvers.execution.operation import Gateway
from resolvers.shape import MAX_CHARACTERS, MAX_PAIRS, MAX_SELECTIONS, Shape, check_shape
from tests.resolvers.core.asking import prepare
from tests.resolvers.core.test_cost import refusal

COST = "COST_LIMIT_EXCEEDED"
PARSE = "GRAPHQL_PARSE_FAILED"


def shape(query: str) -> Shape:
    return check_shape(parse(query))


def doubling(levels: int, spread: str = "...F{n} ...F{n}") -> str:
    """Written out, 2^levels selections."""
    body = " ".join(f"fragment F{n} on Person {{ {spread.format(n=n + 1)} }}" for n in range(levels))
    return f"{{ me {{ ...F0 }} }} {body} fragment F{levels} on Person {{ id }}"


TWICE = "...F{n} ... {{ ...F{n} }}"
APART = "a: favourite {{ owner {{ ...F{n} }} }} b: favourite {{ owner {{ ...F{n} }} }}"


def test_fragments_what_is_written_out_is_what_is_counted() -> None:
    assert shape("{ me { id name } }") == Shape(0, 3, 0)
    assert shape("{ me { id id id } }") == Shape(0, 4, 3)
    assert shape("{ me { a: id } me { a: id } }") == Shape(0, 4, 1 + 1)
    assert shape("{ me { ...F ...F } } fragment F on Person { id @skip(if: true) }") == Shape(1, 4, 0)
    assert shape("{ me { id } } fragment F on Person { a: id a: id }").pairs == 1
    assert shape("{ ...A } fragment A on Query { me { id } ...A }").selections == 4


@pytest.mark.parametrize("levels", [30, 60])
@pytest.mark.parametrize("spread", ["...F{n} ...F{n}", TWICE])
def test_fragments_that_double_into_one_place_are_looked_at_once_each(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, levels: int, spread: str
) -> None:
    visited = 0
    whole = costs._Walk.selections

    def counted(*arguments: object) -> object:
        nonlocal visited
        visited += 1
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(costs._Walk, "selections", counted)
    query = doubling(levels, spread)

    assert shape(query).selections <= 4 * levels + 2
    if levels == 30 and spread is not TWICE:
        assert prepare(gateway, query).cost == 1
    else:
        assert refusal(gateway, query)[0] == COST
    assert 0 < visited <= 4 * levels


@pytest.mark.parametrize("levels", [30, 60])
def test_fragments_that_double_into_places_of_their_own_are_refused_after_ten_thousand(gateway: Gateway, levels: int) -> None:
    assert refusal(gateway, doubling(levels, APART)) == (
        COST,
        f"With its fragments written out a document may select {MAX_SELECTIONS} fields.",
    )


def test_fragments_a_hundred_are_the_most(gateway: Gateway) -> None:
    def of(count: int) -> str:
        spread = " ".join(f"...F{n}" for n in range(count))
        return f"{{ me {{ {spread} }} }} " + " ".join(f"fragment F{n} on Person {{ id }}" for n in range(count))

    assert refusal(gateway, of(101)) == (COST, "A document may have at most 100 fragments.")
    assert refusal(gateway, of(100)) == (COST, "The document selects the same fields too often at the same places.")


def test_overlapping_fields_are_compared_two_thousand_times_at_most(gateway: Gateway) -> None:
    """Each of 18 pages merges with each other, and so does each of the 18 lists in each: 52,326 pairs."""

    def square(side: int) -> str:
        page = f"entries {{ {' '.join(['nodes { id }'] * side)} }}"
        return f"{{ me {{ {' '.join([page] * side)} }} }}"

    assert shape(square(5)).pairs == 10 + 300 + 300
    assert prepare(gateway, square(5)).cost > 0
    assert refusal(gateway, square(18)) == (COST, "The document selects the same fields too often at the same places.")
    assert MAX_PAIRS < 18 * 18 * (18 * 18 - 1) / 2


def test_a_field_is_repeated_at_one_place_twenty_times_at_most(gateway: Gateway) -> None:
    assert prepare(gateway, "{ me { " + "id " * 20 + "} }").cost == 1
    assert refusal(gateway, "{ me { " + "id " * 21 + "} }")[0] == COST


def test_directives_are_a_hundred_at_most(gateway: Gateway) -> None:
    some = " ".join(f"a{n}: id @skip(if: false)" for n in range(100))
    more = " ".join(f"a{n}: id @skip(if: false)" for n in range(101))

    assert prepare(gateway, f"{{ me {{ {some} }} }}").cost == 1
    assert refusal(gateway, f"{{ me {{ {more} }} }}") == (COST, "A document may have at most 100 directives.")
    assert refusal(gateway, "query(" + "$a: Int @x " * 101 + ") { me { id } }")[0] == COST
    assert refusal(gateway, "{ me { id " + "@skip(if: false) " * 2_000 + "} }")[0] == PARSE


def test_aliases_five_thousand_are_refused_unparsed_and_what_fits_costs_each(gateway: Gateway) -> None:
    def aliases(count: int) -> str:
        return "{ " + " ".join(f"a{n}: me {{ id }}" for n in range(count)) + " }"

    assert refusal(gateway, aliases(5_000)) == (COST, "A document may have at most 65536 characters. Send values as variables.")
    assert refusal(gateway, aliases(2_000))[0] == PARSE
    assert prepare(gateway, aliases(300)).cost == 300


NESTED = {
    "60 fields": "{ me " + "{ favourite { owner " * 30 + "{ id }" + "} }" * 30 + " }",
    "3,000 fields": "{ me " + "{ favourite { owner " * 1_500 + "{ id }" + "} }" * 1_500 + " }",
    "60 inline fragments": "{ me " + "{ ... " * 61 + "{ id }" + "}" * 61 + " }",
    "300 inline fragments": "{ me " + "{ ... " * 300 + "{ id }" + "}" * 300 + " }",
    "50,000 braces": "{" * 50_000,
    "50,000 brackets": "{ me(a: " + "[" * 50_000,
    "900 brackets, closed": "{ me(a: " + "[" * 900 + "]" * 900 + ") { id } }",
    "a type of 900 brackets": "query ($a: " + "[" * 900 + "Int" + "]" * 900 + ") { me { id } }",
    "300 objects": "{ me { entries(filter: " + "{direction: " * 300 + "}" * 300 + ") { totalCount } } }",
    "a circle of fragments": "{ me { ...A } } fragment A on Person { ...B } fragment B on Person { ...A }",
    "a circle through fields": "{ me { ...A } } fragment A on Person { favourite { owner { ...A } } }",
}


@pytest.mark.parametrize("query", NESTED.values(), ids=NESTED)
def test_depth_what_is_nested_or_circular_is_refused(gateway: Gateway, query: str) -> None:
    assert refusal(gateway, query)[0] in (COST, PARSE, "GRAPHQL_VALIDATION_FAILED")


LONG = {
    "a name": "{ " + "a" * MAX_CHARACTERS + " }",
    "a text": '{ node(id: "' + "a" * MAX_CHARACTERS + '") { id } }',
    "a block text": '{ node(id: """' + "a\n" * (MAX_CHARACTERS // 2) + '""") { id } }',
    "commas": "{ me { id } }" + "," * MAX_CHARACTERS,
    "one comment": "{ me { id } } #" + "a" * MAX_CHARACTERS,
    "2,001 comments": "{ me { id } }" + "#\n" * 2_001,
    "an object of 101 fields": "{ me { entries(filter: {" + " ".join(f"x{n}: 1" for n in range(101)) + "}) { totalCount } } }",
    "a default of 101 fields": "query($f: EntryFilter = {" + " ".join(f"x{n}: 1" for n in range(101)) + "}) { me { id } }",
    "an object in a list": "{ me { entries(filter: [[{" + " ".join(f"x{n}: 1" for n in range(101)) + "}]]) { totalCount } } }",
}


@pytest.mark.parametrize("query", LONG.values(), ids=LONG)
def test_tokens_of_any_length_are_bounded_by_the_text_s(gateway: Gateway, query: str) -> None:
    assert refusal(gateway, query)[0] == COST


def test_errors_are_ten_at_most_and_short(gateway: Gateway) -> None:
    """Some rules quote a literal in every error about it."""
    from resolvers.execution.documents import MAX_ERRORS, MESSAGE_CHARACTERS
    from tests.resolvers.core.test_operation import refused

    wrong = " ".join(f'x{n}: "{"y" * 100}"' for n in range(60))
    _, errors = refused(gateway, f"{{ me {{ entries(filter: {{{wrong}}}) {{ totalCount }} }} }}")
    _, named = refused(gateway, "{ " + "a" * 10_000 + " }")

    assert len(errors) == MAX_ERRORS + 1
    assert max(len(error["message"]) for error in (*errors, *named)) == MESSAGE_CHARACTERS
    assert errors[-1]["message"] == "Too many validation errors, error limit reached. Validation aborted."


def test_the_limits_leave_room_for_what_clients_ask(gateway: Gateway) -> None:
    """Two lists whose rows are shown by fifteen components each, every one with a fragment of its own."""
    fragments = " ".join(f"fragment F{n} on Entry {{ id note amount {{ amount currency }} pot {{ id name }} }}" for n in range(30))
    lists = " ".join(
        f"{name}: entries(first: 5) {{ nodes {{ {' '.join(f'...F{n}' for n in range(first, first + 15))} }} }}"
        for name, first in (("a", 0), ("b", 15))
    )
    query = f"{{ me {{ {lists} }} }} {fragments}"

    assert shape(query) == Shape(0, 5 + 2 * 135, 2 * 8 * 105)
    assert prepare(gateway, query).cost == 1 + 2 * (1 + 5 * (1 + 15))
