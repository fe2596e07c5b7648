"""Sessions and buckets in Redis, with Redis's own clock."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from db import limits
from db.auth import queries as sessions
from db.errors import RedisUnavailable
from db.limits import Bucket
from db.redis import RedisConnections

SETTINGS = ("Europe/Paris", "EUR", "fr-FR")
BUCKET = Bucket(capacity=100, per_second=1)


async def open_session(redis: RedisConnections, ttl_s: int = 60) -> tuple[str, sessions.Session]:
    user_id = uuid4()
    token = await sessions.open_session(redis, user_id, SETTINGS, at=datetime.now(UTC), ttl_s=ttl_s)
    return token, sessions.Session(user_id, *SETTINGS, expires_in_s=ttl_s)


async def test_a_token_opens_its_session_and_is_charged_in_one_trip(redis: RedisConnections) -> None:
    token, expected = await open_session(redis)

    first = await sessions.authenticate(redis, token, BUCKET, 60)
    second = await sessions.authenticate(redis, token, BUCKET, 60)

    assert first is not None
    assert second is not None
    assert (first[0].user_id, first[0].timezone, first[0].currency, first[0].locale) == (expected.user_id, *SETTINGS)
    assert 50 < first[0].expires_in_s <= 60
    assert (first[1].granted, first[1].left) == (True, 40)
    assert second[1].granted is False
    assert 0 < second[1].retry_after_s <= 20


@pytest.mark.parametrize("token", ["", "x", "é" * 40, "a" * 10_000, "session:*"])
async def test_what_is_no_token_opens_nothing(redis: RedisConnections, token: str) -> None:
    assert await sessions.authenticate(redis, token, BUCKET, 1) is None


async def test_an_ended_and_an_expired_session_open_nothing(redis: RedisConnections) -> None:
    ended, _ = await open_session(redis)
    expired, _ = await open_session(redis, ttl_s=1)

    assert await sessions.end_session(redis, ended) is True
    assert await sessions.end_session(redis, ended) is False
    await asyncio.sleep(1.1)

    assert await sessions.authenticate(redis, ended, BUCKET, 1) is None
    assert await sessions.authenticate(redis, expired, BUCKET, 1) is None


async def test_the_list_of_a_users_sessions_does_not_grow_with_those_that_have_ended(redis: RedisConnections) -> None:
    user_id = uuid4()
    lasting = await sessions.open_session(redis, user_id, SETTINGS, at=datetime.now(UTC), ttl_s=60)
    for _ in range(3):
        await sessions.open_session(redis, user_id, SETTINGS, at=datetime.now(UTC), ttl_s=1)
    await asyncio.sleep(1.1)

    ended = await sessions.open_session(redis, user_id, SETTINGS, at=datetime.now(UTC), ttl_s=60)
    await sessions.end_session(redis, ended)

    assert await redis.client.zrange(f"sessions-of:{user_id}", 0, -1) == [f"session:{sessions.hash_token(lasting)}".encode()]


async def test_redis_holds_no_token(redis: RedisConnections) -> None:
    token, _ = await open_session(redis)

    keys = [key async for key in redis.client.scan_iter("session*")]
    held = [await redis.client.hgetall(key) for key in keys if await redis.client.type(key) == b"hash"]

    assert token.encode() not in b"".join(keys)
    assert all(token.encode() not in b"".join(fields.values()) for fields in held)


async def test_fifty_at_once_cannot_take_more_than_the_bucket_holds(redis: RedisConnections) -> None:
    key = str(uuid4())

    charges = await asyncio.gather(*(limits.take(redis, key, Bucket(20, 0.001)) for _ in range(50)))

    assert sum(charge.granted for charge in charges) == 20


async def test_a_bucket_refills_steadily_and_never_beyond_its_capacity(redis: RedisConnections) -> None:
    key, bucket = str(uuid4()), Bucket(10, 100)

    assert (await limits.take(redis, key, bucket, 10)).granted is True
    refused = await limits.take(redis, key, bucket, 5)
    await asyncio.sleep(0.2)
    after = await limits.take(redis, key, bucket, 10)

    assert refused.granted is False
    assert 0 < refused.retry_after_s <= 0.06
    assert (after.granted, after.left) == (True, 0)


async def test_redis_away_is_neither_a_refusal_nor_a_pass() -> None:
    away = RedisConnections("redis://127.0.0.1:1/0")

    with pytest.raises(RedisUnavailable):
        await sessions.authenticate(away, "token", BUCKET, 1)
    with pytest.raises(RedisUnavailable):
        await limits.take(away, "key", BUCKET)
    await away.close()
