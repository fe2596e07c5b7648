"""Changing budgets."""

from uuid import UUID

import strawberry

from db.errors import KeyReused
from domains.budget import errors
from domains.budget.service.change_goals import create_goal, delete_goal, update_goal
from domains.budget.service.contribute_to_goals import create_contribution, delete_contribution
from domains.core.audit import Action
from domains.core.clock import local_date
from domains.core.errors import IdempotencyKeyReused
from domains.core.idempotency import check_idempotency_key
from domains.flows import change_budgets as flow
from domains.flows.audit_trail import noted_write, said, said_of
from resolvers.budget.inputs import (
    BudgetCreateInput,
    BudgetDeleteInput,
    BudgetUpdateInput,
    GoalContributionCreateInput,
    GoalContributionDeleteInput,
    GoalCreateInput,
    GoalDeleteInput,
    GoalUpdateInput,
    as_given,
    read_change,
    read_contribution,
    read_creation,
    read_goal,
    read_goal_change,
)
from resolvers.fields import Hidden, Info, Input, Payload, expose, extends, given_id, link, mutation, payload, to_global_id

expose(errors)

#: What entries of the audit trail are about, as the API calls it.
GOAL, CONTRIBUTION = "SavingsGoal", "GoalContribution"


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


@payload
class GoalCreatePayload(Payload):
    """The new goal, or why there is none."""

    goal_id: Hidden[UUID | None] = None
    goal = link("SavingsGoal", key="goal_id", description="The goal; null when it was refused.")


@payload
class GoalUpdatePayload(Payload):
    """The goal as it is now, or why it stays as it was."""

    goal_id: Hidden[UUID | None] = None
    goal = link("SavingsGoal", key="goal_id", description="The goal; null when nothing was changed for an error.")


@payload
class GoalDeletePayload(Payload):
    """What is gone, or why nothing is."""

    deleted_goal_id: strawberry.ID | None = strawberry.field(default=None, description="The id of the goal that is gone.")


@payload
class GoalContributionCreatePayload(Payload):
    """The new contribution with its goal, or why there is none."""

    goal_contribution_id: Hidden[UUID | None] = None
    goal_contribution = link("GoalContribution", key="goal_contribution_id", description="The contribution; null when it was refused.")


@payload
class GoalContributionDeletePayload(Payload):
    """What is gone, or why nothing is."""

    goal_id: Hidden[UUID | None] = None
    deleted_goal_contribution_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the contribution that is gone."
    )
    goal = link("SavingsGoal", key="goal_id", description="The goal without it; null when nothing is gone.")


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
        await flow.delete_budget(info.context.services, info.context.required_viewer, budget_id)
        return BudgetDeletePayload(deleted_budget_id=strawberry.ID(to_global_id("Budget", budget_id)))

    @mutation
    async def goal_create(self, info: Info, input: Input[GoalCreateInput]) -> GoalCreatePayload:
        """Set a goal to save for.

        Errors: NameInvalid, AmountInvalid, GoalDatesInvalid, LooksInvalid, GoalLimitReached, IdempotencyKeyInvalid, IdempotencyKeyReused.
        """
        services, viewer = info.context.services, info.context.required_viewer
        key = check_idempotency_key(input.idempotency_key)
        now = services.clock.now()
        today = local_date(now, viewer.timezone)
        command = read_goal(input, viewer, today)
        try:
            async with noted_write(services, "budget", viewer) as (session, trail):
                goal_id = await create_goal(session, command, key, today, now, asked=as_given(input))
                await trail.note(session, Action.GOAL_CREATED, resource_type=GOAL, resource_id=goal_id, new=said(command))
        except KeyReused as error:
            raise IdempotencyKeyReused(field="idempotencyKey") from error
        return GoalCreatePayload(goal_id=goal_id)

    @mutation
    async def goal_update(self, info: Info, input: Input[GoalUpdateInput]) -> GoalUpdatePayload:
        """Change a goal. What is saved for it decides whether it is achieved.

        Errors: GoalNotFound, NameInvalid, AmountInvalid, GoalDatesInvalid, GoalStatusInvalid, LooksInvalid.
        """
        services, command = info.context.services, read_goal_change(input)
        async with noted_write(services, "budget", info.context.required_viewer) as (session, trail):
            goal_id = await update_goal(session, command, services.clock.now())
            told = said_of(command, "goal_id")
            await trail.note(session, Action.GOAL_UPDATED, resource_type=GOAL, resource_id=goal_id, metadata=told)
        return GoalUpdatePayload(goal_id=goal_id)

    @mutation
    async def goal_delete(self, info: Info, input: Input[GoalDeleteInput]) -> GoalDeletePayload:
        """Delete a goal, and with it what was put aside for it. Errors: GoalNotFound, also for one that is deleted already."""
        services, goal_id = info.context.services, given_id(input.id, "SavingsGoal")
        async with noted_write(services, "budget", info.context.required_viewer) as (session, trail):
            await delete_goal(session, goal_id, services.clock.now())
            await trail.note(session, Action.GOAL_DELETED, resource_type=GOAL, resource_id=goal_id)
        return GoalDeletePayload(deleted_goal_id=strawberry.ID(to_global_id("SavingsGoal", goal_id)))

    @mutation
    async def goal_contribution_create(self, info: Info, input: Input[GoalContributionCreateInput]) -> GoalContributionCreatePayload:
        """Put money aside for a goal, or take it out. The goal shows what that makes before this answers.

        Errors: GoalNotFound, AmountInvalid, ContributionDateInvalid, LooksInvalid, GoalOverdrawn, ContributionLimitReached,
        IdempotencyKeyInvalid, IdempotencyKeyReused.
        """
        services, viewer = info.context.services, info.context.required_viewer
        key = check_idempotency_key(input.idempotency_key)
        now = services.clock.now()
        today = local_date(now, viewer.timezone)
        command = read_contribution(input, today)
        try:
            async with noted_write(services, "budget", viewer) as (session, trail):
                contribution_id = await create_contribution(session, command, key, today, now, asked=as_given(input))
                action, new = Action.GOAL_CONTRIBUTION_CREATED, said(command)
                await trail.note(session, action, resource_type=CONTRIBUTION, resource_id=contribution_id, new=new)
        except KeyReused as error:
            raise IdempotencyKeyReused(field="idempotencyKey") from error
        return GoalContributionCreatePayload(goal_contribution_id=contribution_id)

    @mutation
    async def goal_contribution_delete(self, info: Info, input: Input[GoalContributionDeleteInput]) -> GoalContributionDeletePayload:
        """Undo a contribution: the goal is as if it had never been. Errors: ContributionNotFound, GoalOverdrawn."""
        services, contribution_id = info.context.services, given_id(input.id, "GoalContribution")
        async with noted_write(services, "budget", info.context.required_viewer) as (session, trail):
            goal_id = await delete_contribution(session, contribution_id, services.clock.now())
            action, told = Action.GOAL_CONTRIBUTION_DELETED, {"goal": goal_id}
            await trail.note(session, action, resource_type=CONTRIBUTION, resource_id=contribution_id, metadata=told)
        deleted = strawberry.ID(to_global_id("GoalContribution", contribution_id))
        return GoalContributionDeletePayload(goal_id=goal_id, deleted_goal_contribution_id=deleted)
