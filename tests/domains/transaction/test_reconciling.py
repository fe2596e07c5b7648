"""What a bank names anew, takes back, does not list any more, or says twice."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, update

from db.transaction.models import monthly_category_summary
from domains.transaction.service.apply_batch import AccountBatch, Applied, apply_batch
from tests.domains.transaction.ledger import DAY, Account, after, pending, said

NOTE = "mine"
WINDOW = (after(-5), after(6))


async def note(account: Account, *names: str) -> dict[str, Any]:
    """A note on each of these, that tells which it was; answers the ids by name."""
    return {name: await account.edit(name, notes=f"{NOTE} {name}") for name in names}


async def notes(account: Account) -> dict[str, str | None]:
    return {name: row["notes"] for name, row in (await account.by_name()).items()}


# Other names


async def test_a_bank_that_is_linked_anew_and_names_everything_anew_finds_its_old_rows(account: Account) -> None:
    days = [said(f"old-{n}", f"{n % 3 + 1}.00", after(-(n // 4))) for n in range(40)]
    await account.sync(*days)
    ids = await note(account, "old-0", "old-17", "old-39")
    before = {row["id"] for row in await account.rows()}
    window = (after(-20), after(1))

    renamed = [said(f"new-{n}", f"{n % 3 + 1}.00", after(-(n // 4))) for n in range(40)]
    applied = await account.sync(*renamed, window=window)

    assert (applied.added, applied.removed, applied.suggested) == (0, 0, 0)
    rows = await account.by_name()
    assert set(rows) == {f"new-{n}" for n in range(40)}
    assert {row["id"] for row in rows.values()} == before
    kept = {row["id"]: row["notes"] for row in rows.values() if row["notes"]}
    assert kept == {ids[name]: f"{NOTE} {name}" for name in ids}
    version = await account.version()
    again = await account.sync(*renamed, window=window)
    assert (again.unchanged, await account.version()) == (40, version)


async def test_a_row_of_another_name_with_other_words_of_the_same_kind_is_the_same_one(account: Account) -> None:
    await account.sync(said("a", original_description="BLUE BOTTLE COFFEE OAKLAND 4711"))
    ids = await note(account, "a")

    await account.sync(said("b", original_description="Blue Bottle Coffee #12 San Francisco"), removed=["a"])

    assert {name: row["id"] for name, row in (await account.by_name()).items()} == {"b": ids["a"]}


async def test_a_row_of_another_name_with_quite_other_words_is_another_one(account: Account) -> None:
    await account.sync(said("a"))

    applied = await account.sync(said("b", original_description="PARKING GARAGE"), removed=["a"])

    assert (applied.added, applied.removed) == (1, 1)


async def test_an_old_name_that_comes_back_is_the_same_row(account: Account) -> None:
    await account.sync(said("a"))
    ids = await note(account, "a")
    await account.sync(said("b"), removed=["a"])

    await account.sync(said("a"), removed=["b"])
    late = await account.sync(said("b"))

    assert {name: row["id"] for name, row in (await account.by_name()).items()} == {"a": ids["a"]}
    assert late.unchanged == 1


async def test_a_renumbered_day_never_rewrites_other_rows(account: Account) -> None:
    """A bank that numbers the rows of a day: one comes in at the top, and every name stands for the next row's movement."""
    shops = {"bakery": "3.10", "cinema": "18.00", "grocer": "44.20"}
    words = {name: {"description": name.title(), "original_description": name.upper()} for name in (*shops, "dentist")}
    day = [said(f"day-{n}", amount, **words[name]) for n, (name, amount) in enumerate(shops.items())]
    await account.sync(*day)
    ids = await note(account, "day-0", "day-1", "day-2")

    shifted = {"dentist": "90.00", **shops}
    applied = await account.sync(*[said(f"day-{n}", amount, **words[name]) for n, (name, amount) in enumerate(shifted.items())])

    told = {row["description"]: (row["id"], row["notes"], str(row["amount"])) for row in await account.rows()}
    assert told == {
        "Dentist": (told["Dentist"][0], None, "90.0000"),
        "Bakery": (ids["day-0"], "mine day-0", "3.1000"),
        "Cinema": (ids["day-1"], "mine day-1", "18.0000"),
        "Grocer": (ids["day-2"], "mine day-2", "44.2000"),
    }
    assert (applied.added, applied.updated) == (1, 3)
    assert {name: which for name, (which, is_old) in (await account.names()).items() if not is_old} == {
        "day-0": told["Dentist"][0],
        "day-1": ids["day-0"],
        "day-2": ids["day-1"],
        "day-3": ids["day-2"],
    }


