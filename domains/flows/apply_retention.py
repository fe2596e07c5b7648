"""Retention: what no policy keeps any more goes, but for what somebody holds.

Of transactions, user by user:
    freeze     budget: every period that begins before the cutoff is closed and frozen, from the transactions as they are
    close      transaction, in one transaction under the user's lock: the months' sums are folded a last time and frozen, the
               transactions deleted, an entry left; not if the ledger has moved on since the periods were frozen
    drop       transaction, as the system: parts that are empty now
so that whoever is held keeps their rows, and nobody else's stay with them. Of everything else, batches: each a transaction with its entry
in the audit trail. Stopped anywhere, the next run does the rest; what is done is not done again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from db import retention
from db.audit import queries as audit
from db.engines import Origin, Viewer
from db.retention import Aged
from db.transaction.queries import closing, folds
from db.user.queries import users_by_id
from domains.audit.errors import MonthHeld
from domains.audit.service import keep_trail
from domains.core.audit import Action, Trail
from domains.core.errors import TryAgain
from domains.flows.audit_trail import open_nobodys_trail, open_trail
from domains.flows.close_periods import freeze_history
from domains.flows.drop_partitions import drop_partitions, list_droppable
from domains.flows.holds import find_held
from domains.flows.retention_policies import AUDIT_LOGS, POLICIES, TRANSACTIONS, How, Policy
from domains.flows.services import Services
from domains.transaction.service.drop_months import drop_before

WORKER: Final = Origin("worker")
#: Rows of a transaction.
BATCH: Final = 5_000
#: Of one policy in one run: fifty million rows. What is left is for the next run.
BATCHES_AT_MOST: Final = 10_000
USERS_AT_ONCE: Final = 500
#: A user whose transactions change while they are closed is tried again this often, and then left for the next run.
TRIES: Final = 3


@dataclass(slots=True)
class Outcome:
    """What a policy came to in a run, or would.

    rows:       of `users` users, where that is known.
    held_rows:  that are over and stay, of `held_users` users, or (-1) of everybody.
    parts:      partitions that went.
    held_parts: partitions that stay whole, for somebody in them.
    waiting:    users whose transactions stay until their budgets' periods can be closed.
    """

    policy: Policy
    cutoff: str
    rows: int = 0
    users: int | None = None
    held_rows: int = 0
    held_users: int = 0
    parts: list[str] = field(default_factory=list)
    held_parts: list[str] = field(default_factory=list)
    waiting: int = 0


async def apply_retention(services: Services, origin: Origin = WORKER) -> list[Outcome]:
    """Enforce every policy, as of now by the services' clock; answers what each came to. Errors: those of the database."""
    found = []
    for policy in POLICIES:
        outcome = Outcome(policy, _day(policy, services))
        if policy.how is How.CLOSED_YEARS:
            await _drop_transactions(services, origin, outcome)
        elif policy.how is How.MONTHS:
            await _drop_audit_months(services, origin, outcome)
        elif policy.how is How.ROWS:
            await _delete_rows(services, origin, outcome)
        found.append(outcome)
    return found


async def plan_retention(services: Services) -> list[Outcome]:
    """What `apply_retention` would come to now. Changes nothing. Whose budgets keep their transactions is only known by trying."""
    held = await find_held(services)
    found = []
    for policy in POLICIES:
        outcome = Outcome(policy, _day(policy, services))
        if policy.how is How.CLOSED_YEARS:
            await _count_transactions(services, outcome)
        elif policy.how is How.MONTHS:
            await _count_audit_months(services, outcome)
        elif policy.how is How.ROWS:
            async with services.db.system(policy.domain) as session:
                counted = await retention.count_aged(session, _aged(policy, services), held.users)
            outcome.rows, outcome.held_rows, outcome.held_users = counted
        if held.everybody and policy.how is not How.MONTHS:
            outcome.held_rows, outcome.rows = outcome.held_rows + outcome.rows, 0
            outcome.held_users, outcome.users = -1, None
            outcome.parts = []
        found.append(outcome)
    return found


def _day(policy: Policy, services: Services) -> str:
    return policy.cutoff(services.clock.now()).date().isoformat() if policy.years or policy.days else ""


def _aged(policy: Policy, services: Services) -> Aged:
    return Aged(policy.table, policy.since, policy.cutoff(services.clock.now()), policy.statuses)


# Rows


