"""Statements of connections that are linked: how they stand, when they are fetched next, and which accounts they reach."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    String,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from db.bank.models import SHARED_ITEMS, bank_accounts, bank_connections
from db.base import INSTANT, jobs_table
from db.engines import SystemSession, WriteSession
from db.jobs import QUEUED as QUEUED_JOB
from db.jobs import RUNNING as RUNNING_JOB
from db.jobs import is_live
from db.statements import as_arrays, compiled, given_rows, is_one_of, leaf, owned

ACTIVE: Final = "active"
ERROR: Final = "error"
DISCONNECTED: Final = "disconnected"
REQUIRES_UPDATE: Final = "requires_update"
CLOSED: Final = "closed"


class StoredConnection(NamedTuple):
    id: UUID
    provider: str
    provider_item_id: str
    institution_id: str | None
    institution_name: str | None
    access_token_encrypted: bytes | None
    refresh_token_encrypted: bytes | None
    token_expires_at: datetime | None
    status: str
    error_code: str | None
    error_message: str | None
    consent_expires_at: datetime | None
    consent_warned_at: datetime | None
    last_successful_sync_at: datetime | None
    sync_cursor: str | None
    sync_failures: int
    sync_requested_at: datetime | None
    linked_at: datetime | None
    created_at: datetime


class DueConnection(NamedTuple):
    id: UUID
    user_id: UUID


class KnownAccount(NamedTuple):
    """An account of the viewer's with what tells it apart, and the connection that reaches it."""

    id: UUID
    connection_id: UUID
    provider_account_id: str
    persistent_id: str | None
    account_name: str | None
    account_mask: str | None
    account_type: str | None
    currency: str
    status: str
    provider: str
    institution_id: str | None
    institution_name: str | None
    connection_status: str


def _connection(condition: ColumnElement[bool]) -> Select[Any]:
    rows = bank_connections
    return select(*(rows.c[name] for name in StoredConnection._fields)).where(owned(rows), condition)


async def find_connection(session: WriteSession, connection_id: UUID, *, lock: bool = False) -> StoredConnection | None:
    statement = _connection(bank_connections.c.id == bindparam("id"))
    row = (await session.run(statement.with_for_update() if lock else statement, id=connection_id)).one_or_none()
    return None if row is None else StoredConnection(*row)


async def find_by_own_item(session: WriteSession, provider: str, item_id: str) -> StoredConnection | None:
    """The viewer's connection with the provider's item of this name, locked."""
    found = (await session.run(_of_item().with_for_update(), provider=provider, item_id=item_id)).one_or_none()
    return None if found is None else StoredConnection(*found)


def _of_item() -> Select[Any]:
    rows = bank_connections.c
    return _connection(and_(rows.provider == bindparam("provider"), rows.provider_item_id == bindparam("item_id")))


async def add_connection(session: WriteSession, values: dict[str, Any]) -> StoredConnection | None:
    """The viewer's connection with the provider's item of this name, made if there is none, and locked; None: it is somebody else's."""
    rows = bank_connections
    row = upsert(rows).values(user_id=session.viewer.user_id, **values)
    await session.execute(row.on_conflict_do_nothing(index_elements=["provider", "provider_item_id"], index_where=SHARED_ITEMS))
    return await find_by_own_item(session, values["provider"], values["provider_item_id"])


async def change_connection(session: WriteSession, connection_id: UUID, values: dict[str, Any]) -> None:
    rows = bank_connections
    await session.run(update(rows).where(owned(rows), rows.c.id == bindparam("at_id")).values(**values), at_id=connection_id)


async def find_by_item(session: SystemSession, provider: str, item_id: str) -> DueConnection | None:
    """Whose connection a provider speaks of, of those that have not ended."""
    rows = bank_connections.c
    same = and_(rows.provider == bindparam("provider"), rows.provider_item_id == bindparam("item_id"), SHARED_ITEMS)
    statement = select(rows.id, rows.user_id).where(same, rows.status != DISCONNECTED)
    row = (await session.run(statement, provider=provider, item_id=item_id)).one_or_none()
    return None if row is None else DueConnection(*row)


