"""`/transactions/sync`: all its pages, or none of them.

Pages hang together by their cursors. When the data changes between two of them, Plaid says so, and what was read is worth nothing: it
is read again from the first cursor. Source: Plaid's description of the operation and of its errors, version 2020-09-14.
"""

import asyncio
import random as chance
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from domains.bank.providers import reading
from domains.bank.providers.errors import ProviderError, ProviderGarbled, ProviderRefused, ProviderUnavailable
from domains.bank.providers.plaid.accounts import read_accounts
from domains.bank.providers.plaid.client import PlaidClient
from domains.bank.providers.plaid.errors import INVALID_FIELD, MUTATION, PRODUCT_NOT_READY
from domains.bank.providers.plaid.mapping import read_removed, read_transaction
from domains.bank.providers.protocol import Listener, Reached, StatementAccount, StatementTransaction

#: The most that Plaid puts on a page.
PAGE_ROWS: Final = 500
PAGES_AT_MOST: Final = 1_000
#: How often pages are read again from the first cursor before everything is read from the beginning, and as often again then.
RESTARTS_AT_MOST: Final = 5
_FIRST_WAIT_S: Final = 0.5
_CURSOR_CHARS_AT_MOST: Final = 4_096
#: While one of these holds, more of the past is still to come.
_NOT_READY: Final = "NOT_READY"
_GATHERING: Final = frozenset({_NOT_READY, "INITIAL_UPDATE_COMPLETE"})

Sleep = Callable[[float], Awaitable[None]]
Random = Callable[[float, float], float]


@dataclass(slots=True)
class Changes:
    """What a run of pages came to.

    rows: by id of the transaction, with the id of its account. removed: id of the transaction -> of its account, where told.
    is_empty: nothing was there to read yet. is_ready: all of the past is there. left_out: rows in what is no currency.
    """

    rows: dict[str, tuple[str, StatementTransaction]] = field(default_factory=dict)
    removed: dict[str, str | None] = field(default_factory=dict)
    accounts: dict[str, StatementAccount] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    cursor: str | None = None
    pages: int = 0
    is_empty: bool = False
    is_ready: bool = True

    def take(self, page: Mapping[str, Any], today: date) -> None:
        """Add a page. Later ones count: of a page's rows the last of one id, and its removals after its rows.

        Errors: ProviderGarbled.
        """
        for account in read_accounts(page.get("accounts"), "accounts", today):
            self.accounts[account.provider_account_id] = account
        for name in ("added", "modified"):
            for place, said in enumerate(reading.items(page.get(name), name)):
                self._put(*read_transaction(said, f"{name}[{place}]", today), said)
        for place, said in enumerate(reading.items(page.get("removed"), "removed")):
            account_id, id = read_removed(said, f"removed[{place}]")
            self.rows.pop(id, None)
            self.left_out.discard(id)
            self.removed[id] = account_id

    def _put(self, account_id: str, row: StatementTransaction | None, said: Mapping[str, Any]) -> None:
        if row is None:
            self.left_out.add(reading.identifier(said.get("transaction_id"), "transaction_id"))
            return
        id = row.provider_transaction_id or ""
        self.removed.pop(id, None)
        self.rows[id] = (account_id, row)


class Pages:
    """Reads the pages of one connection."""

    def __init__(
        self,
        client: PlaidClient,
        reached: Reached,
        listener: Listener,
        today: date,
        sleep: Sleep = asyncio.sleep,
        random: Random = chance.uniform,
    ) -> None:
        self._client = client
        self._reached = reached
        self._listener = listener
        self._today = today
        self._sleep = sleep
        self._random = random

    async def since(self, cursor: str) -> Changes | None:
        """What changed since; None where the cursor is of no use any more, and everything has to be told again.

        Errors: those of a provider.
        """
        try:
            return await self._settled(cursor)
        except ProviderUnavailable as error:
            if error.detail == MUTATION:
                return None
            raise
        except ProviderRefused as error:
            if error.detail == INVALID_FIELD:
                return None
            raise

    async def all(self) -> Changes:
        """Everything from the beginning. Errors: those of a provider."""
        return await self._settled(None)

    async def _settled(self, cursor: str | None) -> Changes:
        """All pages from one cursor on. Errors: ProviderUnavailable (MUTATION) when the data does not stand still for long enough."""
        for restart in range(RESTARTS_AT_MOST):
            try:
                return await self._read(cursor)
            except ProviderUnavailable as error:
                if error.detail != MUTATION:
                    raise
            wait_s = _FIRST_WAIT_S * 2**restart
            await self._sleep(self._random(wait_s / 2, wait_s))
        return await self._read(cursor)

    async def _read(self, first: str | None) -> Changes:
        changes = Changes(cursor=first)
        for _ in range(PAGES_AT_MOST):
            page = await self._page(changes.cursor)
            changes.take(page, self._today)
            changes.pages += 1
            await self._listener.page_fetched(changes.pages, len(changes.rows) + len(changes.removed))
            has_more = reading.flag(page.get("has_more"), "has_more")
            self._advance(changes, page, has_more)
            if not has_more:
                return changes
        raise ProviderGarbled("has_more")

    def _advance(self, changes: Changes, page: Mapping[str, Any], has_more: bool) -> None:
        """On to the next cursor. One that leads back to the same page would do so for ever. Errors: ProviderGarbled."""
        status = reading.optional_word(page.get("transactions_update_status"), "transactions_update_status")
        cursor = reading.optional_identifier(page.get("next_cursor"), "next_cursor", _CURSOR_CHARS_AT_MOST)
        if has_more and cursor in (None, changes.cursor):
            raise ProviderGarbled("next_cursor")
        changes.is_empty = cursor is None or status == _NOT_READY
        changes.is_ready = not (changes.is_empty or status in _GATHERING)
        changes.cursor = cursor

    async def _page(self, cursor: str | None) -> Mapping[str, Any]:
        body: dict[str, Any] = {
            "access_token": self._reached.credentials.access_token,
            "count": PAGE_ROWS,
            "options": {"include_original_description": True},
        }
        if cursor is not None:
            body["cursor"] = cursor
        try:
            return await self._client.post("/transactions/sync", body, institution_id=self._reached.institution_id)
        except ProviderError as error:
            if error.detail == PRODUCT_NOT_READY and cursor is None:
                return {"has_more": False, "next_cursor": "", "transactions_update_status": _NOT_READY}
            raise
