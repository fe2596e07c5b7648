"""Scalars of the contract, stricter than Strawberry's own, and Money.

Decimal       a string in and out: finite, at most 19 digits of them at most 4 after the point, no exponent.
Date          "YYYY-MM-DD", nothing else.
DateTime      an instant: RFC 3339 with an offset in, UTC with "Z" out.
LocalTime     a time of day by the wall clock, "HH:MM" of 24 hours, nothing else.
CurrencyCode  ISO 4217, upper case; only known ones in.
JSON          any JSON value; in, of bounded size and depth, and of what PostgreSQL can store.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import NewType

import orjson
import strawberry
from graphql import GraphQLError
from strawberry.federation.schema_directives import Cost
from strawberry.types.scalar import ScalarDefinition

from domains.core import currencies

MAX_DIGITS = 19
MAX_FRACTION_DIGITS = 4

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,4})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII)
_LOCAL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)

#: Of a JSON value that a client sends: bytes when encoded, and how deep arrays and objects may lie in one another.
JSON_BYTES_AT_MOST = 16_384
JSON_DEPTH_AT_MOST = 8

CurrencyCode = NewType("CurrencyCode", str)
JSON = NewType("JSON", object)


def parse_decimal(value: object) -> Decimal:
    """Errors: GraphQLError for anything but a plain decimal string of bounded digits."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise GraphQLError('A Decimal is a string such as "12.34": at most 19 digits, 4 of them after the point, no exponent.')
    if sum(character.isdigit() for character in value) > MAX_DIGITS:
        raise GraphQLError("A Decimal has at most 19 digits.")
    return Decimal(value)


def serialize_decimal(value: object) -> str:
    """Text from a row passes as it is. Errors: TypeError for what is not exact."""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} is not an exact decimal")


def parse_date(value: object) -> date:
    """Errors: GraphQLError."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise GraphQLError("There is no such date in the calendar.") from None
    raise GraphQLError('A Date is a string such as "2026-11-22".')


def serialize_date(value: object) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not a date")


def parse_date_time(value: object) -> datetime:
    """The instant in UTC. Errors: GraphQLError."""
    if isinstance(value, str) and _DATE_TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            raise GraphQLError("There is no such instant in the calendar.") from None
    raise GraphQLError('A DateTime is a string such as "2026-11-22T14:30:00Z"; its offset is required.')


def serialize_date_time(value: object) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} is not an instant")


def parse_local_time(value: object) -> time:
    """Errors: GraphQLError."""
    if isinstance(value, str) and _LOCAL_TIME.fullmatch(value):
        return time.fromisoformat(value)
    raise GraphQLError('A LocalTime is a string such as "09:00": hours and minutes of a day of 24 hours.')


def serialize_local_time(value: object) -> str:
    """Text from a row passes as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, time) and value.tzinfo is None:
        return value.isoformat("minutes")
    raise TypeError(f"{type(value).__name__} is not a time of day")


def parse_currency(value: object) -> str:
    """Errors: GraphQLError."""
    if isinstance(value, str) and currencies.is_known(value):
        return value
    raise GraphQLError('A CurrencyCode is an ISO 4217 code such as "EUR".')


def serialize_currency(value: object) -> str:
    """A code that a bank uses passes, known or not."""
    if isinstance(value, str):
        return value
    raise TypeError(f"{type(value).__name__} is not a currency code")


def parse_json(value: object) -> object:
    """A value that can be stored as it is. Errors: GraphQLError."""
    if _is_deeper(value, JSON_DEPTH_AT_MOST):
        raise GraphQLError(f"A JSON value is at most {JSON_DEPTH_AT_MOST} arrays and objects deep.")
    try:
        encoded = orjson.dumps(value)
    except TypeError:  # whole numbers beyond 64 bits, halves of surrogate pairs
        raise GraphQLError("A JSON value has whole numbers of at most 64 bits, and text of whole characters.") from None
    if len(encoded) > JSON_BYTES_AT_MOST:
        raise GraphQLError(f"A JSON value has at most {JSON_BYTES_AT_MOST} bytes.")
    if not _is_storable(value):
        raise GraphQLError("A JSON value has finite numbers, and no null character in its text.")
    return value


