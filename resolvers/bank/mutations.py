"""Banks that are linked, fetched from and removed, and statements on their way in."""

from datetime import datetime
from uuid import UUID

import strawberry

from domains.bank import errors
from domains.core.idempotency import check_idempotency_key
from domains.flows import link_bank, remove_connection, sync_connection
from domains.flows.import_statement import request_import
from resolvers.bank.inputs import (
    BankConnectionRemoveInput,
    BankConnectionSyncInput,
    BankLinkCompleteInput,
    BankLinkCreateInput,
    RemovedTransactions,
    StatementImportInput,
    read_answer,
    read_new_link,
    read_options,
)
from resolvers.bank.types import BankProvider
from resolvers.fields import Hidden, Info, Input, Payload, expose, extends, given_id, link, mutation, payload, to_global_id

expose(errors)


@payload
class StatementImportPayload(Payload):
    """The import that was begun, or why the file is refused."""

    import_id: Hidden[UUID | None] = None
    statement_import = link("StatementImport", key="import_id", description="The import; null when the file is refused.")


@payload
class BankLink:
    """A bank that a person is about to link: what their front end goes on with. It is no node: it is answered once and soon over."""

    id: strawberry.ID = strawberry.field(description="For `bankLinkComplete`.")
    provider: BankProvider = strawberry.field(description="How the bank is reached.")
    token: str | None = strawberry.field(description="For the provider's own dialogue; null where there is none, or the link is completed.")
    url: str | None = strawberry.field(description="A page to send the person to; null where there is none, or the link is completed.")
    expires_at: datetime = strawberry.field(description="Until when the person must be back.")


@payload
class BankLinkCreatePayload(Payload):
    """What to go on with, or why not."""

    bank_link: BankLink | None = strawberry.field(default=None, description="The link; null when it was refused.")


@payload
class BankLinkCompletePayload(Payload):
    """The connection, or why there is none."""

    connection_id: Hidden[UUID | None] = None
    bank_connection = link("BankConnection", key="connection_id", description="The connection; null when the link was refused.")


@payload
class BankConnectionSyncPayload(Payload):
    """The connection that is fetched from, or why not."""

    connection_id: Hidden[UUID | None] = None
    bank_connection = link("BankConnection", key="connection_id", description="The connection; null when it was refused.")


@payload
class BankConnectionRemovePayload(Payload):
    """The connection, disconnected, or why it is as it was."""

    connection_id: Hidden[UUID | None] = None
    bank_connection = link("BankConnection", key="connection_id", description="The connection; null when it was refused.")


@extends("Mutation")
class BankMutations:
    @mutation
    async def bank_link_create(self, info: Info, input: Input[BankLinkCreateInput]) -> BankLinkCreatePayload:
        """Begin to link a bank, or to repair a connection that wants its owner to sign in or to agree again.

        Open the provider's dialogue with `token`, or send the person to `url`; end with `bankLinkComplete`.
        Errors: BankProviderNotFound; RedirectUrlNotAllowed; BankConnectionNotFound, BankConnectionEnded; BankLinksWaiting with 20 open
        links; BankLinkRefused; BankRefused; IdempotencyKeyInvalid, IdempotencyKeyReused. BANK_UNAVAILABLE is retryable.
        """
        key, context = check_idempotency_key(input.idempotency_key), info.context
        begun = await link_bank.create_link(context.services, context.required_viewer, read_new_link(input), key)
        return BankLinkCreatePayload(
            bank_link=BankLink(
                id=strawberry.ID(to_global_id("BankLink", begun.id)),
                provider=BankProvider(begun.provider),
                token=begun.token,
                url=begun.url,
                expires_at=begun.expires_at,
            )
        )

    @mutation
    async def bank_link_complete(self, info: Info, input: Input[BankLinkCompleteInput]) -> BankLinkCompletePayload:
        """End a link with what the person came back with. The connection's first fetch is queued: follow it with `connectionSyncProgress`.

        A link that was completed answers its connection again. Linking a bank anew finds the accounts that it had before.
        Errors: BankLinkNotFound; BankLinkExpired; BankLinkRefused; BankAnswerIncomplete; BankConnectionEnded; BankProviderNotFound;
        BankRefused; IdempotencyKeyInvalid, IdempotencyKeyReused. BANK_UNAVAILABLE and BANK_LINK_BUSY are retryable.
        """
        key, context = check_idempotency_key(input.idempotency_key), info.context
        link_id, answer = given_id(input.link_id, "BankLink"), read_answer(input)
        connection_id = await link_bank.complete_link(context.services, context.required_viewer, link_id, answer, key)
        return BankLinkCompletePayload(connection_id=connection_id)

    @mutation
    async def bank_connection_sync(self, info: Info, input: Input[BankConnectionSyncInput]) -> BankConnectionSyncPayload:
        """Fetch from a bank now, at most once a minute. A fetch that goes on is joined. Follow it with `connectionSyncProgress`.

        Errors: SyncTooSoon; BankConnectionNotFound; BankConnectionEnded; BankProviderNotFound.
        """
        connection_id = given_id(input.id, "BankConnection")
        await sync_connection.request_by_hand(info.context.services, info.context.required_viewer, connection_id)
        return BankConnectionSyncPayload(connection_id=connection_id)

    @mutation
    async def bank_connection_remove(self, info: Info, input: Input[BankConnectionRemoveInput]) -> BankConnectionRemovePayload:
        """End a connection: its tokens are destroyed, its bank is told, its accounts are closed; its transactions stay or go as you say.

        They go soon after this has answered. Removing it again changes nothing, but deletes what was kept, if you say so then.
        Errors: BankConnectionNotFound.
        """
        connection_id, forgets = given_id(input.id, "BankConnection"), input.transactions is RemovedTransactions.DELETE
        viewer = info.context.required_viewer
        await remove_connection.remove_connection(info.context.services, viewer, connection_id, forgets=forgets)
        return BankConnectionRemovePayload(connection_id=connection_id)

    @mutation
    async def statement_import(self, info: Info, input: Input[StatementImportInput]) -> StatementImportPayload:
        """Take in a statement that was uploaded (`POST /uploads`: OFX, QFX or CSV, at most 10 MiB).

        The file is read before this answers: a broken one is refused whole, StatementRejected naming the line, and nothing of it
        stays. Its rows are taken in by a worker; follow `status` with `statementImportUpdated`. Importing a file again adds nothing.
        Errors: UploadNotFound, StatementRejected, StatementOptionsInvalid, IdempotencyKeyInvalid, IdempotencyKeyReused.
        """
        viewer = info.context.required_viewer
        key = check_idempotency_key(input.idempotency_key)
        upload_id = given_id(input.upload_id, "Upload")
        import_id = await request_import(info.context.services, viewer, upload_id, read_options(input.options), key)
        return StatementImportPayload(import_id=import_id)
