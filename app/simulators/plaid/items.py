"""What a person has linked, and how it is told page by page."""

import base64
import hashlib
import json
import random
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from app.simulators.bank import SimBank, SimTransaction
from app.simulators.faults import Faults
from app.simulators.plaid import shapes
from app.simulators.plaid.refusal import PlaidRefusal

#: What is there at first of the past. Source: Plaid's description of INITIAL_UPDATE_COMPLETE.
INITIAL_DAYS: Final = 30
_RECENT_DAYS: Final = 7

Kind = Literal["added", "modified", "removed"]


@dataclass(kw_only=True)
class Item:
    """A connection. `number`: the first one shows the bank's own ids, those after it others, as a bank that is linked again has.

    error: the code it fails with, until the person signs in again. not_ready, initial: how many more times it is asked for
    transactions before any, or before all of them, are there.
    """

    id: str
    access_token: str = field(repr=False)
    number: int
    institution_id: str
    webhook: str | None
    created_at: datetime
    error: str | None = None
    is_removed: bool = False
    not_ready: int = 0
    initial: int = 0
    told: dict[str, Any] | None = None

    def shown(self, id: str) -> str:
        """An account's or transaction's id as this item has it."""
        return id if self.number == 0 else hashlib.blake2b(f"{self.number}|{id}".encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class _Place:
    """What a cursor says: where a pagination is. All its pages tell of the bank as it was at `until`, whatever happened since then.

    since: it tells of what changed after it. known: what was there then has been told of before. told: its pages until here were read.
    chain: its number, 0 between two paginations, when `until` is open.
    """

    since: int = 0
    known: int = 0
    told: int = 0
    until: int = 0
    chain: int = 0


class Feed:
    """`/transactions/sync` over a bank that goes on living between two pages."""

    def __init__(self, bank: SimBank, faults: Faults, page_size: int) -> None:
        self.bank = bank
        self.faults = faults
        self.page_size = page_size
        self.epoch = 0
        self._chains = 0
        self._broken: set[int] = set()
        self._random = random.Random(f"pages {bank.seed}")  # noqa: S311  pages that can be had again, no secret

    def sync(self, item: Item, cursor: str | None, count: int, *, is_original: bool) -> dict[str, Any]:
        """A page. Errors: PlaidRefusal, for a cursor of another item, and after the data has changed between two pages."""
        place = self._place(item, cursor)
        if item.not_ready > 0:
            item.not_ready -= 1
            return shapes.page(self.bank, item, [], [], [], "", False, "NOT_READY")
        if place.chain in self._broken or self.faults.take("mutation"):
            self._mutate(place)
            raise PlaidRefusal("TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION")
        return self._page(item, place, cursor, min(count, self.page_size), is_original)

    def forget(self) -> None:
        """All cursors that were given out are worth nothing any more."""
        self.epoch += 1

    def _page(self, item: Item, place: _Place, cursor: str | None, count: int, is_original: bool) -> dict[str, Any]:
        is_initial = item.initial > 0
        until = place.until or self.bank.revision
        entries = self._entries(place, until, is_initial)
        now, later = entries[:count], entries[count:]
        if later:
            after = replace(place, told=now[-1][0], until=until, chain=place.chain or self._new_chain())
        elif is_initial:
            item.initial -= 1
            after = _Place(known=until)
        else:
            after = _Place(since=until, known=until, told=until)
        told: dict[Kind, list[dict[str, Any]]] = {"added": [], "modified": [], "removed": []}
        for _, kind, row in now:
            told[kind].append(shapes.removed(item, row) if kind == "removed" else shapes.transaction(item, row, is_original=is_original))
        next_cursor = self._cursor(item, after)
        own = {"next": next_cursor, "added": list(told["added"]), "modified": list(told["modified"])}
        self._disturb(item, cursor, told)
        item.told = own
        status = "INITIAL_UPDATE_COMPLETE" if is_initial else "HISTORICAL_UPDATE_COMPLETE"
        return shapes.page(self.bank, item, told["added"], told["modified"], told["removed"], next_cursor, bool(later), status)

    def _entries(self, place: _Place, until: int, is_initial: bool) -> list[tuple[int, Kind, SimTransaction]]:
        """What changed, each id once as it was at the end, by when it last changed. What came and went in between is nothing."""
        last: dict[str, tuple[int, str, SimTransaction]] = {}
        first: dict[str, str] = {}
        for change in self.bank.changes_since(place.since)[: until - place.since]:
            id = change.transaction.id
            if change.revision > place.known:
                first.setdefault(id, change.kind)
            last[id] = (change.revision, change.kind, change.transaction)
        since = self.bank.today - timedelta(days=INITIAL_DAYS)
        entries: list[tuple[int, Kind, SimTransaction]] = []
        for id, (revision, kind, row) in last.items():
            was_known = first.get(id, "added") != "added"
            if revision <= place.told:
                continue
            if kind == "removed":
                if was_known:
                    entries.append((revision, "removed", row))
            elif not is_initial or row.on >= since:
                entries.append((revision, "modified" if was_known else "added", row))
        return sorted(entries, key=lambda entry: entry[0])

    def _disturb(self, item: Item, cursor: str | None, told: dict[Kind, list[dict[str, Any]]]) -> None:
        """Rows in another order; and those of the page before, as they were then, before them."""
        if self.faults.take("reordered_page"):
            for rows in told.values():
                self._random.shuffle(rows)
        before = item.told
        if before is not None and before["next"] == cursor and self.faults.take("duplicate_page"):
            told["added"][:0] = before["added"]
            told["modified"][:0] = before["modified"]

    def _mutate(self, place: _Place) -> None:
        """Something recent changes, as what was told a moment ago may; from here on this pagination leads nowhere."""
        if place.chain in self._broken:
            return
        self._broken.add(place.chain or self._new_chain())
        earliest = self.bank.today - timedelta(days=_RECENT_DAYS)
        recent = [row for id in self.bank.accounts for row in self.bank.ledger(id) if row.on >= earliest]
        event = self._random.choice(("remove", "amend", "buy")) if recent else "buy"
        if event == "remove":
            self.bank.remove(self._random.choice(recent).id)
        elif event == "amend":
            self.bank.amend(self._random.choice(recent).id)
        else:
            self.bank.buy()

    def _new_chain(self) -> int:
        self._chains += 1
        return self._chains

    def _cursor(self, item: Item, place: _Place) -> str:
        said = [item.id, self.epoch, *astuple(place)]
        return base64.b64encode(json.dumps(said).encode()).decode()

    def _place(self, item: Item, cursor: str | None) -> _Place:
        if not cursor:
            return _Place()
        try:
            item_id, epoch, *place = json.loads(base64.b64decode(cursor, validate=True))
            found = _Place(*place)
        except (ValueError, TypeError) as error:
            raise PlaidRefusal("INVALID_FIELD", "cursor is not valid") from error
        if (item_id, epoch) != (item.id, self.epoch):
            raise PlaidRefusal("INVALID_FIELD", "cursor not associated with access_token")
        return found
