"""The end of a connection: its tokens are gone at once, its bank is told, and its transactions stay or go as their owner says."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from db.bank import queries_links as links
from db.bank.models import bank_revocations
from db.base import jobs_table
from db.engines import Viewer
from db.transaction.models import deleted_transactions, monthly_category_summary, transaction_keys, transaction_reviews
from domains.bank.errors import BankConnectionNotFound
from domains.bank.providers.errors import ProviderUnavailable
from domains.bank.providers.file.options import FileOptions
from domains.budget.service.change_budgets import CreateBudget
from domains.core.clock import FixedClock
from domains.core.errors import TryAgain
from domains.flows import remove_connection as flow
from domains.flows import sync_connection as syncing
from domains.flows.change_budgets import create_budget
from domains.flows.import_statement import import_file
from domains.flows.remove_connection import remove_connection
from domains.flows.services import Services
from domains.transaction.service.delete_transaction import delete_transaction
from tests.banks import TODAY, ToldBank, account, connection_of, hurry, link, movement, run_jobs, sync, with_banks
from tests.conftest import MakeUser
from tests.domains.flows.rows import GROCERIES
from tests.domains.flows.sync import accounts_of, ids_of
from tests.domains.flows.test_import_statement import STATEMENT, spent

REVOKE, FORGET = "bank.revoke", "bank.forget_transactions"


async def revocations(services: Services, viewer: Viewer) -> list[Any]:
    async with services.db.write("bank", viewer) as session:
        return list((await session.execute(bank_revocations.select())).mappings())


async def removed(services: Services, viewer: Viewer, bank: ToldBank, *, forgets: bool) -> Any:
    connection_id = await link(services, viewer)
    await sync(services, viewer)
    await remove_connection(services, viewer, connection_id, forgets=forgets)
    return connection_id


async def test_tokens_go_at_once_and_the_bank_is_told(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1)])])
    banked = with_banks(services, bank)

    connection_id = await removed(banked, robin, bank, forgets=False)
    found = await connection_of(banked, robin, connection_id)
    assert await run_jobs(banked, robin, REVOKE) == 1

    assert (found["status"], found["access_token_encrypted"], found["refresh_token_encrypted"]) == ("disconnected", None, None)
    assert (found["next_sync_at"], found["sync_cursor"], found["error_code"]) == (None, None, None)
    [told] = bank.revoked
    assert (told.item_id, told.credentials.access_token, told.credentials.refresh_token) == (f"{bank.key}-1", "access-1", "refresh")
    assert await revocations(banked, robin) == []
    assert [each["status"] for each in await accounts_of(banked, robin)] == ["closed"]
    assert set(await ids_of(banked, robin)) == {"t-1"}


async def test_removing_again_changes_nothing_but_may_still_forget(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1)])])
    banked = with_banks(services, bank)
    connection_id = await removed(banked, robin, bank, forgets=False)

    await remove_connection(banked, robin, connection_id, forgets=False)
    assert await run_jobs(banked, robin, REVOKE) == 1
    assert await run_jobs(banked, robin, FORGET) == 0
    await remove_connection(banked, robin, connection_id, forgets=True)
    assert await run_jobs(banked, robin, FORGET) == 1

    assert len(bank.revoked) == 1
    assert await ids_of(banked, robin) == {}


async def test_somebody_elses_connection_is_not_found_and_stays(services: Services, make_user: MakeUser) -> None:
    robin, sam, bank = await make_user(), await make_user(), ToldBank()
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    for asked in (connection_id, uuid4()):
        with pytest.raises(BankConnectionNotFound):
            await remove_connection(banked, sam, asked, forgets=True)

    assert (await connection_of(banked, robin, connection_id))["status"] == "active"


async def test_a_bank_that_cannot_be_told_is_told_again_until_it_is(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(refuses=None)
    banked = with_banks(services, bank)
    await removed(banked, robin, bank, forgets=False)
    bank.refuses = ProviderUnavailable()

    assert await run_jobs(banked, robin, REVOKE) == 1
    kept = await revocations(banked, robin)
    bank.refuses = None
    await hurry(banked, robin, REVOKE)
    assert await run_jobs(banked, robin, REVOKE) == 1

    assert len(kept) == 1
    assert b"access-1" not in kept[0]["access_token_encrypted"]
    assert len(bank.revoked) == 1
    assert await revocations(banked, robin) == []


async def test_a_bank_that_is_never_to_be_reached_is_given_up_after_a_day(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    clock = FixedClock(services.clock.now())
    banked = replace(with_banks(services, bank), clock=clock)
    await removed(banked, robin, bank, forgets=False)
    bank.refuses = ProviderUnavailable()

    await run_jobs(banked, robin, REVOKE)
    clock.at += timedelta(days=1)
    await hurry(banked, robin, REVOKE)
    await run_jobs(banked, robin, REVOKE)

    assert (bank.revoked, await revocations(banked, robin)) == ([], [])
    async with banked.db.system("bank") as system:
        table = jobs_table("bank")
        mine = table.select().where(table.c.topic.in_([REVOKE, "audit.record"]), table.c.user_id == robin.user_id)
        rows = (await system.execute(mine.order_by(table.c.created_at))).mappings().all()
    assert [row["state"] for row in rows if row["topic"] == REVOKE] == ["done"]
    assert [row["payload"]["action"] for row in rows if row["topic"] == "audit.record"][-2:] == ["BANK_REMOVED", "BANK_ACCESS_NOT_REVOKED"]
    assert all("access-1" not in str(row["payload"]) for row in rows)


async def test_tokens_of_a_job_that_died_do_not_outlive_their_day(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    await removed(banked, robin, bank, forgets=False)
    async with banked.db.system("bank") as system:
        await links.purge_revocations(system)
    young = len(await revocations(banked, robin))

    old = replace(banked, clock=FixedClock(services.clock.now() - timedelta(days=1, hours=2)))
    sam = await make_user()
    await removed(old, sam, bank, forgets=False)
    async with banked.db.system("bank") as system:
        assert await links.purge_revocations(system) >= 1

    assert young == 1
    assert await revocations(banked, sam) == []


async def test_transactions_go_with_all_that_is_known_of_them_and_sums_and_budgets_follow(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    robin = await make_user()
    bank = ToldBank(accounts=[account(transactions=[movement(n, "10.00", category_detailed=GROCERIES) for n in range(7)])])
    other = ToldBank(
        name="tink",
        institution_id="ins_2",
        accounts=[account("Other", mask="9999", transactions=[movement(90, "3.00", category_detailed=GROCERIES)])],
    )
    banked = with_banks(services, bank, other)
    command = CreateBudget("Food", "FOOD_AND_DRINK", Decimal(300), "USD", "monthly", TODAY.replace(day=1))
    budget_id = await create_budget(banked, robin, command, "key")
    await link(banked, robin, provider="tink")
    monkeypatch.setattr(flow, "forget_some", few(flow.forget_some))

    await removed(banked, robin, bank, forgets=True)
    assert await run_jobs(banked, robin, FORGET) == 1

    assert set(await ids_of(banked, robin)) == {"t-90"}
    async with banked.db.write("transaction", robin) as session:
        keys = (await session.execute(transaction_keys.select())).mappings().all()
        sums = (await session.execute(monthly_category_summary.select())).mappings().all()
        rest = [(await session.execute(table.select())).all() for table in (deleted_transactions, transaction_reviews)]
    assert [each["provider_transaction_id"] for each in keys] == ["t-90"]
    assert {(each["total_amount"], each["transaction_count"]) for each in sums} == {(Decimal("3.0000"), 1)}
    assert rest == [[], []]
    assert await spent(banked, robin, budget_id) == "3.0000"


def few(real: Any) -> Any:
    async def some(*args: Any) -> Any:
        return await real(*args, at_once=3)

    return some


async def test_what_was_deleted_of_a_removed_account_does_not_stay_in_the_bin(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1), movement(2)])])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await sync(banked, robin)
    ids = await ids_of(banked, robin)
    async with banked.db.write("transaction", robin) as session:
        await delete_transaction(session, ids["t-1"], services.clock.now())

    await remove_connection(banked, robin, connection_id, forgets=True)
    await run_jobs(banked, robin, FORGET)

    async with banked.db.write("transaction", robin) as session:
        assert (await session.execute(deleted_transactions.select())).all() == []
        assert (await session.execute(transaction_keys.select())).all() == []


async def test_a_bank_that_is_linked_again_before_its_transactions_go_keeps_them(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(item_id=str(uuid4()), accounts=[account(transactions=[movement(1)])])
    banked = with_banks(services, bank)
    connection_id = await removed(banked, robin, bank, forgets=True)

    assert await link(banked, robin) == connection_id
    await run_jobs(banked, robin, FORGET)

    assert set(await ids_of(banked, robin)) == {"t-1"}
    await sync(banked, robin)
    assert bank.fetched == [None, None]
    assert [each["status"] for each in await accounts_of(banked, robin)] == ["active"]


async def test_a_bank_that_is_linked_anew_tells_all_again_whatever_was_killed_before_it_was_removed(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    robin, bank = await make_user(), ToldBank(item_id=str(uuid4()), accounts=[account(transactions=[movement(1)])])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    with monkeypatch.context() as patch:
        patch.setattr(syncing, "refold_held", dies)
        await sync(banked, robin, at_most=1)
    bank.failure = ProviderUnavailable()
    await hurry(banked, robin, "bank.sync")
    await sync(banked, robin)
    bank.failure = None

    await remove_connection(banked, robin, connection_id, forgets=True)
    await run_jobs(banked, robin, FORGET)
    assert await link(banked, robin) == connection_id
    await sync(banked, robin)

    assert bank.fetched == [None, "1", None]
    assert set(await ids_of(banked, robin)) == {"t-1"}


async def dies(*_: Any) -> None:
    raise TryAgain("NOT_NOW", "Budgets cannot be computed at the moment.")


async def test_statements_of_a_bank_that_was_removed_are_in_use_again_when_more_of_them_come(
    services: Services, make_user: MakeUser
) -> None:
    robin = await make_user()
    await import_file(services, robin, STATEMENT, "august.csv", FileOptions())
    [before] = await accounts_of(services, robin)
    await remove_connection(services, robin, before["connection_id"], forgets=True)
    await run_jobs(services, robin, FORGET)
    gone = await ids_of(services, robin)

    outcome = await import_file(services, robin, STATEMENT, "august.csv", FileOptions())

    [after] = await accounts_of(services, robin)
    assert (gone, outcome["added"]) == ({}, 4)
    assert (after["id"], before["status"], after["status"]) == (before["id"], "active", "active")
    assert (await connection_of(services, robin, before["connection_id"]))["status"] == "active"
