"""Which of the movements that a bank lists are movements that we know by another name. Pure: no I/O and no clock.

Eight days from pending to booked with the very amount is what a widely used peer does without asking; that a tip may add up to 30 % within
three days is its threshold for asking. Plaid's documentation says that a pending transaction takes up to 14 days to be booked.
"""

import hashlib
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal
from uuid import UUID

#: From the day of a pending movement to the one on which it is booked, with the very amount.
POSTS_WITHIN: Final = timedelta(days=8)
#: The same where the amount grew, as by a tip, and by how much it may have grown.
GROWS_WITHIN: Final = timedelta(days=3)
GROWS_BY: Final = Decimal("1.30")
#: A pending movement that was not booked for so long will not be any more.
PENDING_AT_MOST: Final = timedelta(days=14)
#: Equal words at the beginning that make two texts comparable.
FIRST_WORDS: Final = 3
#: Movements of one day and amount that are compared with one.
COMPARED_AT_MOST: Final = 50
LIKENESS_BYTES: Final = 16
_KEPT: Final = 65_536
_WORD: Final = re.compile(r"[^\W\d_]{2,}")

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offered:
    """A movement that the bank lists and that is new under its name, or not as it was.

    place: in the batch. own: the transaction that has the name already. link: the one that it is according to the bank.
    only_link: without `link` it is nothing new: an old name of a movement that has another by now.
    """

    place: int
    day: date
    amount: Decimal
    currency: str
    direction: str
    is_posted: bool
    words: Words
    own: UUID | None = None
    link: UUID | None = None
    only_link: bool = False

    @property
    def likeness(self) -> bytes:
        return likeness(self.amount, self.currency, self.direction, self.words)

    @property
    def sum(self) -> Hashable:
        return self.amount, self.currency, self.direction


@dataclass(frozen=True, slots=True)
class Stored:
    """A movement that we have, or had. `is_gone`: the bank does not list it any more.

    state: `deleted` is what its owner has deleted; then `likeness` may be all that is left of what it was, and `amount` None.
    is_pending: whether the bank has not booked it, as far as it said.
    """

    id: UUID
    day: date
    amount: Decimal | None
    currency: str
    direction: str
    is_pending: bool
    state: Literal["live", "cancelled", "deleted"]
    is_gone: bool
    words: Words
    likeness: bytes

    @property
    def sum(self) -> Hashable:
        return self.amount, self.currency, self.direction


@dataclass(slots=True)
class Matches:
    """kept: by place, the transaction that an offered movement is; suggested: the pending one that it may have been, for its owner to say.

    left: live ones that are nothing that is listed any more.
    """

    kept: dict[int, UUID] = field(default_factory=dict)
    suggested: dict[int, UUID] = field(default_factory=dict)
    left: list[UUID] = field(default_factory=list)


def match(offered: Sequence[Offered], stored: Iterable[Stored]) -> Matches:
    """Tell which of these movements of one account are the same; each is one other at most. Every `own` is among the stored ones."""
    return _Matching(offered, stored).run()


