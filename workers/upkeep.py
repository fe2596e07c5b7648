"""Upkeep of the tables that every domain has."""

from db import idempotency, jobs
from db.base import DOMAINS
from workers.task import HOURLY, Job, task

PURGE_BATCHES = 100


@task("upkeep.purge", every=HOURLY, domains=DOMAINS)
async def purge(job: Job) -> None:
    """Old jobs, fences and idempotency keys of the job's own domain, each batch a transaction; what is left is for the next hour."""
    for purge_some in (jobs.purge, idempotency.purge):
        for _ in range(PURGE_BATCHES):
            async with job.system() as session:
                if not await purge_some(session):
                    break
