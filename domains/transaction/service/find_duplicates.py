"""Find transactions that two connections to one account have brought both, around what a change has touched.

Run again it changes nothing, as with transfers. What is a duplicate stays visible, says of what, and counts in no sum; its owner can say
that it is none, and then it stays so.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Final
from uuid import UUID

from db.engines import WriteSession
from db.transaction.queries import pairs as queries
from db.transaction.queries.pairs import APPLIED, DUPLICATE, REJECTED, SUGGESTED, FoundListed, FoundPair, Side
from domains.transaction.matching import words_of
from domains.transaction.pairing_duplicates import DAYS_APART, Listed, pair_duplicates
from domains.transaction.service.store_pairs import is_live, months_of, store_pairs, windows
from domains.transaction.service.touched import Touched

KIND: Final = DUPLICATE


async def find_duplicates(session: WriteSession, touched: Touched, twins: Mapping[UUID, frozenset[UUID]]) -> set[date]:
    """Flag what is certain, suggest what is likely, forget what has become impossible; answers the first days of the months that changed.

    twins:   other accounts that are the same one by another connection, per account.
    Effects: rows of reviews; `is_duplicate` and `duplicate_of` of the duplicates, which `touched` has as changed from then on, so that
             transfers are found after duplicates. The caller refolds the months.
    """
    freed = await _part(session, touched)
    days = touched.days | {side.transaction_date for side in freed}
    account_ids = _concerned({*touched.account_ids, *(side.account_id for side in freed)}, twins)
    around = windows(days, 2 * DAYS_APART)
    rows = [_listed(each) for each in await queries.find_listed(session, account_ids, around)] if account_ids and around else []
    ids = {row.id for row in rows} | touched.changed | touched.gone
    known = await queries.find_pairs(session, KIND, ids) if ids else []
    rejected = {(pair.transaction_id, pair.other_id) for pair in known if pair.state == REJECTED}
    taken = {(pair.other_id, pair.one.account_id) for pair in known if pair.state == APPLIED and pair.one is not None}
    concerned = {row.id for row in rows if row.day in days} | touched.changed | touched.gone
    found = [pair for pair in pair_duplicates(rows, twins, rejected, taken) if not concerned.isdisjoint(pair[:2])]
    open_ = [pair for pair in known if not _may_be_still(pair, account_ids)]
    joined = await store_pairs(session, KIND, found, {row.id: row.day for row in rows}, open_, concerned)
    seen = {row.id: row for row in rows}
    flagged = [seen[pair.transaction_id] for pair in joined]
    if joined:
        await queries.mark_duplicates(session, [(pair.transaction_id, seen[pair.transaction_id].day, pair.other_id) for pair in joined])
    for row in flagged:
        touched.note_changed(row.id, row.account_id, row.day)
    return months_of([side.transaction_date for side in freed] + [row.day for row in flagged])


def _concerned(account_ids: Iterable[UUID], twins: Mapping[UUID, frozenset[UUID]]) -> set[UUID]:
    """Those of them that have twins, and these."""
    return {each for account_id in account_ids if twins.get(account_id) for each in (account_id, *twins[account_id])}


async def _part(session: WriteSession, touched: Touched) -> list[Side]:
    """Undo pairs that hold no more; answers the duplicates that are none by that, as far as they are there."""
    ids = touched.changed | touched.gone
    known = await queries.find_pairs(session, KIND, ids, APPLIED) if ids else []
    broken = [pair for pair in known if not _holds(pair)]
    if not broken:
        return []
    freed = [pair.one for pair in broken if pair.one is not None]
    await queries.drop_pairs(session, [pair.id for pair in broken])
    if freed:
        await queries.mark_duplicates(session, [(side.id, side.transaction_date, None) for side in freed])
    for side in freed:
        touched.note_changed(side.id, side.account_id, side.transaction_date)
    return freed


def _holds(pair: FoundPair) -> bool:
    """What its owner called a duplicate needs no more than that both are there. A duplicate may itself have one."""
    one, other = pair.one, pair.other
    if one is None or other is None or one.status not in queries.LIVE or other.status not in queries.LIVE:
        return False
    is_same = (one.amount, one.currency, one.direction) == (other.amount, other.currency, other.direction)
    return pair.decided_by == "user" or (is_same and abs((one.transaction_date - other.transaction_date).days) <= DAYS_APART)


def _may_be_still(pair: FoundPair, account_ids: Collection[UUID]) -> bool:
    """Whether a suggestion is about accounts that nobody spoke of this time: it stays, as long as it is possible."""
    one, other = pair.one, pair.other
    is_elsewhere = one is not None and other is not None and not {one.account_id, other.account_id} <= {*account_ids}
    return pair.state == SUGGESTED and is_elsewhere and _holds(pair) and is_live(one) and is_live(other)


def _listed(found: FoundListed) -> Listed:
    return Listed(*found[:6], words=words_of(found.text), created_at=found.created_at)