@lru_cache(maxsize=_KEPT)
def words_of(text: str) -> Words:
    """Its words without the numbers, which banks change from day to day: casefolded, two letters or more."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def are_comparable(one: Words, other: Words) -> bool:
    """Whether two texts may tell of the same movement: their first words are the same, or the one has all the words of the other.

    A text without words tells nothing, and so nothing against it.
    """
    if not one or not other or one[:FIRST_WORDS] == other[:FIRST_WORDS]:
        return True
    fewer, more = sorted((set(one), set(other)), key=len)
    return fewer <= more


def likeness(amount: Decimal, currency: str, direction: str, words: Words) -> bytes:
    """A digest of what a movement is beside its day: equal for equal amounts and words."""
    text = "\x1f".join((f"{amount.normalize():f}", currency, direction, *words))
    return hashlib.blake2b(text.encode(), digest_size=LIKENESS_BYTES).digest()


class _Matching:
    def __init__(self, offered: Sequence[Offered], stored: Iterable[Stored]) -> None:
        self._offered = offered
        self._stored = {each.id: each for each in sorted(stored, key=lambda one: one.state != "live")}
        self._claimed: set[UUID] = set()
        self._found = Matches()

    def run(self) -> Matches:
        self._follow_links()
        self._keep_names()
        self._recognise()
        self._post()
        self._suggest()
        moved = {each.own for each in self._offered if each.own is not None and self._found.kept.get(each.place) != each.own}
        free = (each for each in self._stored.values() if each.id not in self._claimed)
        self._found.left = [each.id for each in free if each.state == "live" and (each.is_gone or each.id in moved)]
        return self._found

    def _follow_links(self) -> None:
        """The bank says itself what it was. A movement that is booked, and listed still, is no other's."""
        for one in self._offered:
            was = None if one.link is None or one.own is not None else self._stored.get(one.link)
            if was is not None and was.id not in self._claimed and (was.is_pending or was.is_gone or was.state != "live"):
                self._claim(one, was)

    def _keep_names(self) -> None:
        """A name stands for what it stood for, unless it is on quite another movement now, and this or the old one goes on elsewhere.

        Banks that number the movements of a day number them anew when one comes in between: nobody's notes go to another purchase for it.
        """
        movable = [one for one in self._open() if one.own is not None and self._is_another(one, self._stored[one.own])]
        moving = {one.own for one in movable}
        at_hand = {(was.day, was.likeness) for was in self._free() if was.is_gone or was.id in moving}
        wanted = {(one.day, one.likeness) for one in (*movable, *(one for one in self._open() if one.own is None))} if movable else set()
        renamed = {one.place for one in movable if (one.day, one.likeness) in at_hand or self._place_of(one.own) in wanted}
        for one in self._open():
            if one.own is not None and one.place not in renamed and one.own not in self._claimed:
                self._claim(one, self._stored[one.own])

    def _place_of(self, which: UUID | None) -> tuple[date, bytes] | None:
        was = None if which is None else self._stored.get(which)
        return None if was is None else (was.day, was.likeness)

    def _is_another(self, one: Offered, was: Stored) -> bool:
        return one.amount != was.amount and not are_comparable(one.words, was.words)

    def _recognise(self) -> None:
        """The same day, amount and words, one to one in their order; then words that compare."""
        moving = {one.own for one in self._open()}
        self._pair([was for was in self._free() if was.is_gone or was.id in moving], lambda each: each.likeness, lambda *_: True)
        self._pair([was for was in self._free() if was.is_gone and was.amount is not None], lambda each: each.sum, are_comparable)
        for one in self._open():
            if one.own is not None and one.own not in self._claimed:
                self._claim(one, self._stored[one.own])

    def _pair(self, stored: Iterable[Stored], of: Callable[[Offered | Stored], Hashable], fits: Callable[[Words, Words], bool]) -> None:
        groups: dict[Hashable, list[Stored]] = defaultdict(list)
        for was in stored:
            groups[was.day, of(was)].append(was)
        if not groups:
            return
        for one in self._open():
            group = groups.get((one.day, of(one)), [])
            place = next((at for at, was in enumerate(group[:COMPARED_AT_MOST]) if fits(one.words, was.words)), None)
            if place is not None:
                self._claim(one, group.pop(place))

    def _post(self) -> None:
        """The very amount within eight days, where nothing else could be meant."""

        def is_same(one: Offered, was: Stored) -> bool:
            return was.amount == one.amount

        for one, was in self._single_pairs(is_same, POSTS_WITHIN):
            self._claim(one, was)

    def _suggest(self) -> None:
        """A little more within three days is likely the same."""

        def grew(one: Offered, was: Stored) -> bool:
            return was.state != "deleted" and was.amount is not None and was.amount < one.amount <= was.amount * GROWS_BY

        for one, was in self._single_pairs(grew, GROWS_WITHIN):
            self._found.suggested[one.place] = was.id

    def _single_pairs(self, is_candidate: Callable[[Offered, Stored], bool], within: timedelta) -> list[tuple[Offered, Stored]]:
        """Of what was booked and what was pending and is so no more: pairs in which each is the only candidate of the other."""
        pending = sorted(
            (was for was in self._free() if was.is_pending and was.amount is not None and (was.is_gone or was.state == "cancelled")),
            key=lambda was: was.day,
        )
        if not pending:
            return []
        days = [was.day for was in pending]
        candidates: dict[int, list[Stored]] = {}
        rivals: dict[UUID, int] = defaultdict(int)
        booked = [one for one in self._open() if one.is_posted]
        for one in booked:
            near = pending[bisect_left(days, one.day - within) : bisect_right(days, one.day)]
            fitting = [was for was in near if (was.currency, was.direction) == (one.currency, one.direction) and is_candidate(one, was)]
            candidates[one.place] = fitting
            for was in fitting:
                rivals[was.id] += 1
        single = ((one, candidates[one.place][0]) for one in booked if len(candidates[one.place]) == 1)
        return [(one, was) for one, was in single if rivals[was.id] == 1]

    def _open(self) -> list[Offered]:
        """What is not recognised yet."""
        return [one for one in self._offered if one.place not in self._found.kept and not one.only_link]

    def _free(self) -> list[Stored]:
        return [was for was in self._stored.values() if was.id not in self._claimed]

    def _claim(self, one: Offered, was: Stored) -> None:
        self._found.kept[one.place] = was.id
        self._claimed.add(was.id)
