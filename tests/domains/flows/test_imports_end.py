"""Every import ends, and says how: whatever becomes of its file, its job and its neighbours."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, update

from db.bank.models import bank_accounts, sync_history, uploads
from db.base import jobs_table
from db.engines import Viewer
from db.transaction.models import monthly_category_summary
from domains.bank.errors import StatementRejected
from domains.bank.providers.file.options import FileOptions
from domains.bank.providers.protocol import Statement, StatementAccount
from domains.bank.service import import_statements as service
from domains.budget.service.change_budgets import CreateBudget
from domains.flows import import_statement as flow
from domains.flows.change_budgets import create_budget
from domains.flows.services import Services
from domains.flows.uploads import open_upload, store_upload
from tests.conftest import MakeUser
from tests.domains.flows.test_import_statement import STATEMENT, TODAY, WHOLE, claimed, csv, history, import_row, queued, spent


async def count_of_uploads(services: Services, viewer: Viewer) -> int:
    async with services.db.write("bank", viewer) as session:
        return len((await session.execute(uploads.select())).all())


async def test_two_imports_of_one_upload_both_end_and_the_second_adds_nothing(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    upload_id = await store_upload(services, robin, STATEMENT, "august.csv", None)
    first = await flow.request_import(services, robin, upload_id, FileOptions(), "first")
    second = await flow.request_import(services, robin, upload_id, FileOptions(), "second")

    for import_id in (first, second):
        await flow.run_import(services, await claimed(services, robin, import_id), import_id)

    ended = [await import_row(services, robin, import_id) for import_id in (first, second)]
    assert [(row["status"], row["added"], row["unchanged"]) for row in ended] == [("done", 4, 0), ("done", 0, 4)]
    assert await count_of_uploads(services, robin) == 0


async def test_a_second_request_that_is_refused_leaves_the_file_to_the_first(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    upload_id = await store_upload(services, robin, STATEMENT, "august.csv", None)
    import_id = await flow.request_import(services, robin, upload_id, FileOptions(), "first")

    with pytest.raises(StatementRejected):
        await flow.request_import(services, robin, upload_id, FileOptions(delimiter="|"), "second")
    await flow.run_import(services, await claimed(services, robin, import_id), import_id)

    assert (await import_row(services, robin, import_id))["status"] == "done"


async def test_an_import_whose_file_is_gone_fails_and_says_so(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    import_id = await queued(services, robin)
    async with services.db.write("bank", robin) as session:
        await session.execute(uploads.delete())

    await flow.run_import(services, await claimed(services, robin, import_id), import_id)

    row = await import_row(services, robin, import_id)
    assert (row["status"], row["error_message"]) == ("failed", "There is no such upload. Send the file again.")
    assert await history(services, robin) == [("manual", "failed", 0, 0, "UPLOAD_NOT_FOUND")]


async def test_an_import_whose_job_died_is_closed_and_one_that_is_worked_on_is_not(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    dead, alive = await queued(services, robin), await queued(services, robin)
    table = jobs_table("bank")
    async with services.db.system("bank") as session:
        await session.execute(update(table).where(table.c.key == str(dead)).values(state="dead", finished_at=func.now()))

    async with services.db.system("bank") as session:
        assert await service.request_closing(session) >= 1
    async with services.db.write("bank", robin) as session:
        asked = (await session.execute(table.select().where(table.c.topic == service.CLOSE_IMPORT))).mappings().all()
        for import_id in (dead, alive):
            await service.close_import(session, import_id, services.clock.now())

    assert [(each["key"], each["user_id"]) for each in asked] == [(str(dead), robin.user_id)]
    row = await import_row(services, robin, dead)
    assert (row["status"], row["error_message"]) == ("failed", service.GIVEN_UP_MESSAGE)
    assert (await import_row(services, robin, alive))["status"] == "queued"
    assert await count_of_uploads(services, robin) == 1
    assert await history(services, robin) == [("manual", "failed", 0, 0, service.GIVEN_UP)]


async def test_the_line_of_an_import_that_is_given_up_while_it_ran_is_ended(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    import_id = await queued(services, robin)
    began = services.clock.now()
    async with services.db.write("bank", robin) as session:
        await service.begin_import(session, import_id, began)
    assert await history(services, robin) == [("manual", "started", 0, 0, None)]
    table = jobs_table("bank")
    async with services.db.system("bank") as session:
        await session.execute(update(table).where(table.c.key == str(import_id)).values(state="dead", finished_at=func.now()))

    for _ in range(2):
        async with services.db.write("bank", robin) as session:
            await service.close_import(session, import_id, began + timedelta(days=60))

    assert await history(services, robin) == [("manual", "failed", 0, 0, service.GIVEN_UP)]
    async with services.db.write("bank", robin) as session:
        row = (await session.execute(sync_history.select())).mappings().one()
    assert (row["started_at"], row["completed_at"] - row["started_at"]) == (began, timedelta(days=60))
    assert row["duration_ms"] == 2**31 - 1  # the most the column holds: 24 days


async def test_a_clock_that_went_back_makes_no_negative_duration(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    import_id = await queued(services, robin)
    now = services.clock.now()
    async with services.db.write("bank", robin) as session:
        found = await service.begin_import(session, import_id, now)
        await service.fail_import(session, found, "STATEMENT_REJECTED", "No.", now - timedelta(seconds=5))
        row = (await session.execute(sync_history.select())).mappings().one()

    assert row["duration_ms"] == 0


def said(currency: str, balance: str, day: date) -> Statement:
    account = StatementAccount(
        provider_account_id="checking",
        name="Checking",
        currency=currency,
        account_type="checking",
        current_balance=Decimal(balance),
        balance_on=day,
    )
    return Statement(provider="file", institution_id="bank", accounts=[account])


async def test_a_balance_in_another_currency_is_never_shown_in_the_accounts(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    await flow.take_statement(services, robin, said("EUR", "100", date(2026, 8, 1)))

    await flow.take_statement(services, robin, said("JPY", "16000", date(2026, 8, 2)))

    async with services.db.write("bank", robin) as session:
        row = (await session.execute(bank_accounts.select())).mappings().one()
    assert (row["currency"], row["current_balance"]) == ("EUR", Decimal("100.0000"))


async def test_amounts_at_the_bound_add_up_beyond_it(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    largest = "-999999999999999.99"
    yearly = CreateBudget("Food", "FOOD_AND_DRINK", Decimal("0.01"), "USD", "yearly", TODAY)
    budget_id = await create_budget(services, robin, yearly, "key")

    counts = await flow.import_file(services, robin, csv((TODAY, WHOLE, largest), (TODAY, f"{WHOLE} 2", largest)), "a.csv", FileOptions())

    assert counts == {"added": 2, "updated": 0, "unchanged": 0}
    assert await spent(services, robin, budget_id) == "1999999999999999.9800"
    async with services.db.write("transaction", robin) as session:
        month = (await session.execute(monthly_category_summary.select())).mappings().one()
    assert (month["total_amount"], month["avg_amount"]) == (Decimal("1999999999999999.98"), Decimal("999999999999999.99"))


async def test_a_retry_that_is_overtaken_by_the_whole_import_answers_the_same(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    robin = await make_user()
    upload_id = await store_upload(services, robin, STATEMENT, "august.csv", None)
    first: list[UUID] = []

    async def overtaken(*args: Any) -> tuple[str, bytes]:
        patch.undo()
        first.append(await flow.request_import(services, robin, upload_id, FileOptions(), "key"))
        await flow.run_import(services, await claimed(services, robin, first[0]), first[0])
        return await open_upload(*args)

    with monkeypatch.context() as patch:
        patch.setattr(flow, "open_upload", overtaken)
        retried = await flow.request_import(services, robin, upload_id, FileOptions(), "key")

    assert [retried] == first
