"""Statements of the history of syncs: what each fetch, and each statement that was taken in, came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Select,
    String,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from db.bank.models import sync_history
from db.base import INSTANT, jobs_table
from db.engines import SystemSession, WriteSession
from db.jobs import is_live
from db.statements import Columns, compiled, is_one_of, leaf, owned, read_columns

SCHEDULED = "scheduled"
MANUAL = "manual"
RETRY = "retry"
WEBHOOK = "webhook"

STARTED = "started"
SUCCESS = "success"
PARTIAL = "partial"
SYNC_FAILED = "failed"

#: How far a fetch is.
FETCHING = "fetching"
APPLYING = "applying"
BUDGETS = "budgets"
STAGE_DONE = "done"
STAGE_FAILED = "failed"

#: The sorts of a list of syncs: their columns, all in one direction, the last one unique.
SORTS: dict[str, tuple[tuple[str, ...], bool]] = {"newest": (("started_at", "id"), True), "oldest": (("started_at", "id"), False)}
_KINDS: dict[str, Any] = {"started_at": INSTANT, "id": Uuid}
LARGEST_INTEGER = 2**31 - 1
#: Of fetches since a cursor was stored.
UNFINISHED_AT_MOST = 100

# Reads for clients


@dataclass(frozen=True, slots=True)
class SyncFilter:
    """What a list is narrowed to; None leaves a criterion out. Instants of the start are half-open: from `since` until before `until`."""

    connection_ids: Sequence[UUID] | None = None
    status: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def criteria(self) -> tuple[str, ...]:
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)

    def values(self) -> dict[str, Any]:
        return {f"by_{name}": getattr(self, name) for name in self.criteria()}


def _criterion(name: str) -> ColumnElement[bool]:
    """One criterion; its value is bound as `by_<name>`."""
    rows = sync_history.c
    match name:
        case "connection_ids":
            return rows.connection_id == any_(bindparam("by_connection_ids", type_=ARRAY(Uuid)))
        case "status":
            return rows.status == bindparam("by_status", type_=String)
        case "since":
            return rows.started_at >= bindparam("by_since", type_=INSTANT)
        case "until":
            return rows.started_at < bindparam("by_until", type_=INSTANT)
    raise ValueError(name)


@compiled
def syncs_by_id(columns: Columns) -> Select[Any]:
    rows = sync_history
    return select(*read_columns(rows, columns, rows.c.id)).where(owned(rows), is_one_of(rows.c.id))


@compiled
def sync_page(parent: str, columns: Columns, sort: str, criteria: tuple[str, ...], *, after: bool) -> Select[Any]:
    """A page of syncs for each parent, whose column (`user_id` or `connection_id`) is `parent`.

    Bound: `keys` (the parents), `size`, the criteria's values; with `after`, the last seen row's `after_<column>` of the sort.
    """
    rows = sync_history
    names, descending = SORTS[sort]
    wanted = [owned(rows), *(_criterion(name) for name in criteria)]
    if after:
        seen = tuple_(*(bindparam(f"after_{name}", type_=_KINDS[name]) for name in names))
        mine = tuple_(*(rows.c[name] for name in names))
        wanted.append(mine < seen if descending else mine > seen)
    order = [rows.c[name].desc() if descending else rows.c[name].asc() for name in names]
    key, size = rows.c[parent], bindparam("size", type_=Integer)
    parents = func.unnest(bindparam("keys", type_=ARRAY(Uuid))).table_valued(column("id", Uuid)).render_derived(name="parents")
    page = select(*read_columns(rows, columns, key)).where(key == parents.c.id, *wanted).order_by(*order).limit(size).lateral("page")
    return select(*page.c).select_from(parents.join(page, true()))


@compiled
def sync_count(parent: str, criteria: tuple[str, ...]) -> Select[Any]:
    """How many syncs each parent has under the criteria: (key, count)."""
    rows = sync_history
    key = rows.c[parent]
    wanted = [owned(rows), is_one_of(key), *(_criterion(name) for name in criteria)]
    return select(leaf(key).label("key"), func.count().label("count")).where(*wanted).group_by(key)


# Statements that are taken in


async def begin_sync(session: WriteSession, import_id: UUID, at: datetime) -> None:
    """The one row of this import, made by whoever begins it first."""
    values = {"user_id": session.viewer.user_id, "import_id": import_id, "sync_type": MANUAL, "status": STARTED, "started_at": at}
    await session.execute(upsert(sync_history).values(values).on_conflict_do_nothing(index_elements=["import_id"]))


async def place_sync(session: WriteSession, import_id: UUID, connection_id: UUID) -> None:
    """What the import's statement belongs to is known now."""
    statement = update(sync_history).where(owned(sync_history), sync_history.c.import_id == bindparam("of_import"))
    await session.run(statement.values(connection_id=connection_id), of_import=import_id)


async def end_sync(session: WriteSession, import_id: UUID, values: dict[str, Any], at: datetime) -> None:
    """What the import came to, and how long it took from its first beginning, in milliseconds."""
    rows = sync_history
    statement = update(rows).where(owned(rows), rows.c.import_id == bindparam("of_import"))
    await session.run(statement.values(**values, **_ended()), of_import=import_id, at=at)


def _ended() -> dict[str, Any]:
    """An end at the instant that is bound as `at`."""
    took_ms = func.extract("epoch", bindparam("at", type_=INSTANT) - sync_history.c.started_at) * 1_000
    within = cast(func.least(func.greatest(took_ms, 0), LARGEST_INTEGER), Integer)
    return {"completed_at": bindparam("at", type_=INSTANT), "duration_ms": within}


# Fetches: a line per job, whatever becomes of it