# When


async def list_due(session: SystemSession, topic: str, providers: Sequence[str], at: datetime, *, limit: int = 500) -> list[DueConnection]:
    """Connections that are to be fetched by now and that no job of this topic is about, the longest due first; locked, so that two who
    look at once do not find the same."""
    rows, jobs = bank_connections.c, jobs_table(session.domain)
    live = select(literal(1)).where(is_live(jobs), jobs.c.topic == topic, jobs.c.key == cast(rows.id, String)).exists()
    due = and_(rows.next_sync_at <= literal(at, INSTANT), rows.provider.in_(list(providers)), ~live)
    statement = select(rows.id, rows.user_id).where(due).order_by(rows.next_sync_at).limit(limit)
    found = await session.execute(statement.with_for_update(of=bank_connections, skip_locked=True))
    return [DueConnection(*row) for row in found]


async def postpone(session: SystemSession, times: Sequence[tuple[UUID, datetime]]) -> None:
    """When these connections are to be fetched next."""
    given = given_rows(_NEXT)
    at = {"next_sync_at": given.c.next_sync_at}
    arrays = as_arrays([{"id": key, "next_sync_at": instant} for key, instant in times], _NEXT)
    await session.execute(update(bank_connections).where(bank_connections.c.id == given.c.id).values(**at), arrays)


_NEXT: Final[dict[str, Any]] = {"id": Uuid, "next_sync_at": INSTANT}


async def warn_of_consents(session: SystemSession, at: datetime, within: timedelta, *, limit: int = 500) -> list[DueConnection]:
    """Connections that work and whose consent ends within so long, of which their owners were not told; they are marked as told."""
    rows = bank_connections.c
    ending = and_(rows.consent_expires_at <= literal(at + within, INSTANT), rows.status == ACTIVE, rows.consent_warned_at.is_(None))
    chosen = select(rows.id).where(ending).order_by(rows.id).limit(limit).with_for_update(skip_locked=True).cte("chosen")
    marked = update(bank_connections).where(rows.id == chosen.c.id).values(consent_warned_at=literal(at, INSTANT))
    return [DueConnection(*row) for row in await session.execute(marked.returning(rows.id, rows.user_id))]


async def warn_of_expiry(session: WriteSession, connection_id: UUID, expires_at: datetime, at: datetime) -> bool:
    """Note when the viewer's connection ends, and that they are told; False when they were told of this end, or it has ended."""
    rows = bank_connections.c
    is_news = or_(rows.consent_warned_at.is_(None), rows.consent_expires_at.is_distinct_from(bindparam("ends", type_=INSTANT)))
    noted = update(bank_connections).where(owned(bank_connections), rows.id == bindparam("at_id"), rows.status != DISCONNECTED, is_news)
    values = {"consent_expires_at": bindparam("ends", type_=INSTANT), "consent_warned_at": literal(at, INSTANT)}
    changed = await session.run(noted.values(**values).returning(rows.id), at_id=connection_id, ends=expires_at)
    return changed.scalar_one_or_none() is not None


# Work that goes on


class LiveJob(NamedTuple):
    id: UUID
    is_running: bool


@compiled
def live_job(topic: str) -> Select[Any]:
    """The viewer's job of this topic and key (bound as `job_key`) that waits or runs: (id, is_running)."""
    jobs = jobs_table("bank")
    # in the words of the index of live jobs, which a bound state would not find
    queued, running = (jobs.c.state == literal_column(f"'{state}'") for state in (QUEUED_JOB, RUNNING_JOB))
    mine = and_(owned(jobs), or_(queued, running), jobs.c.topic == literal(topic), jobs.c.key == bindparam("job_key", type_=String))
    return select(leaf(jobs.c.id).label("id"), running.label("is_running")).where(mine)


