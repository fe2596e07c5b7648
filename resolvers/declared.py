"""What the vocabulary declares: fields that say where their value comes from, and the register of all declarations.

A declared field is no resolver. The compiled executor reads its `how`; graphql-core gets the same value through
`get_result`. Types are registered by name, so that a field can name a type of a domain it may not import.
"""

import dataclasses
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from uuid import UUID

from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryList, StrawberryOptional
from strawberry.types.field import UNRESOLVED, StrawberryField
from strawberry.types.unset import UNSET

from resolvers.ids import to_global_id
from resolvers.loaders import Columns, Page, get_loader
from resolvers.paging import BY_ID, DEFAULT_FIRST, LoadedPage, Paging, read_arguments
from resolvers.scalars import Money, format_amount

#: How many rows a `links` field is taken to give, for its cost, unless it says otherwise.
ASSUMED_LINKS = 10

#: Column of a root type's only row: the viewer's id. Reading it signed out raises Unauthenticated.
VIEWER_KEY = "viewer"
#: Column of a root type's only row: the one key of lists that are the same for everybody.
EVERYBODY_KEY = "everybody"

KeyType: TypeAlias = Literal["uuid", "text"]


@dataclass(frozen=True, slots=True)
class Column:
    """A leaf of the row, as it is (enum columns hold the member's value)."""

    name: str


@dataclass(frozen=True, slots=True)
class GlobalId:
    """The opaque id made of the type's name and a column."""

    type_name: str
    name: str = "id"


@dataclass(frozen=True, slots=True)
class MoneyOf:
    """An amount column and the column of its currency."""

    amount: str
    currency: str


@dataclass(frozen=True, slots=True)
class AmountsOf:
    """A column that holds {currency: amount as text}, as a list of Money in its order."""

    name: str


@dataclass(frozen=True, slots=True)
class Link:
    """One object (`many` false) or all objects that a loader has under the row's key column. With `paging` the list takes a filter."""

    target: str
    key: str
    loader: str | None
    many: bool
    nullable: bool
    size: int = 1
    paging: Paging | None = None


@dataclass(frozen=True, slots=True)
class PageOf:
    """A keyset connection of what a loader has under the row's key column."""

    target: str
    key: str
    loader: str
    count: str | None
    paging: Paging


@dataclass(frozen=True, slots=True)
class CountOf:
    """How many a loader of shape "count" has under the row's key column."""

    key: str
    loader: str


How: TypeAlias = Column | GlobalId | MoneyOf | AmountsOf | Link | PageOf | CountOf

#: What a loader of shape "count" is given where no page is asked for: no filter.
UNPAGED = Page(1)


class Declarations:
    """Everything declared so far: types, who owns which field, loaders of entities, contributions to others' types."""

    def __init__(self, domain: str | None = None) -> None:
        self._domain = domain
        self.types: dict[str, type] = {}
        self.owners: dict[str, str] = {}
        self.field_owners: dict[tuple[str, str], str] = {}
        self.entities: dict[str, tuple[str, KeyType]] = {}
        self.extra_columns: dict[str, Columns] = {}
        self.contributions: list[tuple[str, str, type]] = []
        self.connections: dict[str, type] = {}
        self.columns: dict[str, Columns] = {}

    def domain_of(self, cls: type) -> str:
        """The package a declaration stands in: `resolvers.budget.types` belongs to `budget`."""
        return self._domain or cls.__module__.split(".")[-2]

    def add_type(self, cls: type, made: type) -> None:
        name = made.__strawberry_definition__.name  # type: ignore[attr-defined]
        if name in self.types:
            raise TypeError(f"{self.domain_of(cls)} declares {name}, which {self.owners[name]} owns")
        self.types[name] = made
        self.owners[name] = self.domain_of(cls)

    def loader_of(self, type_name: str, loader: str | None) -> str:
        """The loader named, else the by-id loader of the entity. Errors: TypeError."""
        if loader is not None:
            return loader
        if type_name not in self.entities:
            raise TypeError(f"{type_name} is not an entity: say which loader reaches it")
        return self.entities[type_name][0]


_current = Declarations()


def current() -> Declarations:
    return _current


@contextmanager
def declaring(declarations: Declarations) -> Iterator[Declarations]:
    """Declare into another register than the process's: for schemas of tests."""
    global _current
    before, _current = _current, declarations
    try:
        yield declarations
    finally:
        _current = before


def key_text(value: UUID | str | None) -> str | None:
    """A key as loaders take it."""
    return None if value is None else str(value)


