"""Strict readers: what they let through, as it comes out, and that what they refuse is named and never quoted."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.bank.providers import reading, strict_json
from domains.bank.providers.errors import ProviderGarbled
from domains.core.money import fits

TODAY = date(2026, 11, 22)


def refused(read: Callable[..., object], value: object, **options: Any) -> None:
    with pytest.raises(ProviderGarbled) as garbled:
        read(value, "accounts[3].name", **options)
    assert garbled.value.detail == "ACCOUNTS_3__NAME"
    assert garbled.value.__cause__ is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Greenleaf Market", "Greenleaf Market"),
        ("  two\t\n words\r\n ", "two words"),
        ("Cafe\u0301", "Café"),
        ("a\x00b\x1b[31m", "a b [31m"),
        ("\u202egnp.exe", "gnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("half \ud83d of one", "half of one"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
        ("no\u00a0break\u2028line", "no break line"),
        ("x" * 10_000, "x" * 255),
        ("ab " * 500, ("ab " * 85).rstrip()),
    ],
)
def test_text_is_one_line_of_what_can_be_shown(value: str, shown: str) -> None:
    assert reading.text(value, "name") == shown


@pytest.mark.parametrize("value", [None, "", "  ", "\x00\u200b", 5, True, ["a"], {}])
def test_text_that_is_none_is_refused(value: object) -> None:
    refused(reading.text, value)


def test_optional_text_may_be_missing_or_empty_and_is_still_a_text() -> None:
    assert [reading.optional_text(each, "name") for each in (None, "", " \n", "a")] == [None, None, None, "a"]
    refused(reading.optional_text, 5)


@given(st.text(alphabet=st.characters(), max_size=400), st.integers(1, 50))
def test_whatever_is_read_can_be_kept_and_is_read_the_same_again(value: str, at_most: int) -> None:
    shown = reading.optional_text(value, "name", at_most)

    if shown is not None:
        assert 0 < len(shown) <= at_most
        assert "\x00" not in shown
        shown.encode()
        assert reading.optional_text(shown, "name", at_most) == shown


@pytest.mark.parametrize("value", ["a", "x" * 255, "Tx 1/2", "ключ"])
def test_an_identifier_is_taken_exactly(value: str) -> None:
    assert reading.identifier(value, "id") == value
    assert reading.optional_identifier(value, "id") == value


@pytest.mark.parametrize("value", ["x" * 256, " ", "a\x00", "a\nb", "\ud83d", 17, True, {}])
def test_an_identifier_is_never_cut_nor_mended(value: object) -> None:
    refused(reading.identifier, value)
    refused(reading.optional_identifier, value)


def test_an_identifier_may_be_missing_where_that_is_said() -> None:
    assert (reading.optional_identifier(None, "id"), reading.optional_identifier("", "id")) == (None, None)
    refused(reading.identifier, None)
    refused(reading.identifier, "")


def test_words() -> None:
    assert reading.word("FOOD_AND_DRINK_COFFEE", "x") == "FOOD_AND_DRINK_COFFEE"
    assert reading.optional_word("UK.OBIE.IBAN", "x") == "UK.OBIE.IBAN"
    assert reading.optional_word(None, "x") is None
    for value in ("two words", "x" * 101, "<b>", 1, "é"):
        refused(reading.word, value)
        refused(reading.optional_word, value)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("0.1", "0.1"),
        ("1234567.89", "1234567.89"),
        ("1e-2", "0.01"),
        ("-100.10", "-100.10"),
        ("+5", "5"),
        ("999999999999999.9999", "999999999999999.9999"),
        ("1E+2", "100"),
        ("1.50000", "1.50000"),
        ("45.980000000000004", "45.9800"),
        ("-89.40000000000001", "-89.4000"),
        ("0", "0"),
    ],
)
def test_amounts_as_a_text_and_as_a_number(value: str, amount: str) -> None:
    assert str(reading.amount(value, "amount")) == amount
    if value[0] != "+":
        assert str(reading.amount(strict_json.parse(value.encode()), "amount")) == amount


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "1,5",
        "1 000",
        "0x10",
        "1_000",
        "٣",
        ".5",
        "5.",
        "NaN",
        "Infinity",
        "1e999",
        "1e15",
        "1000000000000000",
        "0.00001",
        "1.23456",
        "1" * 65,
        0.1,
        True,
        [],
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1e300"),
    ],
)
def test_what_is_no_amount(value: object) -> None:
    refused(reading.amount, value)
    if value is not None:
        refused(reading.optional_amount, value)


def test_an_amount_may_be_missing_where_that_is_said() -> None:
    assert reading.optional_amount(None, "amount") is None


@given(st.decimals(min_value=Decimal("-999999999999999"), max_value=Decimal("999999999999999"), places=4))
def test_every_amount_that_can_be_stored_is_read_to_the_last_digit(amount: Decimal) -> None:
    assert reading.amount(str(amount), "amount") == amount
    assert reading.amount(strict_json.parse(format(amount, "f").encode()), "amount") == amount


@given(st.text(alphabet="0123456789.eE+-", max_size=30))
def test_whatever_is_read_as_an_amount_can_be_stored(value: str) -> None:
    try:
        amount = reading.amount(value, "amount")
    except ProviderGarbled:
        return

    assert fits(amount)
    assert abs(amount - Decimal(value)) < Decimal("0.000000001")


@pytest.mark.parametrize(("value", "number"), [(7, 7), ("7", 7), ("-3", -3), (-(2**31) + 1, -(2**31) + 1)])
def test_whole_numbers(value: object, number: int) -> None:
    assert reading.whole(value, "scale") == number


@pytest.mark.parametrize("value", [None, "", "1.0", Decimal("1.0"), True, 2**31, "99999999999", "٣", 1.0])
def test_what_is_no_whole_number(value: object) -> None:
    refused(reading.whole, value)


def test_flags() -> None:
    assert (reading.flag(True, "x"), reading.flag(False, "x")) == (True, False)
    for value in (None, 0, 1, "true"):
        refused(reading.flag, value)


@pytest.mark.parametrize("value", ["1970-01-01", "2026-11-22", "2028-12-31"])
def test_days(value: str) -> None:
    assert reading.day(value, "date", TODAY) == date.fromisoformat(value)


@pytest.mark.parametrize(
    "value",
    [
        "1969-12-31",
        "1800-01-01",
        "2029-01-01",
        "9999-12-31",
        "2026-02-30",
        "20261122",
        "2026-W47-7",
        "2026-1-2",
        "2026-11-22T00:00:00",
        "",
        20261122,
    ],
)
def test_what_is_no_day(value: object) -> None:
    refused(reading.day, value, today=TODAY)
    refused(reading.optional_day, value, today=TODAY)


def test_without_a_today_it_is_the_machines() -> None:
    this_year = datetime.now(UTC).year

    assert reading.day(f"{this_year + 2}-12-31", "date").year == this_year + 2
    refused(reading.day, f"{this_year + 3}-01-02")
    assert reading.optional_day(None, "date") is None


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-11-22T10:43:07Z", datetime(2026, 11, 22, 10, 43, 7, tzinfo=UTC)),
        ("2026-11-22T10:43:07+02:00", datetime(2026, 11, 22, 8, 43, 7, tzinfo=UTC)),
        ("2026-11-22T10:43:07-0530", datetime(2026, 11, 22, 16, 13, 7, tzinfo=UTC)),
        ("2026-11-22T10:43:07.5Z", datetime(2026, 11, 22, 10, 43, 7, 500_000, tzinfo=UTC)),
        ("2026-11-22T10:43:07.123456789+00:00", datetime(2026, 11, 22, 10, 43, 7, 123_456, tzinfo=UTC)),
        ("2026-11-22 10:43:07", datetime(2026, 11, 22, 10, 43, 7, tzinfo=UTC)),
    ],
)
def test_instants(value: str, at: datetime) -> None:
    assert reading.instant(value, "at", TODAY) == at
    assert reading.instant(value, "at", TODAY).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-22",
        "2026-11-22T25:00:00Z",
        "2026-11-22T10:43Z",
        "1800-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "2026-11-22T10:43:07+99:00",
        1_790_000_000,
        "",
    ],
)
def test_what_is_no_instant(value: object) -> None:
    refused(reading.instant, value, today=TODAY)
    refused(reading.optional_instant, value, today=TODAY)


def test_currencies() -> None:
    assert (reading.currency("USD", "x"), reading.currency("eur", "x")) == ("USD", "EUR")
    for value in (None, "", "US", "USDT", "U$D", "ÄÖÜ", 840):
        refused(reading.currency, value)


def test_only_addresses_that_a_page_may_load() -> None:
    assert reading.optional_url("https://logos.example/a.png?x=1", "logo") == "https://logos.example/a.png?x=1"
    others = (
        None,
        "",
        "http://logos.example/a.png",
        "javascript:alert(1)",
        "https://a b",
        "https://é",
        "https://a/" + "x" * 2000,
        "https://\n",
    )
    assert [reading.optional_url(each, "logo") for each in others] == [None] * len(others)
    refused(reading.optional_url, 5)


def test_objects_and_lists() -> None:
    assert reading.record({"a": 1}, "x") == {"a": 1}
    assert reading.member({"a": 1}, "a") == 1
    assert reading.member({"a": 1}, "b") is None
    assert (reading.items([1, 2], "x"), reading.items(None, "x")) == ([1, 2], [])
    no_objects: list[object] = [None, [], "a", 1]
    no_lists: list[object] = [{}, "ab", 1]
    for value in no_objects:
        refused(reading.record, value)
    for value in no_lists:
        refused(reading.items, value)
    refused(reading.items, [1, 2, 3], at_most=2)


def test_the_member_of_what_is_no_object_is_refused_by_the_objects_path() -> None:
    with pytest.raises(ProviderGarbled) as garbled:
        reading.member([], "name", "accounts[0]")

    assert garbled.value.detail == "ACCOUNTS_0_"
