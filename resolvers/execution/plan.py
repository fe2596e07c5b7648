"""What an operation reads and builds, decided once: a plan.

A plan is a tree of steps. A step is one loader at one place of the answer; its rows become objects by views. Steps of
one depth that ask the same loader with the same arguments share one fetch, and so one statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphql import FieldNode, GraphQLEnumType, GraphQLField, GraphQLObjectType

from resolvers.declared import GlobalId, KeyType
from resolvers.loaders import Columns, LoaderSpec, Page
from resolvers.paging import Paging


class Unplannable(Exception):
    """The operation has something that only graphql-core can run. Says what."""


@dataclass(frozen=True, slots=True)
class Constant:
    value: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column as it is, or through a table (enum value -> name)."""

    column: str
    nullable: bool
    listed: bool = False
    elements_nullable: bool = True
    names: Mapping[Any, str] | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """A global id."""

    how: GlobalId
    keyed: KeyType


@dataclass(frozen=True, slots=True)
class Amount:
    """Money of two columns; `parts` are (response name, "amount" | "currency" | constant)."""

    amount: str
    currency: str
    nullable: bool
    parts: tuple[tuple[str, str | Constant], ...]


@dataclass(frozen=True, slots=True)
class Amounts:
    """A list of Money of one column that holds {currency: amount}; parts as in Amount."""

    column: str
    parts: tuple[tuple[str, str | Constant], ...]


@dataclass(frozen=True, slots=True)
class Child:
    """What another step has under a column of this row."""

    step: "Step"
    column: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Embedded:
    """An object of the same row."""

    view: "View"


Piece: TypeAlias = Constant | Leaf | Identity | Amount | Amounts | Child | Embedded


@dataclass(slots=True)
class View:
    """An object as it is answered: pieces by response name, in order."""

    pieces: list[tuple[str, Piece]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Nodes:
    view: View


@dataclass(frozen=True, slots=True)
class Edges:
    """Edges; parts are (response name, "cursor" | node view | constant)."""

    parts: tuple[tuple[str, str | View | Constant], ...]


@dataclass(frozen=True, slots=True)
class Info:
    """Page info; parts are (response name, field name | constant)."""

    parts: tuple[tuple[str, str | Constant], ...]


@dataclass(frozen=True, slots=True)
class Total:
    pass


ConnectionPart: TypeAlias = Nodes | Edges | Info | Total | Constant


@dataclass(frozen=True, slots=True)
class PageCall:
    """The arguments of a page, or of a list that takes a filter. `page` is known at once unless variables or a cursor take part."""

    paging: Paging
    definition: GraphQLField
    node: FieldNode
    text: str
    page: Page | None


@dataclass(eq=False, slots=True)
class Step:
    """One loader at one place. The root has none: its row is given."""

    index: int
    depth: int
    parent: "Step | None"
    key: str
    loader: LoaderSpec | None
    many: bool = False
    columns: dict[str, None] = field(default_factory=dict)
    view: View | None = None
    call: PageCall | None = None
    connection: list[tuple[str, ConnectionPart]] = field(default_factory=list)
    count: LoaderSpec | None = None
    fetch: "Fetch | None" = None
    count_fetch: "Fetch | None" = None
    #: Where the key stands: the parent's index, and the place in its row.
    parent_index: int = 0
    position: int = 0

    def read(self, column: str) -> str:
        """Have the column read, unless the row's key is it."""
        if self.loader is None or self.loader.key != column:
            self.columns[column] = None
        return column

    @property
    def is_page(self) -> bool:
        """Whether its rows become a connection. (A list that takes a filter has a call, too.)"""
        return self.call is not None and not self.many

    @property
    def needs_rows(self) -> bool:
        return self.view is not None or any(not isinstance(part, Total | Constant) for _, part in self.connection)


@dataclass(eq=False, slots=True)
class Fetch:
    """One call of a loader, for all its steps together."""

    index: int
    depth: int
    loader: LoaderSpec
    call: PageCall | None
    steps: list[Step] = field(default_factory=list)
    columns: Columns = ()
    given: bool = False

    def positions(self) -> dict[str, int]:
        """Column -> place in a row of this fetch."""
        positions = {column: at for at, column in enumerate(self.columns, start=1)}
        if self.loader.key is not None:
            positions[self.loader.key] = 0
        return positions


@dataclass(eq=False, slots=True)
class Plan:
    """Steps, parents before children; fetches by depth. `columns` is what the root's row holds after its position 0."""

    steps: list[Step]
    fetches: list[Fetch]
    columns: Columns
    needs_viewer: bool
    builders: list[Any] = field(default_factory=list)


def enum_names(kind: GraphQLEnumType) -> dict[Any, str]:
    """Value in the row -> name in the answer."""
    return {value.value: name for name, value in kind.values.items()}


def object_type(kind: Any) -> GraphQLObjectType:
    """Errors: Unplannable for a type whose rows may be of several kinds."""
    if not isinstance(kind, GraphQLObjectType):
        raise Unplannable(f"{kind} is abstract")
    return kind
