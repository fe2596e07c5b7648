"""The hub: nothing missed, nothing queued, everything read anew after a loss."""

import asyncio
from uuid import uuid4

import pytest

from db.errors import RedisUnavailable
from db.live import Event, Hub, Slot, announce, channel_of
from db.redis import RedisConnections


@pytest.fixture
async def hub(redis: RedisConnections):
    hub = Hub(redis)
    hub.start()
    yield hub
    await hub.close()


async def take(slot: Slot) -> list[Event] | None:
    async with asyncio.timeout(5):
        return await slot.take()


async def test_a_slow_listener_gets_the_latest_version_of_each_thing_once(hub: Hub, redis: RedisConnections) -> None:
    user, one, two = uuid4(), uuid4(), uuid4()

    async with hub.subscribe(user, ["budget"]) as slot:
        for version in range(1, 501):
            await announce(redis, user, [Event("budget", one, version)], wake=False)
        await announce(redis, user, [Event("budget", two, 1)], wake=False)
        await asyncio.sleep(0.3)
        events = await take(slot)

    assert events is not None
    assert sorted(events, key=lambda event: event.version) == [Event("budget", two, 1), Event("budget", one, 500)]


async def test_an_event_that_is_repeated_late_does_not_take_the_place_of_a_newer_one(hub: Hub, redis: RedisConnections) -> None:
    user, key = uuid4(), uuid4()

    async with hub.subscribe(user, ["budget"]) as slot:
        await announce(redis, user, [Event("budget", key, 5), Event("budget", key, 4)], wake=False)
        await asyncio.sleep(0.3)
        events = await take(slot)

    assert events == [Event("budget", key, 5)]


async def test_listeners_of_one_user_share_a_channel_and_others_hear_nothing(hub: Hub, redis: RedisConnections) -> None:
    robin, sam, key = uuid4(), uuid4(), uuid4()

    async with (
        hub.subscribe(robin, ["budget"]) as first,
        hub.subscribe(robin, ["budget"]) as second,
        hub.subscribe(sam, ["budget"]) as other,
    ):
        channels = await redis.client.pubsub_numsub(channel_of(robin), channel_of(sam))
        await announce(redis, robin, [Event("budget", key, 1)], wake=False)
        heard = [await take(first), await take(second)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await other.take()

    assert [count for _, count in channels] == [1, 1]
    assert heard == [[Event("budget", key, 1)]] * 2


async def test_a_channel_is_left_with_its_last_listener_and_joined_again(hub: Hub, redis: RedisConnections) -> None:
    user = uuid4()

    async with hub.subscribe(user, ["budget"]):
        pass
    async with asyncio.timeout(5):
        while (await redis.client.pubsub_numsub(channel_of(user)))[0][1]:
            await asyncio.sleep(0.01)
    async with hub.subscribe(user, ["budget"]) as slot:
        await announce(redis, user, [Event("budget", user, 1)], wake=False)
        events = await take(slot)

    assert events == [Event("budget", user, 1)]


async def test_many_listeners_that_come_and_go_at_once_all_hear(hub: Hub, redis: RedisConnections) -> None:
    user = uuid4()

    async def listen() -> list[Event] | None:
        async with hub.subscribe(user, ["budget"]) as slot:
            return await take(slot)

    async def flicker() -> None:
        async with hub.subscribe(user, ["budget"]):
            await asyncio.sleep(0)

    listening = [asyncio.create_task(listen()) for _ in range(20)]
    await asyncio.gather(*(flicker() for _ in range(20)))
    async with asyncio.timeout(5):
        while not all(task.done() for task in listening):
            await announce(redis, user, [Event("budget", user, 1)], wake=False)
            await asyncio.sleep(0.02)

    assert [task.result() for task in listening] == [[Event("budget", user, 1)]] * 20


async def test_after_a_lost_connection_every_listener_reads_anew(hub: Hub, redis: RedisConnections) -> None:
    user = uuid4()

    async with hub.subscribe(user, ["budget"]) as slot:
        await redis.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        assert await take(slot) is None
        await announce(redis, user, [Event("budget", user, 9)], wake=False)
        assert await take(slot) == [Event("budget", user, 9)]


async def test_subscribing_while_redis_is_away_is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.live.SUBSCRIBED_WITHIN_S", 0.2)
    away = RedisConnections("redis://127.0.0.1:1/0")
    hub = Hub(away)
    hub.start()

    with pytest.raises(RedisUnavailable):
        async with hub.subscribe(uuid4(), ["budget"]):
            pytest.fail("subscribed to nothing")

    await hub.close()
    await away.close()
