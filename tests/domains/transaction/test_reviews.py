"""What is in doubt waits for its owner, and what they say is done once, and stays."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.transaction.models import REVIEW_KINDS, transaction_reviews
from db.transaction.queries import reconciling
from domains.transaction.errors import ReviewDecided, ReviewNotFound
from domains.transaction.service.decide_review import HANDLERS, Decided, decide_review
from tests.domains.transaction.ledger import Account, after, pending, said
from tests.domains.transaction.test_deleting import restore


async def decide(account: Account, review_id: UUID, *, accept: bool) -> Decided:
    async with account.db.write("transaction", account.viewer) as session:
        return await decide_review(session, review_id, datetime.now(UTC), accept=accept)


async def only_review(account: Account) -> UUID:
    [found] = await account._all(transaction_reviews.select())
    which: UUID = found["id"]
    return which


@pytest.fixture
async def grown(account: Account) -> dict[str, UUID]:
    """A pending lunch with a note, and a posted one that may be it with the tip; their ids, and the review's."""
    await account.sync(pending("p", "10.00", date(2026, 3, 31)), today=date(2026, 3, 31))
    which = await account.edit("p", notes="lunch", merchant_name="Chez Sam")
    await account.sync(said("q", "12.00", date(2026, 4, 1), merchant_name="SAMS"), removed=["p"], today=date(2026, 4, 2))
    [asked] = [each for each in await account._all(transaction_reviews.select()) if each["kind"] == "posting"]
    assert asked["score"] == Decimal("0.83")
    return {"p": which, "q": (await account.by_name())["q"]["id"], "review": asked["id"]}


async def test_an_accepted_posting_goes_on_as_the_pending_row_with_its_id_and_edits(account: Account, grown: dict[str, UUID]) -> None:
    await account.edit("q", tags=["paid"], category="TRAVEL", description="Lunch with Sam")

    decided = await decide(account, grown["review"], accept=True)

    [row] = await account.rows()
    assert (row["id"], row["provider_transaction_id"], row["status"]) == (grown["p"], "q", "posted")
    assert (row["amount"], row["transaction_date"]) == (Decimal(12), date(2026, 4, 1))
    assert (row["notes"], row["merchant_name"], row["provenance"]["merchant_name"]["was"]) == ("lunch", "Chez Sam", "Sams")
    assert (row["tags"], row["user_category"], row["category_method"], row["description"]) == (["paid"], "TRAVEL", "user", "Lunch with Sam")
    assert await account.names() == {"q": (grown["p"], False), "p": (grown["p"], True)}
    assert (decided.is_new, decided.moves_sums, await account.spent()) == (True, True, Decimal(12))
    assert await account.reviews() == [("posting", "applied", grown["p"], grown["q"])], "what was asked of its removal is answered"
    again = await account.sync(said("q", "12.00", date(2026, 4, 1), merchant_name="SAMS"), removed=["p"], today=date(2026, 4, 2))
    assert (again.unchanged, again.months) == (1, set())


async def test_a_rejected_posting_stays_rejected_and_both_stay(account: Account, grown: dict[str, UUID]) -> None:
    await decide(account, grown["review"], accept=False)
    version = await account.version()

    await account.sync(said("q", "12.00", date(2026, 4, 1), merchant_name="SAMS"), removed=["p"], today=date(2026, 4, 2))

    assert [each[:2] for each in await account.reviews()] == [("posting", "rejected"), ("removal", "suggested")]
    assert {name: row["status"] for name, row in (await account.by_name()).items()} == {"p": "cancelled", "q": "posted"}
    assert await account.version() == version


async def test_an_accepted_removal_puts_the_row_into_the_bin(account: Account) -> None:
    await account.sync(said("a"))
    which = await account.edit("a", notes="mine")
    await account.sync(removed=["a"])

    decided = await decide(account, await only_review(account), accept=True)

    assert (await account.rows(), decided.moves_sums, await account.spent()) == ([], True, Decimal(0))
    await restore(account, which)
    assert [row["notes"] for row in await account.rows()] == ["mine"]


@pytest.mark.parametrize("row", [said("a"), pending("a")], ids=["posted", "pending"])
async def test_a_row_whose_removal_was_rejected_is_its_owners_whatever_the_bank_says(account: Account, row: Any) -> None:
    await account.sync(row)
    which = await account.edit("a", notes="mine")
    await account.sync(removed=["a"])

    await decide(account, await only_review(account), accept=False)
    await account.edit("a", notes=None)
    for more in ({"removed": ["a"]}, {"window": (after(-5), after(5))}, {}):
        applied = await account.sync(**more, today=after(30))
        assert (applied.removed, applied.cancelled, applied.suggested) == (0, 0, 0)

    [kept] = await account.rows()
    assert (kept["id"], kept["status"], await account.spent()) == (which, "posted", Decimal("4.50"))


async def test_the_same_answer_again_changes_nothing_and_the_other_one_is_refused(account: Account, grown: dict[str, UUID]) -> None:
    await decide(account, grown["review"], accept=True)
    version = await account.version()

    again = await decide(account, grown["review"], accept=True)
    with pytest.raises(ReviewDecided):
        await decide(account, grown["review"], accept=False)

    assert (again.is_new, again.refold, await account.version()) == (False, None, version)


async def test_a_review_whose_rows_are_gone_is_not_found_and_stays_undecided(account: Account, grown: dict[str, UUID]) -> None:
    async with account.db.write("transaction", account.viewer) as session:
        posting = transaction_reviews.c.id == grown["review"]
        await session.execute(transaction_reviews.update().where(posting).values(other_date=date(2026, 4, 1)))
        await reconciling.delete_transactions(session, [reconciling.Place(grown["q"], date(2026, 4, 1))])

    with pytest.raises(ReviewNotFound):
        await decide(account, grown["review"], accept=True)

    assert ("posting", "suggested", grown["p"], grown["q"]) in await account.reviews()


async def test_nobody_elses_review_and_none_are_answered_alike(account: Account, grown: dict[str, UUID], make_user: Any) -> None:
    stranger = Account(account.db, await make_user())

    for which in (grown["review"], uuid4()):
        with pytest.raises(ReviewNotFound):
            await decide(stranger, which, accept=True)

    assert ("posting", "suggested", grown["p"], grown["q"]) in await account.reviews()


def test_every_kind_that_can_be_stored_can_be_decided() -> None:
    assert set(HANDLERS) == set(REVIEW_KINDS)
