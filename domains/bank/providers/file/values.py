"""Limits and small conversions that every kind of statement file shares."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from domains.bank.errors import StatementRejected
from domains.bank.providers.file.text import one_line
from domains.core.currencies import STORED_DIGITS
from domains.core.money import LARGEST

MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_TRANSACTIONS = 200_000
MAX_ACCOUNTS = 100
TOO_MANY = f"The file holds more than {MAX_TRANSACTIONS:,} transactions. Export a shorter period."

MAX_DESCRIPTION_CHARS = 1_000
MAX_NAME_CHARS = 255
_MAX_AMOUNT_CHARS = 64
_EARLIEST = date(1970, 1, 1)
_STORED = Decimal("0.0001")
_BINARY_NOISE = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class DateRange:
    """The days that a statement may speak of: from 1970 to one year from today."""

    earliest: date
    latest: date

    @classmethod
    def around(cls, today: date) -> "DateRange":
        return cls(_EARLIEST, today + timedelta(days=366))

    def reason(self, day: date) -> str:
        return f"The date {day.isoformat()} is not between {self.earliest.isoformat()} and {self.latest.isoformat()}."


def exact_amount(plain: str, written: str, line: Callable[[], int]) -> Decimal:
    """A signed amount from plain digits ("-1234.5"), within NUMERIC(19,4).

    Four digits after the point are kept whatever the currency has, because brokers book them. A fifth is refused, unless it is
    the noise of a binary number ("45.980000000000004").
    Errors: StatementRejected, quoting the amount as it was `written`.
    """
    try:
        amount = Decimal(plain) if len(plain) <= _MAX_AMOUNT_CHARS else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite():
        raise StatementRejected(f"{one_line(written, 40)!r} is not an amount.", line=line())
    if abs(amount) > LARGEST:
        raise StatementRejected(f"The amount {one_line(written, 40)} is too large to be kept.", line=line())
    if len(plain.partition(".")[2]) > STORED_DIGITS:
        rounded = amount.quantize(_STORED, rounding=ROUND_HALF_EVEN)
        if abs(rounded - amount) > _BINARY_NOISE:
            raise StatementRejected(f"The amount {one_line(written, 40)} has more than four digits after the point.", line=line())
        return rounded
    return amount


def name_text(text: str | None) -> str | None:
    """A name that fits its column, or None where there is nothing in it."""
    return one_line(text, MAX_NAME_CHARS) or None if text else None


def description_text(text: str) -> str:
    return one_line(text, MAX_DESCRIPTION_CHARS)
