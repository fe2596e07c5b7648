"""Every registered task, run twice: the second run must leave every row of the database as the first left it.

A new task needs a sample: a function that asks for the job, with something for it to do.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, insert, select, text, update

from db import jobs
from db.analytics import models as analytics
from db.analytics.queries import merchants
from db.bank.models import bank_links
from db.bank.queries_connections import change_connection
from db.base import DOMAINS, applied_jobs_table, jobs_table, schema_of
from db.budget.models import budget_utilization
from db.engines import Db, Dsns, Viewer
from db.jobs import JobRef
from db.transaction.models import monthly_category_summary, own_transactions, transaction_keys
from db.transaction.queries import batches
from domains.analytics.service.answers import Question, Said, keep_answer
from domains.bank.providers.file.options import FileOptions
from domains.bank.service import sync_connections as syncs
from domains.budget.service.change_budgets import CreateBudget
from domains.core.audit import Action
from domains.flows.audit_trail import open_trail
from domains.flows.change_budgets import create_budget
from domains.flows.close_periods import close_periods
from domains.flows.import_statement import request_import
from domains.flows.link_bank import Answer, NewLink, complete_link, create_link
from domains.flows.remove_connection import remove_connection
from domains.flows.services import Services
from domains.flows.uploads import store_upload
from domains.notification.service.add_notifications import NewNotification, add_notifications
from tests.conftest import MakeUser
from tests.domains.audit import exports
from tests.domains.audit.trail import waiting
from tests.domains.flows.rows import FOOD, add_rows, row
from tests.servers.suite import Servers
from tests.workers.conftest import change, end_live_jobs, row_of
from workers.runner import JobRunner
from workers.task import load_tasks

TASKS = load_tasks()
Sample = Callable[[Services, Viewer], Awaitable[JobRef]]

STATEMENT = b"""Date,Description,Amount
2026-11-02,COFFEE CORNER,-3.50
2026-11-02,COFFEE CORNER,-3.50
2026-11-03,SALARY NOVEMBER,2500.00
"""


async def ask(services: Services, domain: str, topic: str, viewer: Viewer | None = None) -> JobRef:
    opened = services.db.system(domain) if viewer is None else services.db.write(domain, viewer)
    async with opened as session:
        return JobRef(domain, await jobs.add(session, topic, key=str(uuid4())), 0)


async def statement_to_import(services: Services, viewer: Viewer) -> JobRef:
    await food_budget(services, viewer)
    upload_id = await store_upload(services, viewer, STATEMENT, "november.csv", "text/csv")
    import_id = await request_import(services, viewer, upload_id, FileOptions(currency="USD"), str(uuid4()))
    table = jobs.jobs_table("bank")
    async with services.db.system("bank") as session:
        found = await session.execute(table.select().where(table.c.topic == "bank.import", table.c.key == str(import_id)))
        return JobRef("bank", found.one().id, 0)


async def food_budget(services: Services, viewer: Viewer) -> UUID:
    command = CreateBudget("Food", FOOD, Decimal("300"), "USD", "monthly", date(2026, 1, 1))
    return await create_budget(services, viewer, command, str(uuid4()))


async def budget_to_refold(services: Services, viewer: Viewer) -> JobRef:
    await food_budget(services, viewer)
    today = services.clock.now().date()
    await add_rows(services, viewer, [row(today, "12.50"), row(today, "7.25")])
    await end_live_jobs(services.db, "budget.refold")
    return await ask(services, "budget", "budget.refold", viewer)


async def budget_between_periods(services: Services, viewer: Viewer) -> JobRef:
    await food_budget(services, viewer)
    async with services.db.write("budget", viewer) as session:
        await session.execute(delete(budget_utilization))
    return await ask(services, "budget", "budget.roll_over")


async def periods_to_close(services: Services, viewer: Viewer) -> JobRef:
    await food_budget(services, viewer)
    await add_rows(services, viewer, [row(date(2026, 1, 5), "12.50"), row(date(2026, 2, 5), "7.25")])
    await end_live_jobs(services.db, "budget.close_periods")
    return await ask(services, "budget", "budget.close_periods", viewer)


async def closed_periods_to_sum_again(services: Services, viewer: Viewer) -> JobRef:
    await food_budget(services, viewer)
    await close_periods(services, viewer)
    await add_rows(services, viewer, [row(date(2026, 1, 5), "12.50"), row(date(2026, 2, 5), "7.25")])
    table = jobs.jobs_table("transaction")
    async with services.db.system("transaction") as session:
        asked = update(table).where(table.c.topic == "budget.close_again", table.c.user_id == viewer.user_id).values(run_at=func.now())
        return JobRef("transaction", (await session.execute(asked.returning(table.c.id))).scalar_one(), 0)


async def budget_with_ended_periods(services: Services, viewer: Viewer) -> JobRef:
    await food_budget(services, viewer)
    return await ask(services, "budget", "budget.find_ended_periods")


async def defaults_to_give(services: Services, viewer: Viewer) -> JobRef:
    return await ask(services, "user", "notification.give_defaults", viewer)


async def users_without_defaults(services: Services, viewer: Viewer) -> JobRef:
    return await ask(services, "notification", "notification.find_without_defaults")


async def notifications_to_count(services: Services, viewer: Viewer) -> JobRef:
    async with services.db.write("notification", viewer) as session:
        await add_notifications(session, [NewNotification("insight", "push", "You spent less.")])
    return await ask(services, "notification", "notification.fold_stats")


async def partitions(services: Services, viewer: Viewer) -> JobRef:
    return await ask(services, "transaction", "transaction.ensure_partitions")


async def expired_upload(services: Services, viewer: Viewer) -> JobRef:
    kept_no_longer = replace(services, options=replace(services.options, upload_kept_s=-3600))
    await store_upload(kept_no_longer, viewer, STATEMENT, "old.csv", None)
    return await ask(services, "bank", "bank.purge_uploads")


async def abandoned(services: Services, viewer: Viewer) -> UUID:
    """An import whose job is dead."""
    ref = await statement_to_import(services, viewer)
    await change(services.db, ref.id, "bank", state="dead", finished_at=func.now())
    return UUID((await row_of(services.db, ref.id, "bank")).key)


async def abandoned_import(services: Services, viewer: Viewer) -> JobRef:
    await abandoned(services, viewer)
    return await ask(services, "bank", "bank.find_abandoned_imports")


async def import_to_close(services: Services, viewer: Viewer) -> JobRef:
    import_id = str(await abandoned(services, viewer))
    async with services.db.write("bank", viewer) as session:
        return JobRef("bank", await jobs.add(session, "bank.close_import", key=import_id, payload={"import_id": import_id}), 0)


async def linked_bank(services: Services, viewer: Viewer) -> UUID:
    begun = await create_link(services, viewer, NewLink("sandbox"), str(uuid4()))
    return await complete_link(services, viewer, begun.id, Answer(public_token="sam"), str(uuid4()))


async def job_about(services: Services, topic: str, viewer: Viewer) -> JobRef:
    table = jobs_table("bank")
    async with services.db.system("bank") as session:
        found = await session.execute(select(table.c.id).where(table.c.topic == topic, table.c.user_id == viewer.user_id))
        return JobRef("bank", found.scalar_one(), 0)


async def bank_to_fetch(services: Services, viewer: Viewer) -> JobRef:
    await linked_bank(services, viewer)
    return await job_about(services, "bank.sync", viewer)


async def bank_that_is_due(services: Services, viewer: Viewer) -> JobRef:
    connection_id = await linked_bank(services, viewer)
    await end_live_jobs(services.db, "bank.sync")
    async with services.db.write("bank", viewer) as session:
        await change_connection(session, connection_id, {"next_sync_at": services.clock.now() - timedelta(minutes=1)})
    return await ask(services, "bank", "bank.find_due_syncs")


async def consent_that_ends(services: Services, viewer: Viewer) -> JobRef:
    connection_id = await linked_bank(services, viewer)
    async with services.db.write("bank", viewer) as session:
        await change_connection(session, connection_id, {"consent_expires_at": services.clock.now() + timedelta(days=6)})
    return await ask(services, "bank", "bank.watch_consents")


async def dead_fetch(services: Services, viewer: Viewer) -> UUID:
    """The job, which has died, of a fetch that has not ended."""
    connection_id = await linked_bank(services, viewer)
    ref = await job_about(services, "bank.sync", viewer)
    async with services.db.write("bank", viewer) as session:
        await syncs.begin_sync(session, connection_id, ref.id, "manual", services.clock.now(), timedelta(hours=4))
    await change(services.db, ref.id, "bank", state="dead", finished_at=func.now())
    return ref.id


async def abandoned_fetch(services: Services, viewer: Viewer) -> JobRef:
    await dead_fetch(services, viewer)
    return await ask(services, "bank", "bank.find_abandoned_syncs")


async def fetch_to_close(services: Services, viewer: Viewer) -> JobRef:
    job_id = str(await dead_fetch(services, viewer))
    async with services.db.write("bank", viewer) as session:
        return JobRef("bank", await jobs.add(session, "bank.close_sync", key=job_id, payload={"sync_job_id": job_id}), 0)


async def access_to_revoke(services: Services, viewer: Viewer) -> JobRef:
    await remove_connection(services, viewer, await linked_bank(services, viewer), forgets=False)
    return await job_about(services, "bank.revoke", viewer)


async def transactions_to_forget(services: Services, viewer: Viewer) -> JobRef:
    connection_id = await linked_bank(services, viewer)
    await JobRunner(services, TASKS).run(await job_about(services, "bank.sync", viewer), "bank.sync")
    await remove_connection(services, viewer, connection_id, forgets=True)
    return await job_about(services, "bank.forget_transactions", viewer)


async def link_that_is_over(services: Services, viewer: Viewer) -> JobRef:
    await create_link(services, viewer, NewLink("sandbox"), str(uuid4()))
    async with services.db.write("bank", viewer) as session:
        stored = {"user_id": viewer.user_id, "provider": "sandbox", "expires_at": func.now() - timedelta(days=8)}
        await session.execute(insert(bank_links).values(stored))
    return await ask(services, "bank", "bank.purge_links")


async def somebody_to_tell(services: Services, viewer: Viewer) -> JobRef:
    connection_id = await linked_bank(services, viewer)
    async with services.db.write("bank", viewer) as session:
        await syncs.require_login(session, connection_id, "ITEM_LOGIN_REQUIRED", "Sign in.")
    return await job_about(services, "notification.notice", viewer)


async def old_rows(services: Services, viewer: Viewer) -> JobRef:
    old = await ask(services, "budget", f"test.{uuid4()}", viewer)
    await change(services.db, old.id, state="done", finished_at=func.now() - timedelta(days=3))
    fences = applied_jobs_table("budget")
    async with services.db.system("budget") as session:
        await session.execute(insert(fences).values(job_id=uuid4(), applied_at=func.now() - timedelta(days=31)))
    return await ask(services, "budget", "upkeep.purge")


async def entry_to_record(services: Services, viewer: Viewer) -> JobRef:
    trail = await open_trail(services, viewer)
    async with services.db.write("budget", viewer) as session:
        await trail.note(session, Action.BUDGET_UPDATED, new={"name": "Food"})
    [ref] = await waiting(services, viewer.user_id)
    return ref


async def export_to_make(services: Services, viewer: Viewer) -> JobRef:
    job = await exports.job_of(services, await exports.ask(services, viewer))
    return JobRef("audit", job.id, 0)


async def expired_export(services: Services, viewer: Viewer) -> JobRef:
    request_id = await exports.ask(services, viewer)
    assert await exports.answer(services, request_id) == "done"
    await exports.age(services, request_id, timedelta(days=8))
    return await ask(services, "audit", "audit.end_exports")


async def months(services: Services, viewer: Viewer) -> JobRef:
    return await ask(services, "audit", "audit.ensure_months")


#: Whose effect, empty tables, is there since the migrations.
MADE_AHEAD = {"audit.ensure_months", "transaction.ensure_partitions"}


async def three_who_agree(services: Services, viewer: Viewer) -> str:
    """A merchant of which two others say what the viewer says too; only theirs are counted."""
    shop = f"shop {uuid4()}"
    for user_id in (uuid4(), uuid4(), viewer.user_id):
        async with services.db.write("analytics", replace(viewer, user_id=user_id)) as session:
            await merchants.replace_votes(session, [merchants.Vote(shop, FOOD, None)])
        if user_id != viewer.user_id:
            async with services.db.system("analytics") as system:
                await merchants.count_votes(system, user_id)
    return shop


async def choice_to_count(services: Services, viewer: Viewer) -> JobRef:
    shop = await three_who_agree(services, viewer)
    today = services.clock.now().date()
    await add_rows(services, viewer, [row(today, "12.50", merchant_name=shop), row(today, "7.25")])
    async with services.db.write("transaction", viewer) as session:
        mine = own_transactions.c.merchant_name == shop
        await session.execute(update(own_transactions).where(mine).values(user_category=FOOD))
    return await ask(services, "transaction", "analytics.vote", viewer)


async def merchant_to_repair(services: Services, viewer: Viewer) -> JobRef:
    await three_who_agree(services, viewer)
    return await ask(services, "analytics", "analytics.repair_merchants")


async def expired_answer(services: Services, viewer: Viewer) -> JobRef:
    over = services.clock.now() - timedelta(hours=1)
    async with services.db.write("analytics", viewer) as session:
        assert await keep_answer(session, Question("insight", "model-1", "Why?"), Said({}, expires_at=over))
    return await ask(services, "analytics", "analytics.purge_answers")


async def old_insight(services: Services, viewer: Viewer) -> JobRef:
    rows = analytics.insights
    old = {"type": "forecast", "title": "Less", "description": "You spend less.", "created_at": func.now() - timedelta(days=800)}
    async with services.db.write("analytics", viewer) as session:
        await session.execute(insert(rows).values(user_id=viewer.user_id, **old))
    return await ask(services, "audit", "retention.apply")


async def orphaned_votes(services: Services, viewer: Viewer) -> JobRef:
    stranger = replace(viewer, user_id=uuid4())
    async with services.db.write("analytics", stranger) as session:
        old = {"merchant_name": "corner shop", "category": FOOD, "created_at": func.now() - timedelta(hours=2)}
        await session.execute(insert(analytics.merchant_category_votes).values(user_id=stranger.user_id, **old))
    return await ask(services, "analytics", "retention.sweep_orphans")


async def empty_partition(services: Services, viewer: Viewer) -> JobRef:
    async with services.db.system("transaction") as session:
        await batches.ensure_partitions(session, [1971])
    async with services.db.write("transaction", viewer) as session:  # a hypertable makes the chunk with its first row
        await batches.add_transactions(session, [row(date(1971, 5, 5), "1.00")])
        await session.execute(delete(own_transactions).where(own_transactions.c.user_id == viewer.user_id))
        await session.execute(delete(transaction_keys).where(transaction_keys.c.user_id == viewer.user_id))
    return await ask(services, "transaction", "retention.drop_partitions")


async def wrong_sums(services: Services, viewer: Viewer) -> None:
    await add_rows(services, viewer, [row(services.clock.now().date(), "12.50")])
    async with services.db.write("transaction", viewer) as session:
        await session.execute(update(monthly_category_summary).values(total_amount=1))


async def months_to_compare(services: Services, viewer: Viewer) -> JobRef:
    await wrong_sums(services, viewer)
    return await ask(services, "transaction", "transaction.compare_months")


async def months_to_repair(services: Services, viewer: Viewer) -> JobRef:
    await wrong_sums(services, viewer)
    return await ask(services, "transaction", "transaction.repair_months", viewer)


SAMPLES: dict[str, Sample] = {
    "analytics.purge_answers": expired_answer,
    "analytics.repair_merchants": merchant_to_repair,
    "analytics.vote": choice_to_count,
    "audit.ensure_months": months,
    "audit.end_exports": expired_export,
    "audit.export": export_to_make,
    "audit.record": entry_to_record,
    "bank.close_import": import_to_close,
    "bank.close_sync": fetch_to_close,
    "bank.find_abandoned_imports": abandoned_import,
    "bank.find_abandoned_syncs": abandoned_fetch,
    "bank.find_due_syncs": bank_that_is_due,
    "bank.forget_transactions": transactions_to_forget,
    "bank.import": statement_to_import,
    "bank.purge_links": link_that_is_over,
    "bank.purge_uploads": expired_upload,
    "bank.revoke": access_to_revoke,
    "bank.sync": bank_to_fetch,
    "bank.watch_consents": consent_that_ends,
    "budget.close_again": closed_periods_to_sum_again,
    "budget.close_periods": periods_to_close,
    "budget.find_ended_periods": budget_with_ended_periods,
    "budget.refold": budget_to_refold,
    "budget.roll_over": budget_between_periods,
    "notification.find_without_defaults": users_without_defaults,
    "notification.fold_stats": notifications_to_count,
    "notification.give_defaults": defaults_to_give,
    "notification.notice": somebody_to_tell,
    "retention.apply": old_insight,
    "retention.drop_partitions": empty_partition,
    "retention.sweep_orphans": orphaned_votes,
    "transaction.compare_months": months_to_compare,
    "transaction.ensure_partitions": partitions,
    "transaction.repair_months": months_to_repair,
    "upkeep.purge": old_rows,
}


@pytest.fixture(scope="module")
async def everything(servers: Servers) -> AsyncIterator[Db]:
    """Sessions that see every row."""
    logins = {domain: {"system": dsn} for domain, dsn in servers.databases.items()}
    superuser = Db(Dsns(app=servers.superuser_dsn, system=servers.superuser_dsn, domains=logins), None)
    yield superuser
    await superuser.close()


async def rows(everything: Db, job: JobRef) -> dict[str, list[str]]:
    """Every row of every table, as text; but the job's own, whose attempts and times are what a run changes.

    When a row was last touched is left out: a fold may write what is there already. So are live events on their way out.
    """
    listed: dict[str, list[str]] = {}
    for domain in DOMAINS:
        async with everything.system(domain) as session:
            find = "select relname from pg_class where relkind in ('r', 'p') and not relispartition and relnamespace = "
            for table in (await session.execute(text(f"{find} '{schema_of(domain)}'::regnamespace order by 1"))).scalars().all():
                name = f"{schema_of(domain)}.{table}"
                where = f"where topic <> '{jobs.PUBLISH}' and id <> '{job.id}'" if table == "jobs" else ""
                found = await session.execute(text(f"select (to_jsonb(t) - 'updated_at')::text from {name} t {where} order by 1"))
                listed[name] = list(found.scalars())
    return listed


async def run(services: Services, ref: JobRef, topic: str, lease_token: int) -> Any:
    await JobRunner(services, TASKS).run(JobRef(ref.domain, ref.id, lease_token), topic)
    return await row_of(services.db, ref.id, ref.domain)


@pytest.mark.parametrize("topic", sorted(TASKS))
async def test_a_second_run_changes_no_row(topic: str, services: Services, make_user: MakeUser, everything: Db) -> None:
    assert topic in SAMPLES, f"{topic} is new: give it a sample"
    ref = await SAMPLES[topic](services, await make_user())
    before = await rows(everything, ref)

    assert (await run(services, ref, topic, 0)).state == "done"
    first = await rows(everything, ref)
    await change(services.db, ref.id, ref.domain, state="queued", finished_at=None)
    done = await run(services, ref, topic, 1)
    second = await rows(everything, ref)

    assert (done.state, done.attempt) == ("done", 2)
    changed = {table: (first[table], second[table]) for table in second if first[table] != second[table]}
    assert changed == {}
    if topic not in MADE_AHEAD:
        assert first != before, "the sample gave the task nothing to do"


def test_no_sample_is_without_a_task() -> None:
    assert set(SAMPLES) == set(TASKS)
