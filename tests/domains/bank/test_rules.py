"""Ids: the same movement and the same account are recognised in every statement, and nothing is rewritten or lost."""

import random
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.bank import rules
from domains.bank.providers.protocol import StatementTransaction
from tests.domains.bank.statements import ofx, row, rows_of

START = date(2024, 1, 1)


@dataclass(frozen=True)
class Movement:
    """What a test bank booked. `number` is the bank's own, or None."""

    day: int
    amount: Decimal
    name: str
    number: str | None = None

    def as_ofx(self) -> str:
        return row((START + timedelta(days=self.day)).strftime("%Y%m%d"), str(self.amount), self.number, self.name)


def ids(movements: list[Movement]) -> list[str | None]:
    return [each.provider_transaction_id for each in rows_of(ofx([each.as_ofx() for each in movements]))]


# Few days, amounts and names, so that equal movements are frequent.
MOVEMENTS = st.builds(
    Movement,
    day=st.integers(0, 20),
    amount=st.sampled_from([Decimal("-3.50"), Decimal("3.50"), Decimal("-20"), Decimal("0")]),
    name=st.sampled_from(["Coffee", "COFFEE", "Bakery"]),
)
LEDGER = st.lists(MOVEMENTS, max_size=40)


@settings(deadline=None)
@given(LEDGER)
def test_importing_a_file_again_adds_nothing_and_equal_movements_stay_two(ledger: list[Movement]) -> None:
    first, again = ids(ledger), ids(ledger)

    assert first == again
    assert len(set(first)) == len(ledger)


@settings(deadline=None)
@given(LEDGER, st.randoms(use_true_random=False))
def test_the_order_of_a_file_does_not_matter(ledger: list[Movement], chance: random.Random) -> None:
    shuffled = chance.sample(ledger, len(ledger))

    assert set(ids(shuffled)) == set(ids(ledger))


@settings(deadline=None)
@given(LEDGER, st.integers(0, 20), st.integers(0, 20))
def test_files_that_overlap_by_whole_days_add_only_what_is_new(ledger: list[Movement], one: int, other: int) -> None:
    start, end = min(one, other), max(one, other)
    earlier = [each for each in ledger if each.day <= end]
    later = [each for each in ledger if each.day >= start]

    assert set(ids(earlier)) | set(ids(later)) == set(ids(ledger))


NUMBERED = st.builds(
    Movement,
    day=st.integers(0, 20),
    amount=st.sampled_from([Decimal("-3.50"), Decimal("-20")]),
    name=st.sampled_from(["Coffee", "Bakery"]),
    number=st.sampled_from(["A-000001", "A-000002", "A-000003", "0", "7", "NONREF", None]),
)


@settings(deadline=None)
@given(st.lists(NUMBERED, max_size=30), st.randoms(use_true_random=False))
def test_whatever_a_bank_numbers_ids_are_unique_and_do_not_depend_on_the_order(ledger: list[Movement], chance: random.Random) -> None:
    given_ids = ids(ledger)

    assert len(set(given_ids)) == len(given_ids)
    assert set(ids(chance.sample(ledger, len(ledger)))) == set(given_ids)
    assert ids(ledger) == given_ids


@settings(deadline=None)
@given(st.lists(NUMBERED, max_size=30), st.integers(0, 20), st.integers(0, 20))
def test_a_part_of_what_is_known_adds_nothing_whatever_a_bank_numbers(ledger: list[Movement], one: int, other: int) -> None:
    part = [each for each in ledger if min(one, other) <= each.day <= max(one, other)]

    assert set(ids(part)) <= set(ids(ledger))


@settings(max_examples=200, deadline=None)
@given(st.lists(NUMBERED, max_size=30))
def test_no_movement_that_differs_from_all_others_is_lost(ledger: list[Movement]) -> None:
    kept = {(each.transaction_date, each.amount, each.description) for each in rows_of(ofx([each.as_ofx() for each in ledger]))}

    assert kept == {(START + timedelta(days=each.day), abs(each.amount), each.name) for each in ledger}


def test_a_number_names_a_movement_though_its_description_changes() -> None:
    plain, polished = Movement(1, Decimal(-5), "CARD 1234 COFFEE", "F-2024-1"), Movement(1, Decimal(-5), "Coffee", "F-2024-1")

    assert ids([plain]) == ids([polished])


