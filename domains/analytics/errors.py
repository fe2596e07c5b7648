"""Expected failures of the analytics domain. Their codes are permanent."""

from domains.core.errors import AppError


class InsightNotFound(AppError):
    code = "INSIGHT_NOT_FOUND"
    default_message = "There is no such insight."
