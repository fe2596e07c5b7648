"""Every sum counts the same transactions: held against a sum made by hand, over rows of every status, paired, doubled and moved about."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.engines import Db, Viewer
from db.statements import owned
from db.transaction.models import monthly_category_summary
from db.transaction.queries import batches, comparing, folds, pairs
from tests.conftest import MakeUser
from tests.domains.flows.rows import row

APRIL_28, MAY_1, JUNE_1 = date(2026, 4, 28), date(2026, 5, 1), date(2026, 6, 1)
FOOD, COFFEE = "FOOD_AND_DRINK", "FOOD_AND_DRINK_COFFEE"
#: A transfer by its category, at the top; one that is so among payments of loans; none at all.
CATEGORIES = (FOOD, COFFEE, "TRANSFER_OUT", "LOAN_PAYMENTS_CREDIT_CARD_PAYMENT", None)
IS_TRANSFER = {"TRANSFER_OUT", "LOAN_PAYMENTS_CREDIT_CARD_PAYMENT"}

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "transaction_date": st.integers(0, 40).map(lambda days: APRIL_28 + timedelta(days=days)),
            "amount": st.sampled_from([Decimal("4.50"), Decimal("10"), Decimal("0.0001")]),
            "direction": st.sampled_from(["debit", "credit"]),
            "currency": st.sampled_from(["USD", "JPY"]),
            "category": st.sampled_from(CATEGORIES),
            "status": st.sampled_from(["posted", "posted", "pending", "cancelled"]),
            "is_duplicate": st.booleans(),
            "is_paired": st.booleans(),
        }
    ),
    max_size=25,
)


def counts(each: dict[str, Any], *statuses: str) -> bool:
    """By hand: booked, or announced where that is asked for; no duplicate, no end of a transfer, nothing that only moves."""
    return each["status"] in statuses and not each["is_duplicate"] and not each["is_paired"] and each["category"] not in IS_TRANSFER


async def store(db: Db, viewer: Viewer, given_rows: list[dict[str, Any]]) -> None:
    made = [row(MAY_1, "1") | {name: said for name, said in each.items() if not name.startswith("is_")} for each in given_rows]
    async with db.write("transaction", viewer) as session:
        await batches.ensure_partitions(session, [2026])
        if made:
            await batches.add_transactions(session, made)
        marks = [(stored["id"], stored["transaction_date"], uuid4()) for stored in made]
        for mark, name in ((pairs.mark_duplicates, "is_duplicate"), (pairs.mark_transfers, "is_paired")):
            await mark(session, [each for each, said in zip(marks, given_rows, strict=True) if said[name]])
        await folds.refold_months(session, sorted({each["transaction_date"].replace(day=1) for each in given_rows} | {MAY_1}))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
async def test_months_and_windows_are_the_sums_of_what_counts(db: Db, make_user: MakeUser, rows: list[dict[str, Any]]) -> None:
    viewer = await make_user()

    await store(db, viewer, rows)

    assert await months(db, viewer) == by_hand(rows)
    assert await window(db, viewer) == window_by_hand(rows)
    async with db.write("transaction", viewer) as session:
        assert await comparing.own_unlike_months(session) == []


def by_hand(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], tuple[Decimal, int]]:
    sums: dict[tuple[Any, ...], list[Decimal]] = defaultdict(list)
    for each in rows:
        if counts(each, "posted"):
            sums[each["transaction_date"].replace(day=1), each["category"], each["direction"], each["currency"]].append(each["amount"])
    return {key: (sum(amounts, Decimal(0)), len(amounts)) for key, amounts in sums.items()}


async def months(db: Db, viewer: Viewer) -> dict[tuple[Any, ...], tuple[Decimal, int]]:
    summary = monthly_category_summary.c
    columns = (summary.month, summary.category, summary.direction, summary.currency, summary.total_amount, summary.transaction_count)
    async with db.write("transaction", viewer) as session:
        found = await session.run(select(*columns).where(owned(monthly_category_summary)))
        return {tuple(each)[:4]: (each.total_amount, each.transaction_count) for each in found}


def window_by_hand(rows: list[dict[str, Any]]) -> dict[str, tuple[Decimal, Decimal, int]]:
    """May, food with what is under it: spent, announced, of how many."""
    sums: dict[str, list[Any]] = {}
    for each in rows:
        if counts(each, "posted", "pending") and MAY_1 <= each["transaction_date"] < JUNE_1 and each["category"] in (FOOD, COFFEE):
            spent, pending, count = sums.get(each["currency"], (Decimal(0), Decimal(0), 0))
            signed = each["amount"] if each["direction"] == "debit" else -each["amount"]
            is_posted = each["status"] == "posted"
            sums[each["currency"]] = [spent + signed * is_posted, pending + signed * (not is_posted), count + 1]
    return {currency: (spent, pending, count) for currency, (spent, pending, count) in sums.items()}


async def window(db: Db, viewer: Viewer) -> dict[str, tuple[Decimal, Decimal, int]]:
    async with db.read("transaction", viewer) as read:
        found = await read.rows(folds.sums_by_window(), windows=[1], roots=[FOOD], firsts=[MAY_1], ends=[JUNE_1])
    return {each.currency: (each.spent, each.pending, each.transactions) for each in found}
