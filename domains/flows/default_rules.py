"""Everybody has the default rules of notification: whoever signs up by a job of that transaction, everybody else found by upkeep.

Users are in one domain, rules in another, and none reads the other's tables.
"""

from typing import Final

from db.user import queries as users
from domains.flows.services import Job, Services
from domains.notification.service.change_rules import give_default_rules, request_defaults

BATCH: Final = 1_000
#: Ten million people; whoever comes after them is found the next day, for by then these have theirs.
BATCHES_AT_MOST: Final = 10_000


async def give_defaults(services: Services, job: Job) -> None:
    """The job `notification.give_defaults` of any domain: run twice, it gives nothing twice. Errors: LeaseLost."""
    async with services.db.write("notification", job.viewer) as session:
        await give_default_rules(session)
        if job.domain == session.domain:
            await job.finish(session)
            return
    async with services.db.write(job.domain, job.viewer) as session:
        await job.finish(session)


async def request_missing_defaults(services: Services) -> int:
    """Queue the giving for everybody who lacks a default, a batch of users at a time; answers how many they are.

    It may be stopped after any batch: who was asked for is asked for once.
    """
    requested, after = 0, None
    for _ in range(BATCHES_AT_MOST):
        async with services.db.system("user") as session:
            ids = await users.list_users(session, after, limit=BATCH)
        if not ids:
            break
        async with services.db.system("notification") as session:
            requested += await request_defaults(session, ids)
        after = ids[-1]
    return requested
