"""Uploads, and the statements in them, on their way in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db import idempotency, jobs
from db.bank import queries, queries_syncs
from db.engines import SystemSession, WriteSession
from domains.bank.errors import StatementImportNotFound, UploadNotFound, UploadsWaiting
from domains.bank.service.place_accounts import PlacedAccount, record_statement
from domains.core.ids import new_id

IMPORT = "bank.import"
CLOSE_IMPORT = "bank.close_import"
IMPORT_MUTATION = "statementImport"
TOPIC = "statement_import"
#: What an import whose job died says. Its rows may be in by then.
GIVEN_UP = "STATEMENT_IMPORT_GIVEN_UP"
GIVEN_UP_MESSAGE = "The import could not be completed. Import the file again: rows that are in already are recognised."
UPLOADS_WAITING_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class SealedUpload:
    """A file, encrypted with its owner's key. `sha256` (hexadecimal) and `size_bytes` are of the plain file."""

    id: UUID
    filename: str
    content_type: str | None
    size_bytes: int
    sha256: str
    ciphertext: bytes
    expires_at: datetime


async def store_upload(session: WriteSession, upload: SealedUpload) -> None:
    """Keep the file until it is imported or expires. Errors: UploadsWaiting."""
    if await queries.count_uploads(session) >= UPLOADS_WAITING_AT_MOST:
        raise UploadsWaiting
    await queries.add_upload(session, {name: getattr(upload, name) for name in SealedUpload.__slots__})


async def request_import(
    session: WriteSession, upload_id: UUID, options: dict[str, Any], idempotency_key: str, *, held_s: float | None = None
) -> tuple[UUID, jobs.Claim | None]:
    """Queue the import of an upload, once per idempotency key; answers the import's id.

    held_s:  the caller runs the job itself and holds it for so long; the second answer is its claim.
    Effects: one `bank.import` job.
    Errors:  UploadNotFound; KeyReused.
    """
    fingerprint = idempotency.fingerprint({"upload": upload_id, "options": options})
    answer = await idempotency.replay(session, IMPORT_MUTATION, idempotency_key, fingerprint)
    if answer is not None:
        return UUID(answer["id"]), None
    upload = await queries.find_upload(session, upload_id)
    if upload is None:
        raise UploadNotFound(field="uploadId")
    import_id = new_id()
    await queries.add_import(session, {"id": import_id, "upload_id": upload_id, "filename": upload.filename, "options": options})
    payload, held = {"import_id": str(import_id)}, None
    if held_s is None:
        await jobs.add(session, IMPORT, key=str(import_id), payload=payload)
    else:
        held = await jobs.add_held(session, IMPORT, key=str(import_id), payload=payload, lease_s=held_s)
    await idempotency.record(session, IMPORT_MUTATION, idempotency_key, {"id": str(import_id)})
    return import_id, held


async def find_import_of(session: WriteSession, idempotency_key: str, upload_id: UUID, options: dict[str, Any]) -> UUID | None:
    """The import that this key has started before; the upload may be gone by now. Errors: KeyReused."""
    fingerprint = idempotency.fingerprint({"upload": upload_id, "options": options})
    answer = await idempotency.find(session, IMPORT_MUTATION, idempotency_key, fingerprint)
    return None if answer is None else UUID(answer["id"])


async def begin_import(session: WriteSession, import_id: UUID, now: datetime) -> queries.StoredImport:
    """Mark the import running and begin its line in the history. One that has ended is answered as it is.

    Errors: StatementImportNotFound.
    """
    found = await queries.lock_import(session, import_id)
    if found is None:
        raise StatementImportNotFound
    if found.status == queries.QUEUED:
        version = await queries.change_import(session, import_id, {"status": queries.RUNNING})
        session.publish(TOPIC, import_id, version)
    if found.status in queries.WAITING:
        await queries_syncs.begin_sync(session, import_id, now)
    return found


async def complete_import(
    session: WriteSession, found: queries.StoredImport, accounts: Sequence[PlacedAccount], outcome: dict[str, int], now: datetime
) -> None:
    """Take the balances, drop the file, and say what the import came to."""
    await record_statement(session, accounts, now)
    await _end_import(session, found, {"status": queries.DONE, "completed_at": now, **outcome})
    counts = {f"transactions_{name}": outcome.get(name, 0) for name in ("added", "updated")}
    await queries_syncs.end_sync(session, found.id, {"status": queries_syncs.SUCCESS, **counts}, now)


async def fail_import(session: WriteSession, found: queries.StoredImport, code: str, message: str, now: datetime) -> None:
    """The import ends without an effect; its file goes too."""
    why = {"error_code": code, "error_message": message}
    await _end_import(session, found, {"status": queries.FAILED, "completed_at": now, **why})
    await queries_syncs.end_sync(session, found.id, {"status": queries_syncs.SYNC_FAILED, **why}, now)


async def request_closing(session: SystemSession) -> int:
    """Queue the end of every import whose job died: nothing else would ever tell its owner. Answers how many there are."""
    abandoned = await queries.list_abandoned_imports(session, (IMPORT, CLOSE_IMPORT))
    for import_id, user_id in abandoned:
        await jobs.add(session, CLOSE_IMPORT, key=str(import_id), payload={"import_id": str(import_id)}, user_id=user_id)
    return len(abandoned)


async def close_import(session: WriteSession, import_id: UUID, now: datetime) -> bool:
    """End an import that no job will end, and its line in the history; False when it had ended, or a job will end it.

    Errors: StatementImportNotFound.
    """
    found = await queries.lock_import(session, import_id)
    if found is None:
        raise StatementImportNotFound
    if found.status not in queries.WAITING or await queries.is_worked_on(session, IMPORT, import_id):
        return False
    await queries_syncs.begin_sync(session, import_id, now)  # its job may have died before it ever ran
    await fail_import(session, found, GIVEN_UP, GIVEN_UP_MESSAGE, now)
    return True


async def _end_import(session: WriteSession, found: queries.StoredImport, values: dict[str, Any]) -> None:
    """The values say how it ended. Its file goes, unless another import is of the same."""
    version = await queries.change_import(session, found.id, values)
    if found.upload_id is not None:
        await queries.delete_upload(session, found.upload_id)
    session.publish(TOPIC, found.id, version)
