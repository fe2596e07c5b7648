"""The embedded servers: who starts them, who shares them, and that nothing of them is left."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
import redis

from app import machine
from app.embedded import Embedded
from app.errors import ServersUnavailable

ROOT = Path(__file__).parents[2]
#: A process that uses the servers of argv[1] until its stdin ends.
USER = """
import sys
from pathlib import Path
from app.embedded import Embedded
servers = Embedded.start(Path(sys.argv[1]))
print("joined" if servers.joined else "started", flush=True)
sys.stdin.read()
servers.stop()
"""


@pytest.fixture(scope="module")
def folder(make_folder: Callable[[], Path]) -> Path:
    """One data folder for the module: making a database takes most of a start."""
    return make_folder() / "data"


Start = Callable[[], Embedded]
StartUser = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start or join the folder's servers. Whatever a test does not stop is stopped after it."""
    made: list[Embedded] = []

    def begin() -> Embedded:
        made.append(Embedded.start(folder))
        return made[-1]

    yield begin
    for servers in made:
        servers.stop()


@pytest.fixture
def start_user(folder: Path) -> Iterator[StartUser]:
    """Start another process that uses the folder's servers."""
    made: list[subprocess.Popen[str]] = []

    def begin() -> "subprocess.Popen[str]":
        made.append(
            subprocess.Popen([sys.executable, "-c", USER, folder], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        return made[-1]

    yield begin
    for user in made:
        if user.poll() is None:
            user.kill()
            user.communicate()


@pytest.fixture
def started(start: Start) -> Embedded:
    return start()


@pytest.fixture
def bystander() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has nothing to do with us."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def ask(servers: Embedded, question: str) -> Any:
    """What the superuser is answered."""

    async def run() -> Any:
        connection = await asyncpg.connect(servers.superuser_dsn.replace("+asyncpg", "", 1))
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()


def ping(servers: Embedded) -> bool:
    with redis.Redis.from_url(servers.redis_dsn) as client:
        return bool(client.ping())


def processes(folder: Path) -> list[int]:
    """The keeper and the two servers, as servers.json names them."""
    state = json.loads((folder / "servers.json").read_text())
    return [state[name]["pid"] for name in ("keeper", "postgres", "redis")]


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not fact():
        assert time.monotonic() < deadline, "it did not come true within 20 s"
        time.sleep(0.02)


def says(user: "subprocess.Popen[str]") -> str:
    assert user.stdout is not None
    return user.stdout.readline().strip()


def leave(user: "subprocess.Popen[str]") -> None:
    user.communicate(timeout=20)
    assert user.returncode == 0


def test_both_answer_and_nothing_is_left_of_them_after_a_stop(folder: Path, start: Start) -> None:
    servers = start()
    pids = processes(folder)
    assert (ask(servers, "select 1"), ping(servers)) == (1, True)

    servers.stop()

    assert [pid for pid in pids if lives(pid)] == []
    assert not (folder / "servers.json").exists()
    assert not (folder / "run").exists()


def test_what_was_written_is_there_at_the_next_start(folder: Path, start: Start) -> None:
    first = start()
    ask(first, "create table kept as select 42 as answer")
    with redis.Redis.from_url(first.redis_dsn) as client:
        client.set("kept", "42")
    first.stop()

    second = start()

    assert ask(second, "select answer from kept") == 42
    with redis.Redis.from_url(second.redis_dsn) as client:
        assert client.get("kept") == b"42"
    assert second.dsns == first.dsns
    ask(second, "drop table kept")


def test_a_second_user_joins_and_the_last_one_to_leave_stops_the_servers(folder: Path, start: Start, start_user: StartUser) -> None:
    first = start()
    pids = processes(folder)
    second = start_user()
    assert says(second) == "joined"

    first.stop()
    assert [pid for pid in pids if not lives(pid)] == []

    leave(second)
    assert [pid for pid in pids if lives(pid)] == []


def test_two_that_start_at_once_share_one_pair_of_servers(folder: Path, start_user: StartUser) -> None:
    users = [start_user(), start_user()]

    assert sorted(says(user) for user in users) == ["joined", "started"]

    for user in users:
        leave(user)


def test_the_servers_end_with_a_user_who_was_killed_and_start_again(folder: Path, start: Start, start_user: StartUser) -> None:
    user = start_user()
    assert says(user) == "started"
    pids = processes(folder)

    user.kill()
    user.communicate()

    until(lambda: not any(lives(pid) for pid in pids))
    servers = start()
    assert ask(servers, "select 1") == 1


def test_a_start_right_after_a_kill_waits_for_the_old_servers_to_end(folder: Path, start: Start, start_user: StartUser) -> None:
    user = start_user()
    assert says(user) == "started"
    before = processes(folder)
    user.kill()

    servers = start()

    assert (ask(servers, "select 1"), ping(servers)) == (1, True)
    user.communicate()
    servers.stop()
    assert [pid for pid in before if lives(pid)] == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent has died")
def test_servers_whose_keeper_was_killed_end_too(folder: Path, start: Start) -> None:
    servers = start()
    keeper, *pids = processes(folder)

    os.kill(keeper, signal.SIGKILL)

    until(lambda: not any(lives(pid) for pid in pids))
    with pytest.raises(ServersUnavailable, match="ended by itself"):
        servers.check()
    servers.stop()
    again = start()
    assert (ask(again, "select 1"), ping(again)) == (1, True)


@pytest.mark.parametrize("which", [1, 2], ids=["postgres", "redis"])
def test_when_one_server_dies_the_other_is_stopped_and_the_user_told(folder: Path, which: int, start: Start) -> None:
    servers = start()
    pids = processes(folder)
    servers.check()

    os.kill(pids[which], signal.SIGKILL)

    until(lambda: not any(lives(pid) for pid in pids))
    with pytest.raises(ServersUnavailable, match="ended by itself"):
        servers.check()


def test_a_pid_file_whose_number_is_another_process_by_now_does_not_stop_a_start(
    folder: Path, start: Start, bystander: "subprocess.Popen[bytes]"
) -> None:
    start().stop()
    stale = folder / "postgres" / "postmaster.pid"
    stale.write_text(f"{bystander.pid}\n{folder}/postgres\n1700000000\n5432\n\n\n  1 2\nready\n")

    servers = start()

    assert ask(servers, "select 1") == 1
    assert bystander.poll() is None


def test_a_state_file_that_names_other_processes_is_not_believed(folder: Path, start: Start, bystander: "subprocess.Popen[bytes]") -> None:
    servers = start()
    state = json.loads((folder / "servers.json").read_text())
    servers.stop()
    for name in ("keeper", "postgres", "redis"):
        state[name] = {"pid": bystander.pid, "started_at": 1.0}
    (folder / "servers.json").write_text(json.dumps(state))

    again = start()

    assert not again.joined
    assert bystander.poll() is None


def test_a_database_that_was_half_made_is_made_anew(make_folder: Callable[[], Path]) -> None:
    folder = make_folder()
    (folder / "postgres.new").mkdir()
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    steps: list[str] = []

    servers = Embedded.start(folder, progress=steps.append)

    assert ask(servers, "select 1") == 1
    assert "making the database folder" in steps
    assert not (folder / "postgres.new").exists()
    servers.stop()


def test_a_deep_folder_has_its_sockets_elsewhere_for_as_long_as_they_are_used(make_folder: Callable[[], Path]) -> None:
    deep = make_folder().joinpath(*["a_folder_with_a_long_name"] * 5)

    servers = Embedded.start(deep)
    sockets = Path(json.loads((deep / "servers.json").read_text())["sockets"])

    assert (ask(servers, "select 1"), ping(servers)) == (1, True)
    assert len(str(sockets)) < 40
    servers.stop()
    assert not sockets.exists()


def test_a_folder_of_another_major_version_is_refused_and_left_as_it_was(folder: Path, started: Embedded, start: Start) -> None:
    started.stop()
    version = folder / "postgres" / "PG_VERSION"
    before = version.read_text()
    version.write_text("12\n")

    with pytest.raises(ServersUnavailable, match="made by Postgres 12"):
        start()

    assert not (folder / "servers.json").exists()
    version.write_text(before)


def test_a_server_that_does_not_start_tells_why(folder: Path, start: Start) -> None:
    settings = folder / "postgres" / "postgresql.conf"
    before = settings.read_text()
    settings.write_text(before + "\nno_such_setting = 1\n")

    with pytest.raises(ServersUnavailable, match="no_such_setting"):
        start()

    settings.write_text(before)
    start().stop()


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ServersUnavailable, match="Name another with --data"):
        Embedded.start(tmp_path / "file")


def test_secrets_and_sockets_are_for_this_account_only(folder: Path, started: Embedded) -> None:
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in ("passwords.json", "servers.json", "postgres", "redis", "run")}

    assert modes == {"passwords.json": 0o600, "servers.json": 0o600, "postgres": 0o700, "redis": 0o700, "run": 0o700}


