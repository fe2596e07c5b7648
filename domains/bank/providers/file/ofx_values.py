"""Values of OFX: dates, amounts, the words for kinds of account and of transaction."""

import re
from datetime import date
from decimal import Decimal

from domains.bank.errors import StatementRejected
from domains.bank.providers.file.ofx_tree import Aggregate, place_of
from domains.bank.providers.file.options import is_currency_code
from domains.bank.providers.file.text import Lines, one_line
from domains.bank.providers.file.values import DateRange, exact_amount
from domains.bank.providers.protocol import AccountType, Direction

# The day is what counts and it is taken as written: the bank's own time zone, if it names one, decided it already.
_DATE = re.compile(r"([0-9]{4})([-/.]?)([0-9]{2})\2([0-9]{2})(?=$|[^0-9]|[0-9]{2})")
_AMOUNT = re.compile(r"([+-]?)\s?([0-9]+(?:[.,][0-9]+)*|[.,][0-9]+)[.,]?")
_SIMPLE = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")

ACCOUNT_TYPES: dict[str, tuple[AccountType, str]] = {
    "CHECKING": ("checking", "checking"),
    "SAVINGS": ("savings", "savings"),
    "MONEYMRKT": ("savings", "money_market"),
    "CD": ("savings", "cd"),
    "CREDITLINE": ("credit", "line_of_credit"),
}

#: Where the bank's own kind says the category beyond doubt. POS, CHECK, DIRECTDEBIT and the like do not.
CATEGORIES: dict[tuple[str, Direction], str] = {
    ("INT", "credit"): "INCOME_INTEREST_EARNED",
    ("INT", "debit"): "BANK_FEES_INTEREST_CHARGE",
    ("DIV", "credit"): "INCOME_DIVIDENDS",
    ("FEE", "debit"): "BANK_FEES_OTHER_BANK_FEES",
    ("SRVCHG", "debit"): "BANK_FEES_OTHER_BANK_FEES",
    ("ATM", "debit"): "TRANSFER_OUT_WITHDRAWAL",
}


class Values:
    """Reads the values of one file: its text, the days it may speak of, which way its signs go."""

    def __init__(self, text: str, lines: Lines, days: DateRange, *, invert_amounts: bool) -> None:
        self._text = text
        self._lines = lines
        self._days = days
        self._invert_amounts = invert_amounts

    def line(self, place: Aggregate, tag: str | None = None) -> int:
        """The line that an aggregate begins on, or that one of its leaves stands on."""
        return self._lines.at(place.offset if tag is None else place_of(self._text, place, tag))

    def day(self, parent: Aggregate, tag: str) -> date:
        """Errors: StatementRejected, at the aggregate's line when the date is missing."""
        written = parent.leaves.get(tag)
        if written is None:
            raise StatementRejected(f"A transaction here has no date (<{tag}> is missing or empty).", line=self.line(parent))
        found = self._day_in(written)
        if found is None:
            reason = f"{one_line(written, 40)!r} is not a date (<{tag}> is written YYYYMMDD)."
            raise StatementRejected(reason, line=self.line(parent, tag))
        if not self._days.earliest <= found <= self._days.latest:
            raise StatementRejected(self._days.reason(found), line=self.line(parent, tag))
        return found

    def day_or_none(self, parent: Aggregate, tag: str) -> date | None:
        """For dates that nothing depends on: banks fill them with zeros."""
        written = parent.leaves.get(tag)
        found = self._day_in(written) if written is not None else None
        return found if found is not None and self._days.earliest <= found <= self._days.latest else None

    def amount(self, parent: Aggregate, tag: str) -> Decimal:
        """A movement's signed amount, money in positive. Errors: StatementRejected."""
        written = parent.leaves.get(tag)
        if written is None:
            raise StatementRejected(f"A transaction here has no amount (<{tag}> is missing or empty).", line=self.line(parent))
        amount = self._amount(parent, tag, written)
        return -amount if self._invert_amounts else amount

    def balance(self, parent: Aggregate | None, tag: str) -> Decimal | None:
        """A balance as written; None where the bank left it empty. Errors: StatementRejected."""
        written = parent.leaves.get(tag) if parent is not None else None
        return self._amount(parent, tag, written) if parent is not None and written is not None else None

    def currency(self, parent: Aggregate | None, tag: str) -> str | None:
        """Errors: StatementRejected for what is no currency code."""
        written = parent.leaves.get(tag) if parent is not None else None
        if parent is None or written is None:
            return None
        code = written.upper()
        if not is_currency_code(code):
            reason = f"{one_line(written, 20)!r} is not a currency (a code of three letters, such as EUR)."
            raise StatementRejected(reason, line=self.line(parent, tag))
        return code

    def _amount(self, parent: Aggregate, tag: str, written: str) -> Decimal:
        plain = written if _SIMPLE.fullmatch(written) else _plain(written)
        if plain is None:
            reason = f"{one_line(written, 40)!r} is not an amount (<{tag}> is written like -12.34)."
            raise StatementRejected(reason, line=self.line(parent, tag))
        return exact_amount(plain, written, lambda: self.line(parent, tag))

    def _day_in(self, written: str) -> date | None:
        match = _DATE.match(written)
        if match is None:
            return None
        try:
            return date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            return None


def plain_number(written: str) -> str:
    """A number without its padding ("+000100.5000" is 100.5), for facts that are kept as text."""
    if len(written) > 40 or not _SIMPLE.fullmatch(written):
        return one_line(written, 40)
    return format(Decimal(written).normalize(), "f")


def _plain(written: str) -> str | None:
    """Plain digits of an amount: comma or point before the decimals, the other one between thousands; None if it is none.

    The specification knows no thousands, so a lone separator is the decimal one, but "1,234" is too often meant as a thousand
    to be taken as one and a bit.
    """
    match = _AMOUNT.fullmatch(written)
    if match is None:
        return None
    sign, digits = match.groups()
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return sign + digits
    whole, decimals, mark = digits[:last], digits[last + 1 :], digits[last]
    other = "," if mark == "." else "."
    if mark in whole or (mark == "," and other not in whole and len(decimals) == 3):
        return None
    groups = whole.split(other)
    if len(groups) > 1 and not (1 <= len(groups[0]) <= 3 and all(2 <= len(group) <= 3 for group in groups[1:])):
        return None
    return f"{sign}{''.join(groups) or '0'}.{decimals}"
