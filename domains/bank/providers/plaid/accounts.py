"""Plaid's accounts as ours. Source: the schemas AccountBase and AccountBalance of its OpenAPI document, version 2020-09-14."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from domains.bank.providers import reading
from domains.bank.providers.errors import ProviderGarbled
from domains.bank.providers.protocol import AccountType, StatementAccount
from domains.core.money import LARGEST

ACCOUNTS_AT_MOST: Final = 500
_MASK_CHARS: Final = 4
_SUBTYPE_CHARS: Final = 50
_STORED: Final = Decimal("0.0001")
_TYPES: Final[Mapping[str, AccountType]] = {
    "depository": "checking",
    "credit": "credit",
    "loan": "loan",
    "investment": "investment",
    "brokerage": "investment",
    "other": "checking",
}
#: Subtypes of `depository` that are put by rather than spent from.
_SAVINGS: Final = frozenset({"savings", "cd", "money market", "hsa", "gic", "cash isa", "isa"})


def read_accounts(said: object, field: str, today: date) -> list[StatementAccount]:
    """Accounts without transactions, in Plaid's order. One in what is no currency's three letters (tokens, points) is left out.

    Errors: ProviderGarbled.
    """
    rows = reading.items(said, field, ACCOUNTS_AT_MOST)
    read = [_account(reading.record(row, f"{field}[{place}]"), f"{field}[{place}]", today) for place, row in enumerate(rows)]
    return [account for account in read if account is not None]


def currency_of(said: Mapping[str, Any]) -> str | None:
    """The official code, else the unofficial one; None where it is neither told nor three letters."""
    for code in (said.get("iso_currency_code"), said.get("unofficial_currency_code")):
        try:
            return reading.currency(code, "")
        except ProviderGarbled:
            continue
    return None


def with_transactions(account: StatementAccount, **told: Any) -> StatementAccount:
    return replace(account, **told)


def merged(told: Sequence[StatementAccount], others: Mapping[str, StatementAccount]) -> list[StatementAccount]:
    """Those that are told now, and those of pages before that are not among them."""
    listed = {account.provider_account_id for account in told}
    return [*told, *(account for id, account in others.items() if id not in listed)]


def _account(said: Mapping[str, Any], field: str, today: date) -> StatementAccount | None:
    balances = reading.record(said.get("balances"), f"{field}.balances")
    currency = currency_of(balances)
    if currency is None:
        return None
    kind = reading.optional_text(said.get("type"), f"{field}.type") or "other"
    subtype = reading.optional_text(said.get("subtype"), f"{field}.subtype", _SUBTYPE_CHARS)
    official_name = reading.optional_text(said.get("official_name"), f"{field}.official_name")
    updated = reading.optional_instant(balances.get("last_updated_datetime"), f"{field}.balances.last_updated_datetime", today)
    is_owed = kind in ("credit", "loan")
    current = _balance(balances, "current", field)
    mask = reading.optional_text(said.get("mask"), f"{field}.mask")
    return StatementAccount(
        provider_account_id=reading.identifier(said.get("account_id"), f"{field}.account_id"),
        name=reading.optional_text(said.get("name"), f"{field}.name") or official_name or "Account",
        official_name=official_name,
        mask=None if mask is None else mask[-_MASK_CHARS:],
        account_type="savings" if kind == "depository" and subtype in _SAVINGS else _TYPES.get(kind, "checking"),
        account_subtype=subtype,
        currency=currency,
        current_balance=-current if current is not None and is_owed else current,
        available_balance=_balance(balances, "available", field),
        credit_limit=_balance(balances, "limit", field) if kind == "credit" else None,
        balance_on=today if updated is None else updated.date(),
        persistent_id=reading.optional_identifier(said.get("persistent_account_id"), f"{field}.persistent_account_id"),
    )


def _balance(balances: Mapping[str, Any], name: str, field: str) -> Decimal | None:
    """A balance is shown, and nothing is added up from it: more than four digits after the point (funds have six) are rounded."""
    value = balances.get(name)
    if isinstance(value, Decimal) and value.is_finite() and abs(value) <= LARGEST and value % _STORED:
        value = value.quantize(_STORED, rounding=ROUND_HALF_EVEN)
    return reading.optional_amount(value, f"{field}.balances.{name}")
