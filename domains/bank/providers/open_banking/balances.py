"""What a bank says an account holds. No I/O.

Which of its balances is which: `current` is the first of interim booked, closing booked, expected, opening booked, previously closed
booked, information; `available` is the first of interim available, closing available, forward available, opening available. Of two of
one kind the later counts. CreditDebitIndicator gives the sign: a debit balance is negative, as what is owed on a card is. A credit
line that a balance includes is taken out of `current`, and left in `available`. A bank that tells only an available balance has its
`current` made of that, less the credit line in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from domains.bank.providers import reading
from domains.bank.providers.errors import ProviderGarbled
from domains.bank.providers.open_banking.days import written_day

#: Codes of 4.0 (ISO 20022), and what 3.1 calls them.
_CURRENT: Final = (
    ("ITBD", "InterimBooked"),
    ("CLBD", "ClosingBooked"),
    ("XPCD", "Expected"),
    ("OPBD", "OpeningBooked"),
    ("PRCD", "PreviouslyClosedBooked"),
    ("INFO", "Information"),
)
_AVAILABLE: Final = (
    ("ITAV", "InterimAvailable"),
    ("CLAV", "ClosingAvailable"),
    ("FWAV", "ForwardAvailable"),
    ("OPAV", "OpeningAvailable"),
)
#: How much one may owe; a line of type Available says how much of that is left, and is not it.
_LIMITS: Final = (("Credit", "Pre-Agreed"), ("Emergency", "Temporary"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """Signed from the owner's side, in `currency`; None is "not said". on: the day `current` was true."""

    currency: str | None = None
    current: Decimal | None = None
    available: Decimal | None = None
    credit_limit: Decimal | None = None
    on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    kind: str
    amount: Decimal
    is_included: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Balance:
    kind: str
    amount: Decimal
    currency: str
    at: datetime
    on: date
    lines: Sequence[_Line]

    @property
    def own(self) -> Decimal:
        """Without the credit line in it."""
        return self.amount - (_limit([line for line in self.lines if line.is_included]) or Decimal(0))


def read_balances(rows: Iterable[Any], resource_id: str, currency: str | None, today: date) -> Balances:
    """`currency`: the account's own, where it is known; balances in others do not count. Errors: ProviderGarbled."""
    found = [_balance(row, f"Balance[{index}]", resource_id, today) for index, row in enumerate(rows)]
    if not found:
        return Balances(currency=currency)
    currency = currency or found[0].currency
    found = [each for each in found if each.currency == currency]
    current, available = _first(found, _CURRENT), _first(found, _AVAILABLE)
    shown = current or available
    return Balances(
        currency=currency,
        current=None if shown is None else shown.own,
        available=None if available is None else available.amount,
        credit_limit=_limit([line for each in found for line in each.lines]),
        on=None if shown is None else shown.on,
    )


def _first(found: Sequence[_Balance], kinds: Sequence[tuple[str, str]]) -> _Balance | None:
    for names in kinds:
        if same := [each for each in found if each.kind in names]:
            return max(same, key=lambda each: each.at)
    return None


def _limit(lines: Sequence[_Line]) -> Decimal | None:
    for kinds in _LIMITS:
        if said := [line.amount for line in lines if line.kind in kinds]:
            return max(said)
    return None


def _balance(row: Any, field: str, resource_id: str, today: date) -> _Balance:
    if reading.member(row, "AccountId", field) != resource_id:
        raise ProviderGarbled(f"{field}.AccountId")
    sign = sign_of(row.get("CreditDebitIndicator"), f"{field}.CreditDebitIndicator")
    amount, currency = money(row.get("Amount"), f"{field}.Amount")
    at = reading.instant(row.get("DateTime"), f"{field}.DateTime", today)
    return _Balance(
        kind=reading.word(row.get("Type"), f"{field}.Type"),
        amount=sign * amount if amount else amount,
        currency=currency,
        at=at,
        on=written_day(row.get("DateTime"), f"{field}.DateTime", today),
        lines=_lines(row, field, currency),
    )


def _lines(row: Mapping[str, Any], field: str, currency: str) -> list[_Line]:
    lines = []
    for index, each in enumerate(reading.items(row.get("CreditLine"), f"{field}.CreditLine")):
        place = f"{field}.CreditLine[{index}]"
        is_included = reading.flag(reading.member(each, "Included", place), f"{place}.Included")
        if each.get("Amount") is None:
            continue
        amount, said_in = money(each["Amount"], f"{place}.Amount")
        if said_in == currency:
            kind = reading.optional_word(each.get("Type"), f"{place}.Type") or "Credit"
            lines.append(_Line(kind=kind, amount=amount, is_included=is_included))
    return lines


def money(value: Any, field: str) -> tuple[Decimal, str]:
    """An amount without a sign and its currency. Errors: ProviderGarbled, also for one below nothing: the indicator says that."""
    amount = reading.amount(reading.member(value, "Amount", field), f"{field}.Amount")
    if amount < 0:
        raise ProviderGarbled(f"{field}.Amount")
    return amount, reading.currency(value.get("Currency"), f"{field}.Currency")


def sign_of(value: Any, field: str) -> int:
    """1 for Credit, -1 for Debit."""
    sign = {"CREDIT": 1, "DEBIT": -1}.get(reading.word(value, field).upper())
    if sign is None:
        raise ProviderGarbled(field)
    return sign
