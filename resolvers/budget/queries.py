"""What budget adds to people."""

from resolvers.fields import extends, links


@extends("User")
class UserBudgets:
    budgets = links("Budget", loader="budget.by_user", size=20, description="Every budget, the oldest first; deleted ones are gone.")
    goals = links("SavingsGoal", loader="budget.goals_by_user", size=10, description="Every goal, by priority.")
