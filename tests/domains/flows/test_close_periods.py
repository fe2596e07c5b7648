"""What budgets came to in periods that are over: closed once, with what was true, and frozen before transactions go."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from db import jobs
from db.base import jobs_table
from db.budget import queries as budgets
from db.budget.models import budget_history
from db.budget.models import budgets as budgets_table
from db.engines import Db, Dsns, Viewer
from db.errors import LeaseLost
from db.redis import RedisConnections
from domains.budget import rules
from domains.budget.service import change_budgets as changes
from domains.budget.service import close_periods as service
from domains.core.clock import FixedClock
from domains.core.errors import TryAgain
from domains.flows import close_periods as flow
from domains.flows.change_budgets import create_budget, update_budget
from domains.flows.change_categories import create_category, delete_category
from domains.flows.close_periods import close_periods, freeze_history
from domains.flows.held import HeldJob
from domains.flows.refold_budgets import refold_held
from domains.flows.services import Services
from domains.flows.update_transaction import update_transaction
from domains.transaction.service.change_categories import CreateCategory, DeleteCategory
from domains.transaction.service.update_transaction import UpdateTransaction
from tests.conftest import MakeUser
from tests.domains.flows.rows import FOOD, GROCERIES, RENT, add_rows, row

At = Callable[[datetime], Services]
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)


@pytest.fixture
async def at(services: Services, dsns: Dsns, redis: RedisConnections) -> AsyncIterator[At]:
    """The services at another time."""
    opened: list[Db] = []

    def moved_in_time(instant: datetime) -> Services:
        db = Db(dsns, redis, now=lambda: instant)
        opened.append(db)
        return replace(services, db=db, clock=FixedClock(instant))

    yield moved_in_time
    for db in opened:
        await db.close()


def command(amount: str = "100", **said: Any) -> changes.CreateBudget:
    given = {"name": "Food", "category": FOOD, "amount": Decimal(amount), "currency": "USD", "period": "monthly"}
    return changes.CreateBudget(**{**given, "start_date": date(2026, 1, 1), **said})


async def rows_of(services: Services, viewer: Viewer) -> list[Any]:
    async with services.db.write("budget", viewer) as session:
        found = await session.execute(budget_history.select().order_by(budget_history.c.budget_id, budget_history.c.period_start))
        return [dict(each) for each in found.mappings()]


async def closed(services: Services, viewer: Viewer) -> list[tuple[str, str, str]]:
    """(first day, day after the last, spent) of each."""
    rows = await rows_of(services, viewer)
    return [(f"{each['period_start']:%m-%d}", f"{each['period_end']:%m-%d}", f"{each['amount_spent']:.2f}") for each in rows]


async def closes_on(services: Services, viewer: Viewer) -> date | None:
    """Of the one budget that there is."""
    async with services.db.write("budget", viewer) as session:
        return (await session.execute(select(budgets_table.c.closes_on))).scalar_one()


async def test_every_period_that_is_over_is_closed_with_what_was_true(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    await add_rows(
        march,
        robin,
        [
            row(date(2026, 1, 1), "30"),
            row(date(2026, 1, 31), "90.50", GROCERIES),
            row(date(2026, 1, 15), "5", direction="credit"),
            row(date(2026, 1, 15), "7", status="pending"),
            row(date(2026, 1, 15), "20", currency="EUR"),
            row(date(2026, 2, 28), "10"),
            row(date(2026, 3, 1), "1"),
            row(date(2025, 12, 31), "2"),
            row(date(2026, 2, 3), "900", RENT),
        ],
    )
    budget_id = await create_budget(march, robin, command(), "key")

    await close_periods(march, robin)

    january, february = await rows_of(march, robin)
    assert {name: january[name] for name in ("budget_id", "user_id", "category", "currency", "period_start", "period_end")} == {
        "budget_id": budget_id,
        "user_id": robin.user_id,
        "category": FOOD,
        "currency": "USD",
        "period_start": date(2026, 1, 1),
        "period_end": date(2026, 2, 1),
    }
    figures = ("budget_amount", "amount_spent", "amount_remaining", "percentage_used", "was_exceeded", "transaction_count", "unconverted")
    assert [january[name] for name in figures] == [100, Decimal("115.5"), Decimal("-15.5"), Decimal("115.50"), True, 5, {"EUR": "20.0000"}]
    assert [february[name] for name in figures] == [100, 10, 90, 10, False, 1, {}]
    assert (january["is_frozen"], february["period_end"]) == (False, date(2026, 3, 1))
    assert await closes_on(march, robin) == date(2026, 4, 1)


async def test_closing_again_changes_nothing_and_the_next_month_adds_one(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    await create_budget(march, robin, command(), "key")
    await close_periods(march, robin)
    first = await rows_of(march, robin)

    await asyncio.gather(*(close_periods(march, robin, again=(date(2026, 1, 1), date(2027, 1, 1))) for _ in range(4)))
    again = await rows_of(march, robin)
    await close_periods(at(datetime(2026, 4, 1, tzinfo=UTC)), robin)

    assert again == first
    assert [each[0] for each in await closed(march, robin)] == ["01-01", "02-01", "03-01"]


@pytest.mark.parametrize(
    ("timezone", "before", "after"),
    [
        ("Pacific/Kiritimati", datetime(2026, 1, 31, 9, 59, 59, tzinfo=UTC), datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("Pacific/Pago_Pago", datetime(2026, 2, 1, 10, 59, 59, tzinfo=UTC), datetime(2026, 2, 1, 11, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 2, 1, 4, 59, 59, tzinfo=UTC), datetime(2026, 2, 1, 5, tzinfo=UTC)),
    ],
)
async def test_a_period_is_over_at_midnight_where_its_owner_lives(
    at: At, make_user: MakeUser, timezone: str, before: datetime, after: datetime
) -> None:
    robin = await make_user(timezone=timezone)
    await create_budget(at(before), robin, command(), "key")

    await close_periods(at(before), robin)
    open_still = await closed(at(before), robin)
    await close_periods(at(after), robin)

    assert open_still == []
    assert await closed(at(after), robin) == [("01-01", "02-01", "0.00")]


@pytest.mark.parametrize(
    ("day", "last_second"),
    [
        (date(2026, 3, 29), datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC)),  # an hour is left out: the day has 23
        (date(2026, 10, 25), datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC)),  # an hour comes twice: the day has 25
    ],
)
async def test_a_period_that_ends_on_the_day_the_clocks_change(at: At, make_user: MakeUser, day: date, last_second: datetime) -> None:
    sam = await make_user(timezone="Europe/Berlin")
    start = day - timedelta(days=6)
    await add_rows(at(last_second), sam, [row(day, "12"), row(start, "3"), row(day + timedelta(days=1), "100")])
    await create_budget(at(last_second), sam, command(period="weekly", start_date=start), "key")

    await close_periods(at(last_second), sam)
    open_still = await closed(at(last_second), sam)
    await close_periods(at(last_second + timedelta(seconds=1)), sam)

    assert open_still == []
    assert [each["amount_spent"] for each in await rows_of(at(last_second), sam)] == [15]


async def test_periods_that_begin_at_the_end_of_a_month_meet(at: At, make_user: MakeUser) -> None:
    june, robin = at(datetime(2026, 6, 2, 12, tzinfo=UTC)), await make_user()
    await add_rows(june, robin, [row(day, "1") for day in (date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 30), date(2026, 3, 31))])
    await create_budget(june, robin, command(start_date=date(2026, 1, 31)), "key")

    await close_periods(june, robin)

    assert await closed(june, robin) == [
        ("01-31", "02-28", "1.00"),
        ("02-28", "03-31", "2.00"),
        ("03-31", "04-30", "1.00"),
        ("04-30", "05-31", "0.00"),
    ]


async def test_a_budget_that_is_over_is_closed_to_its_last_day_and_never_looked_at_again(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    await add_rows(march, robin, [row(date(2026, 2, 10), "8"), row(date(2026, 2, 11), "9")])
    await create_budget(march, robin, command(end_date=date(2026, 2, 10)), "key")

    await close_periods(march, robin)

    assert await closed(march, robin) == [("01-01", "02-01", "0.00"), ("02-01", "02-11", "8.00")]
    assert await closes_on(march, robin) == rules.NEVER


async def test_late_transactions_are_in_when_a_period_is_closed_again(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    await create_budget(march, robin, command(), "key")
    await close_periods(march, robin)
    before = await rows_of(march, robin)
    await add_rows(march, robin, [row(date(2026, 1, 31), "40"), row(date(2026, 2, 1), "2")])

    await close_periods(march, robin)
    without = await closed(march, robin)
    await close_periods(march, robin, again=(date(2026, 1, 31), date(2026, 2, 1)))

    assert [each[2] for each in without] == ["0.00", "0.00"]
    assert await closed(march, robin) == [("01-01", "02-01", "40.00"), ("02-01", "03-01", "0.00")]
    assert [each["id"] for each in await rows_of(march, robin)] == [each["id"] for each in before]


async def close_again(services: Services, viewer: Viewer) -> list[dict[str, Any]]:
    """Run what changes of transactions have asked for, as the worker would; answers the payloads."""
    table = jobs_table("transaction")
    mine = (table.c.topic == "budget.close_again", table.c.user_id == viewer.user_id, table.c.state == "queued")
    async with services.db.system("transaction") as session:
        waiting = (await session.execute(select(table.c.id).where(*mine).order_by(table.c.key))).scalars().all()
        await session.execute(update(table).where(table.c.id.in_(waiting)).values(run_at=func.now()))
    payloads = []
    for job_id in waiting:
        claim = await jobs.claim(services.db, "transaction", job_id, lease_s=30)
        assert claim is not None
        await flow.run_closing_again(services, HeldJob(claim, viewer), claim.payload["year"])
        payloads.append(claim.payload)
    return payloads


async def test_a_change_of_transactions_asks_for_the_periods_of_its_years_to_be_summed_again(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    await create_budget(march, robin, command(start_date=date(2025, 12, 1)), "key")
    await close_periods(march, robin)

    await add_rows(march, robin, [row(date(2025, 12, 31), "7"), row(date(2026, 1, 31), "40"), row(date(2026, 2, 1), "2")])
    await add_rows(march, robin, [row(date(2026, 2, 2), "1")])
    asked = await close_again(march, robin)

    assert asked == [{"year": 2025}, {"year": 2026}]
    assert await closed(march, robin) == [("12-01", "01-01", "7.00"), ("01-01", "02-01", "40.00"), ("02-01", "03-01", "3.00")]
    assert await close_again(march, robin) == []


async def test_what_a_period_of_a_category_that_is_deleted_since_came_to_stays(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    coffee = await create_category(march, robin, CreateCategory("Coffee", type="expense"), "key")
    budget_id = await create_budget(march, robin, command(category=coffee), "key")
    cup = row(date(2026, 1, 5), "10")
    await add_rows(march, robin, [cup, row(date(2026, 2, 5), "20")])
    await update_transaction(march, robin, UpdateTransaction(cup["id"], category=coffee))
    await close_periods(march, robin)
    await update_budget(march, robin, changes.UpdateBudget(budget_id, category=RENT))

    await delete_category(march, robin, DeleteCategory(coffee))
    await add_rows(march, robin, [row(date(2026, 1, 6), "3", RENT)])
    await close_again(march, robin)
    again = await rows_of(march, robin)
    await freeze_history(march, robin, date(2026, 3, 1))

    assert [(each["category"], each["amount_spent"]) for each in again] == [(coffee, 10), (coffee, 0)]
    assert [(each["category"], each["amount_spent"]) for each in await rows_of(march, robin)] == [(coffee, 10), (coffee, 0)]


async def test_an_older_closing_does_not_overwrite_a_newer_one(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    await create_budget(march, robin, command(), "key")
    await add_rows(march, robin, [row(date(2026, 1, 5), "10")])
    definitions, known = await flow._known(march, robin)
    plan = service.plan_closing(definitions, known, NOON.date(), at_most=10)
    old_version = await flow.take_sums(march, robin, plan.folds)
    await add_rows(march, robin, [row(date(2026, 1, 6), "15")])
    await close_periods(march, robin)

    async with march.db.write("budget", robin) as session:
        assert await service.close_periods(session, plan, plan.folds, old_version, is_last=True) is True

    assert [each[2] for each in await closed(march, robin)] == ["25.00", "0.00"]


async def test_closing_beside_imports_ends_in_the_true_sums(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    await create_budget(march, robin, command("1000"), "key")
    everything = (date(2026, 1, 1), date(2026, 3, 1))

    async def bring(amount: int) -> None:
        await add_rows(march, robin, [row(date(2026, 1, 1 + amount), str(amount)), row(date(2026, 2, 1), "1")])
        await close_periods(march, robin, again=everything)

    await asyncio.gather(*(bring(amount) for amount in range(1, 13)))

    assert await closed(march, robin) == [("01-01", "02-01", "78.00"), ("02-01", "03-01", "12.00")]
    assert [each["transaction_count"] for each in await rows_of(march, robin)] == [12, 12]


async def test_what_a_budget_allowed_then_stays_when_it_is_changed(at: At, make_user: MakeUser) -> None:
    february, robin = at(datetime(2026, 2, 20, 12, tzinfo=UTC)), await make_user()
    await add_rows(february, robin, [row(date(2026, 1, 5), "10"), row(date(2026, 2, 5), "20"), row(date(2026, 2, 6), "300", RENT)])
    budget_id = await create_budget(february, robin, command("100"), "key")
    await close_periods(february, robin)
    # February was followed with an amount of 100, and nobody has closed it when the amount changes in March
    march = at(NOON)
    await update_budget(march, robin, changes.UpdateBudget(budget_id, amount=Decimal(5), category="RENT_AND_UTILITIES"))

    await close_periods(march, robin, again=(date(2026, 1, 1), date(2026, 3, 1)))
    await close_periods(at(datetime(2026, 4, 2, tzinfo=UTC)), robin)

    rows = await rows_of(march, robin)
    assert [each["budget_amount"] for each in rows] == [100, 100, 5]
    assert [each["category"] for each in rows] == [FOOD, "RENT_AND_UTILITIES", "RENT_AND_UTILITIES"]
    assert [each["amount_spent"] for each in rows] == [10, 300, 0]


async def test_a_budget_with_other_periods_closes_those_that_it_had(at: At, make_user: MakeUser) -> None:
    february, robin = at(datetime(2026, 2, 10, 12, tzinfo=UTC)), await make_user()
    budget_id = await create_budget(february, robin, command(period="weekly", start_date=date(2026, 1, 22)), "key")
    await close_periods(february, robin)
    assert [each[0] for each in await closed(february, robin)] == ["01-22", "01-29"]

    await update_budget(february, robin, changes.UpdateBudget(budget_id, period="monthly"))
    assert await closes_on(february, robin) is None
    await close_periods(at(NOON), robin)
    await update_budget(february, robin, changes.UpdateBudget(budget_id, start_date=date(2025, 11, 22)))
    await close_periods(at(NOON), robin)

    # the first month takes the place of the week that began with it; the two months before the first week had no row
    assert [each[:2] for each in await closed(february, robin)] == [
        ("11-22", "12-22"),
        ("12-22", "01-22"),
        ("01-22", "02-22"),
        ("01-29", "02-05"),
    ]


async def test_what_is_left_for_the_next_run_is_due_at_once(at: At, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    march, robin = at(NOON), await make_user()
    await create_budget(march, robin, command(period="weekly"), "key")
    monkeypatch.setattr(flow, "PERIODS_AT_MOST", 4)
    monkeypatch.setattr(service, "AT_ONCE", 3)

    await close_periods(march, robin)
    first, due = await closed(march, robin), await closes_on(march, robin)
    await close_periods(march, robin)
    await close_periods(march, robin)

    assert [each[0] for each in first] == ["01-01", "01-08", "01-15", "01-22"]
    assert due == NOON.date()
    assert len(await closed(march, robin)) == 11
    assert await closes_on(march, robin) == date(2026, 3, 26)


async def held(services: Services, viewer: Viewer) -> HeldJob:
    async with services.db.write("budget", viewer) as session:
        claim = await jobs.add_held(session, service.CLOSE, key=str(viewer.user_id), lease_s=30)
    assert claim is not None
    return HeldJob(claim, viewer)


@pytest.mark.parametrize("killed_at", ["after the first batch", "at its end"])
async def test_a_closing_that_is_killed_is_completed_by_the_next_run(
    at: At, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    march, robin = at(NOON), await make_user()
    await add_rows(march, robin, [row(date(2026, 1, 5), "10"), row(date(2026, 2, 5), "20")])
    await create_budget(march, robin, command(), "key")
    monkeypatch.setattr(service, "AT_ONCE", 1)
    job = await held(march, robin)

    class Killed(BaseException):
        pass

    async def dies(*_: Any, **__: Any) -> int:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        if killed_at == "at its end":
            patch.setattr(jobs, "finish", dies)
        else:
            taken = iter([flow.take_sums, dies])
            patch.setattr(flow, "take_sums", lambda *given: next(taken)(*given))
        await flow.run_closing(march, job)
    stopped, due = await closed(march, robin), await closes_on(march, robin)
    await flow.run_closing(march, job)

    assert [each[2] for each in stopped] == ["10.00"]
    assert due is None
    assert [each[2] for each in await closed(march, robin)] == ["10.00", "20.00"]
    table = jobs_table("budget")
    async with march.db.write("budget", robin) as session:
        assert (await session.execute(table.select().where(table.c.id == job.id))).mappings().one()["state"] == "done"
    with pytest.raises(LeaseLost):
        await flow.run_closing(march, job)


async def test_a_budget_redefined_while_it_is_closed_is_planned_anew(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    budget_id = await create_budget(march, robin, command(), "key")
    definitions, known = await flow._known(march, robin)
    plan = service.plan_closing(definitions, known, NOON.date(), at_most=10)
    await update_budget(march, robin, changes.UpdateBudget(budget_id, start_date=date(2026, 2, 1)))

    async with march.db.write("budget", robin) as session:
        assert await service.close_periods(session, plan, plan.folds, 0, is_last=True) is False

    assert await closed(march, robin) == []
    assert await closes_on(march, robin) is None


async def test_who_has_something_to_close_is_found_wherever_they_live(at: At, make_user: MakeUser) -> None:
    january = at(datetime(2026, 1, 20, 12, tzinfo=UTC))
    new, followed, over, gone = [await make_user() for _ in range(4)]
    for viewer in (new, followed, gone):
        await create_budget(january, viewer, command(), "key")
    await create_budget(january, over, command(end_date=date(2026, 1, 10)), "key")
    for viewer in (followed, over, gone):
        await close_periods(january, viewer)
    async with january.db.read("budget", gone) as read:
        [mine] = await read.rows(budgets.budgets_by_user(("id",)), keys=[gone.user_id])
    async with january.db.write("budget", gone) as session:
        await changes.delete_budget(session, UUID(mine.id))

    async def found(day: date) -> set[UUID]:
        async with january.db.system("budget") as session:
            listed = await service.history.list_users_with_ended_periods(session, day, "nobody's topic", limit=100_000)
        return {viewer.user_id for viewer in (new, followed, over, gone)} & set(listed)

    assert await found(date(2026, 1, 31)) == {new.user_id}
    assert await found(date(2026, 2, 1)) == {new.user_id, followed.user_id}


async def test_frozen_periods_stay_though_their_transactions_go(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    await add_rows(march, robin, [row(date(2026, 1, 5), "10"), row(date(2026, 2, 5), "20")])
    await create_budget(march, robin, command(), "key")
    await close_periods(march, robin)
    # one of January comes late: the last sums have it in
    await add_rows(march, robin, [row(date(2026, 1, 6), "5")])

    assert await freeze_history(march, robin, date(2026, 2, 1)) == 1
    await add_rows(march, robin, [row(date(2026, 1, 7), "100"), row(date(2026, 2, 7), "100")])
    await close_periods(march, robin, again=(date(2026, 1, 1), date(2026, 3, 1)))

    assert [(each["amount_spent"], each["is_frozen"]) for each in await rows_of(march, robin)] == [(15, True), (120, False)]


async def test_what_nobody_had_closed_is_closed_and_frozen_in_one(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    await add_rows(march, robin, [row(date(2026, 1, 5), "10"), row(date(2026, 2, 5), "20")])
    await create_budget(march, robin, command(), "key")
    await create_budget(march, robin, command(name="Weekly", period="weekly", start_date=date(2026, 1, 29)), "other key")

    # the week from 29 January has days of both months, and is whole in the row that is kept
    assert await freeze_history(march, robin, date(2026, 2, 1)) == 2
    assert await freeze_history(march, robin, date(2026, 2, 1)) == 2

    rows = await rows_of(march, robin)
    assert sorted((each["period_start"], each["period_end"], each["is_frozen"]) for each in rows) == [
        (date(2026, 1, 1), date(2026, 2, 1), True),
        (date(2026, 1, 29), date(2026, 2, 5), True),
    ]


async def test_freezing_refuses_while_a_period_is_under_way(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    await create_budget(march, robin, command(period="yearly"), "key")

    with pytest.raises(TryAgain) as refused:
        await freeze_history(march, robin, date(2026, 2, 1))

    assert refused.value.code == "HISTORY_OPEN"
    assert await closed(march, robin) == []


async def test_freezing_refuses_when_there_is_more_than_one_run_does_and_goes_on_with_the_next(
    at: At, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    march, robin = at(NOON), await make_user()
    await create_budget(march, robin, command(period="weekly"), "key")
    monkeypatch.setattr(flow, "PERIODS_AT_MOST", 3)

    with pytest.raises(TryAgain) as refused:
        await freeze_history(march, robin, date(2026, 1, 29))
    partly = await rows_of(march, robin)
    frozen = await freeze_history(march, robin, date(2026, 1, 29))

    assert refused.value.code == "HISTORY_OPEN"
    assert [each["is_frozen"] for each in partly] == [True] * 3
    assert frozen == 4


async def test_freezing_refuses_what_a_newer_closing_left_open(at: At, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    march, robin = at(NOON), await make_user()
    await create_budget(march, robin, command(), "key")
    await add_rows(march, robin, [row(date(2026, 1, 5), "10")])
    await close_periods(march, robin)
    taken = flow.take_sums

    async def of_an_old_ledger(services: Services, viewer: Viewer, made: Any) -> int:
        return await taken(services, viewer, made) - 1

    monkeypatch.setattr(flow, "take_sums", of_an_old_ledger)
    with pytest.raises(TryAgain) as refused:
        await freeze_history(march, robin, date(2026, 2, 1))

    assert refused.value.code == "BUDGETS_CHANGING"
    assert [each["is_frozen"] for each in await rows_of(march, robin)] == [False, False]


async def test_the_figures_of_a_budget_that_is_over_and_frozen_stay(at: At, make_user: MakeUser) -> None:
    march, robin = at(NOON), await make_user()
    await add_rows(march, robin, [row(date(2026, 1, 5), "10")])
    budget_id = await create_budget(march, robin, command(end_date=date(2026, 1, 31)), "key")
    await freeze_history(march, robin, date(2026, 2, 1))
    await add_rows(march, robin, [row(date(2026, 1, 6), "5")])

    await refold_held(march, robin, None)

    async with march.db.read("budget", robin) as read:
        used = await read.row(budgets.latest_utilization(), keys=[budget_id])
    assert used is not None
    assert used.amount_spent == "10.0000"
