"""A small household of the money world in memory: enough of each kind of field, and loaders that count their calls."""

import enum
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import strawberry

from db.engines import Viewer
from domains.core.errors import AppError
from resolvers.context import OperationContext
from resolvers.declared import Declarations, declaring
from resolvers.fields import (
    EVERYBODY_KEY,
    VIEWER_KEY,
    Hidden,
    Info,
    Node,
    Payload,
    Sort,
    amounts,
    column,
    count,
    entity,
    extends,
    from_global_id,
    link,
    links,
    money,
    mutation,
    page,
    payload,
    value,
)
from resolvers.loaders import Columns, Page, loader
from resolvers.payloads import expose_core
from resolvers.schema import Schema, make_schema

SECRET = b"an install's secret for the tests"
ALICE = uuid.UUID(int=1)
BOB = uuid.UUID(int=2)


class Row(tuple[Any, ...]):
    """What the driver's rows are to us: by position, by name, by attribute."""

    names: tuple[str, ...]

    def __new__(cls, names: Iterable[str], values: Iterable[Any]) -> "Row":
        row = super().__new__(cls, tuple(values))
        row.names = tuple(names)
        return row

    def __getitem__(self, at: Any) -> Any:
        return super().__getitem__(self.names.index(at) if isinstance(at, str) else at)

    def __getattr__(self, name: str) -> Any:
        if name not in self.names:
            raise AttributeError(name)
        return self[name]


@dataclass
class Household:
    """The tables, and what was asked of them: (loader, keys, columns) in order."""

    tables: dict[str, list[dict[str, Any]]]
    asked: list[tuple[str, tuple[str, ...], Columns]] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    abandoned: int = 0
    failing: dict[str, Exception] = field(default_factory=dict)
    split: bool = False

    def dsn_key(self, domain: str, *, fresh: bool = False) -> str:
        return domain if self.split else "one"

    async def open_read(self, domain: str, viewer: Viewer | None, *, fresh: bool = False) -> "ToyRead":
        if domain in self.failing:
            raise self.failing[domain]
        self.opened += 1
        return ToyRead(self)


@dataclass
class ToyRead:
    household: Household

    async def close(self) -> None:
        self.household.closed += 1

    async def abandon(self) -> None:
        self.household.abandoned += 1

    def rows(
        self, name: str, table: str, keys: Sequence[str], columns: Columns, by: str, where: Callable[[Any], bool] | None = None
    ) -> list[Row]:
        household = self.household
        household.asked.append((name, tuple(keys), columns))
        if name in household.failing:
            raise household.failing[name]
        wanted = set(keys)
        found = [row for row in household.tables[table] if (by == "*" or row[by] in wanted) and (where is None or where(row))]
        return [Row(("key", *columns), (keys[0] if by == "*" else row[by], *(row[c] for c in columns))) for row in found]


@dataclass(frozen=True)
class ToyServices:
    """Stands for `Services`: the core of the resolvers uses nothing of them but `db`."""

    db: Household


def context_of(household: Household, user: uuid.UUID | None = ALICE) -> OperationContext:
    viewer = None if user is None else Viewer(user)
    return OperationContext(ToyServices(household), viewer, request_id="request-1", cursor_secret=SECRET)  # type: ignore[arg-type]


@strawberry.enum
class Direction(enum.Enum):
    DEBIT = "debit"
    CREDIT = "credit"


@strawberry.enum
class EntrySort(enum.Enum):
    NEWEST = "newest"
    OLDEST = "oldest"
    LARGEST = "largest"


ENTRY_SORTS = {
    EntrySort.NEWEST: Sort(("booked_on", "id"), descending=True),
    EntrySort.OLDEST: Sort(("booked_on", "id")),
    EntrySort.LARGEST: Sort(("amount", "id"), descending=True),
}


@strawberry.input
class EntryFilter:
    direction: Direction | None = None
    text: str | None = None


@loader("people.by_id")
async def person_by_id(read: ToyRead, ids: Sequence[str], columns: Columns) -> list[Row]:
    return read.rows("people.by_id", "people", ids, columns, "id")


@loader("people.pots_by_person", shape="many")
async def pots_by_person(read: ToyRead, ids: Sequence[str], columns: Columns) -> list[Row]:
    return read.rows("people.pots_by_person", "pots", ids, columns, "person_id")


@loader("pots.by_id")
async def pot_by_id(read: ToyRead, ids: Sequence[str], columns: Columns) -> list[Row]:
    return read.rows("pots.by_id", "pots", ids, columns, "id")


@loader("pots.usage_by_pot")
async def usage_by_pot(read: ToyRead, ids: Sequence[str], columns: Columns) -> list[Row]:
    return read.rows("pots.usage_by_pot", "usage", ids, columns, "pot_id")


@loader("pots.label_by_id")
async def label_by_id(read: ToyRead, ids: Sequence[str], columns: Columns) -> list[Row]:
    return read.rows("pots.label_by_id", "labels", ids, columns, "id")


