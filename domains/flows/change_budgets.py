"""Changing budgets, with what that needs of other domains: the category must exist, and the figures follow at once."""

from typing import Any
from uuid import UUID

from db.engines import Viewer
from db.errors import KeyReused
from db.transaction.queries import reads as transactions
from domains.budget.errors import CategoryNotBudgetable
from domains.budget.service import change_budgets as service
from domains.core.audit import Action
from domains.core.changes import UNSET
from domains.core.errors import IdempotencyKeyReused
from domains.flows.audit_trail import open_trail
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services

BUDGETABLE = "expense"
#: What entries of the audit trail are about, as the API calls it.
BUDGET = "Budget"


async def create_budget(services: Services, viewer: Viewer, command: service.CreateBudget, idempotency_key: str, asked: Any = None) -> UUID:
    """A new budget with its figures. `asked`, see the use case. Errors: CategoryNotBudgetable and those of the use case."""
    refusal = None if await _is_budgetable(services, viewer, command.category) else CategoryNotBudgetable(field="category")
    trail = await open_trail(services, viewer)
    try:
        async with services.db.write("budget", viewer) as session:
            changed = await service.create_budget(session, command, idempotency_key, asked, refusal)
            if changed.new:
                await trail.note(session, Action.BUDGET_CREATED, resource_type=BUDGET, resource_id=changed.budget_id, new=changed.new)
    except KeyReused as error:
        raise IdempotencyKeyReused(field="idempotencyKey") from error
    await refold_held(services, viewer, changed.refold)
    return changed.budget_id


async def update_budget(services: Services, viewer: Viewer, command: service.UpdateBudget) -> UUID:
    """Errors: CategoryNotBudgetable and those of the use case."""
    if command.category is not UNSET and not await _is_budgetable(services, viewer, command.category):
        raise CategoryNotBudgetable(field="category")
    trail = await open_trail(services, viewer)
    async with services.db.write("budget", viewer) as session:
        changed = await service.update_budget(session, command)
        if changed.new:
            await trail.note(
                session, Action.BUDGET_UPDATED, resource_type=BUDGET, resource_id=changed.budget_id, old=changed.old, new=changed.new
            )
    if changed.refold is not None:
        await refold_held(services, viewer, changed.refold)
    return changed.budget_id


async def delete_budget(services: Services, viewer: Viewer, budget_id: UUID) -> None:
    """Errors: BudgetNotFound."""
    trail = await open_trail(services, viewer)
    async with services.db.write("budget", viewer) as session:
        old = await service.delete_budget(session, budget_id)
        await trail.note(session, Action.BUDGET_DELETED, resource_type=BUDGET, resource_id=budget_id, old=old)


async def _is_budgetable(services: Services, viewer: Viewer, category: str) -> bool:
    async with services.db.read("transaction", viewer) as read:
        kind = await read.value(transactions.category_type(), category=category)
    return bool(kind == BUDGETABLE)
