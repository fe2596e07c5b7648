"""Two transactions are one, their owner says; and the budgets that this moves, answered together."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from db.engines import Viewer, WriteSession
from domains.core.audit import Action
from domains.flows.audit_trail import noted_write
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services
from domains.transaction.service import pair_transactions as service

Pair = Callable[[WriteSession, UUID, UUID], Awaitable[service.Paired]]


async def pair_transfer(services: Services, viewer: Viewer, debit_id: UUID, credit_id: UUID) -> None:
    """Errors: those of the use case."""
    await _pair(services, viewer, service.pair_transfer, Action.TRANSFER_PAIRED, debit_id, credit_id)


async def mark_duplicate(services: Services, viewer: Viewer, transaction_id: UUID, of_id: UUID) -> None:
    """Errors: those of the use case."""
    await _pair(services, viewer, service.mark_duplicate, Action.DUPLICATE_MARKED, transaction_id, of_id)


async def _pair(services: Services, viewer: Viewer, pair: Pair, action: Action, transaction_id: UUID, other_id: UUID) -> None:
    """The entry is about the first of the two, and left once."""
    async with noted_write(services, "transaction", viewer) as (session, trail):
        paired = await pair(session, transaction_id, other_id)
        if paired.is_new:
            told = {"review_id": paired.review_id, "other_id": other_id}
            await trail.note(session, action, resource_type="Transaction", resource_id=transaction_id, metadata=told)
    if paired.moves_sums:
        await refold_held(services, viewer, paired.refold)
