"""Changing budgets."""

from uuid import UUID

import strawberry

from domains.budget import errors
from domains.budget.service.change_budgets import delete_budget
from domains.core.clock import local_date
from domains.core.idempotency import check_idempotency_key
from domains.flows import change_budgets as flow
from resolvers.budget.inputs import BudgetCreateInput, BudgetDeleteInput, BudgetUpdateInput, as_given, read_change, read_creation
from resolvers.fields import Hidden, Info, Input, Payload, expose, extends, given_id, link, mutation, payload, to_global_id

expose(errors)


@payload
class BudgetCreatePayload(Payload):
    """The new budget with its figures, or why there is none."""

    budget_id: Hidden[UUID | None] = None
    budget = link("Budget", key="budget_id", description="The budget; null when it was refused.")


@payload
class BudgetUpdatePayload(Payload):
    """The budget as it is now, or why it stays as it was."""

    budget_id: Hidden[UUID | None] = None
    budget = link("Budget", key="budget_id", description="The budget; null when nothing was changed for an error.")


@payload
class BudgetDeletePayload(Payload):
    """What is gone, or why nothing is."""

    deleted_budget_id: strawberry.ID | None = strawberry.field(default=None, description="The id of the budget that is gone.")


@extends("Mutation")
class BudgetMutations:
    @mutation
    async def budget_create(self, info: Info, input: Input[BudgetCreateInput]) -> BudgetCreatePayload:
        """Make a budget. Its figures count what is there already.

        Errors: NameInvalid, AmountInvalid, PeriodInvalid, LooksInvalid, CategoryNotBudgetable, BudgetLimitReached,
        IdempotencyKeyInvalid, IdempotencyKeyReused.
        """
        services, viewer = info.context.services, info.context.required_viewer
        key = check_idempotency_key(input.idempotency_key)
        command = read_creation(input, viewer, local_date(services.clock.now(), viewer.timezone))
        budget_id = await flow.create_budget(services, viewer, command, key, asked=as_given(input))
        return BudgetCreatePayload(budget_id=budget_id)

    @mutation
    async def budget_update(self, info: Info, input: Input[BudgetUpdateInput]) -> BudgetUpdatePayload:
        """Change a budget. Its figures follow before this answers.

        Errors: BudgetNotFound, NameInvalid, AmountInvalid, PeriodInvalid, LooksInvalid, CategoryNotBudgetable.
        """
        budget_id = await flow.update_budget(info.context.services, info.context.required_viewer, read_change(input))
        return BudgetUpdatePayload(budget_id=budget_id)

    @mutation
    async def budget_delete(self, info: Info, input: Input[BudgetDeleteInput]) -> BudgetDeletePayload:
        """Delete a budget. No transaction is touched. Errors: BudgetNotFound, also for one that is deleted already."""
        budget_id = given_id(input.id, "Budget")
        async with info.context.services.db.write("budget", info.context.required_viewer) as session:
            await delete_budget(session, budget_id)
        return BudgetDeletePayload(deleted_budget_id=strawberry.ID(to_global_id("Budget", budget_id)))
