"""What a user deletes stays deleted, whatever the bank says, and can be had back for thirty days as it was."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from db.transaction.models import deleted_transactions, monthly_category_summary
from domains.transaction.errors import TransactionMonthClosed, TransactionNotFound
from domains.transaction.service import delete_transaction as service
from domains.transaction.service.delete_transaction import Moved
from tests.domains.transaction.ledger import DAY, NOW, Account, after, pending, said

WINDOW = (after(-20), after(20))


async def delete(account: Account, which: UUID, at: datetime = NOW) -> Moved:
    async with account.db.write("transaction", account.viewer) as session:
        return await service.delete_transaction(session, which, at)


async def restore(account: Account, which: UUID) -> Moved:
    async with account.db.write("transaction", account.viewer) as session:
        return await service.restore_transaction(session, which)


async def bin_ids(account: Account) -> set[UUID]:
    return {row["id"] for row in await account._all(deleted_transactions.select())}


@pytest.fixture
async def which(account: Account) -> UUID:
    """A coffee that was deleted just now, with a note of its owner's; beside it another purchase."""
    await account.sync(said("a"), said("b", "7.00"))
    found = await account.edit("a", notes="mine", category="FOOD_AND_DRINK_COFFEE", tags=["one"], merchant_name="The café")
    await delete(account, found, datetime.now(NOW.tzinfo))
    return found


async def test_what_is_deleted_is_gone_from_lists_and_sums_and_is_in_the_bin(account: Account, which: UUID) -> None:
    assert set(await account.by_name()) == {"b"}
    assert await account.spent() == Decimal(7)
    assert await bin_ids(account) == {which}


async def test_a_deleted_row_that_is_offered_again_amended_or_re_dated_does_not_return(account: Account, which: UUID) -> None:
    version = await account.version()

    for row in (said("a"), said("a", "5.00"), said("a", "5.00", after(3)), said("a", "5.00", date(2026, 5, 1))):
        applied = await account.sync(row)
        again = await account.sync(row)
        assert (applied.added, applied.updated, applied.unchanged, again.unchanged) == (0, 0, 1, 1)

    assert set(await account.by_name()) == {"b"}
    assert await account.version() == version


async def test_a_deleted_row_that_the_bank_names_anew_does_not_return(account: Account, which: UUID) -> None:
    """Its bank is linked again, long after the bin has let it go."""
    async with account.db.system("transaction") as session:
        await session.execute(deleted_transactions.delete().where(deleted_transactions.c.id == which))

    applied = await account.sync(said("new-a"), said("new-b", "7.00"), window=WINDOW)
    again = await account.sync(said("new-a"), said("new-b", "7.00"), window=WINDOW)

    assert (applied.added, again.unchanged) == (0, 2)
    assert set(await account.by_name()) == {"new-b"}
    assert (await account.names())["new-a"] == (which, False)


async def test_another_purchase_of_the_same_amount_and_words_on_the_same_day_is_another_one(account: Account, which: UUID) -> None:
    applied = await account.sync(said("c"))

    assert (applied.added, set(await account.by_name())) == (1, {"b", "c"})


@pytest.mark.parametrize("how", ["by its link", "by its link, listed still", "by its amount", "by its amount, a batch later"])
async def test_a_deleted_pending_row_does_not_return_when_it_posts(account: Account, how: str) -> None:
    await account.sync(pending("p"))
    gone = (await account.by_name())["p"]["id"]
    await delete(account, gone, datetime.now(NOW.tzinfo))
    if how.endswith("later"):
        await account.sync(removed=["p"])

    link = "p" if "link" in how else None
    removed = ["p"] if how in ("by its link", "by its amount") else []
    posted = said("q", "4.50" if link is None else "5.10", after(2), pending_transaction_id=link, original_description="ANOTHER NAME")
    applied = await account.sync(posted, removed=removed)

    assert (applied.added, await account.rows()) == (0, [])
    assert {name for name, (owner, _) in (await account.names()).items() if owner == gone} == {"p", "q"}

    await restore(account, gone)
    assert await account.told() == {"q": ("4.5" if link is None else "5.1", after(2), "posted")}


async def test_a_posted_row_of_the_amount_of_a_deleted_pending_one_that_is_still_listed_is_another_one(account: Account) -> None:
    await account.sync(pending("p"))
    await delete(account, (await account.by_name())["p"]["id"])

    applied = await account.sync(pending("p"), said("q", "4.50", after(1)))

    assert (applied.added, set(await account.by_name())) == (1, {"q"})


