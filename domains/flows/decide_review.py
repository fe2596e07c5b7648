"""A user decides what was in doubt, and the budgets that this moves, answered together."""

from uuid import UUID

from db.engines import Viewer
from domains.core.audit import Action
from domains.flows.audit_trail import noted_write
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services
from domains.transaction.service import decide_review as service


async def decide_review(services: Services, viewer: Viewer, review_id: UUID, *, accept: bool) -> None:
    """Errors: those of the use case."""
    async with noted_write(services, "transaction", viewer) as (session, trail):
        decided = await service.decide_review(session, review_id, services.clock.now(), accept=accept)
        if decided.is_new:
            review = decided.review
            told = {"kind": review.kind, "accepted": accept, "review_id": review.id, "other_id": review.other_id}
            said = {name: value for name, value in told.items() if value is not None}
            about = review.transaction_id
            await trail.note(session, Action.TRANSACTION_REVIEW_DECIDED, resource_type="Transaction", resource_id=about, metadata=said)
    if decided.moves_sums:
        await refold_held(services, viewer, decided.refold)
