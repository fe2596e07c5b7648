"""From what a bank has to tell to rows, sums and budgets. Runs as the job `bank.sync`, whose key is the connection: one at a time.

    begin      bank: the line of the history, the next time by the calendar
    fetch      no transaction: tokens are opened, all pages are read; new tokens are stored at once
    place      bank: accounts known, found again or made; the lease is looked at once more
    apply      transaction: rows, removals, sums, ledger version, and the fence, in one transaction
    refold     budget: figures follow
    finish     bank: cursor, balances, the end of the line, the job done

The ledger commits before the cursor of the connection, and keeps its own with the fence. Killed after any step, the job fetches again from
where the ledger is, also when it is another job by then: a bank that is asked from an older cursor says nothing of what came and went
since, and what came would stay. The fence holds what earlier runs came to, so that all is counted once, and refuses a run that was held
up while a later one applied: what it has fetched is old.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from db import jobs
from db.bank import queries_syncs as syncs
from db.bank.queries_connections import StoredConnection
from db.engines import Viewer
from db.errors import LeaseLost
from db.transaction.queries import batches
from db.user import queries as users
from domains.bank import rules
from domains.bank.errors import BankConnectionEnded, BankConnectionNotFound
from domains.bank.providers.errors import ProviderError, ProviderRefused, ProviderUnavailable, ReauthenticationRequired
from domains.bank.providers.protocol import Credentials, Fetched, StatementAccount
from domains.bank.service import sync_connections as service
from domains.bank.service.place_accounts import PlacedAccount, place_linked_accounts
from domains.core.audit import Action
from domains.core.cipher import DecryptionFailed, UserKey
from domains.flows.audit_trail import noted_write
from domains.flows.import_statement import known_merchants
from domains.flows.link_bank import CONNECTION, reached_by
from domains.flows.refold_budgets import owners_today, refold_held
from domains.flows.services import Job, Services
from domains.transaction.service.apply_batch import AccountBatch, apply_batch

#: Who has not signed in for so long is dormant: their banks are asked once a day.
DORMANT_AFTER: Final = timedelta(days=30)
DORMANT_EVERY: Final = timedelta(days=1)
#: How often whoever watches is told of pages.
TOLD_EVERY_S: Final = 0.25
#: What the fence holds beside counts: which run has applied, and up to where.
RUN: Final = "run"
CURSOR: Final = "cursor"


@dataclass(slots=True)
class _Run:
    """What the steps of one run share. `began`: the connection as this run knows it, with the credentials that are its own by now."""

    services: Services
    job: Job
    connection_id: UUID
    every: timedelta
    began: StoredConnection

    @property
    def viewer(self) -> Viewer:
        return self.job.viewer


async def run_sync(services: Services, job: Job, connection_id: UUID, sync_type: str) -> None:
    """The job `bank.sync`. Errors: LeaseLost; TryAgain; DatabaseUnavailable."""
    every = await _period(services, job.viewer)
    async with services.db.write("bank", job.viewer) as session:
        now = services.clock.now()
        connection = await service.begin_sync(session, connection_id, job.id, sync_type, now, every)
        if connection is None:
            await job.finish(session)
            return
        unfinished = await syncs.list_unfinished_fetches(session, connection_id, connection.linked_at)
    run = _Run(services, job, connection_id, every, connection)
    connection = await _where_the_ledger_is(run, connection, unfinished)
    try:
        fetched = await _fetch(run, connection)
        accounts, twins = await _place(run, connection, fetched)
    except (BankConnectionEnded, BankConnectionNotFound):
        await _end_as_removed(run)
    except ProviderError as error:
        await _fail(run, _failure(error))
    else:
        outcome, refold = await _apply(run, fetched, accounts, twins)
        await _tell(run, stage=syncs.BUDGETS, **_counted(outcome))
        await refold_held(services, job.viewer, refold)
        async with services.db.write("bank", job.viewer) as session:
            at = services.clock.now()
            await service.finish_sync(session, run.began, job.id, fetched, accounts, outcome, at)
            await job.finish(session)


async def request_by_hand(services: Services, viewer: Viewer, connection_id: UUID) -> None:
    """As its owner asks. Errors: BankConnectionNotFound; BankConnectionEnded; BankProviderNotFound; SyncTooSoon."""
    async with noted_write(services, "bank", viewer) as (session, trail):
        await service.request_sync_by_hand(session, connection_id, services.banks.keys(), services.clock.now())
        await trail.note(session, Action.BANK_SYNC_REQUESTED, resource_type=CONNECTION, resource_id=connection_id)


async def request_due(services: Services) -> int:
    """Queue every connection that is due, a batch; answers how many there were."""
    every = timedelta(seconds=services.options.sync_every_s)
    async with services.db.system("bank") as session:
        return await service.request_due(session, list(services.banks), services.clock.now(), every)


async def close_abandoned(services: Services, job: Job, sync_job_id: UUID) -> None:
    """The job `bank.close_sync`: end the line of a fetch that no job will end. Errors: LeaseLost."""
    every = await _period(services, job.viewer)
    outcome = await _outcome(services, job.viewer, sync_job_id)
    async with services.db.write("bank", job.viewer) as session:
        await service.close_sync(session, sync_job_id, services.clock.now(), every, outcome)
        await job.finish(session)


async def _period(services: Services, viewer: Viewer) -> timedelta:
    """How often the viewer's banks are asked."""
    every = timedelta(seconds=services.options.sync_every_s)
    async with services.db.read("user", viewer) as read:
        seen_at = await read.value(users.last_seen_at())
    is_dormant = seen_at is not None and services.clock.now() - seen_at > DORMANT_AFTER
    return max(every, DORMANT_EVERY) if is_dormant else every


