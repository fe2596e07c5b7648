"""From an operation to its plan. Raises Unplannable where only graphql-core can run it."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    OperationDefinitionNode,
    VariableNode,
    get_argument_values,
    get_named_type,
    print_ast,
)
from graphql.execution.values import VariableValues
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from resolvers.declared import (
    UNPAGED,
    VIEWER_KEY,
    AmountsOf,
    Column,
    CountOf,
    DeclaredField,
    GlobalId,
    Link,
    MoneyOf,
    PageOf,
    sort_columns,
)
from resolvers.errors import Fault
from resolvers.execution.build import compile_builders
from resolvers.execution.plan import (
    Amount,
    Amounts,
    Child,
    ConnectionPart,
    Constant,
    Edges,
    Embedded,
    Fetch,
    Identity,
    Info,
    Leaf,
    Nodes,
    PageCall,
    Piece,
    Plan,
    Step,
    Total,
    Unplannable,
    View,
    enum_names,
    object_type,
)
from resolvers.execution.selection import Selection
from resolvers.loaders import Page, get_loader
from resolvers.paging import Paging, read_arguments
from resolvers.schema import Schema

BACKREF = "strawberry-definition"
TYPENAME = "__typename"
#: Scalars whose rows hold what is answered (the JSON encoder writes dates and instants).
PLAIN_SCALARS = frozenset({"String", "Int", "Float", "Boolean", "ID", "Decimal", "Date", "DateTime", "LocalTime", "CurrencyCode", "JSON"})
NO_VARIABLES = VariableValues({}, {})


def make_plan(
    schema: Schema, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode], decided: Mapping[str, bool]
) -> Plan:
    """The plan of a query or a subscription. Errors: Unplannable."""
    planner = _Planner(schema, Selection(schema._schema, fragments, decided))
    return planner.subscription(operation) if operation.operation.value == "subscription" else planner.query(operation)


def read_page(schema: Schema, call: PageCall, variables: VariableValues, secret: bytes) -> Page:
    """The page a call asks for with a request's variables. Errors: GraphQLError, Fault."""
    if call.page is not None:
        return call.page
    declared: StrawberryField = call.definition.extensions[BACKREF]
    coerced = get_argument_values(call.definition, call.node, variables)
    arguments = convert_arguments(
        coerced, declared.arguments, scalar_registry=schema.schema_converter.scalar_registry, config=schema.config
    )
    return read_arguments(call.paging, arguments, secret)


