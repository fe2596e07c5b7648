"""Accounts that statements speak of, found or made, and what the bank says they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from db.bank import queries, queries_syncs
from db.engines import WriteSession
from domains.bank.providers.protocol import Statement, StatementAccount
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


async def record_statement(session: WriteSession, accounts: Sequence[PlacedAccount], now: datetime) -> None:
    """Take what the bank says the accounts hold, and note that their connections were heard from."""
    await queries.record_sync(session, [account.account_id for account in accounts], now)
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
        "currency": account.currency,
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
