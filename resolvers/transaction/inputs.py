"""What lists of transactions are narrowed to and ordered by, and what a user says of one."""

import enum
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import strawberry

from db.transaction.queries import categories, deleted, reads, reviews, series
from domains.transaction.service.change_categories import CreateCategory, DeleteCategory, UpdateCategory
from domains.transaction.service.update_transaction import UpdateTransaction
from resolvers.errors import BadUserInput
from resolvers.fields import CurrencyCode, Sort, choice, from_global_id, given_id, text_from_global_id

IDS_AT_MOST = 100
TAGS_AT_MOST = 20
TEXT_AT_MOST = 200
MERCHANT_AT_MOST = 255
#: Of what may be long in a filter of transactions: entries of a list, characters of a text.
FILTER_BOUNDS = {
    "account_ids": IDS_AT_MOST,
    "category_ids": IDS_AT_MOST,
    "tags": TAGS_AT_MOST,
    "text": TEXT_AT_MOST,
    "merchant": MERCHANT_AT_MOST,
}


@strawberry.enum(description="Which way money went. Amounts are never negative.")
class TransactionDirection(enum.Enum):
    DEBIT = choice("debit", "Out of the account.")
    CREDIT = choice("credit", "Into the account.")


@strawberry.enum(description="Whether the bank has booked it.")
class TransactionStatus(enum.Enum):
    PENDING = choice("pending", "Announced, and may still change or vanish.")
    POSTED = choice("posted", "Booked.")
    CANCELLED = choice("cancelled", "Announced, and never booked. It counts nowhere.")


@strawberry.enum(description="The order of a list of transactions. Ties are broken by id, so that no page repeats or skips a row.")
class TransactionSort(enum.Enum):
    DATE_DESC = choice("date_desc", "By `transactionDate`, the newest first.")
    DATE_ASC = choice("date_asc", "By `transactionDate`, the oldest first.")
    AMOUNT_DESC = choice("amount_desc", "By the number in `amount`, the largest first, whatever its currency.")
    AMOUNT_ASC = choice("amount_asc", "By the number in `amount`, the smallest first, whatever its currency.")


@strawberry.enum(description="What money of a category does.")
class CategoryType(enum.Enum):
    EXPENSE = choice("expense", "It is spent. Budgets are for these.")
    INCOME = choice("income", "It is earned.")
    TRANSFER = choice("transfer", "It moves between accounts; no sum counts it.")


@strawberry.enum(description="The order of a list of categories.")
class CategorySort(enum.Enum):
    PLACE = choice("place", "By `sortOrder`: a category, then its children.")


@strawberry.enum(description="How often something recurs.")
class RecurringFrequency(enum.Enum):
    WEEKLY = choice("weekly", "Every week.")
    BIWEEKLY = choice("biweekly", "Every two weeks.")
    MONTHLY = choice("monthly", "Every month.")
    QUARTERLY = choice("quarterly", "Every three months.")
    YEARLY = choice("yearly", "Every year.")


@strawberry.enum(description="A field of a transaction, as `Transaction.fields` tells of it.")
class TransactionFieldName(enum.Enum):
    AMOUNT = choice("amount", "`amount` with its `direction`.")
    TRANSACTION_DATE = choice("transaction_date", "`transactionDate`.")
    STATUS = choice("status", "`status`.")
    DESCRIPTION = choice("description", "`description`.")
    MERCHANT_NAME = choice("merchant_name", "`merchantName`.")
    CATEGORY = choice("category", "`category`.")
    NOTES = choice("notes", "`notes`.")
    TAGS = choice("tags", "`tags`.")


@strawberry.enum(description="A field that the bank says and that can be locked against it.")
class TransactionLockableField(enum.Enum):
    DESCRIPTION = choice("description", "`description`.")
    MERCHANT_NAME = choice("merchant_name", "`merchantName`.")
    CATEGORY = choice("category", "The automatic category.")


