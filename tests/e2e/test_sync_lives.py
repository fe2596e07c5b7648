"""Random lives of a connection in real processes: whoever is killed, held up or cut off, and whenever, the ledger is the bank's.

SYNC_KILLS   how many fetches per provider come to grief
SYNC_SEED    to have the same lives again: what a failure has printed. What depends on milliseconds may come out otherwise
"""

import os
import random
from datetime import UTC, datetime

import pytest

from app.settings import Settings
from db.engines import Db
from tests.conftest import MakeUser
from tests.e2e import griefs
from tests.e2e.mortal import Mortal, Place, life, named
from tests.e2e.simulated import Simulate, open_banking, plaid, tink
from tests.servers.everywhere import Everywhere
from tests.servers.suite import Servers
from tests.workers.conftest import OwnRedis, end_live_jobs

KILLS = int(os.environ.get("SYNC_KILLS", "5"))
KILLS_PER_LIFE = 20
FAULTS = ("server_error", "rate_limited", "reset", "garbage", "mutation", "duplicate_page", "reordered_page", "time_out", "drip")
#: What happens to a fetch, and how often among so many.
GRIEFS = {
    griefs.is_killed_at_a_request: 8,
    griefs.is_killed_after_a_while: 6,
    griefs.is_killed_at_a_commit: 6,
    griefs.is_cut_off_at_a_commit: 2,
    griefs.is_cut_off_after_a_while: 2,
    griefs.loses_redis: 2,
    griefs.is_held_up_while_another_works: 3,
    griefs.goes_on_beside_another: 3,
    griefs.finds_that_a_login_is_wanted: 2,
}


@pytest.fixture(scope="module")
def place(
    settings: Settings,
    variables: dict[str, str],
    servers: Servers,
    superuser: Everywhere,
    redis_server: OwnRedis,
    tmp_path_factory: pytest.TempPathFactory,
) -> Place:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLORIN_")}
    more = {"E2E_SUPERUSER_DSN": servers.superuser_dsn.replace("+asyncpg", ""), "FLORIN_LOG_FORMAT": "json"}
    return Place(
        settings=settings,
        variables=inherited | named(variables) | more,
        superuser=superuser,
        redis_server=redis_server,
        folder=tmp_path_factory.mktemp("lives"),
    )


async def step(mortal: Mortal, pick: random.Random) -> None:
    """Things happen at the bank, the person says something, something may go wrong on the way, and a fetch comes to grief."""
    mortal.happen(pick, pick.randrange(7))
    if pick.random() < 0.5:
        await mortal.edit(pick.randrange(1_000))
    faults = pick.sample(FAULTS, pick.randint(1, 2)) if pick.random() < 0.3 else []
    mortal.far.faults.plan(*faults)
    is_busy = pick.random() < 0.3
    more = random.Random(pick.randrange(2**32))  # noqa: S311  whether it comes to it or not, what follows is the same

    async def meanwhile() -> None:
        if is_busy:
            mortal.happen(more, more.randrange(1, 4))
            await mortal.edit(more.randrange(1_000))
            await mortal.ask()

    (grief,) = pick.choices(list(GRIEFS), list(GRIEFS.values()))
    print(f"{datetime.now(UTC):%H:%M:%S} a fetch {grief.__name__}; faults: {faults}; busy: {is_busy}")  # noqa: T201  pytest shows it with a failure
    await grief(mortal, pick, meanwhile)
    await mortal.until_quiet()
    if not faults and grief is not griefs.finds_that_a_login_is_wanted:
        await mortal.check()
    await mortal.settle()
    await mortal.check()


@pytest.mark.parametrize("simulate", [plaid, tink, open_banking])
async def test_the_ledger_is_the_banks_whoever_dies(simulate: Simulate, place: Place, db: Db, make_user: MakeUser) -> None:
    await end_live_jobs(db)  # what other tests left is nothing to die of
    chosen = int(os.environ.get("SYNC_SEED") or random.SystemRandom().randrange(2**32))
    print(f"\nSYNC_SEED={chosen}")  # noqa: T201
    lives = random.Random(f"{chosen} {simulate.__name__}")  # noqa: S311
    left = KILLS
    while left:
        viewer = await make_user(currency="USD" if simulate is plaid else "GBP")
        async with life(place, simulate, lives.randrange(1_000_000), viewer) as mortal:
            for _ in range(min(left, KILLS_PER_LIFE)):
                await step(mortal, random.Random(lives.randrange(2**32)))  # noqa: S311
                left -= 1
            await mortal.dismiss(is_kind=True)
        print(f"deaths: {mortal.deaths}")  # noqa: T201
        assert [line for line in "".join(mortal.said).splitlines() if '"level": "error"' in line] == []