async def _where_the_ledger_is(run: _Run, connection: StoredConnection, unfinished: Sequence[UUID]) -> StoredConnection:
    """With the cursor that the ledger has got to, where a run was killed between the ledger's commit and the connection's."""
    if list(unfinished) == [run.job.id] and run.job.run == 1:
        return connection
    async with run.services.db.write("transaction", run.viewer) as session:
        outcomes = await jobs.find_outcomes(session, unfinished)
    for job_id in unfinished:
        if CURSOR in (outcome := outcomes.get(job_id, {})):
            return connection._replace(sync_cursor=outcome[CURSOR])
    return connection


async def _fetch(run: _Run, connection: StoredConnection) -> Fetched:
    """All there is to tell, before any of it is stored. Errors: ProviderError; BankConnectionEnded when it was removed meanwhile."""
    services, viewer = run.services, run.viewer
    provider = services.banks.get(connection.provider)
    if provider is None:
        raise ProviderRefused("NOT_SET_UP")
    key = await services.cipher.key_of(viewer.user_id, make=True)
    try:
        reached = reached_by(connection, key)
    except DecryptionFailed as error:
        raise ReauthenticationRequired("TOKENS_LOST") from error
    _, today = await owners_today(services, viewer)
    deadline = asyncio.timeout(services.options.fetch_within_s)
    try:
        async with deadline:
            fetched = await provider.fetch(reached, _Listener(run, key), today)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise ProviderUnavailable("FETCH_TIMED_OUT") from error
    statement = replace(fetched.statement, accounts=[_named(account) for account in fetched.statement.accounts])
    return replace(fetched, statement=statement)


def _named(account: StatementAccount) -> StatementAccount:
    """With an id for each movement that its bank gives none."""
    nameless = [row for row in account.transactions if row.provider_transaction_id is None]
    if not nameless:
        return account
    ids = iter(rules.occurrence_ids(nameless))
    rows = [
        row if row.provider_transaction_id is not None else replace(row, provider_transaction_id=next(ids)) for row in account.transactions
    ]
    return replace(account, transactions=rows)


class _Listener:
    """Tells whoever watches of pages, and stores new credentials at once."""

    def __init__(self, run: _Run, key: UserKey) -> None:
        self._run = run
        self._key = key
        self._told_at = float("-inf")

    async def page_fetched(self, pages: int, transactions: int) -> None:
        if time.monotonic() - self._told_at < TOLD_EVERY_S:
            return
        await _tell(self._run, pages=pages, transactions_fetched=transactions)
        self._told_at = time.monotonic()

    async def credentials_changed(self, credentials: Credentials) -> None:
        """Errors: BankConnectionEnded; ProviderUnavailable when the connection was repaired meanwhile."""
        run = self._run
        try:
            async with run.services.db.write("bank", run.viewer) as session:
                began = await service.store_credentials(session, run.began, credentials, self._key)
        except service.RepairedMeanwhile as error:
            raise ProviderUnavailable("REPAIRED_MEANWHILE") from error
        run.began = began


