"""Jobs of `budget`: figures follow transactions."""

from domains.flows.refold_budgets import run_refold
from workers.task import Job, task


@task("budget.refold")
async def refold(job: Job) -> None:
    await run_refold(job.services, job)
