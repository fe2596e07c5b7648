"""What people ask of their data: a copy of it, or its end. Asking is all that happens here; an operator answers."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from db import idempotency
from db.audit import queries
from db.audit.queries import RequestKind
from db.engines import WriteSession
from domains.audit.errors import (
    DataExportAlreadyRequested,
    DataExportRequestNotFound,
    DeletionAlreadyRequested,
    DeletionRequestNotFound,
    ReasonTooLong,
    RequestNotPending,
)
from domains.core.errors import AppError
from domains.core.ids import new_id

EXPORT: Final = "dataExportRequestCreate"
DELETION: Final = "deletionRequestCreate"
REASON_CHARACTERS: Final = 2_000
PENDING: Final = "pending"


@dataclass(frozen=True, slots=True)
class Asked:
    """The request, and whether this call made it (a repeated one did not)."""

    request_id: UUID
    is_new: bool


async def request_export(session: WriteSession, export_format: str, idempotency_key: str) -> Asked:
    """Ask for a copy of one's data, as `json` or `csv`. Errors: DataExportAlreadyRequested; KeyReused."""
    row = {"export_format": export_format}
    return await _request(session, "export", EXPORT, row, idempotency_key, DataExportAlreadyRequested)


async def request_deletion(session: WriteSession, reason: str | None, idempotency_key: str) -> Asked:
    """Ask to be forgotten. Errors: ReasonTooLong; DeletionAlreadyRequested; KeyReused."""
    if reason is not None and (len(reason) > REASON_CHARACTERS or "\0" in reason):
        raise ReasonTooLong(field="reason")
    row = {"reason": (reason or "").strip() or None}
    return await _request(session, "deletion", DELETION, row, idempotency_key, DeletionAlreadyRequested)


async def cancel_export(session: WriteSession, request_id: UUID) -> None:
    """Errors: DataExportRequestNotFound; RequestNotPending."""
    await _cancel(session, "export", request_id, DataExportRequestNotFound)


async def cancel_deletion(session: WriteSession, request_id: UUID) -> None:
    """Errors: DeletionRequestNotFound; RequestNotPending."""
    await _cancel(session, "deletion", request_id, DeletionRequestNotFound)


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


async def _cancel(session: WriteSession, kind: RequestKind, request_id: UUID, not_found: type[AppError]) -> None:
    found = await queries.lock_request(session, kind, request_id)
    if found is None:
        raise not_found(field="id")
    if found.status != PENDING:
        raise RequestNotPending(field="id")
    await queries.cancel_request(session, kind, request_id)