@loader("pots.labels", shape="many")
async def labels(read: ToyRead, ids: Sequence[str], columns: Columns) -> list[Row]:
    return read.rows("pots.labels", "labels", ids, columns, "*")


@loader("entries.by_id")
async def entry_by_id(read: ToyRead, ids: Sequence[str], columns: Columns) -> list[Row]:
    return read.rows("entries.by_id", "entries", ids, columns, "id")


def _matches(filter: EntryFilter | None) -> Callable[[Any], bool]:
    def matches(row: Any) -> bool:
        if filter is None:
            return True
        if filter.direction is not None and row["direction"] != filter.direction.value:
            return False
        return filter.text is None or filter.text in (row["note"] or "")

    return matches


def _page(name: str, by: str) -> Callable[..., Any]:
    async def paged(read: ToyRead, ids: Sequence[str], columns: Columns, page: Page) -> list[Row]:
        assert page.order is not None
        order = page.order
        wanted = (*columns, *order.columns)
        rows = read.rows(name, "entries", ids, wanted, by, _matches(page.filter))
        width = len(columns) + 1
        rows.sort(key=lambda row: tuple(row)[width:], reverse=order.descending)
        if page.after is not None:
            after = page.after
            rows = [row for row in rows if (tuple(row)[width:] < after if order.descending else tuple(row)[width:] > after)]
        kept: list[Row] = []
        taken: dict[str, int] = {}
        for row in rows:
            taken[row[0]] = taken.get(row[0], 0) + 1
            if taken[row[0]] <= page.first + 1:
                kept.append(Row(("key", *columns), tuple(row)[:width]))
        return kept

    return paged


def _count(name: str, by: str) -> Callable[..., Any]:
    async def counted(read: ToyRead, ids: Sequence[str], page: Page) -> list[tuple[str, int]]:
        counts: dict[str, int] = {}
        for row in read.rows(name, "entries", ids, (), by, _matches(page.filter)):
            counts[row[0]] = counts.get(row[0], 0) + 1
        return list(counts.items())

    return counted


loader("entries.page_by_person", shape="page")(_page("entries.page_by_person", "person_id"))
loader("entries.count_by_person", shape="count")(_count("entries.count_by_person", "person_id"))
loader("entries.page_by_pot", shape="page")(_page("entries.page_by_pot", "pot_id"))


class PotMissing(AppError):
    """There is no such pot."""

    code = "POT_MISSING"
    default_message = "There is no such pot."


class PotTooSmall(AppError):
    code = "POT_TOO_SMALL"
    default_message = "A pot holds at least as much as was spent from it."

    least: int | None

    def __init__(self, least: int) -> None:
        super().__init__(field="size")
        self.least = least


def declare_toy() -> Declarations:
    """Four types of three domains, each naming the others'."""
    with declaring(Declarations("people")) as declarations:
        _declare_people()
    declarations._domain = "pots"
    with declaring(declarations):
        _declare_pots()
        _declare_pot_operations()
    declarations._domain = "entries"
    with declaring(declarations):
        _declare_entries()
        expose_core()
    return declarations


def _declare_people() -> None:
    @entity(loader="people.by_id", reads=("nickname",))
    class Person(Node):
        name = column(str)
        nickname = column(str | None)
        joined_at = column(datetime)
        favourite = link("Pot", key="favourite_id")
        entry_count = count(loader="entries.count_by_person")

        @strawberry.field
        def greeting(self) -> str:
            return f"Hello {self.nickname or self.name}"

    @extends("Query")
    class PeopleQueries:
        me = link("Person", key=VIEWER_KEY, nullable=False)
        viewer = link("Person", key=VIEWER_KEY)
        labels = links("Label", key=EVERYBODY_KEY, loader="pots.labels", size=3)


def _declare_pots() -> None:
    @entity(loader="pots.label_by_id", key=str)
    class Label(Node):
        title = column(str)
        colour = column(str | None)

    @value
    class Usage:
        spent = money("spent")
        share = column(Decimal)
        version = column(int)
        tags = column(list[str])
        others = amounts()

    @entity(loader="pots.by_id")
    class Pot(Node):
        name = column(str)
        size = money("amount")
        ceiling = money("ceiling", nullable=True)
        label = link("Label", key="label_id")
        usage = link("Usage", key="id", loader="pots.usage_by_pot", nullable=False)
        maybe_usage = link("Usage", key="id", loader="pots.usage_by_pot")
        owner = link("Person", key="person_id", nullable=False)

    @extends("Person")
    class PersonPots:
        pots = links("Pot", loader="people.pots_by_person")


@strawberry.input
class PotResizeInput:
    id: strawberry.ID
    size: Decimal


