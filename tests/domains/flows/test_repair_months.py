"""Months' sums that differ from the transactions are found and folded anew; closed ones are left as they are."""

from datetime import date
from typing import Any

from db import jobs
from db.engines import Viewer
from db.jobs import JobRef
from domains.flows.repair_months import plan_repairs, request_repairs
from domains.transaction.service.change_categories import CreateCategory, create_category
from domains.transaction.service.repair_months import REPAIR
from tests.domains.flows.conftest import Nights
from tests.domains.flows.rows import FOOD, TRANSFER_OUT, add_rows, row
from workers.runner import JobRunner
from workers.task import load_tasks

SUMMARY = "transaction_schema.monthly_category_summary"
APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)


async def with_sums(nights: Nights) -> Viewer:
    viewer = await nights.add_user()
    rows = [
        row(APRIL, "10"),
        row(APRIL, "4", category=FOOD),
        row(MAY, "5", category=None),
        row(MAY, "6", direction="credit"),
        row(MAY, "90", category=TRANSFER_OUT),
        row(MAY, "7", status="pending"),
        row(MAY, "2", currency="EUR"),
    ]
    await add_rows(nights.services, viewer, rows)
    return viewer


async def stored(nights: Nights) -> list[str]:
    return [each[0] for each in await nights.run("transaction", f"select (to_jsonb(s) - 'updated_at')::text from {SUMMARY} s order by 1")]


async def run_repairs(nights: Nights) -> int:
    table = jobs.jobs_table("transaction")
    async with nights.services.db.system("transaction") as session:
        found = (await session.execute(table.select().where(table.c.topic == REPAIR, table.c.state == "queued"))).all()
    for each in found:
        await JobRunner(nights.services, load_tasks()).run(JobRef("transaction", each.id, each.lease_token), REPAIR)
    return len(found)


async def test_sums_that_are_as_they_ought_to_be_are_left_alone(nights: Nights) -> None:
    await with_sums(nights)

    assert await plan_repairs(nights.services) == []
    assert await request_repairs(nights.services) == 0


async def test_whatever_differs_is_found_by_month_and_folded_anew(nights: Nights) -> None:
    robin, sam = await with_sums(nights), await with_sums(nights)
    true_sums = await stored(nights)
    changes: tuple[tuple[str, Any], ...] = (
        (f"update {SUMMARY} set total_amount = 11 where user_id = $1 and month = '2026-04-01' and category = $2", FOOD),
        (f"delete from {SUMMARY} where user_id = $1 and month = '2026-05-01' and currency = $2", "EUR"),
        (
            f"insert into {SUMMARY} (user_id, month, category, direction, currency, total_amount, transaction_count)"
            " values ($1, '2026-06-01', $2, 'debit', 'USD', 5, 1)",
            FOOD,
        ),
    )
    for statement, value in changes:
        await nights.run("transaction", statement, robin.user_id, value)
    before = await nights.snapshot()

    planned = await plan_repairs(nights.services)
    untouched = await nights.snapshot()
    requested = await request_repairs(nights.services)
    await request_repairs(nights.services)

    assert untouched == before
    assert planned == [(robin.user_id, month) for month in (APRIL, MAY, date(2026, 6, 1))]
    assert requested == 1
    assert await run_repairs(nights) == 1
    assert await stored(nights) == true_sums
    assert await plan_repairs(nights.services) == []
    assert sam.user_id != robin.user_id


async def test_a_closed_month_is_left_as_it_is(nights: Nights) -> None:
    robin = await with_sums(nights)
    await nights.run(
        "transaction", f"update {SUMMARY} set is_frozen = true, total_amount = 1 where user_id = $1 and month = $2", robin.user_id, APRIL
    )
    await nights.run(
        "transaction", f"delete from {SUMMARY} where user_id = $1 and month = $2 and category = $3", robin.user_id, APRIL, FOOD
    )
    before = await stored(nights)

    assert await request_repairs(nights.services) == 0
    assert await stored(nights) == before


async def test_transfers_of_own_categories_are_transfers(nights: Nights) -> None:
    robin = await with_sums(nights)
    async with nights.services.db.write("transaction", robin) as session:
        made = await create_category(session, CreateCategory(display_name="Pot", type="transfer"), "key")
    await add_rows(nights.services, robin, [row(APRIL, "70", category=str(made))])

    assert await plan_repairs(nights.services) == []
