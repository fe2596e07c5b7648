"""Their owner's word on two transactions: it stands, it can be taken back, and sums follow at once."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from db.engines import Db
from db.statements import owned
from db.transaction.models import ledgers, monthly_category_summary, transaction_reviews
from domains.transaction.errors import PairImpossible, ReviewNotFound, TransactionNotFound, TransactionPaired
from domains.transaction.service.apply_batch import record_change
from domains.transaction.service.decide_review import decide_review
from domains.transaction.service.pair_transactions import Paired, mark_duplicate, pair_transfer
from tests.conftest import MakeUser
from tests.domains.transaction.paired import Ledger

MAY_1 = date(2026, 5, 1)
DAY = timedelta(days=1)
AT = datetime(2026, 6, 1, tzinfo=UTC)


class Owner(Ledger):
    """Whoever's transactions these are."""

    async def says(self, what: Callable[..., Awaitable[Paired]], one: UUID, other: UUID) -> Paired:
        async with self.db.write("transaction", self.viewer) as session:
            return await what(session, one, other)

    async def decides(self, one: UUID, other: UUID, *, accept: bool) -> bool:
        """Of the review of these two; answers whether sums moved."""
        reviews = transaction_reviews
        async with self.db.write("transaction", self.viewer) as session:
            of_these = select(reviews.c.id).where(owned(reviews), reviews.c.transaction_id == one, reviews.c.other_id == other)
            review_id = (await session.run(of_these)).scalar_one()
            return (await decide_review(session, review_id, AT, accept=accept)).moves_sums

    async def sums(self) -> dict[date, Decimal]:
        """What left and arrived per month, as the summary has it."""
        summary = monthly_category_summary
        async with self.db.write("transaction", self.viewer) as session:
            found = await session.run(select(summary.c.month, summary.c.total_amount).where(owned(summary)))
            sums: dict[date, Decimal] = {}
            for each in found:
                sums[each.month] = sums.get(each.month, Decimal(0)) + each.total_amount
        return sums

    async def version(self) -> int:
        async with self.db.write("transaction", self.viewer) as session:
            return int((await session.run(select(ledgers.c.version).where(owned(ledgers)))).scalar_one_or_none() or 0)

    async def fold(self, *months: date) -> None:
        async with self.db.write("transaction", self.viewer) as session:
            await record_change(session, months)


@pytest.fixture
async def owner(db: Db, make_user: MakeUser) -> Owner:
    return Owner(db, await make_user())


async def test_two_that_nobody_would_pair_are_a_transfer_when_their_owner_says_so(owner: Owner) -> None:
    debit = await owner.add(owner.checking, "-100", MAY_1, category="FOOD_AND_DRINK", category_confidence=Decimal(1))
    credit = await owner.add(owner.savings, "+97.50", MAY_1 + 20 * DAY)
    await owner.add(owner.checking, "-5", MAY_1)
    await owner.fold(MAY_1)
    before = await owner.sums(), await owner.version()

    done = await owner.says(pair_transfer, debit, credit)

    assert (done.is_new, done.moves_sums) == (True, True)
    assert await owner.paired() == {frozenset({debit, credit})}
    assert await owner.reviews() == {("transfer", "applied", "user", debit, credit, None)}
    assert (before[0], await owner.sums()) == ({MAY_1: Decimal("202.50")}, {MAY_1: Decimal(5)})
    assert await owner.version() == before[1] + 1
    assert (await owner.transaction(debit))["category"] == "FOOD_AND_DRINK"


async def test_saying_it_again_changes_nothing_and_confirming_what_was_found_makes_it_theirs(owner: Owner) -> None:
    debit, credit = await owner.add(owner.checking, "-100", MAY_1), await owner.add(owner.savings, "+100", MAY_1)
    await owner.pair()
    version = await owner.version()

    confirmed = await owner.says(pair_transfer, debit, credit)
    again = await owner.says(pair_transfer, debit, credit)

    assert (confirmed.is_new, again.is_new, confirmed.review_id) == (True, False, again.review_id)
    assert not confirmed.moves_sums
    assert not again.moves_sums
    assert await owner.reviews() == {("transfer", "applied", "user", debit, credit, None)}
    assert await owner.version() == version


