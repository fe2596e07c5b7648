"""Take in what a bank says, exactly once however often it says it. Statement files and bank syncs both end here.

lock       the user's writers wait for each other
plan       which rows are new, changed, or ours by another name; what the bank has taken back (`reconcile`)
follow     write it, in chunks; what a user said of a transaction is never overwritten, nor taken away without asking
expire     what has been pending for too long is cancelled
record     sums of the months touched, the ledger's version, the budgets' refold: only when something changed
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson

from db import jobs
from db.engines import WriteSession
from db.transaction.queries import batches, closing, folds, reconciling
from db.transaction.queries.reconciling import Place, StoredRow
from domains.core.ids import new_id
from domains.transaction import rules
from domains.transaction.matching import PENDING_AT_MOST
from domains.transaction.service.find_duplicates import find_duplicates
from domains.transaction.service.find_transfers import find_transfers
from domains.transaction.service.provided import AccountBatch, Given, fingerprint, read_rows, record_of
from domains.transaction.service.reconcile import Burial, Change, Plan, in_chunks, make_plan
from domains.transaction.service.touched import Touched

__all__ = ["AccountBatch", "Applied", "apply_batch", "fingerprint", "month_of", "pair_again", "record_change"]

REFOLD = "budget.refold"
CLOSE_AGAIN = "budget.close_again"
#: Changes within so long are looked at together.
CLOSE_AGAIN_DELAY_S = 5.0
REFOLD_LEASE_S = 30.0
#: How far back pending transactions are looked for that were never booked: whoever was away for longer has them cancelled by a listing.
OVERDUE_LOOKED_BACK: Final = timedelta(days=400)
_HUNDREDTH: Final = Decimal("0.01")


@dataclass(slots=True)
class Applied:
    """What a batch came to. `months`: first days of the months whose sums it touched; `refold`: the job its caller holds.

    removed: transactions that are gone, as the bank has taken them back. cancelled: pending ones that will not be booked.
    suggested: new questions to the user.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    cancelled: int = 0
    suggested: int = 0
    months: set[date] = field(default_factory=set)
    refold: jobs.Claim | None = None

    def as_outcome(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("added", "updated", "unchanged", "removed", "cancelled", "suggested")}


async def apply_batch(
    session: WriteSession,
    accounts: Sequence[AccountBatch],
    merchants: Mapping[str, rules.MerchantCategory],
    today: date | None = None,
    twins: Mapping[UUID, frozenset[UUID]] | None = None,
) -> Applied:
    """Store what is new, change what the provider changed, take away what it took back, leave the rest.

    Units:   `merchants` maps normalised merchant names to what is known of them. `today`: the day where the owner lives; None for a
             statement that nobody asks for again: what it calls pending is not cancelled for its age. `twins`: other accounts that are
             the same one by another connection, per account.
    Effects: one version of the user's ledger, one `budget.refold` job, a `budget.close_again` job per year; only when something changed.
             Questions to the user, of what is in doubt. The same batch again changes nothing.
    """
    await batches.lock_user(session)
    given = {each.key: each for each in read_rows(accounts)}
    plan = await make_plan(session, accounts, given)
    work = _Work(session, merchants, today)
    work.applied.unchanged = plan.unchanged
    await work.follow(plan)
    if today is not None:
        await work.expire({account.account_id for account in accounts}, today)
    applied = work.applied
    applied.months |= await pair_again(session, work.touched, twins)
    if applied.months:
        applied.refold = await record_change(session, applied.months)
    return applied


async def record_change(session: WriteSession, months: Iterable[date]) -> jobs.Claim | None:
    """What every change of transactions ends with, in the same transaction.

    Periods of budgets that are closed follow a little later, a year of them per job.
    Answers the budgets' refold as a job that the caller holds and runs after its commit; None when another run will see this change.
    """
    touched = sorted(months)
    await folds.refold_months(session, touched)
    await folds.bump_ledger(session)
    for year in sorted({month.year for month in touched}):
        key = f"{session.viewer.user_id}:{year}"
        await jobs.add(session, CLOSE_AGAIN, key=key, payload={"year": year}, delay_s=CLOSE_AGAIN_DELAY_S)
    return await jobs.add_held(session, REFOLD, key=str(session.viewer.user_id), lease_s=REFOLD_LEASE_S)


async def pair_again(session: WriteSession, touched: Touched, twins: Mapping[UUID, frozenset[UUID]] | None = None) -> set[date]:
    """Duplicates and transfers around what was touched; answers the first days of the months that this has changed."""
    if not touched:
        return set()
    months = await find_duplicates(session, touched, twins or {})
    return months | await find_transfers(session, touched, twins)


def month_of(day: date) -> date:
    return day.replace(day=1)


