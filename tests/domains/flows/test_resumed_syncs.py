"""A fetch that dies between the ledger's commit and the connection's goes on from where the ledger is."""

from typing import Any
from uuid import UUID

import pytest

from db import jobs
from db.base import jobs_table
from db.engines import Viewer
from db.jobs import Claim
from domains.bank.providers.errors import ProviderUnavailable
from domains.bank.service import sync_connections as service
from domains.bank.service.sync_connections import request_sync
from domains.flows import sync_connection as flow
from domains.flows.services import Services
from tests.banks import ToldBank, account, connection_of, history, link, movement, next_job, run_jobs, sync, with_banks
from tests.conftest import MakeUser
from tests.domains.flows.sync import ids_of
from workers.task import Job


class Died(BaseException):
    """As a kill ends a process: no handler of ours sees it."""


async def _dies_before_it_finishes(services: Services, viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> Claim:
    """A run that is killed with its rows in the ledger; its job is held by nobody any more."""
    ref = await next_job(services, viewer, service.SYNC)
    assert ref is not None
    claim = await jobs.claim(services.db, "bank", ref.id, lease_s=60)
    assert claim is not None

    async def die(*_args: Any) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(service, "finish_sync", die)
        with pytest.raises(Died):
            await flow.run_sync(services, Job(services, claim, viewer), **_arguments(claim))
    table = jobs_table("bank")
    async with services.db.system("bank") as session:
        await session.execute(table.update().where(table.c.id == claim.id).values(state="queued", leased_until=None))
    return claim


def _arguments(claim: Claim) -> dict[str, Any]:
    return {"connection_id": UUID(claim.payload["connection_id"]), "sync_type": claim.payload["sync_type"]}


async def test_the_next_run_asks_from_where_the_ledger_is(services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1), movement(2)])])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await _dies_before_it_finishes(banked, robin, monkeypatch)
    bank.accounts = [account(removed=["t-1"])]

    await sync(banked, robin)

    assert bank.fetched == [None, "1"]
    assert set(await ids_of(banked, robin)) == {"t-2"}
    assert (await connection_of(banked, robin, connection_id))["sync_cursor"] == "2"
    assert [line[4:7] for line in await history(banked, robin)] == [(2, 0, 1)]


async def test_another_job_asks_from_there_too_after_the_first_has_failed(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1), movement(2)])])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)
    await _dies_before_it_finishes(banked, robin, monkeypatch)
    bank.accounts, bank.failure = [account(removed=["t-1"])], ProviderUnavailable("INSTITUTION_DOWN")
    await sync(banked, robin)
    bank.failure = None
    async with banked.db.write("bank", robin) as session:
        await request_sync(session, connection_id, "manual")

    await sync(banked, robin)

    assert bank.fetched == [None, "1", "1"]
    assert set(await ids_of(banked, robin)) == {"t-2"}
    assert [(line[1], *line[4:7]) for line in await history(banked, robin)] == [("failed", 2, 0, 0), ("success", 0, 0, 1)]


async def test_a_dead_jobs_line_says_what_it_has_taken_in(services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1), movement(2)])])
    banked = with_banks(services, bank)
    await link(banked, robin)
    claim = await _dies_before_it_finishes(banked, robin, monkeypatch)
    table = jobs_table("bank")
    async with banked.db.system("bank") as session:
        await session.execute(table.update().where(table.c.id == claim.id).values(state="dead"))
        await service.request_closing_of_syncs(session)

    await run_jobs(banked, robin, service.CLOSE_SYNC)

    assert [(line[1], *line[4:7], line[-1]) for line in await history(banked, robin)] == [("failed", 2, 0, 0, service.GIVEN_UP)]
