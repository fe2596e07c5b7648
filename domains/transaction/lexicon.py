"""The default rules, compiled: which rule do the words of a bank statement point to?"""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from domains.transaction import reference

ACTION, MERCHANT, KEYWORD = 3, 2, 1
_KINDS: Final = {"action": ACTION, "keyword": KEYWORD}
_MERCHANT_CONFIDENCE: Final = Decimal("0.95")
#: Money back from where money usually goes is most likely, but not surely, a refund.
_REFUND_CONFIDENCE: Final = {MERCHANT: Decimal("0.85"), KEYWORD: Decimal("0.70")}
#: A statement line has a dozen words; what stands behind this many is a reference.
WORDS_AT_MOST: Final = 40
#: Letters of a wildcard pattern that are looked up; also the shortest such pattern.
_STEM: Final = 4
_LEAF: Final = ""
_BOOKKEEPING: Final = ("TRANSFER_", "BANK_FEES", "LOAN_PAYMENTS_CREDIT_CARD", "INCOME_INTEREST")

_WORD = re.compile(r"[^\W_]+(?:&[^\W_]+)*")
_APOSTROPHES = str.maketrans("", "", "'’`´‘")


class Rule(NamedTuple):
    """What a pattern says. `name` is the brand, for merchants. Ordered by what wins: see `rank`."""

    kind: int
    words: int
    confidence: Decimal
    debit: str | None
    credit: str | None
    account_type: str | None
    name: str | None

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

    `brands` leads from a name as people write it back to its rule; names that two brands share are left out.
    """

    trie: dict[str, Any]
    anchored: dict[str, Any]
    starts: dict[str, list[tuple[str, Rule]]]
    ends: dict[str, list[tuple[str, Rule]]]
    brands: dict[str, Rule]

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

    def is_bookkeeping(self, words: Sequence[str], nobody: frozenset[str]) -> bool:
        """Whether the words only say what the bank did (a transfer, a fee, interest, paying a card off), and name no merchant."""
        covered: set[int] = set()
        for place in range(len(words)):
            for rule in _walk(self.trie, words, place):
                if rule.kind == ACTION and (rule.debit or rule.credit or "").startswith(_BOOKKEEPING):
                    covered.update(range(place, place + rule.words))
        return bool(covered) and all(place in covered or word in nobody or word.isdigit() for place, word in enumerate(words))

    def _matches(self, words: Sequence[str], *, is_name: bool) -> Iterator[Rule]:
        if is_name and words:
            yield from _walk(self.anchored, words, 0)
        trie, starts, ends = self.trie, self.starts, self.ends
        for place, word in enumerate(words):
            if word in trie:
                yield from _walk(trie, words, place)
            if len(word) > _STEM:
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
    names: Counter[str] = Counter()
    for pattern, rule in default_rules():
        _add(lexicon, pattern, rule)
        if rule.name is not None:
            lexicon.brands[rule.name] = rule
    names.update(row["name"] for row in _table("merchants.csv"))
    for name, count in names.items():
        if count > 1:
            del lexicon.brands[name]
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
            yield pattern, _rule(MERCHANT, pattern, _MERCHANT_CONFIDENCE, row, row["name"])
    for row in _table("keywords.csv"):
        for pattern in row["patterns"].split(" | "):
            yield pattern, _rule(_KINDS[row["kind"]], pattern, Decimal(row["confidence"]), row, None)


def _rule(kind: int, pattern: str, confidence: Decimal, row: dict[str, str], name: str | None) -> Rule:
    words = len(words_of(pattern))
    return Rule(kind, words, confidence, row["debit"] or None, row["credit"] or None, row.get("account_type") or None, name)


def _table(name: str) -> list[dict[str, str]]:
    with files(reference).joinpath(name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


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
