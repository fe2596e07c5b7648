"""What need not be kept any more goes, what somebody holds stays, and what it came to is kept."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from db import retention as statements
from db.engines import Origin, Viewer
from domains.audit.service.keep_trail import PlaceHold
from domains.budget.service.change_budgets import CreateBudget
from domains.core.clock import FixedClock
from domains.core.errors import TryAgain
from domains.flows import apply_retention as flow
from domains.flows.apply_retention import Outcome, apply_retention, plan_retention
from domains.flows.change_budgets import create_budget
from domains.flows.close_periods import close_periods
from domains.flows.holds import find_held, place_hold, release_hold
from domains.flows.retention_policies import KEPT, POLICIES, TRANSACTIONS, How, Policy
from domains.transaction.service.apply_batch import AccountBatch, apply_batch
from tests.db.samples import sample_rows
from tests.domains.audit.trail import settle, told
from tests.domains.flows.conftest import Nights
from tests.domains.flows.rows import FOOD, GROCERIES, TRANSFER_OUT, add_rows, row
from tests.resolvers.household import moved

CLI = Origin("cli")


def years(nights: Nights) -> tuple[int, int]:
    """The last year that is over, and the first one that is kept."""
    kept = nights.services.clock.now().year - 5
    return kept - 1, kept


async def with_history(nights: Nights) -> Viewer:
    """Somebody with 100 spent in December of the last year that is over, 7 got back, and 50 on the first day that is kept."""
    over, kept = years(nights)
    viewer = await nights.add_user()
    rows = [
        row(date(over, 12, 31), "60"),
        row(date(over, 12, 1), "40", category=FOOD),
        row(date(over, 12, 5), "7", direction="credit"),
        row(date(over, 12, 5), "500", category=TRANSFER_OUT),
        row(date(over, 11, 5), "3", status="pending"),
        row(date(kept, 1, 1), "50"),
    ]
    await add_rows(nights.services, viewer, rows)
    return viewer


async def hold(nights: Nights, viewer: Viewer | None) -> Any:
    return await place_hold(nights.services, PlaceHold(viewer and viewer.user_id, "a lawsuit", "operator"), CLI)


def of(outcomes: list[Outcome], name: str) -> Outcome:
    [found] = [each for each in outcomes if each.policy.name == name]
    return found


async def summaries(nights: Nights, viewer: Viewer) -> list[tuple[Any, ...]]:
    found = await nights.run(
        "transaction",
        "select month, category, direction, total_amount, transaction_count, is_frozen"
        " from transaction_schema.monthly_category_summary where user_id = $1 order by 1, 2, 3",
        viewer.user_id,
    )
    return [tuple(each) for each in found]


async def system_entries(nights: Nights) -> list[tuple[str, str | None]]:
    """(action, resource) of what is on its way to nobody's chain."""
    found = []
    for domain in ("transaction", "analytics", "notification", "bank", "audit"):
        found += await nights.run(
            domain,
            f"select payload->>'action', payload->>'resource_id' from {domain}_schema.jobs"
            " where topic = 'audit.record' and user_id is null",
        )
    return sorted(tuple(each) for each in found)


