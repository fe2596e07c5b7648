"""Jobs of `audit`: entries on their way into the trail, its months ahead of the calendar, and copies of people's data."""

from datetime import timedelta
from uuid import UUID

from domains.audit.service.answer_exports import EXPORT, end_exports
from domains.audit.service.keep_trail import ensure_months
from domains.core.audit import RECORD, RECORD_ATTEMPTS
from domains.flows.audit_trail import record_entry
from domains.flows.export_data import run_export
from workers.task import DAILY, Job, task

PURGE_BATCHES = 100
EXPORTS_PER_BATCH = 10


@task(RECORD, max_attempts=RECORD_ATTEMPTS, outlives_user=True)
async def record(job: Job) -> None:
    await record_entry(job.services, job)


@task("audit.ensure_months", every=DAILY, domains=("audit",))
async def ensure_months_ahead(job: Job) -> None:
    """This month and the next three."""
    async with job.system() as session:
        await ensure_months(session, job.services.clock.now().date())
        await job.finish(session)


@task(EXPORT, timeout_s=60 * 60.0)
async def export(job: Job, request_id: UUID) -> None:
    await run_export(job.services, job, request_id)


@task("audit.end_exports", every=timedelta(minutes=10), domains=("audit",))
async def end_old_exports(job: Job) -> None:
    """Files that have expired go, and requests whose job is dead are told so. What is left after so many batches is for the next time."""
    for _ in range(PURGE_BATCHES):
        async with job.system() as session:
            if not await end_exports(session, limit=EXPORTS_PER_BATCH):
                return
