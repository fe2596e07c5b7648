"""Entries of the audit trail, and what people ask of their data."""

import enum
from collections.abc import Callable
from datetime import datetime
from typing import Any

import strawberry

from domains.audit.sealing import open_text, open_values
from domains.core.audit import Action
from domains.core.cipher import DecryptionFailed, UserKey
from domains.core.ids import parse_id
from resolvers.context import OperationContext
from resolvers.fields import Info, Node, choice, column, entity, to_global_id, value
from resolvers.scalars import JSON


@strawberry.enum(description="What was done. Later releases know more; none is taken back.")
class AuditAction(enum.Enum):
    USER_REGISTERED = choice(Action.USER_REGISTERED.value, "The account was made.")
    USER_LOGIN = choice(Action.USER_LOGIN.value, "Somebody signed in with the password.")
    USER_LOGIN_FAILED = choice(Action.USER_LOGIN_FAILED.value, "Somebody tried to sign in, with a wrong password.")
    USER_LOGOUT = choice(Action.USER_LOGOUT.value, "A session was ended by its owner.")
    OPERATOR_SESSION_OPENED = choice(
        Action.OPERATOR_SESSION_OPENED.value, "The operator of the server opened a session, without a password."
    )
    STATEMENT_IMPORTED = choice(Action.STATEMENT_IMPORTED.value, "A statement was taken in; the details have the counts.")
    STATEMENT_IMPORT_FAILED = choice(Action.STATEMENT_IMPORT_FAILED.value, "A statement was not taken in, or not to its end.")
    BANK_LINK_BEGUN = choice(Action.BANK_LINK_BEGUN.value, "Linking a bank, or repairing a connection, was begun.")
    BANK_LINKED = choice(Action.BANK_LINKED.value, "A bank was linked.")
    BANK_REPAIRED = choice(Action.BANK_REPAIRED.value, "A connection was repaired.")
    BANK_SYNC_REQUESTED = choice(Action.BANK_SYNC_REQUESTED.value, "A fetch from a bank was asked for.")
    BANK_REMOVED = choice(Action.BANK_REMOVED.value, "A connection was removed, its tokens destroyed.")
    BANK_ACCESS_REVOKED = choice(Action.BANK_ACCESS_REVOKED.value, "A bank was told that our access has ended.")
    BANK_ACCESS_NOT_REVOKED = choice(
        Action.BANK_ACCESS_NOT_REVOKED.value, "A bank could not be told so; the last copy of its tokens is gone."
    )
    TRANSACTION_UPDATED = choice(
        Action.TRANSACTION_UPDATED.value, "A transaction was given another category, name, notes or tags, or was locked."
    )
    TRANSACTION_DELETED = choice(Action.TRANSACTION_DELETED.value, "A transaction was deleted.")
    TRANSACTION_RESTORED = choice(Action.TRANSACTION_RESTORED.value, "A deleted transaction came back.")
    TRANSACTION_REVIEW_DECIDED = choice(Action.TRANSACTION_REVIEW_DECIDED.value, "Something in doubt of a transaction was decided.")
    TRANSFER_PAIRED = choice(Action.TRANSFER_PAIRED.value, "Two transactions were said to be one transfer.")
    DUPLICATE_MARKED = choice(Action.DUPLICATE_MARKED.value, "A transaction was said to be a duplicate.")
    BUDGET_CREATED = choice(Action.BUDGET_CREATED.value, "A budget was made.")
    BUDGET_UPDATED = choice(Action.BUDGET_UPDATED.value, "A budget was changed.")
    BUDGET_DELETED = choice(Action.BUDGET_DELETED.value, "A budget was deleted.")
    GOAL_CREATED = choice(Action.GOAL_CREATED.value, "A goal was set.")
    GOAL_UPDATED = choice(Action.GOAL_UPDATED.value, "A goal was changed; the details say in what.")
    GOAL_DELETED = choice(Action.GOAL_DELETED.value, "A goal was deleted.")
    GOAL_CONTRIBUTION_CREATED = choice(Action.GOAL_CONTRIBUTION_CREATED.value, "Money was put aside for a goal, or taken out.")
    GOAL_CONTRIBUTION_DELETED = choice(Action.GOAL_CONTRIBUTION_DELETED.value, "A contribution to a goal was undone.")
    CATEGORY_CREATED = choice(Action.CATEGORY_CREATED.value, "A category was made.")
    CATEGORY_UPDATED = choice(Action.CATEGORY_UPDATED.value, "A category was changed; the details say in what.")
    CATEGORY_DELETED = choice(Action.CATEGORY_DELETED.value, "A category was deleted.")
    INSIGHT_DISMISSED = choice(Action.INSIGHT_DISMISSED.value, "An insight was put away, or taken back; the details say which.")
    INSIGHT_RATED = choice(Action.INSIGHT_RATED.value, "It was said whether an insight helped.")
    NOTIFICATION_RULE_CREATED = choice(Action.NOTIFICATION_RULE_CREATED.value, "A rule of notification was made.")
    NOTIFICATION_RULE_UPDATED = choice(
        Action.NOTIFICATION_RULE_UPDATED.value, "A rule of notification was changed; the details say in what."
    )
    NOTIFICATION_RULE_DELETED = choice(Action.NOTIFICATION_RULE_DELETED.value, "A rule of notification was deleted.")
    PREFERENCES_UPDATED = choice(Action.PREFERENCES_UPDATED.value, "Preferences were changed; the details say which.")
    OAUTH_CONNECTION_REMOVED = choice(Action.OAUTH_CONNECTION_REMOVED.value, "A provider may not be used to sign in any more.")
    DATA_EXPORT_REQUESTED = choice(Action.DATA_EXPORT_REQUESTED.value, "A copy of the data was asked for.")
    DATA_EXPORT_CANCELLED = choice(Action.DATA_EXPORT_CANCELLED.value, "A request for a copy of the data was taken back.")
    DATA_EXPORTED = choice(Action.DATA_EXPORTED.value, "The copy of the data was made; the details say how large it is.")
    DATA_EXPORT_DOWNLOADED = choice(Action.DATA_EXPORT_DOWNLOADED.value, "The copy of the data was fetched.")
    DELETION_REQUESTED = choice(Action.DELETION_REQUESTED.value, "The end of the account was asked for.")
    DELETION_CANCELLED = choice(Action.DELETION_CANCELLED.value, "A request for the end of the account was taken back.")
    LEGAL_HOLD_PLACED = choice(Action.LEGAL_HOLD_PLACED.value, "The operator was obliged to keep data.")
    LEGAL_HOLD_RELEASED = choice(Action.LEGAL_HOLD_RELEASED.value, "Data need not be kept any longer.")
    AUDIT_MONTH_DROPPED = choice(Action.AUDIT_MONTH_DROPPED.value, "A month of the trail was dropped for its age.")
    RETENTION_APPLIED = choice(Action.RETENTION_APPLIED.value, "Rows went for their age; the details say of what, and how many.")
    TRANSACTIONS_EXPIRED = choice(
        Action.TRANSACTIONS_EXPIRED.value, "Transactions went for their age, and their sums stay; the details have the counts."
    )
    TRANSACTION_PARTITION_DROPPED = choice(
        Action.TRANSACTION_PARTITION_DROPPED.value, "Room for transactions that are gone was given back."
    )
    ORPHANS_REMOVED = choice(Action.ORPHANS_REMOVED.value, "Rows went as what they were about is gone; the details say how many.")


