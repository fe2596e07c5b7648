"""Statements of links that were begun, of access that is to be revoked, and of receipts of what providers send."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, bindparam, delete, func, insert, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from db.bank.models import bank_links, bank_revocations, bank_webhooks
from db.base import INSTANT
from db.engines import SystemSession, WriteSession
from db.statements import owned

#: How long a link can still be asked about when it is over.
LINKS_KEPT: Final = timedelta(days=7)
#: Of a revocation that was to be given up and whose job could not do it.
REVOCATIONS_GRACE: Final = timedelta(hours=1)
WEBHOOKS_KEPT: Final = timedelta(days=7)

# Links

#: Where a link stands in the order of their ends: until when it was good, and its id.
Place = tuple[datetime, UUID]


class StoredLink(NamedTuple):
    id: UUID
    provider: str
    connection_id: UUID | None
    institution_id: str | None
    redirect_url: str | None
    state_digest: str | None
    secret_encrypted: bytes | None
    expires_at: datetime
    claimed_at: datetime | None
    completed_at: datetime | None
    result_connection_id: UUID | None


async def count_open_links(session: WriteSession, at: datetime) -> int:
    """The viewer's links that can still be completed, counted one writer at a time."""
    key = f"bank_links:{session.viewer.user_id}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    rows = bank_links.c
    open_ = select(func.count()).where(owned(bank_links), rows.completed_at.is_(None), rows.expires_at > bindparam("at", type_=INSTANT))
    return int((await session.run(open_, at=at)).scalar_one())


async def add_link(session: WriteSession, values: dict[str, Any]) -> None:
    await session.execute(insert(bank_links).values(user_id=session.viewer.user_id, **values))


async def lock_link(session: WriteSession, link_id: UUID) -> StoredLink | None:
    rows = bank_links
    statement = select(*(rows.c[name] for name in StoredLink._fields)).where(owned(rows), rows.c.id == bindparam("id")).with_for_update()
    row = (await session.run(statement, id=link_id)).one_or_none()
    return None if row is None else StoredLink(*row)


async def change_link(session: WriteSession, link_id: UUID, values: dict[str, Any]) -> None:
    statement = update(bank_links).where(owned(bank_links), bank_links.c.id == bindparam("at_id"))
    await session.run(statement.values(**values), at_id=link_id)


async def purge_links(session: SystemSession, *, limit: int = 1_000) -> int:
    """Delete links that have been over for a week, at most `limit`. Answers how many went."""
    rows = bank_links.c
    gone = select(rows.id).where(rows.expires_at < func.now() - literal(LINKS_KEPT)).order_by(rows.expires_at).limit(limit)
    return len((await session.execute(delete(bank_links).where(rows.id.in_(gone)).returning(rows.id))).all())


async def destroy_secrets(session: SystemSession, after: Place | None = None, *, limit: int = 1_000) -> Place | None:
    """Destroy the secrets of the next links that are over, at most `limit`; answers the last of them, None when there are no more.

    Nobody without a viewer can see which of them have one: all are gone through, in the order of their ends.
    """
    rows = bank_links.c
    here = tuple_(rows.expires_at, rows.id)
    over = select(rows.id).where(rows.expires_at < func.now()).order_by(rows.expires_at, rows.id).limit(limit)
    if after is not None:
        over = over.where(here > tuple_(literal(after[0], INSTANT), literal(after[1], Uuid)))
    changed = update(bank_links).where(rows.id.in_(over)).values(secret_encrypted=None).returning(rows.expires_at, rows.id)
    return max(((ends, id_) for ends, id_ in await session.execute(changed)), default=None)


# Access that is to be revoked


class StoredRevocation(NamedTuple):
    id: UUID
    connection_id: UUID
    access_token_encrypted: bytes
    refresh_token_encrypted: bytes | None
    token_expires_at: datetime | None
    gives_up_at: datetime


async def add_revocation(session: WriteSession, values: dict[str, Any]) -> None:
    await session.execute(insert(bank_revocations).values(user_id=session.viewer.user_id, **values))


async def find_revocation(session: WriteSession, revocation_id: UUID) -> StoredRevocation | None:
    rows = bank_revocations
    statement = select(*(rows.c[name] for name in StoredRevocation._fields)).where(owned(rows), rows.c.id == bindparam("id"))
    row = (await session.run(statement, id=revocation_id)).one_or_none()
    return None if row is None else StoredRevocation(*row)


async def delete_revocation(session: WriteSession, revocation_id: UUID) -> None:
    rows = bank_revocations
    await session.run(delete(rows).where(owned(rows), rows.c.id == bindparam("id")), id=revocation_id)


async def purge_revocations(session: SystemSession, *, limit: int = 1_000) -> int:
    """Destroy the tokens of revocations that should have been given up, whatever became of their jobs. Answers how many went."""
    rows = bank_revocations.c
    old = select(rows.id).where(rows.gives_up_at < func.now() - literal(REVOCATIONS_GRACE)).limit(limit)
    return len((await session.execute(delete(bank_revocations).where(rows.id.in_(old)).returning(rows.id))).all())


# Receipts


async def add_receipt(session: WriteSession, provider: str, digest: str, connection_id: UUID, kind: str) -> bool:
    """Whether the message is seen for the first time; waits for whoever takes in an equal one. `digest`: SHA-256, lower-case hex."""
    values = {"provider": provider, "digest": digest, "connection_id": connection_id, "kind": kind, "user_id": session.viewer.user_id}
    added = upsert(bank_webhooks).values(values).on_conflict_do_nothing().returning(bank_webhooks.c.digest)
    return (await session.execute(added)).scalar_one_or_none() is not None


async def purge_webhooks(session: SystemSession, *, limit: int = 1_000) -> int:
    """Delete receipts of more than a week ago. Answers how many went."""
    rows = bank_webhooks.c
    aged = select(rows.provider, rows.digest).where(rows.received_at < func.now() - literal(WEBHOOKS_KEPT))
    old = aged.order_by(rows.received_at).limit(limit).cte("old")
    gone = delete(bank_webhooks).where(rows.provider == old.c.provider, rows.digest == old.c.digest)
    return len((await session.execute(gone.returning(rows.digest))).all())
