"""What the trail is narrowed to, and what people say of their requests."""

import enum
from datetime import datetime
from typing import Any

import strawberry

from db.audit import queries
from resolvers.audit.types import AuditAction, DataExportFormat
from resolvers.errors import BadUserInput
from resolvers.fields import Sort, choice

ACTIONS_AT_MOST = 50
TYPE_CHARACTERS = 50


@strawberry.enum(description="The order of the trail.")
class AuditSort(enum.Enum):
    TIMESTAMP_DESC = choice("timestamp_desc", "The newest first.")


@strawberry.enum(description="The order of a list of requests.")
class RequestSort(enum.Enum):
    CREATED_AT_DESC = choice("created_at_desc", "The newest first.")


AUDIT_SORTS: dict[enum.Enum, Sort] = {AuditSort.TIMESTAMP_DESC: Sort(queries.NEWEST, descending=True)}
REQUEST_SORTS: dict[enum.Enum, Sort] = {RequestSort.CREATED_AT_DESC: Sort(("created_at", "id"), descending=True)}


def _optional(description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description)


@strawberry.input(description="Narrows the audit trail. All that is given must hold; an empty list of actions matches nothing.")
class AuditFilter:
    actions: list[AuditAction] | None = _optional("Any of these, at most 50.")
    resource_type: str | None = _optional("Done to something of this type, such as `Budget`.")
    since: datetime | None = _optional("At this instant or after.")
    until: datetime | None = _optional("Before this instant.")


@strawberry.input(description="In what form a copy of the data is wanted.")
class DataExportRequestCreateInput:
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters that you choose for it. A retry with it and the same input answers the same for 48 hours."
    )
    format: DataExportFormat = strawberry.field(default=DataExportFormat.JSON, description="In what form.")


@strawberry.input(description="Which request for a copy of the data to take back.")
class DataExportRequestCancelInput:
    id: strawberry.ID = strawberry.field(description="The request.")


@strawberry.input(description="A request to be forgotten.")
class DeletionRequestCreateInput:
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters that you choose for it. A retry with it and the same input answers the same for 48 hours."
    )
    reason: str | None = _optional("Why, at most 2,000 characters. By default no reason is given.")


@strawberry.input(description="Which request to be forgotten to take back.")
class DeletionRequestCancelInput:
    id: strawberry.ID = strawberry.field(description="The request.")


def read_filter(given: AuditFilter | None) -> queries.EntryFilter:
    """What the statements take. Errors: BadUserInput."""
    if given is None:
        return queries.EntryFilter()
    said: dict[str, Any] = {name: None if value is strawberry.UNSET else value for name, value in vars(given).items()}
    if said["actions"] is not None:
        if len(said["actions"]) > ACTIONS_AT_MOST:
            raise BadUserInput(f"`filter.actions` may have {ACTIONS_AT_MOST} entries at most.", argument="filter")
        said["actions"] = [each.value for each in said["actions"]]
    kind = said["resource_type"]
    if kind is not None and (len(kind) > TYPE_CHARACTERS or "\0" in kind):
        raise BadUserInput("`filter.resourceType` is the name of a type.", argument="filter")
    return queries.EntryFilter(**said)
