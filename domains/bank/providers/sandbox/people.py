"""Who banks here. Everything about them is invented; the shops exist, or could."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from domains.bank.providers.protocol import AccountType
from domains.bank.providers.sandbox.habits import Habit


@dataclass(frozen=True, slots=True)
class Account:
    """An account with this bank. `opening` is what it held before the first day of all."""

    key: str
    name: str
    official_name: str
    account_type: AccountType
    subtype: str
    currency: str
    mask: str
    opening: str
    credit_limit: str | None = None


@dataclass(frozen=True, slots=True)
class Settling:
    """Paying the card off: what was owed on the day the statement closed, on a later day, from another account."""

    key: str
    source: str
    target: str
    closes_on: int
    paid_on: int
    source_text: str
    target_text: str
    source_about: str = "LOAN_PAYMENTS_CREDIT_CARD_PAYMENT"
    target_about: str = "LOAN_PAYMENTS_CREDIT_CARD_PAYMENT"


@dataclass(frozen=True, slots=True)
class Interest:
    """On what the account holds on the last day of some months: `rate` a year."""

    key: str
    account: str
    rate: str
    months: tuple[int, ...]
    text: str
    about: str = "INCOME_INTEREST_EARNED"


@dataclass(frozen=True, slots=True)
class Sweep:
    """Once a month: what is above `ceiling` goes on, down to `floor`, in whole hundreds."""

    key: str
    source: str
    target: str
    day: int
    ceiling: str
    floor: str
    source_text: str
    target_text: str
    source_about: str
    target_about: str


@dataclass(frozen=True, slots=True)
class Rescue:
    """On any day on which the target would end below `least`: so much from the source."""

    key: str
    source: str
    target: str
    least: str
    amount: str
    source_text: str
    target_text: str
    source_about: str
    target_about: str


@dataclass(frozen=True, slots=True)
class TopUp:
    """Each year on a day, the target is filled up to `level`, at the year's rate from its currency to the source's."""

    key: str
    source: str
    target: str
    month: int
    day: int
    level: str
    rates: tuple[str, str]
    source_text: str
    target_text: str
    source_about: str = "TRANSFER_OUT_ACCOUNT_TRANSFER"
    target_about: str = "TRANSFER_IN_ACCOUNT_TRANSFER"


Policy = Settling | Interest | Sweep | Rescue | TopUp


@dataclass(frozen=True, slots=True)
class Person:
    """A customer: accounts, habits, and what the bank or they do by the state of the accounts, in this order each day."""

    key: str
    bank_id: str
    bank_name: str
    accounts: tuple[Account, ...]
    habits: tuple[Habit, ...]
    policies: tuple[Policy, ...]

    def openings(self) -> Mapping[str, Decimal]:
        return {account.key: Decimal(account.opening) for account in self.accounts}
