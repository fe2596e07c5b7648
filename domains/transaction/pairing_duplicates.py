"""Which two transactions are one that two connections to the same account have brought. No I/O.

The movements of one account are the same through every connection to it, so they are told one to one: as many on a day as the other
connection has of the amount, and no more. Two coffees of a price on one day stay two.
"""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import combinations, islice
from typing import Final, NamedTuple
from uuid import UUID

from domains.transaction.matching import COMPARED_AT_MOST, Words, are_comparable
from domains.transaction.pairing import KEPT, PER_DAY, UNLIKE_TEXT, Edge, Pair, Rejected, Twins, judge, outwards

#: One connection may tell the day of the purchase and another the day of booking.
DAYS_APART: Final = 3
_CERTAIN: Final = Decimal("1.00")


class Listed(NamedTuple):
    """A transaction as one connection lists it; the one that we had first is the original."""

    id: UUID
    account_id: UUID
    day: date
    amount: Decimal
    currency: str
    direction: str
    words: Words
    created_at: datetime


#: Originals with the accounts on which they have a duplicate already: they have no second one there.
Taken = Collection[tuple[UUID, UUID]]


def pair_duplicates(rows: Iterable[Listed], twins: Twins, rejected: Rejected, taken: Taken = ()) -> list[Pair]:
    """Pairs of a duplicate and its original, on two accounts that are one. Each row is the duplicate of one other at most.

    Of the same amount, currency and direction. Certain: of the same day, one to one, those with like texts first; and within 3 days, where
    each is the other's only candidate and their texts compare. The rest are suggestions: three of each transaction at most, the likeliest.
    What its owner turned down once is only suggested. rejected: pairs, whichever way round, that stay apart.
    """
    return _Doubles(rows, twins, rejected, taken).run()


class _Doubles:
    def __init__(self, rows: Iterable[Listed], twins: Twins, rejected: Rejected, taken: Taken) -> None:
        self._groups: dict[Hashable, dict[UUID, list[Listed]]] = defaultdict(lambda: defaultdict(list))
        for row in sorted(rows, key=lambda each: (each.day, _age(each))):
            if row.amount > 0:
                self._groups[row.amount, row.currency, row.direction][row.account_id].append(row)
        self._twins = twins
        self._rejected = {*rejected, *((other, one) for one, other in rejected)}
        self._turned_down = {one for one, _ in self._rejected}
        self._taken = set(taken)
        self._doubles: set[UUID] = set()

    def run(self) -> list[Pair]:
        pairs, edges = [], dict[tuple[UUID, UUID], Edge]()
        for by_account in self._groups.values():
            couples = [couple for couple in combinations(sorted(by_account), 2) if self._are_one(*couple)]
            for one, other in couples:
                pairs += self._same_day(by_account[one], by_account[other])
            for one, other in couples:
                edges |= self._near(by_account[one], by_account[other])
        return [*pairs, *judge(edges.values(), self._turned_down)]

    def _are_one(self, one: UUID, other: UUID) -> bool:
        return other in self._twins.get(one, ()) or one in self._twins.get(other, ())

    def _open(self, rows: Sequence[Listed], across: Sequence[Listed]) -> list[Listed]:
        """Those that may still be one with a row of the other account."""
        account_id = across[0].account_id
        return [row for row in rows if row.id not in self._doubles and (row.id, account_id) not in self._taken]

    def _same_day(self, ours: Sequence[Listed], theirs: Sequence[Listed]) -> list[Pair]:
        """One to one: like texts first, then in their order."""
        days: dict[date, list[Listed]] = defaultdict(list)
        for row in self._open(theirs, ours):
            if row.id not in self._turned_down:
                days[row.day].append(row)
        made, left = [], [row for row in self._open(ours, theirs) if row.id not in self._turned_down]
        for is_text_told in (True, False):
            found = {row.id: other for row in left if (other := _like(row, days[row.day], is_text_told)) is not None}
            made += [self._pair(row, found[row.id]) for row in left if row.id in found]
            left = [row for row in left if row.id not in found]
        return made

    def _pair(self, one: Listed, other: Listed) -> Pair:
        original, double = sorted((one, other), key=_age)
        self._doubles.add(double.id)
        self._taken.add((original.id, double.account_id))
        is_like = are_comparable(one.words, other.words)
        return Pair(double.id, original.id, True, _CERTAIN - UNLIKE_TEXT * (not is_like), () if is_like else ("unlike_text",))

    def _near(self, ours: Sequence[Listed], theirs: Sequence[Listed]) -> dict[tuple[UUID, UUID], Edge]:
        """What is left, within three days. From both sides: so a row has one edge only if it has one candidate."""
        left = (self._open(ours, theirs), self._open(theirs, ours))
        edges = (edge for rows, others in (left, left[::-1]) for edge in self._edges(rows, others))
        return {edge[:2]: edge for edge in edges}

    def _edges(self, rows: Sequence[Listed], others: Sequence[Listed]) -> Iterator[Edge]:
        days = [row.day for row in others]
        for row in rows:
            apart = (other for other in outwards(others, days, row.day, DAYS_APART) if (row.id, other.id) not in self._rejected)
            for other in islice(apart, KEPT):
                yield _edge(*sorted((row, other), key=_age))


def _like(row: Listed, others: list[Listed], is_text_told: bool) -> Listed | None:
    """The first of the others, taken from among them, whose text compares, if that is asked for."""
    for at, other in enumerate(others[:COMPARED_AT_MOST]):
        if not is_text_told or are_comparable(row.words, other.words):
            return others.pop(at)
    return None


def _age(row: Listed) -> tuple[datetime, UUID, UUID]:
    return row.created_at, row.account_id, row.id


def _edge(original: Listed, double: Listed) -> Edge:
    days = abs((original.day - double.day).days)
    is_like = are_comparable(original.words, double.words)
    reasons = (*("days_apart",) * bool(days), *("unlike_text",) * (not is_like))
    return Edge(double.id, original.id, PER_DAY * days + UNLIKE_TEXT * (not is_like), days, reasons, is_doubtful=not is_like)
