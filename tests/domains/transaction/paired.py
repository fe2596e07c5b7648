"""A viewer's transactions for tests of pairing: put in, changed and taken away as a batch would, then paired."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import event, func, select
from sqlalchemy.engine import Engine

from db.engines import Db, Viewer
from db.statements import owned
from db.transaction.models import own_transactions, transaction_keys, transaction_reviews
from db.transaction.queries import batches
from domains.transaction.service.apply_batch import pair_again
from domains.transaction.service.touched import Touched
from tests.domains.flows.rows import row

Twins = Mapping[UUID, frozenset[UUID]]
#: A review as tests compare it: kind, state, who decided, the two transactions, score.
Review = tuple[str, str, str | None, UUID, UUID | None, Decimal | None]


class Ledger:
    """`checking`, `savings`, `card`: accounts. What changes is found by `pair`."""

    def __init__(self, db: Db, viewer: Viewer) -> None:
        self.db, self.viewer = db, viewer
        self.checking, self.savings, self.card = uuid4(), uuid4(), uuid4()
        self.touched = Touched()

    async def add(self, account_id: UUID, amount: str, day: date, **changes: Any) -> UUID:
        """A transaction; `amount` with a plus is a credit. Uncategorised unless said otherwise."""
        direction = "credit" if amount.startswith("+") else "debit"
        given = {"category": None, "category_confidence": None, "account_id": account_id, "direction": direction, **changes}
        made = row(day, amount.lstrip("+-"), **given)
        async with self.db.write("transaction", self.viewer) as session:
            await batches.ensure_partitions(session, [day.year])
            await batches.add_transactions(session, [made])
        self.touched.note_added(made["id"], account_id, day)
        transaction_id: UUID = made["id"]
        return transaction_id

    async def change(self, transaction_id: UUID, **values: Any) -> None:
        found = await self.transaction(transaction_id)
        async with self.db.write("transaction", self.viewer) as session:
            rows = own_transactions
            await session.run(rows.update().where(owned(rows), rows.c.id == transaction_id).values(values))
        if values.get("status") == "cancelled":
            self.touched.note_gone(transaction_id, found["account_id"], found["transaction_date"])
        else:
            self.touched.note_changed(transaction_id, found["account_id"], found["transaction_date"])

    async def remove(self, transaction_id: UUID) -> None:
        found = await self.transaction(transaction_id)
        async with self.db.write("transaction", self.viewer) as session:
            for table, column in ((own_transactions, "id"), (transaction_keys, "transaction_id")):
                await session.run(table.delete().where(owned(table), table.c[column] == transaction_id))
        self.touched.note_gone(transaction_id, found["account_id"], found["transaction_date"])

    async def pair(self, twins: Twins | None = None) -> set[date]:
        """What follows a batch; answers the months that changed."""
        touched, self.touched = self.touched, Touched()
        return await self.pair_again(touched, twins)

    async def pair_again(self, touched: Touched, twins: Twins | None = None) -> set[date]:
        async with self.db.write("transaction", self.viewer) as session:
            return await pair_again(session, touched, twins)

    async def decide(self, transaction_id: UUID, state: str) -> None:
        """What the owner says of the pairs of which a transaction is the first."""
        reviews = transaction_reviews
        async with self.db.write("transaction", self.viewer) as session:
            theirs = reviews.update().where(owned(reviews), reviews.c.transaction_id == transaction_id)
            await session.run(theirs.values(state=state, decided_by="user", decided_at=func.now()))

    async def transaction(self, transaction_id: UUID) -> dict[str, Any]:
        rows = own_transactions
        async with self.db.write("transaction", self.viewer) as session:
            found = await session.run(select(rows).where(owned(rows), rows.c.id == transaction_id))
            return dict(found.mappings().one())

    async def paired(self) -> set[frozenset[UUID]]:
        """Transactions that share the id of a transfer."""
        rows = own_transactions
        async with self.db.write("transaction", self.viewer) as session:
            found = await session.run(select(rows.c.id, rows.c.transfer_id).where(owned(rows), rows.c.transfer_id.is_not(None)))
            by_pair: dict[UUID, set[UUID]] = {}
            for each in found:
                by_pair.setdefault(each.transfer_id, set()).add(each.id)
        return {frozenset(ids) for ids in by_pair.values()}

    async def duplicates(self) -> dict[UUID, UUID]:
        """Originals by their duplicates."""
        rows = own_transactions
        async with self.db.write("transaction", self.viewer) as session:
            found = await session.run(select(rows.c.id, rows.c.duplicate_of).where(owned(rows), rows.c.is_duplicate))
            return {each.id: each.duplicate_of for each in found}

    async def reviews(self) -> set[Review]:
        reviews = transaction_reviews
        names = ("kind", "state", "decided_by", "transaction_id", "other_id", "score")
        async with self.db.write("transaction", self.viewer) as session:
            found = await session.run(select(*(reviews.c[name] for name in names)).where(owned(reviews)))
            return {tuple(each) for each in found}


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """What write sessions send meanwhile."""
    sent: list[str] = []

    def executing(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        sent.append(sql)

    event.listen(Engine, "before_cursor_execute", executing)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", executing)
