"""JSON as far as it can be meant: what a bank sends is read exactly or not at all."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NoReturn

from domains.bank.providers.errors import ProviderGarbled

#: How deep objects and lists may stand in each other; the deepest of the banks' documents has eight.
MAX_DEPTH: Final = 64
#: A double, as most senders have it, goes no further; digits beyond these are nobody's money.
_MAX_EXPONENT: Final = 308
_MAX_NUMBER_CHARS: Final = 64


def parse(data: bytes) -> Any:
    """The document: whole numbers as int, others as the Decimal that the text says, never as a float.

    Errors: ProviderGarbled for what is not JSON in UTF-8 (NaN and Infinity are not), for a number that no double can hold, a name that
    stands twice in one object, and for more than MAX_DEPTH levels. It holds nothing of the document.
    """
    try:
        document = json.loads(
            data.decode("utf-8-sig"), parse_float=_decimal, parse_int=_whole, parse_constant=_refuse, object_pairs_hook=_object
        )
    except (ValueError, RecursionError):
        document = _UNREADABLE
    # Raised out here, so that the parser's own error, which holds the whole text, does not travel with it.
    if document is _UNREADABLE:
        raise ProviderGarbled("json")
    if not _is_shallow(document):
        raise ProviderGarbled("json_too_deep")
    return document


_UNREADABLE: Final = object()


def _decimal(text: str) -> Decimal:
    if len(text) > _MAX_NUMBER_CHARS:
        raise ValueError("too long")
    _mantissa, _, exponent = text.lower().partition("e")
    if len(exponent) > 5:
        raise ValueError("too large")
    number = Decimal(text)
    if abs(number.adjusted()) > _MAX_EXPONENT:
        raise ValueError("too large")
    return number


def _whole(text: str) -> int:
    if len(text) > _MAX_NUMBER_CHARS:
        raise ValueError("too long")
    return int(text)


def _refuse(_text: str) -> NoReturn:
    raise ValueError("not a number")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def _is_shallow(document: Any) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(value for value in each.values() if isinstance(value, dict | list))
            elif isinstance(each, list):
                inner.extend(value for value in each if isinstance(value, dict | list))
        if not inner:
            return True
        level = inner
    return False
