"""Whatever is killed while it imports a statement, and wherever, trying again ends in the rows of an import that nobody disturbed."""

import asyncio
import signal
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from redis import Redis

from db.engines import Db, Viewer
from domains.bank.providers.file.options import FileOptions
from domains.budget.service.change_budgets import CreateBudget
from domains.flows.change_budgets import create_budget
from domains.flows.import_statement import request_import
from domains.flows.services import Services
from domains.flows.uploads import store_upload
from tests.conftest import MakeUser
from tests.e2e import rows
from tests.e2e.die_at import Fault
from tests.e2e.forks import Forks
from tests.e2e.statements import first_statement, today
from tests.servers.everywhere import Everywhere
from tests.workers.conftest import OwnRedis, end_live_jobs, until

#: The steps of an import, in their order. Killed `after` one, its transaction is not committed yet, but for the last two.
STEPS = ("begin_import", "place_accounts", "apply_batch", "record_outcome", "refold_held", "complete_import", "finish", "run_import")
FAULTS = [Fault(step, when) for step in STEPS for when in ("before", "after")]
#: How far each gets, in the order of FAULTS: see `stage`.
STAGES = [0, 0, 0, 0, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3, 0, 4]
#: What a command does first: nobody but itself knows of the file yet.
OF_THE_COMMAND = [Fault(step, when) for step in ("store_upload", "request_import") for when in ("before", "after")]
KILLED = -signal.SIGKILL
AT_ONCE = 2


def line_of(_status: str, added: int, _unchanged: int) -> tuple[object, ...]:
    """What the history says of an import that is done, however often it was killed."""
    return ("manual", "success", added, 0, None, True)


LINE = line_of("done", 4, 0)


@pytest.fixture(autouse=True)
async def nothing_waits(db: Db) -> None:
    """What other tests left would be the first thing that a worker of ours dies of."""
    await end_live_jobs(db)


