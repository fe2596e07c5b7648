"""Chance without a memory: what a key draws, it draws on every day, machine and release of Python.

Each decision has its own key, so that a habit added later does not change what the others did.
"""

import hashlib
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TypeVar

_Choice = TypeVar("_Choice")
_CENT = Decimal("0.01")
_SPAN = 1 << 32


class Dice:
    """Draws for one key: the first draw, the second, and so on."""

    __slots__ = ("_key", "_thrown")

    def __init__(self, *key: object) -> None:
        self._key = "|".join(map(str, key))
        self._thrown = 0

    def number(self, below: int) -> int:
        """Evenly from 0 to below - 1."""
        self._thrown += 1
        digest = hashlib.blake2b(f"{self._key}|{self._thrown}".encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") * below // _SPAN

    def happens(self, per_mille: int) -> bool:
        """True in so many of a thousand cases."""
        return self.number(1000) < per_mille

    def amount(self, low: Decimal, high: Decimal) -> Decimal:
        """With two digits; the middle more often than the ends."""
        share = Decimal(self.number(10_001) + self.number(10_001)) / 20_000
        return (low + (high - low) * share).quantize(_CENT, rounding=ROUND_HALF_EVEN)

    def choice(self, choices: Sequence[_Choice], weights: Sequence[int]) -> _Choice:
        """One of the choices, each as often as its weight says."""
        thrown = self.number(sum(weights))
        for each, weight in zip(choices, weights, strict=True):
            thrown -= weight
            if thrown < 0:
                return each
        raise ValueError("There is nothing to choose from.")

    def digits(self, count: int) -> str:
        """A reference number of so many digits, not beginning with 0."""
        return str(1 + self.number(9)) + "".join(str(self.number(10)) for _ in range(count - 1))

    def code(self, count: int) -> str:
        """Capitals and digits, as in an order's number."""
        return "".join("ABCDEFGHJKMNPRSTUVWXYZ0123456789"[self.number(32)] for _ in range(count))
