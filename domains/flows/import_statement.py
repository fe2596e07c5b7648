"""From a statement file to rows, sums and budgets. The mutation, the command and the demo end in the same steps:

    parse      before anything is promised, so that a refusal names its line
    request    bank: the import and its job, in one transaction
    place      bank: accounts found or made
    apply      transaction: rows, sums, ledger version, and the fence that tells a second run what the first one did
    refold     budget: figures follow
    complete   bank: balances, counts, the file dropped, the job done

Killed after any of them, the job runs again and ends in the same rows.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from db import jobs
from db.analytics.queries import merchants as analytics
from db.bank import queries as bank
from db.engines import Viewer, WriteSession
from db.errors import KeyReused, LeaseLost
from domains.bank.errors import StatementRejected, UploadNotFound
from domains.bank.providers.file.options import FileOptions
from domains.bank.providers.protocol import Statement
from domains.bank.service import import_statements as service
from domains.bank.service.place_accounts import PlacedAccount, place_accounts, record_statement
from domains.core.audit import Action, Trail
from domains.core.errors import IdempotencyKeyReused
from domains.flows.audit_trail import open_trail
from domains.flows.held import HeldJob
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Job, Services
from domains.flows.uploads import drop_upload, open_upload, store_upload
from domains.transaction import rules
from domains.transaction.service.apply_batch import AccountBatch, Applied, apply_batch

FILE = "file"
#: What entries of the audit trail are about, as the API calls it.
IMPORT = "StatementImport"
COUNTS = ("added", "updated", "unchanged")
#: How long a process that imports on its own holds the job: longer than the largest file takes.
HELD_S = 120.0


async def request_import(services: Services, viewer: Viewer, upload_id: UUID, options: FileOptions, idempotency_key: str) -> UUID:
    """Read the upload and queue its import; answers the import's id.

    Errors: UploadNotFound; StatementRejected (the file is dropped, nothing of it stays); IdempotencyKeyReused.
    """
    options = _in_currency(options, viewer)
    try:
        before = await _begun(services, viewer, upload_id, options, idempotency_key)
        if before is not None:
            return before
        try:
            filename, data = await open_upload(services, viewer, upload_id)
        except UploadNotFound:
            # the first call with this key may have been answered, and its import have ended, since we looked
            before = await _begun(services, viewer, upload_id, options, idempotency_key)
            if before is None:
                raise
            return before
        try:
            await _parse(services, data, filename, options)
        except StatementRejected:
            await drop_upload(services, viewer, upload_id)
            raise
        async with services.db.write("bank", viewer) as session:
            import_id, _ = await service.request_import(session, upload_id, options.to_json(), idempotency_key)
            return import_id
    except KeyReused as error:
        raise IdempotencyKeyReused(field="idempotencyKey") from error


async def _begun(services: Services, viewer: Viewer, upload_id: UUID, options: FileOptions, idempotency_key: str) -> UUID | None:
    """The import that an earlier call with this key began. Errors: KeyReused."""
    async with services.db.write("bank", viewer) as session:
        return await service.find_import_of(session, idempotency_key, upload_id, options.to_json())


async def import_file(services: Services, viewer: Viewer, data: bytes, filename: str, options: FileOptions) -> dict[str, int]:
    """Import a file here and now; answers {added, updated, unchanged}. What a killed process leaves, a worker completes.

    Errors: StatementRejected (nothing stays); UploadsWaiting; LeaseLost when a worker took over.
    """
    options = _in_currency(options, viewer)
    await _parse(services, data, filename, options)
    upload_id = await store_upload(services, viewer, data, filename, None)
    async with services.db.write("bank", viewer) as session:
        import_id, held = await service.request_import(session, upload_id, options.to_json(), str(upload_id), held_s=HELD_S)
    if held is None:
        raise LeaseLost(str(import_id))
    await run_import(services, HeldJob(held, viewer), import_id)
    async with services.db.read("bank", viewer) as read:
        row = await read.row(bank.imports_by_id(COUNTS), keys=[import_id])
    return {name: row[name] for name in COUNTS} if row is not None else {}


async def run_import(services: Services, job: Job, import_id: UUID) -> None:
    """The job `bank.import`. Errors: LeaseLost; StatementImportNotFound."""
    viewer = job.viewer
    async with services.db.write("bank", viewer) as session:
        found = await service.begin_import(session, import_id, services.clock.now())
        if found.status not in bank.WAITING:
            await job.finish(session)
            return
    trail = await open_trail(services, viewer, correlation_id=job.id)
    try:
        statement = await _read(services, viewer, found)
    except (StatementRejected, UploadNotFound) as refusal:
        async with services.db.write("bank", viewer) as session:
            await service.fail_import(session, found, refusal.code, refusal.message, services.clock.now())
            await _note_failure(session, trail, import_id, refusal.code)
            await job.finish(session)
        return
    async with services.db.write("bank", viewer) as session:
        accounts = await place_accounts(session, statement, import_id=import_id)
    outcome, refold = await _apply_once(services, viewer, job.id, statement.provider, accounts)
    await refold_held(services, viewer, refold)
    async with services.db.write("bank", viewer) as session:
        await service.complete_import(session, found, accounts, outcome, services.clock.now())
        counts = {**outcome, "accounts": len(accounts)}
        await trail.note(session, Action.STATEMENT_IMPORTED, resource_type=IMPORT, resource_id=import_id, metadata=counts)
        await job.finish(session)


async def close_abandoned(services: Services, job: Job, import_id: UUID) -> None:
    """The job `bank.close_import`: end an import that no job will end. Errors: LeaseLost; StatementImportNotFound."""
    trail = await open_trail(services, job.viewer, correlation_id=job.id)
    async with services.db.write("bank", job.viewer) as session:
        if await service.close_import(session, import_id, services.clock.now()):
            await _note_failure(session, trail, import_id, service.GIVEN_UP)
        await job.finish(session)


async def _note_failure(session: WriteSession, trail: Trail, import_id: UUID, code: str) -> None:
    told = {"code": code}
    await trail.note(session, Action.STATEMENT_IMPORT_FAILED, resource_type=IMPORT, resource_id=import_id, metadata=told)


async def _read(services: Services, viewer: Viewer, found: bank.StoredImport) -> Statement:
    """Errors: StatementRejected; UploadNotFound."""
    if found.upload_id is None:
        raise UploadNotFound
    filename, data = await open_upload(services, viewer, found.upload_id)
    return await _parse(services, data, filename, FileOptions.from_json(found.options))


async def take_statement(services: Services, viewer: Viewer, statement: Statement, item_id: str | None = None) -> Applied:
    """The steps of an import for a statement that is at hand, without a job: run again, it changes nothing."""
    async with services.db.write("bank", viewer) as session:
        accounts = await place_accounts(session, statement, item_id=item_id)
    merchants = await known_merchants(services, viewer, accounts)
    async with services.db.write("transaction", viewer) as session:
        applied = await apply_batch(session, _batches(statement.provider, accounts), merchants)
    await refold_held(services, viewer, applied.refold)
    async with services.db.write("bank", viewer) as session:
        await record_statement(session, accounts, services.clock.now())
    return applied


async def known_merchants(services: Services, viewer: Viewer, accounts: Sequence[PlacedAccount]) -> dict[str, rules.MerchantCategory]:
    """What the viewer says of the merchants that these accounts' rows name, else what is known of them in general. One statement."""
    names = {
        rules.normalise_merchant(merchant)
        for account in accounts
        for row in account.statement.transactions
        if (merchant := rules.clean_merchant(row.description, row.merchant_name)) is not None
    }
    async with services.db.read("analytics", viewer) as read:
        rows = await read.rows(analytics.known_merchants(), keys=sorted(names))
    return {row.merchant_name: rules.MerchantCategory(row.category, row.category_detailed, row.confidence) for row in rows}


