"""Scalars: what comes in is strict, what goes out loses nothing."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from domains.core import currencies
from resolvers.scalars import (
    JSON_BYTES_AT_MOST,
    JSON_DEPTH_AT_MOST,
    format_amount,
    parse_currency,
    parse_date,
    parse_date_time,
    parse_decimal,
    parse_json,
    parse_local_time,
    serialize_currency,
    serialize_date,
    serialize_date_time,
    serialize_decimal,
    serialize_local_time,
)


@pytest.mark.parametrize("text", ["0", "-0.5", "12.34", "999999999999999.9999", "1234567890123456789", "-0.0001"])
def test_a_plain_decimal_string_is_read_exactly(text: str) -> None:
    assert parse_decimal(text) == Decimal(text)


@pytest.mark.parametrize(
    "value",
    [
        1,
        1.5,
        True,
        None,
        "",
        " 1",
        "1 ",
        "1_000",
        "1e3",
        "1E+400000",
        "NaN",
        "Infinity",
        "+1",
        "01",
        ".5",
        "5.",
        "1.23456",
        "12345678901234567890",
        "1234567890123456789.1234",
        "١٢",
        "1,5",
        "0x1",
        "--1",
        "1\n",
    ],
)
def test_anything_else_is_no_decimal(value: object) -> None:
    with pytest.raises(GraphQLError):
        parse_decimal(value)


def test_a_decimal_leaves_without_exponent_and_text_of_a_row_as_it_is() -> None:
    assert serialize_decimal(Decimal("1E+3")) == "1000"
    assert serialize_decimal("12.3400") == "12.3400"


@pytest.mark.parametrize("value", [1.5, 3, None, Decimal("NaN"), Decimal("Infinity")])
def test_what_is_not_an_exact_decimal_does_not_leave(value: object) -> None:
    with pytest.raises(TypeError):
        serialize_decimal(value)


@pytest.mark.parametrize("value", ["2026-11-22T10:00:00", "20261122", "2026-W47-7", "2026-1-2", "2026-02-30", 20261122, "2026-11-22\n"])
def test_only_a_calendar_date_is_a_date(value: object) -> None:
    assert parse_date("2026-11-22") == date(2026, 11, 22)
    with pytest.raises(GraphQLError):
        parse_date(value)


def test_an_instant_is_read_into_utc_and_written_with_z() -> None:
    parsed = parse_date_time("2026-11-22T10:30:00.25+02:00")

    assert parsed == datetime(2026, 11, 22, 8, 30, 0, 250_000, tzinfo=UTC)
    assert serialize_date_time(parsed.astimezone(timezone(timedelta(hours=5)))) == "2026-11-22T08:30:00.250000Z"


@pytest.mark.parametrize(
    "value",
    ["2026-11-22T10:30:00", "2026-11-22 10:30:00Z", "2026-11-22T10:30Z", "2026-13-22T10:30:00Z", "0001-01-01T00:00:00+10:00", 5, None],
)
def test_an_instant_without_offset_or_calendar_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError):
        parse_date_time(value)


def test_dates_and_instants_are_not_taken_for_each_other() -> None:
    with pytest.raises(TypeError):
        serialize_date(datetime(2026, 11, 22, tzinfo=UTC))
    with pytest.raises(TypeError):
        serialize_date_time(date(2026, 11, 22))
    with pytest.raises(TypeError):
        serialize_date_time(datetime(2026, 11, 22))  # noqa: DTZ001 - that it is naive is the point


def test_a_time_of_day_is_read_and_written_in_hours_and_minutes() -> None:
    assert parse_local_time("09:05") == time(9, 5)
    assert parse_local_time("23:59") == time(23, 59)
    assert serialize_local_time(time(0, 0)) == "00:00"
    assert serialize_local_time(time(7, 30, 59)) == "07:30"
    assert serialize_local_time("07:30") == "07:30"


@pytest.mark.parametrize(
    "value", ["9:05", "24:00", "12:60", "12:30:00", "0900", "09:05Z", "09:05+01:00", " 09:05", "09:05\n", "٠٩:٠٥", 900, None]
)
def test_anything_else_is_no_time_of_day(value: object) -> None:
    with pytest.raises(GraphQLError):
        parse_local_time(value)


@pytest.mark.parametrize("value", [905, time(9, 5, tzinfo=UTC), datetime(2026, 11, 22, 9, 5, tzinfo=UTC), None])
def test_what_is_no_time_of_the_wall_clock_does_not_leave(value: object) -> None:
    with pytest.raises(TypeError):
        serialize_local_time(value)


def test_a_currency_is_known_when_it_comes_in_and_any_bank_s_when_it_leaves() -> None:
    assert parse_currency("EUR") == "EUR"
    assert serialize_currency("XXP") == "XXP"
    for value in ("eur", "XXP", "EURO", "", 978, None):
        with pytest.raises(GraphQLError):
            parse_currency(value)
    with pytest.raises(TypeError):
        serialize_currency(978)


@pytest.mark.parametrize(
    ("stored", "currency", "shown"),
    [
        ("12.3400", "USD", "12.34"),
        ("12.0000", "USD", "12.00"),
        ("-0.5000", "USD", "-0.50"),
        ("12.3456", "USD", "12.3456"),
        ("12.3450", "USD", "12.345"),
        ("12.0000", "JPY", "12"),
        ("12.5000", "JPY", "12.5"),
        ("12.3400", "KWD", "12.340"),
        ("12.3456", "CLF", "12.3456"),
        ("12.0000", "CLF", "12.0000"),
        ("12.3400", "XXP", "12.34"),
        ("100", "USD", "100.00"),
        ("1200", "JPY", "1200"),
        ("7.5", "EUR", "7.50"),
        ("12.345600", "USD", "12.3456"),
    ],
)
def test_an_amount_has_its_currency_s_digits_and_keeps_all_that_count(stored: str, currency: str, shown: str) -> None:
    assert format_amount(stored, currency) == shown


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=4), st.sampled_from([*currencies.DIGITS, "XXP"]))
def test_formatting_never_changes_an_amount(amount: Decimal, currency: str) -> None:
    shown = format_amount(f"{amount:.4f}", currency)

    assert Decimal(shown) == amount
    assert len(shown.partition(".")[2]) >= currencies.digits(currency)


def nested(depth: int) -> object:
    value: object = 1
    for level in range(depth):
        value = [value] if level % 2 else {"in": value}
    return value


@pytest.mark.parametrize("value", [None, True, 1, -1.5, "ä", [], {}, {"a": [1, {"b": None}]}, 2**63, nested(JSON_DEPTH_AT_MOST)])
def test_a_json_value_is_read_as_it_is(value: object) -> None:
    assert parse_json(value) == value


@pytest.mark.parametrize("length", [JSON_BYTES_AT_MOST - 2, JSON_BYTES_AT_MOST - 1])
def test_a_json_value_is_as_long_as_its_encoded_form(length: int) -> None:
    text = "x" * length

    if length + 2 <= JSON_BYTES_AT_MOST:
        assert parse_json(text) == text
    else:
        with pytest.raises(GraphQLError, match="bytes"):
            parse_json(text)


@pytest.mark.parametrize(
    "value",
    [nested(JSON_DEPTH_AT_MOST + 1), nested(500), 2**64, "\ud800", "a\0", 1e999, {"\0": 1}, [{"a": ["\0"]}], {"a": object()}],
)
def test_what_cannot_be_stored_is_no_json_value(value: object) -> None:
    with pytest.raises(GraphQLError):
        parse_json(value)
