"""Rules of notifications: what a rule may ask for, how a delivery goes on and when it is tried again. Pure."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from domains.core import currencies, money
from domains.notification.errors import NotificationChannelsInvalid, NotificationConditionsInvalid, NotificationRuleNameInvalid

NAME_MAX: Final = 255
TITLE_MAX: Final = 255
MESSAGE_MAX: Final = 10_000
#: Of categories, and of budgets, in one rule.
LISTED_MAX: Final = 100
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

RETRY_BASE: Final = timedelta(minutes=1)
RETRY_FACTOR: Final = 4.0
RETRY_CAP: Final = timedelta(hours=6)

_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class Hours:
    """Times of day by the user's clock, half-open: from `start` until before `end`, past midnight when that is earlier."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Conditions:
    """When a rule holds: all that is said must. Nothing said of a kind means any.

    The threshold is a positive amount of `currency`; days are named as in `DAYS`.
    """

    amount_threshold: Decimal | None = None
    currency: str | None = None
    categories: Sequence[str] = ()
    budgets: Sequence[UUID] = ()
    time_of_day: Hours | None = None
    days_of_week: Sequence[str] = ()

    def said(self) -> list[str]:
        """What is narrowed, as inputs name it."""
        given = {
            "amountThreshold": self.amount_threshold is not None,
            "categoryIds": bool(self.categories),
            "budgetIds": bool(self.budgets),
            "timeOfDay": self.time_of_day is not None,
            "daysOfWeek": bool(self.days_of_week),
        }
        return [name for name, is_given in given.items() if is_given]


class _Kind(NamedTuple):
    """What a type of rule must and may say."""

    needs: tuple[str, ...]
    takes: tuple[str, ...]


_WHEN: Final = ("timeOfDay", "daysOfWeek")
_KINDS: Final = {
    "large_transaction": _Kind(("amountThreshold",), ("amountThreshold", "categoryIds", *_WHEN)),
    "budget_threshold": _Kind((), ("budgetIds", *_WHEN)),
    "category_limit": _Kind(("amountThreshold", "categoryIds"), ("amountThreshold", "categoryIds", *_WHEN)),
    "custom": _Kind((), ("amountThreshold", "categoryIds", "budgetIds", *_WHEN)),
}


def check_name(name: str) -> str:
    """The name with single spaces. Errors: NotificationRuleNameInvalid."""
    cleaned = " ".join(name.split())
    if not 1 <= len(cleaned) <= NAME_MAX or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in cleaned):
        raise NotificationRuleNameInvalid(field="name")
    return cleaned


def check_channels(channels: Sequence[str]) -> list[str]:
    """Errors: NotificationChannelsInvalid."""
    if not channels or len(set(channels)) < len(channels):
        raise NotificationChannelsInvalid(field="channels")
    return list(channels)


def check_conditions(rule_type: str, given: Conditions) -> Conditions:
    """Errors: NotificationConditionsInvalid, whose `field` says where."""
    kind, said = _KINDS[rule_type], given.said()
    for name in kind.needs:
        if name not in said:
            raise _invalid(name, f"A rule of this type needs `{name}`.")
    for name in said:
        if name not in kind.takes:
            raise _invalid(name, f"A rule of this type does not look at `{name}`.")
    if rule_type == "custom" and not said:
        raise NotificationConditionsInvalid("A rule of this type needs at least one condition.", field="conditions")
    _check_threshold(given)
    for name, listed in (("categoryIds", given.categories), ("budgetIds", given.budgets), ("daysOfWeek", given.days_of_week)):
        _check_listed(name, listed)
    if given.time_of_day is not None and given.time_of_day.start == given.time_of_day.end:
        raise _invalid("timeOfDay", "A time of day ends at another minute than it starts.")
    return given


