"""What the owner says of a posted row that may be a pending one that grew, and of a row that the bank has taken back."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

import orjson

from db.engines import WriteSession
from db.transaction.queries import batches, deleted, edits, reconciling
from db.transaction.queries.reconciling import Place
from db.transaction.queries.reviews import Review
from domains.transaction import provenance as origin
from domains.transaction.errors import ReviewNotFound
from domains.transaction.service.apply_batch import month_of, pair_again
from domains.transaction.service.delete_transaction import bury
from domains.transaction.service.touched import Touched

#: What a user says of a transaction; of two that become one the first one's word counts.
_USERS: Final = ("user_category", "notes", "tags")


async def decide_posting(session: WriteSession, review: Review, _at: datetime, *, accept: bool) -> set[date]:
    """Accepted, what posted goes on as the pending one did: with its id and what its owner said of it. Rejected, both stay what they are.

    Errors: ReviewNotFound, when one of the two is gone, or posted otherwise by now.
    """
    if not accept:
        return set()
    pending_place = await deleted.find_place(session, review.transaction_id)
    posted_place = None if review.other_id is None else await deleted.find_place(session, review.other_id)
    if pending_place is None or posted_place is None:
        raise ReviewNotFound(field="id")
    pending = await reconciling.find_whole(session, pending_place)
    posted = await reconciling.find_whole(session, posted_place)
    if pending is None or posted is None or pending["status"] == "posted":
        raise ReviewNotFound(field="id")
    await _merge(session, pending, posted)
    await reconciling.withdraw_reviews(session, [pending["id"], posted["id"]])
    touched, days = Touched(), (pending["transaction_date"], posted["transaction_date"])
    touched.note_gone(posted["id"], posted["account_id"], days[1])
    touched.note_changed(pending["id"], pending["account_id"], *days)
    return {month_of(day) for day in days} | await pair_again(session, touched)


async def decide_removal(session: WriteSession, review: Review, at: datetime, *, accept: bool) -> set[date]:
    """Accepted, the row goes into the bin. Rejected, it is its owner's from now on: booked, and no bank takes it back.

    Errors: ReviewNotFound, when it is gone.
    """
    place = await deleted.find_place(session, review.transaction_id)
    if place is None:
        raise ReviewNotFound(field="id")
    if accept:
        [row] = await reconciling.find_stored(session, [place])
        return await bury(session, row, at)
    found = await edits.find_transaction(session, place.id)
    whole = await reconciling.find_whole(session, place)
    if found is None or whole is None:
        raise ReviewNotFound(field="id")
    await edits.edit_transaction(session, found, {"status": "posted", "provenance": origin.mark(found.provenance, origin.ROW, at)})
    if whole["status"] == "posted":
        return set()
    touched = Touched()
    touched.note_added(place.id, whole["account_id"], place.transaction_date)
    return {month_of(place.transaction_date)} | await pair_again(session, touched)


async def _merge(session: WriteSession, pending: Mapping[str, Any], posted: Mapping[str, Any]) -> None:
    place = Place(pending["id"], posted["transaction_date"])
    mark = await deleted.fingerprint_of(session, posted["id"])
    await reconciling.delete_rows(session, [Place(posted["id"], posted["transaction_date"])])
    row = _said(posted) | {"id": place.id, "old_date": pending["transaction_date"], "fingerprint": mark}
    if row["old_date"] != row["transaction_date"]:
        await batches.move_transactions(session, [row])
        await reconciling.move_names(session, [place])
    await reconciling.age_names(session, [place.id])
    await reconciling.hand_over_names(session, posted["id"], place)
    await batches.change_transactions(session, [row])
    found = await edits.find_transaction(session, place.id)
    values = {} if found is None else _of_both(pending, posted, found.provenance)
    if found is not None and values:
        await edits.edit_transaction(session, found, values)


def _said(posted: Mapping[str, Any]) -> dict[str, Any]:
    """What the bank said of a row, as `change_transactions` takes it: without its owner's words."""
    marks = posted["provenance"]
    banks = {name: marks[name]["was"] for name in origin.TEXTS if origin.is_users(marks, name)}
    model = {"category": marks["category"]} if "category" in marks and not origin.is_users(marks, "category") else {}
    meta = posted["payment_meta"]
    texts = {"provenance": orjson.dumps(model).decode(), "payment_meta": None if meta is None else orjson.dumps(meta).decode()}
    return {**posted, **banks, **texts}


def _of_both(pending: Mapping[str, Any], posted: Mapping[str, Any], marks: Mapping[str, Any]) -> dict[str, Any]:
    """What the owner said of the posted one alone."""
    values = {name: posted[name] for name in _USERS if posted[name] and not pending[name]}
    if "user_category" in values:
        values["category_method"] = "user"
    taken = [
        *values,
        *(name for name in origin.LOCKABLE if origin.is_users(posted["provenance"], name) and not origin.is_users(marks, name)),
    ]
    theirs = {name: posted["provenance"][name] for name in taken if name in posted["provenance"]}
    values |= {name: posted[name] for name in origin.TEXTS if name in theirs}
    return values | {"provenance": {**marks, **theirs}} if theirs else values
