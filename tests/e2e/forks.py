"""Many short `florin` processes without the second that each would spend on loading code: forked from one that has loaded it.

Each is a process of its own, runs the command's own entry point and is killed like any other.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Mapping
from itertools import count
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.e2e import die_at
from tests.e2e.die_at import Fault
from tests.e2e.processes import ENDED_WITHIN_S, Ended

#: What the server loads, and pytest with it: the start-up of a child asks for its parent's main module.
LOADED = ["pytest", "app.cli", "app.console", "app.place", "app.operator", "app.worker", "app.asgi", "app.supervisor", "app.serving"]
LOADED += ["domains.bank.providers.plaid.provider"]
LOADED += ["uvicorn", "uvloop", "workers.bank", "workers.budget", "workers.transaction", "workers.upkeep", "tests.e2e.die_at"]


class Fork:
    """A child, while it runs and after."""

    def __init__(self, process: ForkServerProcess, out: Path, err: Path) -> None:
        self.process = process
        self._out, self._err = out, err

    def lives(self) -> bool:
        return self.process.is_alive()

    def said(self) -> str:
        return self._err.read_text()

    async def ended(self, within_s: float = ENDED_WITHIN_S) -> Ended:
        """Its exit code (minus the number of the signal that ended it) and what it said."""
        deadline = time.monotonic() + within_s
        while self.lives():
            assert time.monotonic() < deadline, f"it goes on: {self.said()}"
            await asyncio.sleep(0.01)
        assert self.process.exitcode is not None
        return Ended(self.process.exitcode, self._out.read_text(), self.said())


class Forks:
    """Starts children with one environment, and ends what is left of them."""

    def __init__(self, variables: Mapping[str, str], folder: Path) -> None:
        self._variables = dict(variables)
        self._folder = folder
        self._started: list[Fork] = []
        self._numbers = count()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(LOADED)

    def start(self, *arguments: str, fault: Fault | None = None, redis: str | None = None) -> Fork:
        """A command with all variables but, where one is given, another Redis."""
        variables = self._variables if redis is None else {**self._variables, "FLORIN_REDIS_DSN": redis}
        number = next(self._numbers)
        out, err = self._folder / f"{number}.out", self._folder / f"{number}.err"
        for path in (out, err):
            path.touch()
        process = self._context.Process(target=die_at.florin, args=(arguments, variables, fault, out, err))
        process.start()
        self._started.append(Fork(process, out, err))
        return self._started[-1]

    async def florin(self, *arguments: str, fault: Fault | None = None, redis: str | None = None) -> Ended:
        """A command, to its end."""
        return await self.start(*arguments, fault=fault, redis=redis).ended()

    def end_all(self) -> None:
        for each in self._started:
            if each.lives():
                each.process.kill()
                each.process.join(ENDED_WITHIN_S)
            each.process.close()
        self._started.clear()
