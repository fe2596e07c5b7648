"""Which transactions a change has touched: what whoever pairs them looks at again."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID


@dataclass(slots=True)
class Touched:
    """Transactions that a writing transaction added, changed or took away, and the days between which they lie.

    days: of all of them, before and after the change; first_day, last_day: the earliest and the latest, None while there are none.
    gone: ids that are there no more, or are cancelled; they are in none of the other two.
    """

    account_ids: set[UUID] = field(default_factory=set)
    first_day: date | None = None
    last_day: date | None = None
    days: set[date] = field(default_factory=set)
    added: set[UUID] = field(default_factory=set)
    changed: set[UUID] = field(default_factory=set)
    gone: set[UUID] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.gone)

    def see(self, account_id: UUID, days: Iterable[date]) -> None:
        """Something on the account changed on these days."""
        self.account_ids.add(account_id)
        for day in days:
            self.days.add(day)
            self.first_day = day if self.first_day is None else min(self.first_day, day)
            self.last_day = day if self.last_day is None else max(self.last_day, day)

    def note_added(self, transaction_id: UUID, account_id: UUID, day: date) -> None:
        self.added.add(transaction_id)
        self.see(account_id, (day,))

    def note_changed(self, transaction_id: UUID, account_id: UUID, *days: date) -> None:
        """`days`: before and after."""
        if transaction_id not in self.added:
            self.changed.add(transaction_id)
        self.see(account_id, days)

    def note_gone(self, transaction_id: UUID, account_id: UUID, day: date) -> None:
        self.added.discard(transaction_id)
        self.changed.discard(transaction_id)
        self.gone.add(transaction_id)
        self.see(account_id, (day,))
