"""The door for whoever looks for transactions that recur: what was found is stored, and its transactions say so."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from db.engines import WriteSession
from db.transaction.queries import batches, series
from domains.core import currencies, money
from domains.core.ids import new_id

FREQUENCIES = ("weekly", "biweekly", "monthly", "quarterly", "yearly")
KEY_AT_MOST = 255


class PatternInvalid(ValueError):
    """A pattern contradicts itself: a mistake of whoever looked for it. The message names what."""


@dataclass(frozen=True, slots=True)
class FoundPattern:
    """A series of like transactions. `group_key` names it among the user's, the same in every run; amounts are in `currency`."""

    group_key: str
    merchant_name: str | None
    amount_min: Decimal
    amount_max: Decimal
    currency: str
    frequency: str
    last_transaction_date: date
    next_expected_date: date
    confidence: Decimal | None = None
    transaction_ids: Sequence[UUID] = field(default=())


async def record_patterns(session: WriteSession, patterns: Sequence[FoundPattern]) -> dict[str, UUID]:
    """Store the patterns, one per group key, and mark exactly their transactions as recurring; answers their ids by group key.

    Effects: one found before keeps its id. No sum moves. Ids of transactions that are not the viewer's mark nothing.
    Errors:  PatternInvalid, before anything is written.
    """
    by_key = {each.group_key: each for each in patterns}
    for pattern in patterns:
        _check(pattern)
    if len(by_key) != len(patterns):
        raise PatternInvalid("two patterns have one group_key")
    if not patterns:
        return {}
    await batches.lock_user(session)
    ids = await series.record_patterns(session, [_row(each) for each in patterns])
    members = [(member, ids[each.group_key]) for each in patterns for member in each.transaction_ids]
    await series.mark_series(session, list(ids.values()), members)
    return ids


def _row(pattern: FoundPattern) -> dict[str, object]:
    values = asdict(pattern)
    members = values.pop("transaction_ids")
    return {**values, "id": new_id(), "transaction_count": len(set(members))}


def _check(pattern: FoundPattern) -> None:
    """Errors: PatternInvalid."""
    if not 1 <= len(pattern.group_key) <= KEY_AT_MOST:
        raise PatternInvalid("group_key")
    if not (money.fits(pattern.amount_min) and money.fits(pattern.amount_max) and 0 <= pattern.amount_min <= pattern.amount_max):
        raise PatternInvalid("amount_max")
    if not currencies.is_known(pattern.currency):
        raise PatternInvalid("currency")
    if pattern.frequency not in FREQUENCIES:
        raise PatternInvalid("frequency")
    if pattern.next_expected_date <= pattern.last_transaction_date:
        raise PatternInvalid("next_expected_date")
    if pattern.confidence is not None and not 0 <= pattern.confidence <= 1:
        raise PatternInvalid("confidence")
