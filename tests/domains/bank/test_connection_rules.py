"""Which account is which, and when a bank is asked again: pure rules."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as some

from domains.bank import rules
from tests.banks import account

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PERIODS = some.timedeltas(timedelta(minutes=5), timedelta(days=7))
INSTANTS = some.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1), timezones=some.just(UTC))  # noqa: DTZ001 - bounds have no zone


@dataclass(frozen=True)
class Known:
    id: UUID
    connection_id: UUID
    persistent_id: str | None = None
    account_name: str | None = "Everyday"
    account_mask: str | None = "1234"
    account_type: str | None = "checking"
    currency: str = "USD"
    institution_id: str | None = "ins_1"
    institution_name: str | None = "First Bank"
    provider: str = "plaid"


def known(**said: object) -> Known:
    return Known(**{"id": uuid4(), "connection_id": uuid4(), **said})  # type: ignore[arg-type]


@given(at=INSTANTS, every=PERIODS, key=some.uuids())
def test_the_next_tick_is_half_a_period_away_at_least_and_one_and_a_half_at_most(at: datetime, every: timedelta, key: UUID) -> None:
    tick = rules.next_tick(at, every, key)

    assert every / 2 - timedelta(milliseconds=1) <= tick - at <= every * 3 / 2 + timedelta(milliseconds=1)


@given(at=INSTANTS, every=PERIODS, key=some.uuids(), late=some.floats(0, 0.49))
def test_who_is_a_little_late_keeps_the_rhythm(at: datetime, every: timedelta, key: UUID, late: float) -> None:
    tick = rules.next_tick(at, every, key)

    following = rules.next_tick(tick + late * every, every, key)

    assert abs(following - tick - every) < timedelta(milliseconds=1)


def test_ticks_are_spread_over_the_period() -> None:
    every, namespace = timedelta(hours=4), uuid4()
    ticks = [rules.next_tick(NOW, every, uuid5(namespace, str(n))) for n in range(1_000)]

    per_quarter = [sum(1 for tick in ticks if n <= (tick - NOW - every / 2) / (every / 4) < n + 1) for n in range(4)]

    assert all(200 <= count <= 300 for count in per_quarter)


@pytest.mark.parametrize(
    ("failures", "wait"),
    [(1, timedelta(minutes=1)), (2, timedelta(minutes=5)), (3, timedelta(minutes=30)), (4, timedelta(hours=2)), (5, None), (50, None)],
)
def test_a_failure_is_tried_again_sooner_than_the_calendar_says_four_times(failures: int, wait: timedelta | None) -> None:
    tick = NOW + timedelta(hours=5)

    assert rules.retry_at(NOW, failures, tick) == (tick if wait is None else NOW + wait)


def test_a_bank_that_says_when_is_not_asked_before() -> None:
    assert rules.retry_at(NOW, 1, NOW, retry_after_s=90) == NOW + timedelta(seconds=90)
    assert rules.retry_at(NOW, 2, NOW, retry_after_s=90) == NOW + timedelta(minutes=5)
    assert rules.retry_at(NOW, 9, NOW + timedelta(hours=5), retry_after_s=6 * 3600) == NOW + timedelta(hours=6)


def test_accounts_are_found_by_lasting_name_first_then_by_all_that_tells_them_apart() -> None:
    lasting, alike = known(persistent_id="p-1", account_mask="9999"), known()

    found = rules.find_again([account("Everyday"), account("Other", persistent_id="p-1", mask="0000")], [lasting, alike])

    assert found == {"account-Everyday": alike.id, "account-Other": lasting.id}


def test_letter_case_and_spacing_of_a_name_do_not_tell_accounts_apart() -> None:
    alike = known(account_name="EVERY  day")

    assert rules.find_again([account("every Day")], [alike]) == {"account-every Day": alike.id}


@given(some.lists(some.sampled_from(["1111", "2222", None]), max_size=4), some.lists(some.sampled_from(["1111", "2222", None]), max_size=4))
def test_no_account_is_found_twice_or_by_two(given_masks: list[str | None], known_masks: list[str | None]) -> None:
    listed = [account(mask=mask, provider_account_id=str(n)) for n, mask in enumerate(given_masks)]
    stored = [known(account_mask=mask) for mask in known_masks]

    found = rules.find_again(listed, stored)

    assert len(set(found.values())) == len(found)
    sure = {mask for mask in given_masks if mask and given_masks.count(mask) == 1 and known_masks.count(mask) == 1}
    assert len(found) == len(sure)


def test_one_account_by_two_connections_is_twins_whatever_the_provider_calls_its_bank() -> None:
    here, there = known(), known(provider="file", institution_id="BIC", institution_name="first  bank")

    assert rules.twins([here, there]) == {here.id: frozenset([there.id]), there.id: frozenset([here.id])}


@pytest.mark.parametrize(
    "other",
    [{"account_mask": "4321"}, {"account_type": "credit"}, {"currency": "EUR"}, {"institution_id": "ins_2", "institution_name": "Other"}],
)
def test_another_account_is_no_twin(other: dict[str, str]) -> None:
    assert rules.twins([known(), known(**other)]) == {}


def test_two_alike_of_one_connection_are_two_accounts() -> None:
    connection = uuid4()

    assert rules.twins([known(connection_id=connection), known(connection_id=connection)]) == {}


def test_ids_of_banks_mean_something_within_their_provider_only() -> None:
    assert rules.twins([known(institution_name=None), known(institution_name=None, provider="tink")]) == {}
    assert rules.is_same_bank(("ins_1", "A"), ("ins_1", "B"))
    assert not rules.is_same_bank(("ins_1", "A"), ("ins_2", "A"))
    assert rules.is_same_bank((None, "First  Bank"), ("ins_2", "first bank"))
    assert not rules.is_same_bank((None, None), (None, None))


def test_lasting_names_tell_apart_what_looks_alike() -> None:
    one, other = known(persistent_id="p-1"), known(persistent_id="p-2")

    assert rules.find_again([account(persistent_id="p-3")], [one]) == {}
    assert rules.twins([one, other]) == {}
    assert rules.twins([one, known(persistent_id="p-2", provider="tink")]) != {}


def test_european_banks_are_not_asked_more_than_four_times_a_day() -> None:
    key, every = UUID(int=7), timedelta(hours=1)

    ticks = [NOW]
    while ticks[-1] < NOW + timedelta(days=2):
        ticks.append(rules.next_tick(ticks[-1], every, key, "open_banking"))

    assert {later - sooner for sooner, later in pairwise(ticks[1:])} == {timedelta(hours=6)}
    assert rules.next_tick(NOW, timedelta(hours=24), key, "tink") == rules.next_tick(NOW, timedelta(hours=24), key)
    assert rules.next_tick(NOW, every, key, "plaid") == rules.next_tick(NOW, every, key)
