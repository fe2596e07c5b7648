"""A row that a bank repeats is recognised as unchanged; whatever it says anew is noticed."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from domains.bank.providers.protocol import StatementTransaction
from domains.transaction.service.apply_batch import fingerprint

START = date(2026, 3, 1)


def transaction(**said: object) -> StatementTransaction:
    plain: dict[str, object] = {
        "provider_transaction_id": "id",
        "amount": Decimal("5.00"),
        "currency": "EUR",
        "direction": "debit",
        "transaction_date": START,
        "description": "Coffee",
        "original_description": "COFFEE  4711",
        "payment_meta": {"type": "POS", "reference": "R"},
        "line": 7,
    }
    return StatementTransaction(**(plain | said))  # type: ignore[arg-type]


CHANGES: list[dict[str, object]] = [
    {"amount": Decimal("5.01")},
    {"currency": "USD"},
    {"direction": "credit"},
    {"transaction_date": START + timedelta(days=1)},
    {"description": "Tea"},
    {"original_description": "TEA"},
    {"merchant_name": "Coffee"},
    {"authorized_date": START},
    {"posted_date": START},
    {"status": "pending"},
    {"category_detailed": "FOOD_AND_DRINK_COFFEE"},
    {"payment_meta": {"type": "POS"}},
    {"category_confidence": Decimal("0.9")},
    {"pending_transaction_id": "p"},
    {"merchant_logo_url": "https://logo.example/b.png"},
    {"location": {"city": "Oakland"}},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_fingerprint_changes_with_everything_that_a_bank_says(change: dict[str, object]) -> None:
    assert fingerprint(transaction(**change)) != fingerprint(transaction())


def test_a_fingerprint_of_what_files_say_is_what_it_was_in_older_releases() -> None:
    assert fingerprint(transaction()).hex() == "63cd300332735d40f8e1b5101342ac2e"


def test_a_fingerprint_does_not_change_with_the_place_or_the_spelling_of_equal_values() -> None:
    same = transaction(line=99, amount=Decimal(5), payment_meta={"reference": "R", "type": "POS"})

    assert fingerprint(same) == fingerprint(transaction())
