"""A user says what is to become of what is in doubt. What each kind does when it is decided stands in `HANDLERS`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol
from uuid import UUID

from db.engines import WriteSession
from db.jobs import Claim
from db.transaction.queries import batches
from db.transaction.queries import reviews as queries
from db.transaction.queries.reviews import Review
from domains.transaction.errors import ReviewDecided, ReviewNotFound
from domains.transaction.service.apply_batch import record_change
from domains.transaction.service.decide_posting import decide_posting, decide_removal
from domains.transaction.service.pair_transactions import decide_duplicate, decide_transfer

SUGGESTED, APPLIED, REJECTED = "suggested", "applied", "rejected"


class Handler(Protocol):
    """Does to the transactions what was decided, under the user's lock; answers the first days of the months that it has changed.

    Errors: ReviewNotFound, when what it was about is there no more.
    """

    async def __call__(self, session: WriteSession, review: Review, at: datetime, /, *, accept: bool) -> set[date]: ...


#: By kind: what deciding does.
HANDLERS: Final[dict[str, Handler]] = {
    "posting": decide_posting,
    "removal": decide_removal,
    "transfer": decide_transfer,
    "duplicate": decide_duplicate,
}
#: Kinds that may be decided again, the other way: also what was decided without asking.
REVERSIBLE: Final = {"transfer", "duplicate"}


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided; `is_new`: by this call. moves_sums, refold: as of every change of transactions."""

    review: Review
    is_new: bool
    moves_sums: bool = False
    refold: Claim | None = None


async def decide_review(
    session: WriteSession, review_id: UUID, at: datetime, *, accept: bool, handlers: Mapping[str, Handler] = HANDLERS
) -> Decided:
    """Decide. The same answer again changes nothing.

    Effects: as of the handler; when sums move, one version of the ledger and the budgets' refold in the same transaction.
    Errors:  ReviewNotFound; ReviewDecided.
    """
    await batches.lock_user(session)
    review = await queries.lock_review(session, review_id)
    if review is None:
        raise ReviewNotFound(field="id")
    state = APPLIED if accept else REJECTED
    if review.state == state:
        return Decided(review, is_new=False)
    if review.state != SUGGESTED and review.kind not in REVERSIBLE:
        raise ReviewDecided(field="accept")
    await queries.decide_review(session, review.id, state, at)
    months = await handlers[review.kind](session, review, at, accept=accept)
    refold = await record_change(session, months) if months else None
    return Decided(review, is_new=True, moves_sums=bool(months), refold=refold)
