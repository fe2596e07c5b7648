"""Lists of transactions, of what recurs among them and what they come to, and the tree of categories."""

from resolvers.fields import EVERYBODY_KEY, extends, links, page
from resolvers.transaction.inputs import (
    CATEGORY_SORTS,
    DELETED_SORTS,
    PATTERN_SORTS,
    REVIEW_SORTS,
    SORTS,
    SUMMARY_SORTS,
    CategoryFilter,
    MonthlySummaryFilter,
    RecurringPatternFilter,
    TransactionFilter,
    TransactionReviewFilter,
)


@extends("Query")
class TransactionQueries:
    categories = links(
        "Category",
        key=EVERYBODY_KEY,
        loader="transaction.categories",
        size=120,
        description="The categories that everybody has, as nobody has changed them, in the order to show. Yours are in `me.categories`.",
    )


@extends("User")
class UserTransactions:
    transactions = page(
        "Transaction",
        loader="transaction.page_by_user",
        count="transaction.count_by_user",
        filter=TransactionFilter,
        sorts=SORTS,
        description="Transactions on all accounts, the newest first unless `sort` says otherwise.",
    )
    deleted_transactions = page(
        "DeletedTransaction",
        loader="transaction.deleted_by_user",
        count="transaction.deleted_count_by_user",
        sorts=DELETED_SORTS,
        description="Transactions that they deleted and can still have back, what was deleted last first.",
    )
    reviews = page(
        "TransactionReview",
        loader="transaction.reviews_by_user",
        count="transaction.review_count_by_user",
        filter=TransactionReviewFilter,
        sorts=REVIEW_SORTS,
        description="What is in doubt and waits for their word, the newest first; with `filter` what was decided.",
    )
    categories = page(
        "Category",
        loader="transaction.categories_by_user",
        count="transaction.category_count_by_user",
        filter=CategoryFilter,
        sorts=CATEGORY_SORTS,
        description="Every category as you have it, your own ones too; hidden ones only when asked for.",
    )
    recurring_patterns = page(
        "RecurringPattern",
        loader="transaction.patterns_by_user",
        count="transaction.pattern_count_by_user",
        filter=RecurringPatternFilter,
        sorts=PATTERN_SORTS,
        description="What recurs, the next one expected first unless `sort` says otherwise.",
    )
    monthly_summaries = page(
        "MonthlySummary",
        loader="transaction.summaries_by_user",
        count="transaction.summary_count_by_user",
        filter=MonthlySummaryFilter,
        sorts=SUMMARY_SORTS,
        description="What each month came to, by category, direction and currency; the newest month first unless `sort` says otherwise.",
    )


@extends("BankAccount")
class AccountTransactions:
    transactions = page(
        "Transaction",
        loader="transaction.page_by_account",
        count="transaction.count_by_account",
        filter=TransactionFilter,
        sorts=SORTS,
        description="Transactions on this account, the newest first unless `sort` says otherwise.",
    )
