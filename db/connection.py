"""The driver's connection, taught two things: rows with attribute access, and a viewer in the same trip as BEGIN."""

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import orjson

from db.errors import NoViewer


class Row(asyncpg.Record):
    """An immutable row: by position, by name and by attribute."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


#: What the driver raises, beside the server's own errors, on a connection that is gone or that it lost track of: a server that goes
#: away between two statements makes it say that another operation is in progress.
LOST: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class _NotCheckedOut:
    """The state in which SQLAlchemy prepares a new connection."""


NOT_CHECKED_OUT: Final = _NotCheckedOut()


if TYPE_CHECKING:
    _DriverConnection = asyncpg.Connection[Row]
else:
    _DriverConnection = asyncpg.Connection


class SystemConnection(_DriverConnection):
    """A connection of `florin_system`: no viewer, no reset query (the pool rolls back)."""

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""


class ViewerConnection(SystemConnection):
    """A connection of `florin_app`. No transaction begins on it without a viewer: it fails closed."""

    __slots__ = ("viewer_id",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.viewer_id: UUID | _NotCheckedOut | None = NOT_CHECKED_OUT

    def transaction(self, **options: Any) -> Any:
        # Checked here and not in execute(): a start() that raises leaves the driver believing a transaction is open.
        if self.viewer_id is None:
            raise NoViewer
        return super().transaction(**options)

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109 - the driver's signature
        if isinstance(self.viewer_id, UUID) and query.startswith("BEGIN"):
            # One simple-protocol trip; a UUID cannot carry SQL. SET LOCAL ends with the transaction, pooler or not.
            query = f"{query.rstrip(';')};SET LOCAL app.user_id='{self.viewer_id}'"
        return await super().execute(query, *args, timeout=timeout)


def encode_json(value: Any) -> str:
    return orjson.dumps(value).decode()