@strawberry.enum(description="Who set a field.")
class TransactionFieldSource(enum.Enum):
    BANK = choice("bank", "The bank said it.")
    RULE = choice("rule", "A rule.")
    MODEL = choice("model", "What is known of the merchant in general.")
    USER = choice("user", "You.")


@strawberry.enum(description="What is in doubt.")
class TransactionReviewKind(enum.Enum):
    POSTING = choice("posting", "Whether what was booked is what was pending, with another amount.")
    REMOVAL = choice("removal", "Whether a transaction that you edited and the bank took back may go.")
    TRANSFER = choice("transfer", "Whether two transactions are one transfer between your accounts.")
    DUPLICATE = choice("duplicate", "Whether a transaction stands for one that is there already.")


@strawberry.enum(description="How far a review is.")
class TransactionReviewState(enum.Enum):
    SUGGESTED = choice("suggested", "It waits for you.")
    APPLIED = choice("applied", "It is so.")
    REJECTED = choice("rejected", "It is not so, and stays that way.")


@strawberry.enum(description="Who decided.")
class TransactionReviewDecider(enum.Enum):
    AUTO = choice("auto", "Nothing else could be meant, so nobody was asked.")
    USER = choice("user", "You.")


@strawberry.enum(description="What speaks against a pair. Each takes something off its score.")
class TransactionReviewReason(enum.Enum):
    DAYS_APART = choice("days_apart", "They are not of the same day.")
    SEVERAL = choice("several", "One of them has another candidate.")
    KNOWN_OTHERWISE = choice("known_otherwise", "The category of one is surely spending or income, or your own choice.")
    TURNED_DOWN = choice("turned_down", "You turned down another pair of one of them.")
    CONVERTED = choice("converted", "They are in two currencies.")
    UNLIKE_TEXT = choice("unlike_text", "Their texts have little in common.")


@strawberry.enum(description="The order of a list of reviews.")
class TransactionReviewSort(enum.Enum):
    CREATED_DESC = choice("created_desc", "By `createdAt`, the newest first.")


@strawberry.enum(description="The order of a list of deleted transactions.")
class DeletedTransactionSort(enum.Enum):
    DELETED_DESC = choice("deleted_desc", "By `deletedAt`, what was deleted last first.")


@strawberry.enum(description="The order of a list of recurring patterns.")
class RecurringPatternSort(enum.Enum):
    NEXT_EXPECTED_ASC = choice("next_expected_asc", "By `nextExpectedDate`, the soonest first.")
    NEXT_EXPECTED_DESC = choice("next_expected_desc", "By `nextExpectedDate`, the latest first.")


@strawberry.enum(description="The order of a list of months' sums.")
class MonthlySummarySort(enum.Enum):
    MONTH_DESC = choice("month_desc", "By `month`, the newest first.")
    MONTH_ASC = choice("month_asc", "By `month`, the oldest first.")


SORTS: dict[enum.Enum, Sort] = {TransactionSort(name): Sort(columns, descending) for name, (columns, descending) in reads.SORTS.items()}

CATEGORY_SORTS: dict[enum.Enum, Sort] = {CategorySort.PLACE: Sort(categories.SORT)}
PATTERN_SORTS: dict[enum.Enum, Sort] = {
    RecurringPatternSort(name): Sort(columns, descending) for name, (columns, descending) in series.PATTERN_SORTS.items()
}
SUMMARY_SORTS: dict[enum.Enum, Sort] = {
    MonthlySummarySort(name): Sort(columns, descending) for name, (columns, descending) in series.SUMMARY_SORTS.items()
}
REVIEW_SORTS: dict[enum.Enum, Sort] = {TransactionReviewSort.CREATED_DESC: Sort(reviews.SORT, descending=True)}
DELETED_SORTS: dict[enum.Enum, Sort] = {DeletedTransactionSort.DELETED_DESC: Sort(deleted.SORT, descending=True)}


