"""Accounts and transactions as Tink writes them, read strictly.

Source: docs.tink.com, API reference, Data v2: List Accounts, Get Account Balances (for the sign of balances), List Transactions
(as of January 2026).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from domains.bank import rules
from domains.bank.providers import reading
from domains.bank.providers.errors import ProviderGarbled
from domains.bank.providers.protocol import AccountType, StatementTransaction

#: How far a decimal point is moved, either way. More than any currency, and than any sum that is stored.
SCALE_AT_MOST: Final = 20
_UNSCALED: Final = re.compile(r"-?\d{1,40}", re.ASCII)
_UNSCALED_BELOW: Final = 10**40
_MCC: Final = re.compile(r"\d{4}", re.ASCII)
_KINDS: Final[Mapping[str, AccountType]] = {"CHECKING": "checking", "SAVINGS": "savings", "CREDIT_CARD": "credit"}
_DAYS: Final = ("booked", "value", "transaction")
#: Where an account's number is, the best first: an IBAN, a sort code with its number, a card's, the bank's own.
_NUMBERS: Final = (
    ("iban", ("iban",)),
    ("sortCode", ("code", "accountNumber")),
    ("pan", ("masked",)),
    ("financialInstitution", ("accountNumber",)),
)
#: Types of transactions that say nothing.
_NO_TYPE: Final = frozenset({"DEFAULT", "UNDEFINED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """refreshed_on: the day on which Tink last heard of it. currency: None where no balance says one."""

    id: str
    name: str
    kind: AccountType
    subtype: str | None
    institution_id: str | None
    mask: str | None
    persistent_id: str | None
    currency: str | None
    booked: Decimal | None
    available: Decimal | None
    refreshed_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A transaction of an account; `content` is None for one that is neither booked nor pending, or that stands on no day yet."""

    id: str
    account_id: str
    content: StatementTransaction | None


def read_exact(value: Any, field: str) -> Decimal:
    """unscaledValue * 10^-scale, exactly. Both are whole numbers, as numbers or as texts; the scale may be negative.

    Errors: ProviderGarbled; also for what cannot be stored exactly (`reading.amount`).
    """
    number = reading.record(value, field)
    unscaled = number.get("unscaledValue")
    if isinstance(unscaled, int) and not isinstance(unscaled, bool) and abs(unscaled) < _UNSCALED_BELOW:
        unscaled = str(unscaled)
    if not isinstance(unscaled, str) or not _UNSCALED.fullmatch(unscaled):
        raise ProviderGarbled(f"{field}.unscaledValue")
    scale = reading.whole(number.get("scale"), f"{field}.scale")
    if abs(scale) > SCALE_AT_MOST:
        raise ProviderGarbled(f"{field}.scale")
    digits = unscaled.lstrip("-")
    sign = 1 if unscaled.startswith("-") else 0
    return reading.amount(Decimal((sign, tuple(map(int, digits)), -scale)), field)


def read_money(value: Any, field: str) -> tuple[Decimal, str]:
    """A sum with its sign, and its currency: three letters, which need not be of ISO 4217."""
    money = reading.record(value, field)
    currency = reading.currency(money.get("currencyCode"), f"{field}.currencyCode")
    return read_exact(money.get("value"), f"{field}.value"), currency


def read_account(value: Any, field: str, secret: bytes) -> Account:
    """`secret` hides the account's number in `persistent_id`. A type that is not known counts as a checking account."""
    account = reading.record(value, field)
    kind = reading.optional_word(account.get("type"), f"{field}.type") or "UNDEFINED"
    balances = _part(account, "balances", field)
    booked, booked_in = _balance(balances, "booked", f"{field}.balances")
    available, available_in = _balance(balances, "available", f"{field}.balances")
    currency = booked_in or available_in
    number = _number(_part(account, "identifiers", field), f"{field}.identifiers")
    refreshed = reading.optional_instant(_part(account, "dates", field).get("lastRefreshed"), f"{field}.dates.lastRefreshed")
    institution = reading.optional_identifier(account.get("financialInstitutionId"), f"{field}.financialInstitutionId")
    return Account(
        id=reading.identifier(account.get("id"), f"{field}.id"),
        name=reading.optional_text(account.get("name"), f"{field}.name") or "Account",
        kind=_KINDS.get(kind, "checking"),
        subtype=kind.lower().replace("_", " ") if kind != "UNDEFINED" else None,
        institution_id=institution,
        mask=None if number is None else rules.account_mask(number),
        persistent_id=None if number is None else rules.account_id(secret, "tink", institution or "", number, kind, currency or ""),
        currency=currency,
        booked=booked,
        available=available,
        refreshed_on=None if refreshed is None else refreshed.date(),
    )


