"""What a batch comes to: which of its rows are new, changed, or known by another name, and what of ours the bank does not list any more.

Reads only. What a bank says of a transaction is found by its name; `domains.transaction.matching` tells what changed its name.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar
from uuid import UUID

from db.engines import WriteSession
from db.transaction.queries import batches, reconciling
from db.transaction.queries.batches import Known
from db.transaction.queries.reconciling import Place, StoredRow, Tombstone
from domains.transaction import matching
from domains.transaction.matching import Offered, Stored
from domains.transaction.service.provided import AccountBatch, Given

#: Rows per statement: large enough that round trips do not count, small enough that arrays stay a few megabytes.
CHUNK = 5_000
Key = tuple[UUID, str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """What is stored, and what the bank says of it now. `is_renamed`: under another name."""

    given: Given
    was: StoredRow
    is_renamed: bool


@dataclass(frozen=True, slots=True)
class Burial:
    """What the bank says of a deleted transaction, under another name than before."""

    given: Given
    was: Tombstone


@dataclass(slots=True)
class Plan:
    """What is to be done. left: what the bank has taken back. restated: what it says anew of deleted transactions, by their ids.

    suggested: rows of `added` that may be what these pending ones became. unplaced: names of `added` that stand for others so far.
    older: by name, what else rows of `added` were called.
    """

    unchanged: int = 0
    added: list[Given] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    left: list[StoredRow] = field(default_factory=list)
    suggested: list[tuple[Given, StoredRow]] = field(default_factory=list)
    buried: list[Burial] = field(default_factory=list)
    restated: list[tuple[Given, UUID]] = field(default_factory=list)
    dead: list[UUID] = field(default_factory=list)
    unplaced: list[Key] = field(default_factory=list)
    older: dict[Key, Key] = field(default_factory=dict)


def in_chunks(given: Iterable[T]) -> Iterator[list[T]]:
    rows = iter(given)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


async def make_plan(session: WriteSession, accounts: Sequence[AccountBatch], given: Mapping[Key, Given]) -> Plan:
    """Hold a batch against what is stored. `given`: its rows by name, each name once."""
    return await _Planner(session, accounts, given).run()


class _Planner:
    def __init__(self, session: WriteSession, accounts: Sequence[AccountBatch], given: Mapping[Key, Given]) -> None:
        self._session = session
        self._accounts = accounts
        self._given = given
        self._providers = {account.account_id: account.provider for account in accounts}
        self._removed = {(account.account_id, name) for account in accounts for name in account.removed}
        self._replaced = _replaced(given, self._removed)
        self._known: dict[Key, Known] = {}
        self._news: list[Given] = []
        self._changed: list[Given] = []
        self._old_names: list[Given] = []
        self._gone: dict[UUID, Place] = {}
        self._superseded: set[UUID] = set()
        self._order: list[Given] = []
        self._plan = Plan()

    async def run(self) -> Plan:
        for chunk in in_chunks({*self._given, *self._removed, *self._replaced}):
            for known in await batches.find_known(self._session, [account for account, _ in chunk], [name for _, name in chunk]):
                self._known[known.account_id, known.provider_transaction_id] = known
        for key, each in self._given.items():
            if key not in self._removed and key not in self._replaced:
                self._sort_in(each)
        await self._find_gone()
        if self._news or self._changed or self._old_names or self._gone:
            await self._match()
        return self._plan

    def _sort_in(self, each: Given) -> None:
        """By its name: new, changed, or nothing new."""
        known = self._known.get(each.key)
        if known is None:
            self._news.append(each)
        elif known.is_alias and known.deleted_at is None:
            self._old_names.append(each)
        elif known.is_alias or known.fingerprint == each.mark:
            self._plan.unchanged += 1
        elif known.deleted_at is not None:
            self._plan.restated.append((each, known.transaction_id))
        else:
            self._changed.append(each)

    async def _find_gone(self) -> None:
        """What the bank has taken back: by name, by a booked row that says what it was, or as a window does not show it."""
        for key in (*self._removed, *(self._replaced & self._given.keys())):
            known = self._known.get(key)
            if known is None or known.is_alias:
                continue
            if known.deleted_at is not None:
                self._plan.dead.append(known.transaction_id)
                continue
            self._gone[known.transaction_id] = Place(known.transaction_id, known.transaction_date)
            if key not in self._removed:
                self._superseded.add(known.transaction_id)
        for account in self._accounts:
            if account.window is not None:
                listed = [name for account_id, name in self._given if account_id == account.account_id]
                found = await reconciling.find_unlisted(self._session, account.account_id, account.provider, account.window, listed)
                self._gone |= {place.id: place for place in found}

    async def _match(self) -> None:
        """Account by account, as no movement changes its account."""
        stored = {row.id: row for row in await self._load()}
        tombstones = await self._tombstones()
        if not stored and not tombstones:  # all is new, as when a bank is linked
            for each in (*self._news, *self._changed):
                self._add(each)
            self._plan.unchanged += len(self._old_names)
            return
        ours: dict[UUID, list[Stored]] = defaultdict(list)
        for row in stored.values():
            ours[row.account_id].append(_stored(row, is_gone=self._is_gone(row)))
        for dead in tombstones.values():
            ours[dead.account_id].append(_dead(dead, is_gone=self._is_over(dead)))
        offered: dict[UUID, list[Offered]] = defaultdict(list)
        for one in self._offered(stored):
            offered[self._order[one.place].account.account_id].append(one)
        for account_id in {**offered, **ours}:
            found = matching.match(offered[account_id], ours[account_id])
            self._take(found, offered[account_id], stored, tombstones)

    def _is_gone(self, row: StoredRow) -> bool:
        """A statement's row is not for a bank to take back, nor is what it has booked no more for saying that it was pending."""
        is_said = row.id in self._gone and row.provider == self._providers[row.account_id]
        return is_said and not (row.id in self._superseded and row.status == "posted")

    async def _load(self) -> list[StoredRow]:
        """Whatever a row may turn out to be: what it is by its name, what is gone, what the bank says it was, what was cancelled lately."""
        named = [self._known[each.key] for each in (*self._changed, *self._old_names)]
        linked = [self._known[key] for each in self._news if (key := each.pending_key) in self._known]
        places = {each.transaction_id: Place(each.transaction_id, each.transaction_date) for each in (*named, *linked)} | self._gone
        found = [row for chunk in in_chunks(places.values()) for row in await reconciling.find_stored(self._session, chunk)]
        booked = [each.row.transaction_date for each in self._news if each.row.status != "pending"]
        if booked:
            first, last = min(booked) - matching.POSTS_WITHIN, max(booked)
            cancelled = await reconciling.find_cancelled(self._session, {each.account.account_id for each in self._news}, first, last)
            found += [row for row in cancelled if row.provider == self._providers[row.account_id]]
        return found

    async def _tombstones(self) -> dict[UUID, Tombstone]:
        if not self._news:
            return {}
        found = await reconciling.find_tombstones(self._session, {each.account.account_id for each in self._news})
        return {each.transaction_id: each for each in found}

    def _is_over(self, each: Tombstone) -> bool:
        """Whether the bank does not list it under the name that we know: now, or since it has taken it back."""
        key = (each.account_id, each.provider_transaction_id)
        if key in self._removed or key in self._replaced or not each.fingerprint:
            return True
        if key in self._given:
            return False
        windows = [account.window for account in self._accounts if account.account_id == each.account_id and account.window is not None]
        return any(first <= each.transaction_date < end for first, end in windows)

    def _offered(self, stored: Mapping[UUID, StoredRow]) -> Iterator[Offered]:
        """What is new or not as it was. Old names come last: a booked row that says what it was comes before them."""
        self._order = [*self._news, *self._changed, *self._old_names]
        for place, each in enumerate(self._order):
            known = self._known.get(each.key)
            if known is None:
                linked = None if (key := each.pending_key) is None else self._known.get(key)
                yield _offered(place, each, link=None if linked is None else linked.transaction_id)
            elif not known.is_alias:
                yield _offered(place, each, own=known.transaction_id if known.transaction_id in stored else None)
            else:
                was = stored.get(known.transaction_id)
                is_free = was is not None and (was.id in self._gone or was.status == "cancelled")
                yield _offered(place, each, link=known.transaction_id if is_free else None, only_link=True)

    def _take(
        self, found: matching.Matches, offered: Sequence[Offered], stored: Mapping[UUID, StoredRow], tombstones: Mapping[UUID, Tombstone]
    ) -> None:
        plan = self._plan
        for one in offered:
            each, which = self._order[one.place], found.kept.get(one.place)
            if which is not None and which in stored:
                was = stored[which]
                plan.changed.append(Change(each, was, is_renamed=was.provider_transaction_id != each.name))
            elif which is not None:
                plan.buried.append(Burial(each, tombstones[which]))
            elif one.only_link:
                plan.unchanged += 1
            else:
                self._add(each)
                if one.place in found.suggested:
                    plan.suggested.append((each, stored[found.suggested[one.place]]))
        plan.left += [stored[which] for which in found.left]

    def _add(self, each: Given) -> None:
        plan = self._plan
        plan.added.append(each)
        if each.key in self._known:
            plan.unplaced.append(each.key)
        key = each.pending_key
        if key is not None and key not in self._known and (key not in self._given or key in self._replaced):
            plan.older.setdefault(key, each.key)


