"""Which movements two connections to one account have brought both: one to one, and against a model that looks at every two."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from domains.transaction.matching import are_comparable, words_of
from domains.transaction.pairing import SUGGESTED_AT_MOST, Pair
from domains.transaction.pairing_duplicates import DAYS_APART, Listed, pair_duplicates

MAY_1 = date(2026, 5, 1)
SINCE = datetime(2026, 5, 20, tzinfo=UTC)
OLD, NEW, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
TWINS = {OLD: frozenset({NEW}), NEW: frozenset({OLD})}


def listed(number: int, account: UUID, amount: str = "4.50", day: int = 0, text: str = "COFFEE", **changes: Any) -> Listed:
    """A debit; what the newer connection lists, we have a day later."""
    since = SINCE + timedelta(days=account == NEW)
    made = Listed(UUID(int=number), account, MAY_1 + timedelta(days=day), Decimal(amount), "USD", "debit", words_of(text), since)
    return made._replace(**changes)


def pairs(*rows: Listed, rejected: Sequence[tuple[int, int]] = (), taken: Sequence[tuple[int, UUID]] = ()) -> list[Pair]:
    apart = {(UUID(int=one), UUID(int=other)) for one, other in rejected}
    return pair_duplicates(rows, TWINS, apart, {(UUID(int=one), account) for one, account in taken})


def ends(found: Sequence[Pair], *, certain: bool = True) -> set[tuple[int, int]]:
    return {(pair.transaction_id.int, pair.other_id.int) for pair in found if pair.is_certain is certain}


def test_the_younger_of_two_on_one_account_is_the_duplicate() -> None:
    assert pairs(listed(9, OLD), listed(1, NEW)) == [Pair(UUID(int=1), UUID(int=9), True, Decimal("1.00"), ())]
    assert ends(pairs(listed(9, OLD, created_at=SINCE + timedelta(days=2)), listed(1, NEW))) == {(9, 1)}


def test_two_coffees_of_a_price_on_one_day_stay_two_and_a_third_that_one_connection_has_stays_too() -> None:
    assert ends(pairs(listed(1, OLD), listed(2, OLD), listed(11, NEW), listed(12, NEW))) == {(11, 1), (12, 2)}
    assert len(pairs(listed(1, OLD), listed(11, NEW), listed(12, NEW))) == 1
    assert pairs(listed(1, OLD), listed(2, OLD)) == []


def test_of_two_on_one_day_those_with_like_texts_go_together() -> None:
    found = pairs(
        listed(1, OLD, text="BAKERY"), listed(2, OLD, text="COFFEE"), listed(11, NEW, text="COFFEE"), listed(12, NEW, text="BAKERY")
    )

    assert ends(found) == {(11, 2), (12, 1)}


def test_of_one_day_and_amount_the_words_need_not_be_like() -> None:
    assert pairs(listed(1, OLD), listed(11, NEW, text="POS 0412")) == [
        Pair(UUID(int=11), UUID(int=1), True, Decimal("0.70"), ("unlike_text",))
    ]


def test_days_apart_it_takes_like_words_and_nobody_else() -> None:
    assert ends(pairs(listed(1, OLD), listed(11, NEW, day=3))) == {(11, 1)}
    assert pairs(listed(1, OLD), listed(11, NEW, day=4)) == []
    assert ends(pairs(listed(1, OLD), listed(11, NEW, day=3, text="BAKERY")), certain=False) == {(11, 1)}
    assert ends(pairs(listed(1, OLD), listed(11, NEW, day=2), listed(12, NEW, day=3)), certain=False) == {(11, 1), (12, 1)}


def test_what_has_a_duplicate_on_the_other_connection_has_no_second_one_there() -> None:
    assert pairs(listed(1, OLD), listed(12, NEW), taken=[(1, NEW)]) == []


def test_what_is_another_amount_way_or_currency_or_on_another_account_is_no_duplicate() -> None:
    one = listed(1, OLD)
    for other in ({"amount": Decimal("4.51")}, {"direction": "credit"}, {"currency": "EUR"}, {"account_id": OTHER}, {"account_id": OLD}):
        assert pairs(one, listed(11, NEW)._replace(**other)) == []


def test_what_its_owner_turned_down_stays_apart_and_is_not_flagged_as_anothers() -> None:
    rows = (listed(1, OLD), listed(2, OLD), listed(11, NEW))

    found = pairs(*rows, rejected=[(11, 1)])

    assert found == [Pair(UUID(int=11), UUID(int=2), False, Decimal("0.80"), ("turned_down",))]
    assert pairs(*rows, rejected=[(1, 11), (11, 2)]) == []


def test_of_three_connections_all_but_the_oldest_are_duplicates() -> None:
    twins = {OLD: frozenset({NEW, OTHER}), NEW: frozenset({OTHER})}
    rows = [listed(1, OLD), listed(11, NEW), listed(21, OTHER, created_at=SINCE + timedelta(days=9))]

    assert ends(pair_duplicates(rows, twins, ())) == {(11, 1), (21, 1)}


@st.composite
def lists(draw: st.DrawFn) -> list[Listed]:
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from([OLD, NEW, OTHER]),
                st.integers(0, 7),
                st.sampled_from(["4.50", "4.5", "9"]),
                st.sampled_from(["A SHOP", "CAFE", "7"]),
            ),
            max_size=16,
        )
    )
    return [listed(100 + number, account, amount, day, text) for number, (account, day, amount, text) in enumerate(rows)]


def possible(rows: Sequence[Listed]) -> set[frozenset[UUID]]:
    return {
        frozenset({one.id, other.id})
        for one in rows
        for other in rows
        if {one.account_id, other.account_id} == {OLD, NEW}
        and (one.amount, one.currency, one.direction) == (other.amount, other.currency, other.direction)
        and abs((one.day - other.day).days) <= DAYS_APART
    }


@settings(max_examples=400, deadline=None)
@given(lists())
def test_each_day_as_many_are_flagged_as_both_connections_have(rows: list[Listed]) -> None:
    by_id = {row.id: row for row in rows}

    found = [(by_id[pair.transaction_id], by_id[pair.other_id], pair) for pair in pair_duplicates(rows, TWINS, ())]

    same_day = Counter((one.day, one.amount) for one, other, pair in found if pair.is_certain and one.day == other.day)
    of_both = {
        (row.day, row.amount): min(
            sum((each.day, each.amount, each.account_id) == (row.day, row.amount, account) for each in rows) for account in (OLD, NEW)
        )
        for row in rows
    }
    assert same_day == Counter({key: count for key, count in of_both.items() if count})
    assert {frozenset(pair[:2]) for *_, pair in found} <= possible(rows)
    assert all(one.account_id == NEW and other.account_id == OLD for one, other, _ in found)


@settings(max_examples=400, deadline=None)
@given(lists())
def test_days_apart_what_is_certain_had_no_other_candidate(rows: list[Listed]) -> None:
    by_id = {row.id: row for row in rows}

    found = pair_duplicates(rows, TWINS, ())

    settled = {end for pair in found if pair.is_certain and by_id[pair[0]].day == by_id[pair[1]].day for end in pair[:2]}
    left = {pair for pair in possible(rows) if settled.isdisjoint(pair)}
    degree = Counter(end for pair in left for end in pair)
    alone = {pair for pair in left if all(degree[end] == 1 for end in pair) and are_comparable(*(by_id[end].words for end in pair))}
    assert {frozenset(pair[:2]) for pair in found if pair.is_certain and settled.isdisjoint(pair[:2])} == alone
    suggested = Counter(end for pair in found if not pair.is_certain for end in pair[:2])
    assert suggested.keys().isdisjoint(settled)
    assert max(suggested.values(), default=0) <= SUGGESTED_AT_MOST


@settings(max_examples=200, deadline=None)
@given(lists(), st.randoms(use_true_random=False))
def test_the_order_in_which_rows_are_given_says_nothing(rows: list[Listed], random: object) -> None:
    before = pair_duplicates(rows, TWINS, ())
    random.shuffle(rows)  # type: ignore[attr-defined]

    assert pair_duplicates(rows, TWINS, ()) == before
