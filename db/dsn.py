"""DSNs: what an operator may write, and what each driver is given. No error here quotes any part of one: it may be a password's.

A Postgres DSN is kept in one spelling, `postgresql+asyncpg://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=...`, with options by libpq's names.
SQLAlchemy hands options to the driver as arguments, of which it has few: so engines are made for `DIALECT`, and the driver reads the DSN.
"""

import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from redis.asyncio.connection import parse_url
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

#: The URL that SQLAlchemy's engines are made with. `connect_args` hold `dsn`.
DIALECT: Final = "postgresql+asyncpg://"
ENCODE: Final = "write @ : / ? # % and spaces within the password as %40 %3A %2F %3F %23 %25 %20"

_POSTGRES: Final = ("postgres", "postgresql", "postgresql+asyncpg")
_AS_POSTGRES: Final = "write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
#: What the driver takes from a DSN. It sends any other name to the server as a parameter of the session.
_SERVERS: Final = ("host", "port", "target_session_attrs", "application_name", "options", "passfile")
_TLS: Final = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation")
_TLS_VERSIONS: Final = ("ssl_min_protocol_version", "ssl_max_protocol_version")
_POSTGRES_OPTIONS: Final = (*_SERVERS, *_TLS, *_TLS_VERSIONS)
#: Of libpq, and without a meaning here.
_DROPPED: Final = {"channel_binding": ("disable", "prefer"), "gssencmode": ("disable", "prefer")}
#: Several servers in libpq's spelling, h1:5432,h2:5432: SQLAlchemy would read a port of them.
_SEVERAL_HOSTS: Final = re.compile(
    r"(?P<log_in>[\w+]+://(?:[^:/]*(?::[^@]*)?@)?)(?P<hosts>[^/?]*,[^/?]*)(?P<path>/[^?]*)?(?:\?(?P<query>.*))?", re.DOTALL
)

#: Where systems keep the authorities that everybody trusts, when Python's own TLS library does not say.
_SYSTEM_AUTHORITIES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")

_AS_REDIS: Final = "write it as redis://USER:PASSWORD@HOST:PORT/0, rediss://... or unix://USER:PASSWORD@/PATH?db=0"
_REDIS_OPTIONS: Final = ("db", "username", "password", "client_name")
_REDIS_TLS_OPTIONS: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
_CERT_REQS: Final = ("none", "optional", "required")

#: Others that people write. A name that is none of these may be a part of a password, and is not repeated.
_WELL_KNOWN: Final = ("user", "password", "dbname", "service", "connect_timeout", "client_encoding", "gssencmode", "schema", "pgbouncer")
_WELL_KNOWN_TOO: Final = ("timeout", "socket_timeout", "socket_connect_timeout", "max_connections", "protocol", "ssl_ca_path")
_NAMED: Final = (*_WELL_KNOWN, *_WELL_KNOWN_TOO, *_REDIS_TLS_OPTIONS)


def postgres_dsn(written: str) -> str:
    """A Postgres DSN of any common spelling in ours. Errors: ValueError, which says what is wrong."""
    return _parsed(written).render_as_string(hide_password=False)


def driver_dsn(dsn: str) -> str:
    """The same for asyncpg. Errors: ValueError."""
    url = _parsed(dsn).set(drivername="postgresql")
    if url.query.get("sslrootcert") == "system":
        url = url.update_query_dict({"sslrootcert": _system_authorities()})
    return url.render_as_string(hide_password=False)


def redis_dsn(written: str) -> str:
    """A DSN of Redis, as it is written. Errors: ValueError, which says what is wrong."""
    redis_options(written)
    return written


def redis_options(dsn: str) -> dict[str, Any]:
    """What redis-py's connection pool is made with. The name in a server's certificate is checked unless the DSN says otherwise.

    Errors: ValueError.
    """
    try:
        parts = urlsplit(dsn)
        _ = parts.port  # a number, or something of an unencoded password
        options: dict[str, Any] = dict(parse_url(dsn))
    except ValueError:
        raise ValueError(f"{_AS_REDIS}; {ENCODE}") from None
    is_local = parts.scheme == "unix"
    if parts.fragment or not (parts.path if is_local else parts.hostname and re.fullmatch(r"/?\d*/?", parts.path)):
        raise ValueError(f"{_AS_REDIS}; {ENCODE}")
    known = _REDIS_OPTIONS + (_REDIS_TLS_OPTIONS if parts.scheme == "rediss" else ())
    _refuse_others(parse_qs(parts.query), known)
    if parts.scheme == "rediss":
        required = options.get("ssl_cert_reqs", "required")
        if required not in _CERT_REQS:
            raise ValueError(f"ssl_cert_reqs is one of {', '.join(_CERT_REQS)}")
        options.setdefault("ssl_check_hostname", required != "none")
    return options


def _parsed(written: str) -> URL:
    if written.count("@") > 1:
        raise ValueError(f"{_AS_POSTGRES}; {ENCODE}")
    try:
        if several := _SEVERAL_HOSTS.fullmatch(written):
            query = "&".join(part for part in (several["query"], f"host={several['hosts']}") if part)
            written = f"{several['log_in']}{several['path'] or ''}?{query}"
        url = make_url(written)
    except (ArgumentError, ValueError):
        raise ValueError(_AS_POSTGRES) from None
    given = {("sslmode" if name == "ssl" else name): _joined(name, value) for name, value in url.query.items()}
    if url.drivername not in _POSTGRES or not url.database:
        raise ValueError(_AS_POSTGRES)
    kept = {name: value for name, value in given.items() if value not in _DROPPED.get(name, ())}
    _refuse_weaker(kept)
    return url.set(drivername="postgresql+asyncpg", query=kept)


def _joined(name: str, value: str | Sequence[str]) -> str:
    """Several servers, as libpq writes them; of any other option that is given twice, the last."""
    if isinstance(value, str):
        return value
    return ",".join(value) if name in ("host", "port") else value[-1]


def _refuse_weaker(query: dict[str, str]) -> None:
    """Nothing that an operator asked for is left out without a word."""
    if "channel_binding" in query:
        raise ValueError("channel_binding cannot be required: the driver has none. Leave it out, and let sslmode be verify-full")
    _refuse_others(query, _POSTGRES_OPTIONS)
    mode = query.get("sslmode")
    if mode is not None and mode not in _SSL_MODES:
        raise ValueError(f"sslmode is one of {', '.join(_SSL_MODES)}")
    if query.get("sslrootcert") == "system" and mode != "verify-full":
        raise ValueError("sslrootcert=system needs sslmode=verify-full: those authorities answer for any server")


def _refuse_others(given: Any, known: Any) -> None:
    for name in given:
        if name not in known:
            said = name if name in _NAMED else "one of its options"
            raise ValueError(f"{said} is not an option of such a DSN: there are {', '.join(sorted(known))}")


def _system_authorities() -> str:
    found = ssl.get_default_verify_paths().cafile
    for path in (found, *_SYSTEM_AUTHORITIES):
        if path and Path(path).is_file():
            return path
    raise ValueError("sslrootcert=system: this machine has no file of authorities. Install ca-certificates, or name a file")
