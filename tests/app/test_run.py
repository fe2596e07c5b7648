"""`florin run` as a person meets it: a process of its own, a folder of its own, signals."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import psutil
import pytest
from pydantic import SecretStr

from app.settings import Settings
from app.wiring import read_keyring

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 60


def bare_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("FLORIN_")}


def florin(*arguments: str, stderr: int | IO[str] = subprocess.PIPE) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", *arguments], cwd=ROOT, env=bare_environment(), stdout=subprocess.PIPE, stderr=stderr, text=True
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not fact():
        assert time.monotonic() < deadline, "it did not come true within 30 s"
        time.sleep(0.05)


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Run:
    """One `florin run`."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._said = folder.parent / f"{self.port}.log"  # a pipe that nobody reads would fill up and stop it
        with self._said.open("w") as log:
            self.process = florin("run", "--data", str(folder), "--port", str(self.port), *arguments, stderr=log)

    def complaint(self) -> str:
        """What it said on stderr so far."""
        return self._said.read_text()

    def wait_until_ready(self) -> list[str]:
        """What it says on stdout, from the ready line on."""
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline().rstrip("\n")]
        if not lines[0].startswith("ready"):
            self.process.communicate(timeout=READY_WITHIN_S)
            pytest.fail(f"not ready: {lines[0]}\n{self.complaint()[-5000:]}")
        while not lines[-1].strip().startswith("stop"):
            lines.append(self.process.stdout.readline().rstrip("\n"))
        return lines

    def family(self) -> list[psutil.Process]:
        """Every process under it: the API, the worker, the keeper, both servers and what belongs to them."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send the signal; the exit code and what it said on stderr."""
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode, self.complaint()


@pytest.fixture(scope="module")
def folder(make_folder: Callable[[], Path]) -> Path:
    return make_folder() / "data"


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Run]]:
    made: list[Run] = []

    def begin(*arguments: str) -> Run:
        made.append(Run(folder, *(arguments or ("--no-demo",))))
        return made[-1]

    yield begin
    for run in made:
        if run.process.poll() is None:
            run.end(signal.SIGTERM)


Start = Callable[..., Run]


def test_it_says_where_it_is_shows_the_demo_and_leaves_nothing_at_ctrl_c(start: Start, folder: Path, tmp_path: Path) -> None:
    run = start("--demo")
    lines = run.wait_until_ready()
    family = run.family()
    token = command(folder, "token", "demo@example.com")
    statement = tmp_path / "august.csv"
    statement.write_text(f"Date,Description,Amount\n{datetime.now(UTC).date().isoformat()},STARBUCKS STORE #1234,-4.50\n")

    assert lines[:2] == [f"ready {run.url}", "  sign in    demo@example.com / florin-demo-2026"]
    assert re.fullmatch(r"[\w-]{40,}\n", token)
    assert "Groceries" in budgets_of(run, token)
    assert command(folder, "import", str(statement), "--email", "demo@example.com") == "added 1, updated 0, unchanged 0\n"

    code, complaint = run.end(signal.SIGINT)

    assert code == 0, complaint
    assert len(family) >= 5
    assert [process for process in family if lives(process)] == []


def command(folder: Path, name: str, *arguments: str) -> str:
    """What another command says on stdout, while the run goes on."""
    process = florin(name, *arguments, "--data", str(folder))
    said, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint
    return said


