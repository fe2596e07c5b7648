"""Jobs of `transaction`: partitions ahead of the calendar, and months' sums that differ from the transactions."""

from datetime import timedelta
from typing import Final

from db.transaction.queries import batches
from domains.flows.repair_months import request_repairs, run_repair
from domains.transaction.service.repair_months import REPAIR
from workers.task import DAILY, Job, task

#: All transactions are read.
NIGHT_S: Final = timedelta(hours=6).total_seconds()


@task("transaction.ensure_partitions", every=DAILY, domains=("transaction",))
async def ensure_partitions(job: Job) -> None:
    """This year's and the next's. Years of old statements are made when one is imported."""
    year = job.services.clock.now().year
    async with job.system() as session:
        await batches.ensure_partitions(session, [year, year + 1])
        await job.finish(session)


@task("transaction.compare_months", every=DAILY, domains=("transaction",), timeout_s=NIGHT_S)
async def compare_months(job: Job) -> None:
    await request_repairs(job.services)


@task(REPAIR)
async def repair_months(job: Job) -> None:
    await run_repair(job.services, job)
