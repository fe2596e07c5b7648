"""Whatever is killed while it fetches from a bank, and wherever: the ledger ends as the bank has it, and the history tells the truth."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from redis import Redis

from app.simulators.bank import SimBank
from db.engines import Db, Viewer
from domains.budget.service.change_budgets import CreateBudget
from domains.flows.change_budgets import create_budget
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.e2e import linked, rows
from tests.e2e.die_at import Fault
from tests.e2e.forks import Fork, Forks
from tests.e2e.linked import Connection, Plaid
from tests.e2e.statements import today
from tests.servers.everywhere import Everywhere
from tests.servers.suite import Servers
from tests.workers.conftest import OwnRedis, end_live_jobs, until

#: The steps of a fetch, in their order.
STEPS = (
    "begin_sync",
    "page_fetched",
    "fetch",
    "place_linked_accounts",
    "apply_batch",
    "record_outcome",
    "refold_held",
    "finish_sync",
    "finish",
    "run_sync",
)
FAULTS = [Fault(step, when) for step in STEPS for when in ("before", "after")]
#: Of the first fetch, of a connection that has no accounts yet: around whatever is committed by then.
OF_THE_FIRST = [
    Fault("page_fetched", "after"),
    *(Fault(step, "before") for step in ("apply_batch", "refold_held", "finish_sync", "finish")),
]
KILLED = -signal.SIGKILL
DONE_WITHIN_S = 40.0


@pytest.fixture(scope="module")
async def plaid() -> AsyncIterator[Plaid]:
    async with linked.plaid(today()) as simulated:
        yield simulated


@pytest.fixture(scope="module")
def forks(variables: dict[str, str], plaid: Plaid, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Processes that know of the simulated bank."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLORIN_")}
    superuser = {"E2E_SUPERUSER_DSN": servers.superuser_dsn.replace("+asyncpg", "")}
    told = inherited | variables | plaid.variables | superuser | {"FLORIN_LOG_FORMAT": "json"}
    forks = Forks(told, tmp_path_factory.mktemp("forks"))
    yield forks
    forks.end_all()


@pytest.fixture(autouse=True)
async def nothing_waits(db: Db) -> None:
    """What other tests left would be the first thing that a worker of ours dies of."""
    await end_live_jobs(db)


@pytest.fixture
async def robin(services: Services, plaid: Plaid, make_user: MakeUser) -> Connection:
    return await somebody(services, plaid, make_user)


async def somebody(services: Services, plaid: Plaid, make_user: MakeUser) -> Connection:
    """A person with a budget for food, who has linked the bank; a first fetch waits."""
    viewer = await make_user()
    command = CreateBudget("Food", "FOOD_AND_DRINK", Decimal(200), "USD", "monthly", today().replace(day=1))
    await create_budget(services, viewer, command, str(uuid4()))
    return await plaid.link(services, viewer)


def live(bank: SimBank) -> None:
    """All that can happen at a bank does; it leaves enough that the same can happen again."""
    posted = [row for id in bank.accounts for row in bank.ledger(id) if row.status == "posted"][-4:]
    bank.amend(posted[0].id, amount=posted[0].amount + 1)
    bank.redate(posted[1].id, posted[1].on - timedelta(days=1))
    bank.reid(posted[2].id)
    bank.remove(posted[3].id)
    for is_linked in (True, False):
        bank.post(_pending(bank), is_linked=is_linked)
    bank.remove(_pending(bank))
    checking, savings, _ = bank.accounts
    bank.transfer(checking, savings, amount=Decimal("41.50"))
    buy_some(bank)


def buy_some(bank: SimBank) -> None:
    for number in range(6):
        bank.buy(is_pending=number < 4)


def _pending(bank: SimBank) -> str:
    return next(row.id for id in bank.accounts for row in bank.ledger(id) if row.status == "pending")


async def let_a_worker_finish(forks: Forks, superuser: Everywhere, viewers: list[Viewer]) -> None:
    """Leases end, and one worker that nobody disturbs works until these users' fetches are done, and what follows from them."""
    await rows.set_leases(superuser, "-1 second")
    worker = forks.start("worker")
    await until_nothing_is_left(superuser, viewers)
    await ended_well(worker)


