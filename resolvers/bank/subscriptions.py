"""Imports as they go on."""

from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

import strawberry

from db.bank import queries
from db.live import Slot
from domains.bank.errors import StatementImportNotFound
from domains.bank.service.import_statements import TOPIC
from resolvers.fields import Hidden, Info, extends, given_id, link, payload, subscription

ENDED = (queries.DONE, queries.FAILED)


@payload
class StatementImportUpdated:
    """An import as it is now."""

    import_id: Hidden[UUID]
    version: int = strawberry.field(description="Goes up with every change of the import.")
    statement_import = link("StatementImport", key="import_id", nullable=False, description="The import.")


@extends("Subscription")
class BankSubscriptions:
    @subscription
    async def statement_import_updated(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The import.")]
    ) -> AsyncGenerator[StatementImportUpdated, None]:
        """Follow one import: how it is now, then every change of it, until it is DONE or FAILED; then the stream completes.

        STATEMENT_IMPORT_NOT_FOUND for an id that is not one of yours.
        """
        services, viewer = info.context.services, info.context.required_viewer
        import_id, sent = given_id(id, "StatementImport"), -1
        async with services.hub.subscribe(viewer.user_id, [TOPIC]) as slot:
            while True:
                async with services.db.read("bank", viewer) as read:
                    row = await read.row(queries.imports_by_id(("status", "version")), keys=[import_id])
                if row is None:
                    raise StatementImportNotFound(field="id")
                if row.version > sent:
                    sent = row.version
                    yield StatementImportUpdated(import_id=import_id, version=sent)
                if row.status in ENDED:
                    return
                await _changed(slot, import_id)


async def _changed(slot: Slot, import_id: UUID) -> None:
    """Wait until something may have happened to the import."""
    while True:
        events = await slot.take()
        if events is None or any(event.id == import_id for event in events):
            return
