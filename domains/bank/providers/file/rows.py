"""Rows on their way from a file to a statement."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from domains.bank import rules
from domains.bank.providers.protocol import Direction, StatementTransaction


@dataclass(slots=True, kw_only=True)
class Draft:
    """A transaction as read, before it has an id: `bank_id` is what the bank wrote for one, if anything."""

    bank_id: str | None
    amount: Decimal
    currency: str
    direction: Direction
    transaction_date: date
    description: str
    original_description: str
    merchant_name: str | None = None
    authorized_date: date | None = None
    posted_date: date | None = None
    category_detailed: str | None = None
    payment_meta: Mapping[str, str] = field(default_factory=dict)
    line: int

    def content(self) -> tuple[object, ...]:
        """All that was said, in an order that does not depend on the file's."""
        dates = (self.transaction_date, self.authorized_date, self.posted_date)
        meta = tuple(sorted(self.payment_meta.items()))
        return (self.description, self.original_description, self.merchant_name, dates, self.category_detailed, meta)


def direction_of(amount: Decimal) -> Direction:
    """Money in from zero up, money out below."""
    return "debit" if amount < 0 else "credit"


def identified(drafts: list[Draft]) -> list[StatementTransaction]:
    """The transactions of one account with their ids, in order; a row that the file lists twice comes once."""
    numbered = [draft for draft in drafts if rules.is_bank_id(draft.bank_id)]
    numbers = [draft.bank_id or "" for draft in numbered]
    ids = rules.bank_ids(numbers, numbered, lambda index: numbered[index].content())
    by_bank = {id(draft): given for draft, given in zip(numbered, ids, strict=True)}

    kept = [draft for draft in drafts if by_bank.get(id(draft), "") is not None]
    unnamed = [draft for draft in kept if id(draft) not in by_bank or not rules.is_lasting_bank_id(draft.bank_id or "")]
    by_content = {id(draft): given for draft, given in zip(unnamed, rules.occurrence_ids(unnamed), strict=True)}
    return [_transaction(draft, by_content.get(id(draft)) or by_bank[id(draft)]) for draft in kept]


def _transaction(draft: Draft, provider_transaction_id: str | None) -> StatementTransaction:
    return StatementTransaction(
        provider_transaction_id=provider_transaction_id,
        amount=draft.amount,
        currency=draft.currency,
        direction=draft.direction,
        transaction_date=draft.transaction_date,
        description=draft.description,
        original_description=draft.original_description,
        merchant_name=draft.merchant_name,
        authorized_date=draft.authorized_date,
        posted_date=draft.posted_date,
        category_detailed=draft.category_detailed,
        payment_meta=draft.payment_meta,
        line=draft.line,
    )
