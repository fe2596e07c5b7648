"""Dates of CSV files. Which of two numbers is the day is decided by the whole column, or not at all."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import date
from typing import NamedTuple

from domains.bank.errors import StatementRejected
from domains.bank.providers.file.options import DateOrder
from domains.bank.providers.file.text import one_line
from domains.bank.providers.file.values import DateRange

_CLOCK = r"[0-9]{1,2}[:.h][0-9]{2}(?:[:.][0-9]{2}(?:[.,][0-9]{1,9})?)?\s*(?:[ap]\.?m\.?)?"
_TIME = rf"(?:[T ,]\s*{_CLOCK}\s*(?:z|utc|gmt|[+-][0-9]{{2}}:?[0-9]{{2}})?)?"
_NUMBERS = re.compile(rf"([0-9]{{1,4}})([./-])\s?([0-9]{{1,2}})\2\s?([0-9]{{4}}|[0-9]{{1,2}}){_TIME}", re.IGNORECASE)
_COMPACT = re.compile(rf"([0-9]{{4}})([0-9]{{2}})([0-9]{{2}}){_TIME}", re.IGNORECASE)
_DAY_MONTH = re.compile(
    rf"([0-9]{{1,2}})(?:\.|st|nd|rd|th|er)?[\s/-]*([^\W\d_]{{3,12}})[.,]?[\s/-]*([0-9]{{4}}|[0-9]{{2}}){_TIME}", re.IGNORECASE
)
_MONTH_DAY = re.compile(rf"([^\W\d_]{{3,12}})\.?\s*([0-9]{{1,2}})(?:st|nd|rd|th)?,?\s+([0-9]{{4}}){_TIME}", re.IGNORECASE)
_MAX_CHARS = 60

#: First letters, without accents, that tell a month in English, German, French, Spanish, Italian and Dutch.
_MONTHS = (
    "jan|janv|gen|ene|janner",
    "feb|fev|fevr",
    "mar|mrz|maer|maart|mrt|marz|mars",
    "apr|avr|abr",
    "may|mai|mag|mei|mayo",
    "jun|juin|giu",
    "jul|juil|lug",
    "aug|aou|ago",
    "sep|set",
    "oct|okt|ott",
    "nov",
    "dec|dez|dic",
)
_MONTH_OF = {start: number for number, starts in enumerate(_MONTHS, 1) for start in starts.split("|")}


class _Parts(NamedTuple):
    first: int
    second: int
    year: int
    mark: str


class Dates:
    """Reads the dates of one file, once the order of day and month is known."""

    def __init__(self, order: DateOrder, days: DateRange) -> None:
        self._order = order
        self._days = days
        self._read: dict[str, date] = {}

    def day(self, written: str, line: int) -> date:
        """Errors: StatementRejected."""
        found = self._read.get(written)
        if found is None:
            found = self._parse(written.strip(), line)
            if not self._days.earliest <= found <= self._days.latest:
                raise StatementRejected(self._days.reason(found), line=line)
            self._read[written] = found
        return found

    def _parse(self, written: str, line: int) -> date:
        if not written:
            raise StatementRejected("This row has no date.", line=line)
        found = _in_words(written) or _year_first(written)
        if found is None and (parts := _two_numbers(written)) is not None:
            if self._order == "MDY":
                found = _date(parts.year, parts.first, parts.second)
            elif self._order == "DMY":
                found = _date(parts.year, parts.second, parts.first)
            elif parts.first < 100:  # YMD with a short year: what stands last is the day
                found = _date(_century(parts.first), parts.second, parts.year % 100)
        if found is None:
            raise StatementRejected(f"{one_line(written, 40)!r} is not a date.", line=line)
        return found


def decide_order(written: Mapping[str, int], languages: Collection[str], told: DateOrder | None) -> DateOrder:
    """Which order the day and the month have in a file's dates (as written -> the line where it stands first).

    A number above 12 decides; so do points between the numbers, and headers in a language whose banks all put the day first.
    Errors: StatementRejected when the dates contradict each other, or when nothing decides.
    """
    if told is not None:
        return told
    numbers = {text: parts for text in written if (parts := _two_numbers(text.strip())) is not None}
    day_first = next((text for text, parts in numbers.items() if parts.first > 12), None)
    month_first = next((text for text, parts in numbers.items() if parts.second > 12), None)
    if day_first is not None and month_first is not None:
        reason = f"{one_line(day_first, 40)} has the day first and {one_line(month_first, 40)} has the month first, in one file."
        line = max(written[day_first], written[month_first])
        raise StatementRejected(f"{reason} State the `date_order` (YMD if the year is first).", line=line, field="date_order")
    if month_first is not None:
        return "MDY"
    unclear = next((text for text, parts in numbers.items() if parts.first != parts.second and parts.mark != "."), None)
    if day_first is not None or unclear is None or (languages and "en" not in languages):
        return "DMY"
    reason = f"Dates such as {one_line(unclear, 40)} can be read with the day first or with the month first."
    raise StatementRejected(f"{reason} State the `date_order` (DMY or MDY).", line=written[unclear], field="date_order")


def is_remark(text: str) -> bool:
    """Words that cannot be the beginning of a date."""
    words = re.findall(r"[^\W\d_]+", text)
    return bool(words) and not text[0].isdigit() and len("".join(words)) >= 3 and _month(words[0]) is None


def _two_numbers(written: str) -> _Parts | None:
    """Day and month in an order that is not known, then the year."""
    match = _NUMBERS.fullmatch(written) if len(written) <= _MAX_CHARS else None
    if match is None or len(match[1]) > 2:
        return None
    return _Parts(int(match[1]), int(match[3]), _century(int(match[4])) if len(match[4]) <= 2 else int(match[4]), match[2])


def _year_first(written: str) -> date | None:
    if len(written) > _MAX_CHARS:
        return None
    match = _NUMBERS.fullmatch(written)
    if match is not None:
        return _date(int(match[1]), int(match[3]), int(match[4])) if len(match[1]) == 4 else None
    match = _COMPACT.fullmatch(written)
    return _date(int(match[1]), int(match[2]), int(match[3])) if match is not None else None


def _in_words(written: str) -> date | None:
    if len(written) > _MAX_CHARS or not any(each.isalpha() for each in written):
        return None
    if match := _DAY_MONTH.fullmatch(written):
        day, month, year = match.groups()
    elif match := _MONTH_DAY.fullmatch(written):
        month, day, year = match.groups()
    else:
        return None
    number = _month(month)
    return _date(_century(int(year)) if len(year) == 2 else int(year), number, int(day)) if number else None


def _month(word: str) -> int | None:
    plain = "".join(each for each in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(each))
    return next((_MONTH_OF[plain[:length]] for length in (5, 4, 3) if plain[:length] in _MONTH_OF), None)


def _century(year: int) -> int:
    return year + (1900 if year >= 70 else 2000)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