class DeclaredField(StrawberryField):
    """A field of the vocabulary."""

    how: How | None = None
    declarations: Declarations

    @property
    def is_basic_field(self) -> bool:
        return isinstance(self.how, Column | GlobalId | MoneyOf | AmountsOf)

    def __copy__(self) -> "DeclaredField":
        copied: DeclaredField = super().__copy__()
        copied.how, copied.declarations = self.how, self.declarations
        return copied

    def resolve_type(self, *, type_definition: Any = None) -> Any:
        how = self.how
        if not isinstance(how, Link | PageOf):
            return super().resolve_type(type_definition=type_definition)
        target = self.declarations.types.get(how.target)
        if target is None:
            return UNRESOLVED  # its module is not imported yet; the schema asks again
        if isinstance(how, PageOf):
            return self.declarations.connections.get(how.target, UNRESOLVED)
        if how.many:
            return StrawberryList(target)
        return StrawberryOptional(target) if how.nullable else target

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        match self.how:
            case Column(name):
                return getattr(source, name)
            case GlobalId(type_name, name):
                return to_global_id(type_name, getattr(source, name))
            case MoneyOf(amount, currency):
                return _money(getattr(source, amount), getattr(source, currency))
            case AmountsOf(name):
                return [_money(amount, currency) for currency, amount in getattr(source, name).items()]
            case Link() as how:
                return self._linked(how, source, info, kwargs)
            case PageOf() as how:
                return self._paged(how, source, info, kwargs)
            case CountOf() as how:
                counted: Awaitable[int] = info.context.loaders.load(get_loader(how.loader), key_text(getattr(source, how.key)), (), UNPAGED)
                return counted
            case _:
                raise TypeError(f"{self.python_name} is not declared")

    def _linked(self, how: Link, source: Any, info: Any, kwargs: dict[str, Any]) -> Awaitable[Any] | list[Any] | None:
        page = None if how.paging is None else read_arguments(how.paging, kwargs, info.context.cursor_secret)
        key = key_text(getattr(source, how.key))
        if key is None:
            return [] if how.many else None
        spec = get_loader(self.declarations.loader_of(how.target, how.loader))
        loading: Awaitable[Any] = info.context.loaders.load(spec, key, self.declarations.columns[how.target], page)
        return loading

    def _paged(self, how: PageOf, source: Any, info: Any, kwargs: dict[str, Any]) -> LoadedPage:
        context = info.context
        page = read_arguments(how.paging, kwargs, context.cursor_secret)
        key = key_text(getattr(source, how.key))
        columns = self.declarations.columns[how.target]

        async def rows() -> list[Any]:
            if key is None:
                return []
            found: list[Any] = await context.loaders.load(get_loader(how.loader), key, columns, page)
            return found

        async def count() -> int:
            if key is None:
                return 0
            counted: int = await context.loaders.load(get_loader(how.count or ""), key, (), page)
            return counted

        return LoadedPage(how.paging, page, context.cursor_secret, rows, count)


def _money(amount: Any, currency: str) -> Money | None:
    if amount is None:
        return None
    return Money(amount=format_amount(str(amount), currency), currency=currency)  # type: ignore[arg-type]


def make_field(how: How | None, annotation: object, **options: Any) -> Any:
    """A declared field; `how` may be completed when its name is known."""
    made = DeclaredField(type_annotation=StrawberryAnnotation(annotation), **options)
    made.how = how
    made.declarations = current()
    made.init = made.repr = made.compare = False
    return made


def page_arguments(paging: Paging, filter_type: type | None) -> list[StrawberryArgument]:
    arguments = [
        _argument("first", int | None, DEFAULT_FIRST, "How many, 1 to 100."),
        _argument("after", str | None, UNSET, "Continue after this cursor."),
    ]
    if filter_type is not None:
        arguments.append(filter_argument(filter_type))
    default = paging.default_sort
    if default is not None:
        arguments.append(_argument("sort", type(default) | None, default, "The order. A cursor is good for the order it was made in."))
    return arguments


def filter_argument(filter_type: Any) -> StrawberryArgument:
    return _argument("filter", filter_type | None, UNSET, "Narrows the list; what is left out or null does not.")


def _argument(name: str, annotation: object, default: object, description: str | None) -> StrawberryArgument:
    return StrawberryArgument(name, name, StrawberryAnnotation(annotation), default=default, description=description)


def name_columns(made: type) -> None:
    """A column that does not say where it comes from is called like its field."""
    for field in made.__strawberry_definition__.fields:  # type: ignore[attr-defined]
        if isinstance(field, DeclaredField):
            if field.how is None:
                field.how = Column(field.python_name)
            elif isinstance(field.how, AmountsOf) and not field.how.name:
                field.how = AmountsOf(field.python_name)
            elif isinstance(field.how, MoneyOf) and not field.how.amount:
                field.how = dataclasses.replace(field.how, amount=field.python_name)


def columns_read(how: How | None) -> Columns:
    """The columns of its parent's row that a field reads."""
    match how:
        case Column(name) | GlobalId(_, name) | AmountsOf(name):
            return (name,)
        case MoneyOf(amount, currency):
            return (amount, currency)
        case Link(key=key) | PageOf(key=key) | CountOf(key=key):
            return (key,)
        case None:
            return ()


def sort_columns(paging: Paging) -> Columns:
    """Every column that some order of the page compares."""
    orders = paging.sorts.values() if paging.sorts else (BY_ID,)
    return tuple(dict.fromkeys(column for order in orders for column in order.columns))
