"""One fetch: what the consent reaches, and the transactions of each account by booking window."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from domains.bank.providers import reading
from domains.bank.providers.errors import ProviderGarbled, ReauthenticationRequired
from domains.bank.providers.protocol import Fetched, Listener, Statement, StatementAccount, StatementTransaction
from domains.bank.providers.tink import windows
from domains.bank.providers.tink.consents import Consent, read_consents
from domains.bank.providers.tink.tokens import UserSession, refused
from domains.bank.providers.tink.values import Account, Row, read_account, read_row
from domains.bank.providers.wire import Answer

PROVIDER: Final = "tink"
#: The most that Tink gives at once, of accounts and of transactions. Source: API reference, Data v2.
PAGE_SIZE: Final = 100
#: Pages of one fetch: 200,000 transactions.
PAGES_AT_MOST: Final = 2_000
ACCOUNT_PAGES_AT_MOST: Final = 10
#: How often all is read again because Tink heard from the bank in between.
TRIES: Final = 3


class _Shifted(Exception):
    """The pages are not those of a moment ago: the token of the next one is good no more."""


@dataclass(frozen=True, slots=True)
class _Told:
    account: Account
    asked: windows.Days
    rows: Sequence[Row]

    @property
    def transactions(self) -> list[StatementTransaction]:
        return [row.content for row in self.rows if row.content is not None]


async def list_consents(session: UserSession, credentials_id: str | None = None) -> list[Consent]:
    """A person's consents, or the one. Errors: as `UserSession.call`, and ProviderGarbled."""
    answer = await session.call("GET", "/api/v1/provider-consents", None if credentials_id is None else {"credentialsId": credentials_id})
    return [each for each in read_consents(_object(answer)) if credentials_id in (None, each.credentials_id)]


