"""What their owner says of two transactions: that they are one transfer, or one movement that came twice; or that they are not.

Their word stands while both are there, whatever amounts and days say, and whatever comes later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from db.engines import WriteSession
from db.jobs import Claim
from db.transaction.queries import batches
from db.transaction.queries import pairs as queries
from db.transaction.queries.pairs import APPLIED, DUPLICATE, FoundPair, Side
from db.transaction.queries.reviews import Review
from domains.transaction.errors import PairImpossible, ReviewNotFound, TransactionNotFound, TransactionPaired
from domains.transaction.service import find_transfers
from domains.transaction.service.apply_batch import pair_again, record_change
from domains.transaction.service.store_pairs import is_live, months_of
from domains.transaction.service.touched import Touched

TRANSFER = find_transfers.KIND
#: The names of the inputs that the two came by.
Fields = tuple[str, str]
_OF_TRANSFER: Fields = ("debitId", "creditId")
_OF_DUPLICATE: Fields = ("id", "ofId")
_OF_REVIEW: Fields = ("id", "id")


@dataclass(frozen=True, slots=True)
class Paired:
    """The pair's review. is_new: their owner had not said so before. moves_sums, refold: as of every change of transactions."""

    review_id: UUID
    is_new: bool
    moves_sums: bool = False
    refold: Claim | None = None


async def pair_transfer(session: WriteSession, debit_id: UUID, credit_id: UUID) -> Paired:
    """Say that what left one account is what arrived on another; amounts may differ, as by a fee.

    Effects: neither counts in sums any more: months are refolded, and one `budget.refold` job queued. Their categories stay.
    Errors:  TransactionNotFound; PairImpossible; TransactionPaired.
    """
    await batches.lock_user(session)
    debit, credit = await _both(session, debit_id, credit_id, _OF_TRANSFER)
    before = await _find(session, TRANSFER, debit_id, credit_id)
    is_theirs = before is not None and before.state == APPLIED
    _check_transfer(debit, credit, before.id if before is not None and is_theirs else None, _OF_TRANSFER)
    review_id = await _record(session, TRANSFER, debit, credit)
    if is_theirs:
        return Paired(review_id, is_new=before is not None and before.decided_by != "user")
    months = await _join_transfer(session, review_id, debit, credit)
    return Paired(review_id, is_new=True, moves_sums=True, refold=await record_change(session, months))


async def mark_duplicate(session: WriteSession, transaction_id: UUID, of_id: UUID) -> Paired:
    """Say that a transaction stands for another one that is there already. What it was said to stand for before, it does no more.

    Effects: it counts in no sum any more, as with `pair_transfer`; a transfer that it was in is taken apart.
    Errors:  TransactionNotFound; PairImpossible.
    """
    await batches.lock_user(session)
    double, original = await _both(session, transaction_id, of_id, _OF_DUPLICATE)
    _check_duplicate(double, original, _OF_DUPLICATE)
    before = await queries.find_pairs(session, DUPLICATE, [transaction_id], APPLIED)
    of_this = [pair for pair in before if pair.transaction_id == transaction_id]
    review_id = await _record(session, DUPLICATE, double, original)
    if any(pair.other_id == of_id for pair in of_this):
        return Paired(review_id, is_new=of_this[0].decided_by != "user")
    if of_this:
        await queries.drop_pairs(session, [pair.id for pair in of_this])
    months = await _flag(session, double, original)
    return Paired(review_id, is_new=True, moves_sums=True, refold=await record_change(session, months))


async def decide_transfer(session: WriteSession, review: Review, _at: datetime, /, *, accept: bool) -> set[date]:
    """Make a pair a transfer, or take it apart for good; answers the first days of the months that changed. Under the user's lock.

    Errors: when it is accepted and cannot be any more: ReviewNotFound; PairImpossible; TransactionPaired.
    """
    one, other = await _sides(session, review)
    if accept:
        debit, credit = _present(one, other)
        _check_transfer(debit, credit, review.id, _OF_REVIEW)
        return await _join_transfer(session, review.id, debit, credit)
    joined = [side for side in (one, other) if side is not None and side.transfer_id == review.id]
    if joined:
        await queries.mark_transfers(session, [(side.id, side.transaction_date, None) for side in joined])
    return months_of(side.transaction_date for side in joined) | await _look_again(session, joined)