async def _delete_rows(services: Services, origin: Origin, outcome: Outcome) -> None:
    policy, aged = outcome.policy, _aged(outcome.policy, services)
    for _ in range(BATCHES_AT_MOST):
        held = await find_held(services)
        if held.everybody:
            return
        async with services.db.system(policy.domain) as session:
            gone = await retention.delete_aged(session, aged, held.users, limit=BATCH)
            if gone:
                told = {"policy": policy.name, "before": outcome.cutoff, "rows": gone}
                await open_nobodys_trail(origin).note(session, Action.RETENTION_APPLIED, metadata=told)
        outcome.rows += gone
        if not gone:
            return


# Transactions


def _until(services: Services) -> date:
    return TRANSACTIONS.cutoff(services.clock.now()).date()


async def _drop_transactions(services: Services, origin: Origin, outcome: Outcome) -> None:
    until, after, outcome.users = _until(services), None, 0
    while True:
        async with services.db.system("transaction") as session:
            owners = await closing.list_owners_before(session, until, after, limit=USERS_AT_ONCE)
        for owner in owners:
            if (await find_held(services)).holds(owner):
                outcome.held_users += 1
            else:
                await _drop_of(services, Viewer(owner, origin=origin), until, outcome)
        if len(owners) < USERS_AT_ONCE:
            break
        after = owners[-1]
    outcome.parts = await drop_partitions(services, origin)


async def _drop_of(services: Services, viewer: Viewer, until: date, outcome: Outcome) -> None:
    """One user's; whoever's budgets do not let them go now is counted as waiting."""
    trail = await _trail_of(services, viewer)
    for _ in range(TRIES):
        async with services.db.read("transaction", viewer) as read:
            version = int(await read.value(folds.ledger_version()) or 0)
        try:
            periods = await freeze_history(services, viewer, until)
        except TryAgain:
            break
        async with services.db.write("transaction", viewer) as session:
            dropped = await drop_before(session, until, version)
            if dropped is not None and dropped.transactions and trail is not None:
                told = {"before": until, "transactions": dropped.transactions, "sums_kept": dropped.frozen, "periods_kept": periods}
                await trail.note(session, Action.TRANSACTIONS_EXPIRED, metadata=told)
        if dropped is not None:
            outcome.rows += dropped.transactions
            outcome.users = (outcome.users or 0) + bool(dropped.transactions)
            return
    outcome.waiting += 1


async def _trail_of(services: Services, viewer: Viewer) -> Trail | None:
    """None for who is not there any more: they have no key, and nobody to tell."""
    async with services.db.read("user", viewer) as read:
        is_there = await read.row(users_by_id(("id",)), keys=[viewer.user_id]) is not None
    return await open_trail(services, viewer) if is_there else None


async def _count_transactions(services: Services, outcome: Outcome) -> None:
    held = await find_held(services)
    async with services.db.system("transaction") as session:
        counted = await closing.count_before(session, _until(services), held.users)
    outcome.rows, outcome.users, outcome.held_rows, outcome.held_users = counted
    outcome.parts = await list_droppable(services, held.users)


# Audit logs


async def _months(services: Services) -> Sequence[date]:
    """The first days of the months that are over, the oldest first."""
    until = AUDIT_LOGS.cutoff(services.clock.now()).date()
    async with services.db.system("audit") as session:
        return [month for month in await audit.list_months(session) if month < until]


async def _drop_audit_months(services: Services, origin: Origin, outcome: Outcome) -> None:
    for month in await _months(services):
        name = f"{month:%Y-%m}"
        try:
            async with services.db.system("audit") as session:
                rows = await keep_trail.count_month(session, month)
                if await keep_trail.drop_month(session, month):
                    await open_nobodys_trail(origin).note(
                        session, Action.AUDIT_MONTH_DROPPED, resource_type="AuditLog", resource_id=name, metadata={"entries": rows}
                    )
                    outcome.parts.append(name)
                    outcome.rows += rows
        except MonthHeld:
            outcome.held_parts.append(name)


async def _count_audit_months(services: Services, outcome: Outcome) -> None:
    for month in await _months(services):
        async with services.db.system("audit") as session:
            rows, is_held = await keep_trail.count_month(session, month), await keep_trail.is_held(session, month)
        if is_held:
            outcome.held_rows += rows
            outcome.held_parts.append(f"{month:%Y-%m}")
        else:
            outcome.rows += rows
            outcome.parts.append(f"{month:%Y-%m}")
