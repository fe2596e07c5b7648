"""Amounts of CSV files: signs, marks and currencies as banks of several countries write them."""

import re
from collections.abc import Mapping
from decimal import Decimal

from domains.bank.errors import StatementRejected
from domains.bank.providers.file.options import DecimalSeparator
from domains.bank.providers.file.text import one_line
from domains.bank.providers.file.values import exact_amount
from domains.core import currencies

_MAX_CHARS = 64
_PLAIN = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,4})?")
_NOT_NUMBER = re.compile(r"[\s'’`´\"]")  # spaces of every kind, and the apostrophes between Swiss thousands
_MINUS = str.maketrans("−–—﹣－＋", "-----+")
_DIGITS = re.compile(r"[0-9.,]*[0-9][0-9.,]*")
_UNITS = re.compile(r"([+-]?)([^0-9.,+()-]{0,5})([+-]?)([0-9.,]*[0-9][0-9.,]*)([+-]?)([^0-9.,+()-]{0,5})")
_SYMBOLS = {
    "€": "EUR", "£": "GBP", "US$": "USD", "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD", "NZ$": "NZD", "HK$": "HKD", "S$": "SGD",
    "R$": "BRL", "₹": "INR", "₽": "RUB", "₺": "TRY", "₩": "KRW", "₪": "ILS", "₴": "UAH", "₫": "VND", "฿": "THB", "zł": "PLN", "Kč": "CZK",
    "Ft": "HUF", "SFr": "CHF", "Fr.": "CHF", "₱": "PHP", "₦": "NGN",
}  # fmt: skip
#: Signs of several currencies: they say nothing, and are no error.
_SHARED_SYMBOLS = frozenset({"$", "¥", "kr", "kr.", "KR", "Kr", "Fr", "-", ""})


class Amounts:
    """Reads the amounts of one file, once its decimal separator is known."""

    def __init__(self, separator: DecimalSeparator) -> None:
        self._separator = separator

    def read(self, written: str, line: int) -> tuple[Decimal | None, str | None]:
        """The signed amount and the currency that stands beside it; no amount for an empty cell.

        Errors: StatementRejected.
        """
        if self._separator == "." and _PLAIN.fullmatch(written):
            return Decimal(written), None
        text = written.strip()
        if not text or text in ("-", "–", "—"):
            return None, None
        sign, digits, unit = _taken_apart(text, written, line)
        plain = _plain(digits, self._separator)
        if plain is None:
            raise StatementRejected(_not_an_amount(written), line=line)
        amount = exact_amount(plain, written, lambda: line)
        return (-amount if sign else amount), _currency(unit, written, line)


def decide_separator(written: Mapping[str, int], told: DecimalSeparator | None, *, whole_units: bool) -> DecimalSeparator:
    """Which mark stands before the decimals in a file's amounts (as written -> the line where it stands first).

    `whole_units`: the currency has no decimals, so a mark before three digits parts thousands.
    Errors: StatementRejected when amounts contradict each other, or when nothing decides.
    """
    if told is not None:
        return told
    found: dict[str, str] = {}
    unclear: str | None = None
    for text in written:
        if len(text) <= _MAX_CHARS and (match := _DIGITS.search(_NOT_NUMBER.sub("", text))):
            mark = _decimal_mark(match[0], whole_units=whole_units)
            if mark == "?":
                unclear = text
            elif mark:
                found.setdefault(mark, text)
    if len(found) > 1:
        reason = f"Amounts are written in two ways here, as {one_line(found['.'], 30)} and as {one_line(found[','], 30)}."
        line = max(written[text] for text in found.values())
        raise StatementRejected(f"{reason} State the `decimal_separator`.", line=line, field="decimal_separator")
    if found:
        return "." if "." in found else ","
    if unclear is not None:
        reason = f"{one_line(unclear, 30)} can be a thousand or one and a bit. State the `decimal_separator` ('.' or ',')."
        raise StatementRejected(reason, line=written[unclear], field="decimal_separator")
    return "."


def _decimal_mark(digits: str, *, whole_units: bool) -> str:
    """The mark before the decimals, "" where there is none to be seen, "?" where it cannot be told."""
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return ""
    mark, whole, after = digits[last], digits[:last], digits[last + 1 :]
    other = "," if mark == "." else "."
    if other in whole:
        return mark
    if mark in whole:
        return other  # several of one kind part thousands
    if len(after) != 3 or len(whole) > 3 or whole in ("", "0"):
        return mark
    return other if whole_units else "?"


def _taken_apart(text: str, written: str, line: int) -> tuple[bool, str, str]:
    """Whether it is negative, its digits with their marks, and the letters or symbol beside them."""
    compact = _NOT_NUMBER.sub("", text[: _MAX_CHARS + 1]).translate(_MINUS)
    in_brackets = compact.startswith("(") and compact.endswith(")")
    match = _UNITS.fullmatch(compact[1:-1] if in_brackets else compact) if len(compact) <= _MAX_CHARS else None
    if match is None:
        raise StatementRejected(_not_an_amount(written), line=line)
    before, left, inner, digits, after, right = match.groups()
    signs = [sign for sign in (before, inner, after) if sign]
    if len(signs) > 1 or (signs and in_brackets) or (left and right):
        raise StatementRejected(_not_an_amount(written), line=line)
    unit = left or right
    marked = unit.upper()
    if right and marked in ("CR", "DR", "D", "C"):
        return marked.startswith("D") or "-" in signs, digits, ""
    return in_brackets or "-" in signs, digits, unit


def _plain(digits: str, separator: DecimalSeparator) -> str | None:
    """Digits with a point before the decimals, or None where the marks do not stand where they may."""
    whole, point, decimals = digits.partition(separator)
    grouping = "," if separator == "." else "."
    if separator in decimals or grouping in decimals:
        return None
    groups = whole.split(grouping)
    # Groups of two are how India writes lakhs.
    if len(groups) > 1 and not (1 <= len(groups[0]) <= 3 and len(groups[-1]) == 3 and all(2 <= len(group) <= 3 for group in groups[1:])):
        return None
    return f"{''.join(groups) or '0'}.{decimals}" if point and decimals else "".join(groups) or None


def _currency(unit: str, written: str, line: int) -> str | None:
    if unit in _SHARED_SYMBOLS:
        return None
    code = _SYMBOLS.get(unit) or unit.upper().strip(".")
    if code not in _SYMBOLS.values() and not currencies.is_known(code):
        raise StatementRejected(_not_an_amount(written), line=line)
    return code


def _not_an_amount(written: str) -> str:
    return f"{one_line(written, 40)!r} is not an amount."
