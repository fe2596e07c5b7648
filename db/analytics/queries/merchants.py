"""What users say of merchants, and what is folded from it for everybody.

A user's votes are theirs alone. The shared row of a merchant is written here by the system, from at least `AGREEING_AT_LEAST` votes that
agree, and follows them. One fold at a time: it takes a lock before it reads, or an older count could overwrite a newer one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Integer,
    Numeric,
    Select,
    String,
    all_,
    and_,
    bindparam,
    cast,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from db.analytics.models import AGREEING_AT_LEAST, merchant_categories, merchant_category_votes
from db.engines import SystemSession, WriteSession
from db.statements import as_arrays, compiled, given_rows, is_one_of, owned

USER = "user"
#: How sure a user's own word makes an import for them.
OWN_CONFIDENCE = "1.00"


class Vote(NamedTuple):
    """What a user says of a merchant. `category` is a primary; `category_detailed` a finer one, or None."""

    merchant_name: str
    category: str
    category_detailed: str | None


@compiled
def known_merchants() -> Select[Any]:
    """What the viewer says of the merchants with these normalised names, else what is known of them in general."""
    votes, rows = merchant_category_votes, merchant_categories
    own = and_(votes.c.merchant_name == rows.c.merchant_name, owned(votes), votes.c.category.is_not(None))
    voted = select(literal(1)).where(own).exists()
    names = ("merchant_name", "category", "category_detailed")
    said = select(*(votes.c[name] for name in names), cast(literal_column(f"'{OWN_CONFIDENCE}'"), Numeric(3, 2)).label("confidence"))
    mine = said.where(owned(votes), votes.c.category.is_not(None), is_one_of(votes.c.merchant_name))
    general = select(*(rows.c[name] for name in names), rows.c.confidence).where(is_one_of(rows.c.merchant_name), ~voted)
    return select(mine.union_all(general).subquery())


_VOTED: dict[str, Any] = {"merchant_name": String, "category": String, "category_detailed": String}


async def replace_votes(session: WriteSession, votes: Sequence[Vote]) -> None:
    """Make these the viewer's votes: what is not among them is withdrawn, what stays as it is stays untouched."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"votes:{session.viewer.user_id}", 0))))
    rows = merchant_category_votes
    values = as_arrays((vote._asdict() for vote in votes), _VOTED)
    gone = and_(rows.c.category.is_not(None), rows.c.merchant_name != all_(bindparam("merchant_name_s", type_=ARRAY(String))))
    withdrawn = update(rows).where(owned(rows), gone)
    await session.run(
        withdrawn.values(category=None, category_detailed=None, is_counted=False, voted_at=func.now()),
        merchant_name_s=values["merchant_name_s"],
    )
    given = given_rows(_VOTED)
    taken = select(literal(session.viewer.user_id), *(given.c[name] for name in _VOTED)).order_by(given.c.merchant_name)
    row = upsert(rows).from_select(["user_id", *_VOTED], taken)
    differs = or_(
        rows.c.category.is_distinct_from(row.excluded.category), rows.c.category_detailed.is_distinct_from(row.excluded.category_detailed)
    )
    kept = {name: row.excluded[name] for name in ("category", "category_detailed")}
    stored = row.on_conflict_do_update(
        index_elements=["user_id", "merchant_name"], set_={**kept, "is_counted": False, "voted_at": func.now()}, where=differs
    )
    await session.run(stored, **values)


async def count_votes(session: SystemSession, user_id: UUID) -> None:
    """Make the shared rows of the merchants of which this user has newly said, or taken back, something equal to all votes."""
    await _take_turn(session)
    rows = merchant_category_votes
    new = select(rows.c.merchant_name).where(rows.c.user_id == user_id, ~rows.c.is_counted).order_by(rows.c.merchant_name)
    # locked: a vote that changes between count and mark would be marked uncounted
    names = list((await session.execute(new.with_for_update())).scalars())
    if not names:
        return
    await _fold(session, names)
    mine = and_(rows.c.user_id == user_id, is_one_of(rows.c.merchant_name, "names"))
    await session.run(delete(rows).where(mine, rows.c.category.is_(None)), names=names)
    await session.run(update(rows).where(mine, ~rows.c.is_counted).values(is_counted=True), names=names)