class Fetch:
    """Reads pages until all of them belong together, and says so of the days that are complete then."""

    def __init__(self, session: UserSession, listener: Listener, secret: bytes, today: date, now: datetime) -> None:
        self._session, self._listener, self._secret, self._today, self._now = session, listener, secret, today, now
        self._pages = self._transactions = 0

    async def run(self, credentials_id: str, cursor: str | None) -> Fetched:
        """All of a consent that is new since `cursor`.

        While Tink gathers, and when it heard from the bank each time that we read, no day is complete and the cursor stays. The first
        time what there is counts. Later balances only: a purchase that is booked must come together with the news that it is
        pending no more, or nobody could tell that they are one.
        Errors: as `LinkedProvider.fetch`.
        """
        known = windows.read_cursor(cursor)
        complete = known or {}
        told: list[_Told] = []
        is_whole = False
        for _ in range(TRIES):
            self._pages = self._transactions = 0
            before = await self._consent(credentials_id)
            is_gathered = before.check(self._now)
            try:
                told = await self._accounts(before, complete, has_rows=is_gathered or not complete)
            except _Shifted:
                continue
            after = await self._consent(credentials_id)
            is_whole = is_gathered and after.stamp == before.stamp
            if after.stamp == before.stamp:
                break
        if complete and not is_whole:
            told = [replace(each, rows=()) for each in told]
        accounts = [found for each in told if (found := self._account(each, is_whole=is_whole)) is not None]
        return Fetched(
            statement=Statement(
                provider=PROVIDER,
                institution_id=before.provider,
                accounts=accounts,
                left_out=sum(row.content is None for each in told for row in each.rows),
            ),
            cursor=self._cursor(told, complete) if is_whole else (cursor if known is not None else None),
            is_ready=is_whole,
            is_replay=known is None,
            consent_expires_at=before.expires_at,
            pages=self._pages,
        )

    async def _consent(self, credentials_id: str) -> Consent:
        found = await list_consents(self._session, credentials_id)
        if not found:
            raise ReauthenticationRequired("CONSENT_NOT_FOUND")
        return found[0]

    async def _accounts(self, consent: Consent, complete: Mapping[str, date], *, has_rows: bool) -> list[_Told]:
        told = []
        for account in await self._list_accounts(consent):
            asked = windows.days_to_ask(complete.get(account.id), self._today)
            told.append(_Told(account, asked, await self._list_rows(account.id, asked) if has_rows else ()))
        return told

    async def _list_accounts(self, consent: Consent) -> list[Account]:
        """Those that this consent reaches: the person may have others at other banks."""
        accounts: dict[str, Account] = {}
        token: str | None = None
        for _ in range(ACCOUNT_PAGES_AT_MOST):
            page = _object(await self._page("/data/v2/accounts", {}, token))
            for index, value in enumerate(reading.items(page.get("accounts"), "accounts", PAGE_SIZE)):
                account = read_account(value, f"accounts[{index}]", self._secret)
                if account.id in consent.account_ids:
                    accounts[account.id] = account
            if (token := _next(page, token)) is None:
                return list(accounts.values())
        raise ProviderGarbled("accounts.nextPageToken")

    async def _list_rows(self, account_id: str, asked: windows.Days) -> list[Row]:
        """Each transaction once, as it was told last."""
        params: dict[str, str | int] = {"accountIdIn": account_id, "bookedDateLte": asked.last.isoformat()}
        if asked.first is not None:
            params["bookedDateGte"] = asked.first.isoformat()
        rows: dict[str, Row] = {}
        token: str | None = None
        while self._pages < PAGES_AT_MOST:
            page = _object(await self._page("/data/v2/transactions", params, token))
            found = reading.items(page.get("transactions"), "transactions", PAGE_SIZE)
            fresh = [read_row(value, f"transactions[{index}]", self._today) for index, value in enumerate(found)]
            if any(row.account_id != account_id for row in fresh):
                raise ProviderGarbled("transactions.accountId")
            self._transactions += sum(row.id not in rows for row in fresh)
            rows |= {row.id: row for row in fresh}
            self._pages += 1
            await self._listener.page_fetched(self._pages, self._transactions)
            if (token := _next(page, token)) is None:
                return list(rows.values())
        raise ProviderGarbled("transactions.nextPageToken")

    async def _page(self, path: str, params: Mapping[str, str | int], token: str | None) -> Answer:
        where = {**params, "pageSize": PAGE_SIZE, **({} if token is None else {"pageToken": token})}
        answer = await self._session.call("GET", path, where)
        if answer.status in (400, 404) and token is not None:
            raise _Shifted
        return answer

    def _account(self, told: _Told, *, is_whole: bool) -> StatementAccount | None:
        """None for one whose currency nobody says: neither a balance nor a transaction."""
        account, transactions = told.account, sorted(told.transactions, key=_place)
        currency = account.currency or next((each.currency for each in transactions), None)
        if currency is None:
            return None
        return StatementAccount(
            provider_account_id=account.id,
            name=account.name,
            currency=currency,
            account_type=account.kind,
            account_subtype=account.subtype,
            mask=account.mask,
            current_balance=account.booked,
            available_balance=account.available,
            balance_on=account.refreshed_on,
            persistent_id=account.persistent_id,
            transactions=transactions,
            window=windows.window(told.asked, [each.transaction_date for each in transactions]) if is_whole else None,
        )

    def _cursor(self, told: Iterable[_Told], complete: Mapping[str, date]) -> str:
        """An account that is not reached any more is forgotten: comes it again, it is read from its beginning."""
        ids = [(each.account.id, each.account.refreshed_on) for each in told]
        return windows.write_cursor({id_: windows.complete_until(complete.get(id_), on, self._today) for id_, on in ids})


def _place(row: StatementTransaction) -> tuple[date, str]:
    return row.transaction_date, row.provider_transaction_id or ""


def _object(answer: Answer) -> Mapping[str, Any]:
    if answer.status != 200:
        raise refused(answer)
    return reading.record(answer.body, "body")


def _next(page: Mapping[str, Any], token: str | None) -> str | None:
    """The next page's token; the same again would be the same page for ever."""
    following = reading.optional_identifier(page.get("nextPageToken"), "nextPageToken", 4_096)
    if following is not None and following == token:
        raise ProviderGarbled("nextPageToken")
    return following