def _optional(description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description)


@strawberry.input(description="Narrows a list of transactions. All that is given must hold; an empty list of ids matches nothing.")
class TransactionFilter:
    account_ids: list[strawberry.ID] | None = _optional("On any of these accounts, at most 100.")
    category_ids: list[strawberry.ID] | None = _optional("In any of these categories or a child of one, at most 100.")
    since: date | None = _optional("On this day or after, by `transactionDate`.")
    until: date | None = _optional("Before this day; the day itself is out. A month is from its first day until the next month's first.")
    amount_min: Decimal | None = _optional("Of at least this number, whatever the currency.")
    amount_max: Decimal | None = _optional("Of at most this number, whatever the currency.")
    direction: TransactionDirection | None = _optional("Only out of, or only into accounts.")
    status: TransactionStatus | None = _optional("Only in this status.")
    text: str | None = _optional(
        'Words of the description or the merchant, whole and in any order; `"..."` for a phrase, `-word` for one that must not '
        "be there, `or`. At most 200 characters."
    )
    tags: list[str] | None = _optional("With every one of these tags, as they are written; at most 20.")
    merchant: str | None = _optional("With exactly this `merchantName`.")
    is_pending: bool | None = _optional("Only pending ones, or only others.")
    is_recurring: bool | None = _optional("Only those of a recurring pattern, or only others.")


@strawberry.input(description="Which two transactions are one transfer.")
class TransactionPairTransferInput:
    debit_id: strawberry.ID = strawberry.field(description="What left one account.")
    credit_id: strawberry.ID = strawberry.field(description="What arrived on another; its amount may differ, as by a fee.")


@strawberry.input(description="Which transaction stands for another one that is there already.")
class TransactionMarkDuplicateInput:
    id: strawberry.ID = strawberry.field(description="The one that is too many.")
    of_id: strawberry.ID = strawberry.field(description="The one that stays.")


@strawberry.input(description="What to change of a transaction. What is left out stays as it is.")
class TransactionUpdateInput:
    id: strawberry.ID = strawberry.field(description="The transaction.")
    category: strawberry.ID | None = _optional("Its category from now on, whatever the bank says; null gives it back to automatic ones.")
    notes: str | None = _optional("At most 2,000 characters; null or empty for none.")
    tags: list[str] | None = _optional("All its tags, at most 20 of 1 to 50 characters, each once; null or empty for none.")
    merchant_name: str | None = _optional("Who is at the other end, 1 to 255 characters; null gives it back to the bank.")
    description: str | None = _optional("What it was, 1 to 500 characters; null gives it back to the bank.")
    lock: list[TransactionLockableField] | None = _optional("Fields that are to stay what they are, whatever the bank says.")
    unlock: list[TransactionLockableField] | None = _optional(
        "Fields that the bank says again; what you set in them is given back, before the rest of this is done."
    )


@strawberry.input(description="Which transaction to delete.")
class TransactionDeleteInput:
    id: strawberry.ID = strawberry.field(description="The transaction.")


@strawberry.input(description="Which transaction to have back.")
class TransactionRestoreInput:
    id: strawberry.ID = strawberry.field(description="The transaction, by the id it had, or what the bin has of it.")


@strawberry.input(description="What you say of something in doubt.")
class TransactionReviewDecideInput:
    id: strawberry.ID = strawberry.field(description="The review.")
    accept: bool = strawberry.field(description="Whether it is as it was suggested.")


@strawberry.input(description="Narrows a list of reviews. All that is given must hold.")
class TransactionReviewFilter:
    kind: TransactionReviewKind | None = _optional("Only of this kind.")
    state: TransactionReviewState | None = _optional("Only in this state. By default those that wait for you.")


