"""A person whose bank is simulated on a socket, and whose fetches run in processes that are killed, held up and cut off."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from pydantic import SecretStr
from redis import Redis

from app.settings import Settings
from app.simulators import chance
from app.simulators.bank import SimBank
from app.simulators.faults import Faults
from app.simulators.server import serve
from app.wiring import open_services
from db.engines import Viewer
from domains.bank.service.sync_connections import request_sync
from domains.budget.service.change_budgets import CreateBudget
from domains.core.clock import FixedClock
from domains.flows.change_budgets import create_budget
from domains.flows.link_bank import NewLink, complete_link, create_link
from domains.transaction.errors import TransactionNotFound
from tests.conftest import QUICK_PASSWORDS
from tests.e2e import rows
from tests.e2e.die_at import Fault
from tests.e2e.forks import Fork, Forks
from tests.e2e.simulated import Simulate, Watch
from tests.e2e.statements import today
from tests.machine.world import REDIRECT, Bank, Grief, World
from tests.servers.everywhere import Everywhere
from tests.workers.conftest import OwnRedis

#: What the servers know our processes by.
NAME: Final = "florin-mortal"
DONE_WITHIN_S: Final = 120.0
POLL_S: Final = 0.1
KILLED: Final = -signal.SIGKILL

_FETCHES = "select count(*) from bank_schema.jobs where user_id = $1 and topic = 'bank.sync' and state in ('queued', 'running')"
_ROWS = "select count(*) from transaction_schema.transactions where user_id = $1"
_COUNTED = "select coalesce(sum(transactions_added) - sum(transactions_removed), 0) from bank_schema.sync_history where user_id = $1"
_LEDGER_VERSION = "select version from transaction_schema.ledgers where user_id = $1"
_FOLDED_VERSIONS = "select folded_ledger_version from budget_schema.budgets where user_id = $1"
_CROOKED_LINES = "select count(*) from bank_schema.sync_history where user_id = $1 and (completed_at < started_at or duration_ms < 0)"


@dataclass(kw_only=True)
class Mortal(World):
    """The same person as in one process, where others do the work: `workers` that live, the last started last."""

    forks: Forks
    watch: Watch
    superuser: Everywhere
    redis_server: OwnRedis
    workers: list[Fork] = field(default_factory=list)
    #: What those that are gone said on their way.
    said: list[str] = field(default_factory=list)
    deaths: int = 0

    # What happens

    def happen(self, pick: random.Random, times: int) -> None:
        """So many events of today: the clock of processes is nobody's to set."""
        if self.bank.today < today():
            self.bank.advance((today() - self.bank.today).days)
        for _ in range(times):
            chance.happen(self.bank, pick, without=("advance",))

    async def edit(self, pick: int) -> None:
        """What a fetch takes away at this very moment, cannot be edited."""
        with suppress(TransactionNotFound):
            await super().edit(pick)

    async def ask(self) -> None:
        async with self.services.db.write("bank", self.viewer) as session:
            await request_sync(session, self.connection_id, "manual")

    # Who does it

    def hire(self, fault: Fault | None = None) -> None:
        self.workers.append(self.forks.start("worker", fault=fault))

    def start(self) -> None:
        """Somebody works, if nobody does."""
        if not self.workers:
            self.hire()

    async def bury(self) -> None:
        """Take note of who has died; what they held is to be had."""
        dead = [each for each in self.workers if not each.lives()]
        for each in dead:
            self.workers.remove(each)
            ended = await each.ended()
            self.said.append(ended.err)
            self.deaths += ended.code == KILLED
            assert ended.code in (0, KILLED), f"it ended by itself: {ended}"
        if dead:
            await rows.set_leases(self.superuser, "-1 second")
            if not self.workers:  # what the living have taken is theirs
                self._drop("arq:in-progress:*")

    async def kill(self, worker: Fork) -> None:
        worker.process.kill()
        while worker.lives():
            await asyncio.sleep(0.005)

    async def dismiss(self, *, is_kind: bool) -> None:
        """Nobody works any more: asked to end, or killed."""
        for worker in self.workers:
            if is_kind:
                worker.process.terminate()
            else:
                worker.process.kill()
        for worker in self.workers:
            assert (await worker.ended()).code == (0 if is_kind else KILLED), worker.said()
        await self.bury()

    async def cut(self) -> None:
        """The database's side of all connections of our processes is gone, as when it is restarted."""
        await self.superuser.fetch("select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1", NAME)

    async def empty_redis(self) -> None:
        with Redis(unix_socket_path=str(self.redis_server.socket)) as redis:
            redis.flushall()

    # How it ends

    async def is_quiet(self) -> bool:
        await rows.make_due(self.superuser, self.viewer.user_id)  # the waits between attempts are tested elsewhere
        return not await rows.live_jobs(self.superuser, self.viewer.user_id)

    async def is_fetched(self) -> bool:
        """Whether nothing is to be fetched any more; what follows from it may go on."""
        await rows.make_due(self.superuser, self.viewer.user_id)
        return not await self.superuser.fetchval(_FETCHES, self.viewer.user_id)

    async def until_struck(self) -> None:
        """Until it has come to what was to come, or somebody is dead, or nothing is left to do."""
        async with asyncio.timeout(DONE_WITHIN_S):
            while not self.watch.has_struck and all(each.lives() for each in self.workers) and not await self.is_fetched():
                await asyncio.sleep(POLL_S)
        if self.watch.failure is not None:
            raise self.watch.failure

    async def until_quiet(self, within_s: float = DONE_WITHIN_S) -> None:
        """Whoever has died has a successor; until nothing is left to do. Errors: TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                await self.bury()
                self.start()
                if await self.is_quiet():
                    return
                await asyncio.sleep(POLL_S)

    async def settle(self) -> None:
        """Nothing goes wrong any more, and all is fetched."""
        self.watch.forget()
        self.far.faults.clear()
        self._drop("circuit:*")
        await self.ask()
        await self.until_quiet()
        status, detail = await self._connection()
        if status == "requires_update":
            await self.agree_again()
            await self.until_quiet()
            status, detail = await self._connection()
        assert status == "active", detail

    async def check(self) -> None:
        """As in one process; and the history has counted every row once, figures are of the ledger as it is, and no job died."""
        await super().check()
        owner = self.viewer.user_id
        assert await self.superuser.fetchval(_COUNTED, owner) == await self.superuser.fetchval(_ROWS, owner)
        assert await self.superuser.fetchval(_CROOKED_LINES, owner) == 0
        version = await self.superuser.fetchval(_LEDGER_VERSION, owner)
        assert [row[0] for row in await self.superuser.fetch(_FOLDED_VERSIONS, owner)] == [version]
        for schema in rows.SCHEMAS:
            dead = f"select topic, last_error from {schema}.jobs where user_id = $1 and state = 'dead'"
            assert await self.superuser.fetch(dead, owner) == []

    def _drop(self, pattern: str) -> None:
        """What Redis keeps for a while, as if that had gone by."""
        with Redis(unix_socket_path=str(self.redis_server.socket)) as redis:
            for key in redis.scan_iter(pattern):
                redis.delete(key)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where lives take place. variables: of all processes."""

    settings: Settings
    variables: Mapping[str, str]
    superuser: Everywhere
    redis_server: OwnRedis
    folder: Path


