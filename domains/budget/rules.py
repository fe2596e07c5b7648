"""Rules of budgets and goals: periods, and the figures of a period. Pure; the day is always an argument."""

import re
import unicodedata
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from itertools import accumulate
from typing import Final

from domains.budget.errors import (
    AmountInvalid,
    ContributionDateInvalid,
    GoalDatesInvalid,
    GoalOverdrawn,
    LooksInvalid,
    NameInvalid,
    PeriodInvalid,
)
from domains.core import currencies, money

NAME_MAX: Final = 255
NOTES_MAX: Final = 2_000
ICON_MAX: Final = 50
URL_MAX: Final = 2_000
FIRST_DAY: Final = date(1970, 1, 1)
LAST_DAY: Final = date(2199, 12, 31)
#: The day on which what is over and wholly closed is looked at again.
NEVER: Final = date(9999, 12, 31)

_DAYS: Final = {"weekly": 7, "biweekly": 14}
_MONTHS: Final = {"monthly": 1, "quarterly": 3, "yearly": 12}
PERIODS: Final = (*_DAYS, *_MONTHS)
_URL: Final = re.compile(r"https://[!-~]+")
_COLOR: Final = re.compile(r"#[0-9a-f]{6}")
CONTRIBUTION_MESSAGE: Final = (
    "A contribution is not nothing, below 10^15 either way, and has no more digits after the point than the goal's currency."
)
_HUNDREDTH: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Period:
    """Local dates, half-open: from `start` until before `end`."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days


@dataclass(frozen=True, slots=True)
class Figures:
    """What a period comes to. Amounts have the digits of their currency; `percentage_used` is None where nothing is allowed."""

    remaining: Decimal
    percentage_used: Decimal | None
    is_exceeded: bool
    daily_average: Decimal
    projected_end: Decimal


@lru_cache(maxsize=4_096)  # asked for each budget of each dashboard, and the same all day
def period_containing(kind: str, starts_on: date, ends_on: date | None, day: date) -> Period | None:
    """The period of a budget that holds the day; None before the first one and after the last day, `ends_on` (inclusive).

    Periods are counted from `starts_on`. Those of months begin on its day of the month, or on the last day of a shorter month:
    from 31 January they begin on 28 or 29 February, 31 March, 30 April. The last one is cut at `ends_on`.
    """
    if day < starts_on or (ends_on is not None and day > ends_on):
        return None
    if kind in _DAYS:
        start = starts_on + timedelta(days=(day - starts_on).days // _DAYS[kind] * _DAYS[kind])
        end = start + timedelta(days=_DAYS[kind])
    else:
        step = _MONTHS[kind]
        count = (12 * (day.year - starts_on.year) + day.month - starts_on.month) // step
        if add_months(starts_on, count * step) > day:
            count -= 1
        start, end = add_months(starts_on, count * step), add_months(starts_on, (count + 1) * step)
    return Period(start, end if ends_on is None else min(end, ends_on + timedelta(days=1)))


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed period of a budget. One that is frozen is never closed again."""

    period: Period
    is_frozen: bool = False


def periods_to_close(kind: str, starts_on: date, ends_on: date | None, closed: Sequence[Closed], today: date) -> Iterator[Period]:
    """The periods of a budget that are over by today and not closed, oldest first.

    `closed` may be of periods that the budget had before it was redefined. Then one of today's definition that overlaps them has only been
    its period if it ends after all of them; else it never was, and is not closed.
    """
    known = sorted(closed, key=lambda each: each.period.start)
    starts = [each.period.start for each in known]
    ends = list(accumulate((each.period.end for each in known), max))
    frozen = {each.period.start for each in known if each.is_frozen}
    day = starts_on
    while (period := period_containing(kind, starts_on, ends_on, day)) is not None and period.end <= today:
        begun = bisect_left(starts, period.end)  # how many closed ones begin before this one is over
        is_apart = begun == 0 or ends[begun - 1] <= period.start
        if is_apart or (period.end > ends[-1] and period.start not in frozen):
            yield period
        day = period.end


def next_closing(kind: str, starts_on: date, ends_on: date | None, today: date) -> date:
    """The day on which the period that is not over today is; NEVER for a budget that is over."""
    period = period_containing(kind, starts_on, ends_on, max(today, starts_on))
    return NEVER if period is None else period.end


def add_months(day: date, months: int) -> date:
    """The same day of the month so many months on, or that month's last day."""
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def utilization(*, amount: Decimal, spent: Decimal, pending: Decimal, period: Period, today: date, currency: str) -> Figures:
    """The figures of a period as of today, who may be outside it.

    remaining counts what has posted, not what is `pending`; projected_end is what will have been spent at this pace,
    with what is pending on top, and never less than what has been spent.
    """
    elapsed = min(max((today - period.start).days + 1, 1), period.days)
    average = spent / elapsed
    projected = max(average * period.days, spent) + max(pending, money.ZERO)
    return Figures(
        remaining=money.quantize(amount - spent, currency),
        percentage_used=percentage(spent, amount),
        is_exceeded=spent > amount,
        daily_average=money.quantize(average, currency),
        projected_end=money.quantize(projected, currency),
    )


