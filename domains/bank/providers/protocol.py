"""What every bank provider hands over: statements, in one shape, whatever the bank speaks.

A provider never stores anything. Flows hand what it returns to the use cases that take statements in and keep connections.
Its errors are in `domains.bank.providers.errors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
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
    category_detailed: a category id of the provider's; category_confidence: how sure it is, 0 to 1, None where it does not say.
    pending_transaction_id: the id under which the same movement was pending, where the provider says.
    location: what is known of where it was made: address, city, region, postal_code, country (two letters), lat, lon.
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
    category_confidence: Decimal | None = None
    pending_transaction_id: str | None = None
    merchant_logo_url: str | None = None
    location: Mapping[str, str] = field(default_factory=dict)
    payment_meta: Mapping[str, str] = field(default_factory=dict)
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementAccount:
    """One account with what was said about it.

    provider_account_id: stable for the account in every statement, never its number in clear; mask: its last four characters.
    Balances are signed from the owner's side (what is owed on a card is negative), in `currency`; None is "not said".
    balance_on: the day `current_balance` was true.
    persistent_id: what names the account even when its owner links the bank again; None where the provider has no such thing.
    removed: provider ids of transactions that the bank has taken back.
    window: half-open days of which `transactions` is all that the bank has: what else is known of them is taken back, too.
        None where a provider tells only what changed.
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
    persistent_id: str | None = None
    transactions: Sequence[StatementTransaction] = ()
    removed: Sequence[str] = ()
    window: tuple[date, date] | None = None


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


# Providers that are linked: their accounts are fetched again and again


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What lets us in. Secret: kept encrypted, never shown. `expires_at`: until when the access token is good, None: until revoked."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A connection as its provider needs to know it.

    item_id: the provider's name for the connection. cursor: what the last fetch ended with; None before the first, and for a replay.
    since: the first instant that is known of at all; for providers that fetch by window, what was last fetched completely.
    """

    item_id: str
    credentials: Credentials
    institution_id: str | None = None
    cursor: str | None = None
    consent_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """A person who wants to link a bank, or to repair what they linked (`reached`).

    user_reference: names the person to the provider and to nobody else; never their address or name.
    locale: such as en-US. redirect_url: where the bank sends the person back to, one of those the operator allows.
    """

    user_reference: str
    redirect_url: str | None
    locale: str
    currency: str
    institution_id: str | None = None
    reached: Reached | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStart:
    """What the person's front end goes on with: a token for the provider's own dialogue, or a page to send them to.

    secret: what `complete_link` must be handed again; kept encrypted. expires_at: until when the person must be back.
    """

    expires_at: datetime
    token: str | None = field(default=None, repr=False)
    url: str | None = None
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAnswer:
    """What the person came back with: `public_token`, or `code` and `state`."""

    secret: Mapping[str, str] = field(repr=False)
    redirect_url: str | None
    public_token: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    state: str | None = field(default=None, repr=False)
    reached: Reached | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A connection that works. `item_id` is the same again after a repair. `metadata`: small facts for people, no secret."""

    item_id: str
    credentials: Credentials
    institution_id: str | None = None
    institution_name: str | None = None
    institution_logo_url: str | None = None
    consent_expires_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """All that one fetch brought; nothing of it is stored before all of it is there.

    cursor: what the next fetch begins from; stored after the rows are. is_ready: False while the provider still gathers the history:
    what there is counts, and it is asked again soon. is_replay: everything from the beginning, as the cursor was of no use.
    """

    statement: Statement
    cursor: str | None = None
    is_ready: bool = True
    is_replay: bool = False
    consent_expires_at: datetime | None = None
    pages: int = 1


class Listener(Protocol):
    """Whoever fetches is told how it goes on."""

    async def page_fetched(self, pages: int, transactions: int) -> None:
        """So many pages with so many transactions are there by now."""
        ...

    async def credentials_changed(self, credentials: Credentials) -> None:
        """New ones are in force and the old ones may be dead: they are stored before anything else is asked of the bank."""
        ...


class LinkedProvider(BankProvider, Protocol):
    """A provider that people link, and that is fetched from. All its methods do network I/O: never call them inside a transaction.

    Errors of all of them: ProviderUnavailable, ProviderGarbled, ProviderRefused; where a connection is reached also
    ReauthenticationRequired.
    """

    async def begin_link(self, request: LinkRequest) -> LinkStart: ...

    async def complete_link(self, answer: LinkAnswer) -> Linked:
        """Errors: LinkRefused, when the person did not agree, or what they came back with is stale or forged."""
        ...

    async def fetch(self, reached: Reached, listener: Listener, today: date) -> Fetched:
        """Accounts with their balances, and the transactions that are new, changed or taken back since `reached.cursor`."""
        ...

    async def revoke(self, reached: Reached) -> None:
        """End our access at the bank. One that has ended already is no error."""
        ...