async def test_a_row_that_is_only_amended_keeps_its_name_whatever_else_it_looks_like(account: Account) -> None:
    """Its amount becomes that of another row of the day, which becomes something else: names stand."""
    await account.sync(said("a", "1.00"), said("b", "2.00"))
    ids = await note(account, "a", "b")

    await account.sync(said("a", "2.00"), said("b", "3.00"))

    assert {name: row["id"] for name, row in (await account.by_name()).items()} == ids


# What is gone


async def test_a_listing_of_a_window_takes_back_what_it_leaves_out_and_nothing_outside(account: Account) -> None:
    first, end = WINDOW
    days = {"before": first - timedelta(days=1), "first": first, "last": end - timedelta(days=1), "end": end}
    await account.sync(*[said(name, str(n + 1), day) for n, (name, day) in enumerate(days.items())])

    applied = await account.sync(said("first", "2", first), window=WINDOW)

    assert set(await account.by_name()) == {"before", "first", "end"}
    assert (applied.removed, applied.unchanged) == (1, 1)
    assert await account.spent() == Decimal(7)


async def test_a_listing_takes_back_nothing_that_a_statement_file_brought(account: Account) -> None:
    file = Account(account.db, account.viewer, account.id, "file")
    await file.sync(said("f"))
    await account.sync(said("p", "9.00"))

    applied = await account.sync(said("p", "9.00"), window=WINDOW)
    named = await account.sync(removed=["f"])

    assert (applied.removed, named.removed) == (0, 0)
    assert set(await account.by_name()) == {"f", "p"}


EDITS: list[dict[str, Any]] = [
    {"notes": NOTE},
    {"tags": ["one"]},
    {"category": "TRAVEL"},
    {"merchant_name": "The café"},
    {"lock": ("category",)},
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: next(iter(edit)))
async def test_what_its_owner_edited_and_the_bank_took_back_waits_for_their_word(account: Account, edit: dict[str, Any]) -> None:
    await account.sync(said("a"))
    which = await account.edit("a", **edit)

    applied = await account.sync(removed=["a"])
    state = await account.state()
    again = await account.sync(removed=["a"])

    assert (applied.removed, applied.suggested, again.suggested) == (0, 1, 0)
    assert await account.reviews() == [("removal", "suggested", which, None)]
    assert await account.told() == {"a": ("4.5", DAY, "posted")}
    assert await account.state() == state


async def test_an_edited_pending_row_that_the_bank_took_back_counts_no_more_meanwhile(account: Account) -> None:
    await account.sync(pending("a"))
    which = await account.edit("a", notes=NOTE)

    applied = await account.sync(removed=["a"])

    assert (applied.cancelled, applied.suggested) == (1, 1)
    assert await account.told() == {"a": ("4.5", DAY, "cancelled")}
    assert await account.reviews() == [("removal", "suggested", which, None)]


async def test_what_the_bank_has_again_is_asked_about_no_more(account: Account) -> None:
    await account.sync(said("a"), pending("b", "7.00"))
    ids = await note(account, "a", "b")
    await account.sync(removed=["a", "b"])

    await account.sync(said("a"), pending("b", "7.00"))

    assert await account.reviews() == []
    assert await account.told() == {"a": ("4.5", DAY, "posted"), "b": ("7", DAY, "pending")}
    assert {name: row["id"] for name, row in (await account.by_name()).items()} == ids


# Again and again


async def batches_of(account: Account) -> list[dict[str, Any]]:
    """A life: each is what one sync says."""
    first = [said(f"r{n}", f"{n + 1}.00", after(-n)) for n in range(8)]
    return [
        {"rows": [*first, pending("p1", "12.00"), pending("p2", "20.00"), pending("p3", "5.00", after(-1))]},
        {"rows": [said("q1", "12.00", after(1), pending_transaction_id="p1"), said("r3", "40.00", after(-3))], "removed": ["p1", "r5"]},
        {"rows": [said("q2", "23.00", after(1))], "removed": ["p2"]},
        {"rows": [said("q3", "5.00", after(2))], "removed": ["p3"]},
        {"rows": [said("s0", "1.00", DAY), said("r1", "2.00", date(2026, 2, 27))], "removed": ["r0"]},
        {"rows": [said("s0", "1.00", DAY), said("q1", "12.00", after(1), pending_transaction_id="p1")], "window": (DAY, after(4))},
    ]


