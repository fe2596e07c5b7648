"""Jobs of `audit`: entries on their way into the trail, and its months ahead of the calendar."""

from domains.audit.service.keep_trail import ensure_months
from domains.core.audit import RECORD
from domains.flows.audit_trail import record_entry
from workers.task import DAILY, Job, task


@task(RECORD, outlives_user=True)
async def record(job: Job) -> None:
    await record_entry(job.services, job)


@task("audit.ensure_months", every=DAILY, domains=("audit",))
async def ensure_months_ahead(job: Job) -> None:
    """This month and the next three."""
    async with job.system() as session:
        await ensure_months(session, job.services.clock.now().date())
        await job.finish(session)