def _replaced(given: Mapping[Key, Given], removed: set[Key]) -> set[Key]:
    """Names of pending rows that booked ones of the same batch say they were."""
    said = {key for each in given.values() if each.key not in removed and (key := each.pending_key) is not None}
    return {key for key in said if key not in given or given[key].row.status == "pending"}


def _offered(place: int, each: Given, *, own: UUID | None = None, link: UUID | None = None, only_link: bool = False) -> Offered:
    row = each.row
    return Offered(
        place=place,
        day=row.transaction_date,
        amount=row.amount,
        currency=row.currency,
        direction=row.direction,
        is_posted=row.status != "pending",
        words=matching.words_of(row.original_description or row.description or ""),
        own=own,
        link=link,
        only_link=only_link,
    )


def _stored(row: StoredRow, *, is_gone: bool) -> Stored:
    words = matching.words_of(row.original_description or row.description or "")
    return Stored(
        id=row.id,
        day=row.transaction_date,
        amount=row.amount,
        currency=row.currency,
        direction=row.direction,
        is_pending=row.status != "posted",
        state="cancelled" if row.status == "cancelled" else "live",
        is_gone=is_gone,
        words=words,
        likeness=matching.likeness(row.amount, row.currency, row.direction, words),
    )


def _dead(each: Tombstone, *, is_gone: bool) -> Stored:
    return Stored(
        id=each.transaction_id,
        day=each.transaction_date,
        amount=each.amount,
        currency=each.currency or "",
        direction=each.direction or "",
        is_pending=each.status in ("pending", "cancelled"),
        state="deleted",
        is_gone=is_gone,
        words=matching.words_of(each.original_description or each.description or ""),
        likeness=each.likeness,
    )
