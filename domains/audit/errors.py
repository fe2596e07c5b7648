"""Expected failures of the audit domain. Codes are permanent."""

from domains.core.errors import AppError


class DataExportAlreadyRequested(AppError):
    code = "DATA_EXPORT_ALREADY_REQUESTED"
    default_message = "You have asked for your data already, and that request is open. Wait for it or cancel it."


class DataExportLimitReached(AppError):
    code = "DATA_EXPORT_LIMIT_REACHED"
    default_message = "You have asked for your data three times within a day. Ask again tomorrow."


class DataExportRequestNotFound(AppError):
    code = "DATA_EXPORT_REQUEST_NOT_FOUND"
    default_message = "There is no such request."


class DeletionAlreadyRequested(AppError):
    code = "DELETION_ALREADY_REQUESTED"
    default_message = "You have asked for your deletion already, and that request is open. Wait for it or cancel it."


class DeletionRequestNotFound(AppError):
    code = "DELETION_REQUEST_NOT_FOUND"
    default_message = "There is no such request."


class RequestNotPending(AppError):
    code = "REQUEST_NOT_PENDING"
    default_message = "Only a request that nobody has begun to answer can be cancelled."


class ReasonTooLong(AppError):
    code = "REASON_TOO_LONG"
    default_message = "A reason has at most 2,000 characters."


class MonthHeld(AppError):
    code = "AUDIT_MONTH_HELD"
    default_message = "A legal hold keeps this month of the audit trail."
