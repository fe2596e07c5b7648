"""Keyset pages: arguments, cursors, and what graphql-core resolves a connection on.

A cursor holds the sort's name and the sort columns' values of one row, signed with the install's secret: one that was
made for another sort or another type, or by somebody else, is refused.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

import orjson
import strawberry
from strawberry.federation.schema_directives import Cost

from resolvers.errors import BadUserInput
from resolvers.loaders import Page, Sort

DEFAULT_FIRST = 20
MAX_FIRST = 100
SIGNATURE_BYTES = 12
MAX_CURSOR_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Paging:
    """How a page field pages: whose nodes, and in which orders. Without sorts there is one, by id."""

    node_type: str
    sorts: Mapping[Enum, Sort] | None = None

    @property
    def default_sort(self) -> Enum | None:
        return next(iter(self.sorts)) if self.sorts else None

    def order_of(self, sort: Enum | None) -> Sort:
        return BY_ID if self.sorts is None or sort is None else self.sorts[sort]


BY_ID = Sort(("id",))


@strawberry.type(description="Where a page ends, and whether there is more.", directives=[Cost(weight=0)])
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether rows follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether the page was asked for with `after`.")
    start_cursor: str | None = strawberry.field(description="The first row's cursor; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The last row's cursor, the next page's `after`; null on an empty page.")


def read_arguments(paging: Paging, arguments: Mapping[str, Any], secret: bytes) -> Page:
    """The page that coerced arguments (`first`, `after`, `filter`, `sort`) ask for. Errors: BadUserInput."""
    first = arguments.get("first")
    if first is None:
        first = DEFAULT_FIRST
    if not 1 <= first <= MAX_FIRST:
        raise BadUserInput(f"`first` must be between 1 and {MAX_FIRST}.", argument="first")
    sort = arguments.get("sort") or paging.default_sort
    order = paging.order_of(sort)
    after = arguments.get("after")
    values = None if after is None else read_cursor(after, paging.node_type, sort, len(order.columns), secret)
    return Page(first, values, arguments.get("filter"), sort, order)


def make_cursor(values: Sequence[Any], node_type: str, sort: Enum | None, secret: bytes) -> str:
    """The opaque cursor of a row with these sort values."""
    body = orjson.dumps([_sort_name(sort), *map(_tagged, values)])
    return urlsafe_b64encode(_signature(body, node_type, secret) + body).decode()


def read_cursor(cursor: str, node_type: str, sort: Enum | None, width: int, secret: bytes) -> tuple[Any, ...]:
    """The `width` sort values in a cursor. Errors: BadUserInput."""
    if len(cursor) > MAX_CURSOR_CHARACTERS or not cursor.isascii():
        raise _bad_cursor()
    try:
        raw = urlsafe_b64decode(cursor)
    except NotBase64:
        raise _bad_cursor() from None
    signature, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
    if urlsafe_b64encode(raw).decode() != cursor or not hmac.compare_digest(signature, _signature(body, node_type, secret)):
        raise _bad_cursor()
    name, *values = orjson.loads(body)
    if name != _sort_name(sort) or len(values) != width:
        raise BadUserInput("This cursor belongs to another sort. Start again without `after`.", argument="after")
    return tuple(map(_untagged, values))


def _bad_cursor() -> BadUserInput:
    return BadUserInput("This is not a cursor of this list. Use an `endCursor` as it was given.", argument="after")


def _sort_name(sort: Enum | None) -> str:
    return "" if sort is None else sort.name


def _signature(body: bytes, node_type: str, secret: bytes) -> bytes:
    return hashlib.blake2b(b"\0".join((node_type.encode(), body)), key=secret[:64], digest_size=SIGNATURE_BYTES).digest()


def _tagged(value: object) -> object:
    """A row's value so that JSON keeps its type: texts, numbers and null as they are, dates in a list of one or two."""
    match value:
        case datetime():
            return ["t", value.isoformat()]
        case date():
            return ["d", value.isoformat()]
        case str() | int() | None:
            return value
        case _:
            raise TypeError(f"a page cannot be sorted by {type(value).__name__}")


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        kind, text = value
        return datetime.fromisoformat(text) if kind == "t" else date.fromisoformat(text)
    return value


class LoadedPage:
    """A connection for graphql-core: reads rows and count only when a field asks for them."""

    def __init__(
        self, paging: Paging, page: Page, secret: bytes, rows: Callable[[], Awaitable[list[Any]]], count: Callable[[], Awaitable[int]]
    ) -> None:
        self._paging = paging
        self._page = page
        self._secret = secret
        self._rows = rows
        self._count = count

    @property
    async def nodes(self) -> list[Any]:
        return (await self._rows())[: self._page.first]

    @property
    async def edges(self) -> list["LoadedEdge"]:
        return [LoadedEdge(row, self._cursor(row)) for row in (await self._rows())[: self._page.first]]

    @property
    async def page_info(self) -> PageInfo:
        rows = await self._rows()
        shown = rows[: self._page.first]
        return PageInfo(
            has_next_page=len(rows) > self._page.first,
            has_previous_page=self._page.after is not None,
            start_cursor=self._cursor(shown[0]) if shown else None,
            end_cursor=self._cursor(shown[-1]) if shown else None,
        )

    @property
    def total_count(self) -> Awaitable[int]:
        return self._count()

    def _cursor(self, row: Any) -> str:
        order = self._page.order or BY_ID
        return make_cursor([row[column] for column in order.columns], self._paging.node_type, self._page.sort, self._secret)


@dataclass(frozen=True, slots=True)
class LoadedEdge:
    node: Any
    cursor: str
