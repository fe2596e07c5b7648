"""How people are reached: themselves, by themselves."""

from collections.abc import Sequence

from db.connection import Row
from db.read import Read
from db.user import queries
from resolvers.loaders import Columns, loader


@loader("user.by_id")
async def by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """The viewer, when asked for by their own id; nobody else. One statement."""
    return await read.rows(queries.users_by_id(columns), keys=ids)


@loader("user.preferences_by_user")
async def preferences_by_user(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """What the viewer has chosen, or the defaults. One statement."""
    return await read.rows(queries.preferences_by_user(columns), keys=ids)


@loader("user.oauth_connection_by_id")
async def oauth_connection_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(queries.oauth_connections_by_id(columns), keys=ids)


@loader("user.oauth_connections_by_user", shape="many")
async def oauth_connections_by_user(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """Oldest first."""
    return await read.rows(queries.oauth_connections_by_user(columns), keys=ids)
