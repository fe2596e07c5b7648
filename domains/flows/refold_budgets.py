"""Make budgets equal to the transactions: windows from one domain, sums from another, figures back into the first.

A fold: whatever caused it, and however often it runs, it ends in what the transactions say. The ledger version that was
read with the sums keeps an older fold from overwriting a newer one.
"""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any

from db import jobs
from db.attempts import retrying
from db.budget import queries as budgets
from db.engines import SystemSession, Viewer, WriteSession
from db.errors import DatabaseUnavailable, LeaseLost
from db.transaction.queries import folds
from db.user import queries as users
from domains.budget import rules
from domains.budget.service.apply_fold import Fold, apply_fold
from domains.core.clock import local_date
from domains.core.errors import TryAgain
from domains.flows.services import Job, Services

#: A budget that is redefined while it is folded makes the fold start over, this often at most.
TRIES = 3
Finish = Callable[[SystemSession], Awaitable[None]]


async def run_refold(services: Services, job: Job) -> None:
    """The job `budget.refold` of any domain. Errors: LeaseLost; TryAgain."""
    if job.domain == "budget":
        await _refold(services, job.viewer, job.finish)
        return
    await _refold(services, job.viewer, None)
    async with services.db.write(job.domain, job.viewer) as session:
        await job.finish(session)


async def refold_held(services: Services, viewer: Viewer, held: jobs.Claim | None) -> None:
    """Fold at once for a change that was just committed. `held` is the job it left; without one, another run follows ours anyway.

    Errors: TryAgain, DatabaseUnavailable: the change stands, and a worker folds it.
    """
    if held is None:
        await retrying(lambda: _refold(services, viewer, None), may_repeat=True)
        return
    try:
        await retrying(lambda: _fold_and_finish(services, viewer, held), may_repeat=True)
    except LeaseLost:
        return  # a worker took over and folds the same
    except (TryAgain, DatabaseUnavailable):
        with contextlib.suppress(DatabaseUnavailable):
            await jobs.release(services.db, held)  # or a worker would wait for the end of the lease
        raise


async def _fold_and_finish(services: Services, viewer: Viewer, held: jobs.Claim) -> None:
    async def finish(session: SystemSession) -> None:
        await jobs.finish(session, held)

    if held.domain == "budget":
        await _refold(services, viewer, finish)
        return
    await _refold(services, viewer, None)
    async with services.db.write(held.domain, viewer) as session:
        await finish(session)


async def _refold(services: Services, viewer: Viewer, finish: Finish | None) -> None:
    """Fold every budget of the viewer; `finish` runs in the transaction that stores the figures."""
    for _ in range(TRIES):
        at, today = await owners_today(services, viewer)  # again for each try: a day may have begun
        made, ledger_version = await _fold(services, viewer, today)
        async with services.db.write("budget", viewer) as session:
            if await _store(session, made, ledger_version, today, at, finish):
                return
    raise budgets_changing()


def budgets_changing() -> TryAgain:
    return TryAgain("BUDGETS_CHANGING", "The budgets kept changing while they were computed.")


async def owners_today(services: Services, viewer: Viewer) -> tuple[datetime, date]:
    """This instant, and the day that it is where the viewer lives by now."""
    async with services.db.read("user", viewer) as read:
        timezone = await read.value(users.timezone())
    at = services.clock.now()
    return at, local_date(at, timezone or "UTC")


async def _store(session: WriteSession, made: list[Fold], ledger_version: int, today: date, at: datetime, finish: Finish | None) -> bool:
    if made and not await apply_fold(session, made, ledger_version, today, at):
        return False
    if finish is not None:
        await finish(session)
    return True


async def _fold(services: Services, viewer: Viewer, today: date) -> tuple[list[Fold], int]:
    """A fold for each budget that has begun, and the version of the ledger that its sums were read with."""
    async with services.db.read("budget", viewer) as read:
        definitions = [budgets.Definition(*row) for row in await read.rows(budgets.budgets_to_fold())]
    made = [Fold(each, period) for each in definitions if (period := _period(each, today)) is not None]
    return made, await take_sums(services, viewer, made)


async def take_sums(services: Services, viewer: Viewer, made: list[Fold]) -> int:
    """Sum each fold's window; answers the version of the ledger that the sums were read with."""
    async with services.db.read("transaction", viewer) as read:
        version = await read.value(folds.ledger_version()) or 0
        sums = await read.rows(folds.sums_by_window(), **_windows(made)) if made else []
    for row in sums:
        made[row.n].take(row.currency, row.spent, row.pending, row.transactions, row.last_date)
    return int(version)


def _period(definition: budgets.Definition, today: date) -> rules.Period | None:
    """The period that holds today, or the last one of a budget that is over: statements of it may come later than its end."""
    day = today if definition.end_date is None else min(today, definition.end_date)
    return rules.period_containing(definition.period, definition.start_date, definition.end_date, day)


def _windows(made: list[Fold]) -> dict[str, list[Any]]:
    return {
        "windows": list(range(len(made))),
        "roots": [fold.definition.category for fold in made],
        "firsts": [fold.period.start for fold in made],
        "ends": [fold.period.end for fold in made],
    }
