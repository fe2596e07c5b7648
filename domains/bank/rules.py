"""Who is who: the same account and the same movement, recognised in every statement that holds them."""

import hashlib
import hmac
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol

_ID_DIGITS = 40  # of SHA-256, hexadecimal: 160 bits
_MASK_CHARS = 4
#: Ids that say "none", in the spelling that `_bare` gives.
_NO_ID = frozenset({"", "none", "null", "nil", "na", "nonref", "notprovided", "unknown", "undefined", "fitid"})
#: A shorter number is a position in the file, not an identity: some banks count each download from 1.
_SHORTEST_NUMBER = 6


class Movement(Protocol):
    """What makes a movement of money itself; a StatementTransaction is one."""

    @property
    def transaction_date(self) -> date: ...
    @property
    def amount(self) -> Decimal: ...
    @property
    def currency(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def original_description(self) -> str: ...


def occurrence_ids(movements: Iterable[Movement]) -> list[str]:
    """An id per movement of one account that has none from its bank, in the order given.

    It is made of date, amount, direction, description and the how-manieth of its like it is. So two equal coffees on one day
    are two, and any statement that holds the whole day gives both the ids they had before, in whatever order it lists them.
    """
    seen: Counter[str] = Counter()
    ids = []
    for movement in movements:
        key = "\x1f".join((_money_key(movement), comparable(movement.original_description)))
        seen[key] += 1
        ids.append(_digest("row", key, str(seen[key])))
    return ids


def bank_ids(numbers: Sequence[str], movements: Sequence[Movement], content: Callable[[int], object]) -> list[str | None]:
    """An id per movement of one account that its bank numbered; None for a row listed a second time.

    The id is bound to date and amount: a bank that uses a number again for something else adds a row, and never rewrites
    another one. Rows that share number, date and amount but not their content are counted in the order of their content.
    The very same row twice is one; only where the bank's number is shown to be no identity (it stands on rows of another date
    or amount too) are equal rows counted as so many movements.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    first_money: dict[str, str] = {}
    shared: set[str] = set()
    for index, (number, movement) in enumerate(zip(numbers, movements, strict=True)):
        money = _money_key(movement)
        groups.setdefault((number, money), []).append(index)
        if first_money.setdefault(number, money) != money:
            shared.add(number)
    ids: list[str | None] = [None] * len(numbers)
    for (number, money), indexes in groups.items():
        if len(indexes) > 1:
            indexes = _countable(indexes, content, is_identity=number not in shared)
        for occurrence, index in enumerate(indexes):
            ids[index] = _digest("number", number, money, str(occurrence))
    return ids


def is_bank_id(number: str | None) -> bool:
    """Whether a bank said a number at all: "", "0" and "NONREF" are none."""
    return bool(number) and (bare := _bare(number or "")) not in _NO_ID and bool(bare.strip("0"))


def is_lasting_bank_id(number: str) -> bool:
    """Whether a bank's number can name the same movement in another file: "17" is a position in this one."""
    bare = _bare(number)
    return not bare.isdigit() or len(bare) >= _SHORTEST_NUMBER


def account_id(secret: bytes, *parts: str) -> str:
    """The id of an account from what names it at its bank (bank, number, kind), which cannot be read back from it.

    Spaces, dashes and letter case do not count. `secret` belongs to the installation: an account number has too few digits to
    be hidden by a hash alone. The same secret and parts give the same id for ever.
    """
    message = "\x1f".join(map(bare_number, parts))
    return hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()


def bare_number(text: str) -> str:
    """What tells accounts apart in a number: "DE12 3456" and "de12-3456" are one."""
    return re.sub(r"[\s.\-/]", "", unicodedata.normalize("NFKC", text)).casefold()


def account_mask(number: str) -> str | None:
    """The last four letters or digits of an account's number, or None if it has none."""
    return "".join(each for each in number if each.isalnum())[-_MASK_CHARS:] or None


def comparable(text: str) -> str:
    """A description as far as it tells movements apart: letter case, accents' spelling and spacing do not."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def _countable(indexes: list[int], content: Callable[[int], object], *, is_identity: bool) -> list[int]:
    ordered = sorted((repr(content(index)), index) for index in indexes)
    if not is_identity:
        return [index for _, index in ordered]
    return [index for place, (said, index) in enumerate(ordered) if place == 0 or ordered[place - 1][0] != said]


def _money_key(movement: Movement) -> str:
    amount = format(movement.amount.normalize(), "f")
    return f"{movement.transaction_date.isoformat()}\x1f{amount}\x1f{movement.currency}\x1f{movement.direction}"


def _bare(bank_id: str) -> str:
    plain = bank_id.casefold()
    return plain if plain.isalnum() else "".join(each for each in plain if each.isalnum())


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1d".join(parts).encode()).hexdigest()[:_ID_DIGITS]
