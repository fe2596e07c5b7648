"""What every domain may know of the audit trail: the names of actions, and how a use case leaves an entry."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from db.engines import SystemSession, WriteSession

#: The topic of the job that carries an entry from the transaction of a change to the trail.
RECORD: Final = "audit.record"
#: How often that is tried: a change that is committed must not lose its entry because the trail was away for a night. Some ten days.
RECORD_ATTEMPTS: Final = 2_000


class Action(StrEnum):
    """What can be done. The names are in the trail and in clients' code: none is ever taken back or given another meaning."""

    USER_REGISTERED = "USER_REGISTERED"
    USER_LOGIN = "USER_LOGIN"
    USER_LOGIN_FAILED = "USER_LOGIN_FAILED"
    USER_LOGOUT = "USER_LOGOUT"
    OPERATOR_SESSION_OPENED = "OPERATOR_SESSION_OPENED"
    STATEMENT_IMPORTED = "STATEMENT_IMPORTED"
    STATEMENT_IMPORT_FAILED = "STATEMENT_IMPORT_FAILED"
    BANK_LINK_BEGUN = "BANK_LINK_BEGUN"
    BANK_LINKED = "BANK_LINKED"
    BANK_REPAIRED = "BANK_REPAIRED"
    BANK_SYNC_REQUESTED = "BANK_SYNC_REQUESTED"
    BANK_REMOVED = "BANK_REMOVED"
    BANK_ACCESS_REVOKED = "BANK_ACCESS_REVOKED"
    BANK_ACCESS_NOT_REVOKED = "BANK_ACCESS_NOT_REVOKED"
    TRANSACTION_UPDATED = "TRANSACTION_UPDATED"
    TRANSACTION_DELETED = "TRANSACTION_DELETED"
    TRANSACTION_RESTORED = "TRANSACTION_RESTORED"
    TRANSACTION_REVIEW_DECIDED = "TRANSACTION_REVIEW_DECIDED"
    TRANSFER_PAIRED = "TRANSFER_PAIRED"
    DUPLICATE_MARKED = "DUPLICATE_MARKED"
    BUDGET_CREATED = "BUDGET_CREATED"
    BUDGET_UPDATED = "BUDGET_UPDATED"
    BUDGET_DELETED = "BUDGET_DELETED"
    GOAL_CREATED = "GOAL_CREATED"
    GOAL_UPDATED = "GOAL_UPDATED"
    GOAL_DELETED = "GOAL_DELETED"
    GOAL_CONTRIBUTION_CREATED = "GOAL_CONTRIBUTION_CREATED"
    GOAL_CONTRIBUTION_DELETED = "GOAL_CONTRIBUTION_DELETED"
    CATEGORY_CREATED = "CATEGORY_CREATED"
    CATEGORY_UPDATED = "CATEGORY_UPDATED"
    CATEGORY_DELETED = "CATEGORY_DELETED"
    INSIGHT_DISMISSED = "INSIGHT_DISMISSED"
    INSIGHT_RATED = "INSIGHT_RATED"
    NOTIFICATION_RULE_CREATED = "NOTIFICATION_RULE_CREATED"
    NOTIFICATION_RULE_UPDATED = "NOTIFICATION_RULE_UPDATED"
    NOTIFICATION_RULE_DELETED = "NOTIFICATION_RULE_DELETED"
    PREFERENCES_UPDATED = "PREFERENCES_UPDATED"
    OAUTH_CONNECTION_REMOVED = "OAUTH_CONNECTION_REMOVED"
    DATA_EXPORT_REQUESTED = "DATA_EXPORT_REQUESTED"
    DATA_EXPORT_CANCELLED = "DATA_EXPORT_CANCELLED"
    DATA_EXPORTED = "DATA_EXPORTED"
    DATA_EXPORT_DOWNLOADED = "DATA_EXPORT_DOWNLOADED"
    DELETION_REQUESTED = "DELETION_REQUESTED"
    DELETION_CANCELLED = "DELETION_CANCELLED"
    LEGAL_HOLD_PLACED = "LEGAL_HOLD_PLACED"
    LEGAL_HOLD_RELEASED = "LEGAL_HOLD_RELEASED"
    AUDIT_MONTH_DROPPED = "AUDIT_MONTH_DROPPED"
    RETENTION_APPLIED = "RETENTION_APPLIED"
    TRANSACTIONS_EXPIRED = "TRANSACTIONS_EXPIRED"
    TRANSACTION_PARTITION_DROPPED = "TRANSACTION_PARTITION_DROPPED"
    ORPHANS_REMOVED = "ORPHANS_REMOVED"


class Trail(Protocol):
    """Leaves entries on behalf of one user, or of nobody. Opened before the transaction that it is used in."""

    async def note(
        self,
        session: "SystemSession | WriteSession",
        action: Action,
        *,
        resource_type: str | None = None,
        resource_id: UUID | str | None = None,
        old: Mapping[str, Any] | None = None,
        new: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Leave one entry, in the transaction of what it tells.

        resource_type, resource_id: a type of the API and the plain id of one.
        old, new: what changed, before and after, by the names of columns; JSON, and Decimal, UUID, date or datetime in it.
        Effects:  one job; the worker writes the entry. Nothing that is personal is readable in it. A call that only repeats the
                  answer to an earlier one leaves nothing.
        """
        ...
