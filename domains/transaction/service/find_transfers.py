"""Find transfers between own accounts around what a change has touched, and part those that are none any more.

Run again it changes nothing. A pair that was made stays while both are what they were, whatever else turns up; what the owner decided
stays while both are there. Suggestions follow what there is.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from db.engines import WriteSession
from db.transaction.queries import pairs as queries
from db.transaction.queries.pairs import APPLIED, REJECTED, FoundMover, FoundPair, Side
from domains.transaction.categorisation import BELIEVED
from domains.transaction.pairing import DAYS_APART, OFF_RATE_AT_MOST, Mover, Twins, off_rate, pair_transfers
from domains.transaction.rates import RateTable
from domains.transaction.service.exchange_rates import load_rates
from domains.transaction.service.store_pairs import is_live, months_of, store_pairs, windows
from domains.transaction.service.touched import Touched

KIND: Final = "transfer"


async def find_transfers(session: WriteSession, touched: Touched, twins: Twins | None = None) -> set[date]:
    """Pair what is certain, suggest what is likely, forget what has become impossible; answers the first days of the months that changed.

    twins:   accounts that are the same one by another connection, to which nothing is moved.
    Effects: rows of reviews, and `transfer_id` of both transactions. The caller refolds the months.
    """
    freed = await _part(session, touched)
    days = touched.days | {side.transaction_date for side in freed}
    around = windows(days, 2 * DAYS_APART)
    movers = [_mover(each) for each in await queries.find_movers(session, around, BELIEVED)] if around else []
    ids = {each.id for each in movers} | touched.changed | touched.gone
    known = await queries.find_pairs(session, KIND, ids) if ids else []
    rates = await _rates(session, movers)
    rejected = {(pair.transaction_id, pair.other_id) for pair in known if pair.state == REJECTED}
    seen = {each.id: each for each in movers}
    concerned = {each.id for each in movers if each.day in days} | touched.changed | touched.gone
    found = [pair for pair in pair_transfers(movers, rates.rate, rejected, twins) if not concerned.isdisjoint(pair[:2])]
    joined = await store_pairs(session, KIND, found, {each.id: each.day for each in movers}, known, concerned)
    marks = [(end, seen[end].day, pair.id) for pair in joined for end in (pair.transaction_id, pair.other_id)]
    if marks:
        await queries.mark_transfers(session, marks)
    return months_of([side.transaction_date for side in freed] + [day for _, day, _ in marks])


async def _part(session: WriteSession, touched: Touched) -> list[Side]:
    """Undo pairs that hold no more; answers what is left of them."""
    ids = touched.changed | touched.gone
    if not ids:
        return []
    known = await queries.find_pairs(session, KIND, ids, APPLIED)
    sides = [side for pair in known for side in (pair.one, pair.other) if side is not None]
    rates = await _rates(session, [_mover_of(side) for side in sides])
    broken = [pair for pair in known if not _holds(pair, rates)]
    if not broken:
        return []
    freed = [side for pair in broken for side in (pair.one, pair.other) if side is not None]
    await queries.drop_pairs(session, [pair.id for pair in broken])
    if freed:
        await queries.mark_transfers(session, [(side.id, side.transaction_date, None) for side in freed])
    return freed


def _holds(pair: FoundPair, rates: RateTable) -> bool:
    """What its owner paired needs no more than that both are there."""
    if not is_live(pair.one) or not is_live(pair.other):
        return False
    if pair.decided_by == "user":
        return True
    one, other = _mover_of(pair.one), _mover_of(pair.other)
    if (one.direction, other.direction) != ("debit", "credit") or abs((one.day - other.day).days) > DAYS_APART:
        return False
    if one.currency == other.currency:
        return one.amount == other.amount
    off = off_rate(one, other, rates.rate) if one.amount else None
    return off is not None and off <= OFF_RATE_AT_MOST


async def _rates(session: WriteSession, movers: Sequence[Mover]) -> RateTable:
    """Those that pairs of these may need; no statement while there is one currency."""
    open_ = [each for each in movers if not each.is_known_otherwise]
    currencies = {each.currency for each in open_}
    if len(currencies) < 2:
        return RateTable([])
    return await load_rates(session, currencies, min(each.day for each in open_), max(each.day for each in open_))


def _mover(found: FoundMover) -> Mover:
    return Mover(*found)


def _mover_of(side: Side) -> Mover:
    return Mover(side.id, side.account_id, side.transaction_date, side.amount, side.currency, side.direction, False)