@strawberry.enum(description="In what form a copy of the data is wanted.")
class DataExportFormat(enum.Enum):
    JSON = choice("json", "A zip with an array in JSON per table, a row to a line, and a README.json.")
    CSV = choice("csv", "A zip with a file of comma-separated values per table, and a README.json.")


@strawberry.enum(description="What has become of a request for a copy of the data.")
class DataExportStatus(enum.Enum):
    PENDING = choice("pending", "It waits.")
    PROCESSING = choice("processing", "The copy is being made.")
    COMPLETED = choice("completed", "The copy was made. It is there until `expiresAt`.")
    FAILED = choice("failed", "The copy could not be made.")
    CANCELLED = choice("cancelled", "Whoever asked took it back.")


@strawberry.enum(description="What has become of a request to be forgotten.")
class DeletionStatus(enum.Enum):
    PENDING = choice("pending", "It waits.")
    APPROVED = choice("approved", "It is granted.")
    PROCESSING = choice("processing", "It is being done.")
    COMPLETED = choice("completed", "It is done.")
    REJECTED = choice("rejected", "It is refused, as when the law wants the data kept.")
    CANCELLED = choice("cancelled", "Whoever asked took it back.")


@value
class AuditChange:
    """One thing that changed."""

    field: str = strawberry.field(description="What changed, as it is called inside: words with underscores.")
    from_: JSON | None = strawberry.field(name="from", description="What it was; null when it was nothing.")
    to: JSON | None = strawberry.field(description="What it is since; null when it is nothing.")


@value
class AuditDetail:
    """Something that is told beside the change, such as how many rows a statement had."""

    name: str = strawberry.field(description="What it is.")
    value: JSON | None = strawberry.field(description="How much, or which.")


def _resource_id(root: Any) -> strawberry.ID | None:
    if root.resource_id is None or root.resource_type is None:
        return None
    key = parse_id(root.resource_id)
    return strawberry.ID(to_global_id(root.resource_type, root.resource_id if key is None else key))


async def _address(root: Any, info: Info) -> str | None:
    text: str | None = _opened(await _key(info.context), open_text, "ip_address", root.ip_address)
    return text


async def _user_agent(root: Any, info: Info) -> str | None:
    text: str | None = _opened(await _key(info.context), open_text, "user_agent", root.user_agent)
    return text


