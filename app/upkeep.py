"""What an operator does that workers do every night, or only asks what they would do; and legal holds."""

import getpass
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.errors import OperatorError
from app.operator import OPERATOR
from app.settings import Settings
from app.wiring import open_services
from db.user.queries import find_account
from domains.audit.service.keep_trail import PlaceHold
from domains.flows import holds
from domains.flows.apply_retention import Outcome, apply_retention, plan_retention
from domains.flows.drop_partitions import keep_partitions, plan_partitions
from domains.flows.repair_months import plan_repairs, request_repairs
from domains.flows.services import Services
from domains.flows.sweep_orphans import plan_sweep, sweep_orphans
from domains.user.rules import find_email

#: Of months that differ, as many are told one by one.
TOLD_ONE_BY_ONE: Final = 100


async def retention(settings: Settings, *, dry_run: bool) -> str:
    """A line per policy: its name, how long, the first day that is kept, what goes (or would), what stays and for whom."""
    async with open_services(settings) as services:
        found = await (plan_retention(services) if dry_run else apply_retention(services, OPERATOR))
    lines = [(each.policy.name, each.policy.kept, each.cutoff or "-", _came_to(each, dry_run=dry_run)) for each in found]
    return _table([("data", "kept", "older than", "would go" if dry_run else "went"), *lines])


def _came_to(outcome: Outcome, *, dry_run: bool) -> str:
    if not outcome.cutoff:
        return outcome.policy.how.value
    parts = [f"{outcome.rows:,} rows" + ("" if outcome.users is None else f" of {_users(outcome.users)}")]
    if outcome.parts:
        parts.append(f"{'partitions, if nothing keeps them' if dry_run else 'partitions'}: {', '.join(outcome.parts)}")
    if outcome.held_rows or outcome.held_users or outcome.held_parts:
        rows = f"{outcome.held_rows:,} rows" if outcome.held_rows else "rows"
        whose = "everybody" if outcome.held_users < 0 else _users(outcome.held_users) if outcome.held_users else ""
        kept = f"{rows} of {whose}" if whose else ", ".join(outcome.held_parts)
        parts.append(f"held: {kept}")
    if outcome.waiting:
        parts.append(f"{_users(outcome.waiting)} whose budgets cannot be closed yet: tried again with the next run")
    return "; ".join(parts)


def _users(count: int) -> str:
    return f"{count:,} {'user' if count == 1 else 'users'}"


async def orphans(settings: Settings, *, dry_run: bool) -> str:
    """A line per soft reference: the column, what it refers to, and how many rows went, or would."""
    async with open_services(settings) as services:
        found = await (plan_sweep(services) if dry_run else sweep_orphans(services, OPERATOR))
    lines = [(str(each.reference), f"{each.reference.parent_domain}.{each.reference.parent}", f"{each.rows:,} rows") for each in found]
    return _table([("reference", "to", "would go" if dry_run else "went"), *lines])


async def partitions(settings: Settings, *, dry_run: bool) -> str:
    """What was made and dropped, or would be, a line each."""
    async with open_services(settings) as services:
        found = await (plan_partitions(services) if dry_run else keep_partitions(services, OPERATOR))
    made, dropped = ("would make", "would drop") if dry_run else ("made", "dropped")
    lines = [f"{made} {each}" for each in found.ahead] + [f"{dropped} {each}" for each in found.behind]
    return "\n".join(lines) or "nothing to do"


async def summaries(settings: Settings, *, dry_run: bool) -> str:
    """How many users' months differ from their transactions; in a dry run which."""
    async with open_services(settings) as services:
        if not dry_run:
            return f"{_users(await request_repairs(services))} whose sums differ: a worker folds them anew"
        found = await plan_repairs(services)
    lines = [f"{each.user_id}  {each.month:%Y-%m}" for each in found[:TOLD_ONE_BY_ONE]]
    return "\n".join([f"{len(found):,} months differ from their transactions", *lines])


# Holds


@dataclass(frozen=True, slots=True)
class NewHold:
    """What an operator says: whose data (one of three), why, and who says so (None: this machine's user)."""

    reason: str
    email: str | None
    user: str | None
    by: str | None
    everybody: bool


async def place_hold(settings: Settings, asked: NewHold) -> str:
    """The id of the hold. Errors: OperatorError."""
    if (asked.email is not None) + (asked.user is not None) + asked.everybody != 1:
        raise OperatorError("Say whose data must be kept: --email ADDRESS, --user ID or --everybody.")
    if not asked.reason.strip():
        raise OperatorError("Say why, with --reason.")
    async with open_services(settings) as services:
        user_id = None if asked.everybody else await _find_user(services, asked)
        command = PlaceHold(user_id, asked.reason.strip(), (asked.by or getpass.getuser())[:255])
        return str(await holds.place_hold(services, command, OPERATOR))


async def _find_user(services: Services, asked: NewHold) -> UUID:
    if asked.user is not None:
        return _id(asked.user)
    normalized = find_email(asked.email or "")
    async with services.db.system("user") as session:
        account = await find_account(session, normalized) if normalized else None
    if account is None:
        raise OperatorError("No account has this address.")
    return account.id


async def release_hold(settings: Settings, hold: str) -> str:
    """Errors: OperatorError."""
    async with open_services(settings) as services:
        if not await holds.release_hold(services, _id(hold), OPERATOR):
            raise OperatorError("There is no such hold, or it was released before.")
    return "released"


async def list_holds(settings: Settings) -> str:
    async with open_services(settings) as services:
        found = await holds.list_holds(services)
    lines = [
        (
            str(each.id),
            each.email or ("everybody" if each.user_id is None else str(each.user_id)),
            f"{each.placed_at:%Y-%m-%d %H:%M} UTC",
            each.placed_by,
            each.reason.replace("\n", " "),
        )
        for each in found
    ]
    return _table(lines) if lines else "no holds"


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise OperatorError(f"{text!r} is not an id.") from None


def _table(rows: Iterable[Sequence[str]]) -> str:
    """Plain lines, each column as wide as its widest word but the last."""
    listed = list(rows)
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)][:-1]
    return "\n".join("  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1])) for row in listed)
