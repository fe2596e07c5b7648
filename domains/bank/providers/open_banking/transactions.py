"""One movement as a bank writes it. No I/O."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from domains.bank import rules
from domains.bank.providers import reading
from domains.bank.providers.errors import ProviderGarbled
from domains.bank.providers.open_banking.balances import money, sign_of
from domains.bank.providers.open_banking.categories import category_of
from domains.bank.providers.open_banking.days import written_day
from domains.bank.providers.protocol import StatementTransaction, TransactionStatus

#: Words of 4.0 (ExternalEntryStatus1Code) and of 3.1 (OBEntryStatus1Code).
_STATUSES: Final[Mapping[str, TransactionStatus]] = {"BOOK": "posted", "BOOKED": "posted", "PDNG": "pending", "PENDING": "pending"}
#: What moved no money: turned down, only announced, or said for information.
_NOT_MOVED: Final = frozenset({"RJCT", "REJECTED", "FUTR", "FUTURE", "INFO", "INFORMATION"})
_DESCRIPTION_CHARS: Final = 1_000
_REFERENCE_CHARS: Final = 64
_ADDRESS_CHARS: Final = 255
_RATE: Final = re.compile(r"\d{1,15}(\.\d{1,15})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Told:
    """The transactions of one account. left_out: those that moved no money (yet)."""

    transactions: Sequence[StatementTransaction] = ()
    left_out: int = 0


class IdTwice(Exception):
    """One id of the bank's stands on two movements: the bank changed something while it was read, or its ids are none."""


@dataclass(slots=True)
class Reader:
    """Reads the rows of one account. uses_ids: whether the bank's ids are believed.

    Errors of all: ProviderGarbled.
    """

    resource_id: str
    today: date
    uses_ids: bool = True
    _left_out: int = field(default=0, init=False)

    def read(self, rows: Iterable[Any], start: date | None) -> Told:
        """All of them, by day, with ids; those of days before `start` do not count. Errors: IdTwice."""
        self._left_out = 0
        drafts = [draft for index, row in enumerate(rows) if (draft := self._draft(row, f"Transaction[{index}]")) is not None]
        counted = [draft for draft in drafts if start is None or draft.transaction_date >= start]
        return Told(identified(counted), self._left_out)

    def _draft(self, row: Any, place: str) -> StatementTransaction | None:
        if reading.member(row, "AccountId", place) != self.resource_id:
            raise ProviderGarbled(f"{place}.AccountId")
        said = reading.word(row.get("Status"), f"{place}.Status").upper()
        if said in _NOT_MOVED:
            self._left_out += 1
            return None
        status = _STATUSES.get(said)
        if status is None:
            raise ProviderGarbled(f"{place}.Status")
        return self._movement(row, place, status)

    def _movement(self, row: Mapping[str, Any], place: str, status: TransactionStatus) -> StatementTransaction:
        amount, currency = money(row.get("Amount"), f"{place}.Amount")
        is_credit = sign_of(row.get("CreditDebitIndicator"), f"{place}.CreditDebitIndicator") > 0
        day = written_day(row.get("BookingDateTime"), f"{place}.BookingDateTime", self.today)
        given = reading.optional_identifier(row.get("TransactionId"), f"{place}.TransactionId") if self.uses_ids else None
        merchant, description, original = _words(row, place, is_credit=is_credit)
        direction = "credit" if is_credit else "debit"
        address = reading.optional_text(_line(row.get("AddressLine")), f"{place}.AddressLine", _ADDRESS_CHARS)
        return StatementTransaction(
            provider_transaction_id=given if rules.is_bank_id(given) else None,
            amount=amount,
            currency=currency,
            direction="credit" if is_credit else "debit",
            transaction_date=day,
            description=description,
            original_description=original,
            merchant_name=merchant,
            posted_date=day if status == "posted" else None,
            status=status,
            category_detailed=category_of(row, place, direction),
            location={} if address is None else {"address": address},
            payment_meta=_meta(row, place, day, self.today),
        )


def identified(drafts: Sequence[StatementTransaction]) -> list[StatementTransaction]:
    """The same, each once and by day, with ids for those that have none.

    A row that is listed twice under one id is one; one that is listed as pending and as posted has posted. What has no id is counted,
    so two equal rows are two movements: of equal ones what has posted comes first, whatever the order of the list.
    Errors: IdTwice.
    """
    by_id: dict[str, StatementTransaction] = {}
    for draft in drafts:
        if (given := draft.provider_transaction_id) is not None:
            by_id[given] = _one_of(by_id.get(given, draft), draft)
    unnamed = sorted((draft for draft in drafts if draft.provider_transaction_id is None), key=_content)
    made = [replace(draft, provider_transaction_id=id) for draft, id in zip(unnamed, rules.occurrence_ids(unnamed), strict=True)]
    return sorted([*by_id.values(), *made], key=lambda row: (row.transaction_date, row.provider_transaction_id or ""))


