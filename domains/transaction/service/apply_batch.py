"""Take in what a bank says, exactly once however often it says it. Statement files and bank syncs both end here."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import islice
from operator import attrgetter
from typing import Any, Protocol
from uuid import UUID

import orjson

from db import jobs
from db.engines import WriteSession
from db.transaction.queries import batches, closing, folds
from domains.core.ids import new_id
from domains.transaction import rules

#: Rows per statement: large enough that round trips do not count, small enough that arrays stay a few megabytes.
CHUNK = 5_000
REFOLD = "budget.refold"
CLOSE_AGAIN = "budget.close_again"
#: Changes within so long are looked at together.
CLOSE_AGAIN_DELAY_S = 5.0
REFOLD_LEASE_S = 30.0


class ProvidedTransaction(Protocol):
    """A row as a provider gives it. `amount` is never negative; `provider_transaction_id` is unique within its account."""

    provider_transaction_id: Any
    amount: Decimal
    currency: str
    direction: str
    transaction_date: date
    description: str
    original_description: str
    merchant_name: str | None
    authorized_date: date | None
    posted_date: date | None
    status: str
    category_detailed: str | None
    payment_meta: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AccountBatch:
    """What a provider says of one account."""

    account_id: UUID
    account_type: str | None
    provider: str
    rows: Sequence[Any]


@dataclass(slots=True)
class Applied:
    """What a batch came to. `months`: first days of the months whose sums it touched; `refold`: the job its caller holds."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    months: set[date] = field(default_factory=set)
    refold: jobs.Claim | None = None

    def as_outcome(self) -> dict[str, int]:
        return {"added": self.added, "updated": self.updated, "unchanged": self.unchanged}


async def apply_batch(session: WriteSession, accounts: Sequence[AccountBatch], merchants: Mapping[str, rules.MerchantCategory]) -> Applied:
    """Store new rows, change what the provider changed, leave the rest; refold the months touched and queue the budgets' refold.

    Units:   `merchants` maps normalised merchant names to what is known of them.
    Effects: one version of the user's ledger, one `budget.refold` job, a `budget.close_again` job per year; only when something changed.
    """
    await batches.lock_user(session)
    applied = Applied()
    for chunk in _chunks(accounts):
        await _apply_chunk(session, chunk, merchants, applied)
    if applied.months:
        applied.refold = await record_change(session, applied.months)
    return applied


async def record_change(session: WriteSession, months: Iterable[date]) -> jobs.Claim | None:
    """What every change of transactions ends with, in the same transaction.

    Periods of budgets that are closed follow a little later, a year of them per job.
    Answers the budgets' refold as a job that the caller holds and runs after its commit; None when another run will see this change.
    """
    touched = sorted(months)
    await folds.refold_months(session, touched)
    await folds.bump_ledger(session)
    for year in sorted({month.year for month in touched}):
        key = f"{session.viewer.user_id}:{year}"
        await jobs.add(session, CLOSE_AGAIN, key=key, payload={"year": year}, delay_s=CLOSE_AGAIN_DELAY_S)
    return await jobs.add_held(session, REFOLD, key=str(session.viewer.user_id), lease_s=REFOLD_LEASE_S)


def month_of(day: date) -> date:
    return day.replace(day=1)


def fingerprint(row: ProvidedTransaction) -> bytes:
    """Sixteen bytes that change when anything the provider says of the row changes."""
    meta = orjson.dumps(dict(row.payment_meta), option=orjson.OPT_SORT_KEYS) if row.payment_meta else b""
    text = "\x1f".join(map(str, (row.amount.normalize(), *_said(row))))
    return hashlib.blake2b(text.encode() + meta, digest_size=16).digest()


_said = attrgetter(
    "currency",
    "direction",
    "transaction_date",
    "original_description",
    "description",
    "merchant_name",
    "authorized_date",
    "posted_date",
    "status",
    "category_detailed",
)


def _chunks(accounts: Sequence[AccountBatch]) -> Iterator[list[tuple[AccountBatch, ProvidedTransaction]]]:
    rows = iter([(account, row) for account in accounts for row in account.rows])
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


async def _apply_chunk(
    session: WriteSession,
    chunk: list[tuple[AccountBatch, ProvidedTransaction]],
    merchants: Mapping[str, rules.MerchantCategory],
    applied: Applied,
) -> None:
    stored = await batches.find_known(
        session, [account.account_id for account, _ in chunk], [str(row.provider_transaction_id) for _, row in chunk]
    )
    known = {(row.account_id, row.provider_transaction_id): row for row in stored}
    added: dict[tuple[UUID, str], dict[str, Any]] = {}
    changed: dict[UUID, dict[str, Any]] = {}
    for account, row in chunk:
        key, mark = (account.account_id, str(row.provider_transaction_id)), fingerprint(row)
        before = known.get(key)
        if before is None:
            added[key] = {**_record(account, row, merchants), "id": new_id(), "fingerprint": mark}
        elif before.fingerprint != mark:
            record = {**_record(account, row, merchants), "id": before.transaction_id, "fingerprint": mark}
            changed[before.transaction_id] = {**record, "old_date": before.transaction_date}
        else:
            applied.unchanged += 1
    await _add(session, list(added.values()), applied)
    await _change(session, list(changed.values()), applied)


async def _add(session: WriteSession, given: list[dict[str, Any]], applied: Applied) -> None:
    """A month that is closed takes no more rows: its transactions went, and what they came to would be counted twice."""
    if not given:
        return
    closed = await closing.closed_among(session, {month_of(row["transaction_date"]) for row in given})
    rows = [row for row in given if month_of(row["transaction_date"]) not in closed] if closed else given
    applied.unchanged += len(given) - len(rows)
    if not rows:
        return
    await batches.ensure_partitions(session, sorted({row["transaction_date"].year for row in rows}))
    await batches.add_transactions(session, rows)
    applied.added += len(rows)
    applied.months.update(month_of(row["transaction_date"]) for row in rows)


async def _change(session: WriteSession, rows: list[dict[str, Any]], applied: Applied) -> None:
    if not rows:
        return
    if moved := [row for row in rows if row["old_date"] != row["transaction_date"]]:
        await batches.ensure_partitions(session, sorted({row["transaction_date"].year for row in moved}))
        await batches.move_transactions(session, moved)
    await batches.change_transactions(session, rows)
    applied.updated += len(rows)
    for row in rows:
        applied.months.update((month_of(row["old_date"]), month_of(row["transaction_date"])))


def _record(account: AccountBatch, row: ProvidedTransaction, merchants: Mapping[str, rules.MerchantCategory]) -> dict[str, Any]:
    """The provider's row with what our rules make of it."""
    merchant = rules.clean_merchant(row.description, row.merchant_name)
    found = rules.categorise(row.description, merchant, row.direction, account.account_type, merchants, row.category_detailed)
    return {
        "account_id": account.account_id,
        "provider": account.provider,
        "provider_transaction_id": str(row.provider_transaction_id),
        "transaction_date": row.transaction_date,
        "amount": row.amount,
        "currency": row.currency,
        "direction": row.direction,
        "merchant_name": merchant,
        "description": row.description,
        "original_description": row.original_description,
        "category": found.category,
        "category_detailed": found.category_detailed,
        "category_confidence": found.confidence,
        "category_method": found.method,
        "authorized_date": row.authorized_date,
        "posted_date": row.posted_date,
        "status": row.status,
        "payment_meta": orjson.dumps(dict(row.payment_meta)).decode() if row.payment_meta else None,
    }
