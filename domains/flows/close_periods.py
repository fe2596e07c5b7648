"""Close what is over: windows from the budgets, sums from the transactions, rows back to the budgets.

A fold like that of the figures of today: it may run twice, stop anywhere and race with an import. Each row keeps the version of the
ledger that it was summed from, so that an older closing never overwrites a newer one; and a frozen row is never changed.
"""

from collections.abc import Collection, Sequence
from datetime import date

from db.budget import queries as budgets
from db.budget import queries_history as history
from db.budget.queries import Definition
from db.budget.queries_history import ClosedPeriod
from db.engines import Viewer
from db.transaction.queries.categories import categories_by_id
from domains.budget.rules import add_months
from domains.budget.service import close_periods as service
from domains.budget.service.apply_fold import Fold
from domains.budget.service.close_periods import Closing
from domains.core.errors import TryAgain
from domains.flows.refold_budgets import TRIES, Finish, budgets_changing, owners_today, take_sums
from domains.flows.services import Job, Services

#: Periods closed by one run at most; what is left is for the next one.
PERIODS_AT_MOST = 4_000


async def run_closing(services: Services, job: Job) -> None:
    """The job `budget.close_periods`. Errors: LeaseLost; TryAgain."""
    await close_periods(services, job.viewer, finish=job.finish)


async def run_closing_again(services: Services, job: Job, year: int) -> None:
    """The job `budget.close_again` of any domain: transactions of this year changed, maybe in periods that are closed.

    Errors: LeaseLost; TryAgain.
    """
    for month in (1, 4, 7, 10):  # a quarter of everything that a user may have is less than one run does
        first = date(year, month, 1)
        await close_periods(services, job.viewer, again=(first, add_months(first, 3)))
    async with services.db.write(job.domain, job.viewer) as session:
        await job.finish(session)


async def close_periods(
    services: Services, viewer: Viewer, *, again: tuple[date, date] | None = None, finish: Finish | None = None
) -> None:
    """Close every period of the viewer's budgets that is over where they live and has no row.

    again:   fold the rows, frozen ones excepted, of periods that hold a day of this half-open range once more: late transactions did.
    finish:  runs in the transaction that stores the last of it.
    Errors:  TryAgain.
    """
    for _ in range(TRIES):
        _, today = await owners_today(services, viewer)
        definitions, closed = await _known(services, viewer)
        plan = service.plan_closing(definitions, closed, today, at_most=PERIODS_AT_MOST, again=again)
        if await _carry_out(services, viewer, plan, finish=finish):
            return
    raise budgets_changing()


async def freeze_history(services: Services, viewer: Viewer, until: date) -> int:
    """Close and freeze every period that begins before a day, so that the transactions before that day may go; answers how
    many there are.

    What is not frozen yet is folded once more first: these are the last sums that there will be.
    Errors: TryAgain, when a period is not over yet, the budgets kept changing, or there is more than one run does. Drop nothing then;
    what has been frozen stays so.
    """
    for _ in range(TRIES):
        _, today = await owners_today(services, viewer)
        definitions, closed = await _known(services, viewer)
        if service.is_any_under_way(definitions, today, until):
            raise _open("A period that began before that day is not over.")
        plan = _to_freeze(definitions, closed, today, until)
        is_done = await _carry_out(services, viewer, plan, freeze=True)
        if len(plan.folds) == PERIODS_AT_MOST:
            raise _open("There are more periods to close than one run does.")
        definitions, closed = await _known(services, viewer)
        # a row that was refused, for one of a newer ledger, is left; so is what has come since
        if is_done and not _to_freeze(definitions, closed, today, until).folds:
            return sum(row.is_frozen and row.period_start < until for row in closed)
    raise budgets_changing()


def _to_freeze(definitions: Sequence[Definition], closed: Sequence[ClosedPeriod], today: date, until: date) -> Closing:
    return service.plan_closing(definitions, closed, today, at_most=PERIODS_AT_MOST, again=(date.min, until), before=until)


def _open(message: str) -> TryAgain:
    return TryAgain("HISTORY_OPEN", message)


async def _known(services: Services, viewer: Viewer) -> tuple[Sequence[Definition], Sequence[ClosedPeriod]]:
    async with services.db.read("budget", viewer) as read:
        definitions = [Definition(*row) for row in await read.rows(budgets.budgets_to_fold())]
        closed = [ClosedPeriod(*row) for row in await read.rows(history.closed_periods())]
    gone = await _gone(services, viewer, {each.category for each in closed} - {each.category for each in definitions})
    return definitions, [each._replace(is_frozen=True) if each.category in gone else each for each in closed]


async def _gone(services: Services, viewer: Viewer, categories: Collection[str]) -> set[str]:
    """Those that the viewer has deleted since. Nothing is in them any more, and what a period of them came to cannot be summed again."""
    if not categories:
        return set()
    async with services.db.read("transaction", viewer) as read:
        rows = await read.rows(categories_by_id(()), keys=sorted(categories))
    return set(categories) - {row.key for row in rows}


def _former(plan: Closing, folds: Sequence[Fold]) -> set[str]:
    """The categories of closed periods whose budgets are for another one by now."""
    return {fold.definition.category for fold in folds if fold.definition.category != plan.budgets[fold.definition.id].category}


async def _carry_out(services: Services, viewer: Viewer, plan: Closing, *, freeze: bool = False, finish: Finish | None = None) -> bool:
    """Sum and store a batch after the other; answers whether the budgets stayed what they were."""
    batches = plan.batches() or [[]]
    for number, folds in enumerate(batches, start=1):
        is_last = number == len(batches)
        ledger_version = await take_sums(services, viewer, folds) if folds else 0
        gone = await _gone(services, viewer, _former(plan, folds))  # after the sums: what is there now was there then
        folds = [fold for fold in folds if fold.definition.category not in gone]
        async with services.db.write("budget", viewer) as session:
            # freezing looks at a part of the periods only, and so knows nothing of when the next one ends
            if not await service.close_periods(session, plan, folds, ledger_version, is_last=is_last and not freeze, freeze=freeze):
                return False
            if is_last and finish is not None:
                await finish(session)
    return True
