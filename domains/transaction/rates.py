"""Exchange rates as the European Central Bank publishes them: per euro, once a working day. No I/O."""

import csv
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

EURO: Final = "EUR"
#: How old a rate may be: over the longest holidays none is published for five days.
AGE_AT_MOST_DAYS: Final = 7
#: Working days since 1999, five times over; currencies there are; characters of a file of these.
DAYS_AT_MOST: Final = 40_000
CURRENCIES_AT_MOST: Final = 200
FILE_AT_MOST: Final = 32 * 1024 * 1024

_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,8})?")
_NONE: Final = "N/A"


class RatesRejected(ValueError):
    """A file of exchange rates is not one; the text tells the line."""


class EuroRate(NamedTuple):
    """How many of a currency one euro was on a day."""

    currency: str
    on_date: date
    per_eur: Decimal


class RateTable:
    """Rates of some currencies over some days."""

    def __init__(self, rates: Iterable[tuple[str, date, Decimal]]) -> None:
        self._days: dict[str, list[date]] = defaultdict(list)
        self._per_eur: dict[str, list[Decimal]] = defaultdict(list)
        for currency, day, per_eur in sorted(rates):
            self._days[currency].append(day)
            self._per_eur[currency].append(per_eur)

    def rate(self, source: str, target: str, day: date) -> Decimal | None:
        """How many of `target` one `source` was on that day, or on the nearest earlier one, up to a week; None where nobody knows."""
        if source == target:
            return Decimal(1)
        of_source, of_target = self._of_euro(source, day), self._of_euro(target, day)
        return None if of_source is None or of_target is None else of_target / of_source

    def _of_euro(self, currency: str, day: date) -> Decimal | None:
        if currency == EURO:
            return Decimal(1)
        days = self._days.get(currency, [])
        place = bisect_right(days, day) - 1
        is_known = place >= 0 and (day - days[place]).days <= AGE_AT_MOST_DAYS
        return self._per_eur[currency][place] if is_known else None


def read_rates(text: str) -> list[EuroRate]:
    """The rates of a file: a line of `Date` and currencies, then a line a day with how many of each one euro was, `N/A` where nobody said.

    Errors: RatesRejected, which names the line; then nothing of the file is to be taken.
    """
    if len(text) > FILE_AT_MOST:
        raise RatesRejected(f"It is longer than {FILE_AT_MOST} characters.")
    lines = csv.reader(text.removeprefix("\ufeff").splitlines())
    try:
        currencies = _header(next(lines, []))
        found: list[EuroRate] = []
        days: set[date] = set()
        for number, cells in enumerate(lines, start=2):
            day = _day(cells, number, days)
            found += _rates(day, cells, currencies, number)
    except csv.Error as error:
        raise RatesRejected(f"Line {lines.line_num} is no line of a CSV file.") from error
    if not found:
        raise RatesRejected("It has no rates.")
    return found


def _header(cells: list[str]) -> list[str]:
    names = _without_last_empty([cell.strip() for cell in cells])
    currencies = names[1:]
    if not names or names[0] != "Date" or not currencies:
        raise RatesRejected("Line 1 is not `Date` and then currencies.")
    if len(currencies) > CURRENCIES_AT_MOST or len(set(currencies)) < len(currencies):
        raise RatesRejected("Line 1 names a currency twice, or too many.")
    unknown = next((name for name in currencies if _CURRENCY.fullmatch(name) is None or name == EURO), None)
    if unknown is not None:
        raise RatesRejected(f"Line 1 names {unknown[:20]!r}, which is no currency beside the euro.")
    return currencies


def _day(cells: list[str], number: int, seen: set[date]) -> date:
    text = cells[0].strip() if cells else ""
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise RatesRejected(f"Line {number} does not begin with a day, as in 2026-01-31.")
    if day in seen:
        raise RatesRejected(f"Line {number} is about a day that another line is about: {day}.")
    seen.add(day)
    if len(seen) > DAYS_AT_MOST:
        raise RatesRejected(f"It has more than {DAYS_AT_MOST} days.")
    return day


def _rates(day: date, cells: list[str], currencies: list[str], number: int) -> Iterator[EuroRate]:
    values = _without_last_empty([cell.strip() for cell in cells[1:]], len(currencies))
    if len(values) != len(currencies):
        raise RatesRejected(f"Line {number} has {len(values)} rates for {len(currencies)} currencies.")
    for currency, text in zip(currencies, values, strict=True):
        if text == _NONE:
            continue
        rate = Decimal(text) if _NUMBER.fullmatch(text) else None
        if not rate:
            raise RatesRejected(f"Line {number} has no rate of {currency}, and does not say {_NONE}.")
        yield EuroRate(currency, day, rate)


def _without_last_empty(cells: list[str], size: int = 0) -> list[str]:
    """Lines of this file end with a comma."""
    return cells[:-1] if len(cells) > size and cells[-1:] == [""] else cells
