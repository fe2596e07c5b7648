"""A user's categories: how the default ones look to them, and their own.

All of it happens under the user's lock, the one that whoever changes transactions holds: a category cannot go while something is put in it.
"""

from dataclasses import asdict, dataclass
from typing import Any

from db import idempotency
from db.engines import WriteSession
from db.jobs import Claim
from db.transaction.queries import batches, category_changes
from db.transaction.queries.category_changes import LOOKS, FoundCategory
from domains.core.changes import UNSET, Unset
from domains.core.ids import new_id
from domains.transaction import rules
from domains.transaction.errors import (
    CategoryHasBudget,
    CategoryHasChildren,
    CategoryLimitReached,
    CategoryNameInvalid,
    CategoryNotFound,
    CategoryNotOwn,
    CategoryParentInvalid,
    CategoryTypeInvalid,
)
from domains.transaction.service.apply_batch import record_change

OWN_AT_MOST = 200
CREATE = "categoryCreate"
#: What is between two categories at the top, so that their children stand between them.
TOP_STEP = 100


@dataclass(frozen=True, slots=True)
class CreateCategory:
    """A category of the user's own: under a parent, whose type it has, or at the top with a type."""

    display_name: str
    parent: str | None = None
    type: str | None = None
    icon: str | None = None
    color: str | None = None


@dataclass(frozen=True, slots=True)
class UpdateCategory:
    """What to change; what is UNSET stays. Of a default category None gives its own look back; parent and place are of own ones only."""

    category_id: str
    display_name: str | Unset | None = UNSET
    icon: str | Unset | None = UNSET
    color: str | Unset | None = UNSET
    is_hidden: bool | Unset = UNSET
    parent: str | Unset | None = UNSET
    sort_order: int | Unset = UNSET


@dataclass(frozen=True, slots=True)
class DeleteCategory:
    """`move_to` is where its transactions go; None: each back to its automatic category."""

    category_id: str
    move_to: str | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """Whether sums may have moved, and the budgets' refold if the caller holds it."""

    moves_sums: bool = False
    refold: Claim | None = None


async def create_category(session: WriteSession, command: CreateCategory, idempotency_key: str) -> str:
    """Make the category once per idempotency key; answers its id. It stands last among those beside it.

    Errors: CategoryNameInvalid, CategoryNameTaken, CategoryLooksInvalid, CategoryParentInvalid, CategoryTypeInvalid; CategoryLimitReached;
            KeyReused.
    """
    name = rules.check_category_name(command.display_name)
    rules.check_category_looks(command.color, command.icon)
    answer = await idempotency.replay(session, CREATE, idempotency_key, idempotency.fingerprint(command))
    if answer is not None:
        return str(answer["id"])
    await batches.lock_user(session)
    if await category_changes.count_own(session) >= OWN_AT_MOST:
        raise CategoryLimitReached
    parent = None if command.parent is None else await _parent(session, command.parent)
    kind = _type_under(parent, command.type)
    place = await _free_place(session, name, parent)
    category_id = new_id()
    looks = {"display_name": name, "icon": command.icon, "color": command.color}
    await category_changes.add_own(session, category_id, {**looks, "parent_id": command.parent, "type": kind, "sort_order": place})
    await idempotency.record(session, CREATE, idempotency_key, {"id": str(category_id)})
    return str(category_id)


async def update_category(session: WriteSession, command: UpdateCategory) -> Changed:
    """Change what is given.

    Effects: another parent moves what budgets count; their refold is queued in the same transaction.
    Errors:  CategoryNotFound; CategoryNotOwn for what a default category has for everybody; those of create_category.
    """
    given = {name: value for name, value in asdict(command).items() if value is not UNSET and name != "category_id"}
    if given.get("display_name") is not None:
        given["display_name"] = rules.check_category_name(given["display_name"])
    rules.check_category_looks(given.get("color"), given.get("icon"), given.get("sort_order", 0))
    await batches.lock_user(session)
    found = await category_changes.find_category(session, command.category_id)
    if found is None:
        raise CategoryNotFound(field="id")
    if found.is_own:
        return await _change_own(session, found, given)
    await _change_look(session, found, given)
    return Changed()


