"""Sessions, in Redis. A token is valid only while its session is there; nothing is accepted for its signature alone.

Only the SHA-256 of a token is stored. One script answers a request's three questions: whose token is it, may they act,
and does their bucket still hold what the operation costs.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.limits import TAKE, Bucket, Charge, charge_of
from db.redis import RedisConnections, answer

TOKEN_BYTES = 32

#: KEYS[1] the session; ARGV: capacity, refill per second, cost. Answers nothing for a token that is not (or no longer) valid.
_AUTHENTICATE = (
    TAKE
    + """
local session = redis.call('HMGET', KEYS[1], 'user_id', 'timezone', 'currency', 'locale')
if not session[1] then return nil end
local charge = take('bucket:user:' .. session[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))
return {session[1], session[2], session[3], session[4], redis.call('PTTL', KEYS[1]), charge}
"""
)

#: KEYS[1] the session, KEYS[2] the user's sessions by when they end: those that have ended are dropped, or it would only ever grow.
_OPEN = """
redis.call('HSET', KEYS[1], 'user_id', ARGV[1], 'timezone', ARGV[2], 'currency', ARGV[3], 'locale', ARGV[4], 'created_at', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[6]), KEYS[1])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[6]) then redis.call('PEXPIRE', KEYS[2], ARGV[6]) end
"""

_END = """
local user = redis.call('HGET', KEYS[1], 'user_id')
if not user then return 0 end
redis.call('ZREM', 'sessions-of:' .. user, KEYS[1])
return redis.call('DEL', KEYS[1])
"""


@dataclass(frozen=True, slots=True)
class Session:
    """Who a token stands for, and for how much longer (seconds)."""

    user_id: UUID
    timezone: str
    currency: str
    locale: str
    expires_in_s: float


def hash_token(token: str) -> str:
    """What is stored of a token: its SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


async def open_session(redis: RedisConnections, user_id: UUID, settings: tuple[str, str, str], *, at: datetime, ttl_s: int) -> str:
    """A new bearer token for the user, with their (time zone, currency, locale). Errors: RedisUnavailable."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    script = redis.script(_OPEN)
    keys = [_key(token), f"sessions-of:{user_id}"]
    await answer(script(keys=keys, args=[str(user_id), *settings, at.isoformat(), ttl_s * 1000]))
    return token


async def authenticate(redis: RedisConnections, token: str, bucket: Bucket, cost: int) -> tuple[Session, Charge] | None:
    """The session of a token, its user's bucket charged with `cost`; None for a token that opens nothing. One round trip.

    Errors: RedisUnavailable (the caller answers 503, never 401).
    """
    reply: list[Any] | None = await answer(redis.script(_AUTHENTICATE)(keys=[_key(token)], args=[bucket.capacity, bucket.per_second, cost]))
    if reply is None:
        return None
    user_id, timezone, currency, locale = (value.decode() for value in reply[:4])
    return Session(UUID(user_id), timezone, currency, locale, reply[4] / 1000), charge_of(reply[5])


async def end_session(redis: RedisConnections, token: str) -> bool:
    """End the token's session; False when there was none. Errors: RedisUnavailable."""
    return bool(await answer(redis.script(_END)(keys=[_key(token)], args=[])))


def _key(token: str) -> str:
    return f"session:{hash_token(token)}"