async def begin_fetch(session: WriteSession, job_id: UUID, connection_id: UUID, sync_type: str, at: datetime) -> int | None:
    """The one row of this job, made by its first run and begun again by each further one; answers its version, None when it has ended."""
    rows = sync_history
    values = {"user_id": session.viewer.user_id, "job_id": job_id, "connection_id": connection_id, "sync_type": sync_type}
    row = upsert(rows).values(**values, status=STARTED, stage=FETCHING, started_at=at, version=1)
    again = row.on_conflict_do_update(
        index_elements=["job_id"],
        set_={"stage": FETCHING, "pages": 0, "transactions_fetched": 0, "version": rows.c.version + 1},
        where=rows.c.status == STARTED,
    )
    version: int | None = (await session.execute(again.returning(rows.c.version))).scalar_one_or_none()
    return version


async def change_fetch(session: WriteSession, job_id: UUID, values: dict[str, Any]) -> int | None:
    """Write the values unless the fetch has ended; answers its new version, None when it has."""
    rows = sync_history
    going_on = update(rows).where(owned(rows), rows.c.job_id == bindparam("of_job"), rows.c.status == STARTED)
    changed = going_on.values(**values, version=rows.c.version + 1).returning(rows.c.version)
    version: int | None = (await session.run(changed, of_job=job_id)).scalar_one_or_none()
    return version


async def end_fetch(session: WriteSession, job_id: UUID, values: dict[str, Any], at: datetime) -> int | None:
    """What the fetch came to, and how long it took from its first beginning; answers its last version, None when it had ended before."""
    rows = sync_history
    going_on = update(rows).where(owned(rows), rows.c.job_id == bindparam("of_job"), rows.c.status == STARTED)
    changed = going_on.values(**values, **_ended(), version=rows.c.version + 1).returning(rows.c.version)
    version: int | None = (await session.run(changed, of_job=job_id, at=at)).scalar_one_or_none()
    return version


async def list_unfinished_fetches(session: WriteSession, connection_id: UUID, linked_at: datetime | None) -> list[UUID]:
    """Jobs of the connection's fetches since the last one whose cursor was stored, the latest first; the one that goes on is among them.

    linked_at: what was fetched before the connection was begun anew does not count.
    """
    rows, before = sync_history.c, sync_history.alias("before")
    mine = and_(owned(sync_history), rows.connection_id == bindparam("of_connection"), rows.job_id.is_not(None))
    of_it = and_(owned(before), before.c.connection_id == bindparam("of_connection"))
    stored_at = select(func.max(before.c.started_at)).where(of_it, before.c.status.in_((SUCCESS, PARTIAL))).scalar_subquery()
    since = or_(stored_at.is_(None), rows.started_at > stored_at)
    if linked_at is not None:
        since = and_(since, rows.started_at >= linked_at)
    unfinished = select(rows.job_id).where(mine, since, rows.status.not_in((SUCCESS, PARTIAL)))
    latest = unfinished.order_by(rows.started_at.desc(), rows.id.desc()).limit(UNFINISHED_AT_MOST)
    return list((await session.run(latest, of_connection=connection_id)).scalars())


async def find_fetch(session: WriteSession, job_id: UUID) -> tuple[UUID, str] | None:
    """(connection_id, status) of the job's fetch."""
    rows = sync_history
    statement = select(rows.c.connection_id, rows.c.status).where(owned(rows), rows.c.job_id == bindparam("of_job"))
    row = (await session.run(statement, of_job=job_id)).one_or_none()
    return None if row is None else (row.connection_id, row.status)


async def list_abandoned_fetches(session: SystemSession, topics: Sequence[str], *, limit: int = 1_000) -> list[tuple[UUID, UUID]]:
    """(job_id, user_id) of fetches that have not ended though their job has, and no job of these topics sees to it."""
    rows, jobs = sync_history, jobs_table(session.domain)
    same, its_end = jobs.c.id == rows.c.job_id, and_(jobs.c.topic.in_(list(topics)), jobs.c.key == cast(rows.c.job_id, String))
    seen_to = select(literal(1)).where(is_live(jobs), or_(same, its_end)).exists()
    found = select(rows.c.job_id, rows.c.user_id).where(rows.c.status == STARTED, rows.c.job_id.is_not(None), ~seen_to).limit(limit)
    return [(job_id, user_id) for job_id, user_id in await session.execute(found)]


async def has_live_job(session: WriteSession, job_id: UUID) -> bool:
    """Whether this very job of the viewer's runs, or will."""
    jobs = jobs_table(session.domain)
    live = select(literal(1)).where(owned(jobs), is_live(jobs), jobs.c.id == bindparam("job_id", type_=Uuid))
    return (await session.run(live, job_id=job_id)).scalar_one_or_none() is not None


async def has_later_fetch(session: WriteSession, job_id: UUID) -> bool:
    """Whether another fetch of the same connection was begun after this job's."""
    rows, later = sync_history, sync_history.alias("later")
    same = and_(owned(later), later.c.connection_id == rows.c.connection_id, later.c.job_id.is_not(None))
    after = select(literal(1)).where(same, later.c.started_at > rows.c.started_at).exists()
    statement = select(literal(1)).where(owned(rows), rows.c.job_id == bindparam("of_job"), after)
    return (await session.run(statement, of_job=job_id)).scalar_one_or_none() is not None


@compiled
def latest_fetch(columns: Columns) -> Select[Any]:
    """The last fetch of a connection of the viewer's (bound as `connection_id`), whatever has become of it."""
    rows = sync_history
    of = rows.c.connection_id == bindparam("connection_id", type_=Uuid)
    fetched = select(*(leaf(rows.c[name]).label(name) for name in columns)).where(owned(rows), of, rows.c.job_id.is_not(None))
    return fetched.order_by(rows.c.started_at.desc(), rows.c.id.desc()).limit(1)
