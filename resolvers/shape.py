"""What a document must be like before it is validated: bounds on everything that a rule of validation is slow at.

Validation compares each pair of fields that come to the same place of the answer, each pair of fragments, and quotes a
literal in every error that it finds in it. Counting first, names only, takes time in proportion to what is counted, and
what is counted is bounded. Anything past a bound is refused with CostLimitExceeded.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
)

from resolvers.errors import CostLimitExceeded

#: A document's length: some 2,000 tokens, indented.
MAX_CHARACTERS = 64 * 1024
#: Comments are tokens that no parser counts.
MAX_COMMENTS = 2_000
MAX_DIRECTIVES = 100
MAX_FRAGMENTS = 100
#: Equal response names written in one selection set.
MAX_REPEATS = 20
#: Pairs of fields that come to one place of the answer, fragments and all: `a { b } a { b }` are two.
MAX_PAIRS = 2_000
#: Selections with every fragment written out.
MAX_SELECTIONS = 10_000
#: Fields of one object in a literal.
MAX_LITERAL_FIELDS = 100
#: Selection sets inside each other, fragments and all.
MAX_NESTING = 60


class Shape(NamedTuple):
    """What was counted: the work that validation has with the document grows with these."""

    directives: int
    selections: int
    pairs: int


def check_text(text: str) -> None:
    """Before it is parsed. Errors: CostLimitExceeded."""
    if len(text) > MAX_CHARACTERS:
        raise CostLimitExceeded(f"A document may have at most {MAX_CHARACTERS} characters. Send values as variables.", limit=MAX_CHARACTERS)
    if text.count("#") > MAX_COMMENTS:
        raise CostLimitExceeded(f"A document may have at most {MAX_COMMENTS} comments.", limit=MAX_COMMENTS)


def check_shape(document: DocumentNode) -> Shape:
    """Before it is validated. Errors: CostLimitExceeded."""
    directives = _check_nodes(document)
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    if len(fragments) > MAX_FRAGMENTS:
        raise CostLimitExceeded(f"A document may have at most {MAX_FRAGMENTS} fragments.", limit=MAX_FRAGMENTS)
    merging = _Merging(fragments)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            merging.count([definition.selection_set])
    for name, fragment in fragments.items():
        if name not in merging.reached:  # nobody uses it; it is validated all the same
            merging.count([fragment.selection_set])
    return Shape(directives, merging.selections, merging.pairs)


def _check_nodes(document: DocumentNode) -> int:
    """What can be seen of each node by itself. Answers how many directives there are."""
    directives = 0
    pending: list[Any] = list(document.definitions)
    while pending:
        node = pending.pop()
        directives += len(getattr(node, "directives", None) or ())
        for argument in getattr(node, "arguments", None) or ():
            _check_literal(argument.value)
        selection_set = getattr(node, "selection_set", None)
        if selection_set is not None:
            _check_repeats(selection_set)
            pending.extend(selection_set.selections)
        for variable in getattr(node, "variable_definitions", None) or ():
            directives += len(variable.directives or ())
            _check_literal(variable.default_value)
    if directives > MAX_DIRECTIVES:
        raise CostLimitExceeded(f"A document may have at most {MAX_DIRECTIVES} directives.", limit=MAX_DIRECTIVES)
    return directives


def _check_literal(value: ValueNode | None) -> None:
    pending: list[Any] = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, ObjectValueNode):
            if len(node.fields) > MAX_LITERAL_FIELDS:
                raise CostLimitExceeded(f"An object may have at most {MAX_LITERAL_FIELDS} fields.", limit=MAX_LITERAL_FIELDS)
            pending.extend(field.value for field in node.fields)
        else:
            pending.extend(getattr(node, "values", ()))


def _check_repeats(selection_set: SelectionSetNode) -> None:
    seen: dict[str, int] = {}
    for node in selection_set.selections:
        if isinstance(node, FieldNode):
            name = (node.alias or node.name).value
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > MAX_REPEATS:
                raise CostLimitExceeded(f"The same field may be selected at most {MAX_REPEATS} times at one place.", limit=MAX_REPEATS)


class _Merging:
    """Goes through the answer's places as execution would, types aside, and counts what comes to each."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self.reached: set[str] = set()
        self.selections = 0
        self.pairs = 0

    def count(self, roots: list[SelectionSetNode]) -> None:
        pending = [(roots, 0)]
        while pending:
            selection_sets, nesting = pending.pop()
            for nodes in self._places(selection_sets).values():
                self._add_pairs(len(nodes))
                inner = [node.selection_set for node in nodes if node.selection_set is not None]
                if inner and nesting < MAX_NESTING:  # what circles is refused by validation, what is too deep by its measure
                    pending.append((inner, nesting + 1))

    def _places(self, selection_sets: Iterable[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """The fields by response name, fragments written out once."""
        found: dict[str, list[FieldNode]] = {}
        spread: set[str] = set()
        pending: list[SelectionNode] = [node for selection_set in selection_sets for node in selection_set.selections]
        while pending:
            node = pending.pop()
            self._add_selection()
            match node:
                case FieldNode():
                    found.setdefault((node.alias or node.name).value, []).append(node)
                case InlineFragmentNode():
                    pending.extend(node.selection_set.selections)
                case FragmentSpreadNode(name=name) if name.value not in spread and name.value in self._fragments:
                    spread.add(name.value)
                    self.reached.add(name.value)
                    pending.extend(self._fragments[name.value].selection_set.selections)
                case _:
                    continue
        return found

    def _add_selection(self) -> None:
        self.selections += 1
        if self.selections > MAX_SELECTIONS:
            raise CostLimitExceeded(f"With its fragments written out a document may select {MAX_SELECTIONS} fields.", limit=MAX_SELECTIONS)

    def _add_pairs(self, nodes: int) -> None:
        self.pairs += nodes * (nodes - 1) // 2
        if self.pairs > MAX_PAIRS:
            raise CostLimitExceeded("The document selects the same fields too often at the same places.", limit=MAX_PAIRS)
