"""Pages: arguments within bounds, cursors that hold only where they were made."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.errors import BadUserInput
from resolvers.paging import BY_ID, Paging, make_cursor, read_arguments, read_cursor
from tests.resolvers.core.toy import ENTRY_SORTS, SECRET, EntrySort

PAGING = Paging("Entry", ENTRY_SORTS)
VALUES = (date(2026, 3, 1), "some-id")


def read(cursor: str, sort: EntrySort = EntrySort.NEWEST, **changes: Any) -> tuple[Any, ...]:
    arguments = {"node_type": "Entry", "width": 2, "secret": SECRET} | changes
    return read_cursor(cursor, arguments["node_type"], sort, arguments["width"], arguments["secret"])


@given(
    st.lists(
        st.one_of(st.text(max_size=20), st.integers(-(2**53), 2**53), st.dates(), st.none(), st.datetimes(timezones=st.just(UTC))),
        min_size=1,
        max_size=3,
    )
)
def test_a_cursor_holds_its_values_with_their_types(values: list[Any]) -> None:
    cursor = make_cursor(values, "Entry", EntrySort.NEWEST, SECRET)

    found = read(cursor, width=len(values))

    assert found == tuple(values)
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    "changes",
    [{"sort": EntrySort.OLDEST}, {"node_type": "Other"}, {"secret": b"another install's"}, {"width": 3}],
)
def test_a_cursor_of_another_sort_type_or_install_is_refused(changes: dict[str, Any]) -> None:
    cursor = make_cursor(VALUES, "Entry", EntrySort.NEWEST, SECRET)

    with pytest.raises(BadUserInput) as refused:
        read(cursor, **changes)
    assert refused.value.extensions["argument"] == "after"


@given(st.integers(0, 200), st.characters(categories=("L", "N", "P")))
def test_a_cursor_with_one_character_changed_is_refused(at: int, character: str) -> None:
    cursor = make_cursor(VALUES, "Entry", EntrySort.NEWEST, SECRET)
    changed = cursor[: at % len(cursor)] + character + cursor[at % len(cursor) + 1 :]

    if changed == cursor:
        assert read(changed) == VALUES
    else:
        with pytest.raises(BadUserInput):
            read(changed)


@pytest.mark.parametrize("cursor", ["", "x", "%%%", "ü", "A" * 10_000, "bm90aGluZw=="])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadUserInput):
        read(cursor)


@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1])
def test_a_page_has_one_to_a_hundred_rows(first: int) -> None:
    with pytest.raises(BadUserInput):
        read_arguments(PAGING, {"first": first}, SECRET)


def test_what_is_left_out_or_null_has_its_default() -> None:
    for arguments in ({}, {"first": None, "after": None, "filter": None, "sort": None}):
        page = read_arguments(PAGING, arguments, SECRET)

        assert (page.first, page.after, page.filter, page.sort) == (20, None, None, EntrySort.NEWEST)
        assert page.order == ENTRY_SORTS[EntrySort.NEWEST]


def test_a_page_without_sorts_is_in_order_of_ids() -> None:
    page = read_arguments(Paging("Entry"), {"first": 100}, SECRET)

    assert (page.sort, page.order) == (None, BY_ID)


def test_a_row_that_cannot_be_a_cursor_is_a_bug() -> None:
    with pytest.raises(TypeError):
        make_cursor([datetime(2026, 1, 1, tzinfo=UTC), 1.5], "Entry", None, SECRET)
