"""Statements of exports: the file of a request, chunk by chunk, from its first run to the day it goes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Integer,
    Interval,
    LargeBinary,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import insert

from db.audit.models import data_export_requests, export_chunks
from db.base import INSTANT, jobs_table
from db.engines import SystemSession, WriteSession
from db.jobs import is_live
from db.statements import compiled, owned

PENDING: Final = "pending"
PROCESSING: Final = "processing"
COMPLETED: Final = "completed"
FAILED: Final = "failed"
WAITING: Final = (PENDING, PROCESSING)
#: A request without a job is not given up before it is this old: clocks and hands are not that exact.
ABANDONED_AFTER: Final = timedelta(minutes=5)


class Wanted(NamedTuple):
    """A request as whoever answers it sees it."""

    status: str
    export_format: str
    created_at: datetime


async def count_since(session: WriteSession, period: timedelta) -> int:
    """How many exports the viewer has asked for within the period that ends now."""
    rows = data_export_requests
    recent = rows.c.created_at > func.now() - literal(period, Interval)
    return int((await session.run(select(func.count()).select_from(rows).where(owned(rows), recent))).scalar_one())


async def lock_export(session: WriteSession, request_id: UUID) -> Wanted | None:
    """The viewer's request, which nobody else changes until this transaction ends."""
    rows = data_export_requests
    wanted = select(*(rows.c[name] for name in Wanted._fields)).where(owned(rows), rows.c.id == bindparam("of_id"))
    row = (await session.run(wanted.with_for_update(), of_id=request_id)).one_or_none()
    return None if row is None else Wanted(*row)


async def begin_build(session: WriteSession, request_id: UUID, build_id: UUID) -> None:
    """Have this run make the file, and none before it: their chunks go."""
    await delete_chunks(session, request_id)
    await _update(session, request_id, status=PROCESSING, build_id=build_id)


async def add_chunk(session: WriteSession, request_id: UUID, build_id: UUID, seq: int, ciphertext: bytes, *, is_last: bool) -> bool:
    """Append a chunk; False, and nothing, when the request is not being answered by this run any more."""
    rows, chunks = data_export_requests, export_chunks
    values = {"user_id": Uuid, "request_id": Uuid, "seq": Integer, "is_last": Boolean, "ciphertext": LargeBinary}
    chosen: dict[str, Any] = {
        name: bindparam(f"new_{name}", type_=kind) for name, kind in values.items() if name not in ("user_id", "request_id")
    }
    is_ours = and_(rows.c.id == bindparam("of_id"), rows.c.build_id == bindparam("build"), rows.c.status == PROCESSING)
    # the request is locked, so that a run that takes over waits, and then deletes this chunk too
    mine = select(rows.c.user_id, rows.c.id, *chosen.values()).where(owned(rows), is_ours).with_for_update(of=rows)
    added = insert(chunks).from_select(list(values), mine).returning(chunks.c.seq)
    bound = {"new_seq": seq, "new_is_last": is_last, "new_ciphertext": ciphertext}
    return (await session.run(added, of_id=request_id, build=build_id, **bound)).scalar_one_or_none() is not None


class Done(NamedTuple):
    """What a finished file is told by. The instants are of the transaction that finishes it."""

    file_url: str
    file_size_bytes: int
    kept: timedelta


async def complete(session: WriteSession, request_id: UUID, done: Done) -> None:
    now = func.now()
    values = {"completed_at": now, "expires_at": now + literal(done.kept, Interval), "file_size_bytes": done.file_size_bytes}
    await _update(session, request_id, status=COMPLETED, file_url=done.file_url, **values)


async def fail(session: WriteSession, request_id: UUID) -> None:
    await delete_chunks(session, request_id)
    await _update(session, request_id, status=FAILED, completed_at=func.now())


async def drop_file(session: WriteSession, request_id: UUID) -> None:
    """The file, or what there is of it, goes; no run can add to it."""
    await delete_chunks(session, request_id)
    await _update(session, request_id, file_url=None, build_id=None)


async def delete_chunks(session: WriteSession, request_id: UUID) -> None:
    chunks = export_chunks
    await session.run(delete(chunks).where(owned(chunks), chunks.c.request_id == bindparam("of_id")), of_id=request_id)


async def _update(session: WriteSession, request_id: UUID, **values: Any) -> None:
    rows = data_export_requests
    await session.run(update(rows).where(owned(rows), rows.c.id == bindparam("of_id")).values(**values), of_id=request_id)


# Reading the file


@compiled
def file_of() -> Select[Any]:
    """The viewer's finished file that has not expired, none that lacks a chunk: `build_id`, `file_size_bytes`, `completed_at`, `chunks`.

    Bound: `request`, `now`.
    """
    rows, chunks = data_export_requests, export_chunks
    columns = (rows.c.build_id, rows.c.file_size_bytes, rows.c.completed_at, func.count().label("chunks"))
    mine = rows.join(chunks, and_(chunks.c.request_id == rows.c.id, owned(chunks)))
    is_there = and_(rows.c.id == bindparam("request", type_=Uuid), rows.c.status == COMPLETED, rows.c.file_url.is_not(None))
    is_kept = rows.c.expires_at > bindparam("now", type_=INSTANT)
    whole = and_(func.max(chunks.c.seq) == func.count() - 1, func.max(chunks.c.seq).filter(chunks.c.is_last) == func.count() - 1)
    return select(*columns).select_from(mine).where(owned(rows), is_there, is_kept).group_by(rows.c.id).having(whole)


@compiled
def chunk_of() -> Select[Any]:
    """One chunk's `ciphertext`. Bound: `request`, `seq`."""
    chunks = export_chunks
    is_it = and_(chunks.c.request_id == bindparam("request", type_=Uuid), chunks.c.seq == bindparam("seq", type_=Integer))
    return select(chunks.c.ciphertext).where(owned(chunks), is_it)


# Upkeep


async def purge_expired(session: SystemSession, *, limit: int) -> int:
    """Delete the files that have expired, of at most `limit` requests; answers of how many."""
    rows, chunks = data_export_requests, export_chunks
    over = select(rows.c.id).where(rows.c.file_url.is_not(None), rows.c.expires_at <= func.now()).order_by(rows.c.expires_at).limit(limit)
    gone = await session.execute(update(rows).where(rows.c.id.in_(over)).values(file_url=None, build_id=None).returning(rows.c.id))
    ids: Sequence[UUID] = list(gone.scalars())
    await session.execute(delete(chunks).where(chunks.c.request_id.in_(ids)))
    return len(ids)


async def fail_abandoned(session: SystemSession, topic: str, *, limit: int) -> int:
    """End the requests that no job will answer any more, at most `limit`, and drop what there is of their files; answers how many."""
    rows, chunks, jobs = data_export_requests, export_chunks, jobs_table(session.domain)
    working = select(jobs.c.id).where(jobs.c.topic == topic, jobs.c.key == sql_cast(rows.c.id, Text), is_live(jobs)).exists()
    old = rows.c.created_at < func.now() - literal(ABANDONED_AFTER, Interval)
    left = select(rows.c.id).where(rows.c.status.in_(WAITING), old, ~working).order_by(rows.c.created_at).limit(limit)
    of_these = tuple_(rows.c.id).in_(left.with_for_update(of=rows, skip_locked=True))
    ended = await session.execute(update(rows).where(of_these).values(status=FAILED, completed_at=func.now()).returning(rows.c.id))
    ids: Sequence[UUID] = list(ended.scalars())
    await session.execute(delete(chunks).where(chunks.c.request_id.in_(ids)))
    return len(ids)
