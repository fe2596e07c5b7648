"""Which two transactions are one movement: a transfer between own accounts. No I/O.

Certain is what could be nothing else; whatever could is suggested, a few at a time, with how likely it is and why. Amounts are equal, or
across currencies close to the rate of the day; nothing here is taken for a transfer because of its words, and a purchase that somebody
paid back to another account is one only if its owner says so.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from heapq import nsmallest
from itertools import islice
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

#: A transfer arrives within so many days of leaving; weekends are the longest that peers wait for without being asked.
DAYS_APART: Final = 4
#: How far from the day's rate what arrived may be: banks keep up to so much for themselves. Closer than the second, nobody else's is.
OFF_RATE_AT_MOST: Final = Decimal("0.03")
OFF_RATE_CERTAIN: Final = Decimal("0.005")
#: How many suggestions one transaction is in.
SUGGESTED_AT_MOST: Final = 3
#: Candidates looked at per transaction, the nearest: one more than are suggested.
KEPT: Final = SUGGESTED_AT_MOST + 1

#: What makes a pair less than certain, and what each takes from a score of 1.
PER_DAY: Final = Decimal("0.04")
SEVERAL: Final = Decimal("0.10")
KNOWN_OTHERWISE: Final = Decimal("0.20")
TURNED_DOWN: Final = Decimal("0.20")
CONVERTED: Final = Decimal("0.05")
OFF_RATE: Final = Decimal("0.20")
UNLIKE_TEXT: Final = Decimal("0.30")

_CENT: Final = Decimal("0.01")
_HARDLY: Final = Decimal("1.001")
Row = TypeVar("Row")

Rejected = Collection[tuple[UUID, UUID]]
Twins = Mapping[UUID, frozenset[UUID]]
#: From one currency into another on a day: how many of the second one of the first is; None where nobody knows.
Rate = Callable[[str, str, date], Decimal | None]


class Mover(NamedTuple):
    """A transaction that may be one end of a transfer. `amount` > 0; `is_known_otherwise`: it is surely, or by its owner's word, spending
    or income."""

    id: UUID
    account_id: UUID
    day: date
    amount: Decimal
    currency: str
    direction: str
    is_known_otherwise: bool


class Pair(NamedTuple):
    """Two transactions that are one. `score`: 0.01 to 1.00; `reasons`: what was taken off it, see REASONS."""

    transaction_id: UUID
    other_id: UUID
    is_certain: bool
    score: Decimal
    reasons: tuple[str, ...]


#: What a pair's score tells, by name.
REASONS: Final = ("days_apart", "several", "known_otherwise", "turned_down", "converted", "unlike_text")


class Edge(NamedTuple):
    """Two that could be one: in what order, how far apart, and what speaks against it. `is_doubtful`: it cannot be certain."""

    transaction_id: UUID
    other_id: UUID
    cost: Decimal
    days: int
    reasons: tuple[str, ...]
    is_doubtful: bool


def pair_transfers(movers: Iterable[Mover], rate: Rate, rejected: Rejected, twins: Twins | None = None) -> list[Pair]:
    """Pairs of a debit and a credit on two own accounts, at most 4 days apart; those that are certain are in no other pair.

    Of the same amount in the same currency; a transaction for which there is no such, within 3 % of the rate of the debit's day. Certain:
    each is the other's only candidate, neither is known to be something else, neither was in a pair that its owner turned down,
    and what was converted is within 0.5 % of the rate. The rest are suggestions: three of each transaction at most, the likeliest.

    rejected: pairs (debit, credit) that stay apart. twins: accounts that are one, by another connection: nothing moves between them.
    """
    known = [each for each in movers if each.amount > 0]
    apart = _Apart(rejected, twins or {})
    edges = _equal(known, apart)
    met = {end for edge in edges for end in edge[:2]}
    edges |= _converted([each for each in known if each.id not in met and not each.is_known_otherwise], rate, apart)
    return judge(edges.values(), {end for pair in rejected for end in pair})


def judge(edges: Iterable[Edge], turned_down: Collection[UUID]) -> list[Pair]:
    """Certain pairs, then suggestions, the likeliest first: three of each transaction at most."""
    kept = list(edges)
    degree = Counter(end for edge in kept for end in edge[:2])
    certain: list[Pair] = []
    doubtful: list[tuple[Decimal, int, Pair]] = []
    for edge in kept:
        is_only = degree[edge.transaction_id] == 1 == degree[edge.other_id]
        was_turned_down = edge.transaction_id in turned_down or edge.other_id in turned_down
        cost = edge.cost + SEVERAL * (not is_only) + TURNED_DOWN * was_turned_down
        reasons = (*edge.reasons, *("several",) * (not is_only), *("turned_down",) * was_turned_down)
        is_certain = is_only and not was_turned_down and not edge.is_doubtful
        pair = Pair(edge.transaction_id, edge.other_id, is_certain, (1 - cost).quantize(_CENT), reasons)
        if is_certain:
            certain.append(pair)
        else:
            doubtful.append((cost, edge.days, pair))
    return [*certain, *_suggested(doubtful)]


def _suggested(doubtful: list[tuple[Decimal, int, Pair]]) -> Iterator[Pair]:
    taken: Counter[UUID] = Counter()
    for _, _, pair in sorted(doubtful, key=lambda each: (each[0], each[1], each[2][:2])):
        if max(taken[pair.transaction_id], taken[pair.other_id]) < SUGGESTED_AT_MOST:
            taken.update(pair[:2])
            yield pair


Edges = dict[tuple[UUID, UUID], Edge]


class _Apart:
    """What is never paired."""

    def __init__(self, rejected: Rejected, twins: Twins) -> None:
        self._rejected, self._twins = frozenset(rejected), twins

    def allows(self, one: Mover, other: Mover) -> bool:
        return (one.id, other.id) not in self._rejected and (other.id, one.id) not in self._rejected

    def is_one(self, account_id: UUID, other_id: UUID) -> bool:
        return account_id == other_id or other_id in self._twins.get(account_id, ()) or account_id in self._twins.get(other_id, ())


def _equal(movers: Sequence[Mover], apart: _Apart) -> Edges:
    """Of the same amount and currency. From both sides: so a transaction has one edge only if it has one candidate."""
    groups: dict[tuple[str, Decimal], tuple[list[Mover], list[Mover]]] = defaultdict(lambda: ([], []))
    for each in movers:
        groups[each.currency, each.amount][each.direction == "credit"].append(each)
    edges: Edges = {}
    for debits, credits_ in groups.values():
        if debits and credits_:
            to_debits, to_credits = _Calendar(debits, apart), _Calendar(credits_, apart)
            met = [(debit, credit) for debit in debits for credit in to_credits.nearest(debit)]
            met += [(debit, credit) for credit in credits_ for debit in to_debits.nearest(credit)]
            edges |= {(debit.id, credit.id): _edge(debit, credit) for debit, credit in met}
    return edges


class _Calendar:
    """Transactions of one amount by account and day, so that the nearest are found without looking at the rest.

    Of two that are both known to be something else, neither is the other's: a refund, and a purchase of the same price.
    """

    def __init__(self, movers: Iterable[Mover], apart: _Apart) -> None:
        ordered = sorted(movers, key=lambda row: (row.day, row.id))
        self._apart = apart
        self._all, self._open = _by_account(ordered), _by_account(row for row in ordered if not row.is_known_otherwise)

    def nearest(self, mine: Mover) -> list[Mover]:
        """The few on other accounts that are the nearest in time, at most 4 days away."""
        found: list[Mover] = []
        for account_id, (days, rows) in (self._open if mine.is_known_otherwise else self._all).items():
            if not self._apart.is_one(mine.account_id, account_id):
                others = (other for other in outwards(rows, days, mine.day, DAYS_APART) if self._apart.allows(mine, other))
                found += islice(others, KEPT)
        return nsmallest(KEPT, found, key=lambda other: (abs((other.day - mine.day).days), other.day, other.id))


def _by_account(ordered: Iterable[Mover]) -> dict[UUID, tuple[list[date], list[Mover]]]:
    found: dict[UUID, tuple[list[date], list[Mover]]] = defaultdict(lambda: ([], []))
    for row in ordered:
        days, rows = found[row.account_id]
        days.append(row.day)
        rows.append(row)
    return found


def outwards(rows: Sequence[Row], days: Sequence[date], day: date, most: int) -> Iterator[Row]:
    """Rows in the order of their days, read from a day on both ways, the nearest first; `days` are theirs."""
    right = bisect_left(days, day)
    left = right - 1
    while left >= 0 or right < len(days):
        before = (day - days[left]).days if left >= 0 else most + 1
        after = (days[right] - day).days if right < len(days) else most + 1
        if min(before, after) > most:
            return
        if before <= after:
            yield rows[left]
            left -= 1
        else:
            yield rows[right]
            right += 1


def _edge(debit: Mover, credit: Mover) -> Edge:
    days = abs((credit.day - debit.day).days)
    reasons = ("days_apart",) * bool(days)
    cost = PER_DAY * days
    is_doubtful = debit.is_known_otherwise or credit.is_known_otherwise
    if is_doubtful:
        cost, reasons = cost + KNOWN_OTHERWISE, (*reasons, "known_otherwise")
    return Edge(debit.id, credit.id, cost, days, reasons, is_doubtful)


# Across currencies

_Worths = dict[tuple[str, date], tuple[list[Decimal], list[Mover]]]


def _converted(movers: Sequence[Mover], rate: Rate, apart: _Apart) -> Edges:
    """Of different currencies, and worth nearly the same on the debit's day."""
    edges: Edges = {}
    debits, credits_ = ([each for each in movers if each.direction == direction] for direction in ("debit", "credit"))
    if len({each.currency for each in movers}) < 2:
        return edges
    for mine, others in ((debits, _by_worth(credits_)), (credits_, _by_worth(debits))):
        currencies = {currency for currency, _ in others}
        for each in mine:
            found = [met for currency in currencies - {each.currency} for met in _meetings(each, currency, others, rate, apart)]
            for edge in nsmallest(KEPT, found, key=lambda edge: (edge.cost, edge.days, edge[:2])):
                edges.setdefault(edge[:2], edge)
    return edges


