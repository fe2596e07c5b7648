"""Imports and fetches as they go on."""

from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

import strawberry

from db.bank import queries, queries_connections, queries_syncs
from db.connection import Row
from db.engines import Viewer
from db.live import Slot
from domains.bank.errors import BankConnectionNotFound, StatementImportNotFound
from domains.bank.service.import_statements import TOPIC
from domains.bank.service.sync_connections import SYNC
from domains.bank.service.sync_connections import TOPIC as SYNC_TOPIC
from domains.flows.services import Services
from resolvers.bank.types import BankSyncStage
from resolvers.fields import Hidden, Info, extends, given_id, link, payload, subscription

ENDED = (queries.DONE, queries.FAILED)


@payload
class StatementImportUpdated:
    """An import as it is now."""

    import_id: Hidden[UUID]
    version: int = strawberry.field(description="Goes up with every change of the import.")
    statement_import = link("StatementImport", key="import_id", nullable=False, description="The import.")


@payload
class ConnectionSyncUpdated:
    """How far the fetching from one connection is."""

    sync_id: Hidden[UUID | None]
    connection_id: Hidden[UUID]
    version: int = strawberry.field(description="Goes up with every change of one fetch; each fetch begins anew.")
    stage: BankSyncStage = strawberry.field(description="How far it is.")
    pages: int = strawberry.field(default=0, description="Pages that the bank has given so far.")
    transactions_fetched: int = strawberry.field(default=0, description="Transactions that the bank has told of so far, known ones too.")
    transactions_added: int = strawberry.field(default=0, description="Transactions that were new. 0 until they are in.")
    transactions_updated: int = strawberry.field(
        default=0, description="Transactions that were there and that changed. 0 until they are in."
    )
    transactions_removed: int = strawberry.field(default=0, description="Transactions that the bank has taken back. 0 until they are gone.")
    sync = link("BankSync", key="sync_id", description="The fetch's line in the history; null while it is QUEUED.")
    connection = link("BankConnection", key="connection_id", nullable=False, description="The connection.")


_COUNTS = ("pages", "transactions_fetched", "transactions_added", "transactions_updated", "transactions_removed")


@extends("Subscription")
class BankSubscriptions:
    @subscription
    async def connection_sync_progress(
        self, info: Info, connection_id: Annotated[strawberry.ID, strawberry.argument(description="The connection.")]
    ) -> AsyncGenerator[ConnectionSyncUpdated, None]:
        """Follow the fetching from one connection: how far it is now (the last fetch, or the one that is queued), then every step of it,
        and of those that come after. Changes in quick succession are told as one.

        BANK_CONNECTION_NOT_FOUND for an id that is not one of yours.
        """
        services, viewer = info.context.services, info.context.required_viewer
        connection = given_id(connection_id, "BankConnection")
        told: set[tuple[UUID, int]] = set()
        async with services.hub.subscribe(viewer.user_id, [SYNC_TOPIC]) as slot:
            while True:
                standing = await _progress(services, viewer, connection, is_first=not told)
                fresh = [progress for key, progress in standing if key not in told]
                told = {key for key, _ in standing}
                for progress in fresh:
                    yield progress
                await _changed(slot, connection)

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


async def _progress(
    services: Services, viewer: Viewer, connection_id: UUID, *, is_first: bool
) -> list[tuple[tuple[UUID, int], ConnectionSyncUpdated]]:
    """How the last fetch stands, and the one that is queued, each under what tells it from what was told before.

    is_first: nothing was told yet; then the one that is queued is all there is to know. Errors: BankConnectionNotFound.
    """
    async with services.db.read("bank", viewer) as read:
        if await read.row(queries.connections_by_id(("id",)), keys=[connection_id]) is None:
            raise BankConnectionNotFound(field="connectionId")
        latest = await read.row(queries_syncs.latest_fetch(("id", "version", "stage", *_COUNTS)), connection_id=connection_id)
        job = await read.row(queries_connections.live_job(SYNC), job_key=str(connection_id))
    is_queued = job is not None and not job.is_running
    found = [] if latest is None or (is_queued and is_first) else [_of_fetch(connection_id, latest)]
    if job is not None and is_queued:
        waits = ConnectionSyncUpdated(sync_id=None, connection_id=connection_id, version=0, stage=BankSyncStage.QUEUED)
        found.append(((UUID(str(job.id)), 0), waits))
    return found


def _of_fetch(connection_id: UUID, row: Row) -> tuple[tuple[UUID, int], ConnectionSyncUpdated]:
    sync_id = UUID(str(row.id))
    counts = {name: getattr(row, name) for name in _COUNTS}
    said = ConnectionSyncUpdated(
        sync_id=sync_id, connection_id=connection_id, version=row.version, stage=BankSyncStage(row.stage), **counts
    )
    return (sync_id, row.version), said


async def _changed(slot: Slot, key: UUID) -> None:
    """Wait until something may have happened to what has this id."""
    while True:
        events = await slot.take()
        if events is None or any(event.id == key for event in events):
            return