def _one_of(known: StatementTransaction, other: StatementTransaction) -> StatementTransaction:
    if known == other:
        return known
    if known.status == other.status:
        raise IdTwice
    return known if known.status == "posted" else other


def _content(row: StatementTransaction) -> tuple[Any, ...]:
    """All that was said, in an order that does not depend on the bank's; what has posted before what has not."""
    return row.transaction_date, row.status == "pending", row.original_description, row.amount, repr(row)


def _words(row: Mapping[str, Any], place: str, *, is_credit: bool) -> tuple[str | None, str, str]:
    """A merchant, what people read, and all the bank's words. The other side of a payment is its merchant where none is named."""
    details = reading.record(row.get("MerchantDetails") or {}, f"{place}.MerchantDetails")
    merchant = reading.optional_text(details.get("MerchantName"), f"{place}.MerchantDetails.MerchantName")
    sides = ("UltimateDebtor", "DebtorAccount") if is_credit else ("UltimateCreditor", "CreditorAccount")
    for side in sides:
        other = reading.record(row.get(side) or {}, f"{place}.{side}")
        merchant = merchant or reading.optional_text(other.get("Name"), f"{place}.{side}.Name")
    narrative = reading.optional_text(row.get("TransactionInformation"), f"{place}.TransactionInformation", _DESCRIPTION_CHARS)
    reference = reading.optional_text(row.get("TransactionReference"), f"{place}.TransactionReference", _DESCRIPTION_CHARS)
    original = narrative or reference or merchant or ("Payment received" if is_credit else "Payment")
    return merchant, original, original


def _meta(row: Mapping[str, Any], place: str, day: date, today: date) -> dict[str, str]:
    """Small facts; names of accounts' owners and their numbers are none of them."""
    meta: dict[str, str] = {}
    reference = reading.optional_text(row.get("TransactionReference"), f"{place}.TransactionReference", _REFERENCE_CHARS)
    if reference:
        meta["reference"] = reference
    if kind := _kind(row, place):
        meta["type"] = kind
    if row.get("ValueDateTime") is not None:
        valued = written_day(row["ValueDateTime"], f"{place}.ValueDateTime", today)
        if valued != day:
            meta["value_date"] = valued.isoformat()
    if row.get("ChargeAmount") is not None:
        charge, currency = money(row["ChargeAmount"], f"{place}.ChargeAmount")
        if charge:
            meta["charge"] = f"{charge:f} {currency}"
    return meta | _exchange(row.get("CurrencyExchange"), f"{place}.CurrencyExchange")


def _kind(row: Mapping[str, Any], place: str) -> str | None:
    """The bank's own code for the kind of movement, or ISO 20022's."""
    own = reading.record(row.get("ProprietaryBankTransactionCode") or {}, f"{place}.ProprietaryBankTransactionCode")
    if said := reading.optional_text(own.get("Code"), f"{place}.ProprietaryBankTransactionCode.Code", 35):
        return said
    standard = reading.record(row.get("BankTransactionCode") or {}, f"{place}.BankTransactionCode")
    parts = [reading.optional_text(standard.get(key), f"{place}.BankTransactionCode.{key}", 35) for key in ("Code", "SubCode")]
    return "/".join(part for part in parts if part) or None


def _exchange(said: Any, place: str) -> dict[str, str]:
    if said is None:
        return {}
    meta = {"original_currency": reading.currency(reading.member(said, "SourceCurrency", place), f"{place}.SourceCurrency")}
    if said.get("InstructedAmount") is not None:
        amount, currency = money(said["InstructedAmount"], f"{place}.InstructedAmount")
        meta |= {"original_amount": f"{amount:f}", "original_currency": currency}
    if said.get("ExchangeRate") is not None:
        meta["currency_rate"] = _rate(said["ExchangeRate"], f"{place}.ExchangeRate")
    return meta


def _rate(said: Any, place: str) -> str:
    """A rate has more digits after the point than money has. Some banks write it as a text."""
    written = format(said, "f") if isinstance(said, int | Decimal) else said
    if isinstance(said, bool) or not isinstance(written, str) or not _RATE.fullmatch(written):
        raise ProviderGarbled(place)
    return written


def _line(said: Any) -> Any:
    """4.0 has one line of an address, 3.0 a list of them."""
    return ", ".join(said) if isinstance(said, list) and all(isinstance(each, str) for each in said) else said
