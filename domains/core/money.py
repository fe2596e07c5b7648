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
    if not amount.is_finite():
        return False
    exponent = amount.normalize().as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -currencies.STORED_DIGITS and abs(amount) <= LARGEST


def has_minor_units_of(amount: Decimal, currency: str) -> bool:
    """Whether the amount needs no more digits than its currency has: 1.5 JPY does not exist."""
    exponent = amount.normalize().as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -currencies.digits(currency)