@strawberry.input(description="Narrows a list of categories. All that is given must hold.")
class CategoryFilter:
    include_hidden: bool | None = _optional("Whether hidden ones are in it too. By default they are not.")
    is_own: bool | None = _optional("Only your own, or only those that everybody has.")
    type: CategoryType | None = _optional("Only of this type.")


@strawberry.input(description="Narrows a list of recurring patterns. All that is given must hold.")
class RecurringPatternFilter:
    frequency: RecurringFrequency | None = _optional("Only what recurs this often.")
    active: bool | None = _optional("Only those whose next one is expected today or later, or only those that are overdue.")


@strawberry.input(description="Narrows a list of months' sums. All that is given must hold; an empty list of ids matches nothing.")
class MonthlySummaryFilter:
    since: date | None = _optional("Of months that begin on this day or after.")
    until: date | None = _optional("Of months that begin before this day; a month that begins on it is out.")
    category_ids: list[strawberry.ID] | None = _optional("Of any of these categories or a child of one, at most 100.")
    direction: TransactionDirection | None = _optional("Only of what left the accounts, or only of what came in.")
    currency: CurrencyCode | None = _optional("Only in this currency.")


@strawberry.input(description="A new category of your own.")
class CategoryCreateInput:
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters that you choose for this one. A retry with it and the same input answers the same for 48 hours."
    )
    display_name: str = strawberry.field(description="What to call it: 1 to 100 characters, unlike those of the categories beside it.")
    parent: strawberry.ID | None = _optional("A category at the top, yours or not, that it is a finer kind of. By default none.")
    type: CategoryType | None = _optional("What money of it does. Needed at the top; under a parent it is the parent's.")
    icon: str | None = _optional("The name of an icon, or an emoji: at most 50 characters.")
    color: str | None = _optional("`#rrggbb`, in lower case.")


@strawberry.input(description="What to change of a category. What is left out stays as it is; the type always does.")
class CategoryUpdateInput:
    id: strawberry.ID = strawberry.field(description="The category: one of your own, or one that everybody has, as it looks to you.")
    display_name: str | None = _optional("1 to 100 characters; null for the name that everybody has it by. Your own keep a name.")
    icon: str | None = _optional("At most 50 characters; null for the one that everybody sees, or none for your own.")
    color: str | None = _optional("`#rrggbb`, in lower case; null for the one that everybody sees, or none for your own.")
    is_hidden: bool | None = _optional("Whether to leave it out of lists to choose from; null for no. It says nothing of its children.")
    parent: strawberry.ID | None = _optional("Of your own: a category at the top of the same type; null for the top.")
    sort_order: int | None = _optional("Of your own: its place among all categories, 0 to 1,000,000; not null.")


@strawberry.input(description="Which of your own categories to delete.")
class CategoryDeleteInput:
    id: strawberry.ID = strawberry.field(description="The category.")
    move_to: strawberry.ID | None = _optional(
        "A category of the same type that its transactions go to. By default each goes back to its automatic category."
    )


def read_filter(given: TransactionFilter | None) -> reads.TransactionFilter:
    """What the statements take. Whatever is no id matches as little as an id that is not there. Errors: BadUserInput."""
    if given is None:
        return reads.TransactionFilter()
    said = _said(given)
    for name, most in FILTER_BOUNDS.items():
        _check(name, said[name], most)
    for name, kind in (("account_ids", "BankAccount"), ("category_ids", "Category")):
        said[name] = _keys(said[name], kind)
    for name in ("direction", "status"):
        said[name] = said[name] and said[name].value
    return reads.TransactionFilter(**said)


def read_category_filter(given: CategoryFilter | None) -> categories.CategoryFilter:
    """What the statements take."""
    if given is None:
        return categories.CategoryFilter()
    said = _said(given)
    return categories.CategoryFilter(said["include_hidden"], said["is_own"], said["type"] and said["type"].value)