async def repair_merchants(session: SystemSession, *, limit: int = 1_000) -> int:
    """Make at most `limit` shared rows that differ from the votes equal to them (a user and their votes may be gone); answers how many."""
    await _take_turn(session)
    rows, agreed = merchant_categories, _agreed(None)
    compared = [(rows.c[name], agreed.c[name]) for name in ("category", "category_detailed", "user_count", "confidence", "last_seen_at")]
    differs = or_(*(stored.is_distinct_from(right) for stored, right in compared), rows.c.categorized_by.is_distinct_from(USER))
    stale = and_(agreed.c.merchant_name.is_(None), rows.c.categorized_by == USER)
    both = rows.outerjoin(agreed, rows.c.merchant_name == agreed.c.merchant_name, full=True)
    name = func.coalesce(rows.c.merchant_name, agreed.c.merchant_name)
    found = select(name).select_from(both).where(or_(stale, and_(agreed.c.merchant_name.is_not(None), differs)))
    names = list((await session.execute(found.limit(limit))).scalars())
    if names:
        await _fold(session, names)
    return len(names)


async def _take_turn(session: SystemSession) -> None:
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("analytics.merchants", 0))))


async def _fold(session: SystemSession, names: Sequence[str]) -> None:
    """Write what enough users agree on, and take away what they do no longer. What a model or a rule says stays where no users do."""
    rows, agreed = merchant_categories, _agreed(is_one_of(merchant_category_votes.c.merchant_name, "names"))
    columns = ("merchant_name", "category", "category_detailed", "confidence", "user_count", "last_seen_at")
    row = upsert(rows).from_select([*columns, "categorized_by"], select(*(agreed.c[name] for name in columns), literal(USER)))
    kept = {name: row.excluded[name] for name in (*columns[1:], "categorized_by")}
    await session.run(row.on_conflict_do_update(index_elements=["merchant_name"], set_=kept), names=list(names))
    stands = select(agreed.c.merchant_name).where(agreed.c.merchant_name == rows.c.merchant_name).exists()
    gone = delete(rows).where(is_one_of(rows.c.merchant_name, "names"), rows.c.categorized_by == USER, ~stands)
    await session.run(gone, names=list(names))


def _agreed(condition: ColumnElement[bool] | None) -> CTE:
    """Per merchant what enough users agree on: the primary most of them name, and within it the finer category, if enough name that too.

    user_count:   how many name the primary. confidence: their share of all who say something. Ties go to the first by name.
    """
    votes = merchant_category_votes
    stands = and_(votes.c.category.is_not(None), true() if condition is None else condition)
    users = func.count().label("user_count")
    of_all = func.sum(func.count()).over(partition_by=votes.c.merchant_name).label("of_all")
    by_category = (
        select(votes.c.merchant_name, votes.c.category, users, of_all, func.max(votes.c.voted_at).label("last_seen_at"))
        .where(stands)
        .group_by(votes.c.merchant_name, votes.c.category)
        .subquery()
    )
    named = by_category.c
    most = (
        select(named.merchant_name, named.category, named.user_count, named.of_all, named.last_seen_at)
        .ext(distinct_on(named.merchant_name))
        .where(named.user_count >= AGREEING_AT_LEAST)
        .order_by(named.merchant_name, named.user_count.desc(), named.category)
        .cte("most")
    )
    finer = (
        select(votes.c.merchant_name, votes.c.category, votes.c.category_detailed)
        .ext(distinct_on(votes.c.merchant_name, votes.c.category))
        .where(stands, votes.c.category_detailed.is_not(None))
        .group_by(votes.c.merchant_name, votes.c.category, votes.c.category_detailed)
        .having(func.count() >= AGREEING_AT_LEAST)
        .order_by(votes.c.merchant_name, votes.c.category, func.count().desc(), votes.c.category_detailed)
        .cte("finer")
    )
    same = and_(finer.c.merchant_name == most.c.merchant_name, finer.c.category == most.c.category)
    confidence = func.round(cast(most.c.user_count, Numeric) / most.c.of_all, 2)
    return (
        select(
            most.c.merchant_name,
            most.c.category,
            finer.c.category_detailed,
            cast(most.c.user_count, Integer).label("user_count"),
            confidence.label("confidence"),
            most.c.last_seen_at,
        )
        .select_from(most.outerjoin(finer, same))
        .cte("agreed")
    )
