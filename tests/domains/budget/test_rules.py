"""Periods, figures, goals, and what a budget may be."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from domains.budget.errors import AmountInvalid, LooksInvalid, NameInvalid, PeriodInvalid
from domains.budget.rules import (
    PERIODS,
    Period,
    add_months,
    check_amount,
    check_dates,
    check_looks,
    check_name,
    percentage,
    period_containing,
    progress,
    utilization,
)

STEPS = {
    "weekly": relativedelta(days=7),
    "biweekly": relativedelta(days=14),
    "monthly": relativedelta(months=1),
    "quarterly": relativedelta(months=3),
    "yearly": relativedelta(years=1),
}
NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))

days = st.dates(date(1970, 1, 1), date(2150, 12, 31))
kinds = st.sampled_from(PERIODS)
cents = st.decimals(-(10**12), 10**12, places=2)


def walked(kind: str, start: date, day: date) -> Period:
    """The slow way: from the start, period by period, each counted from the start so that month ends do not drift."""
    number = 0
    while start + STEPS[kind] * (number + 1) <= day:
        number += 1
    return Period(start + STEPS[kind] * number, start + STEPS[kind] * (number + 1))


@given(kinds, days, st.integers(0, 3_000))
def test_a_period_is_the_one_that_counting_from_the_start_arrives_at(kind: str, start: date, later: int) -> None:
    day = start + timedelta(days=later)

    assert period_containing(kind, start, None, day) == walked(kind, start, day)


@given(kinds, days, st.integers(0, 40_000), st.none() | st.integers(0, 40_000))
def test_periods_hold_their_day_and_meet_without_a_gap(kind: str, start: date, later: int, length: int | None) -> None:
    day = start + timedelta(days=later)
    end = None if length is None else start + timedelta(days=length)

    period = period_containing(kind, start, end, day)

    if period is None:
        assert end is not None
        assert day > end
        return
    assert period.start <= day < period.end
    assert period.days == (period.end - period.start).days > 0
    after = period_containing(kind, start, end, period.end)
    assert after is None or after.start == period.end
    assert end is None or period.end <= end + timedelta(days=1)


@given(kinds, days, st.integers(1, 400))
def test_there_is_no_period_before_the_first_and_none_after_the_last_day(kind: str, start: date, off: int) -> None:
    assert period_containing(kind, start, None, start - timedelta(days=off)) is None
    assert period_containing(kind, start, start + timedelta(days=off), start + timedelta(days=off + 1)) is None
    assert period_containing(kind, start, start, start) == Period(start, start + timedelta(days=1))


@pytest.mark.parametrize(
    ("kind", "start", "day", "first", "end"),
    [
        ("monthly", "2026-01-31", "2026-02-28", "2026-02-28", "2026-03-31"),
        ("monthly", "2026-01-31", "2026-03-30", "2026-02-28", "2026-03-31"),
        ("monthly", "2026-01-31", "2026-04-30", "2026-04-30", "2026-05-31"),
        ("monthly", "2028-01-30", "2028-02-29", "2028-02-29", "2028-03-30"),
        ("monthly", "2025-12-15", "2026-01-14", "2025-12-15", "2026-01-15"),
        ("quarterly", "2026-11-30", "2027-02-28", "2027-02-28", "2027-05-30"),
        ("yearly", "2024-02-29", "2025-02-28", "2025-02-28", "2026-02-28"),
        ("yearly", "2024-02-29", "2028-02-28", "2027-02-28", "2028-02-29"),
        ("weekly", "2026-11-16", "2026-11-22", "2026-11-16", "2026-11-23"),
        ("biweekly", "2026-01-02", "2026-11-22", "2026-11-20", "2026-12-04"),
    ],
)
def test_months_keep_to_the_day_they_began_on(kind: str, start: str, day: str, first: str, end: str) -> None:
    found = period_containing(kind, date.fromisoformat(start), None, date.fromisoformat(day))

    assert found == Period(date.fromisoformat(first), date.fromisoformat(end))


@given(days, st.integers(-600, 600))
def test_adding_months_clamps_to_the_months_end(day: date, months: int) -> None:
    assert add_months(day, months) == day + relativedelta(months=months)


def test_the_figures_of_a_period_under_way() -> None:
    figures = utilization(
        amount=Decimal("600"), spent=Decimal("220.11"), pending=Decimal("30"), period=NOVEMBER, today=date(2026, 11, 22), currency="USD"
    )

    assert figures.remaining == Decimal("379.89")
    assert figures.percentage_used == Decimal("36.68")
    assert figures.daily_average == Decimal("10.00")
    assert figures.projected_end == Decimal("330.15")
    assert figures.is_exceeded is False


def test_a_budget_is_exceeded_by_the_smallest_amount_above_it_and_not_at_it() -> None:
    def is_exceeded(amount: str, spent: str) -> bool:
        given = {"pending": Decimal(0), "period": NOVEMBER, "today": date(2026, 11, 1), "currency": "USD"}
        return utilization(amount=Decimal(amount), spent=Decimal(spent), **given).is_exceeded  # type: ignore[arg-type]

    assert not is_exceeded("100", "100.00")
    assert is_exceeded("100", "100.01")
    assert is_exceeded("0", "0.01")
    assert not is_exceeded("0", "0")


def test_a_budget_of_nothing_has_no_percentage() -> None:
    figures = utilization(
        amount=Decimal(0), spent=Decimal("5"), pending=Decimal(0), period=NOVEMBER, today=date(2026, 11, 2), currency="USD"
    )

    assert figures.percentage_used is None
    assert figures.remaining == Decimal("-5.00")


def test_figures_have_the_digits_of_their_currency() -> None:
    yen = utilization(
        amount=Decimal(10_000), spent=Decimal(100), pending=Decimal(0), period=NOVEMBER, today=date(2026, 11, 3), currency="JPY"
    )
    dinar = utilization(
        amount=Decimal(10), spent=Decimal("1.001"), pending=Decimal(0), period=NOVEMBER, today=date(2026, 11, 3), currency="BHD"
    )

    assert (str(yen.daily_average), str(yen.remaining), str(yen.projected_end)) == ("33", "9900", "1000")
    assert (str(dinar.daily_average), str(dinar.remaining)) == ("0.334", "8.999")


@given(cents, cents, cents.map(abs), st.integers(-40, 60))
def test_figures_are_right_for_any_amounts_and_any_day(amount: Decimal, spent: Decimal, pending: Decimal, day: int) -> None:
    figures = utilization(
        amount=abs(amount), spent=spent, pending=pending, period=NOVEMBER, today=NOVEMBER.start + timedelta(days=day), currency="EUR"
    )

    assert figures.remaining + spent == abs(amount)
    assert figures.is_exceeded == (figures.remaining < 0)
    assert figures.projected_end >= spent
    elapsed = min(max(day + 1, 1), 30)
    assert abs(figures.daily_average * elapsed - spent) <= Decimal("0.005") * elapsed
    if day >= 29 and spent >= 0:
        assert figures.projected_end == spent + pending


def test_a_percentage_may_be_far_above_a_hundred() -> None:
    assert percentage(Decimal(100_000), Decimal("0.01")) == Decimal("1000000000.00")
    assert percentage(Decimal(1), Decimal(3)) == Decimal("33.33")
    assert percentage(Decimal(-10), Decimal(40)) == Decimal("-25.00")


def test_a_goal_is_on_track_while_its_share_is_the_share_of_the_time() -> None:
    def of(current: str, today: date) -> tuple[Decimal, int | None, Decimal | None, bool | None]:
        found = progress(
            target=Decimal(1200),
            current=Decimal(current),
            starts_on=date(2026, 1, 1),
            ends_on=date(2027, 1, 1),
            today=today,
            currency="USD",
        )
        return found.percentage_complete, found.months_remaining, found.required_monthly, found.is_on_track

    assert of("0", date(2026, 1, 1)) == (Decimal("0.00"), 12, Decimal("100.00"), True)
    assert of("600", date(2026, 7, 2)) == (Decimal("50.00"), 6, Decimal("100.00"), True)
    assert of("590", date(2026, 7, 2)) == (Decimal("49.17"), 6, Decimal("101.67"), False)
    assert of("1100", date(2027, 1, 1)) == (Decimal("91.67"), 0, Decimal("100.00"), False)
    assert of("1100", date(2027, 3, 1)) == (Decimal("91.67"), 0, Decimal("100.00"), False)
    assert of("1500", date(2027, 3, 1)) == (Decimal("125.00"), 0, Decimal("0.00"), True)


def test_a_goal_without_a_date_has_neither_pace_nor_track() -> None:
    found = progress(
        target=Decimal(50), current=Decimal(10), starts_on=date(2026, 1, 1), ends_on=None, today=date(2026, 6, 1), currency="USD"
    )

    assert found.percentage_complete == Decimal("20.00")
    assert (found.months_remaining, found.required_monthly, found.is_on_track) == (None, None, None)


@given(cents.map(abs), cents.map(abs), days, st.integers(0, 5_000), st.integers(0, 5_000))
def test_who_pays_what_is_required_each_month_arrives(target: Decimal, current: Decimal, start: date, length: int, passed: int) -> None:
    end = start + timedelta(days=length)

    found = progress(target=target, current=current, starts_on=start, ends_on=end, today=start + timedelta(days=passed), currency="EUR")

    assert found.months_remaining is not None
    assert found.required_monthly is not None
    assert current + found.required_monthly * max(found.months_remaining, 1) >= target


def test_names_have_single_spaces_and_no_control_characters() -> None:
    assert check_name("  Eating   out ") == "Eating out"
    assert check_name("é" * 255) == "é" * 255
    for wrong in ("", "   ", "x" * 256, "a\x00b", "a\x1bb"):
        with pytest.raises(NameInvalid) as refused:
            check_name(wrong)
        assert (refused.value.code, refused.value.field) == ("NAME_INVALID", "name")


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("0", "USD"), ("0.01", "USD"), ("100.10", "USD"), ("1E+3", "JPY"), ("1.005", "BHD"), ("999999999999999", "USD")],
)
def test_amounts_that_a_budget_may_have(amount: str, currency: str) -> None:
    assert check_amount(Decimal(amount), currency) == Decimal(amount)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("-0.01", "USD"),
        ("0.001", "USD"),
        ("1.5", "JPY"),
        ("1.0005", "BHD"),
        ("1000000000000000", "USD"),
        ("1E+400000", "USD"),
        ("1E+9999999", "USD"),
        ("-1E+9999999", "USD"),
        ("NaN", "USD"),
        ("Infinity", "USD"),
        ("1.00000000000000000000000000001", "USD"),
    ],
)
def test_amounts_that_it_may_not(amount: str, currency: str) -> None:
    with pytest.raises(AmountInvalid) as refused:
        check_amount(Decimal(amount), currency)

    assert (refused.value.code, refused.value.field) == ("AMOUNT_INVALID", "amount")


def test_a_budget_begins_within_reason_and_does_not_end_before() -> None:
    check_dates(date(1970, 1, 1), date(1970, 1, 1))
    check_dates(date(2199, 12, 31), None)
    for start, end, field in (
        (date(1969, 12, 31), None, "startDate"),
        (date(2200, 1, 1), None, "startDate"),
        (date(2026, 1, 2), date(2026, 1, 1), "endDate"),
        (date(2026, 1, 1), date(2200, 1, 1), "endDate"),
    ):
        with pytest.raises(PeriodInvalid) as refused:
            check_dates(start, end)
        assert refused.value.field == field


def test_looks() -> None:
    check_looks(None, None, None)
    check_looks("n" * 2_000, "#00ff9a", "local_grocery_store")
    for notes, color, icon, field in (
        ("n" * 2_001, None, None, "notes"),
        ("nul\x00", None, None, "notes"),
        (None, "#FFF", None, "color"),
        (None, "#00ff9a\n", None, "color"),
        (None, None, "", "icon"),
        (None, None, "i" * 51, "icon"),
    ):
        with pytest.raises(LooksInvalid) as refused:
            check_looks(notes, color, icon)
        assert refused.value.field == field
