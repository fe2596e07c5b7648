"""Statements become rows, sums and budgets, once, whatever dies in between."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from db import jobs
from db.bank import queries as bank
from db.bank.models import sync_history, uploads
from db.budget import queries as budgets
from db.engines import Viewer
from db.errors import LeaseLost
from db.transaction.models import ledgers, monthly_category_summary, own_transactions, transaction_keys
from domains.bank.errors import StatementRejected, UploadNotFound, UploadsWaiting
from domains.bank.providers.file.options import FileOptions
from domains.bank.providers.protocol import Statement, StatementAccount, StatementTransaction
from domains.bank.service import import_statements as service
from domains.budget.service.change_budgets import CreateBudget
from domains.core.clock import local_date
from domains.core.errors import IdempotencyKeyReused
from domains.flows import import_statement as flow
from domains.flows.change_budgets import create_budget
from domains.flows.held import HeldJob
from domains.flows.services import Services
from domains.flows.uploads import store_upload
from tests.conftest import MakeUser

TODAY = local_date(datetime.now(UTC), "UTC")
HEADER = "Date,Description,Amount\n"


def csv(*rows: tuple[date, str, str]) -> bytes:
    return (HEADER + "".join(f"{day.isoformat()},{text},{amount}\n" for day, text, amount in rows)).encode()


COFFEE = (TODAY, "STARBUCKS STORE #1234", "-4.50")
WHOLE = "WHOLE FOODS MARKET"
STATEMENT = csv(COFFEE, COFFEE, (TODAY, f"{WHOLE} 10234", "-95.50"), (TODAY - timedelta(days=400), WHOLE, "-70.00"))
TWO_COFFEES_AND_MORE = {"added": 4, "updated": 0, "unchanged": 0}


async def food_budget(services: Services, viewer: Viewer) -> UUID:
    command = CreateBudget("Food", "FOOD_AND_DRINK", Decimal(200), "USD", "monthly", TODAY.replace(day=1))
    return await create_budget(services, viewer, command, str(uuid4()))


async def spent(services: Services, viewer: Viewer, budget_id: UUID) -> str:
    async with services.db.read("budget", viewer) as read:
        row = await read.row(budgets.latest_utilization(), keys=[budget_id], today=TODAY)
    assert row is not None
    return str(row.amount_spent)


async def everything(services: Services, viewer: Viewer) -> dict[str, Any]:
    """All that an import writes for a user, without what differs between two equal runs: ids and instants."""
    async with services.db.write("transaction", viewer) as session:
        rows = (await session.execute(own_transactions.select())).mappings().all()
        keys = (await session.execute(transaction_keys.select())).mappings().all()
        sums = (await session.execute(monthly_category_summary.select())).mappings().all()
    said = ("transaction_date", "amount", "direction", "description", "merchant_name", "effective_category", "provider_transaction_id")
    return {
        "rows": sorted(tuple(str(row[name]) for name in said) for row in rows),
        "keys": sorted(str(key["provider_transaction_id"]) for key in keys),
        "sums": sorted((str(each["month"]), each["category"], each["total_amount"], each["transaction_count"]) for each in sums),
    }


async def import_row(services: Services, viewer: Viewer, import_id: UUID) -> Mapping[str, Any]:
    async with services.db.read("bank", viewer) as read:
        row = await read.row(bank.imports_by_id(("status", "added", "unchanged", "error_message", "account_count")), keys=[import_id])
    assert row is not None
    return dict(row.items())


async def history(services: Services, viewer: Viewer) -> list[tuple[Any, ...]]:
    """(type, status, added, updated, error code) of the lines in the history of syncs, the oldest first."""
    names = ("sync_type", "status", "transactions_added", "transactions_updated", "error_code")
    async with services.db.write("bank", viewer) as session:
        lines = (await session.execute(sync_history.select().order_by(sync_history.c.started_at))).mappings()
        return [tuple(line[name] for name in names) for line in lines]


async def queued(services: Services, viewer: Viewer, data: bytes = STATEMENT, name: str = "august.csv") -> UUID:
    upload_id = await store_upload(services, viewer, data, name, "text/csv")
    return await flow.request_import(services, viewer, upload_id, FileOptions(), str(upload_id))


async def claimed(services: Services, viewer: Viewer, import_id: UUID) -> HeldJob:
    async with services.db.write("bank", viewer) as session:
        table = jobs.jobs_table("bank")
        job_id = (await session.execute(table.select().where(table.c.key == str(import_id)))).mappings().one()["id"]
    claim = await jobs.claim(services.db, "bank", job_id, lease_s=30)
    assert claim is not None
    return HeldJob(claim, viewer)


async def test_a_file_moves_a_budget_and_again_changes_nothing(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    budget_id = await food_budget(services, robin)

    first = await flow.import_file(services, robin, STATEMENT, "august.csv", FileOptions())
    after_first = await everything(services, robin)
    second = await flow.import_file(services, robin, STATEMENT, "august.csv", FileOptions())

    assert first == TWO_COFFEES_AND_MORE
    assert second == {"added": 0, "updated": 0, "unchanged": 4}
    assert await everything(services, robin) == after_first
    assert await spent(services, robin, budget_id) == "104.5000"


async def test_rows_get_a_clean_merchant_and_a_category(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()

    await flow.import_file(services, robin, csv(COFFEE), "august.csv", FileOptions())

    async with services.db.write("transaction", robin) as session:
        row = (await session.execute(own_transactions.select())).mappings().one()
    assert (row["merchant_name"], row["effective_category"]) == ("Starbucks", "FOOD_AND_DRINK_COFFEE")
    assert (row["direction"], row["amount"], row["currency"]) == ("debit", Decimal("4.5000"), "USD")


async def test_an_import_says_when_its_connection_was_last_heard_from(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    before = services.clock.now()

    await flow.import_file(services, robin, csv(COFFEE), "august.csv", FileOptions())

    async with services.db.read("bank", robin) as read:
        columns = ("last_sync_at", "last_sync_status", "last_successful_sync_at")
        [connection] = await read.rows(bank.connections_by_user(columns), keys=[robin.user_id])
    assert before <= connection.last_sync_at == connection.last_successful_sync_at <= services.clock.now()
    assert connection.last_sync_status == "success"


async def test_a_broken_file_is_refused_with_its_line_and_nothing_of_it_stays(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    broken = csv(COFFEE) + b"2026-08-02,LUNCH,twelve\n"
    upload_id = await store_upload(services, robin, broken, "broken.csv", None)

    with pytest.raises(StatementRejected) as refusal:
        await flow.request_import(services, robin, upload_id, FileOptions(), "key")

    assert refusal.value.line == 3
    assert await everything(services, robin) == {"rows": [], "keys": [], "sums": []}
    async with services.db.write("bank", robin) as session:
        assert (await session.execute(uploads.select())).all() == []


async def test_an_upload_is_encrypted_and_gone_after_its_import(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    import_id = await queued(services, robin)
    async with services.db.write("bank", robin) as session:
        stored = (await session.execute(uploads.select())).mappings().one()

    await flow.run_import(services, await claimed(services, robin, import_id), import_id)

    assert b"STARBUCKS" not in stored["ciphertext"]
    async with services.db.write("bank", robin) as session:
        assert (await session.execute(uploads.select())).all() == []
    assert (await import_row(services, robin, import_id))["status"] == "done"


class Died(BaseException):
    """As a kill ends a process: no handler of ours sees it."""


STEPS = ("begin_import", "place_accounts", "apply_batch", "record_outcome", "refold_held", "complete_import", "finish")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_killed_around_any_step_the_next_run_ends_in_the_same_rows(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    robin, sam = await make_user(), await make_user()
    budget_id = await food_budget(services, robin)
    import_id = await queued(services, robin)
    await flow.import_file(services, sam, STATEMENT, "august.csv", FileOptions())
    job = await claimed(services, robin, import_id)

    owner = {"begin_import": service, "complete_import": service, "record_outcome": jobs, "finish": jobs}
    with monkeypatch.context() as patch:
        _die(patch, owner.get(step, flow), step, when)
        with pytest.raises(Died):
            await flow.run_import(services, job, import_id)
    await _expire_lease(services, robin, job)
    await flow.run_import(services, await claimed(services, robin, import_id), import_id)

    row = await import_row(services, robin, import_id)
    assert (row["status"], row["added"], row["unchanged"], row["account_count"]) == ("done", 4, 0, 1)
    assert await history(services, robin) == await history(services, sam) == [("manual", "success", 4, 0, None)]
    assert (await everything(services, robin))["sums"] == (await everything(services, sam))["sums"]
    assert len((await everything(services, robin))["rows"]) == 4
    assert await spent(services, robin, budget_id) == "104.5000"


def _die(patch: pytest.MonkeyPatch, owner: Any, name: str, when: str) -> None:
    real = getattr(owner, name)

    async def dying(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            await real(*args, **kwargs)
        raise Died

    patch.setattr(owner, name, dying)


async def _expire_lease(services: Services, viewer: Viewer, job: HeldJob) -> None:
    table = jobs.jobs_table("bank")
    async with services.db.system("bank") as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await session.execute(table.update().where(table.c.id == job.id).values(leased_until=past))


async def test_a_worker_that_lost_its_lease_cannot_complete(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    import_id = await queued(services, robin)
    zombie = await claimed(services, robin, import_id)
    await _expire_lease(services, robin, zombie)
    other = await claimed(services, robin, import_id)

    with pytest.raises(LeaseLost):
        await flow.run_import(services, zombie, import_id)
    await flow.run_import(services, other, import_id)

    assert (await import_row(services, robin, import_id))["added"] == 4


async def test_the_same_key_is_one_import_even_after_the_file_is_gone(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    upload_id = await store_upload(services, robin, STATEMENT, "august.csv", None)
    asked = [flow.request_import(services, robin, upload_id, FileOptions(), "key") for _ in range(5)]

    ids = set(await asyncio.gather(*asked))
    await flow.run_import(services, await claimed(services, robin, next(iter(ids))), next(iter(ids)))
    ids.add(await flow.request_import(services, robin, upload_id, FileOptions(), "key"))

    assert len(ids) == 1
    with pytest.raises(IdempotencyKeyReused):
        await flow.request_import(services, robin, upload_id, FileOptions(account_name="Other"), "key")
    with pytest.raises(UploadNotFound):
        await flow.request_import(services, robin, upload_id, FileOptions(), "another key")


async def test_somebody_elses_upload_is_not_found_and_stays(services: Services, make_user: MakeUser) -> None:
    robin, sam = await make_user(), await make_user()
    upload_id = await store_upload(services, robin, STATEMENT, "august.csv", None)

    with pytest.raises(UploadNotFound):
        await flow.request_import(services, sam, upload_id, FileOptions(), "key")

    assert await flow.request_import(services, robin, upload_id, FileOptions(), "key")


async def test_waiting_uploads_are_bounded(services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    robin = await make_user()
    monkeypatch.setattr(service, "UPLOADS_WAITING_AT_MOST", 2)

    stored = await asyncio.gather(*(store_upload(services, robin, STATEMENT, "august.csv", None) for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(each, UUID) for each in stored) == 2
    assert sum(isinstance(each, UploadsWaiting) for each in stored) == 3


async def test_imports_of_one_user_at_once_end_in_each_row_once(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()

    outcomes = await asyncio.gather(*(flow.import_file(services, robin, STATEMENT, "august.csv", FileOptions()) for _ in range(5)))

    assert sorted(each["added"] for each in outcomes) == [0, 0, 0, 0, 4]
    assert len((await everything(services, robin))["rows"]) == 4


async def test_two_users_import_the_statement_of_one_joint_account(services: Services, make_user: MakeUser) -> None:
    robin, sam = await make_user(), await make_user()

    for viewer in (robin, sam):
        assert await flow.import_file(services, viewer, STATEMENT, "august.csv", FileOptions()) == TWO_COFFEES_AND_MORE


async def test_a_corrected_row_is_changed_in_place_and_keeps_what_the_user_wrote(services: Services, make_user: MakeUser) -> None:
    from domains.flows.update_transaction import update_transaction
    from domains.transaction.service.update_transaction import UpdateTransaction

    robin = await make_user()
    await flow.take_statement(services, robin, _said(date(2026, 8, 10), "12.00"))
    async with services.db.write("transaction", robin) as session:
        before = (await session.execute(own_transactions.select())).mappings().one()
    await update_transaction(services, robin, UpdateTransaction(before["id"], category="TRAVEL", notes="with Sam", tags=["trip"]))

    applied = await flow.take_statement(services, robin, _said(date(2025, 12, 30), "13.00"))

    async with services.db.write("transaction", robin) as session:
        after = (await session.execute(own_transactions.select())).mappings().one()
        months = (await session.execute(monthly_category_summary.select())).mappings().all()
    assert (applied.added, applied.updated, applied.unchanged) == (0, 1, 0)
    assert (after["id"], after["transaction_date"], after["amount"]) == (before["id"], date(2025, 12, 30), Decimal("13.0000"))
    assert (after["user_category"], after["notes"], after["tags"]) == ("TRAVEL", "with Sam", ["trip"])
    assert [(each["month"], each["category"]) for each in months] == [(date(2025, 12, 1), "TRAVEL")]


async def test_the_ledger_takes_one_version_per_change_and_none_without_one(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    versions = []

    for data in (csv(COFFEE), csv(COFFEE), csv(COFFEE, COFFEE)):
        await flow.import_file(services, robin, data, "august.csv", FileOptions())
        async with services.db.write("transaction", robin) as session:
            versions.append((await session.execute(ledgers.select())).mappings().one()["version"])

    assert versions == [1, 1, 2]


def _said(day: date, amount: str) -> Statement:
    """What a bank says of one movement, whose id is always the same."""
    movement = StatementTransaction(
        provider_transaction_id="same-id",
        amount=Decimal(amount),
        currency="USD",
        direction="debit",
        transaction_date=day,
        description="CORNER SHOP",
        original_description="CORNER SHOP",
    )
    account = StatementAccount(
        provider_account_id="checking", name="Checking", currency="USD", account_type="checking", transactions=[movement]
    )
    return Statement(provider="file", institution_id="bank", accounts=[account])
