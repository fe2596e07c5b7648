"""Documents that were parsed, validated and measured before, with the plans of their operations."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    parse,
    validate,
)
from graphql.execution.values import VariableValues
from graphql.validation import ASTValidationRule, specified_rules
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from resolvers.cost import Limits, Measured, measure
from resolvers.errors import IntrospectionNotAllowed, ParseFailed, ValidationFailed
from resolvers.execution.plan import Plan, Unplannable
from resolvers.execution.planner import make_plan
from resolvers.execution.selection import condition_variables
from resolvers.schema import Schema
from resolvers.shape import MAX_CHARACTERS, check_shape, check_text

log = structlog.get_logger(__name__)

K = TypeVar("K")
V = TypeVar("V")

#: Documents kept, and their characters together: a parsed document takes some hundred times its text.
KEPT_DOCUMENTS = 1_000
KEPT_CHARACTERS = 400_000
#: Plans kept: of each operation, one per combination of the values that @skip and @include look at. Some 20 KiB each.
KEPT_PLANS = 2_000

#: The specification's rules (with the bound on nested introspection) and Strawberry's for its own kinds of input.
RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)


#: Fields that describe the schema.
DESCRIBING = frozenset({"__schema", "__type", "_service"})
SUGGESTION = " Did you mean "
#: Errors that one document is told of: some rules quote a literal in each.
MAX_ERRORS = 10
MESSAGE_CHARACTERS = 500


class DocumentRefused(Exception):
    """The document is not GraphQL, or not of this schema. Carries the errors, each with its code."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        self.errors = errors
        super().__init__(errors[0].message)


class Recent(Generic[K, V]):
    """The most recently used values, as many as may be kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value under the key, made now if it is not there."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        value = self._kept[key] = make()
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return value


Plans = Recent[tuple["Operation", tuple[object, ...]], Plan | None]


@dataclass(eq=False, slots=True)
class Operation:
    """One operation of a document, measured; its plans come as they are needed."""

    definition: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    measured: Measured
    conditions: tuple[str, ...]
    plans: Plans

    def plan(self, schema: Schema, variables: VariableValues) -> Plan | None:
        """The plan for these variables, or None where graphql-core has to run it."""
        coerced = variables.coerced
        variant = tuple([coerced.get(name) for name in self.conditions])
        return self.plans.get((self, variant), lambda: self._make(schema, dict(zip(self.conditions, variant, strict=True))))

    def _make(self, schema: Schema, decided: dict[str, object]) -> Plan | None:
        flags = {name: value for name, value in decided.items() if isinstance(value, bool)}
        try:
            return make_plan(schema, self.definition, self.fragments, flags)
        except Unplannable as reason:
            log.debug("graphql.not_planned", reason=str(reason))
            return None


@dataclass(eq=False, slots=True)
class Document:
    """A valid document."""

    node: DocumentNode
    operations: dict[str | None, Operation]

    def operation(self, name: str | None) -> Operation | None:
        """The named operation, or the only one."""
        if name is not None:
            return self.operations.get(name)
        return next(iter(self.operations.values())) if len(self.operations) == 1 else None


class Documents:
    """The most recently used documents, by their text."""

    def __init__(self, schema: Schema, *, introspection: bool, limits: Limits) -> None:
        self._schema = schema
        self._hide_suggestions = not introspection
        self._rules = RULES if introspection else (*RULES, NoIntrospection)
        self._limits = limits
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0
        self.plans: Plans = Recent(KEPT_PLANS)

    def get(self, text: str) -> Document:
        """The document of this text. Errors: DocumentRefused, CostLimitExceeded."""
        document = self._kept.get(text)
        if document is not None:
            self._kept.move_to_end(text)
            return document
        document = self._read(text)
        self._keep(text, document)
        return document

    def _keep(self, text: str, document: Document) -> None:
        if len(text) > KEPT_CHARACTERS // 4:
            return
        self._kept[text] = document
        self._characters += len(text)
        while len(self._kept) > KEPT_DOCUMENTS or self._characters > KEPT_CHARACTERS:
            oldest, _ = self._kept.popitem(last=False)
            self._characters -= len(oldest)

    def _read(self, text: str) -> Document:
        core = self._schema._schema
        check_text(text)
        try:
            node = parse(text, max_lexical_tokens=self._limits.tokens, max_source_length=MAX_CHARACTERS)
        except GraphQLSyntaxError as error:
            raise DocumentRefused([with_code(error, ParseFailed.code)]) from None
        check_shape(node)
        errors = validate(core, node, self._rules, MAX_ERRORS, hide_suggestions=self._hide_suggestions)
        if errors:
            raise DocumentRefused([self._told(error) for error in errors])
        fragments = {each.name.value: each for each in node.definitions if isinstance(each, FragmentDefinitionNode)}
        conditions = condition_variables(node.definitions)
        operations: dict[str | None, Operation] = {}
        for each in node.definitions:
            if isinstance(each, OperationDefinitionNode):
                measured = measure(core, node, each, self._limits)
                operations[each.name.value if each.name else None] = Operation(each, fragments, measured, conditions, self.plans)
        return Document(node, operations)

    def _told(self, error: GraphQLError) -> GraphQLError:
        """The error of a rule as clients are told it: one of the rules always makes a suggestion."""
        if self._hide_suggestions:
            error.message = error.message.partition(SUGGESTION)[0]
        return with_code(error, IntrospectionNotAllowed.code if isinstance(error, IntrospectionError) else ValidationFailed.code)


class IntrospectionError(GraphQLError):
    """Of the rule below, so that it gets a code of its own."""


class NoIntrospection(ASTValidationRule):
    """Nothing that describes the schema may be selected."""

    def enter_field(self, node: FieldNode, *_args: object) -> None:
        if node.name.value in DESCRIBING:
            self.report_error(IntrospectionError(IntrospectionNotAllowed.default_message, node))


def with_code(error: GraphQLError, code: str) -> GraphQLError:
    """The error with `extensions.code`, not longer than need be: some quote what the client sent."""
    message = error.message if len(error.message) <= MESSAGE_CHARACTERS else error.message[: MESSAGE_CHARACTERS - 1] + "…"
    return GraphQLError(
        message, nodes=error.nodes, source=error.source, positions=error.positions, path=error.path, extensions={"code": code}
    )