async def decide_duplicate(session: WriteSession, review: Review, _at: datetime, /, *, accept: bool) -> set[date]:
    """Make the one a duplicate of the other, or one of its own for good; answers and errors as those of `decide_transfer`."""
    one, other = await _sides(session, review)
    if accept:
        double, original = _present(one, other)
        _check_duplicate(double, original, _OF_REVIEW)
        return await _flag(session, double, original)
    flagged = [one] if one is not None and one.duplicate_of == review.other_id else []
    if flagged:
        await queries.mark_duplicates(session, [(side.id, side.transaction_date, None) for side in flagged])
    return months_of(side.transaction_date for side in flagged) | await _look_again(session, flagged)


def _check_transfer(debit: Side, credit: Side, review_id: UUID | None, fields: Fields) -> None:
    """`review_id`: the pair that they may be in already."""
    if (debit.direction, credit.direction) != ("debit", "credit"):
        raise PairImpossible("A transfer is of what left one account and what arrived on another.", field=fields[0])
    if debit.account_id == credit.account_id:
        raise PairImpossible("A transfer is between two accounts.", field=fields[1])
    for side, field in zip((debit, credit), fields, strict=True):
        if not is_live(side):
            raise PairImpossible("What was cancelled, or stands for another transaction, is in no transfer.", field=field)
        if side.transfer_id not in (None, review_id):
            raise TransactionPaired(field=field)


def _check_duplicate(double: Side, original: Side, fields: Fields) -> None:
    if double.id == original.id:
        raise PairImpossible("A transaction is no duplicate of itself.", field=fields[1])
    if (double.direction, double.currency) != (original.direction, original.currency):
        raise PairImpossible("A duplicate goes the same way, in the same currency.", field=fields[1])
    if not is_live(original):
        raise PairImpossible("What was cancelled, or is a duplicate itself, has no duplicates.", field=fields[1])
    if double.status not in queries.LIVE:
        raise PairImpossible("What was cancelled is no duplicate.", field=fields[0])


async def _join_transfer(session: WriteSession, review_id: UUID, debit: Side, credit: Side) -> set[date]:
    await queries.mark_transfers(session, [(side.id, side.transaction_date, review_id) for side in (debit, credit)])
    return months_of((debit.transaction_date, credit.transaction_date)) | await _look_again(session, (debit, credit))


async def _flag(session: WriteSession, double: Side, original: Side) -> set[date]:
    await queries.mark_duplicates(session, [(double.id, double.transaction_date, original.id)])
    return months_of((double.transaction_date,)) | await _look_again(session, (double, original))


async def _look_again(session: WriteSession, sides: Sequence[Side]) -> set[date]:
    """What else was suggested of them, or of their neighbours, may be settled by this."""
    touched = Touched()
    for side in sides:
        touched.note_changed(side.id, side.account_id, side.transaction_date)
    return await pair_again(session, touched)


async def _both(session: WriteSession, one_id: UUID, other_id: UUID, fields: Fields) -> tuple[Side, Side]:
    """Errors: TransactionNotFound."""
    found = {side.id: side for side in await queries.find_sides(session, [one_id, other_id])}
    for transaction_id, field in zip((one_id, other_id), fields, strict=True):
        if transaction_id not in found:
            raise TransactionNotFound(field=field)
    return found[one_id], found[other_id]


async def _sides(session: WriteSession, review: Review) -> tuple[Side | None, Side | None]:
    ids = [each for each in (review.transaction_id, review.other_id) if each is not None]
    found = {side.id: side for side in await queries.find_sides(session, ids)}
    return found.get(review.transaction_id), None if review.other_id is None else found.get(review.other_id)


def _present(one: Side | None, other: Side | None) -> tuple[Side, Side]:
    if one is None or other is None:
        raise ReviewNotFound(field="id")
    return one, other


async def _find(session: WriteSession, kind: str, one_id: UUID, other_id: UUID) -> FoundPair | None:
    found = await queries.find_pairs(session, kind, [one_id])
    return next((pair for pair in found if (pair.transaction_id, pair.other_id) == (one_id, other_id)), None)


async def _record(session: WriteSession, kind: str, one: Side, other: Side) -> UUID:
    row: dict[str, Any] = {
        "transaction_id": one.id,
        "transaction_date": one.transaction_date,
        "other_id": other.id,
        "other_date": other.transaction_date,
        "state": APPLIED,
        "decided_by": "user",
        "score": None,
        "reasons": [],
    }
    [stored] = await queries.record_pairs(session, kind, [row], by_user=True)
    return stored.id
