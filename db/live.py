"""Live events: tiny messages that say what changed, never what it is now.

`user, topic, id, version` goes to the channel of the user. Each process holds one connection to Redis, subscribes to
exactly the channels somebody listens to, and fans out locally. A listener has one slot per (topic, id) holding the
latest version: a slow one coalesces, it never queues. After any reconnect every listener is told to read anew, since
Redis does not keep what it sent meanwhile.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID

import structlog
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from db.errors import RedisUnavailable
from db.redis import WAKE_CHANNEL, RedisConnections

log = structlog.get_logger(__name__)

#: Nobody publishes here: a connection must hold one channel before it can wait for messages.
IDLE_CHANNEL = "florin:idle"
SUBSCRIBED_WITHIN_S = 5.0
RECONNECT_AFTER_S = 0.2
RECONNECT_AT_MOST_S = 5.0


class Event(NamedTuple):
    """Something of a user's changed: its topic, its id and the version it has now."""

    topic: str
    id: UUID
    version: int


def channel_of(user_id: UUID) -> str:
    return f"live:{user_id}"


async def announce(redis: RedisConnections, user_id: UUID | None, events: Sequence[Event], *, wake: bool) -> bool:
    """Publish what a commit caused, in one round trip. False when Redis is away: the rows remain, the relay repeats them."""
    pipeline = redis.client.pipeline(transaction=False)
    if user_id is not None:
        for event in events:
            pipeline.publish(channel_of(user_id), json.dumps([event.topic, str(event.id), event.version]))
    if wake:
        pipeline.publish(WAKE_CHANNEL, b"1")
    try:
        await pipeline.execute()
    except (RedisError, OSError) as error:
        log.warning("live.not_announced", error=type(error).__name__, events=len(events))
        return False
    return True


class Slot:
    """What one listener has not seen yet: the latest version per (topic, id)."""

    def __init__(self, topics: frozenset[str]) -> None:
        self._topics = topics
        self._waiting: dict[tuple[str, UUID], Event] = {}
        self._anew = False
        self._woken = asyncio.Event()
        self.is_listening = False

    def put(self, event: Event) -> None:
        if event.topic not in self._topics:
            return
        waiting = self._waiting.get((event.topic, event.id))
        if waiting is None or waiting.version < event.version:  # a repeated event may come after a newer one
            self._waiting[(event.topic, event.id)] = event
        self._woken.set()

    def read_anew(self) -> None:
        """Events may have been missed."""
        self._anew = True
        self._woken.set()

    async def take(self) -> list[Event] | None:
        """Wait for what changed since the last take; None when anything may have, so that the listener reads all anew."""
        await self._woken.wait()
        self._woken.clear()
        events, self._waiting = list(self._waiting.values()), {}
        anew, self._anew = self._anew, False
        return None if anew else events


class Hub:
    """The process's one subscription connection and its local fan-out."""

    def __init__(self, redis: RedisConnections) -> None:
        self._redis = redis
        self._slots: dict[str, set[Slot]] = {}
        self._subscribed: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="live.hub")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @asynccontextmanager
    async def subscribe(self, user_id: UUID, topics: Sequence[str]) -> AsyncIterator[Slot]:
        """A slot that is filled from when this enters: whoever reads the present state inside misses nothing.

        Errors: RedisUnavailable when Redis has not confirmed within five seconds.
        """
        channel = channel_of(user_id)
        slot = Slot(frozenset(topics))
        self._slots.setdefault(channel, set()).add(slot)
        try:
            await self._wait_until_confirmed(channel)
            slot.is_listening = True
            yield slot
        finally:
            listeners = self._slots[channel]
            listeners.discard(slot)
            if not listeners:
                del self._slots[channel]
                self._changed.set()

    async def _wait_until_confirmed(self, channel: str) -> None:
        if channel not in self._subscribed:
            self._subscribed[channel] = asyncio.Event()
            self._changed.set()
        try:
            async with asyncio.timeout(SUBSCRIBED_WITHIN_S):
                await self._subscribed[channel].wait()
        except TimeoutError as error:
            raise RedisUnavailable("no subscription within the time-out") from error

    async def _run(self) -> None:
        """Hold the connection for ever; after a loss, subscribe again and have everybody read anew."""
        wait_s = RECONNECT_AFTER_S
        while True:
            pubsub = self._redis.subscriber()
            try:
                await self._follow(pubsub)
            except (RedisError, OSError) as error:
                log.warning("live.connection_lost", error=type(error).__name__)
                for confirmed in self._subscribed.values():
                    confirmed.clear()
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RECONNECT_AT_MOST_S)
            else:
                wait_s = RECONNECT_AFTER_S
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
                    await pubsub.connection_pool.disconnect()

    async def _follow(self, pubsub: PubSub) -> None:
        await pubsub.subscribe(IDLE_CHANNEL)
        held: set[str] = set()
        reader = asyncio.create_task(self._read(pubsub))
        try:
            while True:
                self._changed.clear()
                wanted = set(self._subscribed)
                for gone in [channel for channel in wanted if channel not in self._slots]:
                    del self._subscribed[gone]
                    wanted.discard(gone)
                if added := wanted - held:
                    await pubsub.subscribe(*added)
                if dropped := held - wanted:
                    await pubsub.unsubscribe(*dropped)
                held = wanted
                changed = asyncio.create_task(self._changed.wait())
                try:
                    await asyncio.wait({changed, reader}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                if reader.done():
                    reader.result()
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError, RedisError, OSError):
                await reader

    async def _read(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(timeout=None)
            if message is None:
                continue
            channel = message["channel"].decode()
            if message["type"] == "subscribe":
                self._on_subscribed(channel)
            elif message["type"] == "message" and channel in self._slots:
                topic, key, version = json.loads(message["data"])
                event = Event(topic, UUID(key), version)
                for slot in self._slots[channel]:
                    slot.put(event)

    def _on_subscribed(self, channel: str) -> None:
        """Redis sends to us from here on. Whoever was listening before (this is a reconnect) may have missed something."""
        if (confirmed := self._subscribed.get(channel)) is None:
            return
        confirmed.set()
        for slot in self._slots.get(channel, ()):
            if slot.is_listening:
                slot.read_anew()