@pytest.fixture(scope="module")
def statement(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("statements") / "november.ofx"
    file.write_bytes(first_statement())
    return file


@pytest.fixture
async def robin(services: Services, make_user: MakeUser) -> Viewer:
    return await somebody(services, make_user)


@pytest.fixture(scope="module")
async def undisturbed(
    services: Services, make_user: MakeUser, forks: Forks, statement: Path, superuser: Everywhere
) -> dict[str, list[str]]:
    """What an import that nobody disturbs ends in."""
    viewer = await somebody(services, make_user)
    assert (await forks.florin("import", str(statement), "--email", email(viewer))).out == "added 4, updated 0, unchanged 0\n"
    found = await rows.holdings(superuser, viewer.user_id)
    assert len(found["transaction_schema.transactions"]) == 4
    assert len(found["transaction_schema.monthly_category_summary"]) == 3
    assert '"amount_spent":104.5' in found["budget_schema.budget_utilization"][0]
    assert await rows.syncs(superuser, viewer.user_id) == [LINE]
    return found


async def somebody(services: Services, make_user: MakeUser) -> Viewer:
    """A person with a budget for food."""
    viewer = await make_user()
    command = CreateBudget("Food", "FOOD_AND_DRINK", Decimal(200), "USD", "monthly", today().replace(day=1))
    await create_budget(services, viewer, command, str(uuid4()))
    return viewer


def email(viewer: Viewer) -> str:
    return f"{viewer.user_id}@example.com"


async def stage(superuser: Everywhere, viewer: Viewer) -> int:
    """How far an import came: 0 nothing that lasts, 1 accounts, 2 rows and sums, 3 the budget's figures, 4 the import is done."""
    found = await rows.holdings(superuser, viewer.user_id)
    facts = (
        found["bank_schema.bank_accounts"],
        found["transaction_schema.transactions"] and found["transaction_schema.monthly_category_summary"],
        '"amount_spent":104.5' in found["budget_schema.budget_utilization"][0],
        ("done", 4, 0) in await rows.imports(superuser, viewer.user_id),
    )
    reached = sum(map(bool, facts))
    assert all(facts[:reached]), facts
    return reached


async def queue_import(services: Services, viewer: Viewer) -> UUID:
    """What the upload endpoint and the mutation do; a worker is to go on."""
    upload_id = await store_upload(services, viewer, first_statement(), "november.ofx", None)
    return await request_import(services, viewer, upload_id, FileOptions(), str(upload_id))


async def let_a_worker_finish(forks: Forks, superuser: Everywhere, viewers: list[Viewer]) -> None:
    """Leases end, and one worker that nobody disturbs works until nothing is left of these users."""

    async def nothing_is_left() -> bool:
        return not [job for viewer in viewers for job in await rows.live_jobs(superuser, viewer.user_id)]

    await rows.set_leases(superuser, "-1 second")
    worker = forks.start("worker")
    await until(nothing_is_left, within_s=30)
    worker.process.terminate()
    assert (await worker.ended()).code == 0


async def test_a_command_killed_at_any_step_and_given_again(
    forks: Forks, services: Services, make_user: MakeUser, superuser: Everywhere, statement: Path, undisturbed: dict[str, list[str]]
) -> None:
    """And what the killed one left, a worker completes: it changes nothing more."""
    faults = OF_THE_COMMAND + FAULTS
    viewers = {fault: await somebody(services, make_user) for fault in faults}
    free = asyncio.Semaphore(AT_ONCE)

    async def killed_and_again(fault: Fault) -> tuple[int, int]:
        async with free:
            command = ("import", str(statement), "--email", email(viewers[fault]))
            return (await forks.florin(*command, fault=fault)).code, (await forks.florin(*command)).code

    codes = dict(zip(faults, await asyncio.gather(*map(killed_and_again, faults)), strict=True))
    again = {fault: await rows.holdings(superuser, viewers[fault].user_id) for fault in faults}
    await let_a_worker_finish(forks, superuser, list(viewers.values()))

    assert {str(fault) for fault in faults if codes[fault] != (KILLED, 0)} == set()
    assert {str(fault) for fault in faults if again[fault] != undisturbed} == set()
    assert {str(fault) for fault in faults if await rows.holdings(superuser, viewers[fault].user_id) != undisturbed} == set()
    ended = {fault: await rows.imports(superuser, viewers[fault].user_id) for fault in faults}
    assert {status for each in ended.values() for status, _, _ in each} == {"done"}
    lines = {fault: await rows.syncs(superuser, viewers[fault].user_id) for fault in faults}
    assert {str(fault) for fault in faults if lines[fault] != [line_of(*each) for each in ended[fault]]} == set()
    assert {len(each) for each in ended.values()} == {1, 2}  # the first was killed before or after it had asked for its import


async def test_a_worker_killed_at_any_step_and_another_one(
    forks: Forks, services: Services, make_user: MakeUser, superuser: Everywhere, undisturbed: dict[str, list[str]]
) -> None:
    viewers = {fault: await somebody(services, make_user) for fault in FAULTS}
    codes, stages = {}, []
    for fault, viewer in viewers.items():
        await queue_import(services, viewer)
        codes[fault] = (await forks.florin("worker", fault=fault)).code
        stages.append(await stage(superuser, viewer))
        await rows.set_leases(superuser, "1 hour")  # what this one held is not for the next one, which dies of its own import

    await let_a_worker_finish(forks, superuser, list(viewers.values()))

    assert {str(fault) for fault in FAULTS if codes[fault] != KILLED} == set()
    assert stages == STAGES
    assert {str(fault) for fault in FAULTS if await rows.holdings(superuser, viewers[fault].user_id) != undisturbed} == set()
    assert {str(fault) for fault in FAULTS if await rows.imports(superuser, viewers[fault].user_id) != [("done", 4, 0)]} == set()
    assert {str(fault) for fault in FAULTS if await rows.syncs(superuser, viewers[fault].user_id) != [LINE]} == set()
    assert {await rows.uploads(superuser, viewer.user_id) for viewer in viewers.values()} == {0}


async def test_a_command_killed_after_each_of_its_commits_in_turn(
    forks: Forks, robin: Viewer, superuser: Everywhere, statement: Path, undisturbed: dict[str, list[str]]
) -> None:
    """Until one gets through: no commit leaves anything that keeps the next command from importing."""
    codes: list[int] = []
    while not codes or codes[-1] == KILLED:
        fault = Fault(f"commit:{len(codes) + 1}", "after")
        codes.append((await forks.florin("import", str(statement), "--email", email(robin), fault=fault)).code)

    await let_a_worker_finish(forks, superuser, [robin])

    assert codes[-1] == 0
    assert len(codes) > len(STEPS)
    assert await rows.holdings(superuser, robin.user_id) == undisturbed
    ended = await rows.imports(superuser, robin.user_id)
    assert {status for status, _, _ in ended} == {"done"}
    assert await rows.syncs(superuser, robin.user_id) == [line_of(*each) for each in ended]


async def test_a_command_whose_connection_is_cut_says_so_and_a_worker_goes_on(
    forks: Forks, robin: Viewer, superuser: Everywhere, statement: Path, undisturbed: dict[str, list[str]]
) -> None:
    cut = await forks.florin("import", str(statement), "--email", email(robin), fault=Fault("record_outcome", "before", "cut"))
    reached = await stage(superuser, robin)

    await let_a_worker_finish(forks, superuser, [robin])

    assert (cut.code, cut.out, reached) == (1, "", 1)
    assert "Traceback" not in cut.err
    assert "Try again" in cut.err
    assert await rows.holdings(superuser, robin.user_id) == undisturbed
    assert await rows.imports(superuser, robin.user_id) == [("done", 4, 0)]
    assert await rows.syncs(superuser, robin.user_id) == [LINE]


async def test_a_worker_whose_connection_is_cut_tries_again_itself(
    forks: Forks, services: Services, robin: Viewer, superuser: Everywhere, undisturbed: dict[str, list[str]]
) -> None:
    await queue_import(services, robin)

    worker = forks.start("worker", fault=Fault("apply_batch", "after", "cut"))

    async def is_done() -> bool:
        await rows.make_due(superuser, robin.user_id)  # the wait before the second attempt is tested elsewhere
        return await rows.imports(superuser, robin.user_id) == [("done", 4, 0)]

    await until(is_done, within_s=30)
    worker.process.terminate()
    said = (await worker.ended()).err

    assert await rows.holdings(superuser, robin.user_id) == undisturbed
    assert await rows.attempts(superuser, robin.user_id, "bank.import") == [2]
    assert await rows.syncs(superuser, robin.user_id) == [LINE]
    assert "DatabaseUnavailable" in said
    assert "Traceback" not in said


async def test_a_queue_that_redis_forgot_is_worked_off(
    forks: Forks,
    services: Services,
    redis_server: OwnRedis,
    robin: Viewer,
    superuser: Everywhere,
    undisturbed: dict[str, list[str]],
) -> None:
    await queue_import(services, robin)
    forgetful = forks.start("worker", fault=Fault("begin_import", "before"))
    assert (await forgetful.ended()).code == KILLED
    await rows.set_leases(superuser, "-1 second")
    with Redis(unix_socket_path=str(redis_server.socket)) as redis:
        assert redis.dbsize() > 0
        redis.flushall()

    await let_a_worker_finish(forks, superuser, [robin])

    assert await rows.holdings(superuser, robin.user_id) == undisturbed
    assert await rows.imports(superuser, robin.user_id) == [("done", 4, 0)]
    assert await rows.syncs(superuser, robin.user_id) == [LINE]


async def test_without_redis_a_command_imports_all_the_same(
    forks: Forks, robin: Viewer, superuser: Everywhere, statement: Path, undisturbed: dict[str, list[str]]
) -> None:
    """The events that it could not publish wait as rows; the next relay publishes them."""
    alone = await forks.florin("import", str(statement), "--email", email(robin), redis="unix:///nowhere/redis.sock?db=0")

    left = await rows.live_jobs(superuser, robin.user_id)
    await let_a_worker_finish(forks, superuser, [robin])

    assert (alone.code, alone.out) == (0, "added 4, updated 0, unchanged 0\n")
    assert "live.not_announced" in alone.err
    assert set(left) == {"audit.record queued", "budget.close_again queued", "live.publish queued"}
    assert await rows.holdings(superuser, robin.user_id) == undisturbed


async def test_without_redis_nobody_can_be_signed_in_and_the_command_says_why(forks: Forks, robin: Viewer) -> None:
    alone = await forks.florin("token", email(robin), redis="unix:///nowhere/redis.sock?db=0")

    assert (alone.code, alone.out) == (1, "")
    assert "florin: Redis cannot be reached" in alone.err
    assert "Traceback" not in alone.err
