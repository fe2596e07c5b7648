"""What was pending and posts is one transaction, with its id and with all that its owner said of it."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from domains.bank.providers.protocol import StatementTransaction
from tests.domains.transaction.ledger import DAY, Account, after, pending, said

EDITS: dict[str, Any] = {"category": "FOOD_AND_DRINK_COFFEE", "notes": "with Sam", "tags": ["work"]}


def edits_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["user_category"], row["notes"], row["tags"]


EDITED = ("FOOD_AND_DRINK_COFFEE", "with Sam", ["work"])


async def test_a_posted_row_that_names_its_pending_one_takes_its_place_with_everything_of_it(account: Account) -> None:
    await account.sync(pending("p", "4.50"))
    was = await account.edit("p", **EDITS)

    changed = {"description": "Blue Bottle 12", "original_description": "BLUEBOTTLE*OAKLAND", "posted_date": after(3)}
    applied = await account.sync(said("q", "5.40", after(2), pending_transaction_id="p", **changed), removed=["p"])

    [(name, row)] = (await account.by_name()).items()
    assert (name, row["id"], edits_of(row)) == ("q", was, EDITED)
    assert await account.told() == {"q": ("5.4", after(2), "posted")}
    assert (row["description"], row["original_description"], row["posted_date"]) == ("Blue Bottle 12", "BLUEBOTTLE*OAKLAND", after(3))
    assert await account.names() == {"q": (was, False), "p": (was, True)}
    assert (applied.added, applied.updated, applied.removed, applied.cancelled) == (0, 1, 0, 0)
    assert await account.spent() == Decimal("5.40")


async def test_a_pending_row_that_posts_under_its_own_name_is_changed_in_place(account: Account) -> None:
    await account.sync(pending("p"))
    was = await account.edit("p", **EDITS)

    await account.sync(said("p", "6.00", after(1), description="Blue Bottle Oakland", original_description="BLUE BOTTLE OAKLAND"))

    [row] = await account.rows()
    assert (row["id"], edits_of(row)) == (was, EDITED)
    assert await account.told() == {"p": ("6", after(1), "posted")}


async def test_a_pending_row_that_moves_to_another_month_leaves_no_sum_behind(account: Account) -> None:
    last = date(2026, 3, 31)
    await account.sync(pending("p", day=last), said("x", "1.00", last), today=last)

    await account.sync(said("q", "4.50", date(2026, 4, 1), pending_transaction_id="p"), removed=["p"], today=date(2026, 4, 2))

    assert await account.told() == {"x": ("1", last, "posted"), "q": ("4.5", date(2026, 4, 1), "posted")}
    assert await account.spent() == Decimal("5.50")


async def test_a_removal_that_comes_a_batch_before_its_posted_row_loses_nothing(account: Account) -> None:
    await account.sync(pending("p"))
    was = await account.edit("p", **EDITS)

    first = await account.sync(removed=["p"])
    between = await account.told()
    await account.sync(said("q", "9.99", after(3), pending_transaction_id="p"))

    assert first.cancelled == 1
    assert between == {"p": ("4.5", DAY, "cancelled")}
    [row] = await account.rows()
    assert (row["id"], edits_of(row), row["provider_transaction_id"], row["status"]) == (was, EDITED, "q", "posted")
    assert await account.reviews() == [], "what was asked about the removal is answered by the bank"


async def test_a_removal_that_comes_a_batch_after_its_posted_row_takes_nothing_away(account: Account) -> None:
    await account.sync(pending("p"))
    was = await account.edit("p", **EDITS)

    await account.sync(said("q", pending_transaction_id="p", day=after(1)))
    late = await account.sync(removed=["p"])

    assert (late.removed, late.cancelled, late.months) == (0, 0, set())
    assert {row["id"] for row in await account.rows()} == {was}


async def test_a_removal_before_with_and_after_an_addition_of_its_own_name(account: Account) -> None:
    before = await account.sync(removed=["a"])
    assert (before.removed, before.months) == (0, set())

    both = await account.sync(said("a"), removed=["a"])
    assert (both.added, await account.rows()) == (0, [])

    await account.sync(said("a"))
    gone = await account.sync(removed=["a"])
    assert (gone.removed, await account.rows(), await account.names(), await account.spent()) == (1, [], {}, Decimal(0))


async def test_the_pending_row_that_a_bank_still_lists_beside_the_posted_one_is_not_counted_twice(account: Account) -> None:
    listed = [pending("p"), said("q", day=after(1), pending_transaction_id="p")]
    await account.sync(listed[0])

    await account.sync(*listed)
    version = await account.version()
    again = await account.sync(*reversed(listed))

    assert await account.told() == {"q": ("4.5", after(1), "posted")}
    assert (again.months, await account.version()) == (set(), version)


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_pending_row_that_comes_later_than_the_posted_one_is_nothing_new(account: Account, *, at_once: bool) -> None:
    posted, late = said("q", day=after(1), pending_transaction_id="p"), pending("p")

    if at_once:
        await account.sync(posted, late)
    else:
        await account.sync(posted)
        await account.sync(late)

    assert await account.told() == {"q": ("4.5", after(1), "posted")}


async def test_of_two_posted_rows_that_name_one_pending_row_one_takes_its_place(account: Account) -> None:
    await account.sync(pending("p", "10.00"))
    was = await account.edit("p", notes="both parcels")

    shipped = [said("q1", "6.00", after(1), pending_transaction_id="p"), said("q2", "4.00", after(2), pending_transaction_id="p")]
    await account.sync(*shipped, removed=["p"])

    rows = await account.by_name()
    assert (rows["q1"]["id"], rows["q1"]["notes"], rows["q2"]["notes"]) == (was, "both parcels", None)
    assert await account.spent() == Decimal("10.00")


# Without a link


@pytest.mark.parametrize("days", [0, 1, 8])
@pytest.mark.parametrize("is_late", [False, True])
async def test_the_very_amount_within_eight_days_is_the_same_one(account: Account, days: int, *, is_late: bool) -> None:
    await account.sync(pending("p"))
    was = await account.edit("p", **EDITS)
    if is_late:
        await account.sync(removed=["p"])

    await account.sync(
        said("q", "4.50", after(days), original_description="SOMETHING ELSE"), removed=[] if is_late else ["p"], today=after(9)
    )

    [row] = await account.rows()
    assert (row["id"], row["provider_transaction_id"], edits_of(row), row["status"]) == (was, "q", EDITED, "posted")


@pytest.mark.parametrize(
    "other",
    [
        said("q", "4.50", after(9)),
        said("q", "4.50", after(-1)),
        said("q", "4.50", after(1), currency="EUR"),
        said("q", "4.50", after(1), direction="credit"),
        said("q", "4.49", after(1)),
    ],
    ids=["after nine days", "before", "another currency", "the other way", "less"],
)
async def test_what_is_not_the_same_is_added_and_the_pending_one_cancelled(account: Account, other: StatementTransaction) -> None:
    await account.sync(pending("p"))

    applied = await account.sync(other, removed=["p"], today=after(10))

    assert (applied.added, applied.cancelled) == (1, 1)
    told = await account.told()
    assert (told["p"][2], told["q"][2]) == ("cancelled", "posted")
    assert await account.spent() == other.amount


async def test_a_pending_row_that_the_bank_still_lists_is_no_candidate(account: Account) -> None:
    await account.sync(pending("p"))

    await account.sync(said("q", "4.50", after(1)))

    assert {name: status for name, (_, _, status) in (await account.told()).items()} == {"p": "pending", "q": "posted"}


@pytest.mark.parametrize("order", list(permutations(["p1", "p2", "q1", "q2"])))
async def test_two_equal_coffees_pending_and_posted_in_every_order_are_two_coffees(account: Account, order: tuple[str, ...]) -> None:
    """Each name comes in a batch of its own; a pending one is taken back once its posted one has come."""
    for at, name in enumerate(order):
        other = name.replace("q", "p")
        is_pending = name.startswith("p")
        if is_pending and name.replace("p", "q") in order[:at]:
            continue
        row = pending(name) if is_pending else said(name, "4.50", after(1))
        await account.sync(row, removed=[other] if other != name else [])

    live = [row for row in await account.rows() if row["status"] != "cancelled"]
    assert sorted(row["provider_transaction_id"] for row in live) == ["q1", "q2"]
    assert await account.spent() == Decimal("9.00")


async def test_two_equal_coffees_that_post_at_once_are_not_guessed_at(account: Account) -> None:
    await account.sync(pending("p1"), pending("p2"))

    await account.sync(said("q1", day=after(1)), said("q2", day=after(1)), removed=["p1", "p2"])

    statuses = {name: status for name, (_, _, status) in (await account.told()).items()}
    assert statuses == {"p1": "cancelled", "p2": "cancelled", "q1": "posted", "q2": "posted"}
    assert await account.spent() == Decimal("9.00")


# What grew


@pytest.mark.parametrize(("amount", "days", "is_asked"), [("13.00", 3, True), ("10.01", 0, True), ("13.01", 1, False), ("11.00", 4, False)])
async def test_what_grew_by_a_tip_within_three_days_is_put_to_the_owner(
    account: Account, amount: str, days: int, *, is_asked: bool
) -> None:
    await account.sync(pending("p", "10.00"))

    applied = await account.sync(said("q", amount, after(days)), removed=["p"], today=after(5))

    rows = await account.by_name()
    assert (rows["p"]["status"], rows["q"]["status"], applied.suggested) == ("cancelled", "posted", int(is_asked))
    assert await account.reviews() == ([("posting", "suggested", rows["p"]["id"], rows["q"]["id"])] if is_asked else [])
    assert await account.spent() == Decimal(amount)


async def test_what_may_have_grown_out_of_two_is_not_put_to_the_owner(account: Account) -> None:
    await account.sync(pending("p1", "10.00"), pending("p2", "10.50"))

    applied = await account.sync(said("q", "11.00", after(1)), removed=["p1", "p2"])

    assert (applied.suggested, await account.reviews()) == (0, [])


# Fourteen days


async def test_what_has_been_pending_for_more_than_fourteen_days_is_cancelled_and_counts_nowhere(account: Account) -> None:
    await account.sync(pending("old"), pending("new", day=after(1)), today=after(1))

    applied = await account.sync(today=after(15))

    assert {name: status for name, (_, _, status) in (await account.told()).items()} == {"old": "cancelled", "new": "pending"}
    assert applied.cancelled == 1


async def test_a_bank_that_goes_on_listing_what_is_too_old_changes_nothing_any_more(account: Account) -> None:
    window = (after(-30), after(40))
    await account.sync(pending("old"), window=window, today=after(15))
    state = await account.state()

    again = await account.sync(pending("old"), window=window, today=after(16))
    renewed = await account.sync(pending("old", "4.60"), window=window, today=after(17))

    assert (again.months, renewed.updated) == (set(), 1)
    assert (await account.told(), state[3] + 1) == ({"old": ("4.6", DAY, "cancelled")}, await account.version())


async def test_what_is_booked_after_fourteen_days_by_its_link_is_the_same_one(account: Account) -> None:
    await account.sync(pending("p"))
    was = await account.edit("p", **EDITS)
    await account.sync(today=after(20))

    await account.sync(said("q", "4.50", after(20), pending_transaction_id="p"), removed=["p"], today=after(20))

    [row] = await account.rows()
    assert (row["id"], row["status"], edits_of(row)) == (was, "posted", EDITED)


async def test_a_statement_without_a_day_cancels_nothing_for_its_age(account: Account) -> None:
    from domains.transaction.service.apply_batch import AccountBatch, apply_batch

    batch = AccountBatch(account.id, "checking", "file", [pending("p", day=DAY - timedelta(days=900))])
    async with account.db.write("transaction", account.viewer) as session:
        applied = await apply_batch(session, [batch], {})

    assert (applied.cancelled, (await account.rows())[0]["status"]) == (0, "pending")
