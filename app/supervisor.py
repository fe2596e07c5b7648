"""`florin run`: everything on one machine in one command, and nothing of it left when the command ends.

Servers and migrations come first, while the API and the worker load their code; then both are let go, and the demo is made.
The supervisor opens the port itself: a busy one is told at once, and connections wait while the API starts again.
"""

import asyncio
import contextlib
import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import app
from app import logging
from app.console import Steps, complain, say
from app.errors import OperatorError, PortTaken
from app.place import Place, open_place

READY_TIMEOUT_S = 60.0
#: Longer than the API waits for mutations that had begun, and the worker for its jobs.
STOP_TIMEOUT_S = 30.0
WATCH_EVERY_S = 0.5
#: A process that ends by itself is started again this often within the window; then the run ends.
RESTARTS = 5
RESTART_WINDOW_S = 120.0
FIRST_BACKOFF_S = 0.5


@dataclass
class Child:
    """One process of ours."""

    name: str
    process: "subprocess.Popen[bytes]"
    pipe: int
    ended_at: deque[float] = field(default_factory=deque)


class Stop(BaseException):
    """Ctrl-C or a signal that asks to end. No Exception: nothing but the outermost frame may take it for a failure."""


def run(folder: Path, host: str, port: int, *, demo: bool) -> int:
    """Run until told to stop; the exit code. Errors: OperatorError."""
    with _stopped_by_signals():
        try:
            with open_port(host, port) as listener:
                return _run(folder, listener, demo=demo)
        except Stop:
            return 0


def _run(folder: Path, listener: socket.socket, *, demo: bool) -> int:
    url = _url(listener)
    with contextlib.ExitStack() as stack:
        steps = stack.enter_context(Steps(total=5 if demo else 4))
        steps.step("starting Postgres and Redis")
        place = stack.enter_context(open_place(folder, steps.note))
        logging.configure(place.settings)
        family = stack.enter_context(_family(listener, url))
        steps.step("migrating")
        place.migrate()
        steps.step("starting the API and the worker")
        family.let_go()
        if demo:
            steps.step("preparing the demo")
            _seed(place)
        steps.step("waiting for the first answer")
        family.wait_until_ready(url)
        steps.done()
        _greet(url, demo=demo)
        return family.watch(place)


def _seed(place: Place) -> None:
    """The demo's users, unless they are there."""
    from app.operator import make_demo

    asyncio.run(make_demo(place.settings))


def _greet(url: str, *, demo: bool) -> None:
    say(f"ready {url}")
    if demo:
        from domains.flows.demo import DEMO_USERS

        say(f"  sign in    {DEMO_USERS[0].email} / {DEMO_USERS[0].password}")
    say(f"  GraphiQL   {url}/console")
    say("  stop       Ctrl-C")


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Stop is raised in the main thread, once; while things are being taken down, further signals wait."""

    def stop(_number: int, _frame: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise Stop

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def open_port(host: str, port: int) -> Iterator[socket.socket]:
    """The listening socket. Errors: PortTaken, OperatorError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise OperatorError(f"{host} is not an address of this machine: {error.strerror}.") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(1024)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(
                    f"Port {port} is taken, by another program or by a Florin that runs already. Choose another with --port."
                ) from error
            raise OperatorError(f"Port {port} of {host} cannot be opened: {error.strerror}.") from error
        listener.set_inheritable(True)
        yield listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Family:
    """The API and the worker."""

    def __init__(self, listener: socket.socket, environment: dict[str, str]) -> None:
        self._listener = listener
        self._environment = environment
        self._children = [self._spawn("api"), self._spawn("worker")]

    def let_go(self) -> None:
        """The data is ready."""
        for child in self._children:
            _let_go(child)

    def wait_until_ready(self, url: str) -> None:
        """Errors: OperatorError, when a process ends before it was ever ready or none answers in time."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        address = url.removeprefix("http://")
        while not _is_ready(address):
            for child in self._children:
                if child.process.poll() is not None:
                    raise OperatorError(
                        f"The {child.name} process ended with {_describe(child.process.returncode)} before it was ready; see above."
                    )
            if time.monotonic() > deadline:
                raise OperatorError(f"{url}/health/ready did not answer within {READY_TIMEOUT_S:.0f} s.")
            time.sleep(0.05)

    def watch(self, place: Place) -> int:
        """Start again what ends by itself; returns when it ends too often, with its exit code. Errors: ServersUnavailable."""
        while True:
            time.sleep(WATCH_EVERY_S)
            if place.embedded is not None:
                place.embedded.check()
            for index, child in enumerate(self._children):
                if child.process.poll() is not None:
                    if not _may_start_again(child):
                        return child.process.returncode if 0 < child.process.returncode < 256 else 1
                    self._children[index] = again = self._spawn(child.name, child.ended_at)
                    _let_go(again)

    def stop(self) -> None:
        """End both, the API first: what it answers last may still leave jobs. SIGKILL for whoever does not end in time."""
        for child in self._children:
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for child in self._children:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()

    def _spawn(self, name: str, ended_at: deque[float] | None = None) -> Child:
        read_end, write_end = os.pipe()
        inherited = [read_end]
        command = [sys.executable, "-m", "app.child", name, str(read_end)]
        if name == "api":
            inherited.append(self._listener.fileno())
            command.append(str(self._listener.fileno()))
        process = subprocess.Popen(  # noqa: S603 - ourselves
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            pass_fds=inherited,
            start_new_session=True,  # Ctrl-C comes to the supervisor alone, which ends its children in order
        )
        os.close(read_end)
        return Child(name, process, write_end, ended_at if ended_at is not None else deque())


def _may_start_again(child: Child) -> bool:
    """Tell that it ended and wait before the next try; False when it has ended too often."""
    os.close(child.pipe)
    now = time.monotonic()
    child.ended_at.append(now)
    while child.ended_at[0] < now - RESTART_WINDOW_S:
        child.ended_at.popleft()
    how, times = _describe(child.process.returncode), len(child.ended_at)
    if times > RESTARTS:
        complain(f"the {child.name} process ended {times} times within {RESTART_WINDOW_S:.0f} s, now with {how}: giving up.")
        return False
    wait_s = FIRST_BACKOFF_S * 2 ** (times - 1)
    complain(f"the {child.name} process ended with {how}; starting it again in {wait_s:g} s.")
    time.sleep(wait_s)
    return True


@contextmanager
def _family(listener: socket.socket, url: str) -> Iterator[Family]:
    root = str(Path(app.__file__).parent.parent)
    environment = {name: value for name, value in os.environ.items() if name != "FLORIN_DATABASE_OWNER_DSN"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH"))))
    port = url.rpartition(":")[2]
    environment.setdefault("FLORIN_GRAPHIQL", "true")
    environment.setdefault("FLORIN_LOG_LEVEL", "warning")  # a terminal is for people
    environment.setdefault("FLORIN_ALLOWED_ORIGINS", f"{url},http://localhost:{port}")
    family = Family(listener, environment)
    try:
        yield family
    finally:
        family.stop()


def _let_go(child: Child) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(child.pipe, b"g")


def _is_ready(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=1.0)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _describe(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
