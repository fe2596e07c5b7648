"""Conditions as they are stored, the ways of a delivery, and when it is tried again."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.notification.models import RULE_TYPES, STATUSES
from domains.notification import rules
from domains.notification.errors import NotificationConditionsInvalid
from domains.notification.rules import DAYS, Conditions, Hours

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

conditions = st.builds(
    Conditions,
    amount_threshold=st.just(Decimal("500.5")),
    currency=st.sampled_from(["EUR", "USD"]),
    categories=st.lists(st.sampled_from(["FOOD_AND_DRINK", "TRAVEL", "INCOME"]), unique=True).map(tuple),
    budgets=st.lists(st.uuids(), max_size=3, unique=True).map(tuple),
    time_of_day=st.none() | st.builds(Hours, st.just(time(22, 0)), st.times().map(lambda at: at.replace(hour=6, second=0, microsecond=0))),
    days_of_week=st.sets(st.sampled_from(DAYS)).map(lambda days: tuple(day for day in DAYS if day in days)),
) | st.builds(Conditions)


@given(conditions)
def test_conditions_are_read_as_they_were_stored(said: Conditions) -> None:
    assert rules.from_json(rules.as_json(said)) == said


def test_the_documents_example_is_stored_as_the_document_has_it() -> None:
    said = Conditions(
        amount_threshold=Decimal(500),
        currency="EUR",
        categories=("Dining", "Entertainment"),
        budgets=(UUID(int=1),),
        time_of_day=Hours(time(9), time(18)),
        days_of_week=("Friday", "Monday"),
    )

    assert rules.as_json(said) == {
        "amount_threshold": "500",
        "currency": "EUR",
        "categories": ["Dining", "Entertainment"],
        "budgets": ["00000000-0000-0000-0000-000000000001"],
        "time_of_day": {"start": "09:00", "end": "18:00"},
        "days_of_week": ["Monday", "Friday"],
    }
    assert rules.as_json(Conditions()) == {}


@given(st.sampled_from(RULE_TYPES), conditions)
def test_conditions_are_either_kept_whole_or_refused_where_they_stand(rule_type: str, said: Conditions) -> None:
    place = "kept"
    try:
        assert rules.check_conditions(rule_type, said) is said
    except NotificationConditionsInvalid as refused:
        place = refused.field or ""

    assert place == "kept" or place.partition(".")[0] == "conditions"


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("Infinity"), Decimal("1e15"), Decimal("0.00001"), Decimal(0)])
def test_an_amount_that_cannot_be_stored_is_no_threshold(amount: Decimal) -> None:
    with pytest.raises(NotificationConditionsInvalid) as refused:
        rules.check_conditions("custom", Conditions(amount_threshold=amount, currency="EUR"))

    assert refused.value.field == "conditions.amountThreshold.amount"


def test_a_threshold_without_a_known_currency_is_none() -> None:
    for currency in (None, "XXX", "eur"):
        with pytest.raises(NotificationConditionsInvalid) as refused:
            rules.check_conditions("custom", Conditions(amount_threshold=Decimal(1), currency=currency))
        assert refused.value.field == "conditions.amountThreshold.currency"


def test_a_delivery_goes_these_ways_and_no_other() -> None:
    ways = {(before, after) for before in STATUSES for after in STATUSES if rules.may_become(before, after)}

    assert ways == {
        ("pending", "sent"),
        ("pending", "failed"),
        ("pending", "cancelled"),
        ("failed", "pending"),
        ("failed", "cancelled"),
    }
    assert {status: rules.statuses_before(status) for status in STATUSES} == {
        "pending": ["failed"],
        "sent": ["pending"],
        "failed": ["pending"],
        "cancelled": ["pending", "failed"],
    }


@pytest.mark.parametrize(
    ("retries", "draw", "waits"),
    [(0, 0.0, MINUTE / 2), (0, 0.5, MINUTE * 0.75), (1, 0.0, 2 * MINUTE), (2, 0.0, 8 * MINUTE), (9, 0.0, timedelta(hours=3))],
)
def test_the_wait_grows_and_half_of_it_is_chance(retries: int, draw: float, waits: timedelta) -> None:
    assert rules.next_retry_at(AT, retries, 10, draw) == AT + waits


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_longer_than_six_hours(retries: int, draw: float) -> None:
    retry_at = rules.next_retry_at(AT, retries, 10_001, draw)

    assert retry_at is not None
    assert AT + MINUTE / 2 <= retry_at <= AT + rules.RETRY_CAP


def test_after_the_last_try_there_is_none() -> None:
    assert rules.next_retry_at(AT, 2, 3, 0.0) is not None
    assert rules.next_retry_at(AT, 3, 3, 0.0) is None
    assert rules.next_retry_at(AT, 0, 0, 0.0) is None


@pytest.mark.parametrize("text", ["", "timeout", "Chat 4711 not found: anna@example.com", "A" * 101, "CODE\n"])
def test_what_a_provider_says_is_not_recorded(text: str) -> None:
    with pytest.raises(ValueError, match="code"):
        rules.check_failure(text)


@pytest.mark.parametrize(("title", "message"), [("x" * 256, "m"), ("a\0", "m"), (None, ""), (None, "x" * 10_001), (None, "a\0")])
def test_words_that_do_not_fit_are_a_mistake_of_ours(title: str | None, message: str) -> None:
    with pytest.raises(ValueError, match="has"):
        rules.check_words(title, message)
