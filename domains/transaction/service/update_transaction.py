"""A user's own word on a transaction: its category, notes and tags. No sync overwrites it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from db.engines import WriteSession
from db.jobs import Claim
from db.transaction.queries import batches, edits
from domains.core.changes import UNSET, Unset
from domains.transaction import rules
from domains.transaction.errors import CategoryNotFound, TransactionNotFound
from domains.transaction.service.apply_batch import month_of, record_change

#: What a change is told by, before and after.
_TOLD = ("user_category", "notes", "tags")


@dataclass(frozen=True, slots=True)
class UpdateTransaction:
    """What to change; what is UNSET stays. A category of None gives the row back to automatic categorisation."""

    transaction_id: UUID
    category: str | Unset | None = UNSET
    notes: str | Unset | None = UNSET
    tags: Sequence[str] | Unset = UNSET


@dataclass(frozen=True, slots=True)
class Updated:
    """Whether sums may have moved, and the budgets' refold if the caller holds it; `old` and `new`: what this call has changed."""

    moves_sums: bool
    refold: Claim | None
    old: dict[str, Any]
    new: dict[str, Any]


async def update_transaction(session: WriteSession, command: UpdateTransaction) -> Updated:
    """Apply the change.

    Effects: when the category changed, the month is refolded and the budgets' refold queued in the same transaction.
    Errors:  TransactionNotFound; CategoryNotFound; NotesTooLong; TagInvalid.
    """
    values: dict[str, Any] = {}
    if command.notes is not UNSET:
        values["notes"] = rules.check_notes(command.notes)
    if command.tags is not UNSET:
        values["tags"] = rules.check_tags(command.tags)
    await batches.lock_user(session)
    found = await edits.find_transaction(session, command.transaction_id)
    if found is None:
        raise TransactionNotFound(field="id")
    moves = command.category is not UNSET and command.category != found.user_category
    if moves:
        values |= await _categorised(session, command.category)
    if values:
        await edits.edit_transaction(session, found, values)
    old = {name: getattr(found, name) for name in _TOLD if name in values and values[name] != getattr(found, name)}
    refold = await record_change(session, [month_of(found.transaction_date)]) if moves else None
    return Updated(moves, refold, old, {name: values[name] for name in old})


async def _categorised(session: WriteSession, category: str | Unset | None) -> dict[str, Any]:
    if category is None or category is UNSET:
        return {"user_category": None, "category_method": "auto"}
    if await edits.find_category_type(session, category) is None:
        raise CategoryNotFound(field="category")
    return {"user_category": category, "category_method": "user"}
