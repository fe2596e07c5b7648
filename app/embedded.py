"""Postgres and Redis from wheels, for one machine: no installation, no port, no configuration.

    servers = Embedded.start(Path(".florin"))        # or joins the ones that run there
    servers.dsns, servers.redis_dsn
    servers.stop()                                   # the last to leave stops them

Both listen on sockets that only this account reaches. In the folder:

    postgres/  redis/                data                  passwords.json   of the database roles, made once
    servers.json                     what runs, for others who join
    run/                             sockets               starting.lock, in-use.lock     see `Embedded.start`
    postgres.log redis.log keeper.log
"""

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import ServersUnavailable
from app.launch import DATABASE, Running, launch
from app.machine import Progress

if TYPE_CHECKING:
    from db.engines import Dsns

__all__ = ["DATABASE", "Embedded"]

POLL_S = 0.01


class Embedded:
    """A use of the servers in one folder. Made by `start`, ended by `stop` or with the process."""

    def __init__(self, folder: Path, running: Running, use: int, keeper: "subprocess.Popen[bytes] | None") -> None:
        self.folder = folder
        self.superuser_dsn = running.dsns["superuser"]
        self.redis_dsn = running.redis_dsn
        self.joined = keeper is None
        self._running = running
        self._use: int | None = use
        self._keeper = keeper

    @classmethod
    def start(cls, folder: Path, *, progress: Progress | None = None) -> "Embedded":
        """Start the servers of this folder, or join them when they run. Blocks; call it from any thread.

        Two locks: `starting` is held by whoever starts or stops, one at a time; `in-use` is held, shared, by every user for as
        long as it lives, and wanted exclusively by the keeper, who stops the servers when it gets it. Waiting for our share
        therefore also waits for the end of a stop under way.
        Errors: ServersUnavailable.
        """
        say = progress or (lambda _step: None)
        folder = _make_folder(folder)
        with _lock(folder / "starting.lock", fcntl.LOCK_EX):
            use = _open_lock(folder / "in-use.lock")
            try:
                fcntl.flock(use, fcntl.LOCK_SH)
                running = Running.load(folder / "servers.json")
                keeper: subprocess.Popen[bytes] | None = None
                if running is None or not running.is_alive():
                    running, keeper = launch(folder, running, say)
                return cls(folder, running, use, keeper)
            except BaseException:
                os.close(use)
                raise

    attach_or_start = start

    @property
    def dsns(self) -> "Dsns":
        """The log-ins of the three roles."""
        from db.engines import Dsns  # here, or whoever only starts servers pays for loading the data layer

        return Dsns(app=self._running.dsns["app"], system=self._running.dsns["system"], owner=self._running.dsns["owner"])

    def check(self) -> None:
        """Errors: ServersUnavailable, when a server has ended by itself: the keeper then ends the other, and goes."""
        if not self._keeper_lives():
            raise ServersUnavailable(
                f"An embedded server has ended by itself. What it said last is in {self.folder}/postgres.log or redis.log."
            )

    def stop(self) -> None:
        """Leave. When nobody else uses the servers, they are stopped and gone when this returns."""
        if self._use is None:
            return
        path = self.folder / "in-use.lock"
        with _lock(self.folder / "starting.lock", fcntl.LOCK_EX):
            os.close(self._use)
            self._use = None
            while self._keeper_lives():
                if _used_by_others(path):
                    self._let_keeper_live()
                    return
                time.sleep(POLL_S)

    def _let_keeper_live(self) -> None:
        """It is our child, and stays for others: not ours to wait for."""
        if self._keeper is not None:
            self._keeper.returncode = 0
            self._keeper = None

    def _keeper_lives(self) -> bool:
        if self._keeper is not None:
            return self._keeper.poll() is None
        return self._running.keeper.is_alive()


def _used_by_others(path: Path) -> bool:
    """Whether users hold the lock: nobody can have it alone, but it can be shared. The keeper, once it stops, shares with nobody."""
    lock = _open_lock(path)
    try:
        if _try_lock(lock, fcntl.LOCK_EX):
            return False
        return _try_lock(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextlib.contextmanager
def _lock(path: Path, kind: int) -> Iterator[None]:
    lock = _open_lock(path)
    try:
        fcntl.flock(lock, kind)
        yield
    finally:
        os.close(lock)


def _make_folder(folder: Path) -> Path:
    folder = folder.expanduser().resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "redis").mkdir(mode=0o700, exist_ok=True)
        os.close(_open_lock(folder / "starting.lock"))
    except OSError as error:
        raise ServersUnavailable(
            f"The data folder {folder} cannot be used: {error.strerror}. Name another with --data or FLORIN_DATA."
        ) from error
    return folder
