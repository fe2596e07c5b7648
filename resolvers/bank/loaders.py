"""How connections, accounts, imports and syncs are reached. One statement each, whatever the number of keys."""

from collections.abc import Sequence
from typing import Any

from db.bank import queries, queries_syncs
from db.connection import Row
from db.read import Read
from resolvers.bank.inputs import BankSyncSort, read_status, read_sync_filter
from resolvers.loaders import Columns, Page, loader


@loader("bank.connection_by_id")
async def connection_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(queries.connections_by_id(columns), keys=ids)


@loader("bank.connections_by_user", shape="many")
async def connections_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """Oldest first."""
    wanted = read_status(page.filter)
    return await read.rows(queries.connections_by_user(columns, with_status=bool(wanted)), keys=ids, **wanted)


@loader("bank.account_by_id")
async def account_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(queries.accounts_by_id(columns), keys=ids)


@loader("bank.accounts_by_user", shape="many")
async def accounts_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """Oldest first."""
    wanted = read_status(page.filter)
    return await read.rows(queries.accounts_by_parent("user_id", columns, with_status=bool(wanted)), keys=ids, **wanted)


@loader("bank.accounts_by_connection", shape="many")
async def accounts_by_connection(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """Oldest first."""
    return await read.rows(queries.accounts_by_parent("connection_id", columns), keys=ids)


@loader("bank.import_by_id")
async def import_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(queries.imports_by_id(columns), keys=ids)


@loader("bank.import_page_by_user", shape="page")
async def import_page_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """Of the viewer, who is the only user there is to ask for."""
    wanted: dict[str, Any] = read_status(page.filter)
    statement = queries.import_page(columns, with_status=bool(wanted), after=page.after is not None)
    if page.after is not None:
        wanted |= {f"after_{name}": value for name, value in zip(queries.IMPORTS_NEWEST, page.after, strict=True)}
    return await read.rows(statement, keys=ids, size=page.first + 1, **wanted)


@loader("bank.import_count_by_user", shape="count")
async def import_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    wanted = read_status(page.filter)
    return await read.rows(queries.import_count(with_status=bool(wanted)), keys=ids, **wanted)


@loader("bank.failure_by_import", key="id")
async def failure_by_import(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """Why an import failed; nothing for one that did not."""
    return await read.rows(queries.failed_imports_by_id(columns), keys=ids)


@loader("bank.sync_by_id")
async def sync_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(queries_syncs.syncs_by_id(columns), keys=ids)


@loader("bank.sync_page_by_user", shape="page")
async def sync_page_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _sync_page(read, "user_id", ids, columns, page)


@loader("bank.sync_count_by_user", shape="count")
async def sync_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    return await _sync_count(read, "user_id", ids, page)


@loader("bank.sync_page_by_connection", shape="page")
async def sync_page_by_connection(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _sync_page(read, "connection_id", ids, columns, page)


@loader("bank.sync_count_by_connection", shape="count")
async def sync_count_by_connection(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    return await _sync_count(read, "connection_id", ids, page)


async def _sync_page(read: Read, parent: str, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """Up to `first` + 1 syncs per parent."""
    narrowed = read_sync_filter(page.filter)
    sort = page.sort or BankSyncSort.STARTED_AT_DESC
    values: dict[str, Any] = {"keys": ids, "size": page.first + 1, **narrowed.values()}
    if page.after is not None and page.order is not None:
        values |= {f"after_{name}": value for name, value in zip(page.order.columns, page.after, strict=True)}
    statement = queries_syncs.sync_page(parent, columns, sort.value, narrowed.criteria(), after=page.after is not None)
    return await read.rows(statement, **values)


async def _sync_count(read: Read, parent: str, ids: Sequence[str], page: Page) -> Sequence[Row]:
    narrowed = read_sync_filter(page.filter)
    return await read.rows(queries_syncs.sync_count(parent, narrowed.criteria()), keys=ids, **narrowed.values())
