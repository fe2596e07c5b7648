"""Which days are asked for, and which are known completely."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.bank.providers.tink import windows
from domains.bank.providers.tink.windows import AHEAD_DAYS, OVERLAP_DAYS, Days

TODAY = date(2026, 11, 20)
DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))
ACCOUNTS = st.dictionaries(st.text(min_size=1, max_size=40), DAYS, max_size=20)


@given(ACCOUNTS)
def test_a_cursor_is_read_as_it_was_written(complete: dict[str, date]) -> None:
    assert windows.read_cursor(windows.write_cursor(complete)) == complete


def test_a_cursor_is_written_as_one_may_keep_it() -> None:
    assert windows.write_cursor({"b": date(2026, 1, 2), "a": date(2026, 1, 1)}) == '{"v":1,"accounts":{"a":"2026-01-01","b":"2026-01-02"}}'


def test_before_the_first_fetch_nothing_is_complete() -> None:
    assert windows.read_cursor(None) == {}


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        '"v"',
        "{}",
        '{"v":2,"accounts":{}}',
        '{"v":1}',
        '{"v":1,"accounts":[]}',
        '{"v":1,"accounts":{"a":7}}',
        '{"v":1,"accounts":{"a":"yesterday"}}',
        "[" * 60_000,
        " " * 70_000,
    ],
)
def test_a_cursor_that_is_not_of_ours_is_of_no_use(cursor: str) -> None:
    assert windows.read_cursor(cursor) is None


def test_all_there_is_is_asked_of_an_account_that_is_new() -> None:
    assert windows.days_to_ask(None, TODAY) == Days(None, date(2026, 12, 4))


def test_a_fortnight_before_the_last_complete_day_is_asked_for_again() -> None:
    assert windows.days_to_ask(date(2026, 11, 18), TODAY) == Days(date(2026, 11, 4), date(2026, 12, 4))


def test_a_complete_day_that_lies_ahead_makes_no_gap() -> None:
    assert windows.days_to_ask(date(2027, 11, 18), TODAY) == Days(date(2026, 11, 6), date(2026, 12, 4))


@given(st.none() | DAYS, DAYS)
def test_what_is_asked_for_reaches_over_what_was_complete_and_over_today(complete: date | None, today: date) -> None:
    asked = windows.days_to_ask(complete, today)

    assert asked.last == today + timedelta(days=AHEAD_DAYS)
    if complete is None:
        assert asked.first is None
    else:
        assert asked.first is not None
        assert asked.first <= today - timedelta(days=OVERLAP_DAYS)
        assert asked.first <= complete - timedelta(days=OVERLAP_DAYS)


@given(DAYS, st.lists(DAYS, max_size=20))
def test_the_window_is_what_was_asked_for_whatever_was_told(complete: date, told: list[date]) -> None:
    asked = windows.days_to_ask(complete, TODAY)

    assert windows.window(asked, told) == (asked.first, asked.last + timedelta(days=1))


@given(st.lists(DAYS, min_size=1, max_size=20))
def test_of_a_whole_history_the_first_day_may_be_cut(told: list[date]) -> None:
    asked = windows.days_to_ask(None, TODAY)

    known = windows.window(asked, told)

    if min(told) > asked.last - timedelta(days=1):
        assert known is None
    else:
        assert known == (min(told) + timedelta(days=1), asked.last + timedelta(days=1))


def test_of_a_history_that_is_empty_nothing_is_known() -> None:
    assert windows.window(windows.days_to_ask(None, TODAY), []) is None


@given(st.none() | DAYS, st.none() | DAYS, DAYS)
def test_the_last_complete_day_is_never_after_today_or_after_what_the_bank_told_and_never_goes_back(
    before: date | None, refreshed_on: date | None, today: date
) -> None:
    reached = windows.complete_until(before, refreshed_on, today)

    if before is None:
        assert reached == (today if refreshed_on is None else min(today, refreshed_on))
    else:
        assert reached >= before
        assert reached in (before, today, refreshed_on)
