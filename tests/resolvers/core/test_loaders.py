"""Loaders and reads of one operation: batched, opened once, given back whatever happens."""

import asyncio

import pytest

from db.errors import NoViewer
from resolvers.errors import Unauthenticated
from resolvers.loaders import Page, arrange, get_loader
from tests.resolvers.core.toy import ALICE, ENTRY_SORTS, EntryFilter, EntrySort, Household, ToyRead, context_of

POTS = get_loader("pots.by_id")


def key(household: Household, number: int) -> str:
    return str(household.tables["pots"][number]["id"])


async def test_keys_of_one_moment_are_one_statement_in_the_order_of_the_keys(household: Household) -> None:
    async with context_of(household) as context:
        wanted = [key(household, 2), "nothing", key(household, 0), key(household, 2)]
        rows = await asyncio.gather(*(context.loaders.load(POTS, each, ("name",)) for each in wanted))
        again = await context.loaders.load(POTS, key(household, 0), ("name",))

    assert [row and row["name"] for row in rows] == ["Pot 2", None, "Pot 0", "Pot 2"]
    assert again is rows[2]
    assert [keys for _, keys, _ in household.asked] == [(wanted[0], wanted[1], wanted[2])]


async def test_other_columns_and_other_pages_are_other_statements(household: Household) -> None:
    paged = get_loader("entries.page_by_person")
    async with context_of(household) as context:
        await context.loaders.load(POTS, key(household, 0), ("name",))
        await context.loaders.load(POTS, key(household, 0), ("name", "amount"))
        for first, chosen in ((1, None), (2, None), (1, EntryFilter(text="1")), (1, EntryFilter(text="2")), (1, EntryFilter(text="1"))):
            page = Page(first, None, chosen, EntrySort.NEWEST, ENTRY_SORTS[EntrySort.NEWEST])
            await context.loaders.load(paged, str(ALICE), ("note",), page)

    assert len(household.asked) == 6


async def test_all_loaders_share_a_read_per_database(household: Household) -> None:
    async with context_of(household) as context:
        first, second = await asyncio.gather(context.reads.of("pots"), context.reads.of("people"))

    assert first is second
    assert (household.opened, household.closed) == (1, 1)


async def test_a_read_that_cannot_be_opened_is_not_tried_again(household: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    household.failing["pots"] = NoViewer()
    async with context_of(household) as context:
        for _ in range(2):
            with pytest.raises(NoViewer):
                await context.reads.of("pots")
        household.failing.clear()
        await context.start_over()
        with pytest.raises(NoViewer):
            await context.reads.of("pots")
        await context.reset_reads()
        assert isinstance(await context.reads.of("pots"), ToyRead)


async def test_after_a_mutation_everything_is_read_anew(household: Household) -> None:
    async with context_of(household) as context:
        before = await context.loaders.load(POTS, key(household, 0), ("name",))
        household.tables["pots"][0]["name"] = "Renamed"
        cached = await context.loaders.load(POTS, key(household, 0), ("name",))
        await context.reset_reads()
        after = await context.loaders.load(POTS, key(household, 0), ("name",))

    assert (before["name"], cached["name"], after["name"]) == ("Pot 0", "Pot 0", "Renamed")
    assert (household.opened, household.closed) == (2, 2)


async def test_a_failed_operation_rolls_its_reads_back(household: Household) -> None:
    with pytest.raises(ZeroDivisionError):
        async with context_of(household) as context:
            await context.reads.of("pots")
            raise ZeroDivisionError

    assert (household.closed, household.abandoned) == (0, 1)


async def test_every_read_is_given_back_though_one_fails_to_close(household: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    household.split = True
    closed: list[ToyRead] = []

    async def close(self: ToyRead) -> None:
        closed.append(self)
        if len(closed) == 1:
            raise OSError("lost")

    monkeypatch.setattr(ToyRead, "close", close)
    with pytest.raises(OSError, match="lost"):
        async with context_of(household) as context:
            await context.reads.of("pots")
            await context.reads.of("people")

    assert len(closed) == 2


async def test_what_still_loads_at_the_end_is_stopped_first(household: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    async def slow(self: Household, domain: str, viewer: object, *, fresh: bool) -> ToyRead:
        try:
            await asyncio.sleep(60)
        finally:
            order.append("stopped")
        raise AssertionError("not stopped")

    monkeypatch.setattr(Household, "open_read", slow)
    async with context_of(household) as context:
        loading = asyncio.ensure_future(context.loaders.load(POTS, key(household, 0), ("name",)))
        await asyncio.sleep(0.01)
    order.append("closed")

    assert order == ["stopped", "closed"]
    loading.cancel()


async def test_signed_out_there_is_no_viewer(household: Household) -> None:
    async with context_of(household, None) as context:
        with pytest.raises(Unauthenticated):
            _ = context.required_viewer
    async with context_of(household) as context:
        assert context.required_viewer.user_id == ALICE
        assert context.fresh().viewer is context.viewer


def test_rows_are_arranged_by_shape() -> None:
    rows = [("a", 1), ("b", 2), ("a", 3)]

    assert arrange("many", ["b", "x", "a"], rows) == [[("b", 2)], [], [("a", 1), ("a", 3)]]
    assert arrange("one", ["b", "x"], rows) == [("b", 2), None]
    assert arrange("count", ["b", "x"], rows) == [2, 0]


async def test_a_waiter_that_is_cancelled_leaves_the_row_to_the_others(household: Household) -> None:
    """graphql-core cancels what is beside a field that failed; the same row may be awaited elsewhere in the operation."""
    async with context_of(household) as context:
        first, second = (asyncio.ensure_future(context.loaders.load(POTS, key(household, 0), ("name",))) for _ in range(2))
        first.cancel()
        row = await second

    assert first.cancelled()
    assert row["name"] == "Pot 0"
