"""Loaders: how rows of a domain are reached by key, many keys in one statement.

    @loader("budget.by_id")                              at most one row per key                     -> link
    async def by_id(read, ids, columns): ...
    @loader("budget.by_user", shape="many")              any number of rows per key, in their order  -> links
    async def by_user(read, ids, columns): ...
    @loader("bank.accounts_by_user", shape="many")       the same, narrowed by page.filter               -> links(filter=...)
    async def accounts_by_user(read, ids, columns, page): ...
    @loader("transaction.page_by_user", shape="page")    up to page.first + 1 rows per key, in order -> page
    async def page_by_user(read, ids, columns, page): ...
    @loader("transaction.count_by_user", shape="count")  rows (key, count); no row means 0           -> page(count=...)
    async def count_by_user(read, ids, page): ...

The name before the dot is the domain: the loader reads in that domain's snapshot. A row holds its key at position 0
and then the columns in the order asked. Keys come and go as text, as `db.statements.read_columns` returns them.
A loader runs ONE statement, whatever the number of keys.

The compiled executor calls a loader as it is. graphql-core reaches it through `Loaders`, which batches with aiodataloader.
Both live for one operation (one mutation, one event of a subscription).
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from aiodataloader import DataLoader

from db.engines import Viewer

Key = str
Columns = tuple[str, ...]
Shape = Literal["one", "many", "page", "count"]
#: What a loader gives: rows whose position 0 is the key.
Rows = Sequence[Any]
LoaderFunction = Callable[..., Awaitable[Rows]]
F = TypeVar("F", bound=LoaderFunction)


@dataclass(frozen=True, slots=True)
class Sort:
    """An order that a page can have, and thus what its cursors hold.

    columns:    the row's columns to order by, the last one unique (usually `id`); all in the same direction.
    descending: newest, largest first.
    """

    columns: Columns
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for.

    first:  rows wanted, 1 to 100; a loader returns one more when there are more.
    after:  the sort columns' values of the row to continue after, in the order of `order.columns`, or None for the
            start. Values have the type in which the row brought them: text for NUMERIC and UUID, date, datetime, int.
    filter: the page's filter input, as the client gave it (an instance of the declared input type), or None.
    sort:   the chosen member of the page's sort enum, or None when the page declares no sorts.
    order:  what that member means.
    """

    first: int
    after: tuple[Any, ...] | None = None
    filter: Any = None
    sort: Any = None
    order: Sort | None = None


@dataclass(frozen=True, slots=True)
class LoaderSpec:
    """A declared loader. `key` names the column that position 0 holds, when it is one: then it is not read twice."""

    name: str
    domain: str
    shape: Shape
    key: str | None
    call: LoaderFunction


_declared: dict[str, LoaderSpec] = {}


def loader(name: str, *, shape: Shape = "one", key: str | None = None) -> Callable[[F], F]:
    """Declare a loader called `<domain>.<what it does>`.

    key: the column that position 0 holds. By default `id` when the name ends with `by_id`.
    """
    domain, _, rest = name.partition(".")
    if not domain or not rest:
        raise TypeError(f"a loader is named <domain>.<what it does>, not {name!r}")
    column = key if key is not None else ("id" if rest == "by_id" or rest.endswith("_by_id") else None)

    def declare(function: F) -> F:
        known = _declared.get(name)
        if known is not None and _origin(known.call) != _origin(function):
            raise TypeError(f"two loaders are called {name!r}: {_origin(known.call)} and {_origin(function)}")
        _declared[name] = LoaderSpec(name, domain, shape, column, function)
        return function

    return declare


def _origin(function: LoaderFunction) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', function)}"


def get_loader(name: str, *shapes: Shape) -> LoaderSpec:
    """The loader of that name. Errors: TypeError when there is none or it has another shape."""
    spec = _declared.get(name)
    if spec is None:
        raise TypeError(f"no loader is called {name!r}")
    if shapes and spec.shape not in shapes:
        raise TypeError(f"loader {name!r} has shape {spec.shape!r}, not {' or '.join(shapes)!r}")
    return spec


class OpenRead(Protocol):
    """A read transaction whose life has no block (`db.read.Read`)."""

    async def close(self) -> None: ...
    async def abandon(self) -> None: ...


class ReadSource(Protocol):
    """What opens read transactions (`db.engines.Db`)."""

    def dsn_key(self, domain: str, *, fresh: bool = False) -> Hashable: ...
    async def open_read(self, domain: str, viewer: Viewer | None, *, fresh: bool = False) -> Any: ...


