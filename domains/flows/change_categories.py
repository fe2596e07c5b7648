"""Changing one's categories, with what that needs of other domains: no budget is left without its category, and the figures follow."""

from db.budget import queries as budgets
from db.engines import Viewer
from db.errors import KeyReused
from domains.core.errors import IdempotencyKeyReused
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services
from domains.transaction.service import change_categories as service


async def create_category(services: Services, viewer: Viewer, command: service.CreateCategory, idempotency_key: str) -> str:
    """A new category of the viewer's own; answers its id. Errors: those of the use case; IdempotencyKeyReused."""
    try:
        async with services.db.write("transaction", viewer) as session:
            return await service.create_category(session, command, idempotency_key)
    except KeyReused as error:
        raise IdempotencyKeyReused(field="idempotencyKey") from error


async def update_category(services: Services, viewer: Viewer, command: service.UpdateCategory) -> None:
    """Errors: those of the use case."""
    async with services.db.write("transaction", viewer) as session:
        changed = await service.update_category(session, command)
    if changed.moves_sums:
        await refold_held(services, viewer, changed.refold)


async def delete_category(services: Services, viewer: Viewer, command: service.DeleteCategory) -> None:
    """Refused while a budget is for the category. One that is made for it in the very same moment stays, and counts nothing until it gets
    another category: budgets may be on another server, and nothing spans the two.

    Errors: those of the use case.
    """
    kept_by = await _budget_for(services, viewer, command.category_id)
    async with services.db.write("transaction", viewer) as session:
        changed = await service.delete_category(session, command, kept_by)
    await refold_held(services, viewer, changed.refold)


async def _budget_for(services: Services, viewer: Viewer, category_id: str) -> str | None:
    """The name of the oldest of the viewer's budgets that is for this very category."""
    async with services.db.read("budget", viewer) as read:
        rows = await read.rows(budgets.budgets_by_user(("name", "category")), keys=[viewer.user_id])
    return next((row.name or "" for row in rows if row.category == category_id), None)