async def until_nothing_is_left(superuser: Everywhere, viewers: list[Viewer], *, is_hurried: bool = False) -> None:
    """`is_hurried`: what failed is tried again at once; the waits between attempts are tested elsewhere."""

    async def nothing_is_left() -> bool:
        if is_hurried:
            for viewer in viewers:
                await rows.make_due(superuser, viewer.user_id)
        return await linked.waits(superuser, viewers) == 0

    await until(nothing_is_left, within_s=DONE_WITHIN_S)


async def ended_well(worker: Fork) -> None:
    worker.process.terminate()
    assert (await worker.ended()).code == 0


async def killed_at(fault: Fault, forks: Forks, superuser: Everywhere) -> int:
    """A worker's exit code; what it held is not for the next one, which dies of its own fetch."""
    code = (await forks.florin("worker", fault=fault)).code
    await rows.set_leases(superuser, "1 hour")
    return code


async def test_a_worker_killed_at_any_step_and_another_one(
    forks: Forks, services: Services, plaid: Plaid, make_user: MakeUser, superuser: Everywhere
) -> None:
    """Of a fetch that brings all there is: what has posted, was taken back, amended, given another id, and is new."""
    buy_some(plaid.bank)
    undisturbed = await somebody(services, plaid, make_user)
    those = {fault: await somebody(services, plaid, make_user) for fault in FAULTS}
    everybody = [undisturbed, *those.values()]
    viewers = [each.viewer for each in everybody]
    await let_a_worker_finish(forks, superuser, viewers)
    first = await linked.lines(superuser, undisturbed)
    live(plaid.bank)

    codes = {}
    for fault, connection in those.items():
        await linked.ask_for_fetch(services, connection)
        codes[fault] = await killed_at(fault, forks, superuser)
    await linked.ask_for_fetch(services, undisturbed)
    await let_a_worker_finish(forks, superuser, viewers)

    assert {str(fault) for fault in FAULTS if codes[fault] != KILLED} == set()
    assert first == [("manual", "success", "done", *first[0][3:6], None)]
    assert await linked.ledger(superuser, undisturbed) == plaid.truth()
    said, held = await linked.lines(superuser, undisturbed), await linked.holdings(superuser, plaid, undisturbed)
    kind, status, stage, added, updated, removed, code = said[-1]
    assert (kind, status, stage, code) == ("webhook", "success", "done", None)
    assert min(added, updated, removed) > 0
    assert {str(fault) for fault in FAULTS if await linked.lines(superuser, those[fault]) != said} == set()
    assert {str(fault) for fault in FAULTS if await linked.holdings(superuser, plaid, those[fault]) != held} == set()


async def test_a_first_fetch_killed_while_the_bank_goes_on(
    forks: Forks, services: Services, plaid: Plaid, make_user: MakeUser, superuser: Everywhere
) -> None:
    """Between the death and the next attempt all changes: what was applied is what the bank no longer says."""
    buy_some(plaid.bank)
    codes, those = {}, {}
    for fault in OF_THE_FIRST:
        those[fault] = await somebody(services, plaid, make_user)
        codes[fault] = await killed_at(fault, forks, superuser)
        live(plaid.bank)

    await let_a_worker_finish(forks, superuser, [each.viewer for each in those.values()])
    for connection in those.values():  # whoever was done before the bank went on
        await linked.ask_for_fetch(services, connection)
    await let_a_worker_finish(forks, superuser, [each.viewer for each in those.values()])

    assert {str(fault) for fault in OF_THE_FIRST if codes[fault] != KILLED} == set()
    assert {str(fault) for fault in OF_THE_FIRST if await linked.ledger(superuser, those[fault]) != plaid.truth()} == set()
    ended = [[line[:3] for line in await linked.lines(superuser, each)] for each in those.values()]
    assert ended == [[("manual", "success", "done"), ("webhook", "success", "done")]] * len(those)


