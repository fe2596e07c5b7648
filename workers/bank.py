"""Jobs of `bank`: what linked banks have to tell, the end of connections, statements on their way in, and upkeep of all these."""

from datetime import timedelta
from uuid import UUID

from db.bank import queries as bank
from db.bank import queries_links as links
from domains.bank.service import import_statements as service
from domains.bank.service import remove_connections as removals
from domains.bank.service import sync_connections as syncs
from domains.flows import remove_connection, sync_connection
from domains.flows.import_statement import close_abandoned, run_import
from workers.task import DAILY, HOURLY, Job, task

PURGE_BATCHES = 100
#: Of connections that are due, or whose owners are to be warned, in one run.
BATCHES_AT_MOST = 100


@task(syncs.SYNC)
async def sync(job: Job, connection_id: UUID, sync_type: str) -> None:
    await sync_connection.run_sync(job.services, job, connection_id, sync_type)


@task("bank.find_due_syncs", every=timedelta(minutes=1), domains=("bank",))
async def find_due_syncs(job: Job) -> None:
    """What is left over after so many batches is for the next minute."""
    for _ in range(BATCHES_AT_MOST):
        if not await sync_connection.request_due(job.services):
            return


@task("bank.watch_consents", every=DAILY, domains=("bank",))
async def watch_consents(job: Job) -> None:
    """Who has to agree again within a week is told so, once."""
    for _ in range(BATCHES_AT_MOST):
        async with job.system() as session:
            if not await syncs.warn_of_consents(session, job.services.clock.now()):
                return


@task("bank.find_abandoned_syncs", every=timedelta(minutes=10), domains=("bank",))
async def find_abandoned_syncs(job: Job) -> None:
    """A fetch whose job died is ended, and tried again by the calendar: the history tells the truth."""
    async with job.system() as session:
        await syncs.request_closing_of_syncs(session)
        await job.finish(session)


@task(syncs.CLOSE_SYNC)
async def close_sync(job: Job, sync_job_id: UUID) -> None:
    await sync_connection.close_abandoned(job.services, job, sync_job_id)


@task(removals.REVOKE, retry_on=remove_connection.PASSING, max_attempts=removals.REVOKE_ATTEMPTS)
async def revoke(job: Job, revocation_id: UUID) -> None:
    await remove_connection.run_revoking(job.services, job, revocation_id)


@task(removals.FORGET, max_attempts=removals.FORGET_ATTEMPTS)
async def forget_transactions(job: Job, connection_id: UUID) -> None:
    await remove_connection.run_forgetting(job.services, job, connection_id)


@task("bank.purge_links", every=HOURLY, domains=("bank",))
async def purge_links(job: Job) -> None:
    """Links that are over, access that should have been revoked long ago, and receipts; what is left is for the next hour."""
    after: links.Place | None = None
    for _ in range(PURGE_BATCHES):
        async with job.system() as session:
            after = await links.destroy_secrets(session, after)
        if after is None:
            break
    for purge_some in (links.purge_links, links.purge_revocations, links.purge_webhooks):
        for _ in range(PURGE_BATCHES):
            async with job.system() as session:
                if not await purge_some(session):
                    break


@task("bank.import")
async def import_statement(job: Job, import_id: UUID) -> None:
    await run_import(job.services, job, import_id)


@task("bank.purge_uploads", every=HOURLY, domains=("bank",))
async def purge_uploads(job: Job) -> None:
    """What is left over after so many batches is for the next hour."""
    for _ in range(PURGE_BATCHES):
        async with job.system() as session:
            if not await bank.purge_uploads(session):
                return


@task("bank.find_abandoned_imports", every=timedelta(minutes=10), domains=("bank",))
async def find_abandoned_imports(job: Job) -> None:
    """An import whose job died, after all its attempts or with each of its processes, is ended: somebody waits for it."""
    async with job.system() as session:
        await service.request_closing(session)
        await job.finish(session)


@task(service.CLOSE_IMPORT)
async def close_import(job: Job, import_id: UUID) -> None:
    await close_abandoned(job.services, job, import_id)
