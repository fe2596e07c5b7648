"""Who asks, and whether their bucket still holds what it costs: asked of Redis in one trip, before anything runs."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from starlette.types import Scope

from db.auth.queries import authenticate
from db.engines import Origin, Viewer
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
#: What the audit trail takes of a client's word for itself, and of a request's id.
USER_AGENT_CHARACTERS = 512
REQUEST_ID_CHARACTERS = 100
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
#: Of whoever has spent all, for how long it is known here without asking, and of how many.
REMEMBERED_FOR_S = 1.0
REMEMBERED = 10_000


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
    """The one way from a token to a viewer. Of requests it remembers only whose bucket was just found empty."""

    def __init__(self, services: "Services", cursor_secret: bytes) -> None:
        self.services = services
        self._cursor_secret = cursor_secret
        self._empty = _Empty()

    async def look(self, token: str | None, address: str) -> None:
        """Before a document is read, which is work too: turn away whoever has just been told to wait.

        Costs nothing but where an address has spent all it had: then a token that comes from there is looked at first.
        Errors: InvalidToken; RateLimited; RedisUnavailable.
        """
        self._empty.check(address if token is None else token)
        if token is not None and self._empty.holds(address):
            await self.admit(token, address, 0)

    async def admit(self, token: str | None, address: str, cost: int) -> Admitted:
        """Charge the token's user, or the address of whoever is signed out or brings a token that opens nothing.

        Errors: InvalidToken; RateLimited; RedisUnavailable, which must never look like a bad token.
        """
        if token is None:
            return Admitted(None, None, address, None, await self._charge_address(address, cost))
        bucket = self.services.options.viewer_bucket
        found = await authenticate(self.services.redis, token, bucket, cost)
        if found is None:
            await self._charge_address(address, cost)
            raise InvalidToken
        session, charge = found
        viewer = Viewer(session.user_id, session.timezone, session.currency, session.locale)
        return Admitted(viewer, token, address, session.expires_in_s, self._granted(token, charge, bucket))

    async def _charge_address(self, address: str, cost: int) -> dict[str, Any]:
        bucket = self.services.options.address_bucket
        return self._granted(address, await take(self.services.redis, f"address:{address}", bucket, cost), bucket)

    def _granted(self, payer: str, charge: Charge, bucket: Bucket) -> dict[str, Any]:
        """What the bucket still holds. Errors: RateLimited."""
        if not charge.granted:
            self._empty.add(payer, charge.retry_after_s)
            raise RateLimited(retry_after_s=charge.retry_after_s)
        return {"available": charge.left, "capacity": bucket.capacity, "restoredPerSecond": bucket.per_second}

    def context(self, admitted: Admitted, request_id: str, origin: Origin | None = None) -> OperationContext:
        """A context for one operation of theirs. `origin`: where it came from, if it may change anything."""
        return OperationContext(
            self.services,
            admitted.viewer,
            request_id=request_id,
            cursor_secret=self._cursor_secret,
            token=admitted.token,
            address=admitted.address,
            origin=origin,
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
    address = _address_of(scope)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_PREFIX), strict=False).network_address)
    return "local" if address is None else str(address)


def origin_of(scope: Scope, request_id: str) -> Origin:
    """Where a request came from, for the audit trail: the whole address, what the client says it is, and the request's id."""
    address = _address_of(scope)
    said = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    agent = _UNPRINTABLE.sub("", said.decode("latin-1"))[:USER_AGENT_CHARACTERS].strip()
    return Origin("api", None if address is None else str(address), agent or None, request_id[:REQUEST_ID_CHARACTERS])


def _address_of(scope: Scope) -> IPv4Address | IPv6Address | None:
    """The client's; an IPv4 address that came as IPv6 is itself. None on a Unix socket."""
    client = scope.get("client")
    try:
        address = ip_address(client[0]) if client else None
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


class _Empty:
    """Who was told to wait within the last second: tokens and addresses, no more than `REMEMBERED` of them."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def add(self, payer: str, wait_s: float) -> None:
        if len(self._until) >= REMEMBERED:
            self._until.clear()
        self._until[payer] = time.monotonic() + min(wait_s, REMEMBERED_FOR_S)

    def holds(self, payer: str) -> bool:
        return self._left_s(payer) > 0

    def check(self, payer: str) -> None:
        """Errors: RateLimited."""
        if (left_s := self._left_s(payer)) > 0:
            raise RateLimited(retry_after_s=left_s)

    def _left_s(self, payer: str) -> float:
        if payer not in self._until:
            return 0.0
        left_s = self._until[payer] - time.monotonic()
        if left_s <= 0:
            del self._until[payer]
        return left_s
