"""What people ask of their data: a copy of it, which a job makes, or its end, which an operator answers."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from db import idempotency, jobs
from db.audit import queries, queries_exports
from db.audit.queries import RequestKind
from db.engines import WriteSession
from domains.audit.errors import (
    DataExportAlreadyRequested,
    DataExportLimitReached,
    DataExportRequestNotFound,
    DeletionAlreadyRequested,
    DeletionRequestNotFound,
    ReasonTooLong,
    RequestNotPending,
)
from domains.audit.service.answer_exports import EXPORT as ANSWER
from domains.core.errors import AppError
from domains.core.ids import new_id

EXPORT: Final = "dataExportRequestCreate"
DELETION: Final = "deletionRequestCreate"
REASON_CHARACTERS: Final = 2_000
PENDING: Final = "pending"
#: Exports that somebody may ask for within a day, cancelled ones too: each reads all that there is of them.
EXPORTS_A_DAY: Final = 3
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """The request, and whether this call made it (a repeated one did not)."""

    request_id: UUID
    is_new: bool


async def request_export(session: WriteSession, export_format: str, idempotency_key: str) -> Asked:
    """Ask for a copy of one's data, as `json` or `csv`. Effects: one job.

    Errors: DataExportAlreadyRequested; DataExportLimitReached; KeyReused.
    """
    asked = await _request_export(session, export_format, idempotency_key)
    if asked.is_new:
        if await queries_exports.count_since(session, DAY) > EXPORTS_A_DAY:
            raise DataExportLimitReached
        request_id = str(asked.request_id)
        await jobs.add(session, ANSWER, key=request_id, payload={"request_id": request_id})
    return asked


async def request_held_export(
    session: WriteSession, export_format: str, idempotency_key: str, *, held_s: float
) -> tuple[Asked, jobs.Claim]:
    """The same for whoever makes the file themselves, right after the commit, and as often as they want.

    Errors: DataExportAlreadyRequested.
    """
    asked = await _request_export(session, export_format, idempotency_key)
    request_id = str(asked.request_id)
    claim = await jobs.add_held(session, ANSWER, key=request_id, lease_s=held_s, payload={"request_id": request_id})
    if claim is None:
        raise DataExportAlreadyRequested
    return asked, claim


async def _request_export(session: WriteSession, export_format: str, idempotency_key: str) -> Asked:
    row = {"export_format": export_format}
    return await _request(session, "export", EXPORT, row, idempotency_key, DataExportAlreadyRequested)


async def request_deletion(session: WriteSession, reason: str | None, idempotency_key: str) -> Asked:
    """Ask to be forgotten. Errors: ReasonTooLong; DeletionAlreadyRequested; KeyReused."""
    if reason is not None and (len(reason) > REASON_CHARACTERS or "\0" in reason):
        raise ReasonTooLong(field="reason")
    row = {"reason": (reason or "").strip() or None}
    return await _request(session, "deletion", DELETION, row, idempotency_key, DeletionAlreadyRequested)


async def cancel_export(session: WriteSession, request_id: UUID) -> None:
    """Take a request back, at any time; a file that there is, or half of one, is deleted.

    Errors: DataExportRequestNotFound; RequestNotPending, when it has failed or was cancelled before.
    """
    found = await queries.lock_request(session, "export", request_id)
    if found is None:
        raise DataExportRequestNotFound(field="id")
    if found.status not in (*queries_exports.WAITING, queries_exports.COMPLETED):
        raise RequestNotPending("There is nothing of this request to cancel.", field="id")
    await queries.cancel_request(session, "export", request_id)
    await queries_exports.drop_file(session, request_id)


async def cancel_deletion(session: WriteSession, request_id: UUID) -> None:
    """Errors: DeletionRequestNotFound; RequestNotPending."""
    found = await queries.lock_request(session, "deletion", request_id)
    if found is None:
        raise DeletionRequestNotFound(field="id")
    if found.status != PENDING:
        raise RequestNotPending(field="id")
    await queries.cancel_request(session, "deletion", request_id)


async def _request(
    session: WriteSession, kind: RequestKind, mutation: str, row: dict[str, Any], idempotency_key: str, refusal: type[AppError]
) -> Asked:
    answer = await idempotency.replay(session, mutation, idempotency_key, idempotency.fingerprint(row))
    if answer is not None:
        return Asked(UUID(answer["id"]), is_new=False)
    request_id = new_id()
    if not await queries.add_request(session, kind, {"id": request_id, **row}):
        raise refusal
    await idempotency.record(session, mutation, idempotency_key, {"id": str(request_id)})
    return Asked(request_id, is_new=True)
