"""What pairing transfers and pairing duplicates have in common: which days are looked at, and reviews that equal what was found."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, TypeGuard
from uuid import UUID

from db.engines import WriteSession
from db.transaction.queries import pairs as queries
from db.transaction.queries.pairs import APPLIED, LIVE, SUGGESTED, FoundPair, Side
from domains.transaction.pairing import Pair

#: From a day until before another.
Window = tuple[date, date]


def windows(days: Iterable[date], apart: int) -> list[Window]:
    """The days with as many around them, as half-open ranges of which none touches another."""
    merged: list[Window] = []
    for day in sorted(days):
        first, end = day - timedelta(days=apart), day + timedelta(days=apart + 1)
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((first, end))
    return merged


def months_of(days: Iterable[date]) -> set[date]:
    return {day.replace(day=1) for day in days}


async def store_pairs(
    session: WriteSession,
    kind: str,
    found: Sequence[Pair],
    days: Mapping[UUID, date],
    known: Sequence[FoundPair],
    concerned: Collection[UUID],
) -> list[queries.Joined]:
    """Make reviews equal to what was found; answers the pairs that are applied from now on.

    known: pairs of the rows in question. concerned: rows that were looked at; what is suggested of them and was not found is forgotten.
    """
    before = {(pair.transaction_id, pair.other_id): pair for pair in known}
    wanted = {pair[:2] for pair in found}
    stale = [pair for key, pair in before.items() if pair.state == SUGGESTED and key not in wanted and not _is_apart(key, concerned)]
    if stale:
        await queries.drop_pairs(session, [pair.id for pair in stale])
    rows = [_row(pair, days) for pair in found if _is_news(pair, before.get(pair[:2]))]
    if not rows:
        return []
    return [pair for pair in await queries.record_pairs(session, kind, rows) if pair.state == APPLIED]


def is_live(side: Side | None) -> TypeGuard[Side]:
    """Whether it is there and counts as a movement of its own."""
    return side is not None and side.status in LIVE and not side.is_duplicate


def _is_apart(key: tuple[UUID, UUID], concerned: Collection[UUID]) -> bool:
    return key[0] not in concerned and key[1] not in concerned


def _is_news(pair: Pair, before: FoundPair | None) -> bool:
    is_same = before is not None and (before.score, tuple(before.reasons)) == (pair.score, pair.reasons)
    return not is_same or pair.is_certain


def _row(pair: Pair, days: Mapping[UUID, date]) -> dict[str, Any]:
    return {
        "transaction_id": pair.transaction_id,
        "transaction_date": days[pair.transaction_id],
        "other_id": pair.other_id,
        "other_date": days[pair.other_id],
        "state": APPLIED if pair.is_certain else SUGGESTED,
        "decided_by": "auto" if pair.is_certain else None,
        "score": pair.score,
        "reasons": list(pair.reasons),
    }