async def test_the_replay_of_any_batch_changes_nothing(account: Account) -> None:
    for number, batch in enumerate(await batches_of(account)):
        rows = batch.pop("rows")
        await account.sync(*rows, **batch, today=after(3))
        state = await account.state()

        again = await account.sync(*rows, **batch, today=after(3))
        shuffled = await account.sync(*reversed(rows), *rows, **batch, today=after(3))

        for each in (again, shuffled):
            assert (each.added, each.updated, each.removed, each.cancelled, each.suggested, each.months) == (0, 0, 0, 0, 0, set()), number
        assert await account.state() == state, number


async def test_a_row_that_is_given_twice_in_a_batch_counts_once_as_it_was_said_last(account: Account) -> None:
    applied = await account.sync(said("a", "1.00"), said("b"), said("a", "2.00"))

    assert applied.added == 2
    assert (await account.told())["a"] == ("2", DAY, "posted")


async def test_what_the_bank_says_of_place_and_logo_and_how_sure_it_is_is_kept(account: Account) -> None:
    location = {
        "address": "1 Main St",
        "city": "Oakland",
        "region": "CA",
        "postal_code": "94607",
        "country": "us",
        "lat": "37.8044",
        "lon": "-122.2712",
    }
    more = {
        "merchant_logo_url": "https://logo.example/b.png",
        "category_detailed": "TRAVEL_FLIGHTS",
        "category_confidence": Decimal("0.99"),
    }

    await account.sync(said("a", location=location, **more))

    [row] = await account.rows()
    assert [row[f"location_{name}"] for name in ("address", "city", "region", "postal_code", "country")] == [
        "1 Main St",
        "Oakland",
        "CA",
        "94607",
        "US",
    ]
    assert (row["location_lat"], row["location_lon"]) == (Decimal("37.80440000"), Decimal("-122.27120000"))
    assert (row["merchant_logo_url"], row["category_detailed"], row["category_confidence"]) == (
        "https://logo.example/b.png",
        "TRAVEL_FLIGHTS",
        Decimal("0.99"),
    )


# Closed months


async def test_a_frozen_month_takes_no_row_gives_none_back_and_none_moves_into_it_or_out(account: Account) -> None:
    march, april = DAY, date(2026, 4, 2)
    await account.sync(said("in", "3.00", march), said("out", "4.00", april))
    async with account.db.write("transaction", account.viewer) as session:
        of_march = monthly_category_summary.c.month == march.replace(day=1)
        await session.execute(update(monthly_category_summary).where(of_march).values(is_frozen=True))
    state = await account.state()

    removed = await account.sync(removed=["in"])
    listed = await account.sync(window=(march, after(1)))
    added = await account.sync(said("new", "9.00", march))
    moved = await account.sync(said("in", "3.00", april), said("out", "4.00", march))

    assert [(each.removed, each.added, each.updated) for each in (removed, listed, added, moved)] == [(0, 0, 0)] * 4
    assert await account.state() == state


# Speed


def years(count: int, prefix: str = "t") -> list[Any]:
    return [
        said(f"{prefix}{n}", f"{n % 90 + 1}.00", DAY - timedelta(days=n % 700), original_description=f"SHOP {n % 40} X")
        for n in range(count)
    ]


async def counted(account: Account, rows: list[Any], **more: Any) -> tuple[Applied, int]:
    """A batch, and how many statements it took."""
    seen: list[str] = []
    async with account.db.write("transaction", account.viewer) as session:
        connection = await session.connection()
        event.listen(connection.sync_connection, "before_cursor_execute", lambda *given: seen.append(given[2]))
        applied = await apply_batch(session, [AccountBatch(account.id, "checking", "plaid", rows, **more)], {}, after(1))
    return applied, len(seen)


async def test_fifty_thousand_rows_take_a_bounded_number_of_statements(account: Account) -> None:
    window = (DAY - timedelta(days=800), after(2))

    added, of_new = await counted(account, years(50_000))
    again, of_known = await counted(account, years(50_000), window=window)
    renamed, of_renamed = await counted(account, years(50_000, "u"), window=window)

    assert (added.added, again.unchanged, renamed.updated) == (50_000, 50_000, 50_000)
    assert (renamed.added, renamed.removed) == (0, 0)
    assert of_new <= 60
    assert of_known <= 20
    assert of_renamed <= 120
