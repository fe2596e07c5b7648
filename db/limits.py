"""Token buckets in Redis. One script, the server's clock, no race: a bucket refills steadily and holds a bounded burst."""

from typing import NamedTuple

from db.redis import RedisConnections, answer

#: Refills KEYS[1] to now and takes ARGV[3] tokens of it if it holds them. Answers {taken, tokens left, ms until enough}.
TAKE = """
local function take(key, capacity, per_second, cost)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local state = redis.call('HMGET', key, 'tokens', 'at')
  local tokens = tonumber(state[1]) or capacity
  local at = tonumber(state[2]) or now
  tokens = math.min(capacity, tokens + math.max(0, now - at) * per_second / 1000)
  local taken = 0
  local wait = 0
  if tokens >= cost then
    tokens = tokens - cost
    taken = 1
  else
    wait = math.ceil((cost - tokens) * 1000 / per_second)
  end
  redis.call('HSET', key, 'tokens', tostring(tokens), 'at', now)
  redis.call('PEXPIRE', key, math.ceil(capacity * 1000 / per_second) + 1000)
  return {taken, math.floor(tokens), wait}
end
"""

_TAKE_ONE = TAKE + "return take(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))"


class Bucket(NamedTuple):
    """How much a bucket holds at most, and how fast it refills."""

    capacity: int
    per_second: float


class Charge(NamedTuple):
    """Whether the cost was taken, what is left, and how long until the same cost would be granted."""

    granted: bool
    left: int
    retry_after_s: float


def charge_of(reply: list[int]) -> Charge:
    return Charge(bool(reply[0]), int(reply[1]), reply[2] / 1000)


async def take(redis: RedisConnections, key: str, bucket: Bucket, cost: int = 1) -> Charge:
    """Take `cost` tokens of the bucket called `key`. Errors: RedisUnavailable."""
    script = redis.script(_TAKE_ONE)
    return charge_of(await answer(script(keys=[f"bucket:{key}"], args=[bucket.capacity, bucket.per_second, cost])))
