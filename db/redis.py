"""Connections to Redis: one pool for commands, and one dedicated connection per process for what is pushed to us."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio as redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from db.dsn import redis_options
from db.errors import RedisUnavailable

#: Published to after every commit that left a job: the relay looks at once.
WAKE_CHANNEL = "florin:wake"

COMMAND_TIMEOUT_S = 2.0
CONNECTIONS = 50


class RedisConnections:
    """The process's connections. `client` answers bytes; commands give up after two seconds."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._scripts: dict[str, AsyncScript] = {}
        self._options = redis_options(dsn)
        self.client = self._open(
            socket_timeout=COMMAND_TIMEOUT_S,
            socket_connect_timeout=COMMAND_TIMEOUT_S,
            max_connections=CONNECTIONS,
            health_check_interval=30,
        )

    def _open(self, **options: Any) -> redis.Redis:
        return redis.Redis.from_pool(redis.ConnectionPool(**{**options, **self._options}))

    def script(self, source: str) -> AsyncScript:
        """The script, sent by its hash; loaded again by itself where Redis has forgotten it."""
        if source not in self._scripts:
            self._scripts[source] = self.client.register_script(source)
        return self._scripts[source]

    def subscriber(self) -> "redis.client.PubSub":
        """A connection of its own for subscriptions; it waits for messages without a time-out."""
        over_tcp = {} if self.dsn.startswith("unix:") else {"socket_keepalive": True}
        client = self._open(socket_connect_timeout=COMMAND_TIMEOUT_S, health_check_interval=15, **over_tcp)
        pubsub: redis.client.PubSub = client.pubsub(ignore_subscribe_messages=False)
        return pubsub

    async def close(self) -> None:
        await self.client.aclose()


@asynccontextmanager
async def redis_errors() -> AsyncIterator[None]:
    """Turn what the driver raises when Redis is away into RedisUnavailable."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise RedisUnavailable(type(error).__name__) from error


async def answer(command: Awaitable[Any]) -> Any:
    """The answer to one command. Errors: RedisUnavailable."""
    async with redis_errors():
        return await command
