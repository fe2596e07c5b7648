"""Rules of transactions: names of merchants, categories, and what a user may write on a row. No I/O."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from domains.transaction.categorisation import Categorised, MerchantCategory, categorise, primary_of
from domains.transaction.errors import (
    CategoryLooksInvalid,
    CategoryNameInvalid,
    CategoryNameTaken,
    DescriptionInvalid,
    MerchantNameInvalid,
    NotesTooLong,
    TagInvalid,
)
from domains.transaction.merchants import clean_merchant, normalise_merchant

__all__ = [
    "Categorised",
    "MerchantCategory",
    "categorise",
    "check_category_looks",
    "check_category_name",
    "check_description",
    "check_merchant_name",
    "check_name_is_free",
    "check_notes",
    "check_tags",
    "clean_merchant",
    "is_category_id",
    "normalise_merchant",
    "primary_of",
]

TAGS_AT_MOST: Final = 20
TAG_AT_MOST: Final = 50
NOTES_AT_MOST: Final = 2_000
MERCHANT_NAME_AT_MOST: Final = 255
DESCRIPTION_AT_MOST: Final = 500
CATEGORY_NAME_AT_MOST: Final = 100
ICON_AT_MOST: Final = 50
SORT_ORDER_AT_MOST: Final = 1_000_000

_CATEGORY_ID = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
_CATEGORY_ID_AT_MOST: Final = 100
_COLOR: Final = re.compile(r"#[0-9a-f]{6}")
#: Unicode categories that nobody means to type: controls, surrogates, unassigned. Format characters join emoji and scripts: they may stay.
_UNWRITABLE: Final = frozenset({"Cc", "Cs", "Cn"})


def check_tags(tags: Sequence[str]) -> list[str]:
    """The tags, trimmed and in their order, each once (letter case does not make another tag).

    Errors: TagInvalid for an empty, too long or unprintable tag, and for more than 20.
    """
    kept: dict[str, str] = {}
    for tag in tags:
        text = " ".join(unicodedata.normalize("NFC", tag).split())
        if not text or len(text) > TAG_AT_MOST or _is_unwritable(text):
            raise TagInvalid(field="tags")
        kept.setdefault(text.casefold(), text)
        if len(kept) > TAGS_AT_MOST:
            raise TagInvalid(f"A transaction may have {TAGS_AT_MOST} tags at most.", field="tags")
    return list(kept.values())


def check_notes(notes: str | None) -> str | None:
    """The notes with plain line breaks and without outer blank space; None when nothing is left.

    Errors: NotesTooLong, for what is left.
    """
    if notes is None:
        return None
    text = unicodedata.normalize("NFC", notes).replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(each for each in text if each in "\n\t" or unicodedata.category(each) not in _UNWRITABLE).strip()
    if len(text) > NOTES_AT_MOST:
        raise NotesTooLong(field="notes")
    return text or None


def check_merchant_name(name: str | None) -> str | None:
    """The name with single spaces. Errors: MerchantNameInvalid."""
    text = None if name is None else " ".join(unicodedata.normalize("NFC", name).split())
    if text is not None and (not 1 <= len(text) <= MERCHANT_NAME_AT_MOST or _is_unwritable(text)):
        raise MerchantNameInvalid(field="merchantName")
    return text


def check_description(description: str | None) -> str | None:
    """The description with single spaces. Errors: DescriptionInvalid."""
    text = None if description is None else " ".join(unicodedata.normalize("NFC", description).split())
    if text is not None and (not 1 <= len(text) <= DESCRIPTION_AT_MOST or _is_unwritable(text)):
        raise DescriptionInvalid(field="description")
    return text


def is_category_id(text: str) -> bool:
    """Whether this has the shape of a default category's id; whether there is such a category, the table knows."""
    return len(text) <= _CATEGORY_ID_AT_MOST and _CATEGORY_ID.fullmatch(text) is not None


def check_category_name(name: str) -> str:
    """The name with single spaces. Errors: CategoryNameInvalid."""
    text = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(text) <= CATEGORY_NAME_AT_MOST or _is_unwritable(text):
        raise CategoryNameInvalid(field="displayName")
    return text


def check_name_is_free(name: str, beside: Iterable[str]) -> None:
    """Errors: CategoryNameTaken, when a category beside it has the name in whatever letter case."""
    if name.casefold() in {each.casefold() for each in beside}:
        raise CategoryNameTaken(field="displayName")


def check_category_looks(color: str | None, icon: str | None, sort_order: int = 0) -> None:
    """Errors: CategoryLooksInvalid."""
    if color is not None and _COLOR.fullmatch(color) is None:
        raise CategoryLooksInvalid(field="color")
    if icon is not None and (not 1 <= len(icon) <= ICON_AT_MOST or not icon.isprintable()):
        raise CategoryLooksInvalid(field="icon")
    if not 0 <= sort_order <= SORT_ORDER_AT_MOST:
        raise CategoryLooksInvalid(field="sortOrder")


def _is_unwritable(text: str) -> bool:
    return any(unicodedata.category(each) in _UNWRITABLE for each in text)
