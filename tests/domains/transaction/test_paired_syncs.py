"""Transfers and duplicates over what banks say: pairs follow pending rows that post, change, move or vanish, and sums follow the pairs."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domains.bank.providers.protocol import StatementTransaction
from domains.transaction.service.apply_batch import AccountBatch, Applied, apply_batch
from tests.domains.transaction.ledger import DAY, Account, after, pending, said

NEUTRAL: dict[str, Any] = {"description": "X", "original_description": "X"}


def left(name: str, amount: str = "500", day: date = DAY, **changes: Any) -> StatementTransaction:
    return said(name, amount, day, **{**NEUTRAL, **changes})


def arrived(name: str, amount: str = "500", day: date = DAY, **changes: Any) -> StatementTransaction:
    return said(name, amount, day, direction="credit", **{**NEUTRAL, **changes})


@pytest.fixture
def savings(account: Account) -> Account:
    """Of the same user."""
    return Account(account.db, account.viewer)


async def transfer_of(account: Account, name: str) -> UUID | None:
    found: UUID | None = (await account.by_name())[name]["transfer_id"]
    return found


async def both(account: Account, savings: Account) -> tuple[UUID | None, UUID | None]:
    return await transfer_of(account, "out"), await transfer_of(savings, "in")


async def test_two_banks_bring_the_two_ends_and_neither_is_spent(account: Account, savings: Account) -> None:
    alone = await account.sync(left("out"))
    spent_before = await account.spent()

    paired = await savings.sync(arrived("in", day=after(3)), today=after(5))

    assert (spent_before, await account.spent()) == (Decimal(500), Decimal(0))
    assert alone.months == paired.months == {DAY.replace(day=1)}
    one, other = await both(account, savings)
    assert one is not None
    assert one == other


async def test_a_replay_of_either_changes_nothing(account: Account, savings: Account) -> None:
    await account.sync(left("out"))
    await savings.sync(arrived("in"))
    before = await account.state(), await savings.state()

    again = await account.sync(left("out")), await savings.sync(arrived("in"))

    assert [each.months for each in again] == [set(), set()]
    assert (await account.state(), await savings.state()) == before


async def test_a_pending_end_keeps_its_pair_when_it_posts(account: Account, savings: Account) -> None:
    await account.sync(pending("p-1", "500", **NEUTRAL))
    await savings.sync(arrived("in"))
    before = await transfer_of(account, "p-1")

    await account.sync(left("out", day=after(1), pending_transaction_id="p-1"), removed=["p-1"], today=after(1))

    assert before is not None
    assert await both(account, savings) == (before, before)
    assert await account.spent() == 0
    [review] = await account.reviews()
    assert review[:2] == ("transfer", "applied")


async def test_a_pending_end_that_posts_with_another_amount_is_no_transfer_any_more(account: Account, savings: Account) -> None:
    await account.sync(pending("p-1", "500", **NEUTRAL))
    await savings.sync(arrived("in"))

    await account.sync(left("out", "510", pending_transaction_id="p-1"), removed=["p-1"])

    assert await both(account, savings) == (None, None)
    assert await account.spent() == Decimal(1010)
    assert await account.reviews() == []


async def test_an_end_that_the_bank_takes_back_leaves_the_other_counted(account: Account, savings: Account) -> None:
    await account.sync(left("out"))
    await savings.sync(arrived("in"))

    applied = await account.sync(removed=["out"])

    assert (applied.removed, applied.months) == (1, {DAY.replace(day=1)})
    assert await transfer_of(savings, "in") is None
    assert await account.spent() == Decimal(500)
    assert await account.reviews() == []


async def test_an_end_that_moves_takes_its_pair_along_or_leaves_it(account: Account, savings: Account) -> None:
    await account.sync(left("out"))
    await savings.sync(arrived("in"))

    await account.sync(left("out", day=after(4)), today=after(5))
    near = await both(account, savings)
    await account.sync(left("out", day=after(5)), today=after(5))

    assert near[0] is not None
    assert near[0] == near[1]
    assert await both(account, savings) == (None, None)
    assert await account.spent() == Decimal(1000)


async def test_what_their_owner_categorised_before_it_was_paired_keeps_its_category(account: Account, savings: Account) -> None:
    await account.sync(left("out"))
    await account.edit("out", category="TRANSFER_OUT_SAVINGS", notes="for the boat")
    await savings.sync(arrived("in"))

    row = (await account.by_name())["out"]

    assert row["transfer_id"] is not None
    assert (row["user_category"], row["notes"]) == ("TRANSFER_OUT_SAVINGS", "for the boat")


async def sync_both(account: Account, again: Account, *rows: StatementTransaction) -> Applied:
    """The newer connection says this of the account that the other one knows."""
    twins: Mapping[UUID, frozenset[UUID]] = {account.id: frozenset({again.id}), again.id: frozenset({account.id})}
    batch = AccountBatch(again.id, "checking", again.provider, rows)
    async with again.db.write("transaction", again.viewer) as session:
        return await apply_batch(session, [batch], {}, after(1), twins)


async def test_an_account_that_is_linked_twice_is_spent_from_once(account: Account, savings: Account) -> None:
    again = Account(account.db, account.viewer, provider="tink")
    await account.sync(said("a-1"), said("a-2"), left("out"))
    await savings.sync(arrived("in"))
    before = await account.spent()

    applied = await sync_both(account, again, said("b-1"), said("b-2"), left("b-3"), said("b-4", "7"))

    assert applied.added == 4
    assert (before, await account.spent()) == (Decimal("9.00"), Decimal("16.00"))
    doubles = await again.by_name()
    originals = {row["id"]: name for name, row in (await account.by_name()).items()}
    assert {name for name, row in doubles.items() if row["is_duplicate"]} == {"b-1", "b-2", "b-3"}
    assert originals[doubles["b-3"]["duplicate_of"]] == "out"
    assert {originals[doubles[name]["duplicate_of"]] for name in ("b-1", "b-2")} == {"a-1", "a-2"}
    one, other = await both(account, savings)
    assert one is not None
    assert one == other
