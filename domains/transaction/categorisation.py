"""Which category a transaction gets when its owner has not said."""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from domains.transaction.lexicon import ACTION, Rule, default_lexicon, words_of
from domains.transaction.merchants import normalise_merchant

#: The primaries of the taxonomy, longest first: a detailed id begins with its primary's.
PRIMARIES: Final = (
    "GOVERNMENT_AND_NON_PROFIT",
    "GENERAL_MERCHANDISE",
    "RENT_AND_UTILITIES",
    "GENERAL_SERVICES",
    "HOME_IMPROVEMENT",
    "TRANSPORTATION",
    "FOOD_AND_DRINK",
    "ENTERTAINMENT",
    "LOAN_PAYMENTS",
    "PERSONAL_CARE",
    "TRANSFER_OUT",
    "TRANSFER_IN",
    "BANK_FEES",
    "MEDICAL",
    "INCOME",
    "TRAVEL",
)
#: What a provider's category counts for when the provider does not say, and from where on it is believed before anything else.
PROVIDER_CONFIDENCE: Final = Decimal("0.95")
BELIEVED: Final = Decimal("0.70")
_NOT_AT_ALL: Final = Decimal("0.00")
_KEPT: Final = 65_536


class MerchantCategory(NamedTuple):
    """What is known of a merchant in general. `category` is a primary id; `confidence` from 0 to 1, or unknown."""

    category: str
    category_detailed: str | None
    confidence: Decimal | None


class Categorised(NamedTuple):
    """A category and how sure it is (0.00 to 1.00). `method` is rule (our default rules) or auto (anything else that is not the user)."""

    category: str | None
    category_detailed: str | None
    confidence: Decimal
    method: str


UNCATEGORISED: Final = Categorised(None, None, _NOT_AT_ALL, "auto")


def categorise(
    description: str,
    merchant: str | None,
    direction: str,
    account_type: str | None,
    known: Mapping[str, MerchantCategory],
    provider_category: str | None = None,
    provider_confidence: Decimal = PROVIDER_CONFIDENCE,
) -> Categorised:
    """The category of a transaction, the first of these that applies:

    what the provider is sure of; what the bank's words say it did (transfers, fees, interest, pay); what is known of the merchant;
    the default rules for merchants and words; what the provider guesses; none at all, rather than a wrong one.

    merchant:  the cleaned name. known: by normalised merchant name. Money back from a shop is in the shop's category.
    """
    given = _given(provider_category, direction, provider_confidence)
    if given is not None and provider_confidence >= BELIEVED:
        return given
    rule = _default(description, merchant, direction, account_type)
    if rule is not None and rule.kind == ACTION:
        return _said(rule, direction)
    if merchant is not None and known:
        found = known.get(normalise_merchant(merchant))
        if found is not None and _is_possible(found.category, direction):
            return Categorised(found.category, found.category_detailed, found.confidence or _NOT_AT_ALL, "auto")
    if rule is not None:
        return _said(rule, direction)
    return given or UNCATEGORISED


@lru_cache(maxsize=1_024)
def primary_of(category: str) -> str | None:
    """The primary of a category id; None for an id that is not of the taxonomy."""
    return next((each for each in PRIMARIES if category == each or category.startswith(f"{each}_")), None)


@lru_cache(maxsize=_KEPT)
def _default(description: str, merchant: str | None, direction: str, account_type: str | None) -> Rule | None:
    """What the default rules say, by the merchant's name or by all the bank's words, whichever ranks higher."""
    lexicon = default_lexicon()
    found = [lexicon.best(words_of(description), direction, account_type, is_name=merchant is None)]
    if merchant is not None:
        brand = lexicon.brands.get(merchant)
        found.append(brand or lexicon.best(words_of(merchant), direction, account_type, is_name=True))
    return max((rule for rule in found if rule is not None), key=_rank, default=None)


def _rank(rule: Rule) -> tuple[int, int, Decimal]:
    return rule.rank


@lru_cache(maxsize=8_192)
def _said(rule: Rule, direction: str) -> Categorised:
    detailed = rule.category(direction)
    return Categorised(primary_of(detailed or ""), detailed, rule.sureness(direction), "rule")


def _given(category: str | None, direction: str, confidence: Decimal) -> Categorised | None:
    if not category:
        return None
    primary = primary_of(category)
    if primary is None or not _is_possible(primary, direction):
        return None
    return Categorised(primary, category if category != primary else None, confidence, "auto")


def _is_possible(category: str, direction: str) -> bool:
    """Income arrives, and transfers go the way they are called."""
    only = "credit" if category in ("INCOME", "TRANSFER_IN") else "debit" if category == "TRANSFER_OUT" else direction
    return direction == only
