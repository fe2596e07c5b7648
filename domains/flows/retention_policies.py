"""What is kept how long, and how it goes: the one table that retention is enforced by, and that an operator is shown.

The periods of transactions, audit logs, analytics data, bank tokens and credentials are the design document's ("Data Classification"). It
is silent on the rest:

    notifications          A year. They repeat what is elsewhere; whoever has not read one in a year does not wait for it.
    deleted transactions   30 days, in which their owner can have them back. That they were deleted is known as long as their names are.
    reviews                A year longer than transactions: a pair that was rejected stays rejected while both are there.
    what has expired       60 days longer, as counts of deliveries look back over 30 days; clients are not shown it any more.
    imports and syncs      As long as the transactions that they brought: they say where these came from.
    requests that ended    As long as the audit trail, in which they stand too: they show that somebody's right was answered.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

# imported for their tables, which a policy names
from db.analytics import models as _analytics
from db.audit import models as _audit
from db.bank import models as _bank
from db.notification import models as _notification
from db.transaction import models as _transaction

TABLES_OF: Final = (_analytics, _audit, _bank, _notification, _transaction)


class How(Enum):
    """How what is over goes."""

    ROWS = "rows, in batches"
    CLOSED_YEARS = "whole years, user by user, after their sums are closed"
    MONTHS = "whole months, as partitions"
    AT_ONCE = "at once, by the database"
    ELSEWHERE = "by a task of its own, every hour"


@dataclass(frozen=True, slots=True)
class Policy:
    """A class of data. `since`: the column of the instant or day that the time runs from; empty: no time runs.

    statuses: only rows in one of them. years, days: how long a row is kept.
    """

    name: str
    domain: str
    table: str
    since: str
    how: How = How.ROWS
    years: int = 0
    days: int = 0
    statuses: tuple[str, ...] = ()
    until: str = ""

    @property
    def kept(self) -> str:
        """For an operator to read."""
        parts = [f"{number} {word}" for number, word in ((self.years, "years"), (self.days, "days")) if number]
        return " ".join(parts) or self.until

    def cutoff(self, now: datetime) -> datetime:
        """What is older may go: midnight of UTC. Of whole years, or months, the first instant of the first one that is kept in part."""
        day = _years_before(now.astimezone(UTC), self.years).replace(hour=0, minute=0, second=0, microsecond=0)
        if self.how is How.CLOSED_YEARS:
            return day.replace(month=1, day=1)
        if self.how is How.MONTHS:
            return day.replace(day=1)
        return day - timedelta(days=self.days)


def _years_before(instant: datetime, years: int) -> datetime:
    """The same day of an earlier year; of the 29th of February the 28th, where there is none."""
    year = instant.year - years
    is_leap_day = (instant.month, instant.day) == (2, 29)
    return instant.replace(year=year, day=28) if is_leap_day and years else instant.replace(year=year)


TRANSACTIONS: Final = Policy("transactions", "transaction", "transactions", "transaction_date", How.CLOSED_YEARS, years=5)
AUDIT_LOGS: Final = Policy("audit logs", "audit", "audit_logs", "timestamp", How.MONTHS, years=7)

POLICIES: Final = (
    TRANSACTIONS,
    Policy("recurring patterns", "transaction", "recurring_patterns", "last_transaction_date", years=5),
    Policy("deleted transactions", "transaction", "deleted_transactions", "deleted_at", days=30),
    Policy("reviews", "transaction", "transaction_reviews", "created_at", years=6),
    Policy("statement imports", "bank", "statement_imports", "created_at", years=5, statuses=("done", "failed")),
    Policy("history of syncs", "bank", "sync_history", "started_at", years=5),
    AUDIT_LOGS,
    Policy("export requests", "audit", "data_export_requests", "created_at", years=7, statuses=("completed", "failed", "cancelled")),
    Policy("deletion requests", "audit", "deletion_requests", "created_at", years=7, statuses=("completed", "rejected", "cancelled")),
    Policy("insights", "analytics", "insights", "created_at", years=2),
    Policy("expired insights", "analytics", "insights", "expires_at", days=60),
    Policy("spending patterns", "analytics", "spending_patterns", "last_observed_at", years=2),
    Policy("embeddings", "analytics", "transaction_embeddings", "created_at", years=2),
    Policy("model queries", "analytics", "llm_query_cache", "created_at", years=2),
    Policy("notifications", "notification", "notifications", "created_at", years=1),
    Policy("expired notifications", "notification", "notifications", "expires_at", days=60),
    Policy("expired model queries", "analytics", "llm_query_cache", "expires_at", How.ELSEWHERE, until="until they expire"),
    Policy("uploads", "bank", "uploads", "expires_at", How.ELSEWHERE, until="until they are imported or expire"),
    Policy("bank links", "bank", "bank_links", "expires_at", How.ELSEWHERE, until="7 days after they expire; their secrets at once"),
    Policy("bank access to revoke", "bank", "bank_revocations", "created_at", How.ELSEWHERE, until="until revoked, a day at most"),
    Policy("bank webhooks", "bank", "bank_webhooks", "received_at", How.ELSEWHERE, days=7),
    Policy("bank tokens", "bank", "bank_connections", "", How.AT_ONCE, until="until disconnection"),
    Policy("credentials", "user", "users", "", How.AT_ONCE, until="until account deletion"),
)

#: Tables of users that no policy is about, and why: what is in them goes with the account, by erasure.
KEPT: Final = {
    "user.users": "the account",
    "user.user_keys": "the account's key: without it nothing of theirs can be read",
    "user.user_preferences": "what holds now",
    "user.oauth_connections": "ends with the account, by the database",
    "bank.bank_connections": "the account's banks: disconnected, never deleted (their tokens are)",
    "bank.bank_accounts": "the account's bank accounts: closed, never deleted",
    "transaction.transaction_keys": "goes with its transaction",
    "transaction.user_categories": "what holds now",
    "transaction.ledgers": "a number per user",
    "transaction.monthly_category_summary": "sums, which outlive their transactions",
    "analytics.merchant_category_votes": "what the user's transactions say now",
    "budget.budgets": "what holds now, and its history",
    "budget.budget_utilization": "sums, which outlive their transactions",
    "budget.budget_history": "sums, which outlive their transactions",
    "budget.savings_goals": "what holds now",
    "budget.goal_contributions": "what a goal's amount is the sum of",
    "notification.notification_rules": "what holds now",
    "audit.export_chunks": "the file of an export, which ends within days",
    "audit.audit_heads": "the ends of the chains, which tell of entries that are missing",
    "audit.legal_holds": "what was held and when shows that nothing was dropped under it",
}