def _declare_pot_operations() -> None:
    import sys

    from resolvers.payloads import expose

    @payload
    class PotResizePayload(Payload):
        pot_id: Hidden[uuid.UUID | None] = None
        pot = link("Pot", key="pot_id")

    @payload
    class PotChanged:
        pot_id: Hidden[uuid.UUID]
        version: int
        pot = link("Pot", key="pot_id")

    async def pot_resize(self: Any, info: Info, input: PotResizeInput) -> Any:
        key = from_global_id(input.id, "Pot")
        rows = [row for row in info.context.services.db.tables["pots"] if row["id"] == str(key)]  # type: ignore[attr-defined]
        if not rows:
            raise PotMissing(field="id")
        if input.size == 13:
            raise ZeroDivisionError(f"a secret {input.size}")
        if input.size < 10:
            raise PotTooSmall(10)
        rows[0]["amount"] = f"{input.size:.4f}"
        return PotResizePayload(pot_id=key)

    pot_resize.__annotations__["return"] = PotResizePayload

    async def pot_changed(self: Any, info: Info, times: int = 2) -> Any:
        if times < 0:
            raise PotMissing
        sources = info.context.services.db.tables["open_sources"]  # type: ignore[attr-defined]
        sources.append({})
        try:
            for version in range(times):
                yield PotChanged(pot_id=POT_OF_ALICE, version=version)
        finally:
            sources.pop()

    pot_changed.__annotations__["return"] = AsyncGenerator[PotChanged, None]

    expose(sys.modules[__name__])
    extends("Mutation")(type("PotMutations", (), {"pot_resize": mutation(pot_resize), "__module__": __name__}))
    extends("Subscription")(
        type("PotSubscriptions", (), {"pot_changed": strawberry.subscription(resolver=pot_changed), "__module__": __name__})
    )


def _declare_entries() -> None:
    @entity(loader="entries.by_id")
    class Entry(Node):
        note = column(str | None)
        booked_on = column(date)
        direction = column(Direction)
        amount = money()
        pot = link("Pot", key="pot_id")
        label = link("Label", key="label_id")

    @extends("Person")
    class PersonEntries:
        entries = page("Entry", loader="entries.page_by_person", count="entries.count_by_person", filter=EntryFilter, sorts=ENTRY_SORTS)

    @extends("Pot")
    class PotEntries:
        entries = page("Entry", loader="entries.page_by_pot", sorts=ENTRY_SORTS)


def make_toy() -> Schema:
    return make_schema(declare_toy())


def _id(kind: int, number: int) -> str:
    return str(uuid.UUID(int=kind * 1_000_000 + number))


POT_OF_ALICE = uuid.UUID(_id(1, 0))


def furnish(pots: int = 4, entries: int = 30) -> Household:
    """Alice with pots and entries, Bob with nothing; every third pot without a label, every fifth without a usage."""
    people = [
        {
            "id": str(ALICE),
            "name": "Alice",
            "nickname": "Al",
            "joined_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "favourite_id": _id(1, 1),
        },
        {
            "id": str(BOB),
            "name": "Bob",
            "nickname": None,
            "joined_at": datetime(2026, 2, 2, 3, 4, 5, 600, tzinfo=UTC),
            "favourite_id": None,
        },
    ]
    all_labels = [{"id": name, "title": name.title(), "colour": None if name == "FUN" else "red"} for name in ("FOOD", "FUN", "RENT")]
    return Household(
        {
            "people": people,
            "labels": all_labels,
            "pots": [_pot(number) for number in range(pots)],
            "usage": [_usage(number) for number in range(pots) if number % 5 != 4],
            "open_sources": [],
            "entries": [_entry(number, pots) for number in range(entries)],
        }
    )


def _pot(number: int) -> dict[str, Any]:
    return {
        "id": _id(1, number),
        "person_id": str(ALICE),
        "name": f"Pot {number}",
        "amount": f"{number * 10}.5000",
        "ceiling": None if number % 2 else "99.1234",
        "currency": ("USD", "JPY", "KWD")[number % 3],
        "label_id": None if number % 3 == 2 else ("FOOD", "GONE")[number % 2],
    }


def _usage(number: int) -> dict[str, Any]:
    return {
        "pot_id": _id(1, number),
        "spent": "7.0000",
        "currency": "EUR",
        "share": "12.5000",
        "version": number,
        "others": {"JPY": "3.0000", "EUR": "1.2500"} if number % 2 else {},
        "tags": ["a", "b"][: number % 3],
    }


def _entry(number: int, pots: int) -> dict[str, Any]:
    return {
        "id": _id(2, number),
        "person_id": str(ALICE),
        "note": None if number % 7 == 3 else f"note {number}",
        "booked_on": date(2026, 3, 1) + timedelta(days=number // 3),
        "direction": "credit" if number % 4 == 0 else "debit",
        "amount": f"{number % 11}.2500",
        "currency": "USD",
        "pot_id": None if not pots or number % 6 == 5 else _id(1, number % pots),
        "label_id": ("FOOD", "FUN", "RENT")[number % 3],
    }
