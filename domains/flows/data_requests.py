"""What people ask of their data, with an entry in their trail; and the open requests, for whoever has to answer them."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from db.audit import queries
from db.audit.queries import OpenRequest
from db.engines import Viewer
from db.errors import KeyReused
from db.user import queries as users
from domains.audit.service import requests
from domains.core.audit import Action
from domains.core.errors import IdempotencyKeyReused
from domains.flows.audit_trail import open_trail
from domains.flows.services import Services

EXPORT = "DataExportRequest"
DELETION = "DeletionRequest"


async def request_export(services: Services, viewer: Viewer, export_format: str, idempotency_key: str) -> UUID:
    """Answers the request's id; a worker makes the copy.

    Errors: DataExportAlreadyRequested; DataExportLimitReached; IdempotencyKeyReused.
    """
    trail = await open_trail(services, viewer)
    try:
        async with services.db.write("audit", viewer) as session:
            asked = await requests.request_export(session, export_format, idempotency_key)
            if asked.is_new:
                new = {"export_format": export_format}
                await trail.note(session, Action.DATA_EXPORT_REQUESTED, resource_type=EXPORT, resource_id=asked.request_id, new=new)
    except KeyReused as error:
        raise IdempotencyKeyReused(field="idempotencyKey") from error
    return asked.request_id


async def request_deletion(services: Services, viewer: Viewer, reason: str | None, idempotency_key: str) -> UUID:
    """Answers the request's id. Errors: ReasonTooLong; DeletionAlreadyRequested; IdempotencyKeyReused."""
    trail = await open_trail(services, viewer)
    try:
        async with services.db.write("audit", viewer) as session:
            asked = await requests.request_deletion(session, reason, idempotency_key)
            if asked.is_new:
                said = (reason or "").strip()
                new = {"reason": said} if said else None
                await trail.note(session, Action.DELETION_REQUESTED, resource_type=DELETION, resource_id=asked.request_id, new=new)
    except KeyReused as error:
        raise IdempotencyKeyReused(field="idempotencyKey") from error
    return asked.request_id


async def cancel_export(services: Services, viewer: Viewer, request_id: UUID) -> None:
    """Errors: DataExportRequestNotFound; RequestNotPending."""
    trail = await open_trail(services, viewer)
    async with services.db.write("audit", viewer) as session:
        await requests.cancel_export(session, request_id)
        await trail.note(session, Action.DATA_EXPORT_CANCELLED, resource_type=EXPORT, resource_id=request_id)


async def cancel_deletion(services: Services, viewer: Viewer, request_id: UUID) -> None:
    """Errors: DeletionRequestNotFound; RequestNotPending."""
    trail = await open_trail(services, viewer)
    async with services.db.write("audit", viewer) as session:
        await requests.cancel_deletion(session, request_id)
        await trail.note(session, Action.DELETION_CANCELLED, resource_type=DELETION, resource_id=request_id)


@dataclass(frozen=True, slots=True)
class Asked:
    """An open request and the address of whoever asked; None when they are gone."""

    request: OpenRequest
    email: str | None


async def list_open(services: Services, *, limit: int = 1_000) -> list[Asked]:
    """The requests that wait for the operator, at most `limit` of each kind, the oldest first."""
    async with services.db.system("audit") as session:
        found = await queries.list_open_requests(session, limit=limit)
    async with services.db.system("user") as session:
        emails: Mapping[UUID, str] = await users.emails_of(session, sorted({each.user_id for each in found}))
    return [Asked(each, emails.get(each.user_id)) for each in sorted(found, key=lambda each: each.created_at)]
