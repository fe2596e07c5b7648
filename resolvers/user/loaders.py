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
