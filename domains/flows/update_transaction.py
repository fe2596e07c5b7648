"""A user's change to a transaction, and the budgets it moves, answered together."""

from uuid import UUID

from db.engines import Viewer
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services
from domains.transaction.service import update_transaction as service


async def update_transaction(services: Services, viewer: Viewer, command: service.UpdateTransaction) -> UUID:
    """Errors: those of the use case."""
    async with services.db.write("transaction", viewer) as session:
        updated = await service.update_transaction(session, command)
    if updated.moves_sums:
        await refold_held(services, viewer, updated.refold)
    return command.transaction_id
