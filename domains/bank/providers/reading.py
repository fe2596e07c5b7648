"""Strict readers of what a bank says. Each is told the field's path, such as `accounts[3].name`, and names it when it refuses.

All of them raise ProviderGarbled, with the path and never the value: that may be somebody's data, or a secret.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, NoReturn

from domains.bank.providers.errors import ProviderGarbled
from domains.core.currencies import STORED_DIGITS
from domains.core.money import LARGEST

MAX_TEXT_CHARS: Final = 255
MAX_ID_CHARS: Final = 255
#: No page, and no list in one, is longer than this.
MAX_ITEMS: Final = 10_000
MAX_URL_CHARS: Final = 2_000

_EARLIEST_YEAR: Final = 1970
_MAX_NUMBER_CHARS: Final = 64
_STORED: Final = Decimal(1).scaleb(-STORED_DIGITS)
#: What is left over when a sum in binary is written out: 45.980000000000004.
_BINARY_NOISE: Final = Decimal("0.000000001")
_AMOUNT: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,100}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}", re.ASCII)
#: Characters without a shape that are part of how a script is written; all others of their kind only mislead.
_JOINERS: Final = frozenset("\u200c\u200d")


def member(value: object, name: str, field: str = "") -> Any:
    """What stands under `name` in an object; None where nothing does. `field` is the object's own path."""
    return record(value, field or name).get(name)


def record(value: object, field: str) -> Mapping[str, Any]:
    """An object."""
    return value if isinstance(value, dict) else _refuse(field)


def items(value: object, field: str, at_most: int = MAX_ITEMS) -> list[Any]:
    """A list. Nothing at all is a list of nothing."""
    if value is None:
        return []
    return value if isinstance(value, list) and len(value) <= at_most else _refuse(field)


def text(value: object, field: str, at_most: int = MAX_TEXT_CHARS) -> str:
    """Words for people, of at least one character: normalised (NFC), on one line, cut to `at_most` characters.

    Control characters, halves of characters, and those that turn or hide others are taken out.
    """
    return optional_text(value, field, at_most) or _refuse(field)


def optional_text(value: object, field: str, at_most: int = MAX_TEXT_CHARS) -> str | None:
    """The same, or None where nothing is said or nothing is left."""
    if value is None:
        return None
    if not isinstance(value, str):
        _refuse(field)
    shown = value[: at_most * 4]  # what is cut off need not be looked at
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join(_shown(each) for each in unicodedata.normalize("NFC", shown))
    return " ".join(shown.split())[:at_most].rstrip() or None


def identifier(value: object, field: str, at_most: int = MAX_ID_CHARS) -> str:
    """What names a thing, exactly as it was said: never cut, as two of them could become one."""
    if isinstance(value, str) and 0 < len(value) <= at_most and value.isprintable() and not value.isspace():
        return value
    return _refuse(field)


def optional_identifier(value: object, field: str, at_most: int = MAX_ID_CHARS) -> str | None:
    """The same, or None where nothing or an empty text is said."""
    return None if value is None or value == "" else identifier(value, field, at_most)


def word(value: object, field: str) -> str:
    """A term of a protocol, such as FOOD_AND_DRINK_COFFEE or UK.OBIE.IBAN: letters, digits and _ . : / -, at most 100."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else _refuse(field)


def optional_word(value: object, field: str) -> str | None:
    """The same, or None where nothing or an empty text is said."""
    return None if value is None or value == "" else word(value, field)


def amount(value: object, field: str) -> Decimal:
    """Money with its sign, exactly as written, in a text or as a number: at most 15 digits before and four after the point.

    A fifth digit is refused, unless it is the noise of a sum in binary. A float is refused, too: it has lost the text.
    """
    if isinstance(value, str):
        value = Decimal(value) if len(value) <= _MAX_NUMBER_CHARS and _AMOUNT.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        _refuse(field)
    number = Decimal(value)
    if not number.is_finite() or abs(number) > LARGEST:
        _refuse(field)
    stored = number.quantize(_STORED, rounding=ROUND_HALF_EVEN)
    if stored == number:
        return Decimal(format(number, "f"))  # 1E+2 is 100
    return stored if abs(stored - number) <= _BINARY_NOISE else _refuse(field)


def optional_amount(value: object, field: str) -> Decimal | None:
    """The same, or None where nothing is said."""
    return None if value is None else amount(value, field)


def whole(value: object, field: str) -> int:
    """A whole number, as a number or as its digits in a text, between -2^31 and 2^31."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,10}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**31:
        _refuse(field)
    return value


def flag(value: object, field: str) -> bool:
    """true or false."""
    return value if isinstance(value, bool) else _refuse(field)


def day(value: object, field: str, today: date | None = None) -> date:
    """A day as YYYY-MM-DD, from 1970 to the end of the year after next (of `today`, which is the machine's unless told)."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        _refuse(field)
    try:
        found = date.fromisoformat(value)
    except ValueError:
        found = date.min
    return found if _is_near(found, today) else _refuse(field)


def optional_day(value: object, field: str, today: date | None = None) -> date | None:
    """The same, or None where nothing is said."""
    return None if value is None else day(value, field, today)


def instant(value: object, field: str, today: date | None = None) -> datetime:
    """An instant as ISO 8601 has it, with date and time, in UTC; one without a zone is in UTC. Within the years of `day`."""
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        _refuse(field)
    on, at, fraction, zone = match.groups()
    offset = "+00:00" if zone is None or zone in "Zz" else zone
    try:
        found = datetime.fromisoformat(f"{on}T{at}.{(fraction or '0')[:6]:0<6}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        found = datetime.min.replace(tzinfo=UTC)
    return found if _is_near(found.date(), today) else _refuse(field)


def optional_instant(value: object, field: str, today: date | None = None) -> datetime | None:
    """The same, or None where nothing is said."""
    return None if value is None else instant(value, field, today)


def currency(value: object, field: str) -> str:
    """A currency's three letters, as capitals."""
    return value.upper() if isinstance(value, str) and _CURRENCY.fullmatch(value) else _refuse(field)


def optional_url(value: object, field: str) -> str | None:
    """An address that a front end may show or load: https only. Another one is as good as none."""
    if value is None:
        return None
    if not isinstance(value, str):
        _refuse(field)
    is_fine = value.startswith("https://") and len(value) <= MAX_URL_CHARS and value.isascii() and value.isprintable() and " " not in value
    return value if is_fine else None


def _shown(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    if kind in ("Cs", "Cn", "Co") or (kind == "Cf" and character not in _JOINERS):
        return ""
    return character


def _is_near(found: date, today: date | None) -> bool:
    return _EARLIEST_YEAR <= found.year <= (today or datetime.now(UTC).date()).year + 2


def _refuse(field: str) -> NoReturn:
    raise ProviderGarbled(field) from None
