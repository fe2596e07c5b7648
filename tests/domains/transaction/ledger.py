"""A user's account and a bank that says this and that of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from db.engines import Db, Viewer
from db.transaction.models import ledgers, monthly_category_summary, own_transactions, transaction_keys, transaction_reviews
from domains.bank.providers.protocol import StatementTransaction
from domains.transaction.service.apply_batch import AccountBatch, Applied, apply_batch
from domains.transaction.service.update_transaction import UpdateTransaction, update_transaction

#: A day in the middle of a month that is long over: nothing here asks the clock of this machine.
DAY = date(2026, 3, 10)
NOW = datetime(2026, 3, 11, 9, tzinfo=UTC)


def after(days: int) -> date:
    return DAY + timedelta(days=days)


def said(name: str, amount: str = "4.50", day: date = DAY, **changes: Any) -> StatementTransaction:
    """A posted debit at a coffee shop, unless said otherwise."""
    given: dict[str, Any] = {
        "provider_transaction_id": name,
        "amount": Decimal(amount),
        "currency": "USD",
        "direction": "debit",
        "transaction_date": day,
        "description": "Blue Bottle Coffee",
        "original_description": "BLUE BOTTLE COFFEE 4711",
    }
    return StatementTransaction(**{**given, **changes})


def pending(name: str, amount: str = "4.50", day: date = DAY, **changes: Any) -> StatementTransaction:
    return said(name, amount, day, **{"status": "pending", **changes})


@dataclass(slots=True)
class Account:
    """One account of one user."""

    db: Db
    viewer: Viewer
    id: UUID = field(default_factory=uuid4)
    provider: str = "plaid"

    async def sync(
        self, *rows: StatementTransaction, removed: Sequence[str] = (), window: tuple[date, date] | None = None, today: date | None = None
    ) -> Applied:
        batch = AccountBatch(self.id, "checking", self.provider, rows, removed, window)
        async with self.db.write("transaction", self.viewer) as session:
            return await apply_batch(session, [batch], {}, today or after(1))

    async def edit(self, name: str, **changes: Any) -> UUID:
        """Their owner's own word on the transaction of this name; answers its id."""
        transaction_id: UUID = (await self.by_name())[name]["id"]
        async with self.db.write("transaction", self.viewer) as session:
            await update_transaction(session, UpdateTransaction(transaction_id, **changes), NOW)
        return transaction_id

    async def rows(self) -> list[dict[str, Any]]:
        rows = own_transactions.c
        return await self._all(own_transactions.select().where(rows.account_id == self.id).order_by(rows.transaction_date, rows.id))

    async def by_name(self) -> dict[str, dict[str, Any]]:
        """The account's transactions by what the bank calls them now; each name once."""
        rows = await self.rows()
        found = {row["provider_transaction_id"]: row for row in rows}
        assert len(found) == len(rows)
        return found

    async def told(self) -> dict[str, tuple[str, date, str]]:
        """Amount, day and status by name."""
        return {
            name: (f"{row['amount'].normalize():f}", row["transaction_date"], row["status"]) for name, row in (await self.by_name()).items()
        }

    async def names(self) -> dict[str, tuple[UUID, bool]]:
        """What each name stands for, and whether it is an old one."""
        keys = await self._all(transaction_keys.select().where(transaction_keys.c.account_id == self.id))
        return {key["provider_transaction_id"]: (key["transaction_id"], key["is_alias"]) for key in keys}

    async def reviews(self) -> list[tuple[str, str, UUID, UUID | None]]:
        found = await self._all(transaction_reviews.select().order_by(transaction_reviews.c.kind, transaction_reviews.c.created_at))
        return [(each["kind"], each["state"], each["transaction_id"], each["other_id"]) for each in found]

    async def version(self) -> int:
        found = await self._all(ledgers.select())
        return int(found[0]["version"]) if found else 0

    async def spent(self) -> Decimal:
        """What the months' sums say, all of them."""
        return sum((row["total_amount"] for row in await self._all(monthly_category_summary.select())), Decimal(0))

    async def state(self) -> tuple[Any, ...]:
        """All that a replay must not change."""
        return await self.rows(), await self.names(), await self.reviews(), await self.version(), await self.spent()

    async def _all(self, statement: Any) -> list[dict[str, Any]]:
        async with self.db.write("transaction", self.viewer) as session:
            return [dict(row) for row in (await session.execute(statement)).mappings()]
