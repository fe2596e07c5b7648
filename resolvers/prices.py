"""What fields and types are declared to cost: the `@cost` and `@listSize` that the schema publishes, and that resolvers/cost.py counts by.

Both read the same objects, so what clients compute from the schema is what they are charged. The directives are those of
the GraphQL cost specification (https://ibm.github.io/graphql-specs/cost-spec.html) in the spelling of Apollo Federation,
whose tools carry them into a supergraph; as there, costs are one sum, in which the weight of a field takes the place of its type's.

    an object                    1
    a leaf                       0
    Money, PageInfo, an edge     0: `@cost(weight: 0)` on the type
    a count, `totalCount` too    1: a statement of its own
    a mutation                   10, in place of its payload's 1
    `links`                      `@listSize(assumedSize:)`, as declared
    a page                       `@listSize(slicingArguments: ["first"], sizedFields: ["edges", "nodes"])`
    `nodes`                      one for each id given: `assumedSize` is the most
    any other list of objects    `@listSize(assumedSize: 10)`, unless it says otherwise itself
"""

from collections.abc import Iterable
from typing import Any, TypeVar

from graphql import GraphQLNamedType, is_composite_type
from graphql.type import GraphQLField, GraphQLList, GraphQLNonNull
from strawberry.federation.schema_directives import Cost, ListSize
from strawberry.types.base import StrawberryList, StrawberryOptional
from strawberry.types.field import StrawberryField
from strawberry.types.unset import UNSET

from resolvers.declared import DeclaredField, Link, PageOf

D = TypeVar("D")

BACKREF = "strawberry-definition"
#: How many a list of objects is taken to give that does not say.
ASSUMED_LIST = 10
MUTATION_WEIGHT = 10
SLICED_BY = "first"
ROWS = ("edges", "nodes")


def at_most(size: int) -> ListSize:
    """Of a list that gives so many, or one for each value of its required list argument."""
    return ListSize(assumed_size=size, slicing_arguments=UNSET, sized_fields=UNSET, require_one_slicing_argument=UNSET)


def put_prices(types: Iterable[type], mutation: type) -> None:
    """Say of every list of objects how long it is taken to be, and of every mutation what it weighs. Done twice, it is done once."""
    for made in types:
        for field in made.__strawberry_definition__.fields:  # type: ignore[attr-defined]
            directives = list(field.directives)
            weight = MUTATION_WEIGHT if made is mutation else 1 if _is_counted(field) else None
            if weight is not None and not _found(directives, Cost):
                directives.append(Cost(weight=weight))
            if not _found(directives, ListSize) and (size := _list_size(field)) is not None:
                directives.append(size)
            field.directives = directives


def _is_counted(field: StrawberryField) -> bool:
    """A leaf for which a loader is asked: it is no column of a row that is read anyway."""
    how = field.how if isinstance(field, DeclaredField) else None
    return not isinstance(how, Link | PageOf) and getattr(how, "loader", None) is not None


def _list_size(field: StrawberryField) -> ListSize | None:
    how = field.how if isinstance(field, DeclaredField) else None
    match how:
        case PageOf():
            return ListSize(assumed_size=UNSET, slicing_arguments=[SLICED_BY], sized_fields=list(ROWS), require_one_slicing_argument=False)
        case Link(many=True, size=size):
            return at_most(size)
        case _:
            return at_most(ASSUMED_LIST) if _lists_objects(field) else None


def _lists_objects(field: StrawberryField) -> bool:
    kind: Any = field.type
    listed = False
    while isinstance(kind, StrawberryOptional | StrawberryList):
        listed = listed or isinstance(kind, StrawberryList)
        kind = kind.of_type
    return listed and getattr(kind, "__strawberry_definition__", None) is not None


def _found(directives: Iterable[object], kind: type[D]) -> D | None:
    return next((each for each in directives if isinstance(each, kind)), None)


def _declared(definition: Any, kind: type[D]) -> D | None:
    """The directive of a field or type of the built schema."""
    return _found(getattr(definition.extensions.get(BACKREF), "directives", None) or (), kind)


def weight_of(definition: GraphQLField, named: GraphQLNamedType) -> int:
    """What one value of the field weighs, what is selected of it aside."""
    cost = _declared(definition, Cost) or _declared(named, Cost)
    if cost is not None:
        return cost.weight
    return 1 if is_composite_type(named) else 0


def list_size_of(definition: GraphQLField) -> ListSize | None:
    return _declared(definition, ListSize)


def counted_argument(definition: GraphQLField) -> str | None:
    """The required list argument for each of whose values a list has one."""
    return next((name for name, argument in definition.args.items() if _is_list(argument.type, required=True)), None)


def is_list(definition: GraphQLField) -> bool:
    return _is_list(definition.type, required=False)


def _is_list(kind: object, *, required: bool) -> bool:
    if isinstance(kind, GraphQLNonNull):
        return isinstance(kind.of_type, GraphQLList)
    return not required and isinstance(kind, GraphQLList)
