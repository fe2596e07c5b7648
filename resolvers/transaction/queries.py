"""Lists of transactions, and the tree of categories."""

from resolvers.fields import EVERYBODY_KEY, extends, links, page
from resolvers.transaction.inputs import SORTS, TransactionFilter


@extends("Query")
class TransactionQueries:
    categories = links(
        "Category", key=EVERYBODY_KEY, loader="transaction.categories", size=120, description="Every category, in the order to show."
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
