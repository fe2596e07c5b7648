"""Anything by its global id; what is malformed, foreign or absent answers alike."""

import pytest

from resolvers.execution.operation import Gateway
from resolvers.ids import to_global_id
from resolvers.schema import Schema
from tests.resolvers.core.asking import ask, codes
from tests.resolvers.core.toy import ALICE, POT_OF_ALICE, Household

POT = to_global_id("Pot", POT_OF_ALICE)
NODE = (
    "query ($id: ID!) { node(id: $id) { __typename id ... on Pot { name label { title } } ... on Person { name } ... on Label { title } } }"
)


async def test_a_node_is_of_the_type_its_id_says(gateway: Gateway, household: Household) -> None:
    pot = await ask(gateway, household, NODE, id=POT)
    person = await ask(gateway, household, NODE, id=to_global_id("Person", ALICE))
    label = await ask(gateway, household, NODE, id=to_global_id("Label", "FUN"))

    assert pot["data"]["node"] == {"__typename": "Pot", "id": POT, "name": "Pot 0", "label": {"title": "Food"}}
    assert person["data"]["node"]["name"] == "Alice"
    assert label["data"]["node"]["title"] == "Fun"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        str(POT_OF_ALICE),
        to_global_id("Pot", ALICE),
        to_global_id("Nothing", ALICE),
        to_global_id("Usage", POT_OF_ALICE),
        to_global_id("Pot", "1"),
        to_global_id("Label", "GONE"),
        POT + "=",
        POT.lower(),
    ],
)
async def test_what_is_not_a_node_of_yours_is_null_without_an_error(gateway: Gateway, household: Household, value: str) -> None:
    answer = await ask(gateway, household, NODE, id=value)

    assert answer["data"] == {"node": None}
    assert "errors" not in answer


async def test_nodes_come_in_the_order_asked_with_one_statement_per_type(gateway: Gateway, household: Household) -> None:
    other = to_global_id("Pot", household.tables["pots"][1]["id"])
    label = to_global_id("Label", "FOOD")

    answer = await ask(gateway, household, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[other, "x", label, POT, other])

    assert answer["data"]["nodes"] == [{"id": other}, None, {"id": label}, {"id": POT}, {"id": other}]
    assert len(household.asked) == 2
    assert answer["extensions"]["cost"]["requested"] == 5


async def test_at_most_a_hundred_nodes_are_taken(gateway: Gateway, household: Household) -> None:
    answer = await ask(gateway, household, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[POT] * 101)

    assert codes(answer) == ["BAD_USER_INPUT"]
    assert household.asked == []


ENTITIES = "query ($r: [_Any!]!) { _entities(representations: $r) { __typename ... on Pot { name } ... on Label { title } } }"


async def test_entities_are_found_by_type_and_id(gateway: Gateway, household: Household) -> None:
    references = [
        {"__typename": "Pot", "id": POT},
        {"__typename": "Label", "id": POT},
        {"__typename": "Label", "id": to_global_id("Label", "FUN")},
        {"__typename": "Usage", "id": to_global_id("Usage", POT_OF_ALICE)},
        {"__typename": "Nothing", "id": "x"},
    ]
    before = [dict(reference) for reference in references]

    answer = await ask(gateway, household, ENTITIES, r=references)

    found = answer["data"]["_entities"]
    assert found == [{"__typename": "Pot", "name": "Pot 0"}, None, {"__typename": "Label", "title": "Fun"}, None, None]
    assert references == before


@pytest.mark.parametrize("reference", [5, "x", [], {}, {"id": POT}, {"__typename": "Pot"}, {"__typename": "Pot", "id": 5}])
async def test_a_malformed_representation_is_the_client_s_fault(gateway: Gateway, household: Household, reference: object) -> None:
    answer = await ask(gateway, household, ENTITIES, r=[reference])

    assert codes(answer) == ["BAD_USER_INPUT"]


async def test_the_subgraph_tells_its_sdl(toy: Schema, household: Household) -> None:
    answer = await ask(Gateway(toy, introspection=True), household, "{ _service { sdl } }")

    assert '@key(fields: "id")' in answer["data"]["_service"]["sdl"]
    assert "type Entry implements Node" in answer["data"]["_service"]["sdl"]
