"""How entries of the trail and requests are reached. One statement each; a user's lists are their own, so there is one key."""

from collections.abc import Sequence
from typing import Any

from db.audit import queries
from db.connection import Row
from db.read import Read
from resolvers.audit.inputs import read_filter
from resolvers.loaders import Columns, Page, loader


def _bounds(page: Page) -> dict[str, Any]:
    """The size of a page, and the values of the row that it continues after."""
    bound: dict[str, Any] = {"size": page.first + 1}
    if page.after is not None and page.order is not None:
        bound |= {f"after_{name}": value for name, value in zip(page.order.columns, page.after, strict=True)}
    return bound


@loader("audit.page_by_user", shape="page")
async def page_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    narrowed = read_filter(page.filter)
    statement = queries.entry_page(columns, narrowed.criteria(), after=page.after is not None)
    return await read.rows(statement, keys=ids, **_bounds(page), **narrowed.values())


@loader("audit.count_by_user", shape="count")
async def count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    narrowed = read_filter(page.filter)
    return await read.rows(queries.entry_count(narrowed.criteria()), keys=ids, **narrowed.values())


@loader("audit.export_by_id")
async def export_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(queries.exports_by_id(columns), keys=ids)


@loader("audit.exports_by_user", shape="page")
async def exports_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await read.rows(queries.export_page(columns, after=page.after is not None), keys=ids, **_bounds(page))


@loader("audit.export_count_by_user", shape="count")
async def export_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:  # noqa: ARG001 - the shape of a count
    return await read.rows(queries.export_count(), keys=ids)


@loader("audit.deletion_by_id")
async def deletion_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(queries.deletions_by_id(columns), keys=ids)


@loader("audit.deletions_by_user", shape="page")
async def deletions_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await read.rows(queries.deletion_page(columns, after=page.after is not None), keys=ids, **_bounds(page))


@loader("audit.deletion_count_by_user", shape="count")
async def deletion_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:  # noqa: ARG001 - the shape of a count
    return await read.rows(queries.deletion_count(), keys=ids)
