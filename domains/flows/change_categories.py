"""Changing one's categories, with what that needs of other domains: no budget is left without its category, and the figures follow."""

from db.budget import queries as budgets
from db.engines import Viewer
from db.errors import KeyReused
from domains.core.audit import Action
from domains.core.errors import IdempotencyKeyReused
from domains.flows.audit_trail import noted_write, said, said_of
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services
from domains.transaction.service import change_categories as service

#: What entries of the audit trail are about, as the API calls it.
CATEGORY = "Category"


async def create_category(services: Services, viewer: Viewer, command: service.CreateCategory, idempotency_key: str) -> str:
    """A new category of the viewer's own; answers its id. Errors: those of the use case; IdempotencyKeyReused."""
    try:
        async with noted_write(services, "transaction", viewer) as (session, trail):
            category_id = await service.create_category(session, command, idempotency_key)
            new = said(command)
            await trail.note(session, Action.CATEGORY_CREATED, resource_type=CATEGORY, resource_id=category_id, new=new)
            return category_id
    except KeyReused as error:
        raise IdempotencyKeyReused(field="idempotencyKey") from error


async def update_category(services: Services, viewer: Viewer, command: service.UpdateCategory) -> None:
    """Errors: those of the use case."""
    async with noted_write(services, "transaction", viewer) as (session, trail):
        changed = await service.update_category(session, command)
        about, told = command.category_id, said_of(command, "category_id")
        await trail.note(session, Action.CATEGORY_UPDATED, resource_type=CATEGORY, resource_id=about, metadata=told)
    if changed.moves_sums:
        await refold_held(services, viewer, changed.refold)


async def delete_category(services: Services, viewer: Viewer, command: service.DeleteCategory) -> None:
    """Refused while a budget is for the category. One that is made for it in the very same moment stays, and counts nothing until it gets
    another category: budgets may be on another server, and nothing spans the two.

    Errors: those of the use case.
    """
    kept_by = await _budget_for(services, viewer, command.category_id)
    async with noted_write(services, "transaction", viewer) as (session, trail):
        changed = await service.delete_category(session, command, kept_by)
        about, told = command.category_id, said(command, "category_id")
        await trail.note(session, Action.CATEGORY_DELETED, resource_type=CATEGORY, resource_id=about, metadata=told)
    await refold_held(services, viewer, changed.refold)


async def _budget_for(services: Services, viewer: Viewer, category_id: str) -> str | None:
    """The name of the oldest of the viewer's budgets that is for this very category."""
    async with services.db.read("budget", viewer) as read:
        rows = await read.rows(budgets.budgets_by_user(("name", "category")), keys=[viewer.user_id])
    return next((row.name or "" for row in rows if row.category == category_id), None)
