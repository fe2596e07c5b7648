"""Let the transactions of months go that need not be kept any more: first what they came to is closed, then they are deleted."""

from dataclasses import dataclass
from datetime import date

from db.engines import WriteSession
from db.transaction.queries import batches, closing, folds


@dataclass(frozen=True, slots=True)
class Dropped:
    """Transactions that went, and months' sums that were frozen first."""

    transactions: int
    frozen: int


async def drop_before(session: WriteSession, until: date, ledger_version: int) -> Dropped | None:
    """Close the viewer's months before a day, the first of a month, and delete their transactions, in this one transaction.

    What the months came to is folded a last time under the user's lock. Categories of sums stay as they were.
    ledger_version: what other domains have closed their own sums by.
    Answers None, and does nothing, when the ledger has moved on since.
    """
    await batches.lock_user(session)
    if await closing.ledger_version(session) != ledger_version:
        return None
    months = await closing.open_months(session, until)
    if months:
        await folds.refold_months(session, months)
    frozen = await closing.close_months(session, until)
    gone = await closing.delete_before(session, until)
    if gone:
        await folds.bump_ledger(session)
    return Dropped(gone, frozen)