async def _apply_once(
    services: Services, viewer: Viewer, job_id: UUID, provider: str, accounts: Sequence[PlacedAccount]
) -> tuple[dict[str, int], jobs.Claim | None]:
    """Apply the rows unless an earlier run of this job has; answers what that came to either way."""
    merchants = await known_merchants(services, viewer, accounts)
    async with services.db.write("transaction", viewer) as session:
        if await jobs.applied(session, job_id):
            return await jobs.find_outcome(session, job_id) or {}, None
        applied = await apply_batch(session, _batches(provider, accounts), merchants)
        outcome = {name: count for name, count in applied.as_outcome().items() if name in COUNTS}
        await jobs.record_outcome(session, job_id, outcome)
    return outcome, applied.refold


def _batches(provider: str, accounts: Sequence[PlacedAccount]) -> list[AccountBatch]:
    return [AccountBatch(each.account_id, each.statement.account_type, provider, each.statement.transactions) for each in accounts]


async def _parse(services: Services, data: bytes, filename: str, options: FileOptions) -> Statement:
    """Off the event loop: a large file takes a while."""
    return await asyncio.to_thread(services.statements[FILE].parse, data, filename, options)


def _in_currency(options: FileOptions, viewer: Viewer) -> FileOptions:
    """Amounts for which neither the file nor the options name a currency are in the owner's, now and in every later run."""
    return replace(options, currency=options.currency or viewer.currency)
