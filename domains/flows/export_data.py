"""A copy of all that is stored of somebody: read domain by domain, sealed piece by piece, fetched until it expires.

    request   the request, and the job that answers it, in one transaction           (domains/flows/data_requests)
    run       each domain in one snapshot, table by table, in bounded batches; pieces are sealed and stored as they become full
    finish    the last piece, the request's end, an entry in the trail and the job's end, in one transaction

A run that is killed is followed by one that begins anew; one that was overtaken, or whose request was cancelled, stores nothing more.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog

from db.audit import queries_exports as queries
from db.audit.queries_exports import Wanted
from db.base import DOMAINS
from db.connection import Row
from db.engines import Viewer
from db.export import LEFT_OUT, OPERATIONAL, ExportTable, stream_rows, tables_of
from db.read import Read
from db.transaction.queries.categories import category_page
from domains.audit import sealing
from domains.audit.errors import DataExportRequestNotFound
from domains.audit.export_file import ExportFile, Sink
from domains.audit.service import answer_exports as service
from domains.audit.service import requests
from domains.audit.service.answer_exports import PIECE_BYTES, PIECES_AT_MOST, Place
from domains.core.audit import Action, Trail
from domains.core.cipher import DecryptionFailed, UserKey
from domains.core.ids import new_id
from domains.flows.audit_trail import open_trail
from domains.flows.held import HeldJob
from domains.flows.services import Job, Services

log = structlog.get_logger(__name__)

REQUEST: Final = "DataExportRequest"
#: What README.json and the files beside it look like. It changes when somebody who reads them has to.
LAYOUT: Final = 1
CATEGORIES_AT_MOST: Final = 10_000
CATEGORY_NAME: Final = "category_name"
#: How long whoever makes the file on their own holds the job.
HELD_S: Final = 15 * 60.0


class _Stopped(Exception):
    """The request was cancelled, or another run answers it."""


class _TooLarge(Exception):
    """More pieces than a file may have."""


async def run_export(services: Services, job: Job, request_id: UUID) -> None:
    """The job `audit.export`. Errors: LeaseLost."""
    viewer = job.viewer
    try:
        key = await services.cipher.key_of(viewer.user_id, make=False)
    except DecryptionFailed:
        log.warning("export.failed", request_id=str(request_id), reason="no data key")
        await _give_up(services, job, request_id)
        return
    trail = await open_trail(services, viewer, correlation_id=job.id)
    build = _Build(services, viewer, key, request_id)
    async with services.db.write("audit", viewer) as session:
        wanted = await service.begin_export(session, request_id, build.id)
        if wanted is None:
            await job.finish(session)
            return
    try:
        await build.make(wanted)
        await _finish(services, job, build, trail)
    except _Stopped:
        async with services.db.write("audit", viewer) as session:
            await job.finish(session)
    except _TooLarge:
        log.warning("export.failed", request_id=str(request_id), reason="too large")
        await _give_up(services, job, request_id)


async def _finish(services: Services, job: Job, build: "_Build", trail: Trail) -> None:
    place, sealed = build.last_piece()
    said = {"bytes": build.size_bytes, "rows": build.row_count}
    async with services.db.write("audit", job.viewer) as session:
        if not await service.finish_export(session, place, sealed, build.size_bytes):
            raise _Stopped
        await trail.note(session, Action.DATA_EXPORTED, resource_type=REQUEST, resource_id=build.request_id, metadata=said)
        await job.finish(session)


async def _give_up(services: Services, job: Job, request_id: UUID) -> None:
    async with services.db.write("audit", job.viewer) as session:
        await service.fail_export(session, request_id)
        await job.finish(session)


class _Build:
    """One run's file. Memory holds a batch of rows and a few pieces, whatever there is to export."""

    def __init__(self, services: Services, viewer: Viewer, key: UserKey, request_id: UUID) -> None:
        self.id = new_id()
        self.request_id = request_id
        self._services = services
        self._viewer = viewer
        self._key = key
        self._sink = Sink(PIECE_BYTES)
        self._seq = 0
        self._snapshots: dict[str, datetime] = {}
        self._file: ExportFile | None = None

    @property
    def size_bytes(self) -> int:
        return self._sink.written_bytes

    @property
    def row_count(self) -> int:
        return sum(each["rows"] for each in self._file.tables) if self._file else 0

    async def make(self, wanted: Wanted) -> None:
        """All of the file but its last piece. Errors: _Stopped; _TooLarge."""
        made_at = self._services.clock.now()
        file = self._file = ExportFile(self._sink, wanted.export_format, made_at)
        names = await self._category_names()
        for domain in DOMAINS:
            async with self._services.db.read(domain, self._viewer) as read:
                self._snapshots[domain] = self._services.clock.now()
                for table in tables_of(domain):
                    await self._add_table(file, read, table, names)
        left_out = {**LEFT_OUT, **{f"*.{name}": reason for name, reason in OPERATIONAL.items()}}
        said = {
            "layout": LAYOUT,
            "request": str(self.request_id),
            "user": str(self._viewer.user_id),
            "format": wanted.export_format,
            "requestedAt": wanted.created_at,
            "madeAt": made_at,
            "snapshots": self._snapshots,
            "leftOut": [{"table": table, "reason": reason} for table, reason in left_out.items()],
        }
        file.close(said)
        await self._store()

    def last_piece(self) -> tuple[Place, bytes]:
        place = Place(self.request_id, self.id, self._seq, is_last=True)
        return place, service.seal_piece(self._key, place, self._sink.take_rest())

    async def _category_names(self) -> Mapping[str, str]:
        async with self._services.db.read("transaction", self._viewer) as read:
            page = category_page(("id", "display_name"), (), after=False)
            rows = await read.rows(page, key="all", size=CATEGORIES_AT_MOST)
        return {row.id: row.display_name for row in rows}

    async def _add_table(self, file: ExportFile, read: Read, table: ExportTable, names: Mapping[str, str]) -> None:
        columns = {each.name for each in table.columns}
        category = next((name for name in ("effective_category", "category") if name in columns), None)
        opened = replace(table, columns=tuple(replace(each, kind=_opened_kind(table, each.name) or each.kind) for each in table.columns))
        file.begin(opened, {} if category is None else {CATEGORY_NAME: f"what you call {category}"})
        async for batch in stream_rows(read, table):
            rows = [self._readable(table, row) for row in batch]
            if category is not None:
                for row in rows:
                    row[CATEGORY_NAME] = names.get(row[category])
            # deflating takes a while: the loop renews leases meanwhile
            await asyncio.to_thread(file.add, rows)
            await self._store()
        file.end()
        await self._store()

    def _readable(self, table: ExportTable, row: Row) -> dict[str, Any]:
        """The row, with what is sealed with the user's key opened: None where that was an earlier key, which is destroyed."""
        values = dict(row.items())
        if table.key == sealing.TABLE:
            for name in sealing.SEALED:
                if values[name] is not None:
                    values[name] = self._opened(name, values[name])
        return values

    def _opened(self, column: str, stored: bytes) -> str | None:
        try:
            return self._key.open(sealing.TABLE, column, stored).decode()
        except DecryptionFailed:
            return None

    async def _store(self) -> None:
        for piece in self._sink.take_full():
            if self._seq >= PIECES_AT_MOST - 1:
                raise _TooLarge
            place = Place(self.request_id, self.id, self._seq, is_last=False)
            async with self._services.db.write("audit", self._viewer) as session:
                if not await service.add_piece(session, place, service.seal_piece(self._key, place, piece)):
                    raise _Stopped
            self._seq += 1


