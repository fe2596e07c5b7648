"""Exports as tests want them: asked for, made at once, fetched and unpacked."""

import io
import json
import zipfile
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, update

from db.audit.models import data_export_requests, export_chunks
from db.base import jobs_table
from db.engines import Viewer
from db.jobs import JobRef
from domains.audit.service.answer_exports import EXPORT
from domains.flows.data_requests import request_export
from domains.flows.export_data import open_download
from domains.flows.services import Services
from tests.db.samples import Samples, insert, sample_rows, superuser
from tests.servers.suite import Servers
from workers.runner import JobRunner
from workers.task import load_tasks


async def job_of(services: Services, request_id: UUID) -> Any:
    """The row of the job that answers the request."""
    jobs = jobs_table("audit")
    async with services.db.system("audit") as session:
        return (await session.execute(select(jobs).where(jobs.c.topic == EXPORT, jobs.c.key == str(request_id)))).one()


async def answer(services: Services, request_id: UUID) -> str:
    """Do what a worker would: run the job once. Answers its state."""
    job = await job_of(services, request_id)
    await JobRunner(services, load_tasks()).run(JobRef("audit", job.id, job.lease_token), EXPORT)
    return str((await job_of(services, request_id)).state)


async def ask(services: Services, viewer: Viewer, export_format: str = "json") -> UUID:
    return await request_export(services, viewer, export_format, str(uuid4()))


async def row_of(services: Services, request_id: UUID) -> Any:
    async with services.db.system("audit") as session:
        return (await session.execute(select(data_export_requests).where(data_export_requests.c.id == request_id))).one()


async def age(services: Services, request_id: UUID, by: timedelta) -> None:
    """Have the request been answered, and its file expire, so much longer ago."""
    rows = data_export_requests
    older = {name: rows.c[name] - by for name in ("completed_at", "expires_at")}
    async with services.db.system("audit") as session:
        await session.execute(update(rows).where(rows.c.id == request_id).values(older))


async def chunks_of(services: Services, request_id: UUID) -> list[tuple[int, bool]]:
    """(seq, is_last) of each chunk that is stored."""
    rows = export_chunks.c
    async with services.db.system("audit") as session:
        found = await session.execute(select(rows.seq, rows.is_last).where(rows.request_id == request_id).order_by(rows.seq))
        return [(seq, is_last) for seq, is_last in found]


async def fetched(services: Services, viewer: Viewer, request_id: UUID) -> bytes:
    """The file as it was downloaded, of the size that was told."""
    download = await open_download(services, viewer, request_id)
    content = b"".join([piece async for piece in download.pieces])
    assert len(content) == download.size_bytes
    return content


def unpacked(content: bytes) -> dict[str, bytes]:
    """The files of a zip that is whole, by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


async def exported(services: Services, viewer: Viewer, export_format: str = "json") -> dict[str, bytes]:
    """All of it at once."""
    request_id = await ask(services, viewer, export_format)
    assert await answer(services, request_id) == "done"
    return unpacked(await fetched(services, viewer, request_id))


def rows_in(files: dict[str, bytes]) -> dict[str, list[dict[str, Any]]]:
    """Of a JSON export: the rows of each table, `domain/table`, and nothing of those without."""
    tables = {name.removesuffix(".json"): json.loads(content) for name, content in files.items() if name != "README.json"}
    return {name: rows for name, rows in tables.items() if rows}


async def store_samples(servers: Servers, user_id: UUID) -> Samples:
    """A row of every table, of somebody who is new; but no request that is open, and no key. Answers those that are exported."""
    rows = sample_rows(user_id)
    for without in ("user_schema.user_keys", "audit_schema.data_export_requests", "audit_schema.export_chunks"):
        del rows[without]
    for key, row in rows.items():
        async with superuser(servers.databases[key.partition("_schema")[0]]) as connection:
            await insert(connection, key, row)
    return rows


async def erase_key(services: Services, servers: Servers, viewer: Viewer) -> None:
    """The user's data key is destroyed, and no process remembers it."""
    async with superuser(servers.databases["user"]) as connection:
        await connection.execute("delete from user_schema.user_keys where user_id = $1", viewer.user_id)
    services.cipher._kept.pop(viewer.user_id, None)  # type: ignore[attr-defined]  # a minute later