async def test_deleting_twice_and_restoring_twice_is_no_error_and_changes_nothing(account: Account, which: UUID) -> None:
    version = await account.version()
    assert (await delete(account, which)).is_done is False
    assert await account.version() == version

    await restore(account, which)
    version = await account.version()
    assert (await restore(account, which)).is_done is False
    assert await account.version() == version


async def test_what_is_restored_is_as_it_was_with_everything_of_it(account: Account) -> None:
    location = {"city": "Oakland", "lat": "37.8", "lon": "-122.2"}
    await account.sync(said("p0", "4.50", payment_meta={"reference": "R"}, location=location, merchant_logo_url="https://x.example/l"))
    await account.sync(
        said("a", "4.50", payment_meta={"reference": "R"}, location=location, merchant_logo_url="https://x.example/l"), removed=["p0"]
    )
    which = await account.edit("a", notes="mine", category="TRAVEL", tags=["one", "two"], description="Breakfast", lock=("category",))
    before, names = await account.rows(), await account.names()

    await delete(account, which, datetime.now(NOW.tzinfo))
    assert await account.rows() == []
    await restore(account, which)

    [was], [now] = before, await account.rows()
    assert {name: value for name, value in now.items() if name != "updated_at"} == {
        name: value for name, value in was.items() if name != "updated_at"
    }
    assert await account.names() == names
    assert await bin_ids(account) == set()
    assert await account.spent() == Decimal("4.50")


async def test_what_the_bank_changed_meanwhile_counts_when_it_is_restored_and_the_owners_words_stay(account: Account, which: UUID) -> None:
    await account.sync(said("a", "6.20", date(2026, 4, 1), description="Blue Bottle SF", merchant_name="Blue Bottle"))

    await restore(account, which)
    again = await account.sync(said("a", "6.20", date(2026, 4, 1), description="Blue Bottle SF", merchant_name="Blue Bottle"))

    row = (await account.by_name())["a"]
    assert (row["id"], row["amount"], row["transaction_date"], row["description"]) == (
        which,
        Decimal("6.20"),
        date(2026, 4, 1),
        "Blue Bottle SF",
    )
    assert (row["notes"], row["user_category"], row["tags"], row["merchant_name"]) == ("mine", "FOOD_AND_DRINK_COFFEE", ["one"], "The café")
    assert (again.updated, again.unchanged) == (0, 1)
    assert await account.spent() == Decimal("13.20")


async def test_a_restored_row_goes_on_with_its_bank(account: Account, which: UUID) -> None:
    await restore(account, which)

    await account.sync(said("a", "9.00"))
    await account.sync(said("z", "9.00"), removed=["a"])

    row = (await account.by_name())["z"]
    assert (row["id"], row["amount"], row["notes"]) == (which, Decimal(9), "mine")


async def test_the_bin_keeps_for_thirty_days(account: Account) -> None:
    await account.sync(said("a"), said("b", "7.00"))
    ids = {name: row["id"] for name, row in (await account.by_name()).items()}
    now = datetime.now(NOW.tzinfo)
    await delete(account, ids["a"], now - timedelta(days=29, hours=23))
    await delete(account, ids["b"], now - timedelta(days=30, hours=1))

    await restore(account, ids["a"])
    with pytest.raises(TransactionNotFound):
        await restore(account, ids["b"])

    assert set(await account.by_name()) == {"a"}


async def test_a_row_of_a_month_that_was_closed_meanwhile_cannot_be_had_back(account: Account, which: UUID) -> None:
    async with account.db.write("transaction", account.viewer) as session:
        of_march = monthly_category_summary.c.month == DAY.replace(day=1)
        await session.execute(update(monthly_category_summary).where(of_march).values(is_frozen=True))

    with pytest.raises(TransactionMonthClosed):
        await restore(account, which)

    assert await bin_ids(account) == {which}


async def test_what_was_asked_about_a_deleted_row_is_asked_no_more(account: Account) -> None:
    await account.sync(said("a"))
    which = await account.edit("a", notes="mine")
    await account.sync(removed=["a"])
    assert len(await account.reviews()) == 1

    await delete(account, which)

    assert await account.reviews() == []


async def test_nobody_elses_transaction_and_no_transaction_are_answered_alike(account: Account, make_user: Any, which: UUID) -> None:
    stranger = Account(account.db, await make_user())
    mine = (await account.by_name())["b"]["id"]

    for one in (mine, which, uuid4()):
        with pytest.raises(TransactionNotFound):
            await delete(stranger, one)
        with pytest.raises(TransactionNotFound):
            await restore(stranger, one)

    assert set(await account.by_name()) == {"b"}
    assert await bin_ids(account) == {which}