class _Planner:
    def __init__(self, schema: Schema, selection: Selection) -> None:
        self.schema = schema
        self.core = schema._schema
        self.selection = selection
        self.root = Step(0, 0, None, "", None)
        self.steps = [self.root]

    def query(self, operation: OperationDefinitionNode) -> Plan:
        kind = self.core.query_type
        if kind is None or operation.operation.value != "query":
            raise Unplannable(operation.operation.value)
        self.root.view = self._object(self.root, self.selection.of_operation(operation, kind), kind)
        return self._finished(needs_viewer=VIEWER_KEY in self.root.columns)

    def subscription(self, operation: OperationDefinitionNode) -> Plan:
        """A plan whose root row is the yielded payload object's attributes."""
        kind = object_type(self.core.subscription_type)
        fields = self.selection.of_operation(operation, kind)
        if len(fields) != 1:
            raise Unplannable("a subscription of several fields")
        [(name, nodes)] = fields.items()
        if nodes[0].name.value == TYPENAME:
            raise Unplannable(TYPENAME)
        definition = kind.fields[nodes[0].name.value]
        payload = object_type(_bare(definition.type))
        view = self._object(self.root, self.selection.of_fields(nodes, payload), payload)
        self.root.view = View([(name, Embedded(view))])
        return self._finished(needs_viewer=False)

    def _finished(self, *, needs_viewer: bool) -> Plan:
        fetches = _fetches(self.steps)
        _place_keys(self.steps, tuple(self.root.columns))
        plan = Plan(self.steps, fetches, tuple(self.root.columns), needs_viewer)
        plan.builders = compile_builders(plan)
        return plan

    def _object(self, step: Step, fields: dict[str, list[FieldNode]], kind: GraphQLObjectType) -> View:
        """The view of an object of this type on the step's rows."""
        view = View()
        for name, nodes in fields.items():
            if nodes[0].name.value == TYPENAME:
                view.pieces.append((name, Constant(kind.name)))
            else:
                view.pieces.append((name, self._piece(step, nodes, kind)))
        return view

    def _piece(self, step: Step, nodes: list[FieldNode], kind: GraphQLObjectType) -> Piece:
        definition = kind.fields.get(nodes[0].name.value)
        declared = definition.extensions.get(BACKREF) if definition is not None else None
        if definition is None or declared is None:
            raise Unplannable(f"{kind.name}.{nodes[0].name.value}")
        match _how(step, declared):
            case Column(name):
                return _leaf(definition, step.read(name))
            case GlobalId() as how:
                step.read(how.name)
                return Identity(how, self.schema.declarations.entities[how.type_name][1])
            case MoneyOf(amount, currency):
                return self._amount(definition, nodes, step.read(amount), step.read(currency))
            case AmountsOf(name):
                return Amounts(step.read(name), self._money_parts(definition, nodes))
            case Link() as link:
                return self._link(step, link, definition, nodes)
            case PageOf() as paged:
                return self._page(step, paged, definition, nodes)
            case CountOf() as counted:
                return self._count(step, counted, definition, nodes[0])
            case _:
                raise Unplannable(f"{kind.name}.{nodes[0].name.value} has a resolver")

    def _amount(self, definition: GraphQLField, nodes: list[FieldNode], amount: str, currency: str) -> Amount:
        return Amount(amount, currency, not isinstance(definition.type, GraphQLNonNull), self._money_parts(definition, nodes))

    def _money_parts(self, definition: GraphQLField, nodes: list[FieldNode]) -> tuple[tuple[str, str | Constant], ...]:
        fields = self.selection.of_fields(nodes, object_type(get_named_type(definition.type)))
        return tuple((name, _part(inner[0].name.value, "Money")) for name, inner in fields.items())

    def _link(self, step: Step, how: Link, definition: GraphQLField, nodes: list[FieldNode]) -> Child:
        loader = get_loader(self.schema.declarations.loader_of(how.target, how.loader))
        child = self._step(step, how.key, loader)
        child.many = how.many
        if how.paging is not None:
            child.call = self._call(how.paging, definition, nodes[0])
        kind = object_type(get_named_type(definition.type))
        child.view = self._object(child, self.selection.of_fields(nodes, kind), kind)
        return Child(child, how.key, how.many or how.nullable)

    def _page(self, step: Step, how: PageOf, definition: GraphQLField, nodes: list[FieldNode]) -> Child:
        child = self._step(step, how.key, get_loader(how.loader))
        child.call = self._call(how.paging, definition, nodes[0])
        kind = object_type(_bare(definition.type))
        for name, inner in self.selection.of_fields(nodes, kind).items():
            child.connection.append((name, self._connection_part(child, how, inner, kind)))
        if not child.needs_rows and child.count is None:
            raise Unplannable(f"a page of {how.target} of which nothing is read")  # its arguments are checked all the same
        return Child(child, how.key)

    def _count(self, step: Step, how: CountOf, definition: GraphQLField, node: FieldNode) -> Child:
        """A page of which nothing but the count is read: a number stands in its place."""
        loader = get_loader(how.loader)
        child = self._step(step, how.key, loader)
        child.call = PageCall(Paging(""), definition, node, "", UNPAGED)
        child.count = loader
        return Child(child, how.key)

    def _step(self, parent: Step, key: str, loader: Any) -> Step:
        child = Step(len(self.steps), parent.depth + 1, parent, parent.read(key), loader)
        self.steps.append(child)
        return child

    def _connection_part(self, step: Step, how: PageOf, nodes: list[FieldNode], kind: GraphQLObjectType) -> ConnectionPart:
        name = nodes[0].name.value
        match name:
            case "__typename":
                return Constant(kind.name)
            case "nodes":
                node = object_type(get_named_type(kind.fields[name].type))
                return Nodes(self._object(step, self.selection.of_fields(nodes, node), node))
            case "edges":
                return self._edges(step, how, nodes, object_type(get_named_type(kind.fields[name].type)))
            case "pageInfo":
                return self._page_info(step, how, nodes, object_type(_bare(kind.fields[name].type)))
            case "totalCount" if how.count is not None:
                step.count = get_loader(how.count)
                return Total()
            case _:
                raise Unplannable(f"{kind.name}.{name}")

    def _edges(self, step: Step, how: PageOf, nodes: list[FieldNode], kind: GraphQLObjectType) -> Edges:
        parts: list[tuple[str, str | View | Constant]] = []
        for name, inner in self.selection.of_fields(nodes, kind).items():
            wanted = inner[0].name.value
            if wanted == "node":
                node = object_type(_bare(kind.fields["node"].type))
                parts.append((name, self._object(step, self.selection.of_fields(inner, node), node)))
                continue
            if wanted == "cursor":
                _read_sort_columns(step, how)
            parts.append((name, _part(wanted, kind.name)))
        return Edges(tuple(parts))

    def _page_info(self, step: Step, how: PageOf, nodes: list[FieldNode], kind: GraphQLObjectType) -> Info:
        parts = [(name, _part(inner[0].name.value, kind.name)) for name, inner in self.selection.of_fields(nodes, kind).items()]
        if any(part in ("startCursor", "endCursor") for _, part in parts):
            _read_sort_columns(step, how)
        return Info(tuple(parts))

    def _call(self, paging: Paging, definition: GraphQLField, node: FieldNode) -> PageCall:
        arguments = sorted(node.arguments or (), key=lambda argument: argument.name.value)
        text = ",".join(print_ast(argument) for argument in arguments)
        call = PageCall(paging, definition, node, text, None)
        if any(argument.name.value == "after" or _has_variable(argument.value) for argument in arguments):
            return call
        try:
            page = read_page(self.schema, call, NO_VARIABLES, b"")
        except (GraphQLError, Fault) as error:
            raise Unplannable("arguments that are refused") from error
        return PageCall(paging, definition, node, text, page)


