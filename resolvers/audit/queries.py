"""What audit adds to people."""

from resolvers.audit.inputs import AUDIT_SORTS, REQUEST_SORTS, AuditFilter
from resolvers.fields import extends, page


@extends("User")
class UserTrail:
    audit_log = page(
        "AuditEntry",
        loader="audit.page_by_user",
        count="audit.count_by_user",
        filter=AuditFilter,
        sorts=AUDIT_SORTS,
        description="What was done to the account and for it, the newest first. An entry is there a few seconds after what it tells.",
    )
    data_export_requests = page(
        "DataExportRequest",
        loader="audit.exports_by_user",
        count="audit.export_count_by_user",
        sorts=REQUEST_SORTS,
        description="Requests for a copy of the data, the newest first.",
    )
    deletion_requests = page(
        "DeletionRequest",
        loader="audit.deletions_by_user",
        count="audit.deletion_count_by_user",
        sorts=REQUEST_SORTS,
        description="Requests to be forgotten, the newest first.",
    )
