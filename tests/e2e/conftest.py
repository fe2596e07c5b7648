"""Real processes on the suite's Postgres, with a Redis of their own: a test may flush it."""

import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.e2e.forks import Forks
from tests.e2e.people import TIMEOUT_S, Person
from tests.e2e.processes import Machine, Running
from tests.servers.everywhere import Everywhere
from tests.servers.suite import Servers
from tests.workers.conftest import OwnRedis

MakePerson = Callable[[Running], Awaitable[Person]]


@pytest.fixture(scope="package")
def redis_server() -> Iterator[OwnRedis]:
    with tempfile.TemporaryDirectory(prefix="florin-redis-", dir="/tmp") as folder:
        server = OwnRedis(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="package")
def variables(environment: dict[str, str], redis_server: OwnRedis) -> dict[str, str]:
    """FLORIN_* of every process here."""
    return environment | {"FLORIN_REDIS_DSN": redis_server.dsn}


@pytest.fixture(autouse=True)
def no_child_outlives_its_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test that failed leaves would take the jobs of the next one."""
    forks: Forks | None = request.getfixturevalue("forks") if "forks" in request.fixturenames else None
    yield
    if forks is not None:
        forks.end_all()


@pytest.fixture(scope="module")
def machine(variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Where one module's processes run; none of them outlives it."""
    machine = Machine(variables, tmp_path_factory.mktemp("processes"))
    yield machine
    machine.end_all()


@pytest.fixture(scope="module")
async def api(machine: Machine) -> Running:
    return await machine.start_api()


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        yield client


@pytest.fixture(scope="session")
def make_person(http: httpx.AsyncClient) -> MakePerson:
    """Somebody new, signed up and signed in at an API process."""

    async def make(api: Running) -> Person:
        person = await Person(api.url, f"{uuid4()}@example.com", http).sign_up()
        return await person.sign_in()

    return make


@pytest.fixture(scope="session")
async def superuser(servers: Servers) -> AsyncIterator[Everywhere]:
    """Sees every row of everybody."""
    everywhere = await Everywhere.open(servers.databases)
    yield everywhere
    await everywhere.close()


@pytest.fixture(scope="package")
def forks(variables: dict[str, str], servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLORIN_")}
    superuser = {"E2E_SUPERUSER_DSN": servers.superuser_dsn.replace("+asyncpg", "")}
    forks = Forks(inherited | variables | superuser | {"FLORIN_LOG_FORMAT": "json"}, tmp_path_factory.mktemp("forks"))
    yield forks
    forks.end_all()