async def test_taking_a_transfer_apart_lets_both_count_again_for_good(owner: Owner) -> None:
    debit, credit = await owner.add(owner.checking, "-100", MAY_1), await owner.add(owner.savings, "+100", MAY_1)
    await owner.pair()
    await owner.fold(MAY_1)

    assert await owner.sums() == {}
    assert await owner.decides(debit, credit, accept=False)
    assert await owner.sums() == {MAY_1: Decimal(200)}
    assert await owner.paired() == set()

    await owner.change(debit, notes="rent")
    await owner.pair()

    assert await owner.paired() == set()
    assert await owner.decides(debit, credit, accept=True)
    assert (await owner.sums(), await owner.paired()) == ({}, {frozenset({debit, credit})})


async def test_accepting_one_suggestion_settles_the_others(owner: Owner) -> None:
    debits = [await owner.add(owner.checking, "-100", MAY_1) for _ in range(2)]
    credits_ = [await owner.add(account, "+100", MAY_1) for account in (owner.savings, owner.card)]
    await owner.pair()
    suggested = len(await owner.reviews())

    await owner.decides(debits[0], credits_[1], accept=True)

    assert suggested == 4
    assert {review[1:5] for review in await owner.reviews()} == {
        ("applied", "user", debits[0], credits_[1]),
        ("applied", "auto", debits[1], credits_[0]),
    }


async def test_rejecting_a_suggestion_moves_no_sum(owner: Owner) -> None:
    debit = await owner.add(owner.checking, "-100", MAY_1)
    credits_ = [await owner.add(account, "+100", MAY_1) for account in (owner.savings, owner.card)]
    await owner.pair()
    version = await owner.version()

    assert not await owner.decides(debit, credits_[0], accept=False)
    assert await owner.version() == version
    assert await owner.paired() == set()


async def test_what_can_be_no_transfer_is_refused_and_nothing_is_written(owner: Owner) -> None:
    debit = await owner.add(owner.checking, "-100", MAY_1)
    credit = await owner.add(owner.savings, "+90", MAY_1)
    beside, taken = await owner.add(owner.checking, "+100", MAY_1), await owner.add(owner.card, "+90", MAY_1)
    cancelled = await owner.add(owner.savings, "+100", MAY_1, status="cancelled")
    await owner.says(pair_transfer, debit, taken)
    before = await owner.reviews(), await owner.version()
    other = await owner.add(owner.checking, "-90", MAY_1)

    refused: list[tuple[UUID, UUID, type[Exception], str]] = [
        (debit, credit, TransactionPaired, "debitId"),
        (other, taken, TransactionPaired, "creditId"),
        (credit, debit, PairImpossible, "debitId"),
        (other, other, PairImpossible, "debitId"),
        (other, beside, PairImpossible, "creditId"),
        (other, cancelled, PairImpossible, "creditId"),
        (other, uuid4(), TransactionNotFound, "creditId"),
        (uuid4(), credit, TransactionNotFound, "debitId"),
    ]
    for one, two, error, field in refused:
        with pytest.raises(error) as told:
            await owner.says(pair_transfer, one, two)
        assert (one, two, told.value.field) == (one, two, field)  # type: ignore[attr-defined]

    assert (await owner.reviews(), await owner.version()) == before


async def test_a_duplicate_of_their_own_counts_no_more_and_can_be_taken_back(owner: Owner) -> None:
    original = await owner.add(owner.checking, "-40", MAY_1, status="posted")
    double = await owner.add(owner.card, "-46", MAY_1 + 9 * DAY)
    await owner.fold(MAY_1)

    done = await owner.says(mark_duplicate, double, original)

    assert done.is_new
    assert await owner.duplicates() == {double: original}
    assert await owner.sums() == {MAY_1: Decimal(40)}
    assert await owner.reviews() == {("duplicate", "applied", "user", double, original, None)}
    assert not (await owner.says(mark_duplicate, double, original)).is_new

    assert await owner.decides(double, original, accept=False)

    assert (await owner.duplicates(), await owner.sums()) == ({}, {MAY_1: Decimal(86)})

    assert await owner.decides(double, original, accept=True)

    assert await owner.duplicates() == {double: original}


