"""Failures of the data layer that callers tell apart. Everything else is a bug."""

from typing import Final


class NoViewer(Exception):
    """A read or write session was asked for without a viewer. Raised before any SQL."""


class DatabaseUnavailable(Exception):
    """No connection to Postgres, or it was lost: retryable when nothing had been committed."""


class PoolExhausted(DatabaseUnavailable):
    """All connections stayed busy for the pool's time-out."""


class DatabaseBusy(DatabaseUnavailable):
    """A lock that was not granted in time, a deadlock, a statement that took too long: rolled back, and the same may succeed now."""


class Conflict(DatabaseBusy):
    """A deadlock or a serialization failure: the server chose this transaction to give way. Run again from its start, it may succeed."""


#: Classes and codes of SQLSTATE. Of the server or the connection: connection exceptions, out of something (memory, disk, connections),
#: operator intervention (shutdown, starting up), a transaction that stood idle for too long.
_UNAVAILABLE: Final = ("08", "53", "57P0", "25P03", "25P04")
#: Of what others are doing: a lock that was not granted, a statement that took too long, the rest of transaction rollback.
_BUSY: Final = ("40", "55P03", "57014")
#: Serialization failure, deadlock.
_CONFLICT: Final = ("40001", "40P01")


def passing_failure(sqlstate: str | None) -> type[DatabaseUnavailable] | None:
    """What an error of Postgres means when it tells of the moment rather than of the statement; else None."""
    state = sqlstate or ""
    if state in _CONFLICT:
        return Conflict
    if state.startswith(_BUSY):
        return DatabaseBusy
    return DatabaseUnavailable if state.startswith(_UNAVAILABLE) else None


class RedisUnavailable(Exception):
    """Redis is away. What needs it answers 503; it never lets anybody in, and never signs anybody out."""


class LeaseLost(Exception):
    """Another worker holds the job now: this run's effect must not be written."""


class KeyReused(Exception):
    """The idempotency key was used before with another input."""
