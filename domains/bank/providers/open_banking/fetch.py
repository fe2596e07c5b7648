"""Everything of one customer's accounts: what they are, what they hold, and what moved on the days that may have changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from domains.bank.providers import reading
from domains.bank.providers.errors import ProviderGarbled, ProviderRefused, ProviderUnavailable
from domains.bank.providers.open_banking.accounts import ListedAccount, read_accounts
from domains.bank.providers.open_banking.balances import read_balances
from domains.bank.providers.open_banking.bank import PROVIDER, Customer
from domains.bank.providers.open_banking.days import Asked, Cursor, written_day
from domains.bank.providers.open_banking.transactions import IdTwice, Reader, Told
from domains.bank.providers.protocol import Listener, Statement, StatementAccount
from domains.bank.providers.wire import segment

_ACCOUNTS_AT_MOST: Final = 100
_PAGES_AT_MOST: Final = 2_000
_ROWS_AT_MOST: Final = 200_000
#: How often a list of several pages is read until two readings agree.
_READINGS_AT_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class _Listed:
    """All rows of a list, over how many pages they were; meta: what the first page said of all."""

    rows: Sequence[Any]
    pages: int
    meta: Mapping[str, Any]


class Fetch:
    """One fetch. Errors: as LinkedProvider says."""

    def __init__(self, customer: Customer, listener: Listener, secret: bytes, today: date) -> None:
        self._customer, self._listener = customer, listener
        self._bank = customer.bank.config
        self._secret, self._today = secret, today
        self.pages = 0
        self._rows = 0

    async def run(self, cursor: Cursor | None) -> tuple[Statement, str]:
        """The statement, and the cursor after it. An account that the bank does not tell of, while it does of others, is left out."""
        listed = await self._list("/accounts", "Account")
        if listed is None:
            raise ProviderRefused(self._customer.refusal)
        accounts = read_accounts(listed.rows, self._bank, self._secret)
        if len(accounts) > _ACCOUNTS_AT_MOST:
            raise ProviderGarbled("Data.Account")
        told: list[StatementAccount] = []
        left_out = 0
        for account in accounts:
            found = await self._account(account, Asked(None) if cursor is None else cursor.asked(account.provider_account_id))
            if found is not None:
                told.append(found[0])
                left_out += found[1]
        if accounts and not told:
            raise ProviderRefused(self._customer.refusal)
        statement = Statement(
            provider=PROVIDER, institution_id=self._bank.id, institution_name=self._bank.name, accounts=told, left_out=left_out
        )
        return statement, Cursor.after(self._today, [account.provider_account_id for account in told])

    async def _account(self, account: ListedAccount, asked: Asked) -> tuple[StatementAccount, int] | None:
        place = f"/accounts/{segment(account.resource_id)}"
        read = await self._transactions(f"{place}/transactions", account, asked)
        held = await self._list(f"{place}/balances", "Balance")
        if read is None or held is None:
            return None
        told, first_available = read
        rows = told.transactions
        balances = read_balances(held.rows, account.resource_id, account.currency, self._today)
        currency = balances.currency or (rows[0].currency if rows else self._bank.currency)
        statement = StatementAccount(
            provider_account_id=account.provider_account_id,
            name=account.name,
            currency=currency,
            account_type=account.account_type,
            account_subtype=account.account_subtype,
            official_name=account.official_name,
            mask=account.mask,
            current_balance=balances.current,
            available_balance=balances.available,
            credit_limit=balances.credit_limit,
            balance_on=balances.on,
            persistent_id=account.persistent_id,
            transactions=rows,
            window=asked.window((row.transaction_date for row in rows), first_available, self._today),
        )
        return statement, told.left_out

    async def _transactions(self, path: str, account: ListedAccount, asked: Asked) -> tuple[Told, date | None] | None:
        """All of them, as they were at one moment.

        Pages are cut anew for each request: what is booked or taken back meanwhile moves a row over the edge, and it is there twice, or
        not at all. So several pages are read until they say the same twice.
        Errors: ProviderUnavailable when they never do; ProviderGarbled when one id stands for two movements every time.
        """
        since = asked.from_booking_date_time
        params = None if since is None else {"fromBookingDateTime": since}
        reader = Reader(account.resource_id, self._today, self._bank.uses_transaction_ids)
        before: Told | None = None
        is_twice = False
        for _ in range(_READINGS_AT_MOST):
            listed = await self._list(path, "Transaction", params)
            if listed is None:
                return None
            try:
                told, is_twice = reader.read(listed.rows, asked.start), False
            except IdTwice:
                before, is_twice = None, True
                continue
            if listed.pages == 1 or told == before:
                return told, self._first_available(listed.meta)
            before = told
        if is_twice:
            raise ProviderGarbled("TransactionId")
        raise ProviderUnavailable("CHANGES_WHILE_READ")

    def _first_available(self, meta: Mapping[str, Any]) -> date | None:
        said = meta.get("FirstAvailableDateTime")
        return None if said is None else written_day(said, "Meta.FirstAvailableDateTime", self._today)

    async def _list(self, path: str, name: str, params: Mapping[str, str] | None = None) -> _Listed | None:
        """All pages of a list; None where the bank refuses this one list. Errors: ProviderGarbled, also for pages without an end.

        A page that says what the one before it said is that one again: where rows have no ids, nothing else would tell.
        """
        rows: list[Any] = []
        page: list[Any] = []
        meta: Mapping[str, Any] = {}
        seen: set[str] = set()
        at: str | None = path
        while at is not None:
            answer = await self._customer.get(at, params if at is path else None)
            if answer is None:
                return None
            body = reading.record(answer.body, "body")
            before, page = page, reading.items(reading.member(body.get("Data"), name, "Data"), f"Data.{name}")
            rows += [] if _is_again(page, before) else page
            meta = meta or reading.record(body.get("Meta") or {}, "Meta")
            await self._note_page(len(page) if name == "Transaction" else 0)
            seen.add(at)
            at = self._next(body, at)
            if at in seen or len(seen) >= _PAGES_AT_MOST or len(rows) > _ROWS_AT_MOST:
                raise ProviderGarbled("Links.Next")
        return _Listed(rows, len(seen), meta)

    def _next(self, body: Mapping[str, Any], at: str) -> str | None:
        """Where the next page is: at the bank we asked, as our token goes there. Errors: ProviderGarbled."""
        links = reading.record(body.get("Links") or {}, "Links")
        said = reading.optional_identifier(links.get("Next"), "Links.Next", reading.MAX_URL_CHARS)
        if said is None:
            return None
        base = urlsplit(self._bank.base_url)
        try:
            found = urlsplit(urljoin(f"{self._bank.base_url}{at}" if at.startswith("/") else at, said))
        except ValueError:
            raise ProviderGarbled("Links.Next") from None
        if (found.scheme, found.netloc) != (base.scheme, base.netloc):
            raise ProviderGarbled("Links.Next")
        return found.geturl()

    async def _note_page(self, rows: int) -> None:
        self.pages += 1
        self._rows += rows
        await self._listener.page_fetched(self.pages, self._rows)


def _is_again(page: Sequence[Any], before: Sequence[Any]) -> bool:
    """Whether two pages hold the same rows, in whatever order; one row may well be like the one before it."""
    return 1 < len(page) == len(before) and sorted(map(repr, page)) == sorted(map(repr, before))
