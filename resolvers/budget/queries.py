"""What budget adds to people."""

from resolvers.budget.inputs import BudgetFilter, SavingsGoalFilter
from resolvers.budget.lists import CONTRIBUTION_SORTS, HISTORY_SORTS, BudgetHistoryFilter, GoalContributionFilter
from resolvers.fields import extends, links, page


@extends("User")
class UserBudgets:
    budgets = links(
        "Budget",
        loader="budget.by_user",
        size=20,
        filter=BudgetFilter,
        description="Every budget, the oldest first; deleted ones are gone.",
    )
    goals = links("SavingsGoal", loader="budget.goals_by_user", size=10, filter=SavingsGoalFilter, description="Every goal, by priority.")
    budget_history = page(
        "BudgetHistory",
        loader="budget.history_by_user",
        count="budget.history_count_by_user",
        filter=BudgetHistoryFilter,
        sorts=HISTORY_SORTS,
        description="Closed periods of all budgets, the latest first unless `sort` says otherwise.",
    )
    goal_contributions = page(
        "GoalContribution",
        loader="budget.contributions_by_user",
        count="budget.contribution_count_by_user",
        filter=GoalContributionFilter,
        sorts=CONTRIBUTION_SORTS,
        description="Contributions to all goals, the latest first unless `sort` says otherwise.",
    )
