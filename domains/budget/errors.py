"""Expected failures of the budget domain. Their codes are permanent."""

from domains.core.errors import AppError


class BudgetNotFound(AppError):
    code = "BUDGET_NOT_FOUND"
    default_message = "There is no such budget."


class BudgetLimitReached(AppError):
    code = "BUDGET_LIMIT_REACHED"
    default_message = "This account has as many budgets as it can have. Delete one first."


class CategoryNotBudgetable(AppError):
    code = "CATEGORY_NOT_BUDGETABLE"
    default_message = "A budget is for a category of expenses."


class NameInvalid(AppError):
    code = "NAME_INVALID"
    default_message = "A name has 1 to 255 characters, none of them a control character."


class AmountInvalid(AppError):
    code = "AMOUNT_INVALID"
    default_message = "An amount is not negative, below 10^15, and has no more digits after the point than its currency."


class PeriodInvalid(AppError):
    code = "PERIOD_INVALID"
    default_message = "A budget starts between 1970 and 2200 and does not end before it starts."


class LooksInvalid(AppError):
    code = "LOOKS_INVALID"
    default_message = "A colour is written #rrggbb in lower case; an icon has at most 50 characters, notes at most 2,000."


class GoalNotFound(AppError):
    code = "GOAL_NOT_FOUND"
    default_message = "There is no such goal."


class ContributionNotFound(AppError):
    code = "CONTRIBUTION_NOT_FOUND"
    default_message = "There is no such contribution."


class ContributionDateInvalid(AppError):
    code = "CONTRIBUTION_DATE_INVALID"
    default_message = "A contribution is of a day from 1970 to today."


class ContributionLimitReached(AppError):
    code = "CONTRIBUTION_LIMIT_REACHED"
    default_message = "This goal has as many contributions as it can have."


class GoalOverdrawn(AppError):
    code = "GOAL_OVERDRAWN"
    default_message = "No more can be taken out of a goal than is saved for it."


class GoalLimitReached(AppError):
    code = "GOAL_LIMIT_REACHED"
    default_message = "This account has as many goals as it can have. Delete one first."


class GoalDatesInvalid(AppError):
    code = "GOAL_DATES_INVALID"
    default_message = "A goal begins between 1970 and today, and its date is after it began and before 2200."


class GoalStatusInvalid(AppError):
    code = "GOAL_STATUS_INVALID"
    default_message = "A goal is achieved by what is saved for it. Say ACTIVE, PAUSED or ABANDONED."
