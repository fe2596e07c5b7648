"""What a public gateway does not tell of its schema: neither when asked nor by the way, in its errors."""

import re
from pathlib import Path
from typing import Any

import graphql
import pytest
import strawberry
from graphql import get_introspection_query

from resolvers.execution.documents import SUGGESTION
from resolvers.execution.operation import Gateway, GraphQLRequest, RequestRefused
from resolvers.schema import Schema
from tests.resolvers.core.asking import ask
from tests.resolvers.core.test_operation import refused
from tests.resolvers.core.toy import Household

NOT_ALLOWED = "INTROSPECTION_NOT_ALLOWED"

DESCRIBING = {
    "the whole schema": get_introspection_query(),
    "one type": '{ __type(name: "Pot") { name } }',
    "behind an alias": "{ me: __schema { queryType { name } } }",
    "in a fragment": "{ ...F } fragment F on Query { ... { __schema { queryType { name } } } }",
    "beside others": "query A { me { id } } query B { __schema { queryType { name } } }",
    "under a condition": "query ($no: Boolean = false) { __schema @include(if: $no) { queryType { name } } }",
    "federation's SDL": "{ _service { sdl } }",
}


@pytest.mark.parametrize("query", DESCRIBING.values(), ids=DESCRIBING)
def test_introspection_is_refused_where_it_is_off_and_valid_where_it_is_on(toy: Schema, gateway: Gateway, query: str) -> None:
    status, errors = refused(gateway, query)

    assert status == 400
    assert {error["extensions"]["code"] for error in errors} == {NOT_ALLOWED}
    Gateway(toy, introspection=True)._documents.get(query)


async def test_introspection_leaves_type_names_which_clients_need(gateway: Gateway, household: Household) -> None:
    answer = await ask(gateway, household, "{ __typename me { __typename } }")

    assert answer["data"] == {"__typename": "Query", "me": {"__typename": "Person"}}


#: Every way of graphql-core's to guess what a document meant.
GUESSES = {
    "a field": "{ mee { id } }",
    "a field of an object": "{ me { nam } }",
    "a field of a type behind an interface": '{ node(id: "x") { name } }',
    "the selection of an object": "{ me }",
    "an argument": "{ me { entries(firs: 1) { totalCount } } }",
    "an argument of a directive": "{ me { id @skip(iff: true, if: true) } }",
    "a type of a fragment": "{ me { ...F } } fragment F on Persn { id }",
    "a type of an inline fragment": "{ me { ... on Persn { id } } }",
    "a type of a variable": "query ($n: Itn) { me { entries(first: $n) { totalCount } } }",
    "an enum value": "{ me { entries(sort: NEWES) { totalCount } } }",
    "an enum value in a text": '{ me { entries(sort: "NEWEST") { totalCount } } }',
    "an input field": '{ me { entries(filter: {txt: "a"}) { totalCount } } }',
    "an enum value in an input": "{ me { entries(filter: {direction: DEBT}) { totalCount } } }",
    "an enum value in a default": "query ($s: EntrySort = NEWES) { me { entries(sort: $s) { totalCount } } }",
    "an input field in a default": 'query ($f: EntryFilter = {txt: "a"}) { me { entries(filter: $f) { totalCount } } }',
}


@pytest.mark.parametrize("query", GUESSES.values(), ids=GUESSES)
def test_suggestions_are_made_only_where_introspection_is_on(toy: Schema, gateway: Gateway, query: str) -> None:
    _, errors = refused(gateway, query)
    _, told = refused(Gateway(toy, introspection=True), query)

    assert SUGGESTION in str(told)
    assert SUGGESTION not in str(errors)
    assert [error["locations"] for error in told] == [error["locations"] for error in errors]
    assert {error["extensions"]["code"] for error in errors} == {"GRAPHQL_VALIDATION_FAILED"}


VALUES: list[tuple[str, dict[str, Any]]] = [
    ("query ($s: EntrySort) { me { entries(sort: $s) { totalCount } } }", {"s": "NEWES"}),
    ("query ($f: EntryFilter) { me { entries(filter: $f) { totalCount } } }", {"f": {"txt": "a"}}),
    ("query ($f: EntryFilter) { me { entries(filter: $f) { totalCount } } }", {"f": {"direction": "DEBT"}}),
    ("mutation ($i: PotResizeInput!) { potResize(input: $i) { pot { id } } }", {"i": {"idd": "x", "id": "x", "size": "1"}}),
]


@pytest.mark.parametrize(("query", "variables"), VALUES, ids=range(len(VALUES)))
def test_suggestions_about_variables_are_made_only_where_introspection_is_on(
    toy: Schema, gateway: Gateway, query: str, variables: dict[str, Any]
) -> None:
    def refusal_of(served: Gateway) -> str:
        with pytest.raises(RequestRefused) as found:
            served.prepare(GraphQLRequest(query, variables=variables))
        assert {(error.extensions or {})["code"] for error in found.value.errors} == {"BAD_USER_INPUT"}
        return str(found.value.errors)

    assert SUGGESTION in refusal_of(Gateway(toy, introspection=True))
    assert SUGGESTION not in refusal_of(gateway)


def test_suggestions_come_from_no_other_place_of_the_libraries() -> None:
    """A new one, after an upgrade, wants a case above."""
    guessing = re.compile(r"did_you_mean\w*\(|Did you mean")
    found = {
        str(path.relative_to(folder.parent))
        for folder in (Path(graphql.__file__).parent, Path(strawberry.__file__).parent / "schema")
        for path in folder.rglob("*.py")
        if guessing.search("\n".join(line for line in path.read_text().splitlines() if ">>>" not in line))
    }

    assert found == {
        "graphql/pyutils/did_you_mean.py",
        "graphql/type/definition.py",  # enum values
        "graphql/type/validate.py",  # of schemas
        "graphql/utilities/validate_input_value.py",  # input fields, in documents and in variables
        "graphql/validation/rules/fields_on_correct_type.py",
        "graphql/validation/rules/known_argument_names.py",
        "graphql/validation/rules/known_type_names.py",
        "graphql/validation/rules/possible_type_extensions.py",  # of schemas
        "graphql/validation/rules/scalar_leafs.py",
        "schema/base.py",  # of Strawberry, for its own view
    }
