"""Jobs of `transaction`: partitions ahead of the calendar."""

from db.transaction.queries import batches
from workers.task import DAILY, Job, task


@task("transaction.ensure_partitions", every=DAILY, domains=("transaction",))
async def ensure_partitions(job: Job) -> None:
    """This year's and the next's. Years of old statements are made when one is imported."""
    year = job.services.clock.now().year
    async with job.system() as session:
        await batches.ensure_partitions(session, [year, year + 1])
        await job.finish(session)
