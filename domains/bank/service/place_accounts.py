"""Accounts that statements speak of, found or made, and what the bank says they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from db.bank import queries, queries_syncs
from db.bank import queries_connections as connections
from db.bank.queries_connections import StoredConnection
from db.engines import WriteSession
from domains.bank import rules
from domains.bank.providers.protocol import Statement, StatementAccount
from domains.bank.service.remove_connections import FORGET, end_connection
from domains.core.errors import TryAgain
from domains.core.ids import new_id

PER_USER_PROVIDERS = frozenset({"file", "manual"})


@dataclass(frozen=True, slots=True)
class PlacedAccount:
    """An account of a statement and the id it has with us."""

    account_id: UUID
    statement: StatementAccount


async def place_accounts(
    session: WriteSession, statement: Statement, *, import_id: UUID | None = None, item_id: str | None = None
) -> list[PlacedAccount]:
    """Find or make the connection and the accounts that a statement speaks of.

    item_id: the provider's name for the connection; without one, files of one institution share one.
    """
    values = {
        "id": new_id(),
        "provider": statement.provider,
        "provider_item_id": item_id or statement.institution_id or "unknown",
        "institution_id": statement.institution_id,
        "institution_name": statement.institution_name,
    }
    connection_id = await queries.find_or_add_connection(session, values, per_user=statement.provider in PER_USER_PROVIDERS)
    ids = await queries.find_or_add_accounts(session, connection_id, [_account_row(account) for account in statement.accounts])
    if import_id is not None:
        await queries.change_import(session, import_id, {"connection_id": connection_id, "account_count": len(ids)})
        await queries_syncs.place_sync(session, import_id, connection_id)
    return [PlacedAccount(ids[account.provider_account_id], account) for account in statement.accounts]


async def place_linked_accounts(
    session: WriteSession, connection: StoredConnection, accounts: Sequence[StatementAccount], at: datetime
) -> tuple[list[PlacedAccount], dict[UUID, frozenset[UUID]]]:
    """The accounts that a connection reaches: known, found again, or made; and for each those that are the same through another.

    Found again are accounts that connections to the same bank, which have ended or are broken, reached: they move here, with all that is
    known of them. Effects: a broken connection of which no account is left ends.
    Errors: TryAgain while transactions of these accounts are being deleted, as what is taken in now would go with them.
    """
    stored = await connections.lock_accounts(session)
    ids = {each.provider_account_id: each.id for each in stored if each.connection_id == connection.id}
    missing = [each for each in accounts if each.provider_account_id not in ids]
    lost = [each for each in stored if _is_lost(each, connection)] if missing else []
    found = rules.find_again(missing, lost)
    left = {each.connection_id for each in lost if each.id in set(found.values())}
    if await connections.has_running_job(session, FORGET, [connection.id, *left]):
        raise TryAgain("TRANSACTIONS_GO", "Transactions of these accounts are being deleted.", retry_after_s=2.0)
    ids |= found
    seen = [_seen_row(each, ids[each.provider_account_id], connection.id) for each in accounts if each.provider_account_id in ids]
    await connections.take_over_accounts(session, seen)
    if made := [_account_row(each) for each in accounts if each.provider_account_id not in ids]:
        ids |= await queries.find_or_add_accounts(session, connection.id, made)
    if found:
        for emptied in await connections.without_accounts(session, sorted(left)):
            if emptied.status != connections.DISCONNECTED:
                await end_connection(session, emptied, at)
    if found or made:
        stored = await connections.lock_accounts(session)
    same, placed = rules.twins(stored), [PlacedAccount(ids[each.provider_account_id], each) for each in accounts]
    return placed, {each.account_id: same[each.account_id] for each in placed if each.account_id in same}


def _is_lost(account: connections.KnownAccount, connection: StoredConnection) -> bool:
    """Whether the connection may have come in place of the one that reached the account."""
    if account.connection_id == connection.id or account.provider != connection.provider:
        return False
    here, there = (connection.institution_id, connection.institution_name), (account.institution_id, account.institution_name)
    return account.connection_status != connections.ACTIVE and rules.is_same_bank(here, there)


async def record_statement(session: WriteSession, accounts: Sequence[PlacedAccount], now: datetime) -> None:
    """Take what the bank says the accounts hold, and note that their connections were heard from."""
    await queries.record_sync(session, [account.account_id for account in accounts], now)
    await store_balances(session, accounts, now)


async def store_balances(session: WriteSession, accounts: Sequence[PlacedAccount], now: datetime) -> None:
    """Take what the bank says the accounts hold; where it says nothing, what was known stays."""
    said = [account for account in accounts if account.statement.current_balance is not None]
    await queries.store_balances(session, [_balance_row(account, now) for account in said])


def _account_row(account: StatementAccount) -> dict[str, Any]:
    return {
        "id": new_id(),
        "provider_account_id": account.provider_account_id,
        "account_type": account.account_type,
        "account_subtype": account.account_subtype,
        "account_name": account.name,
        "account_official_name": account.official_name,
        "account_mask": account.mask,
        "persistent_id": account.persistent_id,
        "currency": account.currency,
    }


def _seen_row(account: StatementAccount, account_id: UUID, connection_id: UUID) -> dict[str, Any]:
    return {
        "id": account_id,
        "connection_id": connection_id,
        "provider_account_id": account.provider_account_id,
        "persistent_id": account.persistent_id,
        "account_official_name": account.official_name,
    }


def _balance_row(account: PlacedAccount, now: datetime) -> dict[str, Any]:
    said = account.statement
    return {
        "id": account.account_id,
        "currency": said.currency,
        "current_balance": said.current_balance,
        "available_balance": said.available_balance,
        "credit_limit": said.credit_limit,
        "balance_updated_at": datetime.combine(said.balance_on, time.min, UTC) if said.balance_on else now,
    }