async def _place(run: _Run, connection: StoredConnection, fetched: Fetched) -> tuple[list[PlacedAccount], Mapping[UUID, frozenset[UUID]]]:
    """Errors: BankConnectionEnded; LeaseLost; TryAgain while transactions of these accounts are being deleted."""
    accounts = fetched.statement.accounts
    count = sum(len(account.transactions) for account in accounts)
    async with run.services.db.write("bank", run.viewer) as session:
        await run.job.check(session)
        await service.find_live(session, run.connection_id)
        placed = await place_linked_accounts(session, connection, accounts, run.services.clock.now())
        progress = {"stage": syncs.APPLYING, "pages": fetched.pages, "transactions_fetched": count}
        await service.note_progress(session, run.connection_id, run.job.id, **progress)
    return placed


async def _apply(
    run: _Run, fetched: Fetched, accounts: Sequence[PlacedAccount], twins: Mapping[UUID, frozenset[UUID]]
) -> tuple[dict[str, int], jobs.Claim | None]:
    """Apply what was fetched; answers what all runs of this job have come to. Errors: LeaseLost."""
    services, viewer, job = run.services, run.viewer, run.job
    merchants = await known_merchants(services, viewer, accounts)
    _, today = await owners_today(services, viewer)
    async with services.db.write("transaction", viewer) as session:
        before: Mapping[str, Any] = {}
        if await jobs.applied(session, job.id):
            await batches.lock_user(session)  # whoever applies for this job at this moment comes first
            before = await jobs.find_outcome(session, job.id) or {}
        if before.get(RUN, 0) > job.run:
            raise LeaseLost(f"{job.id}: a later run has applied what it fetched")
        applied = await apply_batch(session, _batches(fetched, accounts), merchants, today, twins=twins)
        outcome = {name: count + before.get(name, 0) for name, count in applied.as_outcome().items()}
        await jobs.record_outcome(session, job.id, {**outcome, RUN: job.run, CURSOR: fetched.cursor})
    return outcome, applied.refold


def _batches(fetched: Fetched, accounts: Sequence[PlacedAccount]) -> list[AccountBatch]:
    provider = fetched.statement.provider
    return [
        AccountBatch(
            each.account_id,
            each.statement.account_type,
            provider,
            each.statement.transactions,
            removed=each.statement.removed,
            window=each.statement.window,
        )
        for each in accounts
    ]


async def _tell(run: _Run, **values: object) -> None:
    async with run.services.db.write("bank", run.viewer) as session:
        await service.note_progress(session, run.connection_id, run.job.id, **values)


def _counted(outcome: Mapping[str, int]) -> dict[str, int]:
    return {f"transactions_{name}": outcome.get(name, 0) for name in ("added", "updated", "removed")}


async def _fail(run: _Run, failure: service.Failure) -> None:
    outcome = service.NOTHING if run.job.run == 1 else await _outcome(run.services, run.viewer, run.job.id)
    async with run.services.db.write("bank", run.viewer) as session:
        at = run.services.clock.now()
        await service.fail_sync(session, run.connection_id, run.job.id, failure, at, run.every, outcome, began=run.began)
        await run.job.finish(session)


async def _outcome(services: Services, viewer: Viewer, job_id: UUID) -> Mapping[str, int]:
    """What the job's runs have come to in the ledger, whatever became of them afterwards."""
    async with services.db.write("transaction", viewer) as session:
        return await jobs.find_outcome(session, job_id) or service.NOTHING


async def _end_as_removed(run: _Run) -> None:
    outcome = await _outcome(run.services, run.viewer, run.job.id)
    async with run.services.db.write("bank", run.viewer) as session:
        await service.end_as_removed(session, run.connection_id, run.job.id, outcome, run.services.clock.now())
        await run.job.finish(session)


def _failure(error: ProviderError) -> service.Failure:
    return service.Failure(
        code=error.code,
        message=error.message,
        detail=error.detail,
        needs_login=isinstance(error, ReauthenticationRequired),
        retry_after_s=getattr(error, "retry_after_s", None),
    )