def test_the_very_same_row_twice_is_one_and_the_same_number_on_other_content_is_two() -> None:
    coffee = Movement(1, Decimal(-5), "Coffee", "F-2024-1")

    assert len(ids([coffee, coffee])) == 1
    assert len(ids([coffee, replace(coffee, name="Bakery")])) == 2
    assert len(ids([coffee, replace(coffee, amount=Decimal(-6))])) == 2
    assert len(ids([coffee, replace(coffee, day=2)])) == 2


def test_a_number_that_a_bank_uses_again_never_rewrites_what_it_named_before() -> None:
    january, february = Movement(1, Decimal(-900), "Rent", "MANDATE-1"), Movement(15, Decimal(-900), "Rent", "MANDATE-1")

    assert ids([january]) + ids([february]) == ids([january, february])
    assert len(set(ids([january, february]))) == 2


def test_a_number_on_every_row_does_not_swallow_the_second_coffee() -> None:
    rows = [
        Movement(1, Decimal(-5), "Coffee", "CARD-4711"),
        Movement(1, Decimal(-5), "Coffee", "CARD-4711"),
        Movement(2, Decimal(-6), "Tea", "CARD-4711"),
    ]

    assert len(set(ids(rows))) == 3


def test_numbers_that_count_the_rows_of_a_download_are_no_identity() -> None:
    coffee, bun, tea = Movement(1, Decimal(-5), "Coffee"), Movement(2, Decimal(-3), "Bun"), Movement(3, Decimal(-4), "Tea")
    january = [replace(coffee, number="1"), replace(bun, number="2")]
    overlapping = [replace(bun, number="1"), replace(tea, number="2")]

    assert ids(january)[1] == ids(overlapping)[0]
    assert len(set(ids(january) + ids(overlapping))) == 3
    assert len(ids([january[0], january[0]])) == 1


@pytest.mark.parametrize("number", [None, "", "0", "0000000000", "NONREF", "none", "N/A", "NOTPROVIDED", "-"])
def test_words_for_no_number_are_none(number: str | None) -> None:
    assert not rules.is_bank_id(number)


@pytest.mark.parametrize(("number", "lasting"), [("1", False), ("99999", False), ("000486", True), ("A1", True), ("201705080001", True)])
def test_short_numbers_do_not_last(number: str, lasting: bool) -> None:
    assert rules.is_bank_id(number)
    assert rules.is_lasting_bank_id(number) is lasting


def transaction(**said: object) -> StatementTransaction:
    plain: dict[str, object] = {
        "provider_transaction_id": "id",
        "amount": Decimal("5.00"),
        "currency": "EUR",
        "direction": "debit",
        "transaction_date": START,
        "description": "Coffee",
        "original_description": "COFFEE  4711",
        "payment_meta": {"type": "POS", "reference": "R"},
        "line": 7,
    }
    return StatementTransaction(**(plain | said))  # type: ignore[arg-type]


def test_occurrences_are_counted_within_what_looks_alike() -> None:
    coffee, spelled = transaction(), transaction(original_description="Coffee 4711", amount=Decimal(5))
    first, second, other = rules.occurrence_ids([coffee, spelled, transaction(direction="credit")])

    assert len({first, second, other}) == 3
    assert rules.occurrence_ids([spelled]) == [first]
    assert all(len(each) == 40 for each in (first, second, other))


def test_account_ids_ignore_spelling_keep_parts_apart_and_depend_on_the_secret() -> None:
    one = rules.account_id(b"s", "ofx", "1002", "DE-12 34")

    assert one == rules.account_id(b"s", "OFX", "1002", "de1234")
    assert len({one, rules.account_id(b"t", "ofx", "1002", "DE1234"), rules.account_id(b"s", "ofx", "10", "02DE1234")}) == 3
    assert len(one) == 64


@pytest.mark.parametrize(
    ("number", "mask"), [("DE89 3704 0044 0532 0130 00", "3000"), ("1452687~7", "6877"), ("12", "12"), ("***", None), ("", None)]
)
def test_a_mask_is_the_last_four(number: str, mask: str | None) -> None:
    assert rules.account_mask(number) == mask