def read_row(value: Any, field: str, today: date) -> Row:
    """Errors: ProviderGarbled; also for a booked transaction that stands on no day."""
    row = reading.record(value, field)
    status = reading.word(row.get("status"), f"{field}.status")
    id_ = reading.identifier(row.get("id"), f"{field}.id")
    account_id = reading.identifier(row.get("accountId"), f"{field}.accountId")
    if status not in ("BOOKED", "PENDING"):
        return Row(id=id_, account_id=account_id, content=None)
    dates = _part(row, "dates", field)
    days = {name: reading.optional_day(dates.get(name), f"{field}.dates.{name}", today) for name in _DAYS}
    on = days["booked"] or days["value"] or days["transaction"]
    if on is None and status == "BOOKED":
        raise ProviderGarbled(f"{field}.dates.booked")
    content = None if on is None else _content(row, field, id_, on, days, is_booked=status == "BOOKED")
    return Row(id=id_, account_id=account_id, content=content)


def _content(
    row: Mapping[str, Any], field: str, id_: str, on: date, days: Mapping[str, date | None], *, is_booked: bool
) -> StatementTransaction:
    sum_, currency = read_money(row.get("amount"), f"{field}.amount")
    words, display = _words(_part(row, "descriptions", field), f"{field}.descriptions")
    merchant = _part(row, "merchantInformation", field)
    return StatementTransaction(
        provider_transaction_id=id_,
        amount=abs(sum_),
        currency=currency,
        direction="debit" if sum_ < 0 else "credit",
        transaction_date=on,
        description=display,
        original_description=words,
        merchant_name=reading.optional_text(merchant.get("merchantName"), f"{field}.merchantInformation.merchantName"),
        authorized_date=days["transaction"],
        posted_date=days["booked"] if is_booked else None,
        status="posted" if is_booked else "pending",
        payment_meta=_meta(row, merchant, field),
    )


def _words(said: Mapping[str, Any], field: str) -> tuple[str, str]:
    """All the bank's own words, and what is shown. A bank that says nothing at all still moved money."""
    original = reading.optional_text(said.get("original"), f"{field}.original")
    display = reading.optional_text(said.get("display"), f"{field}.display")
    detailed = reading.optional_text(_part(said, "detailed", field).get("unstructured"), f"{field}.detailed.unstructured")
    words = original or display or detailed or "?"
    if detailed is not None and detailed not in words:
        words = f"{words} {detailed}"[: reading.MAX_TEXT_CHARS].rstrip()
    return words, display or words


def _meta(row: Mapping[str, Any], merchant: Mapping[str, Any], field: str) -> dict[str, str]:
    kind = reading.optional_word(_part(row, "types", field).get("type"), f"{field}.types.type")
    code = reading.optional_text(merchant.get("merchantCategoryCode"), f"{field}.merchantInformation.merchantCategoryCode", 20)
    meta = {
        "type": kind.lower() if kind and kind not in _NO_TYPE else None,
        "mcc": code if code and _MCC.fullmatch(code) else None,
        "reference": reading.optional_text(row.get("reference"), f"{field}.reference"),
    }
    return {name: said for name, said in meta.items() if said is not None}


def _balance(balances: Mapping[str, Any], name: str, field: str) -> tuple[Decimal | None, str | None]:
    """Signed from the owner's side, as Tink's are: what is owed is negative, on cards too."""
    amount = _part(balances, name, field).get("amount")
    return (None, None) if amount is None else read_money(amount, f"{field}.{name}.amount")


def _number(said: Mapping[str, Any], field: str) -> str | None:
    """The number that names the account best."""
    for kind, names in _NUMBERS:
        part = _part(said, kind, field)
        found = [reading.optional_text(part.get(name), f"{field}.{kind}.{name}", 64) for name in names]
        if all(found):
            return " ".join(filter(None, found))
    return None


def _part(value: Mapping[str, Any], name: str, field: str) -> Mapping[str, Any]:
    """What stands under a name: an object, an empty one where nothing does."""
    part = value.get(name)
    return {} if part is None else reading.record(part, f"{field}.{name}")
