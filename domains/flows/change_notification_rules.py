"""Changing rules of notification, with what that needs of other domains: the categories and budgets that they name are there."""

from uuid import UUID

from db.budget.queries import budgets_by_id
from db.engines import Viewer
from db.errors import KeyReused
from db.transaction.queries.categories import categories_by_id
from domains.budget.errors import BudgetNotFound
from domains.core.changes import UNSET
from domains.core.errors import IdempotencyKeyReused
from domains.flows.services import Services
from domains.notification.rules import LISTED_MAX, Conditions
from domains.notification.service import change_rules as service
from domains.transaction.errors import CategoryNotFound


async def create_rule(services: Services, viewer: Viewer, command: service.CreateRule, idempotency_key: str) -> UUID:
    """A new rule. Errors: CategoryNotFound, BudgetNotFound and those of the use case."""
    await _check_named(services, viewer, command.conditions)
    try:
        async with services.db.write("notification", viewer) as session:
            return await service.create_rule(session, command, idempotency_key)
    except KeyReused as error:
        raise IdempotencyKeyReused(field="idempotencyKey") from error


async def update_rule(services: Services, viewer: Viewer, command: service.UpdateRule) -> None:
    """Errors: CategoryNotFound, BudgetNotFound and those of the use case."""
    if command.conditions is not UNSET:
        await _check_named(services, viewer, command.conditions)
    async with services.db.write("notification", viewer) as session:
        await service.update_rule(session, command)


async def _check_named(services: Services, viewer: Viewer, conditions: Conditions) -> None:
    """Lists that are too long are for the use case to refuse."""
    if 0 < len(conditions.categories) <= LISTED_MAX:
        async with services.db.read("transaction", viewer) as read:
            categories = {row.key for row in await read.rows(categories_by_id(()), keys=list(conditions.categories))}
        if not categories.issuperset(conditions.categories):
            raise CategoryNotFound(field="conditions.categoryIds")
    if 0 < len(conditions.budgets) <= LISTED_MAX:
        async with services.db.read("budget", viewer) as read:
            budgets = {row.key for row in await read.rows(budgets_by_id(()), keys=list(conditions.budgets))}
        if not budgets.issuperset(str(budget) for budget in conditions.budgets):
            raise BudgetNotFound(field="conditions.budgetIds")
