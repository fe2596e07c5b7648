"""The worker process: `python -m app.worker`, or `arq app.worker.WorkerSettings`.

Both run the same `WorkerProcess`. arq's command cannot be given a worker of another class, so there its own worker is only the
launcher: ours runs inside the start-up hook, until arq's signal handler cancels it.
"""

import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING, Any

import uvloop

from app.errors import SettingsInvalid
from app.logging import configure
from app.settings import Settings
from app.wiring import open_services
from db.dsn import redis_options
from workers.process import QUEUE, WorkerProcess, health_key
from workers.task import load_tasks

if TYPE_CHECKING:
    from arq.connections import RedisSettings


async def work(settings: Settings) -> None:
    """Work until cancelled. Errors: SettingsInvalid."""
    configure(settings)
    logging.getLogger("arq").setLevel(logging.WARNING)  # it tells each job twice; ours tell it once, with the topic
    async with open_services(settings) as services:
        await WorkerProcess(services, load_tasks()).run()


async def work_until_told(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT: running jobs may end, the rest is given back. A second signal skips the wait."""
    working = asyncio.create_task(work(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, working.cancel)
    await asyncio.wait({working})
    if not working.cancelled():
        working.result()


def main() -> int:
    try:
        settings = Settings.load()
        uvloop.run(work_until_told(settings))
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def __getattr__(name: str) -> Any:
    """`WorkerSettings` is made when arq asks for it: it reads the environment, which an import must not."""
    if name != "WorkerSettings":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    load_tasks()  # a launcher asks for this before there is anything to do: let it load the code meanwhile
    return _worker_settings(Settings.load())


def _worker_settings(settings: Settings) -> dict[str, Any]:
    from arq.worker import func

    async def start(ctx: dict[Any, Any]) -> None:  # noqa: ARG001 - as arq calls it
        await work(settings)

    async def launched(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> None:
        """arq wants a function to be registered; this one is never enqueued."""

    return {
        "functions": [func(launched, name="launched")],
        "on_startup": start,
        "redis_settings": _redis_settings(settings),
        "queue_name": f"{QUEUE}:launcher",
        "health_check_key": health_key(),
    }


def _redis_settings(settings: Settings) -> "RedisSettings":
    """arq reads a DSN by itself, but no options of TLS in it, and a password as it is encoded."""
    from arq.connections import RedisSettings

    options = redis_options(settings.redis())
    names = {"path": "unix_socket_path", "db": "database", "client_name": None, "connection_class": None}
    named = {names.get(name, name): value for name, value in options.items()}
    return RedisSettings(ssl=settings.redis().startswith("rediss:"), **{name: value for name, value in named.items() if name})


if __name__ == "__main__":
    sys.exit(main())
