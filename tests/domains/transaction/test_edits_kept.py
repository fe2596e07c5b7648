"""What a user set or locked is never overwritten by a bank; what they give back, the bank says again."""

import asyncio
from typing import Any

import pytest

from db.engines import Db
from db.transaction.queries import batches
from domains.transaction.service.apply_batch import AccountBatch, apply_batch
from domains.transaction.service.update_transaction import UpdateTransaction, update_transaction
from tests.domains.transaction.ledger import DAY, NOW, Account, after, pending, said

SAID: dict[str, Any] = {"description": "Blue Bottle SF", "merchant_name": "Philz Coffee", "category_detailed": "TRAVEL_FLIGHTS"}


async def one(account: Account) -> dict[str, Any]:
    [row] = await account.rows()
    return row


async def test_a_name_and_a_description_of_the_users_stay_whatever_the_bank_says(account: Account) -> None:
    await account.sync(said("a"))
    await account.edit("a", merchant_name="  The   café ", description="Breakfast")

    await account.sync(said("a", "5.00", **SAID))

    row = await one(account)
    assert (row["merchant_name"], row["description"], row["category_detailed"]) == ("The café", "Breakfast", "TRAVEL_FLIGHTS")
    assert {name: entry["was"] for name, entry in row["provenance"].items()} == {
        "merchant_name": "Philz Coffee",
        "description": "Blue Bottle SF",
    }


@pytest.mark.parametrize("how", ["null", "unlock"])
async def test_what_is_given_back_is_what_the_bank_says_by_now(account: Account, how: str) -> None:
    await account.sync(said("a"))
    await account.edit("a", merchant_name="The café", description="Breakfast")
    await account.sync(said("a", **SAID))

    if how == "null":
        await account.edit("a", merchant_name=None, description=None)
    else:
        await account.edit("a", unlock=("merchant_name", "description"))

    row = await one(account)
    assert (row["merchant_name"], row["description"], row["provenance"]) == ("Philz Coffee", "Blue Bottle SF", {})


async def test_a_locked_field_stays_and_an_unlocked_one_follows(account: Account) -> None:
    await account.sync(said("a", category_detailed="FOOD_AND_DRINK_COFFEE"))
    before = await one(account)
    await account.edit("a", lock=("merchant_name", "category"))

    await account.sync(said("a", **SAID))
    locked = await one(account)
    await account.edit("a", unlock=("merchant_name", "category"))
    await account.sync(said("a", **SAID))
    unlocked = await one(account)

    for name in ("merchant_name", "category", "category_detailed", "category_confidence"):
        assert locked[name] == before[name], name
    assert locked["description"] == "Blue Bottle SF"
    assert (unlocked["merchant_name"], unlocked["category_detailed"], unlocked["provenance"]) == ("Philz Coffee", "TRAVEL_FLIGHTS", {})


async def test_a_lock_keeps_a_name_that_there_is_not(account: Account) -> None:
    await account.sync(said("a", description="ATM 0042", original_description="ATM 0042"))
    assert (await one(account))["merchant_name"] is None
    await account.edit("a", lock=("merchant_name",))

    await account.sync(said("a", merchant_name="Philz Coffee"))

    assert (await one(account))["merchant_name"] is None


async def test_locking_what_the_user_set_keeps_whose_it_is(account: Account) -> None:
    await account.sync(said("a"))
    await account.edit("a", description="Breakfast")
    await account.edit("a", lock=("description",))

    entry = (await one(account))["provenance"]["description"]

    assert entry == {"by": "user", "at": NOW.isoformat(), "was": "Blue Bottle Coffee"}