def read_pattern_filter(given: RecurringPatternFilter | None) -> series.PatternFilter:
    """What the statements take."""
    if given is None:
        return series.PatternFilter()
    said = _said(given)
    return series.PatternFilter(said["frequency"] and said["frequency"].value, said["active"])


def read_summary_filter(given: MonthlySummaryFilter | None) -> series.SummaryFilter:
    """What the statements take. Whatever is no id matches as little as an id that is not there. Errors: BadUserInput."""
    if given is None:
        return series.SummaryFilter()
    said = _said(given)
    _check("category_ids", said["category_ids"], IDS_AT_MOST)
    said["category_ids"] = _keys(said["category_ids"], "Category")
    said["direction"] = said["direction"] and said["direction"].value
    return series.SummaryFilter(**said)


def read_review_filter(given: TransactionReviewFilter | None) -> reviews.ReviewFilter:
    """What the statements take."""
    if given is None:
        return reviews.ReviewFilter()
    said = _said(given)
    state = said["state"] or TransactionReviewState.SUGGESTED
    return reviews.ReviewFilter(state.value, said["kind"] and said["kind"].value)


def read_update(given: TransactionUpdateInput) -> UpdateTransaction:
    said: dict[str, Any] = {name: value for name, value in vars(given).items() if value is not strawberry.UNSET and name != "id"}
    if "category" in said:
        said["category"] = category_key(said["category"])
    if "tags" in said:
        said["tags"] = said["tags"] or ()
    for name in ("lock", "unlock"):
        if name in said:
            said[name] = tuple(dict.fromkeys(each.value for each in said[name] or ()))
    return UpdateTransaction(transaction_id=given_id(given.id, "Transaction"), **said)


def read_creation(given: CategoryCreateInput) -> CreateCategory:
    said = _said(given)
    return CreateCategory(
        display_name=given.display_name,
        parent=category_key(said["parent"]),
        type=said["type"] and said["type"].value,
        icon=said["icon"],
        color=said["color"],
    )


def read_change(given: CategoryUpdateInput) -> UpdateCategory:
    """Errors: BadUserInput for a null that cannot be meant."""
    said = {name: value for name, value in vars(given).items() if name != "id" and value is not strawberry.UNSET}
    if "sort_order" in said and said["sort_order"] is None:
        raise BadUserInput("`sortOrder` cannot be null. Leave it out to keep it.", argument="input")
    if "parent" in said:
        said["parent"] = category_key(said["parent"])
    if "is_hidden" in said:
        said["is_hidden"] = bool(said["is_hidden"])
    return UpdateCategory(category_id=category_key(given.id) or "", **said)


def read_deletion(given: CategoryDeleteInput) -> DeleteCategory:
    return DeleteCategory(category_key(given.id) or "", category_key(_said(given)["move_to"]))


def category_key(given: str | None) -> str | None:
    """The category's id, None for null; what is no id becomes that of no category."""
    return None if given is None else text_from_global_id(given, "Category") or ""


def _said(given: object) -> dict[str, Any]:
    """What was given by name, None for what was left out."""
    return {name: None if value is strawberry.UNSET else value for name, value in vars(given).items()}


def _check(name: str, value: str | Sequence[str] | None, most: int) -> None:
    if value is None:
        return
    if len(value) > most:
        what = "characters" if isinstance(value, str) else "entries"
        raise BadUserInput(f"`filter.{_graphql_name(name)}` may have {most} {what} at most.", argument="filter")
    if any("\0" in text for text in ([value] if isinstance(value, str) else value)):
        raise BadUserInput(f"`filter.{_graphql_name(name)}` has a character that text does not have.", argument="filter")


def _graphql_name(name: str) -> str:
    first, _, rest = name.partition("_")
    return first + rest.capitalize()


def _keys(given: Sequence[str] | None, kind: str) -> list[Any] | None:
    if given is None:
        return None
    read = text_from_global_id if kind == "Category" else from_global_id
    return [key for each in given if (key := read(each, kind)) is not None]
