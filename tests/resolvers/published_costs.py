"""What an operation costs by the printed schema alone, as a client would work it out: GraphQL's cost directives, one sum.

Written from their specification and docs/clients.md, and from nothing of ours.
"""

from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    build_schema,
    get_named_type,
    is_leaf_type,
    parse,
    value_from_ast_untyped,
)
from graphql.type import GraphQLList, GraphQLNonNull


def read(sdl: str) -> GraphQLSchema:
    return build_schema(sdl, assume_valid=True, assume_valid_sdl=True)


def directive(node: Any, name: str) -> dict[str, Any] | None:
    for each in getattr(node, "directives", None) or ():
        if each.name.value == name:
            return {argument.name.value: value_from_ast_untyped(argument.value) for argument in each.arguments}
    return None


def cost_of(schema: GraphQLSchema, text: str, variables: dict[str, Any]) -> int:
    document = parse(text)
    [operation] = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    fragments = {each.name.value: each for each in document.definitions if not isinstance(each, OperationDefinitionNode)}  # type: ignore[attr-defined]
    defaults = {
        each.variable.name.value: value_from_ast_untyped(each.default_value)
        for each in operation.variable_definitions or ()
        if each.default_value is not None
    }
    root = schema.get_root_type(operation.operation)
    assert root is not None
    return max(1, _Client(schema, fragments, defaults | variables).of(operation.selection_set, root, {}))


class _Client:
    def __init__(self, schema: GraphQLSchema, fragments: dict[str, Any], variables: dict[str, Any]) -> None:
        self.schema = schema
        self.fragments = fragments
        self.variables = variables

    def of(self, selection_set: SelectionSetNode, parent: Any, sized: dict[str, int]) -> int:
        total = 0
        for node in selection_set.selections:
            if isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                total += self.of(node.selection_set, self.schema.type_map[condition.name.value] if condition else parent, sized)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                total += self.of(fragment.selection_set, self.schema.type_map[fragment.type_condition.name.value], sized)
            elif isinstance(node, FieldNode) and node.name.value != "__typename":
                total += self.field(node, parent, sized)
        return total

    def field(self, node: FieldNode, parent: GraphQLObjectType | GraphQLInterfaceType, sized: dict[str, int]) -> int:
        field = parent.fields[node.name.value]
        each = self.weight(field)
        listed = directive(field.ast_node, "listSize") or {}
        size = self.slice(field, node, listed)
        if node.selection_set is not None:
            inner = dict.fromkeys(listed.get("sizedFields", ()), size)
            each += self.of(node.selection_set, get_named_type(field.type), inner)
        if "sizedFields" in listed:
            return each
        return each * (sized[node.name.value] if node.name.value in sized else size if is_list(field.type) else 1)

    def weight(self, field: GraphQLField) -> int:
        named: Any = get_named_type(field.type)
        cost = directive(field.ast_node, "cost") or directive(named.ast_node, "cost")
        return cost["weight"] if cost else 0 if is_leaf_type(named) else 1

    def slice(self, field: GraphQLField, node: FieldNode, listed: dict[str, Any]) -> int:
        """The slicing argument's value or its default; else as many as a required list argument names; else what is assumed."""
        arguments = {argument.name.value: value_from_ast_untyped(argument.value, self.variables) for argument in node.arguments or ()}
        for name in listed.get("slicingArguments", ()):
            declared = field.args[name].ast_node
            assert declared is not None
            assert declared.default_value is not None
            given = arguments.get(name)
            return int(value_from_ast_untyped(declared.default_value) if given is None or given is Undefined else given)
        for name, argument in field.args.items():
            if isinstance(argument.type, GraphQLNonNull) and is_list(argument.type):
                return min(len(arguments[name]), listed["assumedSize"])
        return int(listed.get("assumedSize", 1))


def is_list(kind: Any) -> bool:
    return isinstance(kind.of_type if isinstance(kind, GraphQLNonNull) else kind, GraphQLList)