async def test_redis_emptied_amid_a_fetch_loses_nothing(
    forks: Forks, plaid: Plaid, redis_server: OwnRedis, robin: Connection, superuser: Everywhere
) -> None:
    plaid.gate.shut(after=1)
    worker = forks.start("worker")
    await asyncio.wait_for(plaid.gate.reached.wait(), DONE_WITHIN_S)
    with Redis(unix_socket_path=str(redis_server.socket)) as redis:
        redis.flushall()
    plaid.gate.open()

    await until_nothing_is_left(superuser, [robin.viewer])
    await ended_well(worker)

    assert await linked.ledger(superuser, robin) == plaid.truth()
    assert [line[:3] for line in await linked.lines(superuser, robin)] == [("manual", "success", "done")]


async def test_a_fetch_whose_database_connection_is_cut_tries_again_itself(
    forks: Forks, plaid: Plaid, robin: Connection, superuser: Everywhere
) -> None:
    worker = forks.start("worker", fault=Fault("apply_batch", "after", "cut"))

    await until_nothing_is_left(superuser, [robin.viewer], is_hurried=True)
    await ended_well(worker)

    assert await linked.ledger(superuser, robin) == plaid.truth()
    assert [line[:3] for line in await linked.lines(superuser, robin)] == [("manual", "success", "done")]
    assert await rows.attempts(superuser, robin.viewer.user_id, "bank.sync") == [2]


async def test_two_workers_on_one_connection(
    forks: Forks, services: Services, plaid: Plaid, robin: Connection, superuser: Everywhere
) -> None:
    """One is held up in the middle of its pages for longer than its lease; the other fetches, and the bank goes on. What the first has
    read is then old: nothing of it arrives."""
    buy_some(plaid.bank)
    plaid.gate.shut(after=1)
    slow = forks.start("worker")
    await asyncio.wait_for(plaid.gate.reached.wait(), DONE_WITHIN_S)
    os.kill(slow.process.pid or 0, signal.SIGSTOP)
    plaid.gate.open()
    live(plaid.bank)

    await rows.set_leases(superuser, "-1 second")
    quick = forks.start("worker")
    await until_nothing_is_left(superuser, [robin.viewer])
    after_one = await linked.holdings(superuser, plaid, robin)
    os.kill(slow.process.pid or 0, signal.SIGCONT)
    await asyncio.sleep(1.5)  # it reads on, and finds that it holds nothing any more
    await ended_well(slow)
    await ended_well(quick)

    assert await linked.ledger(superuser, robin) == plaid.truth()
    assert await linked.holdings(superuser, plaid, robin) == after_one
    assert [line[:3] for line in await linked.lines(superuser, robin)] == [("manual", "success", "done")]


async def test_what_is_asked_for_while_two_workers_fetch_comes(
    forks: Forks, services: Services, plaid: Plaid, robin: Connection, superuser: Everywhere
) -> None:
    """The bank changes and says so, over and over: never two at once, and the last word arrives."""
    workers = [forks.start("worker") for _ in range(2)]
    for _ in range(5):
        buy_some(plaid.bank)
        await linked.ask_for_fetch(services, robin)
        await asyncio.sleep(0.15)
    live(plaid.bank)
    await linked.ask_for_fetch(services, robin)

    await until_nothing_is_left(superuser, [robin.viewer])
    for worker in workers:
        await ended_well(worker)

    assert await linked.ledger(superuser, robin) == plaid.truth()
    said = await linked.lines(superuser, robin)
    assert {line[1:3] for line in said} == {("success", "done")}
    assert len(said) <= 7
