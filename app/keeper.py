"""The keeper: a small process that owns the embedded servers for as long as anybody uses them.

Every process that uses the servers holds a shared lock on one file. The keeper waits for the exclusive lock: it gets it when the
last user has let go, whether by leaving or by SIGKILL, and then stops the servers. So nobody has to remember to.
The servers are its children and get a stop signal from the kernel if the keeper itself is killed.

Run by path with `-I -S`: only the standard library, and nothing of ours, so that it starts in milliseconds and stays small.
In:  one JSON object on stdin, a `Plan` of app/launch.py.
Out: one line of JSON on stdout, server name -> process id, once they are started (not yet ready).
Exit 0: stopped because nobody was left. Exit 1: a server ended by itself; the other was stopped.
"""

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 30.0


class _Stop(Exception):
    """Raised out of the wait for the lock by a signal."""


def main() -> int:
    os.umask(0o077)
    plan = json.load(sys.stdin)
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    servers: list[tuple[subprocess.Popen[bytes], int]] = []
    failed = False
    try:
        signal.signal(signal.SIGTERM, _stop)
        for server in plan["servers"]:
            servers.append((_spawn(server, plan), server["stop_signal"]))  # noqa: PERF401 - when the second fails the first is stopped
        pids = {server["name"]: process.pid for server, (process, _) in zip(plan["servers"], servers, strict=True)}
        sys.stdout.write(json.dumps(pids) + "\n")
        sys.stdout.flush()
        _close_stdio()
        signal.signal(signal.SIGCHLD, _stop)
        _check(servers)
        _wait_for_the_last_user(plan["in_use"], servers)
    except _Stop:
        failed = any(process.poll() is not None for process, _ in servers)
    finally:
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else signal.SIG_IGN)
        _end(servers)
        _remove(plan["remove"])
    return 1 if failed else 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stop


def _check(servers: list[tuple[subprocess.Popen[bytes], int]]) -> None:
    """A server that ended before SIGCHLD was watched."""
    if any(process.poll() is not None for process, _ in servers):
        raise _Stop


def _wait_for_the_last_user(path: str, servers: list[tuple[subprocess.Popen[bytes], int]]) -> None:
    """Block until the exclusive lock is ours. It is held until this process ends: who comes now waits for a clean start."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    _check(servers)


def _spawn(server: dict[str, Any], plan: dict[str, Any]) -> subprocess.Popen[bytes]:
    with open(server["log"], "ab") as log:
        return subprocess.Popen(  # noqa: S603 - the command comes from app/launch.py
            server["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=server["environment"],
            umask=0o077,
            start_new_session=True,
            preexec_fn=_signal_when_orphaned(server["stop_signal"]),
            user=plan["uid"],
            group=plan["gid"],
            extra_groups=None if plan["uid"] is None else [],
        )


def _signal_when_orphaned(number: int) -> Callable[[], None] | None:
    """Ask the kernel for this signal when the keeper dies. Called after the change of user, which would clear it."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)

    return ask


def _close_stdio() -> None:
    """Let go of the starter's pipe, so that it is not kept open by us."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(null, number)
    os.close(null)


def _end(servers: list[tuple[subprocess.Popen[bytes], int]]) -> None:
    for process, number in servers:
        if process.poll() is None:
            process.send_signal(number)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    for process, _ in servers:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _remove(paths: list[str]) -> None:
    for path in paths:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.lexists(path):
            os.unlink(path)


if __name__ == "__main__":
    sys.exit(main())
