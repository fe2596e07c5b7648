"""A user deletes a transaction, and may have it back for thirty days. It does not return otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from db.engines import WriteSession
from db.jobs import Claim
from db.transaction.queries import batches, closing, deleted, reconciling
from db.transaction.queries.reconciling import Place, StoredRow
from domains.transaction import matching
from domains.transaction.errors import TransactionMonthClosed, TransactionNotFound
from domains.transaction.service.apply_batch import month_of, pair_again, record_change
from domains.transaction.service.touched import Touched

_DAYS: Final = ("transaction_date", "authorized_date", "posted_date")
_NUMBERS: Final = ("amount", "category_confidence", "location_lat", "location_lon")


@dataclass(frozen=True, slots=True)
class Moved:
    """Into the bin or out of it. is_done: False: it was there already. refold: the job that the caller holds."""

    is_done: bool
    refold: Claim | None = None


async def delete_transaction(session: WriteSession, transaction_id: UUID, at: datetime) -> Moved:
    """Put it into the bin. One that is there already stays there.

    Effects: months' sums and the ledger's version follow, and one `budget.refold` job; pairs that it was in are parted.
    Errors:  TransactionNotFound.
    """
    await batches.lock_user(session)
    place = await deleted.find_place(session, transaction_id)
    if place is None:
        if await deleted.find_deleted(session, transaction_id) is None:
            raise TransactionNotFound(field="id")
        return Moved(is_done=False)
    [row] = await reconciling.find_stored(session, [place])
    months = await bury(session, row, at)
    return Moved(is_done=True, refold=await record_change(session, months))


async def bury(session: WriteSession, row: StoredRow, at: datetime) -> set[date]:
    """Put a row into the bin, under the user's lock; answers the first days of the months that this has changed."""
    words = matching.words_of(row.original_description or row.description or "")
    like = matching.likeness(row.amount, row.currency, row.direction, words)
    await deleted.put_into_bin(session, Place(row.id, row.transaction_date), like, at)
    await reconciling.withdraw_reviews(session, [row.id])
    touched = Touched()
    touched.note_gone(row.id, row.account_id, row.transaction_date)
    return {month_of(row.transaction_date)} | await pair_again(session, touched)


async def restore_transaction(session: WriteSession, transaction_id: UUID) -> Moved:
    """Have it back, with its id, its names and all that was said of it; then what the bank has said since. One that is there stays so.

    Effects: as of deleting it.
    Errors:  TransactionNotFound, when it was never there or is gone for good; TransactionMonthClosed.
    """
    await batches.lock_user(session)
    found = await deleted.find_deleted(session, transaction_id)
    if found is None:
        if await deleted.find_place(session, transaction_id) is None:
            raise TransactionNotFound(field="id")
        return Moved(is_done=False)
    if await closing.closed_among(session, {month_of(found.transaction_date)}):
        raise TransactionMonthClosed(field="id")
    await batches.ensure_partitions(session, [found.transaction_date.year])
    await deleted.take_out_of_bin(session, found)
    day = await _say_again(session, found)
    touched = Touched()
    touched.note_added(found.id, found.account_id, day)
    months = {month_of(found.transaction_date), month_of(day)} | await pair_again(session, touched)
    return Moved(is_done=True, refold=await record_change(session, months))


async def _say_again(session: WriteSession, found: deleted.Deleted) -> date:
    """What the bank has said since it was deleted counts now; answers the day of the row by then. A closed month takes no row."""
    if found.offered is None:
        return found.transaction_date
    row = _record(found.offered) | {"id": found.id, "old_date": found.transaction_date}
    day: date = row["transaction_date"]
    if await closing.closed_among(session, {month_of(day)}):
        return found.transaction_date
    if day != found.transaction_date:
        await batches.ensure_partitions(session, [day.year])
        await batches.move_transactions(session, [row])
        await reconciling.move_names(session, [Place(found.id, day)])
    await batches.change_transactions(session, [row | {"fingerprint": await deleted.fingerprint_of(session, found.id)}])
    return day


def _record(offered: Mapping[str, Any]) -> dict[str, Any]:
    """A record as `provided.record_of` made it, from the bin's JSON."""
    days = {name: None if offered[name] is None else date.fromisoformat(offered[name]) for name in _DAYS}
    numbers = {name: None if offered[name] is None else Decimal(offered[name]) for name in _NUMBERS}
    return {**offered, **days, **numbers}