async def _changes(root: Any, info: Info) -> list[AuditChange] | None:
    key = await _key(info.context)
    old, new = (_opened(key, open_values, name, getattr(root, name)) for name in ("old_values", "new_values"))
    if key is None or (old is None and root.old_values is not None) or (new is None and root.new_values is not None):
        return None
    before, after = old or {}, new or {}
    return [AuditChange(field=name, from_=before.get(name), to=after.get(name)) for name in sorted({*before, *after})]


async def _details(root: Any, info: Info) -> list[AuditDetail] | None:
    key = await _key(info.context)
    told = _opened(key, open_values, "metadata", root.metadata)
    if key is None or (told is None and root.metadata is not None):
        return None
    return [AuditDetail(name=name, value=each) for name, each in (told or {}).items()]


async def _key(context: OperationContext) -> UserKey | None:
    """The viewer's key, and every entry is the viewer's; asked for once per operation. None when it is gone."""
    user_id = context.required_viewer.user_id

    async def ask() -> UserKey | None:
        try:
            return await context.services.cipher.key_of(user_id, make=False)
        except DecryptionFailed:
            return None

    return await context.once("audit.key", ask)


def _opened(key: UserKey | None, read: Callable[[UserKey, str, bytes], Any], column_name: str, stored: bytes | None) -> Any:
    """What is in a ciphertext; None without a key, and when it was sealed with one that was destroyed before this one was made."""
    if key is None or stored is None:
        return None
    try:
        return read(key, column_name, stored)
    except DecryptionFailed:
        return None


#: Columns that the resolvers of an entry read.
READS = ("resource_type", "resource_id", "ip_address", "user_agent", "old_values", "new_values", "metadata")


@value(reads=READS)
class AuditEntry:
    """Something that was done to an account, or for it. Never changed and never taken back; its owner reads it.

    What is personal in it is encrypted with a key of its owner's and null once that key is destroyed.
    """

    sequence = column(int, description="Its number in your trail, in the order in which entries were written: from 1, without a gap.")
    timestamp = column(datetime, description="When it happened. Entries may be written in another order.")
    action = column(AuditAction, description="What was done.")
    service = column(str, "service_name", description="How it came in: `api`, `worker` for what runs by itself, `cli` for the operator.")
    resource_type = column(str | None, description="The type of what it was done to; null when that is the account.")
    resource_id: strawberry.ID | None = strawberry.field(
        resolver=_resource_id, description="The global id of what it was done to, which may be gone."
    )
    request_id = column(str | None, description="The request it came with, as its answer quoted it.")
    correlation_id = column(str | None, description="What entries of one piece of work have in common; opaque.")
    address: str | None = strawberry.field(resolver=_address, description="The address it came from; null when it came from none.")
    user_agent: str | None = strawberry.field(
        resolver=_user_agent, description="What the client said it was, at most 512 characters; null when it said nothing."
    )
    changes: list[AuditChange] | None = strawberry.field(
        resolver=_changes, description="What changed, field by field; null when the key is gone."
    )
    details: list[AuditDetail] | None = strawberry.field(resolver=_details, description="What else is told; null when the key is gone.")


def _file_url(root: Any, info: Info) -> str | None:
    """Where the file is, as long as it may be fetched: the row says so a little longer."""
    context: OperationContext = info.context
    is_over = root.expires_at is None or root.expires_at <= context.services.clock.now()
    return None if is_over else root.file_url


@entity(loader="audit.export_by_id", reads=("file_url", "expires_at"))
class DataExportRequest(Node):
    """Somebody asked for a copy of what is stored of them. A worker makes it, within minutes; it is kept encrypted, for seven days."""

    status = column(DataExportStatus, description="What has become of it.")
    format = column(DataExportFormat, "export_format", description="In what form.")
    created_at = column(datetime, description="When it was asked for.")
    completed_at = column(datetime | None, description="When the copy was made or failed.")
    cancelled_at = column(datetime | None, description="When it was taken back.")
    expires_at = column(datetime | None, description="Until when the copy can be fetched.")
    file_url: str | None = strawberry.field(
        resolver=_file_url,
        description="The path on this server where the copy is fetched, by GET with your bearer token; null when there is none.",
    )
    file_size_bytes = column(float | None, description="How large the copy is, or was.")


@entity(loader="audit.deletion_by_id")
class DeletionRequest(Node):
    """Somebody asked to be forgotten. The operator sees the request and answers it; asking deletes nothing."""

    status = column(DeletionStatus, description="What has become of it.")
    reason = column(str | None, description="Why, in the words of whoever asked.")
    created_at = column(datetime, description="When it was asked for.")
    approved_at = column(datetime | None, description="When it was granted.")
    completed_at = column(datetime | None, description="When it was done.")
    cancelled_at = column(datetime | None, description="When it was taken back.")
