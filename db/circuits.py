"""Circuits in Redis: who failed too often in a row is left alone for a while. One script, the server's clock, no race."""

from typing import Final, Literal, NamedTuple

from db.redis import RedisConnections, answer

#: ARGV: what happened, failures until it opens, ms that it stays open at first and at most, ms that a try may take, ms that it is
#: remembered. Answers ms to wait; 0: go on, and where the circuit had been open, this is the one try.
_SCRIPT: Final = """
local key, event = KEYS[1], ARGV[1]
local threshold, first, longest = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local a_try, memory = tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if event == 'succeeded' then
  redis.call('DEL', key)
  return 0
end

local state = redis.call('HMGET', key, 'failures', 'open_until', 'open_for', 'try_until')
local open_until, open_for, try_until = tonumber(state[2]), tonumber(state[3]), tonumber(state[4])

if event == 'before' then
  if not open_until then return 0 end
  if now < open_until then return open_until - now end
  if try_until and now < try_until then return try_until - now end
  redis.call('HSET', key, 'try_until', now + a_try)
  return 0
end

if open_until then
  if now < open_until then return 0 end
  open_for = math.min(open_for * 2, longest)
else
  local failures = (tonumber(state[1]) or 0) + 1
  if failures < threshold then
    redis.call('HSET', key, 'failures', failures)
    redis.call('PEXPIRE', key, memory)
    return 0
  end
  open_for = first
end
redis.call('HDEL', key, 'try_until')
redis.call('HSET', key, 'open_until', now + open_for, 'open_for', open_for)
redis.call('PEXPIRE', key, open_for + memory)
return 0
"""


class Patience(NamedTuple):
    """After so many failures in a row the circuit is open for open_s; then one try at a time. Each that fails doubles it, to longest_s.

    try_s: a try that has not ended after so long is given up, and the next one may go; longer than any call lasts.
    memory_s: what did not happen again for so long is forgotten.
    """

    failures: int = 5
    open_s: float = 60
    longest_s: float = 15 * 60
    try_s: float = 120
    memory_s: float = 60 * 60


PATIENCE: Final = Patience()

Event = Literal["before", "failed", "succeeded"]


async def tell(redis: RedisConnections, key: str, event: Event, patience: Patience = PATIENCE) -> float:
    """Tell the circuit called `key` of an event; "before" asks it. Answers how long to wait in s, 0 for go. Errors: RedisUnavailable.

    A failure while it is open is of a call that had begun earlier, and changes nothing.
    """
    script = redis.script(_SCRIPT)
    times = (patience.open_s, patience.longest_s, patience.try_s, patience.memory_s)
    told = [event, patience.failures, *(int(each * 1000) for each in times)]
    return int(await answer(script(keys=[f"circuit:{key}"], args=told))) / 1000