def _by_worth(movers: Iterable[Mover]) -> _Worths:
    found: dict[tuple[str, date], list[Mover]] = defaultdict(list)
    for each in movers:
        found[each.currency, each.day].append(each)
    ordered = {key: sorted(rows, key=lambda row: (row.amount, row.id)) for key, rows in found.items()}
    return {key: ([row.amount for row in rows], rows) for key, rows in ordered.items()}


def _meetings(mine: Mover, currency: str, others: _Worths, rate: Rate, apart: _Apart) -> Iterator[Edge]:
    """A few a day: those whose worth is the nearest."""
    for days in range(-DAYS_APART, DAYS_APART + 1):
        day = mine.day + timedelta(days=days)
        amounts, rows = others.get((currency, day), ([], []))
        known = rate(mine.currency, currency, mine.day if mine.direction == "debit" else day) if rows else None
        if known is None:
            continue
        worth, most = mine.amount * known, (1 + OFF_RATE_AT_MOST) * _HARDLY
        first, end = bisect_left(amounts, worth / most), bisect_right(amounts, worth * most)
        middle = bisect_left(amounts, worth)
        for other in rows[max(first, middle - KEPT) : min(end, middle + KEPT)]:
            debit, credit = (mine, other) if mine.direction == "debit" else (other, mine)
            if not apart.is_one(debit.account_id, credit.account_id) and apart.allows(debit, credit):
                yield from _converted_edge(debit, credit, rate)


def _converted_edge(debit: Mover, credit: Mover, rate: Rate) -> Iterator[Edge]:
    off = off_rate(debit, credit, rate)
    if off is not None and off <= OFF_RATE_AT_MOST:
        edge = _edge(debit, credit)
        cost = edge.cost + CONVERTED + OFF_RATE * off / OFF_RATE_AT_MOST
        yield edge._replace(cost=cost, reasons=(*edge.reasons, "converted"), is_doubtful=edge.is_doubtful or off > OFF_RATE_CERTAIN)


def off_rate(debit: Mover, credit: Mover, rate: Rate) -> Decimal | None:
    """How far what arrived is from what left at the rate of its day, as a share; None where the rate is not known."""
    known = rate(debit.currency, credit.currency, debit.day)
    if known is None:
        return None
    worth = debit.amount * known
    return abs(credit.amount - worth) / worth
