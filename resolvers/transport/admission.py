"""Who asks, and whether their bucket still holds what it costs: asked of Redis in one trip, before anything runs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from starlette.types import Scope

from db.auth.queries import authenticate
from db.engines import Viewer
from db.limits import Bucket, Charge, take
from resolvers.context import OperationContext
from resolvers.errors import RateLimited
from resolvers.transport.faults import InvalidToken

if TYPE_CHECKING:
    from domains.flows.services import Services

#: What a document that does not parse or validate is charged: reading it was work too.
REFUSED_COST = 5
#: RFC 6750's token68, at a length that no token of ours reaches.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,512}=*")
#: One subscriber holds a whole /64 of IPv6 addresses, and so shares one bucket.
_IPV6_PREFIX = 64


@dataclass(frozen=True, slots=True)
class Admitted:
    """Whoever may go on.

    viewer:       None when signed out.
    token:        theirs, None when signed out.
    address:      the client's, as its bucket is named.
    expires_in_s: how long the token lasts from now; None when signed out.
    throttle:     what their bucket still holds, for `extensions.cost`.
    """

    viewer: Viewer | None
    token: str | None
    address: str
    expires_in_s: float | None
    throttle: dict[str, Any]


class Admission:
    """The one way from a token to a viewer. Holds nothing of any request."""

    def __init__(self, services: "Services", cursor_secret: bytes) -> None:
        self.services = services
        self._cursor_secret = cursor_secret

    async def admit(self, token: str | None, address: str, cost: int) -> Admitted:
        """Charge the token's user, or the address of whoever is signed out.

        Errors: InvalidToken; RateLimited; RedisUnavailable, which must never look like a bad token.
        """
        if token is not None:
            return await self._admit_user(token, address, cost)
        bucket = self.services.options.address_bucket
        charge = await take(self.services.redis, f"address:{address}", bucket, cost)
        return Admitted(None, None, address, None, _granted(charge, bucket))

    async def _admit_user(self, token: str, address: str, cost: int) -> Admitted:
        bucket = self.services.options.viewer_bucket
        found = await authenticate(self.services.redis, token, bucket, cost)
        if found is None:
            raise InvalidToken
        session, charge = found
        viewer = Viewer(session.user_id, session.timezone, session.currency, session.locale)
        return Admitted(viewer, token, address, session.expires_in_s, _granted(charge, bucket))

    def context(self, admitted: Admitted, request_id: str) -> OperationContext:
        """A context for one operation of theirs."""
        return OperationContext(
            self.services,
            admitted.viewer,
            request_id=request_id,
            cursor_secret=self._cursor_secret,
            token=admitted.token,
            address=admitted.address,
        )


def bearer_token(headers: Mapping[bytes, bytes]) -> str | None:
    """The token of the Authorization header; None without that header. Cookies are never looked at. Errors: InvalidToken."""
    value = headers.get(b"authorization")
    return None if value is None else token_in(value.decode("latin-1"))


def token_in(authorization: str) -> str:
    """The token in `Bearer <token>`. Errors: InvalidToken."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise InvalidToken
    return token


def client_address(scope: Scope) -> str:
    """What the client's bucket is named after: its IPv4 address, its IPv6 network, or `local` on a Unix socket."""
    client = scope.get("client")
    try:
        address = ip_address(client[0]) if client else None
    except ValueError:
        address = None
    if address is None:
        return "local"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, _IPV6_PREFIX), strict=False).network_address)
    return str(address)


def _granted(charge: Charge, bucket: Bucket) -> dict[str, Any]:
    if not charge.granted:
        raise RateLimited(retry_after_s=charge.retry_after_s)
    return {"available": charge.left, "capacity": bucket.capacity, "restoredPerSecond": bucket.per_second}
