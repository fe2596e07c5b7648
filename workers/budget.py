"""Jobs of `budget`: figures follow transactions, and the calendar."""

from datetime import timedelta
from typing import Final

from domains.budget.service.change_budgets import request_roll_over
from domains.flows.refold_budgets import run_refold
from workers.task import HOURLY, Job, task

#: Where a day begins first: UTC+14. Elsewhere the same fold changes nothing until the day is there.
EARLIEST: Final = timedelta(hours=14)
BATCHES: Final = 10


@task("budget.refold")
async def refold(job: Job) -> None:
    await run_refold(job.services, job)


@task("budget.roll_over", every=HOURLY, domains=("budget",))
async def roll_over(job: Job) -> None:
    """What is left over after so many batches is for the next hour."""
    day = (job.services.clock.now() + EARLIEST).date()
    for _ in range(BATCHES):
        async with job.system() as session:
            if not await request_roll_over(session, day):
                return
