"""Failures of the data layer that callers tell apart. Everything else is a bug."""


class NoViewer(Exception):
    """A read or write session was asked for without a viewer. Raised before any SQL."""


class DatabaseUnavailable(Exception):
    """No connection to Postgres, or it was lost: retryable when nothing had been committed."""


class PoolExhausted(DatabaseUnavailable):
    """All connections stayed busy for the pool's time-out."""


class RedisUnavailable(Exception):
    """Redis is away. What needs it answers 503; it never lets anybody in, and never signs anybody out."""


class LeaseLost(Exception):
    """Another worker holds the job now: this run's effect must not be written."""


class KeyReused(Exception):
    """The idempotency key was used before with another input."""
