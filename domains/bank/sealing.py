"""What lets us in at a bank, and what a link keeps to itself: sealed with their owner's key, bound to where it is kept."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import orjson

from domains.bank.providers.protocol import Credentials
from domains.core.cipher import DecryptionFailed, UserKey

CONNECTIONS: Final = "bank_schema.bank_connections"
LINKS: Final = "bank_schema.bank_links"
ACCESS: Final = "access_token_encrypted"
REFRESH: Final = "refresh_token_encrypted"
EXPIRES: Final = "token_expires_at"
SECRET: Final = "secret_encrypted"  # noqa: S105 - the name of a column
#: The columns of credentials, where there are none.
NO_CREDENTIALS: Final[Mapping[str, Any]] = {ACCESS: None, REFRESH: None, EXPIRES: None}


class Sealed(Protocol):
    """Credentials as they are stored. Access that is to be revoked keeps what stood with its connection, under the same seal."""

    @property
    def access_token_encrypted(self) -> bytes | None: ...
    @property
    def refresh_token_encrypted(self) -> bytes | None: ...
    @property
    def token_expires_at(self) -> datetime | None: ...


def seal_credentials(key: UserKey, given: Credentials) -> dict[str, Any]:
    """The columns of a connection that hold them."""
    return {
        ACCESS: key.seal(CONNECTIONS, ACCESS, given.access_token.encode()),
        REFRESH: None if given.refresh_token is None else key.seal(CONNECTIONS, REFRESH, given.refresh_token.encode()),
        EXPIRES: given.expires_at,
    }


def open_credentials(key: UserKey, stored: Sealed) -> Credentials:
    """Errors: DecryptionFailed, also where there are none."""
    if stored.access_token_encrypted is None:
        raise DecryptionFailed("there is no token")
    refresh = stored.refresh_token_encrypted
    return Credentials(
        access_token=key.open(CONNECTIONS, ACCESS, stored.access_token_encrypted).decode(),
        refresh_token=None if refresh is None else key.open(CONNECTIONS, REFRESH, refresh).decode(),
        expires_at=stored.token_expires_at,
    )


def seal_secret(key: UserKey, secret: Mapping[str, Any]) -> bytes:
    """Plain JSON, sealed for a link."""
    return key.seal(LINKS, SECRET, orjson.dumps(dict(secret)))


def open_secret(key: UserKey, sealed: bytes | None) -> dict[str, Any]:
    """Nothing where the secret is gone. Errors: DecryptionFailed."""
    return {} if sealed is None else dict(orjson.loads(key.open(LINKS, SECRET, sealed)))


def digest(text: str) -> str:
    """SHA-256, lower-case hex: what is compared without being kept."""
    return hashlib.sha256(text.encode()).hexdigest()
