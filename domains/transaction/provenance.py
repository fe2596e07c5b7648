"""Who set which field of a transaction, as `transactions.provenance` keeps it. Pure.

What is not in it is as a rule: the bank set what a bank says, categorisation set the category. An entry of a field is

    {"by": "user", "at": "2026-03-10T09:00:00Z", "was": "SQ *BLUE BOTTLE"}      the user set it; the bank would say `was` by now
    {"by": "user", "at": ..., "was": ..., "locked": true}                       the bank set it, and the user keeps it so
    {"by": "model"}                                                             of a category: what is known of the merchant set it
    {"by": "user", ..., "locked": true, "set_by": "model"}                      the same, kept by the user

`user_category`, `notes` and `tags` are the user's alone: their entries say when. `row` says that the whole row is the user's: the bank
has taken it back, and they keep it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

#: Fields that the bank says and a user may set or lock; of a category what is locked is the automatic one.
TEXTS: Final = ("merchant_name", "description")
LOCKABLE: Final = (*TEXTS, "category")
ROW: Final = "row"

Provenance = Mapping[str, Any]


def is_users(provenance: Provenance, field: str) -> bool:
    """Whether the user set or locked it: then no bank overwrites it."""
    return bool(provenance.get(field, {}).get("by") == "user")


def locked_fields(provenance: Provenance) -> list[str]:
    """Those of the bank's fields that no bank overwrites."""
    return [field for field in LOCKABLE if is_users(provenance, field)]


def set_text(provenance: Provenance, field: str, present: str | None, at: datetime) -> dict[str, Any]:
    """The user sets a text that the bank says."""
    before = provenance.get(field, {})
    was = before["was"] if is_users(provenance, field) else present
    return {**provenance, field: {"by": "user", "at": _instant(at), "was": was}}


def lock(provenance: Provenance, field: str, present: str | None, at: datetime) -> dict[str, Any]:
    """The user keeps what a field says. What they have set is kept already."""
    if is_users(provenance, field):
        return dict(provenance)
    entry = {"by": "user", "at": _instant(at), "locked": True}
    before = provenance.get(field)
    return {**provenance, field: entry | ({"was": present} if field in TEXTS else {"set_by": before["by"]} if before else {})}


def give_back(provenance: Provenance, field: str) -> tuple[dict[str, Any], dict[str, str | None]]:
    """The bank says the field again: what is left, and what the bank says by now, by column, where the user had another word."""
    if not is_users(provenance, field):
        return dict(provenance), {}
    entry = provenance[field]
    left = {name: each for name, each in provenance.items() if name != field}
    if "set_by" in entry:
        left[field] = {"by": entry["set_by"]}
    return left, {field: provenance[field]["was"]} if field in TEXTS else {}


def mark(provenance: Provenance, field: str, at: datetime | None) -> dict[str, Any]:
    """The user has said something of what is theirs alone; None: they have taken it back."""
    left = {name: entry for name, entry in provenance.items() if name != field}
    return left if at is None else {**left, field: {"by": "user", "at": _instant(at)}}


def _instant(at: datetime) -> str:
    return at.isoformat()