@asynccontextmanager
async def life(place: Place, simulate: Simulate, seed: int, viewer: Viewer) -> AsyncIterator[Mortal]:
    """Somebody with a budget who has linked the bank of this seed; a first fetch waits. No process is left afterwards."""
    currency = viewer.currency
    bank, faults = SimBank(seed, today=today(), currency=currency), Faults(seed, retry_after="0", stall_s=0.3)
    simulated = simulate(seed, bank, faults)
    watch = Watch(simulated.app)
    folder = place.folder / str(uuid4())
    folder.mkdir()
    async with serve(watch) as url:
        told = simulated.settings(url, folder)
        opened = {"redis_dsn": SecretStr(place.redis_server.dsn), "bank_redirect_urls": (REDIRECT,)}
        forks = Forks({**place.variables, **_as_variables(told)}, folder)
        try:
            async with open_services(place.settings.model_copy(update=dict(told) | opened), passwords=QUICK_PASSWORDS) as services:
                command = CreateBudget("Food", "FOOD_AND_DRINK", Decimal(200), currency, "monthly", today().replace(day=1))
                await create_budget(services, viewer, command, str(uuid4()))
                begun = await create_link(services, viewer, NewLink(simulated.provider, redirect_url=REDIRECT), str(uuid4()))
                connection_id = await complete_link(services, viewer, begun.id, simulated.answer(begun), str(uuid4()))
                far = Bank(services.banks[simulated.provider], bank, faults, simulated.answer, simulated.upset)
                yield Mortal(
                    services,
                    viewer,
                    FixedClock(datetime.now(UTC)),
                    far,
                    Grief(),
                    connection_id,
                    forks=forks,
                    watch=watch,
                    superuser=place.superuser,
                    redis_server=place.redis_server,
                )
        finally:
            forks.end_all()


def _as_variables(told: Mapping[str, Any]) -> dict[str, str]:
    plain = {name: value.get_secret_value() if isinstance(value, SecretStr) else str(value) for name, value in told.items()}
    return {f"FLORIN_{name.upper()}": value for name, value in plain.items()}


def named(variables: Mapping[str, str]) -> dict[str, str]:
    """The same log-ins under a name that the database shows."""
    mark = {name: f"{value}{'&' if '?' in value else '?'}application_name={NAME}" for name, value in variables.items() if _is_login(name)}
    return dict(variables) | mark


def _is_login(name: str) -> bool:
    return name.startswith("FLORIN_") and name.endswith("DSN") and "REDIS" not in name
