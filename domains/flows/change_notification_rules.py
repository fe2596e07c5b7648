"""Changing rules of notification, with what that needs of other domains: the categories and budgets that they name are there."""

from uuid import UUID

from db.budget.queries import budgets_by_id
from db.engines import Viewer
from db.errors import KeyReused
from db.transaction.queries.categories import categories_by_id
from domains.budget.errors import BudgetNotFound
from domains.core.audit import Action
from domains.core.changes import UNSET
from domains.core.errors import AppError, IdempotencyKeyReused
from domains.flows.audit_trail import noted_write, said, said_of
from domains.flows.services import Services
from domains.notification.rules import LISTED_MAX, Conditions, as_json
from domains.notification.service import change_rules as service
from domains.transaction.errors import CategoryNotFound

#: What entries of the audit trail are about, as the API calls it.
RULE = "NotificationRule"


async def create_rule(services: Services, viewer: Viewer, command: service.CreateRule, idempotency_key: str) -> UUID:
    """A new rule. Errors: CategoryNotFound, BudgetNotFound and those of the use case."""
    refusal = await _refusal(services, viewer, command.conditions)
    try:
        async with noted_write(services, "notification", viewer) as (session, trail):
            rule_id = await service.create_rule(session, command, idempotency_key, refusal)
            new = {**said(command, "conditions"), "conditions": as_json(command.conditions)}
            await trail.note(session, Action.NOTIFICATION_RULE_CREATED, resource_type=RULE, resource_id=rule_id, new=new)
            return rule_id
    except KeyReused as error:
        raise IdempotencyKeyReused(field="idempotencyKey") from error


async def update_rule(services: Services, viewer: Viewer, command: service.UpdateRule) -> None:
    """Errors: CategoryNotFound, BudgetNotFound and those of the use case."""
    if command.conditions is not UNSET:
        refusal = await _refusal(services, viewer, command.conditions)
        if refusal is not None:
            raise refusal
    async with noted_write(services, "notification", viewer) as (session, trail):
        await service.update_rule(session, command)
        about = command.rule_id
        told = said_of(command, "rule_id")
        await trail.note(session, Action.NOTIFICATION_RULE_UPDATED, resource_type=RULE, resource_id=about, metadata=told)


async def delete_rule(services: Services, viewer: Viewer, rule_id: UUID) -> None:
    """Errors: those of the use case."""
    async with noted_write(services, "notification", viewer) as (session, trail):
        await service.delete_rule(session, rule_id)
        await trail.note(session, Action.NOTIFICATION_RULE_DELETED, resource_type=RULE, resource_id=rule_id)


async def _refusal(services: Services, viewer: Viewer, conditions: Conditions) -> AppError | None:
    """What is wrong with what the conditions name. Lists that are too long are for the use case to refuse."""
    if 0 < len(conditions.categories) <= LISTED_MAX:
        async with services.db.read("transaction", viewer) as read:
            categories = {row.key for row in await read.rows(categories_by_id(()), keys=list(conditions.categories))}
        if not categories.issuperset(conditions.categories):
            return CategoryNotFound(field="conditions.categoryIds")
    if 0 < len(conditions.budgets) <= LISTED_MAX:
        async with services.db.read("budget", viewer) as read:
            budgets = {row.key for row in await read.rows(budgets_by_id(()), keys=list(conditions.budgets))}
        if not budgets.issuperset(str(budget) for budget in conditions.budgets):
            return BudgetNotFound(field="conditions.budgetIds")
    return None
