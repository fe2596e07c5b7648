"""From pages and accounts to one statement of a connection."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from domains.bank.providers import reading
from domains.bank.providers.plaid.accounts import merged, read_accounts, with_transactions
from domains.bank.providers.plaid.client import PlaidClient
from domains.bank.providers.plaid.cursor import Cursor, read_cursor
from domains.bank.providers.plaid.sync import Changes, Pages
from domains.bank.providers.protocol import Fetched, Reached, Statement, StatementAccount, StatementTransaction

#: A bank may list a payment under a day to come; what it took back of those is taken back, too.
_DAYS_AHEAD = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class _Round:
    """Pages that were read. is_all: from the beginning. since: as `Cursor` has it, as it was before."""

    changes: Changes
    is_all: bool
    is_replay: bool
    since: Mapping[str, date]


async def fetch(client: PlaidClient, pages: Pages, reached: Reached, today: date) -> Fetched:
    """The accounts, and all that changed on them since the cursor, or all there is.

    Until all of the past is there it is told from the beginning each time, and no cursor of Plaid's is kept: so each time it is
    complete for the days that it tells of, and rows of the same account from before it was linked again find theirs.
    Errors: those of a provider.
    """
    told = await _round(pages, reached)
    body = await client.post("/accounts/get", {"access_token": reached.credentials.access_token}, institution_id=reached.institution_id)
    item = reading.record(body.get("item"), "item")
    accounts = merged(read_accounts(body.get("accounts"), "accounts", today), told.changes.accounts)
    statement, since = _statement(told, accounts, today)
    return Fetched(
        statement=Statement(
            provider="plaid",
            institution_id=reading.optional_identifier(item.get("institution_id"), "item.institution_id") or reached.institution_id,
            institution_name=reading.optional_text(item.get("institution_name"), "item.institution_name"),
            accounts=statement,
            left_out=_left_out(told.changes, accounts),
        ),
        cursor=_cursor(told, since, reached),
        is_ready=told.changes.is_ready,
        is_replay=told.is_replay,
        consent_expires_at=reading.optional_instant(item.get("consent_expiration_time"), "item.consent_expiration_time", today),
        pages=told.changes.pages,
    )


async def _round(pages: Pages, reached: Reached) -> _Round:
    cursor = read_cursor(reached.cursor)
    if cursor is not None and cursor.plaid is not None:
        changes = await pages.since(cursor.plaid)
        if changes is not None:
            return _Round(changes, False, False, cursor.since)
    is_replay = cursor is None or cursor.plaid is not None
    return _Round(await pages.all(), True, is_replay, {} if cursor is None else cursor.since)


def _statement(told: _Round, accounts: Sequence[StatementAccount], today: date) -> tuple[list[StatementAccount], Mapping[str, date]]:
    """Accounts with what was told of them, and since when each is told of by now."""
    rows: defaultdict[str, list[StatementTransaction]] = defaultdict(list)
    for account_id, row in told.changes.rows.values():
        rows[account_id].append(row)
    removed = _removed(told.changes, accounts)
    since = dict(told.since)
    for account_id, of_it in rows.items():
        earliest = min(row.transaction_date for row in of_it)
        since[account_id] = min(since.get(account_id, earliest), earliest)
    filled = [
        with_transactions(
            account,
            transactions=tuple(rows[account.provider_account_id]),
            removed=removed.get(account.provider_account_id, ()),
            window=_window(told, since.get(account.provider_account_id), rows[account.provider_account_id], today),
        )
        for account in accounts
    ]
    return filled, since


def _window(told: _Round, since: date | None, rows: Sequence[StatementTransaction], today: date) -> tuple[date, date] | None:
    """The days of which what was told is everything: after a round from the beginning, those since the account was first told of.

    While the past is still being gathered, its first day may not be whole.
    """
    if not told.is_all or told.changes.is_empty or since is None:
        return None
    begins = since if told.changes.is_ready else since + timedelta(days=1)
    ends = max([today, *(row.transaction_date for row in rows)]) + _DAYS_AHEAD
    return (begins, ends) if begins < ends else None


def _removed(changes: Changes, accounts: Sequence[StatementAccount]) -> Mapping[str, tuple[str, ...]]:
    """By account; a removal of which Plaid does not say where is everywhere, as ids are of one account only."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for id, account_id in changes.removed.items():
        for each in [account_id] if account_id is not None else [account.provider_account_id for account in accounts]:
            found[each].append(id)
    return {account_id: tuple(ids) for account_id, ids in found.items()}


def _left_out(changes: Changes, accounts: Sequence[StatementAccount]) -> int:
    """Rows in what is no currency, and those of accounts that are."""
    listed = {account.provider_account_id for account in accounts}
    return len(changes.left_out) + sum(account_id not in listed for account_id, _ in changes.rows.values())


def _cursor(told: _Round, since: Mapping[str, date], reached: Reached) -> str | None:
    if not told.is_all and (told.changes.is_empty or told.changes.cursor is None):
        return reached.cursor
    is_whole = told.changes.is_ready or not told.is_all
    return Cursor(told.changes.cursor if is_whole else None, since).write()
