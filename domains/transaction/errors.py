"""Expected failures of the transaction domain. Their codes are permanent."""

from domains.core.errors import AppError


class TransactionNotFound(AppError):
    """No transaction of this viewer has the id."""

    code = "TRANSACTION_NOT_FOUND"
    default_message = "There is no such transaction."


class CategoryNotFound(AppError):
    code = "CATEGORY_NOT_FOUND"
    default_message = "There is no such category."


class TagInvalid(AppError):
    """A tag is empty, too long or not text, or there are too many of them."""

    code = "TAG_INVALID"
    default_message = "A transaction may have 20 tags of 1 to 50 characters each."


class NotesTooLong(AppError):
    code = "NOTES_TOO_LONG"
    default_message = "Notes may have 2,000 characters at most."
