"""Idempotency keys: a client's retry gets the answer of its first call, and changes nothing.

The key's row is written in the transaction of the effect. Two first calls at once: the second waits at the row until the first has
committed, and then reads its answer; if the first rolled back, the second is the first. Rows are kept 48 hours.
"""

import hashlib
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Interval, and_, bindparam, delete, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from db.base import idempotency_keys_table
from db.errors import KeyReused
from db.statements import owned

if TYPE_CHECKING:
    from db.engines import SystemSession, WriteSession

KEPT: Final = timedelta(hours=48)


def fingerprint(value: Any) -> str:
    """SHA-256 (lower-case hex) of an input as canonical JSON: keys sorted, amounts by value, so that 1.50 equals 1.5.

    Takes what JSON takes and Decimal, UUID, dates, enums, dataclasses, sets. Errors: TypeError for anything else.
    """
    # Dataclasses, UUIDs, dates and enums are orjson's own; everything unknown comes to `_canonical`.
    return hashlib.sha256(orjson.dumps(value, default=_canonical, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    raise TypeError(f"{type(value).__name__} has no canonical form")


async def replay(session: "WriteSession", mutation: str, key: str, fingerprint: str) -> dict[str, Any] | None:
    """The answer to the first call with this key; None when this call is the first, which must then `record` its answer.

    Errors: KeyReused, when the first call had another input.
    """
    keys = idempotency_keys_table(session.domain)
    row = {"user_id": session.viewer.user_id, "mutation": mutation, "key": key, "fingerprint": fingerprint}
    added = await session.execute(insert(keys).values(row).on_conflict_do_nothing().returning(keys.c.key))
    if added.scalar_one_or_none() is not None:
        return None
    mine = and_(owned(keys), keys.c.mutation == bindparam("mutation"), keys.c.key == bindparam("key"))
    found = await session.run(select(keys.c.fingerprint, keys.c.answer).where(mine), mutation=mutation, key=key)
    first_fingerprint, answer = found.one()
    if first_fingerprint != fingerprint:
        raise KeyReused(mutation)
    if answer is None:
        raise RuntimeError(f"{mutation} committed its idempotency key without an answer")
    session.is_replay = True
    return dict(answer)


async def find(session: "WriteSession", mutation: str, key: str, fingerprint: str) -> dict[str, Any] | None:
    """The answer to a committed first call with this key, or None; starts nothing. Errors: KeyReused."""
    keys = idempotency_keys_table(session.domain)
    mine = and_(owned(keys), keys.c.mutation == bindparam("mutation"), keys.c.key == bindparam("key"))
    row = (await session.run(select(keys.c.fingerprint, keys.c.answer).where(mine), mutation=mutation, key=key)).one_or_none()
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise KeyReused(mutation)
    return dict(row.answer or {})


async def record(session: "WriteSession", mutation: str, key: str, answer: dict[str, Any]) -> None:
    """Keep the answer (ids and plain JSON) of a first call, in the transaction of its effect. Errors: RuntimeError without a `replay`."""
    keys = idempotency_keys_table(session.domain)
    mine = and_(keys.c.user_id == session.viewer.user_id, keys.c.mutation == mutation, keys.c.key == key)
    recorded = await session.execute(update(keys).where(mine).values(answer=answer).returning(keys.c.key))
    if recorded.scalar_one_or_none() is None:
        raise RuntimeError(f"{mutation} records an answer to a key that it did not ask for")


async def purge(session: "SystemSession", *, limit: int = 1_000) -> int:
    """Delete keys older than 48 hours, at most `limit`. Answers how many went."""
    keys = idempotency_keys_table(session.domain)
    primary = (keys.c.user_id, keys.c.mutation, keys.c.key)
    old = select(*primary).where(keys.c.created_at < func.now() - literal(KEPT, Interval)).limit(limit)
    gone = await session.execute(delete(keys).where(tuple_(*primary).in_(old)).returning(keys.c.key))
    return len(gone.all())
