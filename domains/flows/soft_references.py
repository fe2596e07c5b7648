"""Every reference from one domain to another, or past what a foreign key can do: swept for orphans, or the reason why not.

Swept is what is made from something else and can be made again. What somebody's money is, and what shows what was done, never goes because
another database does not know of its owner: that database may have been restored from last week. It goes by erasure.
"""

from dataclasses import dataclass
from typing import Final

from db.user import models as _user
from domains.flows.retention_policies import TABLES_OF

MODELS_OF: Final = (_user, *TABLES_OF)


@dataclass(frozen=True, slots=True)
class SoftReference:
    """`column` of a table holds ids of the parent's `key`. `since`: when the row was written, before which its parent was there.

    ended: the parent's column that says when it ended, where a row of it outlives that.
    """

    domain: str
    table: str
    column: str
    parent_domain: str
    parent: str
    key: str
    since: str = "created_at"
    ended: str = ""

    def __str__(self) -> str:
        return f"{self.domain}.{self.table}.{self.column}"


def _of_users(domain: str, table: str, since: str = "created_at") -> SoftReference:
    return SoftReference(domain, table, "user_id", "user", "users", "id", since)


SWEPT: Final = (
    SoftReference(
        "analytics", "transaction_embeddings", "transaction_id", "transaction", "transaction_keys", "transaction_id", ended="deleted_at"
    ),
    _of_users("analytics", "transaction_embeddings"),
    _of_users("analytics", "insights"),
    _of_users("analytics", "spending_patterns", "last_observed_at"),
    _of_users("analytics", "llm_query_cache"),
    _of_users("analytics", "merchant_category_votes"),
    _of_users("notification", "notifications"),
    _of_users("notification", "notification_rules"),
)

_MONEY: Final = "money: goes by erasure only"
_SHOWN: Final = "shows what was done, and outlives whoever it is about"
_THEIRS: Final = "an id at the provider"
_SPENT: Final = "ends by its age within days: upkeep.purge"

#: `domain.table.column`, or `*.table.column` for the tables of every domain.
EXEMPT: Final = {
    "*.jobs.user_id": _SPENT,
    "*.applied_jobs.job_id": _SPENT,
    "*.applied_jobs.user_id": _SPENT,
    "*.idempotency_keys.user_id": _SPENT,
    "user.user_keys.key_id": "a key of the key ring, which is in no database",
    "user.user_preferences.telegram_chat_id": _THEIRS,
    "user.oauth_connections.provider_user_id": _THEIRS,
    "bank.bank_connections.user_id": _MONEY,
    "bank.bank_connections.provider_item_id": _THEIRS,
    "bank.bank_connections.institution_id": _THEIRS,
    "bank.bank_accounts.provider_account_id": _THEIRS,
    "bank.bank_accounts.persistent_id": _THEIRS,
    "bank.sync_history.job_id": "a job of the same domain, which ends by its age within days; the line of history stays",
    "bank.bank_links.institution_id": _THEIRS,
    "bank.uploads.user_id": "ends by its age within a day: bank.purge_uploads",
    "transaction.transactions.user_id": _MONEY,
    "transaction.transactions.account_id": "accounts are closed, never deleted; and money goes by erasure only",
    "transaction.transactions.provider_transaction_id": _THEIRS,
    "transaction.transactions.recurring_series_id": "of the same domain, written with its pattern; an id of none means no series",
    "transaction.transaction_keys.user_id": _MONEY,
    "transaction.transaction_keys.account_id": "goes with its transaction",
    "transaction.transaction_keys.provider_transaction_id": _THEIRS,
    "transaction.transaction_keys.transaction_id": "goes with its transaction, in one transaction",
    "transaction.transactions.transfer_id": "of the same domain, written with its review; an id of none means no transfer",
    "transaction.deleted_transactions.user_id": _MONEY,
    "transaction.deleted_transactions.account_id": "ends by its age within a month",
    "transaction.transaction_reviews.user_id": _MONEY,
    "transaction.transaction_reviews.transaction_id": "of the same domain; shows what was decided, also of what is gone",
    "transaction.transaction_reviews.other_id": "of the same domain; shows what was decided, also of what is gone",
    "transaction.user_categories.user_id": _MONEY,
    "transaction.user_categories.category_id": "the row's own name, or a default's",
    "transaction.user_categories.parent_id": "checked when written; a category with children is not deleted",
    "transaction.recurring_patterns.user_id": _MONEY,
    "transaction.ledgers.user_id": _MONEY,
    "transaction.monthly_category_summary.user_id": _MONEY,
    "budget.budgets.user_id": _MONEY,
    "budget.savings_goals.user_id": _MONEY,
    "notification.notifications.correlation_id": "names an event, of which nothing need be left",
    "audit.audit_logs.user_id": _SHOWN,
    "audit.audit_logs.resource_id": _SHOWN,
    "audit.audit_logs.request_id": _SHOWN,
    "audit.audit_logs.correlation_id": _SHOWN,
    "audit.audit_heads.user_id": _SHOWN,
    "audit.data_export_requests.user_id": _SHOWN,
    "audit.data_export_requests.build_id": "names one making of the file",
    "audit.deletion_requests.user_id": _SHOWN,
    "audit.legal_holds.user_id": _SHOWN,
}
