"""The circuits of banks that every process of an installation shares."""

from db.circuits import PATIENCE, Event, Patience, tell
from db.errors import RedisUnavailable
from db.redis import RedisConnections
from domains.bank.providers.errors import ProviderUnavailable


class SharedCircuits:
    """As `providers.wire.Circuits` says. Without Redis every circuit is closed: a bank is asked too often rather than not at all."""

    def __init__(self, redis: RedisConnections, patience: Patience = PATIENCE) -> None:
        self._redis = redis
        self._patience = patience

    async def before(self, key: str) -> None:
        """Errors: ProviderUnavailable."""
        wait_s = await self._tell(key, "before")
        if wait_s > 0:
            raise ProviderUnavailable("circuit_open", retry_after_s=wait_s)

    async def failed(self, key: str) -> None:
        await self._tell(key, "failed")

    async def succeeded(self, key: str) -> None:
        await self._tell(key, "succeeded")

    async def _tell(self, key: str, event: Event) -> float:
        try:
            return await tell(self._redis, key, event, self._patience)
        except RedisUnavailable:
            return 0
