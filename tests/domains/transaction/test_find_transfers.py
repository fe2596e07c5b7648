"""Transfers as they are stored: found around what changed, parted when it holds no more, and never against their owner's word."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.engines import Db
from db.transaction.queries.rates import EuroRate, store_rates
from domains.transaction.service.store_pairs import windows
from domains.transaction.service.touched import Touched
from tests.conftest import MakeUser
from tests.domains.flows.rows import GROCERIES
from tests.domains.transaction.paired import Ledger, counted_statements

MAY_1, JUNE_1 = date(2026, 5, 1), date(2026, 6, 1)
MAY_30 = date(2026, 5, 30)
FULL = Decimal("1.00")


@pytest.fixture
async def ledger(db: Db, make_user: MakeUser) -> Ledger:
    return Ledger(db, await make_user())


async def test_what_leaves_one_account_and_arrives_on_another_is_paired_whichever_comes_first(ledger: Ledger) -> None:
    credit = await ledger.add(ledger.savings, "+500", JUNE_1)
    alone = await ledger.pair()
    debit = await ledger.add(ledger.checking, "-500", MAY_30)

    months = await ledger.pair()

    assert alone == set()
    assert months == {MAY_1, JUNE_1}
    assert await ledger.paired() == {frozenset({debit, credit})}
    assert await ledger.reviews() == {("transfer", "applied", "auto", debit, credit, Decimal("0.92"))}


async def test_pairing_again_changes_nothing(ledger: Ledger) -> None:
    debit = await ledger.add(ledger.checking, "-500", MAY_1)
    await ledger.add(ledger.savings, "+500", MAY_1)
    await ledger.add(ledger.checking, "-20", MAY_1)
    await ledger.add(ledger.savings, "+20", MAY_1)
    await ledger.add(ledger.card, "+20", MAY_1)
    touched = ledger.touched
    first = await ledger.pair()
    before = await ledger.reviews(), await ledger.transaction(debit)

    with counted_statements() as sent:
        again = await ledger.pair_again(touched)

    assert (first, again) == ({MAY_1}, set())
    assert (await ledger.reviews(), await ledger.transaction(debit)) == before
    assert not [sql for sql in sent if sql.lstrip().lower().startswith(("insert", "update", "delete"))]


async def test_several_candidates_are_suggested_and_when_one_is_left_it_is_taken(ledger: Ledger) -> None:
    debit = await ledger.add(ledger.checking, "-500", MAY_1)
    right, wrong = await ledger.add(ledger.savings, "+500", MAY_1), await ledger.add(ledger.card, "+500", MAY_1)
    months = await ledger.pair()
    suggested = {("transfer", "suggested", None, debit, credit, Decimal("0.90")) for credit in (right, wrong)}

    assert months == set()
    assert await ledger.reviews() == suggested
    assert await ledger.paired() == set()

    await ledger.change(wrong, amount=Decimal("499"))

    assert await ledger.pair() == {MAY_1}
    assert await ledger.reviews() == {("transfer", "applied", "auto", debit, right, FULL)}
    assert await ledger.paired() == {frozenset({debit, right})}


async def test_a_pair_that_was_made_stays_when_another_candidate_turns_up(ledger: Ledger) -> None:
    debit, credit = await ledger.add(ledger.checking, "-500", MAY_1), await ledger.add(ledger.savings, "+500", MAY_1)
    await ledger.pair()
    await ledger.add(ledger.card, "+500", MAY_1)

    assert await ledger.pair() == set()
    assert await ledger.paired() == {frozenset({debit, credit})}


@pytest.mark.parametrize("how", ["amount", "cancelled", "removed", "duplicate"])
async def test_a_pair_parts_when_one_side_is_what_it_was_no_more_and_the_other_counts_again(ledger: Ledger, how: str) -> None:
    debit, credit = await ledger.add(ledger.checking, "-500", MAY_30, status="pending"), await ledger.add(ledger.savings, "+500", JUNE_1)
    await ledger.pair()

    match how:
        case "amount":
            await ledger.change(debit, amount=Decimal("510"))
        case "cancelled":
            await ledger.change(debit, status="cancelled")
        case "duplicate":
            await ledger.change(debit, is_duplicate=True)
        case "removed":
            await ledger.remove(debit)

    assert await ledger.pair() == ({JUNE_1} if how == "removed" else {MAY_1, JUNE_1})
    assert await ledger.paired() == set()
    assert await ledger.reviews() == set()
    assert (await ledger.transaction(credit))["transfer_id"] is None


async def test_what_a_parted_pair_leaves_finds_another(ledger: Ledger) -> None:
    debit, credit = (
        await ledger.add(ledger.checking, "-500", MAY_1, status="pending"),
        await ledger.add(ledger.savings, "+500", MAY_1 + 3 * DAY),
    )
    await ledger.pair()
    await ledger.change(debit, status="cancelled")
    posted = await ledger.add(ledger.checking, "-500", MAY_1 + 6 * DAY)

    await ledger.pair()

    assert await ledger.paired() == {frozenset({posted, credit})}


DAY = timedelta(days=1)


async def test_a_rejected_pair_stays_rejected_and_its_rows_are_only_asked_about(ledger: Ledger) -> None:
    debit = await ledger.add(ledger.checking, "-500", MAY_1)
    one = await ledger.add(ledger.savings, "+500", MAY_1)
    other = await ledger.add(ledger.card, "+500", MAY_1)
    await ledger.pair()
    await ledger.decide(debit, "rejected")
    await ledger.change(debit, notes="not so")
    await ledger.pair()
    third = await ledger.add(uuid(7), "+500", MAY_1)

    assert await ledger.pair() == set()
    rejected = {("transfer", "rejected", "user", debit, credit, Decimal("0.90")) for credit in (one, other)}
    assert await ledger.reviews() == rejected | {("transfer", "suggested", None, debit, third, Decimal("0.80"))}


def uuid(number: int) -> UUID:
    return UUID(int=number)


async def test_what_its_owner_paired_stays_while_both_are_there(ledger: Ledger) -> None:
    debit, credit = await ledger.add(ledger.checking, "-500", MAY_1), await ledger.add(ledger.savings, "+500", MAY_1)
    await ledger.pair()
    await ledger.decide(debit, "applied")
    await ledger.change(debit, amount=Decimal("505"))

    assert await ledger.pair() == set()
    assert await ledger.paired() == {frozenset({debit, credit})}

    await ledger.change(credit, status="cancelled")

    assert await ledger.pair() == {MAY_1}
    assert await ledger.paired() == set()


async def test_a_category_speaks_against_a_pair_when_it_is_sure_or_its_owners(ledger: Ledger) -> None:
    sure = {"category": GROCERIES, "category_confidence": Decimal("0.70")}
    unsure = {"category": GROCERIES, "category_confidence": Decimal("0.69")}
    for amount, changes in (
        ("-10", sure),
        ("-11", unsure),
        ("-12", {"category": "TRANSFER_OUT_SAVINGS", "category_confidence": Decimal(1)}),
    ):
        await ledger.add(ledger.checking, amount, MAY_1, **changes)
        await ledger.add(ledger.savings, f"+{amount[1:]}", MAY_1)
    own = await ledger.add(ledger.checking, "-13", MAY_1)
    await ledger.add(ledger.savings, "+13", MAY_1)
    await ledger.change(own, user_category=GROCERIES)

    await ledger.pair()

    found = {(await ledger.transaction(debit))["amount"]: state for _, state, _, debit, _, _ in await ledger.reviews()}
    assert found == {Decimal(10): "suggested", Decimal(11): "applied", Decimal(12): "applied", Decimal(13): "suggested"}
    assert (await ledger.transaction(own))["user_category"] == GROCERIES


async def test_across_currencies_the_days_rate_decides(ledger: Ledger) -> None:
    async with ledger.db.system("transaction") as session:
        await store_rates(session, [EuroRate("XQA", MAY_1, Decimal("2")), EuroRate("XQB", MAY_1, Decimal("5"))])
    exact = (
        await ledger.add(ledger.checking, "-100", MAY_1 + DAY, currency="XQA"),
        await ledger.add(ledger.savings, "+250", MAY_1, currency="XQB"),
    )
    near = await ledger.add(ledger.checking, "-300", MAY_1, currency="XQA"), await ledger.add(ledger.savings, "+740", MAY_1, currency="XQB")
    await ledger.add(ledger.checking, "-700", MAY_1 + 20 * DAY, currency="XQA")
    await ledger.add(ledger.savings, "+1750", MAY_1 + 20 * DAY, currency="XQB")

    await ledger.pair()

    assert {(state, debit, credit) for _, state, _, debit, credit, _ in await ledger.reviews()} == {
        ("applied", *exact),
        ("suggested", *near),
    }


async def test_nobody_is_paired_with_somebody_else(db: Db, make_user: MakeUser) -> None:
    robin, sam = Ledger(db, await make_user()), Ledger(db, await make_user())
    await robin.add(robin.checking, "-500", MAY_1)
    await sam.add(sam.savings, "+500", MAY_1)

    assert (await robin.pair(), await sam.pair()) == (set(), set())
    assert (await robin.reviews(), await sam.reviews()) == (set(), set())


async def test_a_batch_takes_the_same_statements_whatever_its_size(db: Db, make_user: MakeUser) -> None:
    taken: dict[int, int] = {}
    for size in (1, 40):
        ledger = Ledger(db, await make_user())
        for number in range(size):
            await ledger.add(ledger.checking, f"-{number + 1}", MAY_1 + number * DAY)
            await ledger.add(ledger.savings, f"+{number + 1}", MAY_1 + number * DAY)
        with counted_statements() as sent:
            await ledger.pair()
        taken[size] = len([sql for sql in sent if "set_config" not in sql])
        assert len(await ledger.paired()) == size

    assert taken[1] == taken[40] <= 6


def test_days_that_are_near_each_other_are_looked_at_in_one_range() -> None:
    days = [MAY_1, MAY_1 + 5 * DAY, MAY_1 + 40 * DAY]

    assert windows(days, 2) == [(MAY_1 - 2 * DAY, MAY_1 + 8 * DAY), (MAY_1 + 38 * DAY, MAY_1 + 43 * DAY)]
    assert windows([], 2) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["-5", "+5", "-7", "+7"]), st.integers(0, 12), st.booleans()), min_size=1, max_size=9
    ),
    st.data(),
)
async def test_whatever_comes_and_goes_pairs_are_of_two_that_match_and_marks_are_those_of_reviews(
    db: Db, make_user: MakeUser, rows: list[tuple[int, str, int, bool]], data: st.DataObject
) -> None:
    ledger = Ledger(db, await make_user())
    there: list[UUID] = []
    for account, amount, day, is_batch_end in rows:
        there.append(await ledger.add((ledger.checking, ledger.savings, ledger.card)[account], amount, MAY_1 + day * DAY))
        if is_batch_end:
            await ledger.pair()
            if data.draw(st.booleans()):
                gone = there.pop(data.draw(st.integers(0, len(there) - 1)))
                await ledger.change(gone, status="cancelled")
    await ledger.pair()

    paired, reviews = await ledger.paired(), await ledger.reviews()
    assert paired == {frozenset({debit, credit}) for _, state, _, debit, credit, _ in reviews if state == "applied" and credit is not None}
    assert all(len(pair) == 2 for pair in paired)
    free = set(there) - {end for pair in paired for end in pair}
    assert {end for _, state, _, debit, credit, _ in reviews if state == "suggested" for end in (debit, credit)} <= free
    for debit, credit in ((debit, credit) for _, _, _, debit, credit, _ in reviews if credit is not None):
        one, other = await ledger.transaction(debit), await ledger.transaction(credit)
        assert (one["direction"], other["direction"], one["amount"]) == ("debit", "credit", other["amount"])
        assert one["account_id"] != other["account_id"]
        assert abs((one["transaction_date"] - other["transaction_date"]).days) <= 4


async def test_nothing_touched_asks_nothing(ledger: Ledger) -> None:
    with counted_statements() as sent:
        assert await ledger.pair_again(Touched()) == set()

    assert [sql for sql in sent if "own_transactions" in sql] == []
