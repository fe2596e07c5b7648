"""The default rules, compiled: which rule do the words of a bank statement point to?"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from domains.transaction import reference

ACTION, MERCHANT, KEYWORD = 3, 2, 1
_OWN = "own"
_KINDS: Final = {"action": ACTION, _OWN: ACTION, "keyword": KEYWORD}
_MERCHANT_CONFIDENCE: Final = Decimal("0.95")
#: Money back from where money usually goes is most likely, but not surely, a refund.
_REFUND_CONFIDENCE: Final = {MERCHANT: Decimal("0.85"), KEYWORD: Decimal("0.70")}
#: A statement line has a dozen words; what stands behind this many is a reference.
WORDS_AT_MOST: Final = 40
#: Letters of a wildcard pattern that are looked up; also the shortest such pattern.
_STEM: Final = 4
_LEAF: Final = ""

_WORD = re.compile(r"[^\W_]+(?:&[^\W_]+)*")
_APOSTROPHES = str.maketrans("", "", "'’`´‘")


class Rule(NamedTuple):
    """What a pattern says. `name` is the brand, for merchants; `names_nobody`: there is no merchant in a text that says this."""

    kind: int
    words: int
    confidence: Decimal
    debit: str | None
    credit: str | None
    account_type: str | None
    name: str | None
    names_nobody: bool

    def category(self, direction: str) -> str | None:
        return self.credit if direction == "credit" else self.debit

    def sureness(self, direction: str) -> Decimal:
        """From 0 to 1, two digits."""
        is_refund = direction == "credit" and self.credit == self.debit
        return min(self.confidence, _REFUND_CONFIDENCE.get(self.kind, self.confidence)) if is_refund else self.confidence

    @property
    def rank(self) -> tuple[int, int, Decimal]:
        """The greatest wins: the kind, then the longest pattern, then the surest."""
        return (self.kind, self.words, self.confidence)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Rules by their words: a trie of whole words, the same for first words of names, and stems for compounds.

    `brands` leads from a name as people write it back to its rule, or to None where two brands share the name.
    """

    trie: dict[str, Any]
    anchored: dict[str, Any]
    starts: dict[str, list[tuple[str, Rule]]]
    ends: dict[str, list[tuple[str, Rule]]]
    brands: dict[str, Rule | None]

    def best(self, words: Sequence[str], direction: str, account_type: str | None, *, is_name: bool) -> Rule | None:
        """The rule that wins among those that apply to this direction and account; the first place wins between equals.

        is_name: the words are a merchant's name, so that rules for a name's first word may apply.
        """
        found: Rule | None = None
        for rule in self._matches(words, is_name=is_name):
            if rule.account_type is not None and rule.account_type != account_type:
                continue
            if rule.category(direction) is None:
                continue
            if found is None or _is_better(rule, found):
                found = rule
        return found

    def brand(self, words: Sequence[str]) -> str | None:
        """The merchant that a name contains, as people write it: the longest pattern wins, then the first place."""
        found: Rule | None = None
        for rule in self._matches(words, is_name=True):
            if rule.kind == MERCHANT and (found is None or rule.words > found.words):
                found = rule
        return None if found is None else found.name

    def names_nobody(self, words: Sequence[str]) -> bool:
        """Whether a bank that writes so speaks of its own business, or of its customer's own accounts."""
        return any(rule.names_nobody and rule.account_type is None for rule in self._matches(words, is_name=False))

    def _matches(self, words: Sequence[str], *, is_name: bool) -> Iterator[Rule]:
        if is_name and words:
            yield from _walk(self.anchored, words, 0)
        trie, starts, ends = self.trie, self.starts, self.ends
        for place, word in enumerate(words):
            if word in trie:
                yield from _walk(trie, words, place)
            if len(word) >= _STEM:
                for stem, rule in starts.get(word[:_STEM], ()):
                    if word.startswith(stem):
                        yield rule
                for stem, rule in ends.get(word[-_STEM:], ()):
                    if word.endswith(stem):
                        yield rule


def words_of(text: str) -> list[str]:
    """Folded words: case, accents, apostrophes and punctuation do not count."""
    if not text.isascii():
        text = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return _WORD.findall(text.translate(_APOSTROPHES).casefold())[:WORDS_AT_MOST]


@cache
def default_lexicon() -> Lexicon:
    """The rules of this release, read once per process. Errors: ValueError for a pattern that cannot be meant."""
    lexicon = Lexicon({}, {}, {}, {}, {})
    for pattern, rule in default_rules():
        _add(lexicon, pattern, rule)
        if rule.name is not None:
            same = lexicon.brands.setdefault(rule.name, rule)
            if same is not None and same.debit != rule.debit:
                lexicon.brands[rule.name] = None
    return lexicon


@cache
def places() -> frozenset[tuple[str, ...]]:
    """Towns, as folded words."""
    lines = files(reference).joinpath("places.txt").read_text("utf-8").splitlines()
    return frozenset(tuple(words_of(line)) for line in lines if line)


def _is_better(rule: Rule, than: Rule) -> bool:
    if rule.rank != than.rank:
        return rule.rank > than.rank
    return rule.account_type is not None and than.account_type is None


def _walk(node: dict[str, Any], words: Sequence[str], place: int) -> Iterator[Rule]:
    for word in words[place:]:
        if word not in node:
            return
        node = node[word]
        yield from node.get(_LEAF, ())


def default_rules() -> Iterator[tuple[str, Rule]]:
    """Every pattern with what it says."""
    for row in _table("merchants.csv"):
        for pattern in row["patterns"].split(" | "):
            yield pattern, _rule("", MERCHANT, pattern, _MERCHANT_CONFIDENCE, row)
    for row in _table("keywords.csv"):
        for pattern in row["patterns"].split(" | "):
            yield pattern, _rule(row["kind"], _KINDS[row["kind"]], pattern, Decimal(row["confidence"]), row)


def _rule(word: str, kind: int, pattern: str, confidence: Decimal, row: dict[str, str]) -> Rule:
    return Rule(
        kind=kind,
        words=len(words_of(pattern)),
        confidence=confidence,
        debit=row["debit"] or None,
        credit=row["credit"] or None,
        account_type=row.get("account_type") or None,
        name=row.get("name"),
        names_nobody=word == _OWN,
    )


def _table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(files(reference).joinpath(name).read_text("utf-8").splitlines()))


def _add(lexicon: Lexicon, pattern: str, rule: Rule) -> None:
    words = words_of(pattern)
    if pattern.endswith("*") or pattern.startswith("*"):
        _add_stem(lexicon, pattern, words, rule)
        return
    if not words:
        raise ValueError(f"A pattern without words: {pattern!r}.")
    node = lexicon.anchored if pattern.startswith("^") else lexicon.trie
    for word in words:
        node = node.setdefault(word, {})
    rules: list[Rule] = node.setdefault(_LEAF, [])
    if any(each.account_type == rule.account_type for each in rules):
        raise ValueError(f"Two rules for {pattern!r}.")
    rules.append(rule)


def _add_stem(lexicon: Lexicon, pattern: str, words: list[str], rule: Rule) -> None:
    if len(words) != 1 or len(words[0]) < _STEM:
        raise ValueError(f"A wildcard needs one word of at least {_STEM} letters: {pattern!r}.")
    if pattern.endswith("*"):
        lexicon.starts.setdefault(words[0][:_STEM], []).append((words[0], rule))
    else:
        lexicon.ends.setdefault(words[0][-_STEM:], []).append((words[0], rule))
