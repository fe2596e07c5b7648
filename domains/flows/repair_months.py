"""Months' sums are held against the transactions every night, user by user; whose differ gets a job that folds them anew."""

from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from db.transaction.queries import comparing
from db.transaction.queries.comparing import UnlikeMonth
from domains.flows.services import Job, Services
from domains.transaction.service import repair_months as service

USERS_AT_ONCE: Final = 100
#: Ten million people in one night.
BATCHES_AT_MOST: Final = 100_000


async def request_repairs(services: Services) -> int:
    """Queue a repair for everybody whose sums differ; answers how many they are. It may be stopped after any batch."""
    requested = 0
    async for user_ids in _batches(services):
        async with services.db.system("transaction") as session:
            requested += len(await service.request_repair(session, user_ids))
    return requested


async def plan_repairs(services: Services) -> list[UnlikeMonth]:
    """The months whose sums differ. Changes nothing."""
    found: list[UnlikeMonth] = []
    async for user_ids in _batches(services):
        async with services.db.system("transaction") as session:
            found += await comparing.unlike_months(session, user_ids)
    return found


async def run_repair(services: Services, job: Job) -> None:
    """The job `transaction.repair_months`. Errors: LeaseLost."""
    async with services.db.write("transaction", job.viewer) as session:
        await service.repair_months(session)
        await job.finish(session)


async def _batches(services: Services) -> AsyncIterator[Sequence[UUID]]:
    after: UUID | None = None
    for _ in range(BATCHES_AT_MOST):
        async with services.db.system("transaction") as session:
            user_ids = await comparing.list_ledgers(session, after, limit=USERS_AT_ONCE)
        if not user_ids:
            return
        yield user_ids
        after = user_ids[-1]