def _how(step: Step, declared: Any) -> Any:
    if isinstance(declared, DeclaredField):
        return declared.how
    if step.parent is None and isinstance(declared, StrawberryField) and declared.is_basic_field and not declared.is_subscription:
        return Column(declared.python_name)  # an attribute of a payload
    return None


def _bare(kind: Any) -> Any:
    return kind.of_type if isinstance(kind, GraphQLNonNull) else kind


def _part(name: str, type_name: str) -> str | Constant:
    return Constant(type_name) if name == TYPENAME else name


def _leaf(definition: GraphQLField, column: str) -> Leaf:
    kind = _bare(definition.type)
    listed = isinstance(kind, GraphQLList)
    element = kind.of_type if listed else definition.type
    named = _bare(element)
    names: dict[Any, str] | None = None
    if isinstance(named, GraphQLEnumType):
        names = enum_names(named)
    elif not isinstance(named, GraphQLScalarType) or named.name not in PLAIN_SCALARS:
        raise Unplannable(f"a column of {named}")
    nullable = not isinstance(definition.type, GraphQLNonNull)
    return Leaf(column, nullable, listed, not (listed and isinstance(element, GraphQLNonNull)), names)


def _has_variable(value: Any) -> bool:
    if isinstance(value, VariableNode):
        return True
    inner = [*getattr(value, "values", ()), *(each.value for each in getattr(value, "fields", ()))]
    return any(_has_variable(each) for each in inner)


def _read_sort_columns(step: Step, how: PageOf) -> None:
    page = step.call.page if step.call is not None else None
    for column in page.order.columns if page is not None and page.order is not None else sort_columns(how.paging):
        step.read(column)


def _fetches(steps: list[Step]) -> list[Fetch]:
    """Group the steps, and give every fetch the columns of all its steps."""
    found: dict[tuple[object, ...], Fetch] = {}
    for step in steps[1:]:
        assert step.loader is not None  # noqa: S101 - only the root has none
        if step.needs_rows:
            step.fetch = _join(found, step, step.loader)
        if step.count is not None:
            step.count_fetch = _join(found, step, step.count)
    fetches = sorted(found.values(), key=lambda fetch: fetch.depth)
    for index, fetch in enumerate(fetches):
        fetch.index = index
        rows = [step for step in fetch.steps if step.fetch is fetch]
        fetch.columns = tuple(dict.fromkeys(column for step in rows for column in step.columns))
        fetch.given = fetch.loader.key == "id" and not fetch.columns and all(step.key == VIEWER_KEY for step in rows)
    return fetches


def _place_keys(steps: list[Step], root_columns: tuple[str, ...]) -> None:
    for step in steps[1:]:
        parent = step.parent
        if parent is None:
            continue
        step.parent_index = parent.index
        if parent.fetch is None:
            step.position = root_columns.index(step.key) + 1
        else:
            step.position = parent.fetch.positions()[step.key]


def _join(found: dict[tuple[object, ...], Fetch], step: Step, loader: Any) -> Fetch:
    call = step.call
    place = (step.depth, loader.name, call and (call.text, id(call.definition)))
    fetch = found.setdefault(place, Fetch(0, step.depth, loader, call))
    fetch.steps.append(step)
    return fetch
