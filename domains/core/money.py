"""Money: an exact amount and its currency. No float comes near it."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from domains.core import currencies

#: NUMERIC(19,4): fifteen digits before the point.
LARGEST = Decimal("999999999999999.9999")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal
    currency: str


def quantize(amount: Decimal, currency: str) -> Decimal:
    """The amount rounded half-even to the digits of its currency."""
    return amount.quantize(Decimal(1).scaleb(-currencies.digits(currency)), rounding=ROUND_HALF_EVEN)


def fits(amount: Decimal) -> bool:
    """Whether the amount is finite and can be stored without losing a digit."""
    return amount.is_finite() and abs(amount) <= LARGEST and _digits_after_point(amount) <= currencies.STORED_DIGITS


def has_minor_units_of(amount: Decimal, currency: str) -> bool:
    """Whether the amount needs no more digits than its currency has: 1.5 JPY does not exist."""
    return _digits_after_point(amount) <= currencies.digits(currency)


def _digits_after_point(amount: Decimal) -> int:
    """Those that count: 1.50 has one. Counted on the digits themselves, since arithmetic would round a long amount first."""
    _, digits, exponent = amount.as_tuple()
    if not isinstance(exponent, int) or not amount:
        return 0
    written = "".join(map(str, digits))
    zeros = len(written) - len(written.rstrip("0"))
    return max(-exponent - zeros, 0)
