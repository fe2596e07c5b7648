"""Expected failures of the transaction domain. Their codes are permanent."""

from typing import Annotated

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


class MerchantNameInvalid(AppError):
    code = "MERCHANT_NAME_INVALID"
    default_message = "A merchant's name has 1 to 255 characters, none of them a control character."


class DescriptionInvalid(AppError):
    code = "DESCRIPTION_INVALID"
    default_message = "A description has 1 to 500 characters, none of them a control character."


class TransactionMonthClosed(AppError):
    """The month that it was in is closed: no transactions are kept of it, and its sums stay as they are."""

    code = "TRANSACTION_MONTH_CLOSED"
    default_message = "Its month is closed: transactions of it are not kept any more."


class ReviewNotFound(AppError):
    """No review of this viewer has the id, or what it was about is no more in doubt."""

    code = "REVIEW_NOT_FOUND"
    default_message = "There is no such review."


class ReviewDecided(AppError):
    """It was decided the other way, and what that did cannot be taken back by deciding again."""

    code = "REVIEW_DECIDED"
    default_message = "This was decided before, and cannot be decided the other way any more."


class CategoryNameInvalid(AppError):
    code = "CATEGORY_NAME_INVALID"
    default_message = "A category's name has 1 to 100 characters, none of them a control character."


class CategoryNameTaken(AppError):
    """A category beside it, yours or a default one, is called so; letter case makes no other name."""

    code = "CATEGORY_NAME_TAKEN"
    default_message = "There is a category of this name beside it."


class CategoryLooksInvalid(AppError):
    code = "CATEGORY_LOOKS_INVALID"
    default_message = "A colour is written #rrggbb in lower case; an icon has 1 to 50 characters; a place is from 0 to 1,000,000."


class CategoryParentInvalid(AppError):
    """The tree has two levels: a parent is there, at the top, and not the category itself; one with children stays at the top."""

    code = "CATEGORY_PARENT_INVALID"
    default_message = "This category cannot be the parent: the tree of categories has two levels."


class CategoryTypeInvalid(AppError):
    """A type is missing at the top, or is not the one of the category that it goes to."""

    code = "CATEGORY_TYPE_INVALID"
    default_message = "A category at the top needs a type; any other has the type of its parent, and its money stays of that type."


class CategoryLimitReached(AppError):
    code = "CATEGORY_LIMIT_REACHED"
    default_message = "This account has as many categories of its own as it can have. Delete one first."


class CategoryNotOwn(AppError):
    code = "CATEGORY_NOT_OWN"
    default_message = "This is one of the categories that everybody has: it keeps its place and cannot be deleted. It can be hidden."


class CategoryHasChildren(AppError):
    code = "CATEGORY_HAS_CHILDREN"
    default_message = "Other categories are under this one. Move or delete them first."


class CategoryHasBudget(AppError):
    """A budget is for this category."""

    code = "CATEGORY_HAS_BUDGET"
    default_message = "A budget is for this category. Give it another one, or delete it, first."

    budget_name: Annotated[str, "The budget that is for it; the oldest of several."]

    def __init__(self, budget_name: str) -> None:
        super().__init__(field="id")
        self.budget_name = budget_name


class PairImpossible(AppError):
    """Two transactions cannot be one movement, whoever says so."""

    code = "PAIR_IMPOSSIBLE"
    default_message = "These two transactions cannot be one movement."


class TransactionPaired(AppError):
    """One of them is in another transfer."""

    code = "TRANSACTION_PAIRED"
    default_message = "This transaction is in another transfer. Take that one apart first."
