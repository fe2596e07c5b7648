"""The one schema, assembled from the domains' parts by name."""

import asyncio
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, TypeAlias

import strawberry
from strawberry.federation import Schema as FederationSchema
from strawberry.federation.schema import FederationAny
from strawberry.printer import print_schema
from strawberry.schema.config import StrawberryConfig

from resolvers.assembly import assemble
from resolvers.context import Info
from resolvers.declared import Declarations, current
from resolvers.errors import BadUserInput
from resolvers.nodes import Node, load_node
from resolvers.payloads import expose_core
from resolvers.prices import at_most
from resolvers.scalars import SCALARS

DOMAINS = ("user", "auth", "bank", "transaction", "budget", "analytics", "notification", "audit")
PARTS = ("loaders", "types", "queries", "mutations", "subscriptions")

#: Most ids that `nodes` and `_entities` take at once.
MAX_NODES = 100

OneId: TypeAlias = Annotated[strawberry.ID, strawberry.argument(description="The id of anything.")]
ManyIds: TypeAlias = Annotated[list[strawberry.ID], strawberry.argument(description="Ids of anything, of several types if need be.")]


class Schema(FederationSchema):
    """Strawberry's federation schema, with our own `_entities` and a way back to the declarations."""

    declarations: Declarations

    def entities_resolver(self, info: Info, representations: list[FederationAny]) -> list[Any]:
        """Entities by `{__typename, id}`, in order; null for each that is not there. Errors: BadUserInput."""
        if len(representations) > MAX_NODES:
            raise BadUserInput(f"At most {MAX_NODES} entities at once.", argument="representations")
        return [load_node(self.declarations, info.context, *_reference(each)) for each in representations]


def _reference(representation: Any) -> tuple[str, str]:
    match representation:
        case {"__typename": str(type_name), "id": str(global_id)}:
            return global_id, type_name
        case _:
            raise BadUserInput("A representation has `__typename` and `id`.", argument="representations")


def make_schema(declarations: Declarations) -> Schema:
    """Assemble one schema. Errors: TypeError for clashes, dangling names and contributions that read too much."""
    roots = assemble(declarations)
    query = _with_nodes(declarations, roots["Query"]) if declarations.entities else roots["Query"]
    schema = Schema.__new__(Schema)
    schema.declarations = declarations
    schema.__init__(  # type: ignore[misc]
        query=query,
        mutation=roots.get("Mutation"),
        subscription=roots.get("Subscription"),
        types=[made for _, made in sorted(declarations.types.items())],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    return schema


def _with_nodes(declarations: Declarations, query: type) -> type:
    """Query with `node` and `nodes`, which belong to no domain."""

    async def node(info: Info, id: OneId) -> Node | None:
        return await load_node(declarations, info.context, id)  # type: ignore[return-value]

    async def nodes(info: Info, ids: ManyIds) -> list[Node | None]:
        if len(ids) > MAX_NODES:
            raise BadUserInput(f"At most {MAX_NODES} ids at once.", argument="ids")
        return await asyncio.gather(*(load_node(declarations, info.context, id) for id in ids))  # type: ignore[return-value]

    one = strawberry.field(resolver=node, description="Anything of yours by its global id; null when there is no such thing.")
    many = strawberry.field(
        resolver=nodes,
        description="Up to 100 things by their global ids, in their order, null for each that is not there.",
        directives=[at_most(MAX_NODES)],
    )
    made = strawberry.type(type("Nodes", (), {"node": one, "nodes": many, "__module__": __name__}))
    for field in made.__strawberry_definition__.fields:  # type: ignore[attr-defined]
        query.__strawberry_definition__.fields.append(field)  # type: ignore[attr-defined]
        declarations.field_owners[("Query", field.python_name)] = "*"
    return query


def import_domains() -> None:
    """Import what each domain declares. A part that a domain does not have is skipped."""
    expose_core()
    for module in _modules():
        import_module(module)


def _modules() -> Iterator[str]:
    for part in PARTS:
        for domain in DOMAINS:
            name = f"resolvers.{domain}.{part}"
            if find_spec(name) is not None:
                yield name


@cache
def build_schema() -> Schema:
    """The process's schema."""
    import_domains()
    return make_schema(current())


def export_sdl(schema: Schema | None = None) -> str:
    """The contract as federation SDL, ending with a newline; equal for equal declarations."""
    return print_schema(schema or build_schema()).rstrip() + "\n"


def field_owners(schema: Schema | None = None) -> dict[tuple[str, str], str]:
    """Which domain owns each (type, field): along these lines the schema splits into subgraphs."""
    return dict((schema or build_schema()).declarations.field_owners)


def owners(names: Iterable[str], schema: Schema | None = None) -> dict[str, str]:
    """Which domain owns each named type."""
    declared = (schema or build_schema()).declarations.owners
    return {name: declared[name] for name in names if name in declared}
