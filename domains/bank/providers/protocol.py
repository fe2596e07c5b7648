"""What every bank provider hands over: statements, in one shape, whatever the bank speaks.

A provider never stores anything. Flows hand what it returns to the use case that imports statements.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal, Protocol

from domains.bank.providers.file.options import FileOptions

Direction = Literal["debit", "credit"]
TransactionStatus = Literal["posted", "pending"]
AccountType = Literal["checking", "savings", "credit", "investment", "loan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTransaction:
    """One movement of money.

    provider_transaction_id: stable for the same movement in every statement that holds it, unique within the account,
        at most 255 characters; None where a provider has no id and leaves it to `rules.occurrence_ids`.
    amount: >= 0 in `currency`, at most four digits after the point; `credit` is money in.
    transaction_date: the day the bank booked it, as the bank wrote it (no conversion between time zones).
    description: readable text; original_description: all the bank's own words; merchant_name: a raw candidate, uncleaned.
    category_detailed: a category id, only where the provider is sure.
    payment_meta: small facts, such as type, check_number, reference; never an account number.
    line: where it stood in a file, counted from 1.
    """

    provider_transaction_id: str | None
    amount: Decimal
    currency: str
    direction: Direction
    transaction_date: date
    description: str
    original_description: str
    merchant_name: str | None = None
    authorized_date: date | None = None
    posted_date: date | None = None
    status: TransactionStatus = "posted"
    category_detailed: str | None = None
    payment_meta: Mapping[str, str] = field(default_factory=dict)
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementAccount:
    """One account with what was said about it.

    provider_account_id: stable for the account in every statement, never its number in clear; mask: its last four characters.
    Balances are signed from the owner's side (what is owed on a card is negative), in `currency`; None is "not said".
    balance_on: the day `current_balance` was true.
    """

    provider_account_id: str
    name: str
    currency: str
    account_type: AccountType
    account_subtype: str | None = None
    official_name: str | None = None
    mask: str | None = None
    current_balance: Decimal | None = None
    available_balance: Decimal | None = None
    credit_limit: Decimal | None = None
    balance_on: date | None = None
    transactions: Sequence[StatementTransaction] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one file or one sync brought. `left_out` counts rows that moved no money yet (pending, declined)."""

    provider: str
    institution_id: str | None = None
    institution_name: str | None = None
    accounts: Sequence[StatementAccount] = ()
    left_out: int = 0


class BankProvider(Protocol):
    """A way to reach accounts. `name` is what is stored as `provider`."""

    @property
    def name(self) -> str: ...


class StatementFileReader(BankProvider, Protocol):
    """A provider whose statements are files that the owner sends."""

    def parse(self, data: bytes, filename: str, options: FileOptions) -> Statement:
        """Read a whole file, without I/O; it takes CPU, so it is called in a thread.

        Errors: StatementRejected.
        """
        ...