def percentage(part: Decimal, whole: Decimal) -> Decimal | None:
    """With two digits; None of nothing."""
    return None if whole == 0 else (100 * part / whole).quantize(_HUNDREDTH, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a goal is. `is_on_track` is None for a goal without a date."""

    percentage_complete: Decimal
    months_remaining: int | None
    required_monthly: Decimal | None
    is_on_track: bool | None


def progress(*, target: Decimal, current: Decimal, starts_on: date, ends_on: date | None, today: date, currency: str) -> Progress:
    """A goal as of today. On track: at least the share of the time that has passed is the share that is saved.

    months_remaining counts calendar months; in the last one all that is missing is required. required_monthly is rounded up: who pays
    it each month arrives.
    """
    complete = percentage(current, target) if target else Decimal(100)
    if ends_on is None:
        return Progress(complete or Decimal(0), None, None, None)
    missing = max(target - current, money.ZERO)
    months = max(12 * (ends_on.year - today.year) + ends_on.month - today.month, 0)
    passed = Decimal(min(max((today - starts_on).days, 0), max((ends_on - starts_on).days, 0)))
    whole = Decimal(max((ends_on - starts_on).days, 1))
    return Progress(
        percentage_complete=complete or Decimal(0),
        months_remaining=months,
        required_monthly=_rounded_up(missing / max(months, 1), currency),
        is_on_track=current >= target or (today <= ends_on and current * whole >= target * passed),
    )


def _rounded_up(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-currencies.digits(currency)), rounding=ROUND_CEILING)


def check_name(name: str) -> str:
    """The name with single spaces. Errors: NameInvalid."""
    cleaned = " ".join(name.split())
    if not 1 <= len(cleaned) <= NAME_MAX or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in cleaned):
        raise NameInvalid(field="name")
    return cleaned


def check_amount(amount: Decimal, currency: str, field: str = "amount") -> Decimal:
    """Errors: AmountInvalid."""
    is_in_range = amount.is_finite() and 0 <= amount <= money.LARGEST
    # With more digits than arithmetic carries, the check of the last ones would look at a rounded amount.
    if not is_in_range or amount != +amount or not money.has_minor_units_of(amount, currency):
        raise AmountInvalid(field=field)
    return amount


def check_contribution(amount: Decimal, currency: str) -> Decimal:
    """An amount put aside, or, below zero, taken out. Errors: AmountInvalid."""
    try:
        check_amount(abs(amount) if amount.is_finite() else amount, currency)
    except AmountInvalid as error:
        raise AmountInvalid(CONTRIBUTION_MESSAGE, field="amount") from error
    if amount == 0:
        raise AmountInvalid(CONTRIBUTION_MESSAGE, field="amount")
    return amount


def check_contribution_date(day: date, today: date) -> date:
    """Errors: ContributionDateInvalid."""
    if not FIRST_DAY <= day <= today:
        raise ContributionDateInvalid(field="contributionDate")
    return day


@dataclass(frozen=True, slots=True)
class Saved:
    """What a goal's contributions come to, and what has become of the goal."""

    current: Decimal
    status: str


def saved(*, opening: Decimal, contributed: Decimal, target: Decimal, status: str, field: str = "amount") -> Saved:
    """The fold of a goal: reached at its target, open again below it. A goal that was paused or given up stays so.

    Errors: GoalOverdrawn; AmountInvalid for more than can be stored.
    """
    current = opening + contributed
    if current < 0:
        raise GoalOverdrawn(field=field)
    if current > money.LARGEST:
        raise AmountInvalid("This would make more than a goal can hold.", field=field)
    if status in ("active", "achieved"):
        status = "achieved" if current >= target else "active"
    return Saved(current, status)


def check_target(amount: Decimal, currency: str) -> Decimal:
    """Errors: AmountInvalid."""
    if check_amount(amount, currency, "targetAmount") == 0:
        raise AmountInvalid("A goal is of more than nothing.", field="targetAmount")
    return amount


def check_goal_dates(starts_on: date, ends_on: date | None, today: date) -> None:
    """Errors: GoalDatesInvalid."""
    if not FIRST_DAY <= starts_on <= today:
        raise GoalDatesInvalid(field="startedAt")
    if ends_on is not None and not starts_on < ends_on <= LAST_DAY:
        raise GoalDatesInvalid(field="targetDate")


def check_goal_looks(description: str | None, color: str | None, image_url: str | None) -> None:
    """Errors: LooksInvalid."""
    if description is not None and (len(description) > NOTES_MAX or "\x00" in description):
        raise LooksInvalid("A description has at most 2,000 characters.", field="description")
    check_looks(None, color, None)
    if image_url is not None and (len(image_url) > URL_MAX or _URL.fullmatch(image_url) is None):
        raise LooksInvalid("The address of a picture begins with https:// and has at most 2,000 characters.", field="imageUrl")


def check_dates(starts_on: date, ends_on: date | None) -> None:
    """Errors: PeriodInvalid."""
    if not FIRST_DAY <= starts_on <= LAST_DAY:
        raise PeriodInvalid(field="startDate")
    if ends_on is not None and not starts_on <= ends_on <= LAST_DAY:
        raise PeriodInvalid(field="endDate")


def check_looks(notes: str | None, color: str | None, icon: str | None) -> None:
    """Errors: LooksInvalid."""
    if notes is not None and (len(notes) > NOTES_MAX or "\x00" in notes):
        raise LooksInvalid(field="notes")
    if color is not None and _COLOR.fullmatch(color) is None:
        raise LooksInvalid(field="color")
    if icon is not None and (not 1 <= len(icon) <= ICON_MAX or not icon.isprintable()):
        raise LooksInvalid(field="icon")
