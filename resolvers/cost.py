"""What an operation may cost at most, known before it runs.

One pass over a valid document, memoised by fragment, so that its time is linear in the document even where fragments
double on every level. Every selection counts, skipped or not: its weight and what is selected of it, as often as it may
come. Weights and sizes are those that the schema publishes as `@cost` and `@listSize` (resolvers/prices.py). Only
introspection is not in there: 1/100 per object, 1/10 per leaf, lists at the size they usually have.

Leaves cost nothing, as they come with their row. But a row may be asked for the same leaf under as many names as a document
has room for, so how many leaves the answer may hold is counted too, and bounded.

`first` may be a variable: the pass leaves it open, and `Measured.price` puts the request's value in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_composite_type,
)
from graphql.type import GraphQLField, introspection_types
from strawberry.federation.schema_directives import ListSize

from resolvers.errors import CostLimitExceeded
from resolvers.paging import DEFAULT_FIRST, MAX_FIRST
from resolvers.prices import ASSUMED_LIST, counted_argument, is_list, list_size_of, weight_of
from resolvers.shape import MAX_NESTING


class Limits(NamedTuple):
    """What an operator bounds: tokens of a document, depth in fields and cost of an operation."""

    tokens: int = 2_000
    depth: int = 15
    cost: int = 1_000


LIMITS = Limits()
UNITS = 100
#: Leaves of one answer: a thousand objects, thirty leaves of each.
MAX_VALUES = 30_000
INTROSPECTION_SIZES = {"types": 100, "fields": 10, "args": 2, "inputFields": 5, "enumValues": 5, "possibleTypes": 5, "directives": 10}


@dataclass(frozen=True, slots=True)
class SizeOf:
    """A size that a variable of the request decides: its number, or its length."""

    variable: str
    default: int
    most: int

    def of(self, variables: Mapping[str, Any]) -> int:
        value = variables.get(self.variable)
        if isinstance(value, list | tuple):
            return min(len(value), self.most)
        if isinstance(value, int):
            return max(0, min(value, self.most))
        return self.default


Size: TypeAlias = int | SizeOf


@dataclass(slots=True)
class Sum:
    """Units of cost, and of leaves: constants, and other sums times a size."""

    constant: int = 0
    values: int = 0
    scaled: list[tuple[Size, "Sum"]] = field(default_factory=list)

    def add(self, size: Size, other: "Sum") -> None:
        if isinstance(size, int):
            if not other.scaled:
                self.constant += size * other.constant
                self.values += size * other.values
                return
            if size == 0:
                return
        self.scaled.append((size, other))

    def evaluate(self, variables: Mapping[str, Any], known: dict[int, tuple[int, int]]) -> tuple[int, int]:
        """Both, each shared sum evaluated once."""
        if not self.scaled:
            return self.constant, self.values
        found = known.get(id(self))
        if found is None:
            units, values = self.constant, self.values
            for each, other in self.scaled:
                size = each if isinstance(each, int) else each.of(variables)
                more_units, more_values = other.evaluate(variables, known)
                units += size * more_units
                values += size * more_values
            found = known[id(self)] = units, values
        return found


class Price(NamedTuple):
    """What an operation costs, at least 1, and how many leaves its answer may hold."""

    cost: int
    values: int


@dataclass(frozen=True, slots=True)
class Measured:
    """An operation's depth in fields, and its price but for the variables."""

    depth: int
    sum: Sum

    def price(self, variables: Mapping[str, Any]) -> Price:
        """With the request's coerced variables."""
        units, values = self.sum.evaluate(variables, {})
        return Price(max(1, -(-units // UNITS)), -(-values // UNITS))


def measure(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, limits: Limits = LIMITS) -> Measured:
    """Depth and symbolic cost of an operation of a valid document. Errors: CostLimitExceeded when it is too deep."""
    root = schema.get_root_type(operation.operation)
    assert root is not None  # noqa: S101 - validation has seen to it
    walk = _Walk(schema, limits, {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)})
    total, depth = walk.selections(operation.selection_set, root, None, 0)
    if depth > limits.depth:
        raise _too_deep(limits.depth)
    return Measured(depth, total)


def check_price(price: Price, limits: Limits = LIMITS) -> None:
    """Errors: CostLimitExceeded."""
    cost, values = price
    if cost > limits.cost:
        raise CostLimitExceeded(
            f"The operation costs {cost}, and {limits.cost} is the most. Ask for fewer or smaller pages.", cost=cost, limit=limits.cost
        )
    if values > MAX_VALUES:
        raise CostLimitExceeded(
            f"The answer may hold {values} values, and {MAX_VALUES} is the most. Ask for fewer fields, or smaller pages.", limit=MAX_VALUES
        )


def _too_deep(limit: int) -> CostLimitExceeded:
    return CostLimitExceeded(f"An operation may be {limit} fields deep at most.", limit=limit)


class Sized(NamedTuple):
    """The size of a page, for those fields of its connection that hold its rows."""

    fields: tuple[str, ...]
    size: Size


class _Walk:
    def __init__(self, schema: GraphQLSchema, limits: Limits, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self.schema = schema
        self.limits = limits
        self.fragments = fragments
        self.known: dict[tuple[str, str, Sized | None], tuple[Sum, int]] = {}

    def selections(self, selection_set: SelectionSetNode, parent: GraphQLNamedType, page: Sized | None, nesting: int) -> tuple[Sum, int]:
        """Units and depth of a selection set. `page`: of the page whose connection this is."""
        if nesting > max(MAX_NESTING, self.limits.depth):
            raise _too_deep(self.limits.depth)
        total, depth = Sum(), 0
        spread: set[str] = set()
        for node in selection_set.selections:
            match node:
                case FieldNode():
                    inner, levels = self.field(node, parent, page, nesting)
                case InlineFragmentNode():
                    inner, levels = self.selections(node.selection_set, self._condition(node, parent), page, nesting + 1)
                case FragmentSpreadNode() if node.name.value not in spread:
                    spread.add(node.name.value)
                    inner, levels = self.fragment(node.name.value, parent, page, nesting)
                case _:
                    continue
            total.add(1, inner)
            depth = max(depth, levels)
        return total, depth

    def fragment(self, name: str, parent: GraphQLNamedType, page: Sized | None, nesting: int) -> tuple[Sum, int]:
        place = (name, parent.name, page)
        found = self.known.get(place)
        if found is None:
            definition = self.fragments[name]
            found = self.selections(definition.selection_set, self._condition(definition, parent), page, nesting + 1)
            self.known[place] = found
        return found

    def _condition(self, node: InlineFragmentNode | FragmentDefinitionNode, parent: GraphQLNamedType) -> GraphQLNamedType:
        if node.type_condition is None:
            return parent
        return self.schema.get_type(node.type_condition.name.value) or parent

    def field(self, node: FieldNode, parent: GraphQLNamedType, page: Sized | None, nesting: int) -> tuple[Sum, int]:
        definition = self._definition(node, parent)
        named = get_named_type(definition.type)
        units = self._units(definition, named)
        if node.selection_set is None:
            return Sum(units, UNITS // 10 if parent.name in introspection_types else UNITS), 1
        each = Sum(units)
        size, inner_page = self._size(node, definition, parent, page)
        inner, depth = self.selections(node.selection_set, named, inner_page, nesting + 1)
        each.add(1, inner)
        total = Sum()
        total.add(size, each)
        return total, depth + 1

    def _definition(self, node: FieldNode, parent: GraphQLNamedType) -> GraphQLField:
        found = self.schema.get_field(parent, node.name.value)  # type: ignore[arg-type]
        assert found is not None  # noqa: S101 - validation has seen to it
        return found

    def _units(self, definition: GraphQLField, named: GraphQLNamedType) -> int:
        if named.name in introspection_types:
            return 1 if is_composite_type(named) else 0
        return UNITS * weight_of(definition, named)

    def _size(self, node: FieldNode, definition: GraphQLField, parent: GraphQLNamedType, page: Sized | None) -> tuple[Size, Sized | None]:
        """How many a field gives, and the page that it is the connection of."""
        listed = list_size_of(definition)
        if listed is not None and listed.sized_fields:
            return 1, Sized(tuple(listed.sized_fields), _sliced(node, listed))
        if not is_list(definition):
            return 1, None
        name = node.name.value
        if page is not None and name in page.fields:
            return page.size, None
        if parent.name in introspection_types:
            return INTROSPECTION_SIZES.get(name, 1), None
        most = ASSUMED_LIST if listed is None or listed.assumed_size is None else listed.assumed_size
        counted = counted_argument(definition)
        if counted is not None:
            return _length(_argument(node, counted), most if listed else MAX_FIRST), None
        return most, None


def _argument(node: FieldNode, name: str) -> ValueNode | None:
    return next((argument.value for argument in node.arguments or () if argument.name.value == name), None)


def _sliced(node: FieldNode, listed: ListSize) -> Size:
    """What its slicing argument says; ours have one, `first`."""
    match _argument(node, (listed.slicing_arguments or [""])[0]):
        case IntValueNode(value=text):
            return max(0, min(int(text), MAX_FIRST))
        case VariableNode(name=name):
            return SizeOf(name.value, DEFAULT_FIRST, MAX_FIRST)
        case _:
            return DEFAULT_FIRST


def _length(value: ValueNode | None, most: int) -> Size:
    match value:
        case ListValueNode(values=values):
            return min(len(values), most)
        case VariableNode(name=name):
            return SizeOf(name.value, 1, most)
        case _:
            return 1
