"""The driver's connection, taught what pools need of it: rows with attribute access, a viewer in the same trip as BEGIN, bounds on
waiting, and to know whether it may be handed on.
"""

import asyncio
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import orjson

from db.errors import NoViewer
from db.residue import RESET, may_outlive


class Row(asyncpg.Record):
    """An immutable row: by position, by name and by attribute."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


#: What the driver raises, beside the server's own errors, on a connection that is gone or that it lost track of: a server that goes
#: away between two statements makes it say that another operation is in progress. A time-out of the driver's is an OSError.
LOST: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

#: BEGIN waits for nothing on the server: no answer means that nobody is there.
BEGIN_WITHIN_S: Final = 5.0
PING_WITHIN_S: Final = 1.0
#: Of a TCP connection: when a silent peer is asked for a sign of life, how often, and how long sent bytes may stay unacknowledged.
KEEPALIVE_AFTER_S: Final = 20
KEEPALIVE_EVERY_S: Final = 5
KEEPALIVES: Final = 3
UNACKNOWLEDGED_MS: Final = 15_000


class _NotCheckedOut:
    """The state in which SQLAlchemy prepares a new connection."""


NOT_CHECKED_OUT: Final = _NotCheckedOut()


@dataclass(slots=True)
class Trust:
    """What one pool knows of its server. `lost_at`: when it last gave no answer; what has been idle since before is not believed."""

    lost_at: float = float("-inf")


if TYPE_CHECKING:

    class _DriverConnection(asyncpg.Connection[Row]):
        """With what of it the stubs leave out."""

        _top_xact: object | None
        _transport: asyncio.Transport

        def _get_statement(self, query: str, *args: Any, **options: Any) -> Any: ...
        async def _introspect_types(self, *args: Any, **options: Any) -> Any: ...

else:
    _DriverConnection = asyncpg.Connection


class SystemConnection(_DriverConnection):
    """A connection of `florin_system`: no viewer, no reset query (the pool rolls back).

    is_suspect: whether something ran on it that may have left a trace in the server's session.
    idle_since: when it was given back, by the monotonic clock.
    """

    __slots__ = ("idle_since", "is_suspect", "trust")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_suspect = False
        self.idle_since = time.monotonic()
        self.trust = Trust()

    def get_reset_query(self) -> str:
        return ""

    def is_clean(self) -> bool:
        """Whether the next borrower finds what a new connection has. Asks nobody: the server's last word was its transaction's state."""
        return not (self.is_closed() or self.is_suspect or self._top_xact is not None or self.is_in_transaction())

    def _get_statement(self, query: str, *args: Any, **options: Any) -> Any:
        # every statement with arguments comes by here, however it is run
        if may_outlive(query):
            self.is_suspect = True
        return super()._get_statement(query, *args, **options)

    async def _introspect_types(self, *args: Any, **options: Any) -> Any:
        # the driver turns `jit` off for its own look at unknown types, and on again: only half of that leaves a trace
        before = self.is_suspect
        found = await super()._introspect_types(*args, **options)
        self.is_suspect = before
        return found

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109 - the driver's signature
        if query.startswith("BEGIN"):
            return await self._begin(query)
        if not args:
            if may_outlive(query):
                self.is_suspect = True
            elif self.is_suspect and query in ("COMMIT;", "ROLLBACK;", "COMMIT", "ROLLBACK"):
                # the server's session may be a pooler's, and go to somebody else: cleaned in the same trip
                query = f"{query.rstrip(';')};{RESET}"
        return await super().execute(query, *args, timeout=timeout)

    async def _begin(self, query: str) -> str:
        try:
            return await super().execute(query, timeout=BEGIN_WITHIN_S)
        except BaseException as error:
            # its answer may come yet, and the driver believes in a transaction: no use to anybody
            if isinstance(error, TimeoutError):
                self.trust.lost_at = time.monotonic()
            self.terminate()
            raise

    async def ping(self) -> None:
        """One trip. Errors: those of `LOST`, asyncpg.PostgresError; the connection is then closed."""
        try:
            await super().execute("SELECT", timeout=PING_WITHIN_S)
        except BaseException as error:
            if isinstance(error, TimeoutError):
                self.trust.lost_at = time.monotonic()
            self.terminate()
            raise

    def keep_alive(self) -> None:
        """Have the kernel notice a peer that is gone without a word, even in the middle of a statement."""
        peer = self._transport.get_extra_info("socket")
        if peer is None or peer.family not in (socket.AF_INET, socket.AF_INET6):
            return
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", KEEPALIVE_AFTER_S),
            ("TCP_KEEPINTVL", KEEPALIVE_EVERY_S),
            ("TCP_KEEPCNT", KEEPALIVES),
            ("TCP_USER_TIMEOUT", UNACKNOWLEDGED_MS),
        ):
            if (option := getattr(socket, name, None)) is not None:  # not every system has each
                peer.setsockopt(socket.IPPROTO_TCP, option, value)


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

    async def _begin(self, query: str) -> str:
        if isinstance(self.viewer_id, UUID):
            # One simple-protocol trip; a UUID cannot carry SQL. SET LOCAL ends with the transaction, pooler or not.
            query = f"{query.rstrip(';')};SET LOCAL app.user_id='{self.viewer_id}'"
        return await super()._begin(query)


def encode_json(value: Any) -> str:
    return orjson.dumps(value).decode()
