"""Asking for one's data, and for its end."""

from uuid import UUID

import strawberry

from domains.audit import errors
from domains.core.idempotency import check_idempotency_key
from domains.flows import data_requests as flow
from resolvers.audit.inputs import (
    DataExportRequestCancelInput,
    DataExportRequestCreateInput,
    DeletionRequestCancelInput,
    DeletionRequestCreateInput,
)
from resolvers.fields import Hidden, Info, Input, Payload, expose, extends, given_id, link, mutation, payload

expose(errors)


@payload
class DataExportRequestCreatePayload(Payload):
    """The request, or why there is none."""

    request_id: Hidden[UUID | None] = None
    data_export_request = link("DataExportRequest", key="request_id", description="The request; null when it was refused.")


@payload
class DataExportRequestCancelPayload(Payload):
    """The request as it is now, or why it stays as it was."""

    request_id: Hidden[UUID | None] = None
    data_export_request = link("DataExportRequest", key="request_id", description="The request; null when nothing was changed.")


@payload
class DeletionRequestCreatePayload(Payload):
    """The request, or why there is none."""

    request_id: Hidden[UUID | None] = None
    deletion_request = link("DeletionRequest", key="request_id", description="The request; null when it was refused.")


@payload
class DeletionRequestCancelPayload(Payload):
    """The request as it is now, or why it stays as it was."""

    request_id: Hidden[UUID | None] = None
    deletion_request = link("DeletionRequest", key="request_id", description="The request; null when nothing was changed.")


@extends("Mutation")
class AuditMutations:
    @mutation
    async def data_export_request_create(self, info: Info, input: Input[DataExportRequestCreateInput]) -> DataExportRequestCreatePayload:
        """Ask for a copy of your data. It is made in the background: read the request until it is COMPLETED, then fetch its `fileUrl`.

        Errors: DataExportAlreadyRequested while one is open; DataExportLimitReached after three within a day; IdempotencyKeyInvalid,
        IdempotencyKeyReused.
        """
        key = check_idempotency_key(input.idempotency_key)
        context = info.context
        return DataExportRequestCreatePayload(
            request_id=await flow.request_export(context.services, context.required_viewer, input.format.value, key)
        )

    @mutation
    async def data_export_request_cancel(self, info: Info, input: Input[DataExportRequestCancelInput]) -> DataExportRequestCancelPayload:
        """Take back a request for a copy of your data. A copy that was made, or half of one, is deleted.

        Errors: DataExportRequestNotFound; RequestNotPending, when it failed or was cancelled before.
        """
        request_id = given_id(input.id, "DataExportRequest")
        await flow.cancel_export(info.context.services, info.context.required_viewer, request_id)
        return DataExportRequestCancelPayload(request_id=request_id)

    @mutation
    async def deletion_request_create(self, info: Info, input: Input[DeletionRequestCreateInput]) -> DeletionRequestCreatePayload:
        """Ask for the end of your account and of your data. The request is recorded for the operator of this server, who answers it.

        Asking deletes nothing.
        Errors: DeletionAlreadyRequested while one is open; ReasonTooLong; IdempotencyKeyInvalid, IdempotencyKeyReused.
        """
        key = check_idempotency_key(input.idempotency_key)
        context = info.context
        reason = None if input.reason is strawberry.UNSET else input.reason
        return DeletionRequestCreatePayload(request_id=await flow.request_deletion(context.services, context.required_viewer, reason, key))

    @mutation
    async def deletion_request_cancel(self, info: Info, input: Input[DeletionRequestCancelInput]) -> DeletionRequestCancelPayload:
        """Take back a request for the end of your account. Errors: DeletionRequestNotFound; RequestNotPending."""
        request_id = given_id(input.id, "DeletionRequest")
        await flow.cancel_deletion(info.context.services, info.context.required_viewer, request_id)
        return DeletionRequestCancelPayload(request_id=request_id)
