"""From a user's own categories to what imports know of merchants: first theirs, and everybody's once enough users agree.

    choose     transaction: what the user's transactions say, all of them
    vote       analytics, as the user: their votes are made equal to it
    count      analytics, as the system: shared rows follow the votes that changed
    finish     transaction: the job done

Every step makes something equal to what is read, and a vote says until it is counted that it is not: killed after any of them, the job
runs again and ends in the same rows.
"""

from db.analytics.queries import merchants
from db.engines import Viewer
from db.transaction.queries import choices
from domains.analytics.rules import Choice, words_on_merchants
from domains.flows.services import Job, Services
from domains.transaction import rules

VOTE = "analytics.vote"


async def run_vote(services: Services, job: Job) -> None:
    """The job `analytics.vote`. Errors: LeaseLost."""
    votes = await _votes(services, job.viewer)
    async with services.db.write("analytics", job.viewer) as session:
        await merchants.replace_votes(session, votes)
    async with services.db.system("analytics") as system:
        await merchants.count_votes(system, job.viewer.user_id)
    async with services.db.write(job.domain, job.viewer) as session:
        await job.finish(session)


async def _votes(services: Services, viewer: Viewer) -> list[merchants.Vote]:
    """What the viewer says of merchants. Only categories of the taxonomy count: others mean nothing to anybody else."""
    async with services.db.read("transaction", viewer) as read:
        rows = await read.rows(choices.chosen_categories())
    chosen = [Choice(rules.normalise_merchant(row.merchant_name), row.category, row.transactions, row.last_on) for row in rows]
    said = words_on_merchants(choice for choice in chosen if rules.primary_of(choice.category) is not None)
    return [_vote(name, category) for name, category in said.items()]


def _vote(name: str, category: str) -> merchants.Vote:
    primary = rules.primary_of(category) or category
    return merchants.Vote(name, primary, category if category != primary else None)
