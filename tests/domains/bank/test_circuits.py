"""Circuits on the suite's Redis. Time goes by as a test says: what is kept is set back by so much."""

import asyncio
from uuid import uuid4

import pytest

from db.circuits import PATIENCE, Patience, tell
from db.redis import RedisConnections
from domains.bank.circuits import SharedCircuits
from domains.bank.providers.errors import ProviderUnavailable

#: A test's own time counts, too.
LATE_S = 10.0


@pytest.fixture
def key() -> str:
    return f"plaid:{uuid4()}"


async def go_by(redis: RedisConnections, key: str, seconds: float) -> None:
    name = f"circuit:{key}"
    for field in ("open_until", "try_until"):
        if await redis.client.hexists(name, field):  # type: ignore[misc]
            await redis.client.hincrby(name, field, -int(seconds * 1000))  # type: ignore[misc]


async def fail(redis: RedisConnections, key: str, times: int) -> None:
    for _ in range(times):
        await tell(redis, key, "failed")


async def test_it_opens_with_the_fifth_failure_in_a_row_and_not_before(redis: RedisConnections, key: str) -> None:
    await fail(redis, key, 4)
    assert await tell(redis, key, "before") == 0

    await fail(redis, key, 1)

    assert 60 - LATE_S < await tell(redis, key, "before") <= 60


async def test_a_success_in_between_begins_the_row_anew(redis: RedisConnections, key: str) -> None:
    await fail(redis, key, 4)
    await tell(redis, key, "succeeded")
    await fail(redis, key, 4)

    assert await tell(redis, key, "before") == 0


async def test_failures_an_hour_apart_are_no_row(redis: RedisConnections, key: str) -> None:
    await fail(redis, key, 4)

    assert 3600 - LATE_S < await redis.client.ttl(f"circuit:{key}") <= 3600


async def test_others_are_asked_meanwhile(redis: RedisConnections, key: str) -> None:
    await fail(redis, key, 5)

    assert await tell(redis, f"{key}-other", "before") == 0


async def test_after_its_time_one_may_try_and_the_others_wait(redis: RedisConnections, key: str) -> None:
    await fail(redis, key, 5)
    await go_by(redis, key, 60)

    waits = sorted(await asyncio.gather(*(tell(redis, key, "before") for _ in range(10))))

    assert waits[0] == 0
    assert all(PATIENCE.try_s - LATE_S < each <= PATIENCE.try_s for each in waits[1:])


async def test_a_try_that_nobody_ended_is_given_up(redis: RedisConnections, key: str) -> None:
    await fail(redis, key, 5)
    await go_by(redis, key, 60)
    assert await tell(redis, key, "before") == 0

    await go_by(redis, key, PATIENCE.try_s)

    assert await tell(redis, key, "before") == 0


async def test_a_try_that_succeeds_closes_it_for_everybody(redis: RedisConnections, key: str) -> None:
    await fail(redis, key, 5)
    await go_by(redis, key, 60)
    await tell(redis, key, "before")

    await tell(redis, key, "succeeded")

    assert [await tell(redis, key, "before") for _ in range(3)] == [0, 0, 0]
    await fail(redis, key, 4)
    assert await tell(redis, key, "before") == 0, "the row begins anew, too"


async def test_tries_that_fail_double_the_time_to_a_quarter_of_an_hour(redis: RedisConnections, key: str) -> None:
    await fail(redis, key, 5)

    told = [await tell(redis, key, "before")]
    for _ in range(6):
        await go_by(redis, key, told[-1] + 1)
        assert await tell(redis, key, "before") == 0
        await tell(redis, key, "failed")
        told.append(await tell(redis, key, "before"))

    assert [round(each / 60) for each in told] == [1, 2, 4, 8, 15, 15, 15]


async def test_a_try_that_failed_is_over_though_it_might_have_taken_longer(redis: RedisConnections, key: str) -> None:
    quick = Patience(open_s=5, longest_s=5)
    for _ in range(5):
        await tell(redis, key, "failed", quick)
    await go_by(redis, key, 6)
    assert await tell(redis, key, "before", quick) == 0
    await tell(redis, key, "failed", quick)

    await go_by(redis, key, 6)

    assert await tell(redis, key, "before", quick) == 0


async def test_late_failures_while_it_is_open_do_not_keep_it_open(redis: RedisConnections, key: str) -> None:
    await fail(redis, key, 5)
    await go_by(redis, key, 50)

    await fail(redis, key, 20)

    assert await tell(redis, key, "before") <= 10


async def test_what_a_provider_sees_of_it(redis: RedisConnections, key: str) -> None:
    circuits = SharedCircuits(redis)
    for _ in range(5):
        await circuits.before(key)
        await circuits.failed(key)

    with pytest.raises(ProviderUnavailable) as refused:
        await circuits.before(key)

    assert refused.value.detail == "CIRCUIT_OPEN"
    assert refused.value.retry_after_s is not None
    assert 60 - LATE_S < refused.value.retry_after_s <= 60
    await circuits.succeeded(key)
    await circuits.before(key)


async def test_without_redis_everybody_is_asked(key: str) -> None:
    nowhere = RedisConnections("redis://127.0.0.1:1/0")
    circuits = SharedCircuits(nowhere)

    for _ in range(6):
        await circuits.failed(key)
    await circuits.before(key)
    await circuits.succeeded(key)
    await nowhere.close()
