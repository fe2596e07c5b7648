"""Starting the embedded servers: what is left over ends, Postgres' data is made on first use, the keeper begins, both answer."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import quote

import asyncpg

from app import machine, postgres
from app.errors import ServersUnavailable
from app.machine import Account, ProcessId, Progress

DATABASE = "florin"
SUPERUSER = "postgres"
ROLES = ("florin_owner", "florin_app", "florin_system")
START_TIMEOUT_S = 180.0  # the first start after a power cut replays what was not checkpointed
POLL_S = 0.01
LARGEST_LOG_BYTES = 10_000_000


class Server(TypedDict):
    """One command of the plan. `stop_signal`: what ends it cleanly and soon."""

    name: str
    command: list[str]
    environment: dict[str, str]
    stop_signal: int
    log: str


class Plan(TypedDict):
    """What app/keeper.py reads. `in_use`: the users' lock file; `remove`: what to delete once the servers have ended."""

    servers: list[Server]
    uid: int | None
    gid: int | None
    in_use: str
    remove: list[str]


@dataclass(frozen=True, slots=True)
class Running:
    """What servers.json says."""

    keeper: ProcessId
    postgres: ProcessId
    redis: ProcessId
    sockets: str
    dsns: dict[str, str]
    redis_dsn: str

    def is_alive(self) -> bool:
        return self.keeper.is_alive() and self.postgres.is_alive() and self.redis.is_alive()

    @classmethod
    def load(cls, path: Path) -> "Running | None":
        """None: nothing there that was written whole."""
        try:
            raw = json.loads(path.read_text())
            keeper, postgres, redis = (ProcessId(**raw.pop(name)) for name in ("keeper", "postgres", "redis"))
            return cls(keeper, postgres, redis, **raw)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def save(self, path: Path) -> None:
        _write_private(path, json.dumps(asdict(self), indent=1))


def launch(folder: Path, before: Running | None, say: Progress) -> "tuple[Running, subprocess.Popen[bytes]]":
    """Start the servers of a folder; what runs, and the keeper, our child.

    Called with both locks of app/embedded.py held: whatever still runs here is left over from somebody who was killed.
    Errors: ServersUnavailable.
    """
    data = folder / "postgres"
    _end_leftovers(folder, before)
    account = machine.server_account(data)
    machine.let_in(account, data)
    machine.let_in(account, machine.postgres_folder())
    machine.let_read(account, machine.postgres_folder().parent)
    passwords = _passwords(folder / "passwords.json")
    if not (data / "PG_VERSION").exists():
        say("making the database folder")
        postgres.initialise(data, account, superuser=SUPERUSER, password=passwords[SUPERUSER])
    postgres.check_version(data)
    say("starting Postgres and Redis")
    sockets = machine.socket_folder(folder / "run", account)
    keeper, pids = _spawn_keeper(folder, _plan(folder, sockets, account))
    try:
        running = Running(
            keeper=_identify(folder, keeper.pid),
            postgres=_identify(folder, pids["postgres"]),
            redis=_identify(folder, pids["redis"]),
            sockets=str(sockets),
            dsns={role.removeprefix("florin_"): _dsn(role, passwords[role], sockets) for role in ROLES}
            | {"superuser": _dsn(SUPERUSER, passwords[SUPERUSER], sockets)},
            redis_dsn=f"unix://{sockets}/redis.sock?db=0",
        )
        running.save(folder / "servers.json")
        _wait_until_ready(folder, data, sockets, keeper)
        say("preparing roles and extensions")
        _apart(_bootstrap(running.dsns["superuser"], passwords))
    except BaseException:
        keeper.terminate()
        keeper.wait()
        raise
    return running, keeper


def _identify(folder: Path, pid: int) -> ProcessId:
    found = ProcessId.of(pid)
    if found is None:
        raise ServersUnavailable(_last_words(folder))
    return found


def _end_leftovers(folder: Path, before: Running | None) -> None:
    """Processes whose keeper was killed, and what they left on the disk."""
    if before is not None:
        before.keeper.end(signal.SIGTERM)
        before.redis.end(signal.SIGTERM)
        before.postgres.end(signal.SIGINT)
        if Path(before.sockets).parent != folder:
            shutil.rmtree(before.sockets, ignore_errors=True)
    (folder / "servers.json").unlink(missing_ok=True)
    postgres.end_leftover(folder / "postgres")
    for name in ("postgres", "redis", "keeper"):
        log = folder / f"{name}.log"
        if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
            log.replace(folder / f"{name}.log.1")


