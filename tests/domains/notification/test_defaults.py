"""What everybody begins with."""

from decimal import Decimal

import pytest

from db.notification.models import CHANNELS, RULE_TYPES
from domains.core import currencies
from domains.notification import defaults, rules


@pytest.mark.parametrize("currency", sorted(currencies.DIGITS))
def test_in_every_currency_the_defaults_are_rules_that_anybody_could_make(currency: str) -> None:
    given = defaults.default_rules("en-US", currency)

    assert tuple(rule.default_key for rule in given) == defaults.KEYS
    for rule in given:
        assert rule.rule_type in RULE_TYPES
        assert rules.check_name(rule.name) == rule.name
        assert rules.check_conditions(rule.rule_type, rule.conditions) == rule.conditions


@pytest.mark.parametrize(
    ("locale", "large"),
    [("de-AT", "Große Umsätze"), ("fr", "Grosses opérations"), ("es-MX", "Movimientos grandes"), ("en-GB", "Large transactions")],
)
def test_they_are_called_in_the_users_language(locale: str, large: str) -> None:
    assert [rule.name for rule in defaults.default_rules(locale, "EUR")][1] == large


def test_whoever_speaks_another_language_reads_english() -> None:
    assert [rule.name for rule in defaults.default_rules("fi-FI", "EUR")] == ["Budgets", "Large transactions"]


@pytest.mark.parametrize(("currency", "amount"), [("EUR", 500), ("JPY", 50_000), ("KRW", 500_000), ("VND", 10_000_000)])
def test_what_is_large_depends_on_the_currency(currency: str, amount: int) -> None:
    _, large = defaults.default_rules("en-US", currency)

    assert (large.conditions.amount_threshold, large.conditions.currency) == (Decimal(amount), currency)


def test_the_amounts_are_of_currencies_that_there_are() -> None:
    listed = [currency for codes in defaults._LARGE.values() for currency in codes.split()]

    assert len(set(listed)) == len(listed)
    assert set(listed) <= set(currencies.DIGITS)
    assert set(defaults.CHANNELS) <= set(CHANNELS)
