"""Which two movements are a transfer: against a model that looks at every two, and against what peers got wrong."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.transaction.pairing import DAYS_APART, OFF_RATE_AT_MOST, OFF_RATE_CERTAIN, SUGGESTED_AT_MOST, Mover, Pair, pair_transfers
from domains.transaction.rates import RateTable

MAY_1 = date(2026, 5, 1)
CHECKING, SAVINGS, CARD = UUID(int=1), UUID(int=2), UUID(int=3)
#: One euro is 1.25 dollars and 0.80 pounds.
RATES = RateTable([("USD", MAY_1, Decimal("1.25")), ("GBP", MAY_1, Decimal("0.80"))])


def mover(number: int, account: UUID, amount: str, day: int = 0, **changes: Any) -> Mover:
    direction = "credit" if amount.startswith("+") else "debit"
    made = Mover(UUID(int=number), account, MAY_1 + timedelta(days=day), Decimal(amount.lstrip("+-")), "USD", direction, False)
    return made._replace(**changes)


def pairs(*movers: Mover, rejected: Sequence[tuple[int, int]] = (), twins: dict[UUID, frozenset[UUID]] | None = None) -> list[Pair]:
    return pair_transfers(movers, RATES.rate, {(UUID(int=one), UUID(int=other)) for one, other in rejected}, twins)


def ends(found: Sequence[Pair], *, certain: bool) -> set[tuple[int, int]]:
    return {(pair.transaction_id.int, pair.other_id.int) for pair in found if pair.is_certain is certain}


# One by one


def test_what_leaves_one_account_and_arrives_on_another_is_a_transfer() -> None:
    found = pairs(mover(1, CHECKING, "-500"), mover(2, SAVINGS, "+500"))

    assert found == [Pair(UUID(int=1), UUID(int=2), True, Decimal("1.00"), ())]


def test_a_payment_of_the_card_is_a_transfer_though_it_takes_four_days() -> None:
    found = pairs(mover(1, CHECKING, "-321.09"), mover(2, CARD, "+321.09", 4))

    assert found == [Pair(UUID(int=1), UUID(int=2), True, Decimal("0.84"), ("days_apart",))]
    assert pairs(mover(1, CHECKING, "-321.09"), mover(2, CARD, "+321.09", 5)) == []


def test_money_back_on_the_same_account_is_no_transfer() -> None:
    assert pairs(mover(1, CARD, "-59.90"), mover(2, CARD, "+59.90", 2)) == []


def test_a_friend_who_pays_dinner_back_to_another_account_hides_nothing_before_its_owner_says_so() -> None:
    dinner = mover(1, CARD, "-42", is_known_otherwise=True)

    found = pairs(dinner, mover(2, CHECKING, "+42", 1))

    assert found == [Pair(UUID(int=1), UUID(int=2), False, Decimal("0.76"), ("days_apart", "known_otherwise"))]


def test_a_purchase_and_a_refund_of_one_price_on_two_accounts_are_not_even_suggested() -> None:
    assert pairs(mover(1, CARD, "-42", is_known_otherwise=True), mover(2, CHECKING, "+42", is_known_otherwise=True)) == []


def test_of_two_candidates_neither_is_taken_and_both_are_suggested_the_nearer_first() -> None:
    found = pairs(mover(1, CHECKING, "-500", 1), mover(2, SAVINGS, "+500", 3), mover(3, CARD, "+500", 1))

    assert [(pair.other_id.int, pair.is_certain, pair.score, pair.reasons) for pair in found] == [
        (3, False, Decimal("0.90"), ("several",)),
        (2, False, Decimal("0.82"), ("days_apart", "several")),
    ]


def test_one_transaction_is_in_three_suggestions_at_most() -> None:
    found = pairs(mover(1, CHECKING, "-20"), *(mover(2 + n, SAVINGS, "+20", n % 4) for n in range(8)))

    assert ends(found, certain=False) == {(1, 2), (1, 6), (1, 3)}


def test_a_rejected_pair_stays_apart_and_what_is_left_is_asked_not_done() -> None:
    rows = (mover(1, CHECKING, "-500"), mover(2, SAVINGS, "+500"), mover(3, CARD, "+500"))

    found = pairs(*rows, rejected=[(1, 2)])

    assert found == [Pair(UUID(int=1), UUID(int=3), False, Decimal("0.80"), ("turned_down",))]
    assert pairs(*rows, rejected=[(1, 2), (1, 3)]) == []


def test_nothing_moves_between_an_account_and_itself_by_another_connection() -> None:
    rows = (mover(1, CHECKING, "-500"), mover(2, SAVINGS, "+500"))

    assert pairs(*rows, twins={SAVINGS: frozenset({CHECKING})}) == []


def test_nothing_is_nobodys_transfer() -> None:
    assert pairs(mover(1, CHECKING, "-0"), mover(2, SAVINGS, "+0")) == []


@pytest.mark.parametrize(
    ("arrived", "expected"),
    [("80.00", True), ("79.61", True), ("79.59", False), ("77.61", False), ("82.39", False), ("77.59", None), ("82.41", None)],
)
def test_across_currencies_what_is_at_the_days_rate_is_certain_and_what_is_near_it_is_asked(arrived: str, expected: bool | None) -> None:
    """100 dollars are 80 euros: half a per cent is 0.40, three are 2.40."""
    found = pairs(mover(1, CHECKING, "-100"), mover(2, SAVINGS, f"+{arrived}", 1, currency="EUR"))

    assert [pair.is_certain for pair in found] == ([] if expected is None else [expected])
    assert all("converted" in pair.reasons for pair in found)


def test_across_currencies_strangers_are_not_paired_where_an_equal_amount_is_or_where_the_price_says_what_it_is() -> None:
    dollars, euros = mover(1, CHECKING, "-100"), mover(2, SAVINGS, "+80", currency="EUR")

    assert ends(pairs(dollars, euros, mover(3, CARD, "+100")), certain=True) == {(1, 3)}
    assert ends(pairs(dollars, euros, mover(3, CARD, "+100")), certain=False) == set()
    assert pairs(dollars._replace(is_known_otherwise=True), euros) == []


def test_where_no_rate_is_known_nothing_is_taken_for_the_same() -> None:
    assert pairs(mover(1, CHECKING, "-100"), mover(2, SAVINGS, "+100", currency="CHF")) == []
    assert pairs(mover(1, CHECKING, "-100", 8), mover(2, SAVINGS, "+80", 8, currency="EUR")) == []


# Against a model that looks at every two

ACCOUNTS = (CHECKING, SAVINGS, CARD)


@st.composite
def ledgers(draw: st.DrawFn, currencies: Sequence[str] = ("USD",), most: int = 14) -> list[Mover]:
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(ACCOUNTS),
                st.integers(0, 9),
                st.sampled_from(["10", "10.00", "12.50", "8.00", "8.02", "8.20", "9.00", "0"]),
                st.sampled_from(currencies),
                st.sampled_from(["debit", "credit"]),
                st.booleans(),
            ),
            max_size=most,
        )
    )
    return [
        Mover(UUID(int=100 + number), account, MAY_1 + timedelta(days=day), Decimal(amount), currency, direction, known)
        for number, (account, day, amount, currency, direction, known) in enumerate(rows)
    ]


def could_be(debit: Mover, credit: Mover, rejected: set[tuple[UUID, UUID]]) -> bool:
    """Whether two are a transfer as far as anybody can tell from the two of them."""
    return (
        (debit.direction, credit.direction) == ("debit", "credit")
        and debit.account_id != credit.account_id
        and abs((debit.day - credit.day).days) <= DAYS_APART
        and debit.amount > 0
        and credit.amount > 0
        and (debit.id, credit.id) not in rejected
    )


def off(debit: Mover, credit: Mover) -> Decimal | None:
    rate = RATES.rate(debit.currency, credit.currency, debit.day)
    return None if rate is None else abs(credit.amount - debit.amount * rate) / (debit.amount * rate)


def every_two(rows: Sequence[Mover], rejected: set[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], bool]:
    """Every two that may be paired, with whether they may be certain."""
    edges: dict[tuple[UUID, UUID], bool] = {}
    both = [(debit, credit) for debit in rows for credit in rows if could_be(debit, credit, rejected)]
    for debit, credit in both:
        if (debit.amount, debit.currency) == (credit.amount, credit.currency) and not (
            debit.is_known_otherwise and credit.is_known_otherwise
        ):
            edges[debit.id, credit.id] = not debit.is_known_otherwise and not credit.is_known_otherwise
    met = {end for pair in edges for end in pair}
    for debit, credit in both:
        is_open = not debit.is_known_otherwise and not credit.is_known_otherwise and debit.id not in met and credit.id not in met
        if debit.currency != credit.currency and is_open and (far := off(debit, credit)) is not None and far <= OFF_RATE_AT_MOST:
            edges[debit.id, credit.id] = far <= OFF_RATE_CERTAIN
    return edges


@settings(max_examples=400, deadline=None)
@given(ledgers(("USD", "EUR", "GBP")), st.data())
def test_what_is_certain_is_what_a_look_at_every_two_finds_alone(rows: list[Mover], data: st.DataObject) -> None:
    possible = sorted(every_two(rows, set()))
    rejected = set(data.draw(st.lists(st.sampled_from(possible), max_size=3))) if possible else set()
    edges = every_two(rows, rejected)
    degree = Counter(end for edge in edges for end in edge)
    turned_down = {end for pair in rejected for end in pair}
    alone = {edge for edge, may in edges.items() if may and degree[edge[0]] == 1 == degree[edge[1]] and turned_down.isdisjoint(edge)}

    found = pair_transfers(rows, RATES.rate, rejected)
    certain = {pair[:2] for pair in found if pair.is_certain}
    suggested = [pair[:2] for pair in found if not pair.is_certain]

    assert certain == alone
    assert len(suggested) == len(set(suggested))
    assert set(suggested) <= edges.keys() - alone
    assert {end for edge in edges for end in edge} >= {end for pair in suggested for end in pair}


@settings(max_examples=300, deadline=None)
@given(ledgers(("USD", "EUR"), most=30))
def test_nobody_is_in_two_certain_pairs_or_in_more_suggestions_than_three_and_every_score_is_a_share(rows: list[Mover]) -> None:
    found = pair_transfers(rows, RATES.rate, ())

    certain = Counter(end for pair in found if pair.is_certain for end in pair[:2])
    suggested = Counter(end for pair in found if not pair.is_certain for end in pair[:2])
    assert set(certain.values()) <= {1}
    assert max(suggested.values(), default=0) <= SUGGESTED_AT_MOST
    assert certain.keys().isdisjoint(suggested.keys())
    assert all(Decimal(0) < pair.score <= 1 for pair in found)
    assert all((pair.score == 1) == (not pair.reasons) for pair in found)


@settings(max_examples=200, deadline=None)
@given(ledgers(("USD", "EUR")), st.randoms(use_true_random=False))
def test_the_order_in_which_rows_are_given_says_nothing(rows: list[Mover], random: object) -> None:
    before = pair_transfers(rows, RATES.rate, ())
    random.shuffle(rows)  # type: ignore[attr-defined]

    assert set(pair_transfers(rows, RATES.rate, ())) == set(before)


@settings(max_examples=200, deadline=None)
@given(ledgers(most=10))
def test_whatever_has_a_candidate_is_in_a_pair(rows: list[Mover]) -> None:
    """Nobody who could be paired is passed over in silence, as long as their candidates have room."""
    found = {end for pair in pair_transfers(rows, RATES.rate, ()) for end in pair[:2]}
    edges = every_two(rows, set())
    degree = Counter(end for edge in edges for end in edge)

    for debit, credit in edges:
        if max(degree[debit], degree[credit]) <= SUGGESTED_AT_MOST:
            assert {debit, credit} <= found


def test_many_equal_amounts_are_paired_in_a_moment() -> None:
    """4,000 debits and as many credits of one amount: looked at two by two they would be 16 million."""
    rows = [mover(n, ACCOUNTS[n % 3], "-5" if n % 2 else "+5", n % 365) for n in range(8_000)]

    found = pairs(*rows)

    assert len(found) > 2_000
    assert not any(pair.is_certain for pair in found)
