"""Florin's own processes, started as an operator starts them, and what tests do to them."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

ROOT = Path(__file__).parents[2]
FLORIN = ("-m", "app.cli")
UVICORN = ("-m", "uvicorn", "app.asgi:app", "--ws", "websockets-sansio")
STARTED_WITHIN_S = 30.0
ENDED_WITHIN_S = 30.0
LAST_WORDS = 5_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Running:
    """A process that goes on until it is told to end. `log`: what it said, on both streams."""

    process: "subprocess.Popen[str]"
    log: Path
    port: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lives(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        return self.log.read_text()

    def terminate(self) -> int:
        """Ask it to end, as a supervisor does; its exit code."""
        self.process.terminate()
        return self.process.wait(ENDED_WITHIN_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(ENDED_WITHIN_S)


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str


class Machine:
    """Starts processes with one environment, and ends what is left of them."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLORIN_")}
        self.variables = inherited | dict(environment) | {"FLORIN_LOG_FORMAT": "json"}
        self._folder = folder
        self._started: list[Running] = []

    def start(self, arguments: Sequence[str], port: int | None = None) -> Running:
        log = self._folder / f"{len(self._started)}.log"
        with log.open("w") as opened:
            process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=self.variables, stdout=opened, stderr=opened, text=True)
        self._started.append(Running(process, log, port))
        return self._started[-1]

    def start_worker(self) -> Running:
        return self.start((*FLORIN, "worker"))

    async def start_api(self, command: Sequence[str] = (*FLORIN, "serve")) -> Running:
        """One API process that answers."""
        port = free_port()
        api = self.start((*command, "--port", str(port)), port)
        await until_ready(api.url, api)
        return api

    async def florin(self, *arguments: str) -> Ended:
        """A `florin` command, to its end."""
        command = [sys.executable, *FLORIN, *arguments]
        run = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, env=self.variables, capture_output=True, text=True, timeout=ENDED_WITHIN_S
        )
        return Ended(run.returncode, run.stdout, run.stderr)

    def end_all(self) -> None:
        for each in self._started:
            if each.lives():
                each.kill()


class Process(Protocol):
    def lives(self) -> bool: ...
    def said(self) -> str: ...


async def until_ready(url: str, api: Process) -> None:
    """Wait for an API process to answer."""
    deadline = time.monotonic() + STARTED_WITHIN_S
    async with httpx.AsyncClient() as http:
        while True:
            try:
                if (await http.get(f"{url}/health/ready")).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                assert api.lives(), api.said()[-LAST_WORDS:]
            assert time.monotonic() < deadline, f"not ready: {api.said()[-LAST_WORDS:]}"
            await asyncio.sleep(0.05)
