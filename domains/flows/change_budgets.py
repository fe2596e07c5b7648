"""Changing budgets, with what that needs of other domains: the category must exist, and the figures follow at once."""

from typing import Any
from uuid import UUID

from db.engines import Viewer
from db.errors import KeyReused
from db.transaction.queries import reads as transactions
from domains.budget.errors import CategoryNotBudgetable
from domains.budget.service import change_budgets as service
from domains.core.changes import UNSET
from domains.core.errors import IdempotencyKeyReused
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services

BUDGETABLE = "expense"


async def create_budget(services: Services, viewer: Viewer, command: service.CreateBudget, idempotency_key: str, asked: Any = None) -> UUID:
    """A new budget with its figures. `asked`, see the use case. Errors: CategoryNotBudgetable and those of the use case."""
    await _check_category(services, viewer, command.category)
    try:
        async with services.db.write("budget", viewer) as session:
            changed = await service.create_budget(session, command, idempotency_key, asked)
    except KeyReused as error:
        raise IdempotencyKeyReused(field="idempotencyKey") from error
    await refold_held(services, viewer, changed.refold)
    return changed.budget_id


async def update_budget(services: Services, viewer: Viewer, command: service.UpdateBudget) -> UUID:
    """Errors: CategoryNotBudgetable and those of the use case."""
    if command.category is not UNSET:
        await _check_category(services, viewer, command.category)
    async with services.db.write("budget", viewer) as session:
        changed = await service.update_budget(session, command)
    if changed.refold is not None:
        await refold_held(services, viewer, changed.refold)
    return changed.budget_id


async def _check_category(services: Services, viewer: Viewer, category: str) -> None:
    async with services.db.read("transaction", viewer) as read:
        kind = await read.value(transactions.category_type(), category=category)
    if kind != BUDGETABLE:
        raise CategoryNotBudgetable(field="category")
