"""Declarations: put together by name; whatever does not fit is found when the process starts."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import graphql
import pytest
import strawberry

from resolvers.declared import Declarations, declaring
from resolvers.fields import VIEWER_KEY, Node, column, entity, extends, link, links, money, page, value
from resolvers.loaders import get_loader, loader
from resolvers.schema import Schema, export_sdl, field_owners, make_schema, owners


async def nothing(*_: Any) -> list[Any]:
    return []


for name, shape in (("t.by_id", "one"), ("t.others_by_id", "one"), ("t.all", "many"), ("t.paged", "page"), ("t.counted", "count")):
    loader(name, shape=shape)(nothing)  # type: ignore[arg-type]


def declare(*extra: Any) -> Declarations:
    """A type T with a root field, and what the test adds."""
    with declaring(Declarations("t")) as declarations:

        @entity(loader="t.by_id")
        class T(Node):
            name = column(str)

        @extends("Query")
        class Roots:
            t = link("T", key=VIEWER_KEY)

        for each in extra:
            each()
    return declarations


def test_the_graphql_library_is_not_shadowed_by_the_folder_of_that_name() -> None:
    assert "site-packages" in graphql.__file__


def test_a_field_of_another_domain_stands_on_the_type_and_has_its_owner(toy: Schema) -> None:
    found = field_owners(toy)

    assert found[("Person", "name")] == "people"
    assert found[("Person", "pots")] == "pots"
    assert found[("Person", "entries")] == "entries"
    assert found[("Query", "me")] == "people"
    assert found[("Query", "node")] == "*"
    assert owners(["Entry", "EntryConnection", "Pot", "Nothing"], toy) == {"Entry": "entries", "EntryConnection": "entries", "Pot": "pots"}


def test_a_schema_assembles_twice_to_the_same_contract() -> None:
    declarations = declare()

    assert export_sdl(make_schema(declarations)) == export_sdl(make_schema(declarations))


def test_the_contract_is_the_same_in_every_process(toy: Schema) -> None:
    program = (
        "from tests.resolvers.core.toy import make_toy; from resolvers.schema import export_sdl; print(export_sdl(make_toy()), end='')"
    )
    root = Path(__file__).parents[3]
    texts = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=root, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    assert texts == {export_sdl(toy)}
    assert 'type Person implements Node @key(fields: "id")' in export_sdl(toy)


def two_fields_of_one_name() -> None:
    @extends("T")
    class More:
        name = links("T", loader="t.all")


def extends_nothing() -> None:
    @extends("Nowhere")
    class More:
        ts = links("T", loader="t.all")


def reads_another_column() -> None:
    @extends("T")
    class More:
        other = link("T", key="other_id")


def contributes_a_column() -> None:
    @extends("T")
    class More:
        colour = column(str)


def contributes_a_resolver() -> None:
    @extends("T")
    class More:
        @strawberry.field
        def colour(self) -> str:
            return "red"


def links_to_nothing() -> None:
    @value
    class V:
        gone = link("Gone", key="id")


def pages_nothing() -> None:
    @value
    class V:
        gone = page("Gone", loader="t.paged")


def unknown_loader() -> None:
    @value
    class V:
        ts = links("T", loader="t.unknown")


def loader_of_another_shape() -> None:
    @value
    class V:
        ts = links("T", loader="t.by_id")


def counts_with_a_page() -> None:
    @value
    class V:
        ts = page("T", loader="t.paged", count="t.paged")


def no_way_to_a_value() -> None:
    @value
    class V:
        amount = money()

    @value
    class W:
        v = link("V", key="id")


def root_field_of_a_column() -> None:
    @extends("Query")
    class More:
        ts = links("T", loader="t.all")


def column_of_an_object() -> None:
    @value
    class V:
        amount = column(Decimal)

    @value
    class W:
        v = column(V)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (two_fields_of_one_name, "T.name, which t owns"),
        (extends_nothing, "Nowhere, which nobody declares"),
        (reads_another_column, "'other_id': only the key"),
        (contributes_a_column, "T.colour"),
        (contributes_a_resolver, "T.colour"),
        (links_to_nothing, "Gone, which nobody declares"),
        (pages_nothing, "Gone, which nobody declares"),
        (unknown_loader, "'t.unknown'"),
        (loader_of_another_shape, "shape 'one'"),
        (counts_with_a_page, "shape 'page'"),
        (no_way_to_a_value, "V is not an entity"),
        (root_field_of_a_column, "VIEWER_KEY or EVERYBODY_KEY"),
        (column_of_an_object, "V is an object"),
    ],
)
def test_a_mistake_in_a_declaration_is_told_by_name(mistake: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        make_schema(declare(mistake))


def test_two_types_of_one_name_are_refused() -> None:
    def again() -> None:
        @value
        class T:
            name = column(str)

    with pytest.raises(TypeError, match="T, which t owns"):
        declare(again)


def test_an_entity_is_found_by_its_id_by_a_loader_that_says_so() -> None:
    loader("t.odd")(nothing)

    def odd() -> None:
        @entity(loader="t.odd")
        class Odd(Node):
            name = column(str)

    with pytest.raises(TypeError, match="by its id"):
        make_schema(declare(odd))
    with pytest.raises(TypeError, match="which loader"):
        entity(int)
    with pytest.raises(TypeError, match="derive from Node"):
        entity(loader="t.by_id")(int)


def test_a_loader_has_a_domain_and_one_function() -> None:
    async def other(*_: Any) -> list[Any]:
        return []

    with pytest.raises(TypeError, match="<domain>"):
        loader("by_id")
    with pytest.raises(TypeError, match="two loaders"):
        loader("t.by_id")(other)
    assert get_loader("t.by_id").key == "id"
    assert get_loader("t.others_by_id").key == "id"
    assert get_loader("t.all").key is None
