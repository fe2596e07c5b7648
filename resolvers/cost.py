"""What an operation may cost at most, known before it runs.

One pass over a valid document, memoised by fragment, so that its time is linear in the document even where fragments
double on every level. Every selection counts, skipped or not. Sizes come from the declarations:

    a leaf, Money, page info                     0
    an object                                    1 + what is selected of it
    a list of `links`                            its declared size x its object
    a page                                       1 + `first` x its object (for `nodes` and for `edges` each); totalCount 1
    `nodes`, `_entities`                         as many objects as ids are given
    any other list                               10 x its object
    a mutation                                   10 more
    introspection                                1/100 per object, lists at the size they usually have

`first` may be a variable: the pass leaves it open, and `Measured.cost` puts the request's value in.
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
    GraphQLObjectType,
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
from graphql.type import GraphQLField, GraphQLList, GraphQLNonNull, introspection_types

from resolvers.declared import DeclaredField, Link, PageOf
from resolvers.errors import CostLimitExceeded
from resolvers.paging import DEFAULT_FIRST, MAX_FIRST


class Limits(NamedTuple):
    """What an operator bounds: tokens of a document, depth in fields and cost of an operation."""

    tokens: int = 2_000
    depth: int = 15
    cost: int = 1_000


LIMITS = Limits()
MAX_DIRECTIVES = 100
#: Equal response names in one selection set: comparing them is quadratic in validation.
MAX_REPEATS = 20
#: Selection sets inside each other, fragments and all.
MAX_NESTING = 60

ASSUMED_LIST = 10
MUTATION_EXTRA = 10
UNITS = 100
FREE_TYPES = frozenset({"Money", "PageInfo", "_Service"})
SIZED_BY = {"nodes": "ids", "_entities": "representations"}
INTROSPECTION_SIZES = {"types": 100, "fields": 10, "args": 2, "inputFields": 5, "enumValues": 5, "possibleTypes": 5, "directives": 10}

BACKREF = "strawberry-definition"


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
    """Units: a constant, and other sums times a size."""

    constant: int = 0
    scaled: list[tuple[Size, "Sum"]] = field(default_factory=list)

    def add(self, size: Size, other: "Sum") -> None:
        if isinstance(size, int):
            if not other.scaled:
                self.constant += size * other.constant
                return
            if size == 0:
                return
        self.scaled.append((size, other))

    def evaluate(self, variables: Mapping[str, Any], known: dict[int, int]) -> int:
        """The units, each shared sum evaluated once."""
        if not self.scaled:
            return self.constant
        found = known.get(id(self))
        if found is None:
            found = self.constant
            for size, other in self.scaled:
                found += (size if isinstance(size, int) else size.of(variables)) * other.evaluate(variables, known)
            known[id(self)] = found
        return found


@dataclass(frozen=True, slots=True)
class Measured:
    """An operation's depth in fields, and its cost but for the variables."""

    depth: int
    units: Sum

    def cost(self, variables: Mapping[str, Any]) -> int:
        """The cost with the request's coerced variables, at least 1."""
        return max(1, -(-self.units.evaluate(variables, {}) // UNITS))


def check_shape(document: DocumentNode) -> None:
    """What must hold before validation, which is quadratic in repeated names. Errors: CostLimitExceeded."""
    directives = 0
    pending: list[Any] = list(document.definitions)
    while pending:
        node = pending.pop()
        directives += len(getattr(node, "directives", None) or ())
        selection_set = getattr(node, "selection_set", None)
        if selection_set is not None:
            _check_repeats(selection_set)
            pending.extend(selection_set.selections)
    if directives > MAX_DIRECTIVES:
        raise CostLimitExceeded(f"A document may have at most {MAX_DIRECTIVES} directives.", limit=MAX_DIRECTIVES)


def _check_repeats(selection_set: SelectionSetNode) -> None:
    seen: dict[str, int] = {}
    for node in selection_set.selections:
        if isinstance(node, FieldNode):
            name = (node.alias or node.name).value
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > MAX_REPEATS:
                raise CostLimitExceeded(f"The same field may be selected at most {MAX_REPEATS} times at one place.", limit=MAX_REPEATS)


def measure(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, limits: Limits = LIMITS) -> Measured:
    """Depth and symbolic cost of an operation of a valid document. Errors: CostLimitExceeded when it is too deep."""
    root = schema.get_root_type(operation.operation)
    assert root is not None  # noqa: S101 - validation has seen to it
    walk = _Walk(schema, limits, {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)})
    units, depth = walk.selections(operation.selection_set, root, ASSUMED_LIST, 0)
    if depth > limits.depth:
        raise _too_deep(limits.depth)
    if root is schema.mutation_type:
        units.constant += MUTATION_EXTRA * UNITS * len(operation.selection_set.selections)
    return Measured(depth, units)


def check_cost(cost: int, limits: Limits = LIMITS) -> None:
    """Errors: CostLimitExceeded."""
    if cost > limits.cost:
        raise CostLimitExceeded(
            f"The operation costs {cost}, and {limits.cost} is the most. Ask for fewer or smaller pages.", cost=cost, limit=limits.cost
        )


def _too_deep(limit: int) -> CostLimitExceeded:
    return CostLimitExceeded(f"An operation may be {limit} fields deep at most.", limit=limit)


class _Walk:
    def __init__(self, schema: GraphQLSchema, limits: Limits, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self.schema = schema
        self.limits = limits
        self.fragments = fragments
        self.known: dict[tuple[str, str, Size], tuple[Sum, int]] = {}

    def selections(self, selection_set: SelectionSetNode, parent: GraphQLNamedType, page: Size, nesting: int) -> tuple[Sum, int]:
        """Units and depth of a selection set. `page`: the size of the page whose connection this is."""
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

    def fragment(self, name: str, parent: GraphQLNamedType, page: Size, nesting: int) -> tuple[Sum, int]:
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

    def field(self, node: FieldNode, parent: GraphQLNamedType, page: Size, nesting: int) -> tuple[Sum, int]:
        definition = self._definition(node, parent)
        named = get_named_type(definition.type)
        if node.selection_set is None or not is_composite_type(named):
            return Sum(UNITS if node.name.value == "totalCount" else 0), 1
        how = self._how(definition)
        if isinstance(how, PageOf):
            total = Sum(UNITS)
            inner, depth = self.selections(node.selection_set, named, _first(node), nesting + 1)
            total.add(1, inner)
            return total, depth + 1
        inner, depth = self.selections(node.selection_set, named, page, nesting + 1)
        each = Sum(self._weight(named))
        each.add(1, inner)
        total = Sum()
        total.add(self._size(node, definition, how, parent, page), each)
        return total, depth + 1

    def _definition(self, node: FieldNode, parent: GraphQLNamedType) -> GraphQLField:
        found = self.schema.get_field(parent, node.name.value)  # type: ignore[arg-type]
        assert found is not None  # noqa: S101 - validation has seen to it
        return found

    def _how(self, definition: GraphQLField) -> object:
        declared = definition.extensions.get(BACKREF)
        return declared.how if isinstance(declared, DeclaredField) else None

    def _weight(self, named: GraphQLNamedType) -> int:
        if named.name in introspection_types:
            return 1
        if named.name in FREE_TYPES or _is_edge(named):
            return 0
        return UNITS

    def _size(self, node: FieldNode, definition: GraphQLField, how: object, parent: GraphQLNamedType, page: Size) -> Size:
        if isinstance(how, Link):
            return how.size
        if not _is_list(definition):
            return 1
        if _is_connection(parent):
            return page
        name = node.name.value
        if parent.name in introspection_types:
            return INTROSPECTION_SIZES.get(name, 1)
        if parent is self.schema.query_type and name in SIZED_BY:
            return _length(_argument(node, SIZED_BY[name]))
        return 1 if name == "errors" else ASSUMED_LIST


def _is_list(definition: GraphQLField) -> bool:
    kind = definition.type
    return isinstance(kind.of_type if isinstance(kind, GraphQLNonNull) else kind, GraphQLList)


def _is_connection(named: GraphQLNamedType) -> bool:
    return isinstance(named, GraphQLObjectType) and named.name.endswith("Connection") and "pageInfo" in named.fields


def _is_edge(named: GraphQLNamedType) -> bool:
    return isinstance(named, GraphQLObjectType) and named.name.endswith("Edge") and named.fields.keys() == {"node", "cursor"}


def _argument(node: FieldNode, name: str) -> ValueNode | None:
    return next((argument.value for argument in node.arguments or () if argument.name.value == name), None)


def _first(node: FieldNode) -> Size:
    match _argument(node, "first"):
        case IntValueNode(value=text):
            return max(0, min(int(text), MAX_FIRST))
        case VariableNode(name=name):
            return SizeOf(name.value, DEFAULT_FIRST, MAX_FIRST)
        case _:
            return DEFAULT_FIRST


def _length(value: ValueNode | None) -> Size:
    match value:
        case ListValueNode(values=values):
            return min(len(values), MAX_FIRST)
        case VariableNode(name=name):
            return SizeOf(name.value, 1, MAX_FIRST)
        case _:
            return 1
