"""How connections, accounts and imports are reached. One statement each."""

from collections.abc import Sequence

from db.bank import queries
from db.connection import Row
from db.read import Read
from resolvers.loaders import Columns, loader


@loader("bank.connection_by_id")
async def connection_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(queries.connections_by_id(columns), keys=ids)


@loader("bank.connections_by_user", shape="many")
async def connections_by_user(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """Oldest first."""
    return await read.rows(queries.connections_by_user(columns), keys=ids)


@loader("bank.account_by_id")
async def account_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(queries.accounts_by_id(columns), keys=ids)


@loader("bank.accounts_by_user", shape="many")
async def accounts_by_user(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """Oldest first."""
    return await read.rows(queries.accounts_by_parent("user_id", columns), keys=ids)


@loader("bank.accounts_by_connection", shape="many")
async def accounts_by_connection(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """Oldest first."""
    return await read.rows(queries.accounts_by_parent("connection_id", columns), keys=ids)


@loader("bank.import_by_id")
async def import_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(queries.imports_by_id(columns), keys=ids)


@loader("bank.failure_by_import", key="id")
async def failure_by_import(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """Why an import failed; nothing for one that did not."""
    return await read.rows(queries.failed_imports_by_id(columns), keys=ids)
