"""Which periods are closed, and what becomes of a goal: against plain Python that does it the slow way."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.budget.queries import Definition, LockedBudget
from db.budget.queries_history import ClosedPeriod
from domains.budget.errors import AmountInvalid, ContributionDateInvalid, GoalOverdrawn
from domains.budget.rules import (
    NEVER,
    PERIODS,
    Closed,
    Period,
    check_contribution,
    check_contribution_date,
    next_closing,
    period_containing,
    periods_to_close,
    saved,
)
from domains.budget.service.apply_fold import Fold
from domains.budget.service.close_periods import Closing, _row, plan_closing

days = st.dates(date(2019, 1, 1), date(2030, 12, 31))
kinds = st.sampled_from(PERIODS)
lengths = st.none() | st.integers(0, 900)
cents = st.decimals(-(10**6), 10**6, places=2)


def day_by_day(kind: str, start: date, end: date | None, today: date) -> list[Period]:
    """The slow way: the period of every day before today, once each, unless it is not over."""
    found = {period_containing(kind, start, end, start + timedelta(days=number)) for number in range((today - start).days)}
    return sorted((period for period in found if period is not None and period.end <= today), key=lambda period: period.start)


@given(kinds, days, lengths, st.integers(-5, 800))
def test_what_is_over_is_closed_from_the_first_day_without_a_gap(kind: str, start: date, length: int | None, passed: int) -> None:
    end, today = None if length is None else start + timedelta(days=length), start + timedelta(days=passed)

    due = list(periods_to_close(kind, start, end, [], today))

    assert due == day_by_day(kind, start, end, today)
    assert list(periods_to_close(kind, start, end, [Closed(period) for period in due], today)) == []
    for missing in due[:1] + due[-1:]:
        known = [Closed(period, is_frozen=True) for period in due if period != missing]
        assert list(periods_to_close(kind, start, end, known, today)) == [missing]


@given(kinds, days, lengths, st.integers(0, 800))
def test_the_next_closing_is_the_day_on_which_another_period_is_over(kind: str, start: date, length: int | None, passed: int) -> None:
    end, today = None if length is None else start + timedelta(days=length), start + timedelta(days=passed)

    due = next_closing(kind, start, end, today)

    closed = [Closed(period) for period in periods_to_close(kind, start, end, [], today)]
    if due == NEVER:
        assert list(periods_to_close(kind, start, end, closed, today + timedelta(days=1_000))) == []
        return
    assert due > today
    assert list(periods_to_close(kind, start, end, closed, due - timedelta(days=1))) == []
    assert [period.end for period in periods_to_close(kind, start, end, closed, due)] == [due]


@given(kinds, kinds, days, st.integers(-40, 40), st.integers(0, 500), st.integers(1, 500), st.booleans())
def test_a_budget_that_is_redefined_is_closed_to_an_end_whatever_it_was_before(
    before: str, after: str, start: date, moved: int, first: int, second: int, is_frozen: bool
) -> None:
    """Rows are stored under their first day, a frozen one for ever: nothing is due twice."""
    known = {period.start: Closed(period, is_frozen) for period in periods_to_close(before, start, None, [], start + timedelta(days=first))}
    start, today = start + timedelta(days=moved), start + timedelta(days=first + second)

    due = list(periods_to_close(after, start, None, list(known.values()), today))
    for period in due:
        assert not (period.start in known and known[period.start].is_frozen)
        known[period.start] = Closed(period)

    assert list(periods_to_close(after, start, None, list(known.values()), today)) == []
    ends = [each.period.end for each in known.values()]
    assert not day_by_day(after, start, None, today) or is_frozen or max(ends) >= day_by_day(after, start, None, today)[-1].end


@given(st.lists(st.tuples(st.integers(0, 120), cents, st.sampled_from(["USD", "EUR"])), max_size=40), st.integers(0, 10_000))
def test_the_closing_fold_is_the_plain_sum_of_each_period(moves: list[tuple[int, Decimal, str]], amount: int) -> None:
    start, allowed = date(2026, 1, 31), Decimal(amount)
    budget = Definition(uuid4(), "FOOD_AND_DRINK", "monthly", start, None, "USD")
    plan = plan_closing([budget], [], start + timedelta(days=100), at_most=100)
    for fold in plan.folds:
        for currency in ("USD", "EUR"):
            inside = [(day, spent) for day, spent, code in moves if code == currency and within(fold, start, day)]
            if inside:
                last = start + timedelta(days=max(day for day, _ in inside))
                fold.take(currency, sum((spent for _, spent in inside), Decimal(0)), Decimal(7), len(inside), last)

    rows = [_row(locked(budget, allowed), fold, {}, 1, is_frozen=False) for fold in plan.folds]

    assert [(row["period_start"], row["period_end"]) for row in rows] == [
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2026, 2, 28), date(2026, 3, 31)),
        (date(2026, 3, 31), date(2026, 4, 30)),
    ]
    for row in rows:
        mine = [each for each in moves if row["period_start"] <= start + timedelta(days=each[0]) < row["period_end"]]
        spent = sum((each for _, each, code in mine if code == "USD"), Decimal(0))
        others = sum((each for _, each, code in mine if code == "EUR"), Decimal(0))
        assert (row["amount_spent"], row["amount_remaining"], row["was_exceeded"]) == (spent, allowed - spent, spent > allowed)
        assert row["transaction_count"] == len(mine)
        assert row["percentage_used"] == (None if amount == 0 else (100 * spent / allowed).quantize(Decimal("0.01")))
        assert Decimal(row["unconverted"].get("EUR", 0)) == others


def within(fold: Fold, start: date, day: int) -> bool:
    return fold.period.start <= start + timedelta(days=day) < fold.period.end


def locked(budget: Definition, amount: Decimal) -> LockedBudget:
    return LockedBudget(*budget, amount=amount, version=1, folded_ledger_version=1, folded_at=None)


def test_a_row_that_is_summed_again_keeps_its_category_and_period() -> None:
    budget = Definition(uuid4(), "TRAVEL", "monthly", date(2026, 1, 1), None, "USD")
    week = ClosedPeriod(budget.id, date(2025, 12, 1), date(2025, 12, 8), "FOOD_AND_DRINK", is_frozen=False)
    frozen = week._replace(period_start=date(2025, 12, 8), period_end=date(2025, 12, 15), is_frozen=True)

    def again(first: date, end: date) -> list[tuple[str, date]]:
        plan = plan_closing([budget], [week, frozen], date(2026, 1, 20), at_most=10, again=(first, end))
        return [(fold.definition.category, fold.period.start) for fold in plan.folds]

    assert again(date(2025, 1, 1), date(2026, 1, 1)) == [("FOOD_AND_DRINK", date(2025, 12, 1))]
    assert again(date(2025, 12, 7), date(2025, 12, 8)) == [("FOOD_AND_DRINK", date(2025, 12, 1))]
    assert again(date(2025, 12, 8), date(2026, 1, 1)) == []
    assert again(date(2025, 11, 1), date(2025, 12, 1)) == []


def test_a_plan_is_carried_out_in_batches() -> None:
    budget = Definition(uuid4(), "TRAVEL", "weekly", date(2020, 1, 1), None, "USD")

    plan = plan_closing([budget], [], date(2028, 1, 1), at_most=300)

    assert [len(batch) for batch in plan.batches()] == [200, 100]
    assert plan.next_on == {budget.id: date(2028, 1, 1)}
    assert Closing().batches() == []


@given(cents.map(abs), st.lists(cents, max_size=30), cents.map(abs))
def test_a_goal_is_its_opening_amount_and_all_contributions(opening: Decimal, contributions: list[Decimal], target: Decimal) -> None:
    total = opening + sum(contributions, Decimal(0))

    if total < 0:
        with pytest.raises(GoalOverdrawn):
            saved(opening=opening, contributed=total - opening, target=target, status="active")
        return
    for status in ("active", "achieved"):
        found = saved(opening=opening, contributed=total - opening, target=target, status=status)
        assert (found.current, found.status) == (total, "achieved" if total >= target else "active")
    for status in ("paused", "abandoned"):
        assert saved(opening=opening, contributed=total - opening, target=target, status=status).status == status


def test_a_goal_holds_no_more_than_can_be_stored() -> None:
    with pytest.raises(AmountInvalid):
        saved(opening=Decimal("999999999999999.99"), contributed=Decimal("0.01"), target=Decimal(1), status="active")


@pytest.mark.parametrize(("amount", "currency"), [("0.01", "USD"), ("-0.01", "USD"), ("-5", "JPY"), ("1.234", "KWD")])
def test_contributions_that_may_be(amount: str, currency: str) -> None:
    assert check_contribution(Decimal(amount), currency) == Decimal(amount)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("0", "USD"), ("-0.00", "USD"), ("0.001", "USD"), ("-1.5", "JPY"), ("NaN", "USD"), ("-Infinity", "USD"), ("-1E+15", "USD")],
)
def test_contributions_that_may_not(amount: str, currency: str) -> None:
    with pytest.raises(AmountInvalid) as refused:
        check_contribution(Decimal(amount), currency)

    assert refused.value.field == "amount"


def test_a_contribution_is_of_a_day_that_has_come() -> None:
    today = date(2026, 11, 22)

    assert check_contribution_date(today, today) == today
    assert check_contribution_date(date(1970, 1, 1), today) == date(1970, 1, 1)
    for day in (date(2026, 11, 23), date(1969, 12, 31)):
        with pytest.raises(ContributionDateInvalid):
            check_contribution_date(day, today)
