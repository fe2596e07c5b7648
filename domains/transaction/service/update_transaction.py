"""A user's own word on a transaction: its category, notes and tags, and what the bank says otherwise. No sync overwrites it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from db.engines import WriteSession
from db.jobs import Claim
from db.transaction.queries import batches, edits, reconciling
from db.transaction.queries.edits import Found
from domains.core.changes import UNSET, Unset
from domains.transaction import provenance as origin
from domains.transaction import rules
from domains.transaction.errors import CategoryNotFound, TransactionNotFound
from domains.transaction.service.apply_batch import month_of, record_change

#: What a change is told by, before and after.
_TOLD: Final = ("user_category", "notes", "tags", "merchant_name", "description")
LOCKED: Final = "locked_fields"


@dataclass(frozen=True, slots=True)
class UpdateTransaction:
    """What to change; what is UNSET stays. A category of None gives the row back to automatic categorisation.

    merchant_name, description: None gives them back to the bank. lock: fields that the bank changes no more. unlock: fields that it says
    again, whoever set them; before the rest is done.
    """

    transaction_id: UUID
    category: str | Unset | None = UNSET
    notes: str | Unset | None = UNSET
    tags: Sequence[str] | Unset = UNSET
    merchant_name: str | Unset | None = UNSET
    description: str | Unset | None = UNSET
    lock: Sequence[str] = ()
    unlock: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Updated:
    """Whether sums may have moved, and the budgets' refold if the caller holds it; `old` and `new`: what this call has changed."""

    moves_sums: bool
    refold: Claim | None
    old: dict[str, Any]
    new: dict[str, Any]


async def update_transaction(session: WriteSession, command: UpdateTransaction, at: datetime) -> Updated:
    """Apply the change, at an instant.

    Effects: when the category changed, the month is refolded and the budgets' refold queued in the same transaction.
    Errors:  TransactionNotFound; CategoryNotFound; NotesTooLong; TagInvalid;
             MerchantNameInvalid; DescriptionInvalid.
    """
    said = _checked(command)
    await batches.lock_user(session)
    found = await edits.find_transaction(session, command.transaction_id)
    if found is None:
        raise TransactionNotFound(field="id")
    values, marks = _texts(found, said, command, at)
    category = None if command.category is UNSET and "category" in command.unlock else command.category
    moves = category is not UNSET and category != found.user_category
    if moves:
        values |= await _categorised(session, category)
    for name in ("user_category", "notes", "tags"):
        if name in values and values[name] != getattr(found, name):
            marks = origin.mark(marks, name, at if values[name] else None)
    if marks != found.provenance:
        values["provenance"] = marks
    if values:
        await edits.edit_transaction(session, found, values)
    if "category" in command.unlock and origin.is_users(found.provenance, "category"):
        await reconciling.forget_fingerprints(session, [found.id])  # the bank's next listing says it, changed or not
    old, new = _told(found, values, marks)
    refold = await record_change(session, [month_of(found.transaction_date)]) if moves else None
    return Updated(moves, refold, old, new)


def _checked(command: UpdateTransaction) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if command.notes is not UNSET:
        said["notes"] = rules.check_notes(command.notes)
    if command.tags is not UNSET:
        said["tags"] = rules.check_tags(command.tags)
    if command.merchant_name is not UNSET:
        said["merchant_name"] = rules.check_merchant_name(command.merchant_name)
    if command.description is not UNSET:
        said["description"] = rules.check_description(command.description)
    return said


def _texts(found: Found, said: dict[str, Any], command: UpdateTransaction, at: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values by column, and the provenance that goes with them."""
    values: dict[str, Any] = {}
    marks: dict[str, Any] = dict(found.provenance)
    given_back = [*command.unlock, *(name for name in origin.TEXTS if name in said and said[name] is None)]
    for field in dict.fromkeys(given_back):
        marks, back = origin.give_back(marks, field)
        values |= back
    for field in origin.TEXTS:
        if said.get(field) is not None:
            marks = origin.set_text(marks, field, values.get(field, getattr(found, field)), at)
            values[field] = said[field]
    for field in command.lock:
        marks = origin.lock(marks, field, values.get(field, getattr(found, field)), at)
    return values | {name: said[name] for name in ("notes", "tags") if name in said}, marks


async def _categorised(session: WriteSession, category: str | Unset | None) -> dict[str, Any]:
    if category is None or category is UNSET:
        return {"user_category": None, "category_method": "auto"}
    if await edits.find_category_type(session, category) is None:
        raise CategoryNotFound(field="category")
    return {"user_category": category, "category_method": "user"}


def _told(found: Found, values: dict[str, Any], marks: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    old: dict[str, Any] = {name: getattr(found, name) for name in _TOLD if name in values and values[name] != getattr(found, name)}
    new: dict[str, Any] = {name: values[name] for name in old}
    before, after = origin.locked_fields(found.provenance), origin.locked_fields(marks)
    return (old, new) if before == after else (old | {LOCKED: before}, new | {LOCKED: after})
