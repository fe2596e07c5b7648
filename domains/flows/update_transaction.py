"""A user's change to a transaction, and the budgets it moves, answered together. What it says of the merchant, a worker counts."""

from uuid import UUID

from db import jobs
from db.engines import Viewer
from domains.core.audit import Action
from domains.flows.audit_trail import open_trail
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services
from domains.flows.vote_on_merchants import VOTE
from domains.transaction.service import update_transaction as service


async def update_transaction(services: Services, viewer: Viewer, command: service.UpdateTransaction) -> UUID:
    """Errors: those of the use case."""
    trail = await open_trail(services, viewer)
    async with services.db.write("transaction", viewer) as session:
        updated = await service.update_transaction(session, command, services.clock.now())
        if updated.new:
            about = command.transaction_id
            await trail.note(
                session, Action.TRANSACTION_UPDATED, resource_type="Transaction", resource_id=about, old=updated.old, new=updated.new
            )
        if updated.moves_sums:
            await jobs.add(session, VOTE, key=str(viewer.user_id))
    if updated.moves_sums:
        await refold_held(services, viewer, updated.refold)
    return command.transaction_id
