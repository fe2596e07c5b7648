"""A request for one's data from its first run to the day its file goes.

    begin_export     this run makes the file, and no run before it
    add_piece        a sealed piece of it, as long as nobody has cancelled or taken over
    finish_export    the last piece, and the request is completed

Each is a transaction. A run that is killed leaves pieces that the next one deletes; there is never more than one file.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from db.audit import queries_exports as queries
from db.audit.models import CHUNK_BYTES
from db.audit.queries_exports import Done, Wanted
from db.engines import SystemSession, WriteSession
from domains.audit.export_links import path_of
from domains.core.cipher import UserKey

#: The topic of the job that makes the file; its key is the request's id.
EXPORT: Final = "audit.export"
#: The document: a file expires after seven days.
KEPT: Final = timedelta(days=7)
TABLE: Final = "audit_schema.export_chunks"
#: What sealing adds to a piece, with room to spare.
SEAL_BYTES: Final = 64
PIECE_BYTES: Final = CHUNK_BYTES - SEAL_BYTES
PIECES_AT_MOST: Final = 2_000


@dataclass(frozen=True, slots=True)
class Place:
    """Which piece of which file: what is sealed for one place opens at no other, and the last piece says that it is the last."""

    request_id: UUID
    build_id: UUID
    seq: int
    is_last: bool

    @property
    def column(self) -> str:
        return f"ciphertext {self.request_id} {self.build_id} {self.seq} {'last' if self.is_last else 'more'}"


def seal_piece(key: UserKey, place: Place, plain: bytes) -> bytes:
    return key.seal(TABLE, place.column, plain)


def open_piece(key: UserKey, place: Place, stored: bytes) -> bytes:
    """Errors: DecryptionFailed, for a piece of another place too."""
    return key.open(TABLE, place.column, stored)


async def begin_export(session: WriteSession, request_id: UUID, build_id: UUID) -> Wanted | None:
    """Take the request up; None when nobody waits for an answer (any more). Effects: what earlier runs have made is deleted."""
    wanted = await queries.lock_export(session, request_id)
    if wanted is None or wanted.status not in queries.WAITING:
        return None
    await queries.begin_build(session, request_id, build_id)
    return wanted


async def add_piece(session: WriteSession, place: Place, sealed: bytes) -> bool:
    """False, and nothing, when the request was cancelled or another run has taken it up."""
    return await queries.add_chunk(session, place.request_id, place.build_id, place.seq, sealed, is_last=place.is_last)


async def finish_export(session: WriteSession, place: Place, sealed: bytes, size_bytes: int) -> bool:
    """Add the last piece and complete the request; False as for `add_piece`. size_bytes: of the whole file, in plain."""
    if not await add_piece(session, place, sealed):
        return False
    await queries.complete(session, place.request_id, Done(path_of(place.request_id), size_bytes, KEPT))
    return True


async def fail_export(session: WriteSession, request_id: UUID) -> None:
    """End a request that cannot be answered, unless it is over. Effects: what there is of its file is deleted."""
    wanted = await queries.lock_export(session, request_id)
    if wanted is not None and wanted.status in queries.WAITING:
        await queries.fail(session, request_id)


async def end_exports(session: SystemSession, *, limit: int) -> int:
    """Delete files that have expired, and end requests whose job is dead; at most `limit` of each. Answers how many."""
    expired = await queries.purge_expired(session, limit=limit)
    return expired + await queries.fail_abandoned(session, EXPORT, limit=limit)
