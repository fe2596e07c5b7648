"""Rules of analytics: what a user's own categories say of a merchant, and by what a question to a model is known. No I/O."""

import hashlib
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple


class Choice(NamedTuple):
    """A category that a user gave to so many transactions of a merchant, the latest of them on `last_on`."""

    merchant_name: str
    category: str
    transactions: int
    last_on: date


def words_on_merchants(choices: Iterable[Choice]) -> dict[str, str]:
    """Merchant -> the category that its user gives it: what most of their chosen transactions have, of equals the latest.

    Several choices of one category may come for a merchant, whose name is spelled in several ways: they count together.
    """
    found: dict[str, dict[str, tuple[int, date]]] = {}
    for choice in choices:
        said = found.setdefault(choice.merchant_name, {})
        transactions, last_on = said.get(choice.category, (0, choice.last_on))
        said[choice.category] = (transactions + choice.transactions, max(last_on, choice.last_on))
    return {name: max(said, key=lambda category: (*said[category], category)) for name, said in found.items()}


def query_hash(query_type: str, model: str, text: str) -> str:
    """SHA-256 (lower-case hex) of a question. Another model, or the same words for another purpose, make another question."""
    return hashlib.sha256("\0".join((query_type, model, text)).encode()).hexdigest()
