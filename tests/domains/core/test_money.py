"""Amounts: exact, or refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.core import currencies, money


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("0", True),
        ("-0.0001", True),
        ("1.50000000", True),
        ("999999999999999.9999", True),
        ("1000000000000000", False),
        ("0.00001", False),
        ("1.000000000000000000000000000000000001", False),
        ("1E+15", False),
        ("1E-999999", False),
        ("NaN", False),
        ("sNaN", False),
        ("-Infinity", False),
    ],
)
def test_an_amount_fits_when_no_digit_of_it_would_be_lost(text: str, fits: bool) -> None:
    assert money.fits(Decimal(text)) is fits


@given(st.decimals(min_value=-(10**14), max_value=10**14, places=4), st.sampled_from(sorted(currencies.DIGITS)))
def test_a_quantized_amount_has_the_minor_units_of_its_currency_and_fits(amount: Decimal, currency: str) -> None:
    quantized = money.quantize(amount, currency)

    assert money.has_minor_units_of(quantized, currency)
    assert money.fits(quantized)
    assert abs(quantized - amount) <= Decimal(1).scaleb(-currencies.digits(currency)) / 2


@pytest.mark.parametrize("text", ["0", "0.0", "0.00", "0.0000", "-0.0000", "0E+3"])
def test_nothing_is_nothing_in_every_currency(text: str) -> None:
    assert all(money.has_minor_units_of(Decimal(text), currency) for currency in currencies.DIGITS)
    assert money.fits(Decimal(text))


def test_half_a_cent_goes_to_the_even_one() -> None:
    assert [money.quantize(Decimal(text), "USD") for text in ("0.005", "0.015", "-0.025")] == [
        Decimal("0.00"),
        Decimal("0.02"),
        Decimal("-0.02"),
    ]


def test_digits_are_those_of_iso_4217() -> None:
    assert [currencies.digits(code) for code in ("JPY", "EUR", "KWD", "CLF", "XYZ")] == [0, 2, 3, 4, 2]
    assert not currencies.is_known("XYZ")