def budgets_of(run: Run, token: str) -> list[str]:
    headers = {"Authorization": f"Bearer {token.strip()}", "Content-Type": "application/json"}
    question = json.dumps({"query": "{ me { budgets { name } } }"}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{run.url}/graphql", question, headers)) as answer:
        return [budget["name"] for budget in json.load(answer)["data"]["me"]["budgets"]]


def test_a_run_takes_up_the_data_and_the_keys_that_are_there(start: Start, folder: Path) -> None:
    command(folder, "migrate")
    kept = {name: (folder / name).read_bytes() for name in ("keyring", "secret", "passwords.json")}

    run = start()
    run.wait_until_ready()

    assert {name: (folder / name).read_bytes() for name in kept} == kept
    assert {(folder / name).stat().st_mode & 0o777 for name in kept} == {0o600}
    assert "making the database folder" not in run.complaint()


def test_when_it_is_killed_its_processes_end_and_the_next_run_works(start: Start) -> None:
    run = start()
    run.wait_until_ready()
    family = run.family()

    run.process.kill()
    run.process.communicate()

    until(lambda: not any(lives(process) for process in family))
    again = start()
    again.wait_until_ready()
    assert again.end(signal.SIGINT)[0] == 0


def test_what_dies_is_started_again_and_commands_reach_the_run_meanwhile(start: Start, folder: Path) -> None:
    run = start()
    run.wait_until_ready()

    for name in ("api", "worker"):
        victim = child_called(run, name)
        assert victim is not None
        victim.kill()
        until(lambda name=name, victim=victim: child_called(run, name) not in (None, victim))

    assert command(folder, "migrate") == "nothing to migrate\n"
    with urllib.request.urlopen(f"{run.url}/health/ready", timeout=30) as answer:  # connections wait while the API starts again
        assert answer.status == 200
    code, complaint = run.end(signal.SIGINT)
    assert code == 0
    assert re.findall(r"the (\w+) process ended with signal SIGKILL; starting it again in 0.5 s", complaint) == ["api", "worker"]


def child_called(run: Run, name: str) -> psutil.Process | None:
    """The run's process of this name; None while there is none."""
    for process in run.family():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[1:4] == ["-m", "app.child", name]:
                return process
    return None


def test_when_a_server_dies_the_run_ends_and_says_so(start: Start) -> None:
    run = start()
    run.wait_until_ready()
    family = run.family()
    redis = next(process for process in family if process.name().startswith("redis-server"))

    redis.kill()

    run.process.communicate(timeout=60)
    assert run.process.returncode == 1
    assert "An embedded server has ended by itself" in run.complaint()
    assert [process for process in family if lives(process)] == []


def test_a_port_that_is_taken_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        run = florin("run", "--data", str(tmp_path / "data"), "--port", str(port))
        said, complaint = run.communicate(timeout=60)

    assert (run.returncode, said) == (1, "")
    assert complaint == f"florin: Port {port} is taken, by another program or by a Florin that runs already. Choose another with --port.\n"
    assert not (tmp_path / "data").exists()


def test_ctrl_c_while_it_starts_leaves_nothing(make_folder: Callable[[], Path]) -> None:
    run = Run(make_folder() / "data", "--no-demo")
    until(lambda: len(run.family()) > 3 or run.process.poll() is not None)
    family = run.family()

    code, _ = run.end(signal.SIGINT)

    assert code == 0
    until(lambda: not any(lives(process) for process in family))


def test_a_token_for_nobody_is_refused(folder: Path) -> None:
    token = florin("token", "nobody@example.com", "--data", str(folder))

    said, complaint = token.communicate(timeout=60)

    assert (token.returncode, said) == (1, "")
    assert complaint.splitlines()[-1] == "florin: No active account has this address."


def test_with_servers_of_the_operator_nothing_embedded_starts(tmp_path: Path, environment: dict[str, str]) -> None:
    migrate = [sys.executable, "-m", "app.cli", "migrate", "--data", str(tmp_path / "data")]

    done = subprocess.run(migrate, cwd=ROOT, env=bare_environment() | environment, capture_output=True, text=True, check=True)

    assert done.stdout == "nothing to migrate\n"
    assert not (tmp_path / "data").exists()


def test_a_setting_that_is_no_setting_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app.cli", "run", "--data", str(tmp_path / "data"), "--port", str(free_port())]

    done = subprocess.run(
        command, cwd=ROOT, env=bare_environment() | {"FLORIN_COST_LIMT": "5"}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "florin: FLORIN_COST_LIMT is not a setting. Did you mean FLORIN_COST_LIMIT?"


def test_new_secrets_are_of_the_form_that_settings_take() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "app.cli", "secrets"], cwd=ROOT, env=bare_environment(), capture_output=True, text=True, check=True
    )

    lines = dict(line.split("=", 1) for line in said.stdout.splitlines())
    settings = Settings(keyring=SecretStr(lines["FLORIN_KEYRING"]), secret=SecretStr(lines["FLORIN_SECRET"]))
    assert read_keyring(settings).current.startswith("k")
    assert len(settings.cursor_secret()) == 32
