"""What the schema publishes about costs is what is charged: worked out from the printed SDL alone, every operation comes to the same."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    is_composite_type,
    parse,
    type_from_ast,
)
from graphql.type import GraphQLNonNull

from resolvers.contract import FOLDER, MANIFEST, written
from resolvers.execution.operation import Gateway, GraphQLRequest, RequestRefused
from resolvers.execution.persisted import Persisted, read_manifest, sha256_of
from resolvers.prices import MUTATION_WEIGHT
from resolvers.schema import export_sdl
from tests.resolvers.published_costs import cost_of, directive, is_list, read

OPERATIONS = Path(__file__).parents[2] / "graphql" / "operations"
DOCUMENTS = {f"{path.parent.name}/{path.stem}": path.read_text() for path in sorted(OPERATIONS.glob("*/*.graphql"))}

MORE = {
    "all of a page": "{ me { transactions { edges { cursor node { id category { parent { id } } } } nodes { id } totalCount } } }",
    "pages in lists": "{ me { accounts { connection { accounts { id } } transactions(first: 7) { nodes { id amount { amount } } } } } }",
    "fragments": "{ me { ...A ... { budgets { ...B } } } } fragment A on User { accounts { id } } fragment B on Budget { category { id } }",
    "aliases": "{ a: me { budgets { id } } b: me { budgets { id } } }",
    "many by their ids": 'query { nodes(ids: ["a", "b"]) { id ... on Budget { category { id } } } }',
    "a hidden mutation": "mutation { ...M } fragment M on Mutation { a: signOut { errors { code } } b: signOut { errors { code } } }",
}


@pytest.fixture(scope="module")
def published() -> GraphQLSchema:
    """The schema as printed, and as a client's tools read it."""
    return read(export_sdl())


def variables_of(schema: GraphQLSchema, text: str) -> list[dict[str, Any]]:
    """Values for what decides a size: numbers and lists. None of the others does."""
    [operation] = [each for each in parse(text).definitions if isinstance(each, OperationDefinitionNode)]
    choices: dict[str, list[Any]] = {}
    for declared in operation.variable_definitions or ():
        kind = type_from_ast(schema, declared.type)
        name = declared.variable.name.value
        if kind is not None and is_list(kind):
            choices[name] = [["a"], ["a"] * 40]
        elif get_named_type(kind) is not None and str(get_named_type(kind)) == "Int":
            choices[name] = [1, 50, 100] + ([] if isinstance(kind, GraphQLNonNull) else [None])
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


@pytest.mark.parametrize("text", (DOCUMENTS | MORE).values(), ids=DOCUMENTS | MORE)
def test_what_the_schema_says_an_operation_costs_is_what_is_charged(api: Gateway, published: GraphQLSchema, text: str) -> None:
    [operation] = api._documents.get(text).operations.values()

    for variables in variables_of(published, text):
        assert operation.measured.price(variables).cost == cost_of(published, text, variables), variables


def fields(schema: GraphQLSchema) -> list[tuple[str, GraphQLField]]:
    kinds = [each for each in schema.type_map.values() if isinstance(each, GraphQLObjectType | GraphQLInterfaceType)]
    return [
        (f"{kind.name}.{name}", field) for kind in kinds for name, field in kind.fields.items() if "__" not in kind.name and name[0] != "_"
    ]


def test_every_list_of_objects_says_how_long_it_is_taken_to_be(published: GraphQLSchema) -> None:
    sized = {
        f"{get_named_type(field.type)}.{name}"
        for _, field in fields(published)
        for name in (directive(field.ast_node, "listSize") or {}).get("sizedFields", ())
    }

    unsaid = {
        place
        for place, field in fields(published)
        if is_list(field.type) and is_composite_type(get_named_type(field.type)) and directive(field.ast_node, "listSize") is None
    }

    assert unsaid == sized
    assert all(place.rpartition(".")[2] in ("edges", "nodes") for place in sized)


def test_every_mutation_has_its_weight(published: GraphQLSchema) -> None:
    assert published.mutation_type is not None
    weights = {name: directive(field.ast_node, "cost") for name, field in published.mutation_type.fields.items()}

    assert weights
    assert all(weight is not None and weight["weight"] >= MUTATION_WEIGHT for weight in weights.values())


def test_every_ready_operation_is_known_by_its_hash_where_nothing_else_is_served(api: Gateway) -> None:
    documents = read_manifest(written(FOLDER)[MANIFEST].encode())
    strict = Gateway(api.schema, persisted=Persisted(documents, only=True))

    assert documents == {sha256_of(text): text for text in DOCUMENTS.values()}
    for text in DOCUMENTS.values():
        assert strict._persisted.text_of(None, f"sha256:{sha256_of(text)}") == text
        strict._documents.get(text)
    with pytest.raises(RequestRefused):
        strict.prepare(GraphQLRequest("{ me { id } }"))
