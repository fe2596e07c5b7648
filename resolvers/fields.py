"""The vocabulary in which domains declare their part of the schema.

A type and where its values come from (`resolvers/budget/types.py`):

    @entity(loader="budget.by_id")                            # has a global id; refetchable by node, _entities, payloads
    class Budget(Node):
        name = column(str)                                    # column "name" of the row
        period = column(BudgetPeriod)                         # a @strawberry.enum of `choice`s, whose values the column holds
        limit = money("amount")                               # columns "amount" and "currency" -> Money
        others = amounts()                                    # column "others" holds {currency: amount} -> [Money!]!
        closes_on = column(date | None, "end_date")           # another column name
        category = link("Category", key="category_id")        # by the entity's own loader, null when absent
        utilization = link("BudgetUtilization", key="id", loader="budget.utilization_by_budget", nullable=False)

    @value                                                    # no id of its own; reached by a link
    class BudgetUtilization:
        percentage_used = column(Decimal)

Fields on another domain's type, which is named and never imported; they may read nothing of it but its key:

    @extends("User")
    class UserBudgets:
        budgets = links("Budget", loader="budget.by_user", size=20)
        transactions = page("Transaction", loader="transaction.page_by_user", count="transaction.count_by_user",
                            filter=TransactionFilter, sorts={TransactionSort.NEWEST: Sort(("transaction_date", "id"), descending=True)})
        unread_count = count(loader="notification.unread_by_user")   # a number by itself

Root fields (`queries.py`, `mutations.py`, `subscriptions.py`); `extends("Query")`, "Mutation", "Subscription":

    @extends("Query")
    class BudgetQueries:
        me = link("User", key=VIEWER_KEY, nullable=False)      # the viewer's id; UNAUTHENTICATED when signed out
        categories = links("Category", key=EVERYBODY_KEY, loader="transaction.categories", size=120)

    @payload
    class BudgetCreatePayload(Payload):                       # has `errors`
        budget_id: Hidden[UUID | None] = None                 # an attribute, no field
        budget = link("Budget", key="budget_id")              # read after the commit

    @extends("Mutation")
    class BudgetMutations:
        @mutation                                             # AppErrors raised inside become `errors`
        async def budget_create(self, info: Info, input: Input[BudgetCreateInput]) -> BudgetCreatePayload: ...

    @payload
    class BudgetUpdated:
        budget_id: Hidden[UUID]
        version: int                                          # an ordinary field
        budget = link("Budget", key="budget_id")

    @extends("Subscription")
    class BudgetSubscriptions:
        @subscription
        async def budget_updated(self, info: Info) -> AsyncGenerator[BudgetUpdated, None]:
            yield BudgetUpdated(budget_id=..., version=...)

Loaders are declared in `resolvers/loaders.py`'s way; failures with `expose(domains.budget.errors)` in `mutations.py`.
Ids in inputs are `strawberry.ID`: `from_global_id(input.id, "Budget")` gives the UUID, or None for whatever is not one;
`given_id` gives the id of nothing then, so that the use case does not find it like any other that is not there.
Plain `@strawberry.field` resolvers work too; `self` is the row (name the columns it reads in `@entity(reads=...)`), and a
query with one runs on graphql-core instead of the compiled executor.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from inspect import cleandoc
from typing import Annotated, Any, TypeAlias, TypeVar, overload
from uuid import UUID

import strawberry
from strawberry import Private as Hidden
from strawberry.federation.schema_directives import Cost
from typing_extensions import dataclass_transform

from resolvers.context import Info
from resolvers.declared import (
    ASSUMED_LINKS,
    EVERYBODY_KEY,
    VIEWER_KEY,
    AmountsOf,
    Column,
    CountOf,
    GlobalId,
    Link,
    MoneyOf,
    PageOf,
    current,
    filter_argument,
    make_field,
    name_columns,
    page_arguments,
)
from resolvers.ids import from_global_id, given_id, text_from_global_id, to_global_id
from resolvers.loaders import Columns, Sort
from resolvers.nodes import Node, TypedRow
from resolvers.paging import Paging
from resolvers.payloads import Error, Payload, expose, mutation, subscription
from resolvers.scalars import JSON, CurrencyCode, Money

__all__ = [
    "EVERYBODY_KEY",
    "JSON",
    "VIEWER_KEY",
    "CurrencyCode",
    "Error",
    "Hidden",
    "Info",
    "Input",
    "Money",
    "Node",
    "Payload",
    "Sort",
    "amounts",
    "choice",
    "column",
    "count",
    "entity",
    "expose",
    "extends",
    "from_global_id",
    "given_id",
    "link",
    "links",
    "money",
    "mutation",
    "page",
    "payload",
    "subscription",
    "text_from_global_id",
    "to_global_id",
    "value",
]

T = TypeVar("T", bound=type)
Given = TypeVar("Given")

#: The one argument of a mutation.
Input: TypeAlias = Annotated[Given, strawberry.argument(description="What is asked for, as one object.")]


def column(annotation: Any, name: str | None = None, **options: Any) -> Any:
    """A leaf of the row: the column called `name`, or like the field. `options`: description, deprecation_reason."""
    return make_field(None if name is None else Column(name), annotation, **options)


def choice(value: str, description: str) -> Any:
    """A member of an enum: what the column holds, and what clients read of it."""
    return strawberry.enum_value(value, description=description)


def money(amount: str = "", currency: str = "currency", *, nullable: bool = False, **options: Any) -> Any:
    """Money of an amount column (or the one called like the field) and the column of its currency."""
    return make_field(MoneyOf(amount, currency), Money | None if nullable else Money, **options)


def amounts(name: str = "", **options: Any) -> Any:
    """A list of Money of a column (or the one called like the field) that holds {currency: amount as text}."""
    return make_field(AmountsOf(name), list[Money], **options)


def link(target: str, *, key: str, loader: str | None = None, nullable: bool = True, **options: Any) -> Any:
    """One `target` by the value of column `key`; null when the key is null or nothing is there."""
    return make_field(Link(target, key, loader, many=False, nullable=nullable), object, **options)


def links(target: str, *, loader: str, key: str = "id", size: int = ASSUMED_LINKS, filter: type | None = None, **options: Any) -> Any:
    """All `target`s of a loader of shape "many", for lists that stay short. `size` is how many its cost assumes.

    With `filter`, an input type, the loader is called like one of shape "page", and reads nothing of the page but its filter.
    """
    paging = None if filter is None else Paging(target)
    made = make_field(Link(target, key, loader, many=True, nullable=False, size=size, paging=paging), object, **options)
    if filter is not None:
        made.arguments = [filter_argument(filter)]
    return made


def count(*, loader: str, key: str = "id", **options: Any) -> Any:
    """How many there are, by a loader of shape "count", which is given no filter. It costs what a `totalCount` does."""
    return make_field(CountOf(key, loader), int, directives=[Cost(weight=1)], **options)


def page(
    target: str,
    *,
    loader: str,
    key: str = "id",
    count: str | None = None,
    filter: type | None = None,
    sorts: Mapping[Enum, Sort] | None = None,
    **options: Any,
) -> Any:
    """A keyset connection. `filter` is an input type; the first of `sorts` is the default; without `count`, no totalCount."""
    paging = Paging(target, sorts)
    made = make_field(PageOf(target, key, loader, count, paging), object, **options)
    made.arguments = page_arguments(paging, filter)
    return made


@overload
def entity(cls: T) -> T: ...
@overload
def entity(*, loader: str, key: type = ..., reads: Columns = ..., description: str | None = ...) -> Callable[[T], T]: ...


def entity(cls: Any = None, *, loader: str | None = None, key: type = UUID, reads: Columns = (), description: str | None = None) -> Any:
    """A type with a global id, made of its column `id`.

    loader: the one of shape "one" that finds it by that id.
    key:    UUID, or str for types whose ids are text.
    reads:  columns that its plain resolvers read.

    What clients read of it is `description`, else the class's docstring; for values and payloads too.
    """
    if cls is not None or loader is None:
        raise TypeError('say which loader finds it: @entity(loader="<domain>.by_id")')

    def make(cls: type) -> type:
        if not issubclass(cls, Node):
            raise TypeError(f"{cls.__name__} is an entity and must derive from Node")
        name = cls.__name__
        said = description or description_of(cls)
        cls.id = make_field(GlobalId(name), strawberry.ID, description="The global id: opaque, and the same for ever.")
        cls.is_type_of = classmethod(_is_row_of(name))  # type: ignore[attr-defined]
        made = strawberry.federation.type(cls, keys=["id"], description=said)
        name_columns(made)
        declarations = current()
        declarations.add_type(cls, made)
        declarations.entities[name] = (loader, "uuid" if key is UUID else "text")
        declarations.extra_columns[name] = reads
        return made

    return make


def _is_row_of(name: str) -> Callable[[Any, Any, Any], bool]:
    """A bare row is what the field that returned it says; a row behind an interface or a union names its type."""

    def is_type_of(_cls: Any, row: Any, _info: Any) -> bool:
        return row.type_name == name if isinstance(row, TypedRow) else True

    return is_type_of


def description_of(cls: type) -> str | None:
    """The class's own docstring, as clients are shown it."""
    own = cls.__dict__.get("__doc__")
    return cleandoc(own) if own else None


@overload
def value(cls: T) -> T: ...
@overload
def value(*, reads: Columns) -> Callable[[T], T]: ...


@dataclass_transform(kw_only_default=True)
def value(cls: Any = None, *, reads: Columns = ()) -> Any:
    """A type without an id of its own, reached by a link or embedded in a payload. `reads`: as of an entity."""

    def make(cls: type) -> type:
        made = strawberry.type(cls, description=description_of(cls))
        name_columns(made)
        current().add_type(cls, made)
        current().extra_columns[cls.__name__] = reads
        return made

    return make if cls is None else make(cls)


@dataclass_transform(kw_only_default=True)
def payload(cls: T) -> T:
    """What a mutation returns or a subscription yields: attributes, and links by attributes that hold keys."""
    return value(cls)


def extends(name: str) -> Callable[[T], T]:
    """Fields that this domain adds to the type called `name`. On an entity they read nothing of it but its key."""

    def add(cls: T) -> T:
        made = strawberry.type(cls)
        name_columns(made)
        declarations = current()
        declarations.contributions.append((name, declarations.domain_of(cls), made))
        return made

    return add
