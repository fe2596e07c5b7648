"""Postgres and Redis are restarted, emptied and away while people change things: errors for what was in flight, and nothing else."""

import asyncio
import json
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import structlog
import websockets
from redis import Redis

from app import machine, postgres
from app.embedded import Embedded
from db.engines import Dsns
from tests.e2e.conftest import MakePerson
from tests.e2e.people import BUDGET_CREATE, EVENT_WITHIN_S, PASSWORD, SIGN_IN, Person, Refused
from tests.e2e.processes import Machine, Running
from tests.servers.suite import migrate
from tests.workers.conftest import OwnRedis

log = structlog.get_logger(__name__)

BACK_WITHIN_S = 10.0
WRITERS = 3
PAUSE_S = 0.1
#: How a request may fail that was on its way.
PASSING = {"UNAVAILABLE", "TIMED_OUT"}


class OwnPostgres:
    """A server that a test may do anything to, on the data of an embedded one that has ended."""

    def __init__(self, folder: Path) -> None:
        made = Embedded.start(folder)
        migrate(made.dsns)
        made.stop()
        self._data = folder / "postgres"
        self._account = machine.server_account(self._data)
        self._sockets = machine.socket_folder(folder / "run", self._account)
        self._process: subprocess.Popen[bytes] | None = None
        was = str(made._running.sockets)
        self.dsns = Dsns(**{role: getattr(made.dsns, role).replace(was, str(self._sockets)) for role in ("app", "system", "owner")})
        self.superuser_dsn = made.superuser_dsn.replace(was, str(self._sockets))
        self.start()

    def start(self) -> None:
        account = self._account
        self._process = subprocess.Popen(
            postgres.command(self._data, self._sockets),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            env=postgres.ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while not postgres.is_ready(self._data):
            assert time.monotonic() < deadline, "Postgres did not start"
            time.sleep(0.01)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: fast. SIGQUIT: immediate, as after a crash."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(60)


@pytest.fixture(scope="module")
def database() -> Iterator[OwnPostgres]:
    with tempfile.TemporaryDirectory(prefix="florin-restarts-", dir="/tmp") as folder:
        server = OwnPostgres(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="module")
def variables(environment: dict[str, str], redis_server: OwnRedis, database: OwnPostgres) -> dict[str, str]:
    """The server holds every domain, however the suite runs."""
    dsns = {"FLORIN_DATABASE_DSN": database.dsns.app, "FLORIN_DATABASE_SYSTEM_DSN": database.dsns.system}
    return (
        {name: value for name, value in environment.items() if not name.endswith("_DSN")}
        | dsns
        | {"FLORIN_REDIS_DSN": redis_server.dsn, "FLORIN_POOLER": "none", "FLORIN_KEYRING": environment["FLORIN_KEYRING"]}
    )


@pytest.fixture(scope="module")
def worker(machine: Machine, api: Running) -> Running:
    return machine.start_worker()


@dataclass
class Load:
    """What writers have done. acknowledged: budgets by key. answered_at: when one was last acknowledged. errors: by code."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    answered_at: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)

    async def write(self, person: Person, stop: asyncio.Event) -> None:
        """Make budgets, each asked for with its key until it is acknowledged."""
        category = await person.category("Food and drink")
        while not stop.is_set():
            key = str(uuid4())
            while key not in self.acknowledged:
                try:
                    asked = {"idempotencyKey": key, "name": key, "category": category, "amount": "10.00"}
                    payload = (await person.ask(BUDGET_CREATE, input=asked))["budgetCreate"]
                except Refused as refused:
                    for code in refused.codes:
                        self.errors[code] = self.errors.get(code, 0) + 1
                    await asyncio.sleep(PAUSE_S)
                else:
                    assert payload["errors"] == []
                    self.acknowledged[key] = payload["budget"]["id"]
                    self.answered_at = time.monotonic()
            await asyncio.sleep(PAUSE_S)

    async def until_answered_after(self, instant: float) -> float:
        """The seconds it took."""
        while self.answered_at <= instant:
            assert time.monotonic() < instant + BACK_WITHIN_S, f"not back within {BACK_WITHIN_S} s: {self.errors}"
            await asyncio.sleep(0.01)
        return self.answered_at - instant


@asynccontextmanager
async def following(person: Person) -> AsyncIterator[list[str]]:
    """The ids of budgets that are told of on one socket and in one subscription, which goes on after an event that could not be read."""
    told: list[str] = []

    async def read(socket: websockets.ClientConnection) -> None:
        async for frame in socket:
            message = json.loads(frame)
            assert message["type"] in ("next", "ping"), message
            if message["type"] == "next" and "errors" not in message["payload"]:
                told.append(message["payload"]["data"]["budgetUpdated"]["budget"]["id"])

    url = person.url.replace("http", "ws", 1) + "/graphql"
    async with websockets.connect(url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {person.token}"}}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        query = {"query": "subscription { budgetUpdated { budget { id } } }"}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": query}))
        reading = asyncio.create_task(read(socket))
        try:
            yield told
        finally:
            reading.cancel()
            await asyncio.wait({reading})
        assert reading.cancelled(), reading


async def test_postgres_restarted_under_load(
    machine: Machine, api: Running, worker: Running, database: OwnPostgres, make_person: MakePerson
) -> None:
    robin = await make_person(api)
    load, stop = Load(), asyncio.Event()
    backs: list[float] = []

    async with following(robin) as told:
        writers = [asyncio.create_task(load.write(robin, stop)) for _ in range(WRITERS)]
        await load.until_answered_after(time.monotonic())
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGINT):
            await asyncio.to_thread(database.stop, how)
            assert await status_of(robin, "{ me { budgets { id } } }") == httpx.codes.SERVICE_UNAVAILABLE
            await asyncio.to_thread(database.start)
            back_s = await load.until_answered_after(time.monotonic())
            assert back_s < BACK_WITHIN_S
            backs.append(round(back_s, 2))
            await asyncio.sleep(0.3)
        stop.set()
        await asyncio.gather(*writers)
        last = await robin.create_budget("Last", "Food and drink", "10.00")
        async with asyncio.timeout(EVENT_WITHIN_S):
            while last["budget"]["id"] not in told:
                await asyncio.sleep(0.01)

    budgets = {each["name"]: each["id"] for each in await robin.budgets()}
    assert len(await robin.budgets()) == len(budgets) == len(load.acknowledged) + 1, "none doubled"
    assert load.acknowledged.items() <= budgets.items(), "none lost"
    assert load.errors, "no restart was noticed: nothing was shown"
    assert set(load.errors) <= PASSING, load.errors
    assert api.lives()
    assert worker.lives()
    log.info("restarts.survived", acknowledged=len(load.acknowledged), errors=load.errors, back_s=backs)


async def status_of(person: Person, document: str = "{ me { id } }", **variables: object) -> int:
    answer = await person.http.post(f"{person.url}/graphql", json={"query": document, "variables": variables}, headers=person._headers())
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    return answer.status_code


async def signed_in_again(person: Person) -> None:
    person.token = None  # one that is not valid any more is refused, whatever is asked with it
    await person.sign_in()


async def test_redis_flushed_restarted_and_away(
    machine: Machine, api: Running, worker: Running, redis_server: OwnRedis, make_person: MakePerson
) -> None:
    robin = await make_person(api)
    credentials = {"email": robin.email, "password": PASSWORD}

    redis_server.stop()
    away_until = time.monotonic() + 5
    statuses, let_in = set(), set()
    while time.monotonic() < away_until:
        statuses.add(await status_of(robin))
        stranger = Person(api.url, robin.email, robin.http)
        let_in.add(await status_of(stranger, SIGN_IN, input=credentials))
        await asyncio.sleep(0.1)
    redis_server.start()
    assert (statuses, let_in) == ({503}, {503}), "neither signed out nor let in"

    began = time.monotonic()
    while (status := await status_of(robin)) == httpx.codes.SERVICE_UNAVAILABLE:
        assert time.monotonic() < began + BACK_WITHIN_S
        await asyncio.sleep(0.05)
    assert status == httpx.codes.UNAUTHORIZED, "the sessions went with that Redis"
    await signed_in_again(robin)
    assert await status_of(robin) == httpx.codes.OK

    with Redis(unix_socket_path=str(redis_server.socket)) as client:
        client.flushall()
    assert await status_of(robin) == httpx.codes.UNAUTHORIZED
    await signed_in_again(robin)
    async with robin.listening() as socket:
        made = await robin.create_budget("After", "Food and drink", "10.00")
        assert (await socket.next())["id"] == made["budget"]["id"]
    assert worker.lives()
