"""Two transactions are one, their owner says; and the budgets that this moves, answered together."""

from uuid import UUID

from db.engines import Viewer
from domains.core.audit import Action
from domains.flows.audit_trail import noted_write
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services
from domains.transaction.service import pair_transactions as service


async def pair_transfer(services: Services, viewer: Viewer, debit_id: UUID, credit_id: UUID) -> None:
    """Errors: those of the use case."""
    async with noted_write(services, "transaction", viewer) as (session, trail):
        paired = await service.pair_transfer(session, debit_id, credit_id)
        if paired.is_new:
            told = {"review_id": paired.review_id, "other_id": credit_id}
            await trail.note(session, Action.TRANSFER_PAIRED, resource_type="Transaction", resource_id=debit_id, metadata=told)
    if paired.moves_sums:
        await refold_held(services, viewer, paired.refold)


async def mark_duplicate(services: Services, viewer: Viewer, transaction_id: UUID, of_id: UUID) -> None:
    """Errors: those of the use case."""
    async with noted_write(services, "transaction", viewer) as (session, trail):
        paired = await service.mark_duplicate(session, transaction_id, of_id)
        if paired.is_new:
            told = {"review_id": paired.review_id, "other_id": of_id}
            await trail.note(session, Action.DUPLICATE_MARKED, resource_type="Transaction", resource_id=transaction_id, metadata=told)
    if paired.moves_sums:
        await refold_held(services, viewer, paired.refold)
