"""Plaid's transactions as ours. Source: the schema Transaction of its OpenAPI document, version 2020-09-14."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from domains.bank.providers import reading
from domains.bank.providers.plaid.accounts import currency_of
from domains.bank.providers.plaid.categories import category_of
from domains.bank.providers.protocol import StatementTransaction

_DESCRIPTION_CHARS: Final = 1_000
_META_CHARS: Final = 140
_LOCATION_CHARS: Final = {"address": 500, "city": 100, "region": 100, "postal_code": 20}
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_DEGREES: Final = {"lat": 90, "lon": 180}
_DEGREE_DIGITS: Final = Decimal("0.00000001")
#: Plaid's name -> ours.
_META: Final = {"payment_processor": "processor", "payee": "payee", "payer": "payer", "by_order_of": "by_order_of", "reason": "reason"}
#: An account's number, which may stand in free text: an IBAN (two letters, two digits and eleven more of either), or eight digits in
#: a row (spaces, dots and dashes do not count), which a reference may well have.
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}([ ]?[A-Z0-9]){11,}", re.ASCII | re.IGNORECASE)
_NUMBER: Final = re.compile(r"(\d[ .\-]?){8,}", re.ASCII)


def read_transaction(said: object, field: str, today: date) -> tuple[str, StatementTransaction | None]:
    """The id of its account, and itself; None in its place where it is in what is no currency's three letters.

    Plaid counts money out as positive. Errors: ProviderGarbled.
    """
    row = reading.record(said, field)
    account_id = reading.identifier(row.get("account_id"), f"{field}.account_id")
    currency = currency_of(row)
    if currency is None:
        return account_id, None
    amount = reading.amount(row.get("amount"), f"{field}.amount")
    is_pending = reading.flag(row.get("pending"), f"{field}.pending")
    on = reading.day(row.get("date"), f"{field}.date", today)
    merchant = reading.optional_text(row.get("merchant_name"), f"{field}.merchant_name")
    original = reading.optional_text(row.get("original_description"), f"{field}.original_description", _DESCRIPTION_CHARS)
    name = reading.optional_text(row.get("name"), f"{field}.name", _DESCRIPTION_CHARS) or original or merchant or ""
    category, confidence = category_of(row.get("personal_finance_category"))
    return account_id, StatementTransaction(
        provider_transaction_id=reading.identifier(row.get("transaction_id"), f"{field}.transaction_id"),
        amount=abs(amount),
        currency=currency,
        direction="credit" if amount < 0 else "debit",
        transaction_date=on,
        description=name,
        original_description=original or name,
        merchant_name=merchant,
        authorized_date=reading.optional_day(row.get("authorized_date"), f"{field}.authorized_date", today),
        posted_date=None if is_pending else on,
        status="pending" if is_pending else "posted",
        category_detailed=category,
        category_confidence=confidence,
        pending_transaction_id=reading.optional_identifier(row.get("pending_transaction_id"), f"{field}.pending_transaction_id"),
        merchant_logo_url=reading.optional_url(row.get("logo_url"), f"{field}.logo_url"),
        location=_location(row.get("location"), f"{field}.location"),
        payment_meta=_payment_meta(row, field),
    )


def read_removed(said: object, field: str) -> tuple[str | None, str]:
    """The ids of the account (where it is told) and of the transaction. Errors: ProviderGarbled."""
    row = reading.record(said, field)
    account_id = reading.optional_identifier(row.get("account_id"), f"{field}.account_id")
    return account_id, reading.identifier(row.get("transaction_id"), f"{field}.transaction_id")


def _location(said: object, field: str) -> Mapping[str, str]:
    """What can be kept of it; what cannot is left out, as nothing depends on it."""
    if not isinstance(said, Mapping):
        return {}
    found = {name: reading.optional_text(said.get(name), f"{field}.{name}", at_most) for name, at_most in _LOCATION_CHARS.items()}
    country = said.get("country")
    found["country"] = country if isinstance(country, str) and _COUNTRY.fullmatch(country) else None
    found |= {name: _degrees(said.get(name), bound) for name, bound in _DEGREES.items()}
    return {name: value for name, value in found.items() if value is not None}


def _degrees(value: object, bound: int) -> str | None:
    degrees = Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
    if degrees is None or not degrees.is_finite() or abs(degrees) > bound:
        return None
    return format(degrees.quantize(_DEGREE_DIGITS).normalize(), "f")


def _payment_meta(row: Mapping[str, Any], field: str) -> Mapping[str, str]:
    """Small facts. Text that holds what may be an account's number is left out."""
    said = row.get("payment_meta")
    said = said if isinstance(said, Mapping) else {}
    found = {ours: _fact(said, name, field) for name, ours in _META.items()}
    found = {name: None if value is not None and _NUMBER.search(value) else value for name, value in found.items()}
    found["reference"] = _fact(said, "reference_number", field)
    found["type"] = _fact(row, "transaction_code", field) or _fact(said, "payment_method", field)
    found["channel"] = _fact(row, "payment_channel", field)
    found["check_number"] = _fact(row, "check_number", field)
    return {name: value for name, value in found.items() if value is not None}


def _fact(said: Mapping[str, Any], name: str, field: str) -> str | None:
    value = reading.optional_text(said.get(name), f"{field}.{name}", _META_CHARS)
    return None if value is not None and _IBAN.search(value) else value
