"""Budgets equal the transactions, whoever changed what, in whatever order."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from db import jobs
from db.base import jobs_table
from db.budget import queries as budgets
from db.engines import Viewer
from db.errors import DatabaseBusy
from db.live import Event
from domains.budget.errors import AmountInvalid, BudgetLimitReached, BudgetNotFound, CategoryNotBudgetable
from domains.budget.service import change_budgets as service
from domains.budget.service.apply_fold import apply_fold
from domains.core.clock import FixedClock, local_date
from domains.core.errors import IdempotencyKeyReused
from domains.flows import refold_budgets
from domains.flows.change_budgets import create_budget, update_budget
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.domains.flows.rows import FOOD, GROCERIES, RENT, TRANSFER_OUT, add_rows, row

TODAY = local_date(datetime.now(UTC), "UTC")


def command(amount: str = "100", **changes: Any) -> service.CreateBudget:
    given = {"name": "Food", "category": FOOD, "amount": Decimal(amount), "currency": "USD", "period": "monthly"}
    return service.CreateBudget(**{**given, "start_date": TODAY.replace(day=1), **changes})


async def used(services: Services, viewer: Viewer, budget_id: UUID) -> Any:
    async with services.db.read("budget", viewer) as read:
        return await read.row(budgets.latest_utilization(), keys=[budget_id], today=TODAY)


async def test_a_budget_counts_its_category_with_its_children_and_gives_refunds_back(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    await add_rows(
        services,
        robin,
        [
            row(TODAY, "30"),
            row(TODAY, "12.50", "FOOD_AND_DRINK_COFFEE"),
            row(TODAY, "2.50", GROCERIES, direction="credit"),
            row(TODAY, "900", RENT),
            row(TODAY, "500", TRANSFER_OUT),
            row(TODAY, "7", GROCERIES, status="pending"),
            row(TODAY.replace(year=TODAY.year - 1), "70"),
        ],
    )

    budget_id = await create_budget(services, robin, command(), "key")

    found = await used(services, robin, budget_id)
    assert (found.amount_spent, found.amount_pending, found.amount_remaining) == ("40.0000", "7.0000", "60.0000")
    assert (found.percentage_used, found.transaction_count, found.is_exceeded) == ("40.00", 4, False)
    assert found.period_start == TODAY.replace(day=1)


async def test_other_currencies_are_reported_and_never_added(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    await add_rows(services, robin, [row(TODAY, "30"), row(TODAY, "20", currency="EUR"), row(TODAY, "5", currency="EUR")])

    found = await used(services, robin, await create_budget(services, robin, command(), "key"))

    assert found.amount_spent == "30.0000"
    assert found.unconverted == {"EUR": "25.0000"}


async def test_a_fold_that_changes_nothing_makes_no_version(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    budget_id = await create_budget(services, robin, command(), "key")
    before = await used(services, robin, budget_id)

    for _ in range(3):
        await refold_held(services, robin, None)

    assert (await used(services, robin, budget_id)).version == before.version


async def test_each_visible_change_is_one_version_and_one_event(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    budget_id = await create_budget(services, robin, command(), "key")
    before = (await used(services, robin, budget_id)).version

    async with services.hub.subscribe(robin.user_id, ["budget"]) as slot:
        await add_rows(services, robin, [row(TODAY, "30")])
        await refold_held(services, robin, None)
        async with asyncio.timeout(5):
            events = await slot.take()

    assert events == [Event("budget", budget_id, before + 1)]
    assert (await used(services, robin, budget_id)).version == before + 1


async def test_concurrent_changes_end_in_the_true_sum(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    budget_id = await create_budget(services, robin, command("1000"), "key")

    async def spend(amount: str) -> None:
        await add_rows(services, robin, [row(TODAY, amount)])
        await refold_held(services, robin, None)

    await asyncio.gather(*(spend(str(amount)) for amount in range(1, 21)))

    found = await used(services, robin, budget_id)
    assert (found.amount_spent, found.transaction_count) == ("210.0000", 20)


async def test_an_older_fold_does_not_overwrite_a_newer_one(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    budget_id = await create_budget(services, robin, command(), "key")
    await add_rows(services, robin, [row(TODAY, "10")])
    old, old_version = await refold_budgets._fold(services, robin, TODAY)
    await add_rows(services, robin, [row(TODAY, "15")])
    await refold_held(services, robin, None)

    async with services.db.write("budget", robin) as session:
        assert await apply_fold(session, old, old_version, TODAY, services.clock.now()) is True

    assert (await used(services, robin, budget_id)).amount_spent == "25.0000"


async def test_a_budget_redefined_while_it_is_folded_is_folded_anew(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    await add_rows(services, robin, [row(TODAY, "10"), row(TODAY, "900", RENT)])
    budget_id = await create_budget(services, robin, command(), "key")
    old, version = await refold_budgets._fold(services, robin, TODAY)
    await update_budget(services, robin, service.UpdateBudget(budget_id, category="RENT_AND_UTILITIES"))

    async with services.db.write("budget", robin) as session:
        assert await apply_fold(session, old, version, TODAY, services.clock.now()) is False

    assert (await used(services, robin, budget_id)).amount_spent == "900.0000"


BEFORE = datetime(2026, 11, 1, 4, 59, 59, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 1, 5, tzinfo=UTC)


async def around_midnight(services: Services, make_user: MakeUser) -> tuple[Viewer, UUID]:
    """Somebody in Chicago, where November begins at MIDNIGHT, with something spent on either side."""
    robin = await make_user(timezone="America/Chicago")
    await add_rows(services, robin, [row(date(2026, 10, 31), "10"), row(date(2026, 11, 1), "15")])
    return robin, await create_budget(at(services, BEFORE), robin, command(start_date=date(2026, 1, 1)), "key")


def at(services: Services, instant: datetime) -> Services:
    return replace(services, clock=FixedClock(instant))


async def shown(services: Services, viewer: Viewer, budget_id: UUID) -> tuple[date, str]:
    found = await used(services, viewer, budget_id)
    return found.period_start, found.amount_spent


async def test_a_fold_from_before_midnight_that_is_stored_after_one_from_after_it_changes_nothing(
    services: Services, make_user: MakeUser
) -> None:
    robin, budget_id = await around_midnight(services, make_user)
    instant, day = await refold_budgets.owners_today(at(services, BEFORE), robin)
    october, version = await refold_budgets._fold(services, robin, day)
    await refold_held(at(services, MIDNIGHT), robin, None)

    async with services.db.write("budget", robin) as session:
        assert await apply_fold(session, october, version, day, instant) is True

    assert (day, await shown(services, robin, budget_id)) == (date(2026, 10, 31), (date(2026, 11, 1), "15.0000"))


async def test_a_fold_from_before_midnight_of_a_newer_ledger_is_made_again_for_the_day_that_has_begun(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    robin, budget_id = await around_midnight(services, make_user)
    fold, clock, days = refold_budgets._fold, FixedClock(BEFORE), []

    async def overtaken(services: Services, viewer: Viewer, day: date) -> Any:
        days.append(day)
        if len(days) == 1:
            await store_november(services)
            await add_rows(services, viewer, [row(date(2026, 11, 1), "20")])
            clock.at = MIDNIGHT
        return await fold(services, viewer, day)

    async def store_november(services: Services) -> None:
        instant, day = await refold_budgets.owners_today(at(services, MIDNIGHT), robin)
        made, version = await fold(services, robin, day)
        async with services.db.write("budget", robin) as session:
            assert await apply_fold(session, made, version, day, instant) is True

    monkeypatch.setattr(refold_budgets, "_fold", overtaken)
    await refold_held(replace(services, clock=clock), robin, None)

    assert days == [date(2026, 10, 31), date(2026, 11, 1)]
    assert await shown(services, robin, budget_id) == (date(2026, 11, 1), "35.0000")


async def test_clocks_that_differ_within_a_day_let_the_newer_ledger_win(services: Services, make_user: MakeUser) -> None:
    robin, budget_id = await around_midnight(services, make_user)
    await refold_held(at(services, MIDNIGHT + timedelta(seconds=30)), robin, None)
    await add_rows(services, robin, [row(date(2026, 11, 1), "1")])

    await refold_held(at(services, MIDNIGHT), robin, None)

    assert await shown(services, robin, budget_id) == (date(2026, 11, 1), "16.0000")


async def test_a_changed_amount_changes_what_remains(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    await add_rows(services, robin, [row(TODAY, "30")])
    budget_id = await create_budget(services, robin, command(), "key")

    await update_budget(services, robin, service.UpdateBudget(budget_id, amount=Decimal(20)))

    found = await used(services, robin, budget_id)
    assert (found.amount_remaining, found.percentage_used, found.is_exceeded) == ("-10.0000", "150.00", True)


async def test_a_budget_of_nothing_has_no_percentage_and_can_be_exceeded(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    await add_rows(services, robin, [row(TODAY, "0.01")])

    found = await used(services, robin, await create_budget(services, robin, command("0"), "key"))

    assert (found.percentage_used, found.is_exceeded) == (None, True)


async def test_the_jobs_of_changes_are_done_when_their_answer_is_given(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    await create_budget(services, robin, command(), "key")

    async with services.db.write("budget", robin) as session:
        table = jobs.jobs_table("budget")
        states = (await session.execute(table.select().where(table.c.topic == "budget.refold"))).mappings().all()

    assert [job["state"] for job in states] == ["done"]


async def test_the_same_key_makes_one_budget_however_often_and_at_once(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()

    answers = await asyncio.gather(*(create_budget(services, robin, command(), "key") for _ in range(10)))

    assert len(set(answers)) == 1
    with pytest.raises(IdempotencyKeyReused):
        await create_budget(services, robin, command("101"), "key")
    async with services.db.read("budget", robin) as read:
        assert len(await read.rows(budgets.budgets_by_user(("id",)), keys=[robin.user_id])) == 1


@pytest.mark.parametrize("category", ["INCOME_WAGES", "TRANSFER_OUT", "NOPE", "", "x" * 200])
async def test_a_budget_needs_a_category_of_expenses(services: Services, make_user: MakeUser, category: str) -> None:
    robin = await make_user()

    with pytest.raises(CategoryNotBudgetable):
        await create_budget(services, robin, command(category=category), "key")


@pytest.mark.parametrize("amount", ["-0.01", "NaN", "Infinity", "1e15", "1.001", "1e-5"])
async def test_an_amount_that_cannot_be_is_refused_and_nothing_is_written(services: Services, make_user: MakeUser, amount: str) -> None:
    robin = await make_user()

    with pytest.raises(AmountInvalid):
        await create_budget(services, robin, command(amount), "key")

    async with services.db.read("budget", robin) as read:
        assert await read.rows(budgets.budgets_by_user(("id",)), keys=[robin.user_id]) == []


async def test_somebody_elses_budget_is_not_found_and_stays(services: Services, make_user: MakeUser) -> None:
    robin, sam = await make_user(), await make_user()
    budget_id = await create_budget(services, robin, command(), "key")

    with pytest.raises(BudgetNotFound):
        await update_budget(services, sam, service.UpdateBudget(budget_id, amount=Decimal(1)))
    with pytest.raises(BudgetNotFound):
        async with services.db.write("budget", sam) as session:
            await service.delete_budget(session, budget_id)

    assert (await used(services, robin, budget_id)).amount == "100.0000"


async def test_a_deleted_budget_is_gone_for_every_reader(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    budget_id = await create_budget(services, robin, command(), "key")

    async with services.db.write("budget", robin) as session:
        await service.delete_budget(session, budget_id)

    assert await used(services, robin, budget_id) is None
    with pytest.raises(BudgetNotFound):
        await update_budget(services, robin, service.UpdateBudget(budget_id, name="Back"))


async def test_there_is_a_limit_to_how_many_budgets_one_has(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    robin = await make_user()
    monkeypatch.setattr(service, "BUDGETS_AT_MOST", 3)

    made = await asyncio.gather(*(create_budget(services, robin, command(), f"key {n}") for n in range(6)), return_exceptions=True)

    assert sum(isinstance(each, UUID) for each in made) == 3
    assert sum(isinstance(each, BudgetLimitReached) for each in made) == 3


async def test_a_fold_that_finds_the_database_busy_is_left_to_a_worker_at_once(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    robin = await make_user()

    async def busy(*_: Any) -> None:
        raise DatabaseBusy("LockNotAvailableError")

    with monkeypatch.context() as patch:
        patch.setattr(refold_budgets, "_refold", busy)
        with pytest.raises(DatabaseBusy):
            await create_budget(services, robin, command(), "key")
    table = jobs_table("budget")
    async with services.db.write("budget", robin) as session:
        left = (await session.execute(table.select().where(table.c.topic == service.REFOLD))).mappings().one()

    assert (left["state"], left["attempt"], left["leased_until"]) == ("queued", 0, None)
    assert await create_budget(services, robin, command(), "key")