def test_postgres_is_durable_hears_no_network_and_knows_letters(started: Embedded) -> None:
    settings = {
        name: ask(started, f"show {name}") for name in ("fsync", "full_page_writes", "synchronous_commit", "jit", "listen_addresses")
    }

    assert settings == {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "jit": "off", "listen_addresses": ""}
    assert ask(started, "select lower('ÉLAN') || ('é' ~ '[[:alpha:]]')") == "élantrue"
    assert ask(started, "select extensions.similarity('café', 'cafe') < 1") is True
    assert ask(started, "select to_tsvector('simple', 'Müller Café')::text") == "'café':2 'müller':1"


def test_a_wrong_password_is_refused(started: Embedded) -> None:
    user, rest = started.superuser_dsn.replace("+asyncpg", "", 1).split("@")

    async def connect() -> None:
        await asyncpg.connect(f"{user}x@{rest}")

    with ThreadPoolExecutor(1) as thread, pytest.raises(asyncpg.InvalidPasswordError):
        thread.submit(asyncio.run, connect()).result()


@pytest.mark.parametrize(
    ("said", "version"),
    [("Redis server v=5.0.7 sha=0", (5, 0)), ("Valkey server v=8.1.4 sha=0", (8, 1)), ("nothing of the kind", (0, 0))],
)
def test_a_redis_says_its_version(tmp_path: Path, said: str, version: tuple[int, int]) -> None:
    program = tmp_path / "redis-server"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)

    assert machine.redis_version(program) == version


@pytest.mark.parametrize(("version", "taken"), [("6.0.16", False), ("6.2.0", True), ("8.0.2", True)])
def test_the_machine_s_redis_is_taken_when_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, taken: bool
) -> None:
    program = tmp_path / "valkey-server"
    program.write_text(f"#!/bin/sh\necho 'Valkey server v={version} sha=0'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(machine.shutil, "which", lambda name: str(program) if name == "valkey-server" else None)

    assert (machine.redis_program() == program) is taken
