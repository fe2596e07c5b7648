"""Jobs of `bank`: statements on their way in, and uploads that nobody imported."""

from datetime import timedelta
from uuid import UUID

from db.bank import queries as bank
from domains.bank.service import import_statements as service
from domains.flows.import_statement import close_abandoned, run_import
from workers.task import HOURLY, Job, task

PURGE_BATCHES = 100


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
