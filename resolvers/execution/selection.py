"""Which fields a selection comes to for an object of a known type, fragments and conditions resolved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    is_abstract_type,
)

from resolvers.execution.plan import Unplannable

Fields = dict[str, list[FieldNode]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Collects fields. `decided` are the values of the variables that @skip and @include look at."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    decided: Mapping[str, bool]

    def of_operation(self, operation: OperationDefinitionNode, kind: GraphQLObjectType) -> Fields:
        fields: Fields = {}
        self._collect(operation.selection_set, kind, fields, set())
        return fields

    def of_fields(self, nodes: Sequence[FieldNode], kind: GraphQLObjectType) -> Fields:
        """The merged sub-selections of nodes with one response name, in the order of their first mention."""
        fields: Fields = {}
        spread: set[str] = set()
        for node in nodes:
            if node.selection_set is not None:
                self._collect(node.selection_set, kind, fields, spread)
        return fields

    def _collect(self, selection_set: SelectionSetNode, kind: GraphQLObjectType, fields: Fields, spread: set[str]) -> None:
        for node in selection_set.selections:
            if not self._included(node.directives or ()):
                continue
            match node:
                case FieldNode():
                    fields.setdefault((node.alias or node.name).value, []).append(node)
                case InlineFragmentNode(type_condition=condition):
                    if condition is None or self._applies(condition.name.value, kind):
                        self._collect(node.selection_set, kind, fields, spread)
                case FragmentSpreadNode(name=name):
                    fragment = self.fragments[name.value]
                    if name.value not in spread and self._applies(fragment.type_condition.name.value, kind):
                        spread.add(name.value)
                        self._collect(fragment.selection_set, kind, fields, spread)
                case _:
                    raise Unplannable(f"a selection of {type(node).__name__}")

    def _applies(self, condition: str, kind: GraphQLObjectType) -> bool:
        if condition == kind.name:
            return True
        wanted = self.schema.get_type(condition)
        return wanted is not None and is_abstract_type(wanted) and self.schema.is_sub_type(wanted, kind)

    def _included(self, directives: Sequence[DirectiveNode]) -> bool:
        for directive in directives:
            name = directive.name.value
            if name not in ("skip", "include"):
                raise Unplannable(f"@{name}")
            if self._condition(directive) is (name == "skip"):
                return False
        return True

    def _condition(self, directive: DirectiveNode) -> bool:
        value = next(argument.value for argument in directive.arguments or () if argument.name.value == "if")
        match value:
            case BooleanValueNode(value=literal):
                return literal
            case VariableNode(name=name) if name.value in self.decided:
                return self.decided[name.value]
            case _:
                raise Unplannable("a condition that is not decided")


def condition_variables(document_nodes: Sequence[object]) -> tuple[str, ...]:
    """The variables that @skip and @include look at anywhere in these definitions."""
    found: dict[str, None] = {}
    pending: list[object] = list(document_nodes)
    while pending:
        node = pending.pop()
        for directive in getattr(node, "directives", None) or ():
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    found[argument.value.name.value] = None
        selection_set = getattr(node, "selection_set", None)
        if selection_set is not None:
            pending.extend(selection_set.selections)
    return tuple(sorted(found))
