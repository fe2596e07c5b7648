"""Months' sums are what the transactions say, whatever went wrong: who differs is found at night, and folded as themselves."""

from collections.abc import Sequence
from uuid import UUID

from db import jobs
from db.engines import SystemSession, WriteSession
from db.transaction.queries import batches, comparing, folds

REPAIR = "transaction.repair_months"


async def request_repair(session: SystemSession, user_ids: Sequence[UUID]) -> list[UUID]:
    """Queue a repair for those of these users whose sums differ and who have none waiting; answers who they are."""
    waiting = await comparing.list_waiting(session, REPAIR, user_ids)
    differing = sorted({each.user_id for each in await comparing.unlike_months(session, user_ids)} - waiting)
    for user_id in differing:
        await jobs.add(session, REPAIR, key=str(user_id), user_id=user_id)
    return differing


async def repair_months(session: WriteSession) -> int:
    """Fold those of the viewer's months anew that differ, closed ones excepted; answers how many they were."""
    await batches.lock_user(session)
    months = await comparing.own_unlike_months(session)
    if months:
        await folds.refold_months(session, months)
    return len(months)