def _is_deeper(value: object, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_is_deeper(each, depth - 1) for each in inner)


def _is_storable(value: object) -> bool:
    """PostgreSQL has no null character, JSON no infinity (`1e999` in a document). Only of what `_is_deeper` has bounded."""
    match value:
        case str():
            return "\0" not in value
        case float():
            return isfinite(value)
        case dict():
            return all(_is_storable(name) and _is_storable(each) for name, each in value.items())
        case list():
            return all(map(_is_storable, value))
    return True


def serialize_json(value: object) -> object:
    """What a row holds passes as it is: the driver has decoded it."""
    return value


def _scalar(
    name: str, description: str, serialize: Callable[[object], object], parse: Callable[[object], object], url: str | None = None
) -> ScalarDefinition:
    return strawberry.scalar(name=name, description=description, serialize=serialize, parse_value=parse, specified_by_url=url)


#: Python type -> scalar, for the schema's configuration.
SCALARS: dict[object, ScalarDefinition] = {
    Decimal: _scalar(
        "Decimal", "An exact decimal as a string: at most 19 digits, 4 of them after the point.", serialize_decimal, parse_decimal
    ),
    date: _scalar("Date", "A civil date, `YYYY-MM-DD`.", serialize_date, parse_date),
    datetime: _scalar(
        "DateTime",
        "An instant in UTC, `2026-11-22T14:30:00Z`.",
        serialize_date_time,
        parse_date_time,
        "https://www.rfc-editor.org/rfc/rfc3339",
    ),
    time: _scalar("LocalTime", "A time of day by the wall clock, `HH:MM` of 24 hours.", serialize_local_time, parse_local_time),
    CurrencyCode: _scalar("CurrencyCode", "A currency of ISO 4217, such as `EUR`.", serialize_currency, parse_currency),
    JSON: _scalar(
        "JSON",
        f"Any JSON value. In input at most {JSON_BYTES_AT_MOST} bytes, {JSON_DEPTH_AT_MOST} arrays and objects deep.",
        serialize_json,
        parse_json,
        "https://www.rfc-editor.org/rfc/rfc8259",
    ),
}


@strawberry.type(description="An exact amount, written with the digits of its currency.", directives=[Cost(weight=0)])
class Money:
    amount: Decimal = strawberry.field(description='As a string, such as "12.50". Never a float: add with a decimal library.')
    currency: CurrencyCode = strawberry.field(description="What it is an amount of.")


#: For the usual case: digits -> how many zeros end a stored amount (4 digits after the point) that needs no more.
_SURPLUS_ZEROS = {0: ".0000", 1: "000", 2: "00", 3: "0"}
#: Currency -> what a stored amount of it ends with that is cut, or None where all four digits are shown.
_CUTS: dict[str, str | None] = {code: _SURPLUS_ZEROS.get(digits) for code, digits in currencies.DIGITS.items()}
#: Currencies that most amounts are in.
TWO_DIGITS = frozenset(code for code, digits in currencies.DIGITS.items() if digits == 2)
_DEFAULT_CUT = _SURPLUS_ZEROS[2]


def format_amount(text: str, currency: str) -> str:
    """A stored amount ("12.3400") with its currency's digits ("12.34"). Digits that are not zero are never dropped."""
    cut = _CUTS.get(currency, _DEFAULT_CUT)
    if cut is not None and text[-5:-4] == "." and text.endswith(cut):
        return text[: -len(cut)]
    return _with_digits(text, currencies.digits(currency))


def _with_digits(text: str, digits: int) -> str:
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(digits, "0")
    return f"{whole}.{fraction}" if fraction else whole