async def delete_category(session: WriteSession, command: DeleteCategory, kept_by: str | None) -> Changed:
    """Delete a category of the user's own; its transactions, and the sums of months that are gone, go elsewhere in the same transaction.

    kept_by: the name of a budget that is for it, if there is one.
    Effects: the months are refolded, the budgets' refold is queued. Sums of months without transactions, which have no automatic category,
             go to its parent without a `move_to`, and to no category from the top.
    Errors:  CategoryNotFound, also of `move_to`; CategoryNotOwn; CategoryHasChildren; CategoryHasBudget; CategoryTypeInvalid when
             `move_to` is of another type.
    """
    await batches.lock_user(session)
    found = await category_changes.find_category(session, command.category_id)
    if found is None:
        raise CategoryNotFound(field="id")
    if not found.is_own:
        raise CategoryNotOwn(field="id")
    if await category_changes.has_children(session, found.id):
        raise CategoryHasChildren(field="id")
    if kept_by is not None:
        raise CategoryHasBudget(kept_by)
    if command.move_to is not None:
        await _check_target(session, found, command.move_to)
    months = await category_changes.move_transactions_of(session, found.id, command.move_to)
    await category_changes.move_frozen_sums(session, found.id, command.move_to or found.parent_id)
    await category_changes.delete_row(session, found.id)
    return Changed(moves_sums=True, refold=await record_change(session, months))


async def _parent(session: WriteSession, parent_id: str) -> FoundCategory:
    """Errors: CategoryParentInvalid."""
    parent = await category_changes.find_category(session, parent_id)
    if parent is None or parent.parent_id is not None:
        raise CategoryParentInvalid(field="parent")
    return parent


def _type_under(parent: FoundCategory | None, given: str | None) -> str:
    """Errors: CategoryTypeInvalid."""
    kind = given if parent is None else parent.type
    if kind is None or given not in (None, kind):
        raise CategoryTypeInvalid(field="type")
    return kind


async def _free_place(session: WriteSession, name: str, parent: FoundCategory | None, but: str | None = None) -> int:
    """The last place beside the others there, `but` one. Errors: CategoryNameTaken."""
    beside = [each for each in await category_changes.list_siblings(session, None if parent is None else parent.id) if each.id != but]
    rules.check_name_is_free(name, (each.name for each in beside))
    last = max((each.sort_order for each in beside), default=0 if parent is None else parent.sort_order)
    return min(last + (TOP_STEP if parent is None else 1), rules.SORT_ORDER_AT_MOST)


async def _change_own(session: WriteSession, found: FoundCategory, given: dict[str, Any]) -> Changed:
    if "display_name" in given and given["display_name"] is None:
        raise CategoryNameInvalid(field="displayName")
    moves = "parent" in given and given["parent"] != found.parent_id
    if moves or "display_name" in given:
        place = await _new_place(session, found, given)
        if moves:
            given.setdefault("sort_order", place)
    values = {"parent_id" if name == "parent" else name: value for name, value in given.items()}
    if values:
        await category_changes.change_own(session, found.id, values)
    if not moves:
        return Changed()
    return Changed(moves_sums=True, refold=await record_change(session, ()))


async def _new_place(session: WriteSession, found: FoundCategory, given: dict[str, Any]) -> int:
    """Check the name where the category will be. Errors: CategoryNameTaken, CategoryParentInvalid, CategoryTypeInvalid."""
    parent_id = given.get("parent", found.parent_id)
    parent = None if parent_id is None else await _parent(session, parent_id)
    if parent is not None and parent_id != found.parent_id:
        if parent.id == found.id or await category_changes.has_children(session, found.id):
            raise CategoryParentInvalid(field="parent")
        if parent.type != found.type:
            raise CategoryTypeInvalid(field="parent")
    return await _free_place(session, given.get("display_name") or found.display_name or "", parent, but=found.id)


async def _change_look(session: WriteSession, found: FoundCategory, given: dict[str, Any]) -> None:
    """Another look for a default category; without any difference left, none of our concern."""
    for name in ("parent", "sort_order"):
        if name in given:
            raise CategoryNotOwn(field="sortOrder" if name == "sort_order" else name)
    if "display_name" in given:
        name = given["display_name"] or found.default_name or ""
        beside = await category_changes.list_siblings(session, found.parent_id)
        rules.check_name_is_free(name, (each.name for each in beside if each.id != found.id))
    looks = {name: given.get(name, getattr(found, name)) for name in LOOKS}
    if any(value not in (None, False) for value in looks.values()):
        await category_changes.store_override(session, found.id, looks)
    else:
        await category_changes.delete_row(session, found.id)


async def _check_target(session: WriteSession, found: FoundCategory, move_to: str) -> None:
    """Errors: CategoryNotFound; CategoryTypeInvalid."""
    target = await category_changes.find_category(session, move_to)
    if target is None or target.id == found.id:
        raise CategoryNotFound(field="moveTo")
    if target.type != found.type:
        raise CategoryTypeInvalid(field="moveTo")