async def test_transactions_of_years_that_are_over_go_and_their_sums_stay(nights: Nights) -> None:
    over, kept = years(nights)
    robin = await with_history(nights)
    budget = CreateBudget(
        name="Food", category=FOOD, amount=Decimal(80), currency="USD", period="monthly", start_date=date(over, 12, 1), end_date=None
    )
    await create_budget(nights.services, robin, budget, "key")
    assert f"transactions_y{over}" in await nights.partitions()

    outcome = of(await apply_retention(nights.services), "transactions")

    assert (outcome.rows, outcome.users, outcome.held_rows, outcome.waiting) == (5, 1, 0, 0)
    assert outcome.parts == [f"transactions_y{over}"]
    assert await nights.dates(robin.user_id) == [date(kept, 1, 1)]
    keys = await nights.run("transaction", "select transaction_date from transaction_schema.transaction_keys")
    assert [each[0] for each in keys] == [date(kept, 1, 1)]
    assert await summaries(nights, robin) == [
        (date(over, 12, 1), FOOD, "debit", 40, 1, True),
        (date(over, 12, 1), GROCERIES, "credit", 7, 1, True),
        (date(over, 12, 1), GROCERIES, "debit", 60, 1, True),
        (date(kept, 1, 1), GROCERIES, "debit", 50, 1, False),
    ]
    [december] = await nights.run("budget", "select * from budget_schema.budget_history where is_frozen")
    figures = ("period_start", "period_end", "amount_spent", "transaction_count", "was_exceeded")
    assert [december[name] for name in figures] == [date(over, 12, 1), date(kept, 1, 1), 93, 3, True]
    assert f"transactions_y{over}" not in await nights.partitions()
    assert f"transactions_y{kept}" in await nights.partitions()
    *_, entry = await told(nights.services, robin)
    assert (entry["action"], entry["service_name"]) == ("TRANSACTIONS_EXPIRED", "worker")
    assert entry["metadata"] == {"before": f"{kept}-01-01", "transactions": 5, "sums_kept": 3, "periods_kept": 1}
    assert await system_entries(nights) == [("TRANSACTION_PARTITION_DROPPED", f"transactions_y{over}")]


async def test_a_second_run_changes_nothing(nights: Nights) -> None:
    robin = await with_history(nights)
    await apply_retention(nights.services)
    first = await nights.snapshot()

    outcomes = await apply_retention(nights.services)

    assert [(each.rows, each.parts) for each in outcomes] == [(0, [])] * len(POLICIES)
    assert await nights.snapshot() == first
    assert len(await nights.dates(robin.user_id)) == 1


async def test_a_dry_run_tells_what_a_run_does_and_changes_nothing(nights: Nights) -> None:
    over, _ = years(nights)
    await with_history(nights)
    held = await with_history(nights)
    await hold(nights, held)
    before = await nights.snapshot()

    planned = of(await plan_retention(nights.services), "transactions")

    assert await nights.snapshot() == before
    assert f"transactions_y{over}" in await nights.partitions()
    assert (planned.rows, planned.users, planned.held_rows, planned.held_users, planned.parts) == (5, 1, 5, 1, [])
    done = of(await apply_retention(nights.services), "transactions")
    assert (done.rows, done.users, done.held_users, done.parts) == (5, 1, 1, [])


async def test_who_is_held_keeps_their_rows_and_nobody_elses_stay_with_them(nights: Nights) -> None:
    over, kept = years(nights)
    robin, sam = await with_history(nights), await with_history(nights)
    hold_id = await hold(nights, sam)
    sums = await summaries(nights, sam)

    await apply_retention(nights.services)
    kept_by_hold = await nights.dates(sam.user_id)
    sums_under_hold = await summaries(nights, sam)
    assert await release_hold(nights.services, hold_id, CLI)
    last = of(await apply_retention(nights.services), "transactions")

    assert await nights.dates(robin.user_id) == [date(kept, 1, 1)]
    assert len(kept_by_hold) == 6
    assert sums_under_hold == sums
    assert (last.rows, last.users, last.parts) == (5, 1, [f"transactions_y{over}"])
    assert await nights.dates(sam.user_id) == [date(kept, 1, 1)]


async def test_a_hold_on_everybody_keeps_everything(nights: Nights) -> None:
    robin = await with_history(nights)
    await aged_sample(nights, policy("insights"), robin)
    await hold(nights, None)
    before = await nights.snapshot()

    planned = await plan_retention(nights.services)
    outcomes = await apply_retention(nights.services)

    assert (of(planned, "insights").rows, of(planned, "insights").held_rows, of(planned, "insights").held_users) == (0, 1, -1)
    assert (of(planned, "transactions").rows, of(planned, "transactions").held_rows) == (0, 5)
    assert [each.rows for each in outcomes] == [0] * len(POLICIES)
    assert await nights.snapshot() == before