class _Work:
    """Follows a plan, a chunk at a time. A month that is closed takes no rows and gives none back: its transactions went already."""

    def __init__(self, session: WriteSession, merchants: Mapping[str, rules.MerchantCategory], today: date | None) -> None:
        self._session = session
        self._merchants = merchants
        self._today = today
        self._closed: set[date] = set()
        self._years: set[int] = set()
        self.applied = Applied()
        self.touched = Touched()

    async def follow(self, plan: Plan) -> None:
        await self._find_closed(plan)
        for changes in in_chunks(plan.changed):
            await self._change(changes)
        await self._bury(plan)
        if plan.unplaced:
            await reconciling.drop_names(self._session, plan.unplaced)
        added: dict[tuple[UUID, str], dict[str, Any]] = {}
        for rows in in_chunks(plan.added):
            added |= await self._add(rows)
        await self._name_older(plan, added)
        await self._settle(plan.left)
        await self._suggest(plan, added)

    async def expire(self, account_ids: set[UUID], today: date) -> None:
        """What has been pending for longer than any bank takes is cancelled; it is still known when it is booked after all."""
        since, until = today - OVERDUE_LOOKED_BACK, today - PENDING_AT_MOST
        found = await reconciling.find_overdue(self._session, account_ids, since, until)
        if found:
            await self._cancel(found)

    async def _find_closed(self, plan: Plan) -> None:
        days = {each.row.transaction_date for each in plan.added} | {each.was.transaction_date for each in plan.changed}
        days |= {each.given.row.transaction_date for each in plan.changed} | {row.transaction_date for row in plan.left}
        if days:
            self._closed = await closing.closed_among(self._session, {month_of(day) for day in days})

    def _is_closed(self, *days: date) -> bool:
        return bool(self._closed) and any(month_of(day) in self._closed for day in days)

    async def _add(self, given: Sequence[Given]) -> dict[tuple[UUID, str], dict[str, Any]]:
        """The new rows, by name."""
        rows = {
            each.key: {**record_of(each, self._merchants, self._today), "id": new_id()}
            for each in given
            if not self._is_closed(each.row.transaction_date)
        }
        self.applied.unchanged += len(given) - len(rows)
        if not rows:
            return rows
        await self._ensure_partitions(rows.values())
        await batches.add_transactions(self._session, list(rows.values()))
        self.applied.added += len(rows)
        self.applied.months |= {month_of(day) for day in {row["transaction_date"] for row in rows.values()}}
        for row in rows.values():
            self.touched.note_added(row["id"], row["account_id"], row["transaction_date"])
        return rows

    async def _ensure_partitions(self, rows: Iterable[Mapping[str, Any]]) -> None:
        missing = {row["transaction_date"].year for row in rows} - self._years
        await batches.ensure_partitions(self._session, sorted(missing))
        self._years |= missing

    async def _change(self, changes: Sequence[Change]) -> None:
        """Write what the bank says now. What has another name by now keeps the old one as an alias."""
        made = [each for each in changes if not self._is_closed(each.was.transaction_date, each.given.row.transaction_date)]
        self.applied.unchanged += len(changes) - len(made)
        if not made:
            return
        rows = [
            {**record_of(each.given, self._merchants, self._today), "id": each.was.id, "old_date": each.was.transaction_date}
            for each in made
        ]
        if moved := [row for row in rows if row["old_date"] != row["transaction_date"]]:
            await self._ensure_partitions(moved)
            await batches.move_transactions(self._session, moved)
            await reconciling.move_names(self._session, [Place(row["id"], row["transaction_date"]) for row in moved])
        if renamed := [row for row, each in zip(rows, made, strict=True) if each.is_renamed]:
            await self._rename(renamed)
        await batches.change_transactions(self._session, rows)
        await reconciling.withdraw_removals(self._session, [row["id"] for row in rows])
        self.applied.updated += len(rows)
        for row in rows:
            self.applied.months.update((month_of(row["old_date"]), month_of(row["transaction_date"])))
            self.touched.note_changed(row["id"], row["account_id"], row["old_date"], row["transaction_date"])

    async def _rename(self, rows: Sequence[dict[str, Any]]) -> None:
        ids = [row["id"] for row in rows]
        await reconciling.age_names(self._session, ids)
        await reconciling.place_names(self._session, [_name(row) for row in rows])
        await reconciling.withdraw_reviews(self._session, ids)

    async def _bury(self, plan: Plan) -> None:
        """What was deleted stays so under its new name; what the bank says of it is kept for whoever wants it back."""
        for burials in in_chunks(plan.buried):
            records = [record_of(each.given, self._merchants, self._today) for each in burials]
            rows = [_tombstone(each, record) for each, record in zip(burials, records, strict=True)]
            await reconciling.age_names(self._session, [row["transaction_id"] for row in rows])
            await reconciling.place_tombstones(self._session, rows)
            said = zip((row["transaction_id"] for row in rows), records, strict=True)
            await reconciling.keep_offered(self._session, [{"id": which, "offered": _as_json(record)} for which, record in said])
        for restated in in_chunks(plan.restated):
            news = [{"id": which, "fingerprint": each.mark} for each, which in restated]
            await reconciling.refresh_tombstones(self._session, news)
            kept = [{"id": which, "offered": _as_json(record_of(each, self._merchants, self._today))} for each, which in restated]
            await reconciling.keep_offered(self._session, kept)
        self.applied.unchanged += len(plan.buried) + len(plan.restated)
        if plan.dead:
            await reconciling.forget_fingerprints(self._session, plan.dead)

    async def _name_older(self, plan: Plan, added: Mapping[tuple[UUID, str], dict[str, Any]]) -> None:
        """A new row's name while it was pending, which we have not seen yet: when it comes it is nothing new."""
        older = [
            {**_name(added[newer]), "provider_transaction_id": name, "is_alias": True}
            for (_, name), newer in plan.older.items()
            if newer in added
        ]
        for rows in in_chunks(older):
            await reconciling.place_names(self._session, rows)

    async def _settle(self, left: Sequence[StoredRow]) -> None:
        """What the bank has taken back. What its owner has said something of waits for their word."""
        open_ones = [row for row in left if not row.is_kept and not self._is_closed(row.transaction_date)]
        pending = [row for row in open_ones if row.status == "pending"]
        gone = [row for row in open_ones if row.status == "posted" and not row.is_edited]
        doubtful = [row for row in open_ones if row.is_edited]
        for rows in in_chunks(gone):
            await self._remove(rows)
        for rows in in_chunks(pending):
            await self._cancel([(Place(row.id, row.transaction_date), row.account_id) for row in rows])
            await reconciling.forget_fingerprints(self._session, [row.id for row in rows])
        for rows in in_chunks(doubtful):
            asked = [_review("removal", row.id, row.transaction_date) for row in rows]
            self.applied.suggested += await reconciling.suggest_reviews(self._session, asked)
            await reconciling.forget_fingerprints(self._session, [row.id for row in rows])

    async def _remove(self, rows: Sequence[StoredRow]) -> None:
        await reconciling.delete_transactions(self._session, [Place(row.id, row.transaction_date) for row in rows])
        await reconciling.withdraw_reviews(self._session, [row.id for row in rows])
        self.applied.removed += len(rows)
        for row in rows:
            self.applied.months.add(month_of(row.transaction_date))
            self.touched.note_gone(row.id, row.account_id, row.transaction_date)

    async def _cancel(self, found: Sequence[tuple[Place, UUID]]) -> None:
        await reconciling.cancel_transactions(self._session, [place for place, _ in found])
        self.applied.cancelled += len(found)
        for place, account_id in found:
            self.applied.months.add(month_of(place.transaction_date))
            self.touched.note_gone(place.id, account_id, place.transaction_date)

    async def _suggest(self, plan: Plan, added: Mapping[tuple[UUID, str], dict[str, Any]]) -> None:
        """What may be what was pending: both stay, and the owner says."""
        asked = []
        for each, was in plan.suggested:
            if (row := added.get(each.key)) is not None:
                score = (was.amount / row["amount"]).quantize(_HUNDREDTH)
                asked.append(_review("posting", was.id, was.transaction_date, (row["id"], row["transaction_date"]), score))
        for rows in in_chunks(asked):
            self.applied.suggested += await reconciling.suggest_reviews(self._session, rows)


def _name(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row's name and what it stands for."""
    kept = {name: row[name] for name in ("account_id", "provider_transaction_id", "transaction_date", "fingerprint")}
    return {**kept, "transaction_id": row["id"], "is_alias": False}


def _tombstone(each: Burial, record: Mapping[str, Any]) -> dict[str, Any]:
    return {**_name({**record, "id": each.was.transaction_id}), "likeness": each.was.likeness}


def _review(
    kind: str, transaction_id: UUID, day: date, other: tuple[UUID, date] | None = None, score: Decimal | None = None
) -> dict[str, Any]:
    other_id, other_date = other or (None, None)
    about = {"kind": kind, "transaction_id": transaction_id, "transaction_date": day}
    return {**about, "other_id": other_id, "other_date": other_date, "score": score}


def _as_json(record: Mapping[str, Any]) -> str:
    """A record as the bin keeps it: exact numbers and days as text."""
    return orjson.dumps({name: value for name, value in record.items() if name != "fingerprint"}, default=str).decode()
