"""How transactions and categories are reached. One statement each, whatever the number of keys."""

from collections.abc import Sequence
from typing import Any

from db.connection import Row
from db.read import Read
from db.transaction.queries import reads
from resolvers.loaders import Columns, Page, loader
from resolvers.transaction.inputs import TransactionSort, read_filter


@loader("transaction.by_id")
async def by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(reads.transactions_by_id(columns), keys=ids)


@loader("transaction.page_by_user", shape="page")
async def page_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _page(read, "user_id", ids, columns, page)


@loader("transaction.count_by_user", shape="count")
async def count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    return await _count(read, "user_id", ids, page)


@loader("transaction.page_by_account", shape="page")
async def page_by_account(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _page(read, "account_id", ids, columns, page)


@loader("transaction.count_by_account", shape="count")
async def count_by_account(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    return await _count(read, "account_id", ids, page)


@loader("transaction.category_by_id")
async def category_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(reads.categories_by_id(columns), keys=ids)


@loader("transaction.categories_by_parent", shape="many")
async def categories_by_parent(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(reads.categories_by_parent(columns), keys=ids)


@loader("transaction.categories", shape="many")
async def categories(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """All of them under the one key there is."""
    return await read.rows(reads.all_categories(columns), key=ids[0])


async def _page(read: Read, parent: str, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """Up to `first` + 1 transactions per parent. A single parent is asked for by a statement that needs no join."""
    narrowed = read_filter(page.filter)
    sort = page.sort or TransactionSort.DATE_DESC
    values: dict[str, Any] = {"keys": ids} if len(ids) > 1 else {"key": ids[0]}
    if page.after is not None and page.order is not None:
        values |= {f"after_{name}": value for name, value in zip(page.order.columns, page.after, strict=True)}
    after, many = page.after is not None, len(ids) > 1
    statement = reads.transaction_page(parent, columns, sort.value, narrowed.criteria(), after=after, many=many)
    return await read.rows(statement, size=page.first + 1, **values, **narrowed.values())


async def _count(read: Read, parent: str, ids: Sequence[str], page: Page) -> Sequence[Row]:
    narrowed = read_filter(page.filter)
    return await read.rows(reads.transaction_count(parent, narrowed.criteria()), keys=ids, **narrowed.values())
