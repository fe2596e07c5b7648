"""DSNs as the driver wants them when SQLAlchemy is not in between."""

from sqlalchemy.engine import make_url


def driver_dsn(dsn: str) -> str:
    """A `postgresql+asyncpg://` DSN for the driver itself, which calls `ssl` by libpq's name, `sslmode`."""
    url = make_url(dsn)
    query = {"sslmode" if name == "ssl" else name: value for name, value in url.query.items()}
    return url.set(drivername="postgresql", query=query).render_as_string(hide_password=False)
