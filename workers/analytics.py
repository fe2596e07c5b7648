"""Jobs of `analytics`: users' words on merchants are counted, what has expired goes."""

from db.analytics.queries import answers, merchants
from domains.flows.vote_on_merchants import VOTE, run_vote
from workers.task import HOURLY, Job, task

BATCHES = 100


@task(VOTE)
async def vote(job: Job) -> None:
    await run_vote(job.services, job)


@task("analytics.repair_merchants", every=HOURLY, domains=("analytics",))
async def repair_merchants(job: Job) -> None:
    """What is shared follows users who are gone, votes and all. What is left over after so many batches is for the next hour."""
    for _ in range(BATCHES):
        async with job.system() as session:
            if not await merchants.repair_merchants(session):
                return


@task("analytics.purge_answers", every=HOURLY, domains=("analytics",))
async def purge_answers(job: Job) -> None:
    """What is left over after so many batches is for the next hour."""
    for _ in range(BATCHES):
        async with job.system() as session:
            if not await answers.purge_answers(session):
                return