async def test_who_cannot_be_closed_now_waits_and_the_others_do_not(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    _, kept = years(nights)
    robin, sam = await with_history(nights), await with_history(nights)
    freeze = flow.freeze_history

    async def busy(services: Any, viewer: Viewer, until: date) -> int:
        if viewer.user_id == sam.user_id:
            raise TryAgain("HISTORY_OPEN", "not yet")
        return await freeze(services, viewer, until)

    monkeypatch.setattr(flow, "freeze_history", busy)
    outcome = of(await apply_retention(nights.services), "transactions")
    waiting = await nights.dates(sam.user_id)
    monkeypatch.undo()
    await apply_retention(nights.services)

    assert (outcome.rows, outcome.waiting, outcome.parts) == (5, 1, [])
    assert await nights.dates(robin.user_id) == [date(kept, 1, 1)]
    assert len(waiting) == 6
    assert await nights.dates(sam.user_id) == [date(kept, 1, 1)]


async def test_what_comes_in_between_is_closed_too(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import after the periods were frozen and before the transactions go: they are not deleted by what was known before it."""
    over, _ = years(nights)
    robin = await with_history(nights)
    drop, runs = flow.drop_before, 0

    async def late(session: Any, until: date, version: int) -> Any:
        nonlocal runs
        runs += 1
        if runs == 1:
            await add_rows(nights.services, robin, [row(date(over, 6, 1), "11")])
        return await drop(session, until, version)

    monkeypatch.setattr(flow, "drop_before", late)
    outcome = of(await apply_retention(nights.services), "transactions")

    assert (runs, outcome.rows) == (2, 6)
    assert (date(over, 6, 1), GROCERIES, "debit", 11, 1, True) in await summaries(nights, robin)


STEPS: list[tuple[Any, str]] = [
    (flow, "open_trail"),
    (flow, "freeze_history"),
    (flow, "drop_before"),
    (flow, "drop_partitions"),
    (flow.closing, "delete_before"),
    (statements, "delete_aged"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("place", "name"), STEPS, ids=[name for _, name in STEPS])
async def test_killed_at_any_step_the_next_run_ends_in_the_same_rows(
    nights: Nights, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, when: str
) -> None:
    over, kept = years(nights)
    people = [await with_history(nights) for _ in range(2)]
    await aged_sample(nights, policy("insights"), people[0])
    real: Callable[..., Awaitable[Any]] = getattr(place, name)

    async def killed(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            await real(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(place, name, killed)
    with pytest.raises(KeyboardInterrupt):
        await apply_retention(nights.services)
    monkeypatch.undo()
    await apply_retention(nights.services)

    for person in people:
        assert await nights.dates(person.user_id) == [date(kept, 1, 1)]
        assert [each[3:] for each in await summaries(nights, person)] == [(40, 1, True), (7, 1, True), (60, 1, True), (50, 1, False)]
        assert [entry["action"] for entry in await told(nights.services, person)] == ["TRANSACTIONS_EXPIRED"]
    assert f"transactions_y{over}" not in await nights.partitions()
    assert await nights.run("analytics", "select 1 from analytics_schema.insights") == []


async def test_two_workers_at_once_do_it_once(nights: Nights) -> None:
    over, kept = years(nights)
    people = [await with_history(nights) for _ in range(4)]
    for person in people:
        await aged_sample(nights, policy("notifications"), person)

    both = await asyncio.gather(apply_retention(nights.services), apply_retention(nights.services))

    assert sum(of(each, "transactions").rows for each in both) == 20
    assert sum(of(each, "notifications").rows for each in both) == 4
    for person in people:
        assert await nights.dates(person.user_id) == [date(kept, 1, 1)]
        assert [entry["action"] for entry in await told(nights.services, person)] == ["TRANSACTIONS_EXPIRED"]
    assert [each for each in await system_entries(nights) if each[0] == "TRANSACTION_PARTITION_DROPPED"] == [
        ("TRANSACTION_PARTITION_DROPPED", f"transactions_y{over}")
    ]


async def test_folds_go_on_from_what_was_closed(nights: Nights) -> None:
    """A budget that is made later and looks back over months whose transactions are gone."""
    over, kept = years(nights)
    robin = await with_history(nights)
    await apply_retention(nights.services)
    budget = CreateBudget(
        name="Food", category=FOOD, amount=Decimal(80), currency="USD", period="quarterly", start_date=date(over, 10, 1), end_date=None
    )
    await create_budget(nights.services, robin, budget, "key")

    await close_periods(nights.services, robin)

    found = await nights.run("budget", "select period_start, amount_spent, transaction_count from budget_schema.budget_history order by 1")
    assert [tuple(each) for each in found][:3] == [(date(over, 10, 1), 93, 3), (date(kept, 1, 1), 50, 1), (date(kept, 4, 1), 0, 0)]


async def test_a_closed_month_takes_no_more_rows(nights: Nights) -> None:
    over, _ = years(nights)
    robin = await with_history(nights)
    await apply_retention(nights.services)
    before = await summaries(nights, robin)
    again = moved(date(over, 12, 31), "60")

    async with nights.services.db.write("transaction", robin) as session:
        applied = await apply_batch(session, [AccountBatch(uuid4(), "checking", "file", [again])], {})

    assert (applied.added, applied.unchanged, applied.months) == (0, 1, set())
    assert await summaries(nights, robin) == before


async def test_somebody_who_is_gone_leaves_no_transactions_behind(nights: Nights) -> None:
    robin = await with_history(nights)
    await nights.run("user", "delete from user_schema.users where id = $1", robin.user_id)

    outcome = of(await apply_retention(nights.services), "transactions")

    assert (outcome.rows, outcome.waiting) == (5, 0)


def policy(name: str) -> Policy:
    [found] = [each for each in POLICIES if each.name == name]
    return found


async def aged_sample(nights: Nights, policy: Policy, viewer: Viewer, *, by: timedelta = timedelta(seconds=-1)) -> None:
    """A row of the policy's table, so much younger than its cutoff; with the parents that it needs."""
    rows = sample_rows(viewer.user_id)
    table = f"{policy.domain}_schema.{policy.table}"
    at: Any = policy.cutoff(nights.services.clock.now()) + by
    if policy.since == "last_transaction_date":
        at = at.date() if by > timedelta() else (at - timedelta(days=1)).date()
    changes = {policy.since: at} | ({"status": policy.statuses[0]} if policy.statuses else {})
    if policy.table == "statement_imports":
        changes |= {"completed_at": at, "upload_id": None, "connection_id": None}
    if policy.table == "sync_history":
        changes |= {"import_id": None, "connection_id": None}
    unique: dict[str, Any] = {}
    if policy.table == "recurring_patterns":
        unique = {"group_key": str(by)}
    if policy.table == "spending_patterns":
        unique = {"merchant_name": str(by)}
    if policy.table == "llm_query_cache":
        unique = {"query_hash": rows[table]["query_hash"][::-1] if by > timedelta() else rows[table]["query_hash"]}
    await nights.add(table, rows[table] | changes | unique)


@pytest.mark.parametrize("of_rows", [each for each in POLICIES if each.how is How.ROWS], ids=lambda each: each.name)
async def test_rows_go_by_their_policy_and_no_younger_ones(nights: Nights, of_rows: Policy) -> None:
    robin, sam = await nights.add_user(), await nights.add_user()
    for viewer in (robin, sam):
        await aged_sample(nights, of_rows, viewer)
        await aged_sample(nights, of_rows, viewer, by=timedelta(days=1))
    await hold(nights, sam)
    planned = of(await plan_retention(nights.services), of_rows.name)

    done = of(await apply_retention(nights.services), of_rows.name)

    table = f"{of_rows.domain}_schema.{of_rows.table}"
    left = await nights.run(of_rows.domain, f"select user_id, count(*)::int from {table} group by 1")
    assert dict(left) == {robin.user_id: 1, sam.user_id: 2}
    assert (planned.rows, planned.held_rows, planned.held_users) == (1, 1, 1)
    assert done.rows == 1
    assert ("RETENTION_APPLIED", None) in await system_entries(nights)


async def test_a_request_that_is_open_stays_whatever_its_age(nights: Nights) -> None:
    robin = await nights.add_user()
    request = sample_rows(robin.user_id)["audit_schema.deletion_requests"]
    await nights.add("audit_schema.deletion_requests", request | {"created_at": nights.services.clock.now() - timedelta(days=4000)})

    assert of(await apply_retention(nights.services), "deletion requests").rows == 0


async def test_large_tables_go_in_batches_each_with_its_entry(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "BATCH", 2)
    for _ in range(5):
        await aged_sample(nights, policy("insights"), await nights.add_user())

    outcome = of(await apply_retention(nights.services), "insights")

    assert outcome.rows == 5
    assert await system_entries(nights) == [("RETENTION_APPLIED", None)] * 3


async def test_the_cutoff_of_a_leap_day_and_of_whole_years(nights: Nights) -> None:
    leap = FixedClock(nights.services.clock.now().replace(year=2028, month=2, day=29))

    assert TRANSACTIONS.cutoff(leap.now()).date() == date(2023, 1, 1)
    assert policy("insights").cutoff(leap.now()).date() == date(2026, 2, 28)
    assert policy("history of syncs").cutoff(leap.now()).date() == date(2023, 2, 28)
    assert policy("audit logs").cutoff(leap.now()).date() == date(2021, 2, 1)


async def test_more_holds_than_can_be_told_hold_everybody(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    from domains.flows import holds

    monkeypatch.setattr(holds, "HELD_ONE_BY_ONE", 1)
    for _ in range(2):
        await hold(nights, await nights.add_user())

    assert (await find_held(nights.services)).everybody


async def test_every_table_of_users_has_a_policy_or_a_reason(nights: Nights) -> None:
    named = {f"{each.domain}.{each.table}" for each in POLICIES} | set(KEPT)
    upkept = {"jobs", "applied_jobs", "idempotency_keys"}

    tables = {table.replace("_schema", "", 1) for table in sample_rows((await nights.add_user()).user_id)}

    assert {each for each in tables if each.partition(".")[2] not in upkept} - named == set()
    assert named - tables == {"audit.legal_holds"}


async def test_settings_decide_for_workers_and_not_for_operators(nights: Nights) -> None:
    from workers import retention as tasks

    robin = await with_history(nights)
    off = replace(nights.services, options=replace(nights.services.options, applies_retention=False))

    class Asked:
        services = off

    await tasks.apply(Asked())  # type: ignore[arg-type]
    untouched = await nights.dates(robin.user_id)
    await apply_retention(off, CLI)

    assert (len(untouched), len(await nights.dates(robin.user_id))) == (6, 1)


async def test_entries_of_retention_are_in_nobodys_chain(nights: Nights) -> None:
    await aged_sample(nights, policy("insights"), await nights.add_user())
    await apply_retention(nights.services)

    await settle(nights.services, None)

    [entry] = await nights.run("audit", "select action, metadata from audit_schema.audit_logs where user_id is null")
    cutoff = policy("insights").cutoff(nights.services.clock.now()).date()
    assert entry["action"] == "RETENTION_APPLIED"
    assert entry["metadata"] == f'{{"before":"{cutoff}","policy":"insights","rows":1}}'.encode()
