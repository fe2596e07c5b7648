"""What an operator is told of upkeep and holds, and by which exit code."""

import asyncio
import sys
from datetime import UTC, datetime

import pytest

from app import place
from app.errors import OperatorError
from app.settings import Settings
from app.upkeep import NewHold, list_holds, orphans, partitions, place_hold, release_hold, retention, summaries
from db.engines import Viewer
from domains.flows.retention_policies import POLICIES
from domains.flows.soft_references import SWEPT
from tests.conftest import MakeUser


@pytest.fixture
async def robin(make_user: MakeUser) -> Viewer:
    return await make_user()


async def florin(environment: dict[str, str], *words: str) -> tuple[int | None, list[str], str]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "app.cli", *words, env=environment, stdout=-1, stderr=-1)
    out, err = await process.communicate()
    return process.returncode, out.decode().splitlines(), err.decode()


async def test_a_dry_run_shows_every_policy_with_its_cutoff(settings: Settings) -> None:
    lines = (await retention(settings, dry_run=True)).splitlines()

    assert len(lines) == len(POLICIES) + 1
    assert lines[0].split("  ")[0] == "data"
    assert lines[0].endswith("would go")
    kept = datetime.now(UTC).year - 5
    assert lines[1].startswith("transactions ")
    assert lines[1].split()[1:4] == ["5", "years", f"{kept}-01-01"]
    [tokens] = [line for line in lines if line.startswith("bank tokens")]
    assert tokens.endswith("at once, by the database")


async def test_a_hold_is_placed_listed_and_released_once(environment: dict[str, str], robin: Viewer) -> None:
    address = f"{robin.user_id}@example.com"

    placed = await florin(environment, "holds", "place", "--email", address, "--reason", "a lawsuit", "--by", "Ada")
    [hold_id] = placed[1]
    _, listed, _ = await florin(environment, "holds", "list")
    released = await florin(environment, "holds", "release", hold_id)
    again = await florin(environment, "holds", "release", hold_id)

    assert placed[0] == 0
    [line] = [each for each in listed if hold_id in each]
    assert line.startswith(f"{hold_id}  {address}")
    assert line.endswith("Ada  a lawsuit")
    assert (released[0], released[1]) == (0, ["released"])
    assert (again[0], again[1]) == (1, [])
    assert "There is no such hold" in again[2]
    assert "Traceback" not in again[2]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (NewHold("why", None, None, None, everybody=False), "--email ADDRESS, --user ID or --everybody"),
        (NewHold("why", "a@example.com", None, None, everybody=True), "--email ADDRESS, --user ID or --everybody"),
        (NewHold(" ", None, None, None, everybody=True), "--reason"),
        (NewHold("why", "nobody-at-all@example.com", None, None, everybody=False), "No account"),
        (NewHold("why", None, "7", None, everybody=False), "'7' is not an id"),
    ],
)
async def test_a_hold_that_says_too_little_is_refused(settings: Settings, asked: NewHold, said: str) -> None:
    before = await list_holds(settings)

    with pytest.raises(OperatorError, match=said):
        await place_hold(settings, asked)

    assert await list_holds(settings) == before


async def test_an_account_that_ended_is_held_by_its_id(settings: Settings, robin: Viewer) -> None:
    hold = await place_hold(settings, NewHold("why", None, str(robin.user_id), None, everybody=False))

    assert hold in await list_holds(settings)
    assert await release_hold(settings, hold) == "released"


async def test_dry_runs_of_the_other_tasks(settings: Settings) -> None:
    swept = (await orphans(settings, dry_run=True)).splitlines()

    assert len(swept) == len(SWEPT) + 1
    assert swept[0].endswith("would go")
    made_ahead = (await partitions(settings, dry_run=True)).splitlines()
    assert all(line.startswith(("would make", "would drop", "nothing to do")) for line in made_ahead)
    assert (await summaries(settings, dry_run=True)).splitlines()[0].endswith("months differ from their transactions")


def test_workers_of_one_machine_keep_everything_unless_asked(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    class Servers:
        folder = settings.data
        redis_dsn = "unix:///nowhere"
        dsns = settings.dsns()

    monkeypatch.setenv("FLORIN_SECRET", "x" * 32)
    monkeypatch.setenv("FLORIN_KEYRING", "ring")

    assert place._variables(Servers())["FLORIN_RETENTION"] == "off"  # type: ignore[arg-type]
    monkeypatch.setenv("FLORIN_RETENTION", "on")
    assert place._variables(Servers())["FLORIN_RETENTION"] == "on"  # type: ignore[arg-type]
    assert settings.retention == "on"