async def find_live_job(session: WriteSession, topic: str, key: UUID) -> LiveJob | None:
    jobs = jobs_table(session.domain)
    mine = and_(owned(jobs), is_live(jobs), jobs.c.topic == bindparam("topic"), jobs.c.key == bindparam("job_key"))
    row = (await session.run(select(jobs.c.id, jobs.c.state == RUNNING_JOB).where(mine), topic=topic, job_key=str(key))).one_or_none()
    return None if row is None else LiveJob(*row)


async def has_running_job(session: WriteSession, topic: str, keys: Sequence[UUID]) -> bool:
    """Whether one of the viewer's jobs of this topic runs, for any of these keys."""
    jobs = jobs_table(session.domain)
    of = and_(jobs.c.topic == bindparam("topic"), jobs.c.key == any_(bindparam("job_keys", type_=ARRAY(String))))
    running = select(literal(1)).where(owned(jobs), is_live(jobs), jobs.c.state == RUNNING_JOB, of).limit(1)
    return (await session.run(running, topic=topic, job_keys=[str(key) for key in keys])).scalar_one_or_none() is not None


# Accounts

_SEEN: Final[dict[str, Any]] = {
    "id": Uuid,
    "connection_id": Uuid,
    "provider_account_id": String,
    "persistent_id": String,
    "account_official_name": String,
}


async def lock_accounts(session: WriteSession) -> list[KnownAccount]:
    """All of the viewer's, with how their connections stand; locked in the order of their ids, so that two who place some take turns."""
    accounts, of = bank_accounts, bank_connections
    own = ("provider", "institution_id", "institution_name")
    columns = [accounts.c[name] for name in KnownAccount._fields if name in accounts.c]
    columns += [*(of.c[name] for name in own), of.c.status]
    joined = accounts.join(of, and_(of.c.id == accounts.c.connection_id, of.c.user_id == accounts.c.user_id))
    statement = select(*columns).select_from(joined).where(owned(accounts)).order_by(accounts.c.id)
    return [KnownAccount(*row) for row in await session.run(statement.with_for_update(of=accounts))]


async def take_over_accounts(session: WriteSession, rows: Sequence[dict[str, Any]]) -> None:
    """Accounts that their bank speaks of: which connection reaches them now, and under which of its names. They are in use."""
    given, accounts = given_rows(_SEEN), bank_accounts
    values: dict[str, Any] = {
        "connection_id": given.c.connection_id,
        "provider_account_id": given.c.provider_account_id,
        "persistent_id": func.coalesce(given.c.persistent_id, accounts.c.persistent_id),
        "account_official_name": func.coalesce(given.c.account_official_name, accounts.c.account_official_name),
        "status": ACTIVE,
    }
    await session.run(update(accounts).where(owned(accounts), accounts.c.id == given.c.id).values(**values), **as_arrays(rows, _SEEN))


async def close_accounts(session: WriteSession, connection_id: UUID) -> None:
    accounts = bank_accounts
    of = and_(owned(accounts), accounts.c.connection_id == bindparam("of_connection"), accounts.c.status != CLOSED)
    await session.run(update(accounts).where(of).values(status=CLOSED), of_connection=connection_id)


async def list_account_ids(session: WriteSession, connection_id: UUID) -> list[UUID]:
    """Locked for reading, so that one that another connection takes over at this moment is waited for, and left out."""
    accounts = bank_accounts
    of = and_(owned(accounts), accounts.c.connection_id == bindparam("of_connection"))
    statement = select(accounts.c.id).where(of).order_by(accounts.c.id).with_for_update(read=True)
    return list((await session.run(statement, of_connection=connection_id)).scalars())


async def without_accounts(session: WriteSession, connection_ids: Sequence[UUID]) -> list[StoredConnection]:
    """Those of these connections that reach no account any more, locked in the order of their ids."""
    rows, accounts = bank_connections.c, bank_accounts.c
    reached = select(literal(1)).where(accounts.connection_id == rows.id, accounts.user_id == rows.user_id).exists()
    statement = _connection(and_(is_one_of(rows.id), ~reached)).order_by(rows.id).with_for_update()
    return [StoredConnection(*row) for row in await session.run(statement, keys=list(connection_ids))]
