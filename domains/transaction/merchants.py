"""The name of who was paid, out of what a bank wrote."""

import re
import unicodedata
from functools import cache, lru_cache
from typing import Final

from domains.transaction import noise
from domains.transaction.lexicon import default_lexicon, places, words_of

#: Characters of a description that are looked at, and of a name that is answered.
LOOKED_AT: Final = 512
NAME_AT_MOST: Final = 255
#: Names and keys kept at hand. One import names the same shops over and over.
_KEPT: Final = 65_536
#: How often the outer noise is taken off: a processor stands inside of a card's words.
_PASSES: Final = 4

#: Punctuation that nothing holds to the name any more.
_LOOSE: Final = " *-–:;,/#'\"(+&."
_SPACES = re.compile(r"\s+")
_STAR = re.compile(r"\s+\*")
_WORD = re.compile(r"\S+")
_SMALL_WORDS = """
a am an and at auf aus bei by d da das de del della der des di die do dos du e en et for from im in l la las le les los of on or per pour
sur the to und van vom von y zu zum zur
"""
_INITIALS_OF = """
AAA ATM BBQ BMW BP BVG CVS DB DHL DIY DJ DKB DM EDF EG EV GLS GNC HBO HUK HVV IBM ING IRS ISP IT JD JFK KFC KG LA LLC MTA MVG NHS NYC PC
RTL SB SBB TV UBS UK UPS US USA USPS VW WWF XL YMCA ZDF
"""
_SMALL: Final = frozenset(_SMALL_WORDS.split())
_INITIALS: Final = frozenset(_INITIALS_OF.split())


@lru_cache(maxsize=_KEPT)
def clean_merchant(description: str, merchant_hint: str | None = None) -> str | None:
    """The merchant's name as people would write it, at most 255 characters; None when the text names nobody.

    The same merchant gives the same name whatever the date, card, reference or branch beside it. `merchant_hint` is what the bank
    itself takes for the name; it is preferred, and cleaned just the same. A cleaned name stays as it is when cleaned again.
    """
    for text in (merchant_hint, description):
        if text:
            name = _clean(text)
            if name is not None:
                return name
    return None


@lru_cache(maxsize=_KEPT)
def normalise_merchant(name: str) -> str:
    """The key of a merchant in `merchant_categories`: NFKC, casefolded, spaces squeezed, at most 255 characters."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(folded.split())[:NAME_AT_MOST].rstrip()


def _clean(text: str) -> str | None:
    text = _STAR.sub(" *", _printable(text[:LOOKED_AT]))
    named = noise.NAMED.search(text)
    bare = _without_tail(_without_front(named[1] if named is not None else text))
    lexicon = default_lexicon()
    if bare in lexicon.brands:
        return bare
    name = lexicon.brand(words_of(bare))
    if name is not None:
        return name
    bare = _without_ending(bare)
    rest = [word for word in words_of(bare) if len(word) > 1 and not word.isdigit() and word not in noise.NOBODY]
    if not rest or lexicon.names_nobody(words_of(text)):
        return None
    return _as_written(bare)[:NAME_AT_MOST].rstrip(_LOOSE)


def _printable(text: str) -> str:
    """NFKC; control and format characters as spaces."""
    if text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFKC", text)
    return "".join(" " if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cs", "Cn") else each for each in text)[:LOOKED_AT]


def _without_front(text: str) -> str:
    """Without how it was paid and through whom, as long as something is left."""
    for _ in range(_PASSES):
        before = text = text.lstrip(_LOOSE)
        for pattern in (noise.PREFIX, noise.PROCESSOR, noise.WEB):
            found = pattern.match(text)
            if found is not None and _has_letters(text[found.end() :]):
                text = text[found.end() :]
        if text == before:
            break
    return text


def _without_tail(text: str) -> str:
    """Up to where the bank's own words begin."""
    text = _cut(text, noise.TAIL)
    if noise.KEY.search(text):
        text = _cut(text, noise.TAIL_WITH_KEYS)
    if noise.DIGIT.search(text):
        text = _cut(text, noise.TAIL_WITH_DIGITS)
    return _SPACES.sub(" ", text).strip(_LOOSE)


def _cut(text: str, tail: re.Pattern[str]) -> str:
    for found in tail.finditer(text):
        if _has_letters(text[: found.start()]):
            return text[: found.start()]
    return text


def _without_ending(text: str) -> str:
    """Without towns, countries and legal forms, as many as there are."""
    for _ in range(_PASSES):
        shorter = _without_place(_without_form(text))
        if shorter == text:
            break
        text = shorter
    return text


def _without_place(text: str) -> str:
    """Without the town and state at its end: a state or country only behind two words or a town we know."""
    shorter = noise.COUNTRY.sub("", noise.STATE.sub("", text))
    words = shorter.split()
    is_sure = len(shorter) < len(text)
    if len(words) > 1 and (is_sure or text.isupper()):
        for size in _place_sizes().get("".join(words_of(words[-1])), ()):
            left = words[:-size]
            if tuple(words_of(" ".join(words[-size:]))) in places() and _has_letters("".join(left)):
                return " ".join(left).rstrip(_LOOSE) if is_sure or len(left) > 1 else text
    return shorter.rstrip(_LOOSE) if len(words) > 1 else text


@cache
def _place_sizes() -> dict[str, list[int]]:
    """Of how many words are the towns that end in this one? The longest first."""
    sizes: dict[str, set[int]] = {}
    for place in places():
        sizes.setdefault(place[-1], set()).add(len(place))
    return {word: sorted(found, reverse=True) for word, found in sizes.items()}


def _without_form(text: str) -> str:
    """Without GmbH & Co. KG, S.A.R.L., Inc. and their like."""
    words = text.split()
    while len(words) > 1 and words[-1].lower().replace(".", "").strip(",") in noise.LEGAL_FORMS and _has_letters("".join(words[:-1])):
        words.pop()
        while len(words) > 1 and words[-1].lower().strip(".,") in ("&", "co"):
            words.pop()
    return " ".join(words).rstrip(_LOOSE)


def _has_letters(text: str) -> bool:
    letters = 0
    for each in text:
        letters += each.isalpha()
        if letters > 1:
            return True
    return False


def _as_written(bare: str) -> str:
    """With capitals as people set them, where the bank shouted or whispered; else as the bank wrote it."""
    if not (bare.isupper() or bare.islower()):
        return bare
    words = _WORD.findall(bare)
    last = len(words) - 1
    return " ".join(_capitalised(word, is_inside=0 < place < last) for place, word in enumerate(words))


def _capitalised(word: str, *, is_inside: bool) -> str:
    upper, lower = word.upper(), word.lower()
    if upper in _INITIALS or "&" in word:
        return upper
    if lower in _SMALL and is_inside:
        return lower
    if not re.search(r"[AEIOUYÄÖÜÉÈÀ]", upper) and upper.isalpha() and len(word) <= 4:
        return upper
    return "-".join(part[:1].upper() + part[1:] for part in lower.split("-"))
