"""Postgres is restarted in the middle of a fetch: the ledger ends as the bank has it, and the history tells the truth."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from app.settings import Settings
from app.wiring import open_services
from db.base import DOMAINS
from db.engines import Viewer
from db.user import queries as users
from domains.flows.services import Services
from tests.conftest import QUICK_PASSWORDS
from tests.e2e import linked, rows
from tests.e2e.linked import Plaid
from tests.e2e.processes import Machine
from tests.e2e.statements import today
from tests.e2e.test_faults_restarts import OwnPostgres
from tests.e2e.test_killed_syncs import DONE_WITHIN_S, until_nothing_is_left
from tests.servers.everywhere import Everywhere
from tests.workers.conftest import OwnRedis


@pytest.fixture
def database() -> Iterator[OwnPostgres]:
    with tempfile.TemporaryDirectory(prefix="florin-restarts-", dir="/tmp") as folder:
        server = OwnPostgres(Path(folder))
        yield server
        server.stop()


@pytest.fixture
async def services(settings_of_one: Settings, database: OwnPostgres, redis_server: OwnRedis) -> AsyncIterator[Services]:
    logins = {"database_dsn": database.dsns.app, "database_system_dsn": database.dsns.system, "redis_dsn": redis_server.dsn}
    settings = settings_of_one.model_copy(update={name: SecretStr(dsn) for name, dsn in logins.items()})
    async with open_services(settings, passwords=QUICK_PASSWORDS) as opened:
        yield opened


@pytest.fixture
async def plaid() -> AsyncIterator[Plaid]:
    async with linked.plaid(today()) as simulated:
        yield simulated


@pytest.fixture
def machine(environment: dict[str, str], database: OwnPostgres, redis_server: OwnRedis, plaid: Plaid, tmp_path: Path) -> Iterator[Machine]:
    """Where processes know of this server, which holds every domain, and of the simulated bank."""
    dsns = {"FLORIN_DATABASE_DSN": database.dsns.app, "FLORIN_DATABASE_SYSTEM_DSN": database.dsns.system}
    dsns["FLORIN_REDIS_DSN"] = redis_server.dsn
    rest = {name: value for name, value in environment.items() if not name.endswith("_DSN")}
    machine = Machine(rest | dsns | plaid.variables | {"FLORIN_POOLER": "none"}, tmp_path)
    yield machine
    machine.end_all()


async def somebody(services: Services) -> Viewer:
    user_id = uuid4()
    async with services.db.system("user") as session:
        await users.add_user(session, {"id": user_id, "email": f"{user_id}@example.com", "email_normalized": f"{user_id}@example.com"})
    return Viewer(user_id)


def buy_pages(plaid: Plaid) -> None:
    for _ in range(2 * linked.PAGE_SIZE):
        plaid.bank.buy()


async def test_postgres_restarted_amid_a_fetch(services: Services, database: OwnPostgres, plaid: Plaid, machine: Machine) -> None:
    """As one stops it, and as it crashes; the bank goes on meanwhile."""
    robin = await plaid.link(services, await somebody(services))
    worker = machine.start_worker()

    for how in (signal.SIGINT, signal.SIGQUIT):
        buy_pages(plaid)
        plaid.gate.shut(after=1)
        await linked.ask_for_fetch(services, robin)
        await asyncio.wait_for(plaid.gate.reached.wait(), DONE_WITHIN_S)
        await asyncio.to_thread(database.stop, how)
        buy_pages(plaid)
        plaid.gate.open()
        await asyncio.sleep(0.5)
        await asyncio.to_thread(database.start)
        superuser = await Everywhere.open(dict.fromkeys(DOMAINS, database.superuser_dsn))
        await rows.set_leases(superuser, "-1 second")  # what nobody could write down, is begun again
        await until_nothing_is_left(superuser, [robin.viewer], is_hurried=True)

        assert await linked.ledger(superuser, robin) == plaid.truth()
        assert {line[1:3] for line in await linked.lines(superuser, robin)} == {("success", "done")}
        await superuser.close()

    assert worker.lives()
    assert worker.terminate() == 0
