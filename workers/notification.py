"""Jobs of `notification`: default rules for everybody, what connections of banks need, and how delivery goes."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from db.notification.queries import notices
from domains.flows.default_rules import give_defaults, request_missing_defaults
from domains.flows.tell_of_connection import tell_of_connection
from domains.notification.service.change_rules import GIVE_DEFAULTS
from workers.task import DAILY, HOURLY, Job, task

#: Counts of days before these stay as they are, whatever is read late or retention takes away.
COUNTED_AGAIN: Final = timedelta(days=30)


@task(GIVE_DEFAULTS)
async def give_default_rules(job: Job) -> None:
    await give_defaults(job.services, job)


@task("notification.notice")
async def notice(job: Job, connection_id: UUID, kind: str) -> None:
    """Asked for by the bank domain, in the transaction of what happened."""
    await tell_of_connection(job.services, job, connection_id, kind)


@task("notification.find_without_defaults", every=DAILY, domains=("notification",))
async def find_without_defaults(job: Job) -> None:
    """Who signed up before a default was there."""
    await request_missing_defaults(job.services)


@task("notification.fold_stats", every=HOURLY, domains=("notification",))
async def fold_stats(job: Job) -> None:
    since = (job.services.clock.now() - COUNTED_AGAIN).date()
    async with job.system() as session:
        await notices.fold_stats(session, since)
        await job.finish(session)