def _opened_kind(table: ExportTable, column: str) -> Any:
    """What is in a sealed column."""
    if table.key != sealing.TABLE or column not in sealing.SEALED:
        return None
    return "text" if column in sealing.TEXTS else "json"


# Fetching


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is there. `pieces` ends with DecryptionFailed where it is not what was stored: then what came is to be thrown away."""

    filename: str
    size_bytes: int
    pieces: AsyncIterator[bytes]


async def open_download(services: Services, viewer: Viewer, request_id: UUID) -> Download:
    """The viewer's finished file. Effects: an entry in their trail.

    Errors: DataExportRequestNotFound, for one that is not theirs, not finished, cancelled, expired, damaged, or whose key is gone alike.
    """
    async with services.db.read("audit", viewer) as read:
        found = await read.row(queries.file_of(), request=request_id, now=services.clock.now())
    if found is None:
        raise DataExportRequestNotFound(field="id")
    places = [Place(request_id, found.build_id, seq, is_last=seq == found.chunks - 1) for seq in range(found.chunks)]
    try:
        key = await services.cipher.key_of(viewer.user_id, make=False)
        first = await _piece(services, viewer, key, places[0])
    except DecryptionFailed as error:
        log.warning("export.unreadable", request_id=str(request_id))
        raise DataExportRequestNotFound(field="id") from error
    trail = await open_trail(services, viewer)
    async with services.db.write("audit", viewer) as session:
        await trail.note(session, Action.DATA_EXPORT_DOWNLOADED, resource_type=REQUEST, resource_id=request_id)
    filename = f"florin-export-{found.completed_at:%Y-%m-%d}.zip"
    return Download(filename, found.file_size_bytes, _pieces(services, viewer, key, first, places[1:]))


async def _pieces(services: Services, viewer: Viewer, key: UserKey, first: bytes, places: Sequence[Place]) -> AsyncIterator[bytes]:
    """Each is read for itself: whoever fetches slowly holds no connection."""
    yield first
    for place in places:
        yield await _piece(services, viewer, key, place)


async def _piece(services: Services, viewer: Viewer, key: UserKey, place: Place) -> bytes:
    """Errors: DecryptionFailed, also when it is gone."""
    async with services.db.read("audit", viewer) as read:
        stored = await read.value(queries.chunk_of(), request=place.request_id, seq=place.seq)
    if stored is None:
        raise DecryptionFailed("a piece of the file is gone")
    return service.open_piece(key, place, stored)


async def export_now(services: Services, viewer: Viewer, export_format: str) -> Download:
    """Ask for the viewer's data, make the file here and open it: what an operator does for somebody.

    Errors: DataExportAlreadyRequested; DataExportRequestNotFound, when it could not be made; LeaseLost.
    """
    trail = await open_trail(services, viewer)
    async with services.db.write("audit", viewer) as session:
        asked, claim = await requests.request_held_export(session, export_format, str(new_id()), held_s=HELD_S)
        said = {"export_format": export_format}
        await trail.note(session, Action.DATA_EXPORT_REQUESTED, resource_type=REQUEST, resource_id=asked.request_id, new=said)
    await run_export(services, HeldJob(claim, viewer), asked.request_id)
    return await open_download(services, viewer, asked.request_id)
