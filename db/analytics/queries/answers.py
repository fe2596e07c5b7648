"""Statements of what models were asked: a user's own questions, and those that hold nobody's text and answer everybody."""

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from db.analytics.models import llm_query_cache
from db.engines import SystemSession, WriteSession
from db.statements import owned


class Answer(NamedTuple):
    """What a model said. `is_shared`: to a question that is everybody's."""

    id: UUID
    response: dict[str, Any]
    is_shared: bool


def _is_fresh() -> Any:
    return or_(llm_query_cache.c.expires_at.is_(None), llm_query_cache.c.expires_at > func.now())


async def find_answer(session: WriteSession, query_hash: str) -> Answer | None:
    """The answer that has not expired, the viewer's own before everybody's; it counts as used."""
    rows = llm_query_cache
    may_read = or_(owned(rows), rows.c.user_id.is_(None))
    found = select(rows.c.id).where(rows.c.query_hash == bindparam("at_hash"), may_read, _is_fresh())
    best = found.order_by(rows.c.user_id.nulls_last()).limit(1).scalar_subquery()
    used = update(rows).where(rows.c.id == best).values(hit_count=rows.c.hit_count + 1, last_used_at=func.now())
    answered = used.returning(rows.c.id, rows.c.response, rows.c.user_id.is_(None))
    row = (await session.run(answered, at_hash=query_hash)).one_or_none()
    return None if row is None else Answer(*row)


async def keep_answer(session: SystemSession | WriteSession, values: dict[str, Any]) -> bool:
    """Keep an answer, in the place of one that has expired; False when one that has not is there already.

    The viewer's own in a session of theirs; everybody's in the system's, which alone may write those.
    """
    rows, viewer = llm_query_cache, session.viewer
    same = and_(rows.c.query_hash == bindparam("at_hash"), rows.c.user_id.is_(None) if viewer is None else owned(rows))
    await session.run(delete(rows).where(same, ~_is_fresh()), at_hash=values["query_hash"])
    kept = insert(rows).values(user_id=None if viewer is None else viewer.user_id, **values).on_conflict_do_nothing()
    return (await session.execute(kept.returning(rows.c.id))).scalar_one_or_none() is not None


async def purge_answers(session: SystemSession, *, limit: int = 1_000) -> int:
    """Delete answers that have expired, at most `limit`; answers how many went."""
    rows = llm_query_cache
    old = select(rows.c.id).where(rows.c.expires_at <= func.now()).order_by(rows.c.expires_at).limit(limit)
    gone = await session.execute(delete(rows).where(rows.c.id.in_(old)).returning(rows.c.id))
    return len(gone.all())
