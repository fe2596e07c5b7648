"""The pure rules of what is the same movement under another name."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.transaction.matching import Offered, Stored, are_comparable, likeness, match, words_of

DAY = date(2026, 3, 10)
State = Literal["live", "cancelled", "deleted"]

WORDS = st.sampled_from([(), ("coffee",), ("coffee", "bar"), ("blue", "bottle", "coffee"), ("parking",)])
AMOUNTS = st.sampled_from([Decimal(1), Decimal("1.2"), Decimal(5), Decimal("6.5")])
DAYS = st.integers(0, 12).map(lambda days: DAY + timedelta(days=days))


@st.composite
def stored(draw: st.DrawFn) -> list[Stored]:
    made = []
    for _ in range(draw(st.integers(0, 7))):
        amount, words = draw(AMOUNTS), draw(WORDS)
        state: State = draw(st.sampled_from(["live", "live", "cancelled", "deleted"]))
        is_pending = state == "cancelled" or draw(st.booleans())
        made.append(
            Stored(
                uuid4(),
                draw(DAYS),
                amount,
                "USD",
                "debit",
                is_pending,
                state,
                draw(st.booleans()),
                words,
                likeness(amount, "USD", "debit", words),
            )
        )
    return made


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Offered], list[Stored]]:
    ours = draw(stored())
    free = [each.id for each in ours if each.state == "live"]
    offered = []
    for place in range(draw(st.integers(0, 7))):
        own = free.pop() if free and draw(st.booleans()) else None
        link = draw(st.sampled_from([None, uuid4(), *(each.id for each in ours)])) if own is None else None
        only = link is not None and draw(st.booleans())
        offered.append(Offered(place, draw(DAYS), draw(AMOUNTS), "USD", "debit", draw(st.booleans()), draw(WORDS), own, link, only))
    return offered, ours


@given(cases())
def test_nothing_is_two_things_and_nothing_is_lost(case: tuple[list[Offered], list[Stored]]) -> None:
    offered, ours = case

    found = match(offered, ours)

    claimed = list(found.kept.values())
    assert len(set(claimed)) == len(claimed)
    assert set(claimed) <= {each.id for each in ours}
    assert not set(found.left) & set(claimed)
    assert not found.suggested.keys() & found.kept.keys()
    assert len(set(found.suggested.values())) == len(found.suggested)
    assert not set(found.suggested.values()) & set(claimed)
    moved = {each.own for each in offered if each.own is not None and found.kept.get(each.place) != each.own}
    for each in ours:
        is_over = each.state == "live" and (each.is_gone or each.id in moved) and each.id not in claimed
        assert (each.id in found.left) == is_over


@given(cases())
def test_the_order_of_what_is_stored_decides_nothing_but_between_equals(case: tuple[list[Offered], list[Stored]]) -> None:
    offered, ours = case
    alike = [(each.day, each.likeness, each.state, each.is_gone, each.is_pending) for each in ours]
    if len(set(alike)) < len(alike) or any(not each.words for each in ours):
        return

    one, other = match(offered, ours), match(offered, list(reversed(ours)))

    assert one.kept.keys() == other.kept.keys()
    assert len(one.left) == len(other.left)


@given(cases())
def test_what_the_bank_still_lists_is_taken_by_nobody_without_its_name_or_its_link(case: tuple[list[Offered], list[Stored]]) -> None:
    offered, ours = case
    found = match(offered, ours)
    by_id = {each.id: each for each in ours}
    named = {each.own for each in offered}

    for place, which in found.kept.items():
        one, was = offered[place], by_id[which]
        if which not in (one.own, one.link) and which not in named:
            assert was.is_gone or was.state == "cancelled"


def movement(
    which: UUID,
    amount: str = "5",
    day: date = DAY,
    words: tuple[str, ...] = ("coffee",),
    *,
    state: State = "live",
    is_gone: bool = True,
    is_pending: bool = False,
) -> Stored:
    return Stored(
        which, day, Decimal(amount), "USD", "debit", is_pending, state, is_gone, words, likeness(Decimal(amount), "USD", "debit", words)
    )


def listed(place: int, amount: str = "5", day: date = DAY, words: tuple[str, ...] = ("coffee",), **more: UUID) -> Offered:
    return Offered(place, day, Decimal(amount), "USD", "debit", is_posted=True, words=words, own=more.get("own"), link=more.get("link"))


def test_equal_movements_of_a_day_are_taken_in_their_order() -> None:
    ids = [uuid4() for _ in range(3)]

    found = match([listed(0), listed(1)], [movement(each) for each in ids])

    assert found.kept == {0: ids[0], 1: ids[1]}
    assert found.left == [ids[2]]


def test_what_is_there_is_taken_before_what_was_deleted() -> None:
    dead, live = uuid4(), uuid4()

    found = match([listed(0)], [movement(dead, state="deleted"), movement(live)])

    assert found.kept == {0: live}


def test_a_link_to_what_is_booked_and_listed_still_is_not_believed() -> None:
    booked = uuid4()

    found = match([listed(0, link=booked)], [movement(booked, is_gone=False)])

    assert (found.kept, found.left) == ({}, [])


def test_ten_thousand_equal_movements_take_no_square_of_them() -> None:
    ids = [uuid4() for _ in range(10_000)]

    found = match([listed(n, words=("parking",)) for n in range(10_000)], [movement(each) for each in ids])

    assert (found.kept, len(found.left)) == ({}, 10_000)


@pytest.mark.parametrize(
    ("one", "other", "are"),
    [
        ("BLUE BOTTLE COFFEE 4711", "Blue Bottle Coffee #12 Oakland", True),
        ("Shell", "SHELL OIL 5744", True),
        ("AMZN Mktp US*2K4", "Amazon Marketplace", False),
        ("4711 0815", "ANYTHING", True),
        ("Parking", "Coffee", False),
        ("Straße", "STRASSE", True),
    ],
)
def test_words_that_compare(one: str, other: str, *, are: bool) -> None:
    assert are_comparable(words_of(one), words_of(other)) is are
    assert are_comparable(words_of(other), words_of(one)) is are