def _plan(folder: Path, sockets: Path, account: Account | None) -> Plan:
    program = machine.redis_program()
    machine.give(account, folder / "redis")
    for dump in (folder / "redis").glob("*.rdb"):
        machine.give(account, dump)
    major, minor = machine.redis_version(program)
    redis_command = [str(program), "--port", "0", "--unixsocket", f"{sockets}/redis.sock", "--unixsocketperm", "700"]
    redis_command += ["--dir", str(folder / "redis"), "--daemonize", "no", "--appendonly", "no"]
    # a snapshot keeps people signed in over a restart; its format is of the server's version, and an older one would not start on it
    redis_command += ["--save", "300", "1", "--dbfilename", f"sessions-{major}.{minor}.rdb"]
    return Plan(
        servers=[
            Server(
                name="postgres",
                command=postgres.command(folder / "postgres", sockets),
                environment=postgres.ENVIRONMENT,
                stop_signal=signal.SIGINT,
                log=str(folder / "postgres.log"),
            ),
            Server(
                name="redis", command=redis_command, environment={"LC_ALL": "C"}, stop_signal=signal.SIGTERM, log=str(folder / "redis.log")
            ),
        ],
        uid=account.uid if account else None,
        gid=account.gid if account else None,
        in_use=str(folder / "in-use.lock"),
        remove=[str(folder / "servers.json"), str(sockets)],
    )


def _spawn_keeper(folder: Path, plan: Plan) -> "tuple[subprocess.Popen[bytes], dict[str, int]]":
    script = Path(__file__).with_name("keeper.py")
    with open(folder / "keeper.log", "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as log:
        keeper = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-I", "-S", script, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    assert keeper.stdin is not None  # noqa: S101 - for the type checker
    assert keeper.stdout is not None  # noqa: S101
    with keeper.stdin, keeper.stdout:
        keeper.stdin.write(json.dumps(plan).encode())
        keeper.stdin.close()
        answer = keeper.stdout.readline()
    if not answer:
        keeper.wait()
        raise ServersUnavailable(_last_words(folder))
    return keeper, json.loads(answer)


def _wait_until_ready(folder: Path, data: Path, sockets: Path, keeper: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (postgres.is_ready(data) and machine.answers_ping(sockets / "redis.sock")):
        if keeper.poll() is not None:
            raise ServersUnavailable(_last_words(folder))
        if time.monotonic() > deadline:
            raise ServersUnavailable(f"Postgres or Redis did not answer within {START_TIMEOUT_S:.0f} s. " + _last_words(folder))
        time.sleep(POLL_S)


def _last_words(folder: Path) -> str:
    """Why the servers did not start, as far as they said."""
    said = []
    for name in ("keeper", "postgres", "redis"):
        with contextlib.suppress(OSError):
            lines = (folder / f"{name}.log").read_text(errors="replace").splitlines()[-4:]
            said += [f"  {name}: {line}" for line in lines]
    return f"The embedded servers did not start. Their logs in {folder} end with:\n" + "\n".join(said)


def _passwords(path: Path) -> dict[str, str]:
    """Role -> password. Made once; only this account reads the file."""
    with contextlib.suppress(FileNotFoundError):
        known: dict[str, str] = json.loads(path.read_text())
        return known
    made = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, *ROLES)}
    _write_private(path, json.dumps(made))
    return made


def _write_private(path: Path, text: str) -> None:
    """The whole file or nothing of it, readable by this account only."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with open(draft, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _dsn(role: str, password: str, sockets: Path) -> str:
    return f"postgresql+asyncpg://{role}:{password}@/{DATABASE}?host={quote(str(sockets))}"


async def _bootstrap(superuser_dsn: str, passwords: dict[str, str]) -> None:
    """The database, then its roles, schema for extensions, and extensions. Cheap when all of it is there."""
    from migrations import bootstrap  # here, or whoever joins running servers pays for loading the models

    plain = superuser_dsn.replace("+asyncpg", "", 1)
    connection = await asyncpg.connect(plain, database=SUPERUSER)
    try:
        if not await connection.fetchval("select true from pg_database where datname = $1", DATABASE):
            await connection.execute(f"create database {DATABASE}")
    finally:
        await connection.close()
    await bootstrap.bootstrap(superuser_dsn, {role: passwords[role] for role in ROLES})


def _apart(work: Coroutine[Any, Any, None]) -> None:
    """Run it on a loop of its own, also where this thread has one running."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