def _check_threshold(given: Conditions) -> None:
    amount, currency = given.amount_threshold, given.currency or ""
    if amount is None:
        return
    if not currencies.is_known(currency):
        raise _invalid("amountThreshold.currency", "A currency is a code of ISO 4217, such as EUR.")
    if not money.fits(amount) or amount <= 0 or not money.has_minor_units_of(amount, currency):
        raise _invalid("amountThreshold.amount", "A threshold is above 0, below 10^15, and has no more digits than its currency.")


def _check_listed(name: str, listed: Sequence[Any]) -> None:
    if len(listed) > LISTED_MAX:
        raise _invalid(name, f"At most {LISTED_MAX} of them.")
    if len(set(listed)) < len(listed):
        raise _invalid(name, "Each of them once.")


def _invalid(name: str, message: str) -> NotificationConditionsInvalid:
    return NotificationConditionsInvalid(message, field=f"conditions.{name}")


def as_json(conditions: Conditions) -> dict[str, Any]:
    """As they are stored: what is not said is not there, amounts and times are text."""
    stored: dict[str, Any] = {}
    if conditions.amount_threshold is not None:
        stored |= {"amount_threshold": f"{conditions.amount_threshold:f}", "currency": conditions.currency}
    if conditions.categories:
        stored["categories"] = list(conditions.categories)
    if conditions.budgets:
        stored["budgets"] = [str(budget) for budget in conditions.budgets]
    if conditions.time_of_day is not None:
        hours = conditions.time_of_day
        stored["time_of_day"] = {"start": hours.start.isoformat("minutes"), "end": hours.end.isoformat("minutes")}
    if conditions.days_of_week:
        stored["days_of_week"] = [day for day in DAYS if day in conditions.days_of_week]
    return stored


def from_json(stored: Mapping[str, Any]) -> Conditions:
    """What `as_json` made."""
    amount, hours = stored.get("amount_threshold"), stored.get("time_of_day")
    return Conditions(
        amount_threshold=None if amount is None else Decimal(amount),
        currency=stored.get("currency"),
        categories=tuple(stored.get("categories", ())),
        budgets=tuple(UUID(budget) for budget in stored.get("budgets", ())),
        time_of_day=None if hours is None else Hours(time.fromisoformat(hours["start"]), time.fromisoformat(hours["end"])),
        days_of_week=tuple(stored.get("days_of_week", ())),
    )


# Delivery. `delivered_at` and `read_at` are marks on what was sent or written, no statuses.

#: Status -> those that may follow it.
_NEXT: Final[Mapping[str, Collection[str]]] = {
    "pending": ("sent", "failed", "cancelled"),
    "failed": ("pending", "cancelled"),
    "sent": (),
    "cancelled": (),
}


def may_become(status: str, following: str) -> bool:
    return following in _NEXT[status]


def statuses_before(status: str) -> list[str]:
    """From which statuses a notification may come to this one."""
    return [before for before in _NEXT if may_become(before, status)]


def next_retry_at(at: datetime, retry_count: int, max_retries: int, draw: float) -> datetime | None:
    """When to try again what failed at an instant after so many retries; None when it was the last try.

    The wait is 1, 4, 16, ... minutes, at most 6 hours, of which `draw` of [0, 1) decides the later half: what failed together is not
    tried again together.
    """
    if retry_count >= max_retries:
        return None
    bound = min(RETRY_BASE * RETRY_FACTOR ** min(retry_count, 10), RETRY_CAP)
    return at + bound / 2 + bound / 2 * draw


def check_failure(code: str) -> str:
    """A reason that may be kept and shown: a code of ours. Errors: ValueError for what may be a provider's text."""
    if _CODE.fullmatch(code) is None:
        raise ValueError("a failed delivery is recorded with a code in upper case")
    return code


def check_words(title: str | None, message: str) -> None:
    """Errors: ValueError: notifications are written by our own code, and what does not fit is its mistake."""
    if title is not None and (len(title) > TITLE_MAX or "\0" in title):
        raise ValueError(f"a title has at most {TITLE_MAX} characters")
    if not 1 <= len(message) <= MESSAGE_MAX or "\0" in message:
        raise ValueError(f"a message has 1 to {MESSAGE_MAX} characters")
