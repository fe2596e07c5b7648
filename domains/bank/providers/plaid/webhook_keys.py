"""The public keys that Plaid signs its messages with, asked for once and kept for a while, per process."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from domains.bank.providers.errors import ProviderError, ProviderUnavailable

ALGORITHM: Final = "ES256"
CURVE: Final = "P-256"
#: After so long Plaid is asked whether the key still holds; while it does not answer, the key goes on being used for a day.
FRESH: Final = timedelta(hours=1)
KEPT: Final = timedelta(hours=24)
#: So long Plaid is not asked again for a key that it did not know.
UNKNOWN: Final = timedelta(minutes=10)
#: How many are remembered, known and unknown ones each; the oldest goes.
REMEMBERED: Final = 1_000
#: How often Plaid is asked, at most, however many keys are invented: so often in so long.
ASKED_AT_MOST: Final = 6
ASKED_WITHIN: Final = timedelta(minutes=1)


V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Known:
    key: ECKey
    asked_at: datetime
    expired_at: datetime | None


class WebhookKeys:
    """Keys by their id. `fetch` asks Plaid for one: its JWK, or None where there is no such key. Errors of it: ProviderError."""

    def __init__(self, fetch: Callable[[str], Awaitable[Mapping[str, Any] | None]]) -> None:
        self._fetch = fetch
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._unknown: OrderedDict[str, datetime] = OrderedDict()
        self._asking: dict[str, asyncio.Task[_Known | None]] = {}
        self._asked: deque[datetime] = deque()

    async def find(self, kid: str, now: datetime) -> ECKey | None:
        """The key that may sign now; None where Plaid has no such key, or has retired it.

        Many who ask for one key at once ask Plaid once. Errors: ProviderUnavailable, also when Plaid was asked too often just now.
        """
        known = self._known.get(kid)
        if known is None and self._is_unknown(kid, now):
            return None
        if known is None or now - known.asked_at >= FRESH:
            known = await self._renewed(kid, known, now)
        if known is None or (known.expired_at is not None and now >= known.expired_at):
            return None
        return known.key

    def _is_unknown(self, kid: str, now: datetime) -> bool:
        since = self._unknown.get(kid)
        return since is not None and now - since < UNKNOWN

    async def _renewed(self, kid: str, known: _Known | None, now: datetime) -> _Known | None:
        try:
            return await self._shared(kid, now)
        except ProviderError:
            if known is None or now - known.asked_at >= KEPT:
                raise
            return known

    async def _shared(self, kid: str, now: datetime) -> _Known | None:
        """The answer to the one question about this key; whoever stops waiting leaves it to the others."""
        asking = self._asking.get(kid)
        if asking is None:
            self._count(now)
            asking = self._asking[kid] = asyncio.create_task(self._ask(kid, now))
            asking.add_done_callback(lambda done: self._answered(kid, done))
        return await asyncio.shield(asking)

    def _answered(self, kid: str, done: "asyncio.Task[_Known | None]") -> None:
        self._asking.pop(kid, None)
        if not done.cancelled():
            done.exception()  # seen, also when nobody waits any more

    def _count(self, now: datetime) -> None:
        while self._asked and now - self._asked[0] >= ASKED_WITHIN:
            self._asked.popleft()
        if len(self._asked) >= ASKED_AT_MOST:
            raise ProviderUnavailable("TOO_MANY_KEYS", retry_after_s=ASKED_WITHIN.total_seconds())
        self._asked.append(now)

    async def _ask(self, kid: str, now: datetime) -> _Known | None:
        jwk = await self._fetch(kid)
        known = None if jwk is None else _read(kid, jwk, now)
        if known is None:
            self._known.pop(kid, None)
            _remember(self._unknown, kid, now)
        else:
            self._unknown.pop(kid, None)
            _remember(self._known, kid, known)
        return known


def _read(kid: str, jwk: Mapping[str, Any], now: datetime) -> _Known | None:
    """A key of Plaid's that can verify ES256; None for any other, which is as if it were not there."""
    if (jwk.get("kty"), jwk.get("crv"), jwk.get("alg"), jwk.get("use"), jwk.get("kid")) != ("EC", CURVE, ALGORITHM, "sig", kid):
        return None
    x, y, expired_at = jwk.get("x"), jwk.get("y"), jwk.get("expired_at")
    if not isinstance(x, str) or not isinstance(y, str):
        return None
    try:
        expired = None if expired_at is None else datetime.fromtimestamp(int(expired_at), UTC)
        return _Known(ECKey.import_key({"kty": "EC", "crv": CURVE, "x": x, "y": y}), now, expired)
    except (JoseError, ValueError, TypeError, OverflowError, OSError):
        return None


def _remember(memory: "OrderedDict[str, V]", kid: str, value: V) -> None:
    memory[kid] = value
    memory.move_to_end(kid)
    while len(memory) > REMEMBERED:
        memory.popitem(last=False)