async def test_a_duplicate_of_one_may_be_said_to_be_anothers_and_takes_its_transfer_apart(owner: Owner) -> None:
    one, other = await owner.add(owner.checking, "-40", MAY_1), await owner.add(owner.checking, "-40", MAY_1)
    double = await owner.add(owner.card, "-40", MAY_1)
    credit = await owner.add(owner.savings, "+40", MAY_1)
    await owner.says(pair_transfer, double, credit)

    await owner.says(mark_duplicate, double, one)
    await owner.says(mark_duplicate, double, other)

    assert await owner.duplicates() == {double: other}
    assert (await owner.transaction(credit))["transfer_id"] is None
    applied = {review[2:5] for review in await owner.reviews() if review[1] == "applied"}
    assert applied == {("user", double, other)}
    assert {review[3:5] for review in await owner.reviews() if review[1] == "suggested"} == {(one, credit), (other, credit)}


async def test_what_can_be_no_duplicate_is_refused_and_nothing_is_written(owner: Owner) -> None:
    original, double = await owner.add(owner.checking, "-40", MAY_1), await owner.add(owner.card, "-40", MAY_1)
    credit = await owner.add(owner.checking, "+40", MAY_1)
    euros = await owner.add(owner.checking, "-40", MAY_1, currency="EUR")
    cancelled = await owner.add(owner.checking, "-40", MAY_1, status="cancelled")
    other = await owner.add(owner.savings, "-40", MAY_1)
    await owner.says(mark_duplicate, double, original)
    before = await owner.reviews(), await owner.version()

    refused: list[tuple[UUID, UUID, type[Exception], str]] = [
        (other, other, PairImpossible, "ofId"),
        (original, double, PairImpossible, "ofId"),
        (other, double, PairImpossible, "ofId"),
        (other, credit, PairImpossible, "ofId"),
        (other, euros, PairImpossible, "ofId"),
        (other, cancelled, PairImpossible, "ofId"),
        (cancelled, other, PairImpossible, "id"),
        (other, uuid4(), TransactionNotFound, "ofId"),
        (uuid4(), other, TransactionNotFound, "id"),
    ]
    for one, two, error, field in refused:
        with pytest.raises(error) as told:
            await owner.says(mark_duplicate, one, two)
        assert told.value.field == field  # type: ignore[attr-defined]

    assert (await owner.reviews(), await owner.version()) == before


async def test_nobody_pairs_what_is_somebody_elses(db: Db, make_user: MakeUser) -> None:
    robin, sam = Owner(db, await make_user()), Owner(db, await make_user())
    debit, credit = await robin.add(robin.checking, "-40", MAY_1), await sam.add(sam.savings, "+40", MAY_1)

    for what in (pair_transfer, mark_duplicate):
        with pytest.raises(TransactionNotFound):
            await robin.says(what, debit, credit)
        with pytest.raises(TransactionNotFound):
            await sam.says(what, debit, credit)

    assert (await robin.reviews(), await sam.reviews()) == (set(), set())


async def test_a_pair_of_which_one_is_gone_cannot_be_accepted(owner: Owner) -> None:
    debit, credit = await owner.add(owner.checking, "-100", MAY_1), await owner.add(owner.savings, "+100", MAY_1)
    await owner.pair()
    await owner.decides(debit, credit, accept=False)
    await owner.remove(credit)

    with pytest.raises(ReviewNotFound):
        await owner.decides(debit, credit, accept=True)

    assert {review[1] for review in await owner.reviews()} == {"rejected"}
