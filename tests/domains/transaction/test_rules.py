"""What a user may write on a transaction."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.transaction.reference.categories import CATEGORIES
from domains.transaction.errors import CategoryNameInvalid, CategoryNameTaken, NotesTooLong, TagInvalid
from domains.transaction.rules import (
    check_category_name,
    check_name_is_free,
    check_notes,
    check_tags,
    is_category_id,
)


def test_tags_are_trimmed_and_kept_once_in_their_order() -> None:
    assert check_tags(["  trip ", "Work", "trip", "WORK", "a  b", "a b"]) == ["trip", "Work", "a b"]
    assert check_tags([]) == []
    assert check_tags(["cafe\u0301", "café"]) == ["café"]
    assert check_tags(["👩‍👩‍👧"]) == ["👩‍👩‍👧"]


@pytest.mark.parametrize("tag", ["", "   ", "x" * 51, "a\x00b", "\ud800"])
def test_a_tag_that_is_none_is_refused(tag: str) -> None:
    with pytest.raises(TagInvalid) as refused:
        check_tags(["fine", tag])

    assert (refused.value.code, refused.value.field) == ("TAG_INVALID", "tags")


def test_there_may_be_twenty_tags_of_fifty_characters() -> None:
    twenty = [f"{number:050d}" for number in range(20)]

    assert check_tags([*twenty, twenty[0]]) == twenty
    with pytest.raises(TagInvalid, match="20 tags"):
        check_tags([*twenty, "one more"])


@given(st.lists(st.text(max_size=60), max_size=25))
def test_checked_tags_pass_again_unchanged(tags: list[str]) -> None:
    try:
        checked = check_tags(tags)
    except TagInvalid:
        return

    assert check_tags(checked) == checked
    assert len(checked) <= 20


def test_notes_keep_their_lines_and_lose_outer_blanks() -> None:
    assert check_notes("  paid back\r\nby Sam\r ") == "paid back\nby Sam"
    assert check_notes("nul\x00 and bell\x07") == "nul and bell"
    assert check_notes(" \n ") is None
    assert check_notes(None) is None


def test_notes_have_two_thousand_characters_at_most() -> None:
    assert check_notes(" " + "é" * 2_000 + " ") == "é" * 2_000
    with pytest.raises(NotesTooLong) as refused:
        check_notes("é" * 2_001)

    assert (refused.value.code, refused.value.field) == ("NOTES_TOO_LONG", "notes")


def test_the_shape_of_category_ids() -> None:
    assert is_category_id("FOOD_AND_DRINK_GROCERIES")
    assert is_category_id("INCOME")
    assert not any(is_category_id(text) for text in ("", "food", "FOOD__DRINK", "FOOD_", "_FOOD", "FOOD DRINK", "ÄPFEL", "A" * 101, "A\n"))


@given(st.text(max_size=120))
def test_a_checked_name_of_a_category_passes_again_unchanged(name: str) -> None:
    try:
        checked = check_category_name(name)
    except CategoryNameInvalid:
        return

    assert check_category_name(checked) == checked
    assert 1 <= len(checked) <= 100


@pytest.mark.parametrize("beside", ["Straße", "STRASSE", "strasse"])
def test_letter_case_makes_no_other_name(beside: str) -> None:
    with pytest.raises(CategoryNameTaken):
        check_name_is_free("Strasse", ["Other", beside])
    check_name_is_free("Strasse 2", ["Other", beside])


@given(st.uuids())
def test_no_id_of_an_own_category_has_the_shape_of_a_default_ones(own: UUID) -> None:
    assert not is_category_id(str(own))


def test_every_default_category_has_the_shape_of_one() -> None:
    assert [each.id for each in CATEGORIES if not is_category_id(each.id)] == []
