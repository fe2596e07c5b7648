"""Jobs of `budget`: figures follow transactions, and the calendar."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Final

from db.engines import SystemSession
from domains.budget.service import close_periods as closing
from domains.budget.service.change_budgets import request_roll_over
from domains.flows.close_periods import run_closing, run_closing_again
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
    await _request(job, request_roll_over)


@task(closing.CLOSE)
async def close_periods(job: Job) -> None:
    await run_closing(job.services, job)


@task("budget.close_again")
async def close_again(job: Job, year: int) -> None:
    await run_closing_again(job.services, job, year)


@task("budget.find_ended_periods", every=HOURLY, domains=("budget",))
async def find_ended_periods(job: Job) -> None:
    await _request(job, closing.request_closing)


async def _request(job: Job, request: Callable[[SystemSession, date], Awaitable[int]]) -> None:
    """What is left over after so many batches is for the next hour."""
    day = (job.services.clock.now() + EARLIEST).date()
    for _ in range(BATCHES):
        async with job.system() as session:
            if not await request(session, day):
                return