async def test_what_is_known_of_a_merchant_is_told_from_what_the_bank_said(account: Account) -> None:
    from domains.transaction.rules import MerchantCategory, normalise_merchant

    known = {normalise_merchant("Zephyr Guild"): MerchantCategory("ENTERTAINMENT", None, None)}
    rows = [said("model", description="Zephyr Guild", original_description="ZEPHYR GUILD", merchant_name="Zephyr Guild")]
    rows.append(said("bank", category_detailed="TRAVEL_FLIGHTS"))
    async with account.db.write("transaction", account.viewer) as session:
        await apply_batch(session, [AccountBatch(account.id, "checking", "plaid", rows)], known)

    found = {name: (row["category"], row["provenance"]) for name, row in (await account.by_name()).items()}

    assert found == {"model": ("ENTERTAINMENT", {"category": {"by": "model"}}), "bank": ("TRAVEL", {})}


async def test_edits_stay_over_a_row_that_moves_posts_and_is_named_anew(account: Account) -> None:
    await account.sync(pending("p"))
    await account.edit("p", description="Breakfast", notes="mine", lock=("category",))

    await account.sync(said("q", "4.80", after(2), pending_transaction_id="p", **SAID), removed=["p"])
    await account.sync(said("r", "4.80", after(2), **SAID), removed=["q"])

    row = await one(account)
    assert (row["provider_transaction_id"], row["description"], row["notes"]) == ("r", "Breakfast", "mine")
    assert row["category_detailed"] != "TRAVEL_FLIGHTS"


async def test_a_user_who_edits_while_a_sync_writes_loses_nothing_and_neither_does_the_bank(db: Db, account: Account) -> None:
    """Two connections: whoever comes second waits, and sees what the first one did. Both orders."""
    await account.sync(said("a"), pending("p", "9.00"))
    ids = {name: row["id"] for name, row in (await account.by_name()).items()}
    batch = [said("a", "5.00", **SAID), said("q", "9.90", after(1), pending_transaction_id="p")]

    async def edit(name: str, gate: asyncio.Event, done: asyncio.Event) -> None:
        async with db.write("transaction", account.viewer) as session:
            await batches.lock_user(session)
            gate.set()
            command = UpdateTransaction(ids[name], description=f"mine {name}", notes="n", category="TRAVEL")
            await update_transaction(session, command, NOW)
            await asyncio.wait({asyncio.ensure_future(done.wait())}, timeout=0.3)

    async def sync(gate: asyncio.Event) -> None:
        await gate.wait()
        async with db.write("transaction", account.viewer) as session:
            await apply_batch(session, [AccountBatch(account.id, "checking", "plaid", batch, ["p"])], {}, after(1))

    first, done = asyncio.Event(), asyncio.Event()
    await asyncio.gather(edit("a", first, done), sync(first))
    await account.edit("q", description="mine p", notes="n", category="TRAVEL")
    again = asyncio.Event()
    again.set()
    await asyncio.gather(sync(again), edit("p", asyncio.Event(), done))

    rows = await account.by_name()
    assert {
        name: (row["id"], str(row["amount"]), row["description"], row["notes"], row["user_category"]) for name, row in rows.items()
    } == {
        "a": (ids["a"], "5.0000", "mine a", "n", "TRAVEL"),
        "q": (ids["p"], "9.9000", "mine p", "n", "TRAVEL"),
    }
    assert rows["a"]["provenance"]["description"]["was"] == "Blue Bottle SF"


async def test_two_syncs_at_once_store_everything_once(db: Db, account: Account) -> None:
    rows = [said(f"t{n}", f"{n + 1}.00", after(-n)) for n in range(50)]

    applied = await asyncio.gather(*(account.sync(*rows) for _ in range(4)))

    assert sorted(each.added for each in applied) == [0, 0, 0, 50]
    assert len(await account.by_name()) == 50
    assert await account.version() == 1


async def test_the_months_of_days_are_right_when_nothing_else_is(account: Account) -> None:
    """A note moves no sum: the ledger keeps its version."""
    await account.sync(said("a"))

    await account.edit("a", notes="mine", description="Breakfast", lock=("category",))

    assert await account.version() == 1
    assert (await one(account))["transaction_date"] == DAY