class Reads:
    """The read transactions of an operation: one per database, opened when first needed, all closed at its end.

    is_fresh: they see every commit so far, the operation's own above all; else a replica may serve them. Whoever sets it closes first.
    """

    def __init__(self, source: ReadSource, viewer: Viewer | None) -> None:
        self.is_fresh = False
        self._source = source
        self._viewer = viewer
        self._open: dict[Hashable, OpenRead] = {}
        self._of: dict[str, OpenRead] = {}
        self._refused: dict[Hashable, Exception] = {}
        self._lock = asyncio.Lock()

    async def of(self, domain: str) -> Any:
        """The domain's read. What failed to open is not tried again: it fails alike for the rest of the operation."""
        read = self._of.get(domain)
        if read is None:
            read = self._of[domain] = await self._opened(domain)
        return read

    async def _opened(self, domain: str) -> Any:
        key = self._source.dsn_key(domain, fresh=self.is_fresh)
        async with self._lock:
            if key in self._refused:
                raise self._refused[key]
            if key not in self._open:
                try:
                    self._open[key] = await self._source.open_read(domain, self._viewer, fresh=self.is_fresh)
                except Exception as error:
                    self._refused[key] = error
                    raise
            return self._open[key]

    async def close(self, *, failed: bool = False) -> None:
        """End every transaction; afterwards `of` opens fresh ones."""
        self._refused = {}
        if failed:
            await self.abandon()
            return
        await _each([read.close for read in self._take()])

    async def abandon(self) -> None:
        """Roll every transaction back, whatever its state."""
        await _each([read.abandon for read in self._take()])

    def _take(self) -> list[OpenRead]:
        opened, self._open, self._of = list(self._open.values()), {}, {}
        return opened


async def _each(calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Make every call, though one fails; then raise the last failure."""
    failure: Exception | None = None
    for call in calls:
        try:
            await call()
        except Exception as error:  # noqa: BLE001 - raised below, once every connection was given back
            failure = error
    if failure is not None:
        raise failure


@dataclass
class Loaders:
    """An operation's DataLoaders by name, for graphql-core. One per (loader, columns, page)."""

    reads: Reads
    _loaders: dict[Hashable, DataLoader[Key, Any]] = field(default_factory=dict)
    _running: set[asyncio.Task[Any]] = field(default_factory=set)

    def load(self, spec: LoaderSpec, key: Key, columns: Columns, page: Page | None = None) -> Awaitable[Any]:
        """What the loader has under the key: a row or None (one), a list of rows (many, page), a number (count)."""
        place = (spec.name, columns, page and (page.first, page.after, page.sort, repr(page.filter)))
        found = self._loaders.get(place)
        if found is None:
            found = self._loaders[place] = DataLoader(self._batch(spec, columns, page))
        # for several waiters: graphql-core cancels those beside a failed field, and must not take the row from the others
        return asyncio.shield(found.load(key))

    def clear(self) -> None:
        """Forget what was loaded."""
        self._loaders.clear()

    async def stop(self) -> None:
        """Cancel what is still being loaded and wait until it has let go of the reads."""
        running = [task for task in self._running if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _batch(self, spec: LoaderSpec, columns: Columns, page: Page | None) -> Callable[[list[Key]], Any]:
        async def batch(keys: list[Key]) -> list[Any]:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - DataLoader runs batches as tasks
            self._running.add(task)
            try:
                rows = await call_loader(spec, await self.reads.of(spec.domain), keys, columns, page)
            finally:
                self._running.discard(task)
            return arrange(spec.shape, keys, rows)

        return batch


async def call_loader(spec: LoaderSpec, read: Any, keys: Sequence[Key], columns: Columns, page: Page | None) -> Rows:
    """Call a loader of any shape."""
    if spec.shape == "count":
        return await spec.call(read, keys, page)
    if page is not None:
        return await spec.call(read, keys, columns, page)
    return await spec.call(read, keys, columns)


def arrange(shape: Shape, keys: Iterable[Key], rows: Rows) -> list[Any]:
    """Rows by key, in the order of the keys."""
    if shape == "one":
        one = {row[0]: row for row in rows}
        return [one.get(key) for key in keys]
    if shape == "count":
        counts = {row[0]: row[1] for row in rows}
        return [counts.get(key, 0) for key in keys]
    many: dict[Key, list[Any]] = {}
    for row in rows:
        many.setdefault(row[0], []).append(row)
    return [many.get(key, []) for key in keys]
