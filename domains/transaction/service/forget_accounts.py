"""Take away all that is known of accounts, as their owner asks when a bank's connection is removed. It does not come back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from db import jobs
from db.engines import WriteSession
from db.transaction.queries import batches, forgetting, reconciling
from domains.transaction.service.apply_batch import month_of, record_change
from domains.transaction.service.find_duplicates import find_duplicates
from domains.transaction.service.find_transfers import find_transfers
from domains.transaction.service.touched import Touched

#: Rows of one transaction of the database.
AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many went. is_over: none is left. refold: the job that the caller holds, as after every change of transactions."""

    transactions: int
    is_over: bool
    refold: jobs.Claim | None = None


async def forget_some(session: WriteSession, account_ids: Sequence[UUID], *, at_once: int = AT_ONCE) -> Forgotten:
    """Take away the next so many transactions of the viewer's accounts; with the last of them, what was deleted of these accounts, too.

    Effects: months' sums and the ledger's version follow, and one `budget.refold` job; what was paired with them is no pair any more.
    """
    await batches.lock_user(session)
    found = await forgetting.find_some(session, account_ids, limit=at_once)
    is_over = len(found) < at_once
    if found:
        await reconciling.delete_transactions(session, [reconciling.Place(each.id, each.transaction_date) for each in found])
    months = await _unpair(session, found)
    if is_over:
        await forgetting.drop_rest(session, account_ids)
    refold = await record_change(session, months) if months else None
    return Forgotten(len(found), is_over, refold)


async def _unpair(session: WriteSession, gone: Sequence[forgetting.Place]) -> set[date]:
    """What stood in a pair with these stands alone again; answers all months that this and their going has touched."""
    if not gone:
        return set()
    touched = Touched()
    for each in gone:
        touched.note_gone(each.id, each.account_id, each.transaction_date)
    months = {month_of(each.transaction_date) for each in gone}
    months |= await find_duplicates(session, touched, {})
    months |= await find_transfers(session, touched)
    await forgetting.drop_reviews(session, sorted({each.id for each in gone}))
    return months
