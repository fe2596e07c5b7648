"""A user deletes a transaction or has it back, and the budgets that this moves, answered together."""

from uuid import UUID

from db.engines import Viewer
from domains.core.audit import Action
from domains.flows.audit_trail import noted_write
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services
from domains.transaction.service import delete_transaction as service

_TRANSACTION = "Transaction"


async def delete_transaction(services: Services, viewer: Viewer, transaction_id: UUID) -> None:
    """Errors: those of the use case."""
    async with noted_write(services, "transaction", viewer) as (session, trail):
        moved = await service.delete_transaction(session, transaction_id, services.clock.now())
        if moved.is_done:
            await trail.note(session, Action.TRANSACTION_DELETED, resource_type=_TRANSACTION, resource_id=transaction_id)
    if moved.is_done:
        await refold_held(services, viewer, moved.refold)


async def restore_transaction(services: Services, viewer: Viewer, transaction_id: UUID) -> None:
    """Errors: those of the use case."""
    async with noted_write(services, "transaction", viewer) as (session, trail):
        moved = await service.restore_transaction(session, transaction_id)
        if moved.is_done:
            await trail.note(session, Action.TRANSACTION_RESTORED, resource_type=_TRANSACTION, resource_id=transaction_id)
    if moved.is_done:
        await refold_held(services, viewer, moved.refold)
