"""What a job's topic does: `@task` registers a handler, `Job` is what the handler is given.

    @task("bank.sync", retry_on=(ProviderUnavailable,), max_attempts=8, lease_s=60)
    async def sync_connection(job: Job, connection_id: UUID) -> None: ...

A handler takes ids, from the payload of its row, by name. It must survive running twice, and a stop after any line: whatever it
does last, it does in one transaction with `job.finish(session)`. One that has no last transaction may return without.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from db import jobs
from db.base import DOMAINS
from db.engines import SystemSession, Viewer
from db.jobs import MAX_ATTEMPTS, Claim
from domains.flows.services import Services

Handler = Callable[..., Awaitable[None]]

LEASE_S: Final = 60.0
#: A handler that hangs must end too; long work is many jobs.
TIMEOUT_S: Final = 15 * 60.0
HOURLY: Final = timedelta(hours=1)
DAILY: Final = timedelta(days=1)

#: How a handler's parameter is read from JSON. Ids and small numbers only: what a job is about is in its tables.
_READERS: Final[Mapping[Any, Callable[[Any], Any]]] = {UUID: UUID, str: str, int: int}


@dataclass(frozen=True, slots=True)
class Task:
    """A topic, its handler and its limits.

    retry_on: exceptions that say "the same may succeed later"; they are retried without being reported as bugs.
    every, domains: upkeep that the scheduler requests, and in which domains' tables.
    outlives_user: it runs for a user who is gone by now too, whose settings are then not known.
    """

    topic: str
    handler: Handler
    arguments: Mapping[str, Callable[[Any], Any]]
    retry_on: tuple[type[Exception], ...]
    max_attempts: int
    lease_s: float
    timeout_s: float
    every: timedelta | None
    domains: tuple[str, ...]
    outlives_user: bool = False

    def read(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The handler's arguments. Errors: KeyError, ValueError for a payload of another shape."""
        return {name: reader(payload[name]) for name, reader in self.arguments.items()}


_tasks: dict[str, Task] = {}


def task(
    topic: str,
    *,
    retry_on: tuple[type[Exception], ...] = (),
    max_attempts: int = MAX_ATTEMPTS,
    lease_s: float = LEASE_S,
    timeout_s: float = TIMEOUT_S,
    every: timedelta | None = None,
    domains: tuple[str, ...] = (),
    outlives_user: bool = False,
) -> Callable[[Handler], Handler]:
    """Register the handler of a topic. With `every` it is upkeep, requested once per tick in each of `domains`.

    Errors: ValueError for a topic that is taken or a parameter that is not an id.
    """
    if every is not None and (not domains or not set(domains) <= set(DOMAINS)):
        raise ValueError(f"{topic}: name the domains whose upkeep this is, of {', '.join(DOMAINS)}")

    def register(handler: Handler) -> Handler:
        if topic in _tasks:
            raise ValueError(f"{topic} has a handler: {_tasks[topic].handler.__qualname__}")
        readers = _readers(topic, handler)
        _tasks[topic] = Task(topic, handler, readers, retry_on, max_attempts, lease_s, timeout_s, every, domains, outlives_user)
        return handler

    return register


def _readers(topic: str, handler: Handler) -> dict[str, Callable[[Any], Any]]:
    _, *parameters = inspect.signature(handler, eval_str=True).parameters.values()
    for parameter in parameters:
        if parameter.annotation not in _READERS:
            raise ValueError(f"{topic}: {parameter.name} must be a UUID, str or int")
    return {parameter.name: _READERS[parameter.annotation] for parameter in parameters}


def load_tasks() -> Mapping[str, Task]:
    """Every task of this package, by topic: a file dropped here is found, and no file needs to know the others."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")
    return dict(_tasks)


class Job:
    """A claimed job, while its handler runs. What flows know of it is `domains.flows.services.Job`."""

    def __init__(self, services: Services, claim: Claim, viewer: Viewer | None) -> None:
        self.services = services
        self.is_finished = False
        self._claim = claim
        self._viewer = viewer

    @property
    def id(self) -> UUID:
        return self._claim.id

    @property
    def domain(self) -> str:
        """Whose table holds the row: the domain of the change that caused it."""
        return self._claim.domain

    @property
    def topic(self) -> str:
        return self._claim.topic

    @property
    def key(self) -> str:
        return self._claim.key

    @property
    def payload(self) -> dict[str, Any]:
        return self._claim.payload

    @property
    def attempt(self) -> int:
        """From 1."""
        return self._claim.attempt

    @property
    def created_at(self) -> datetime:
        """When it was asked for: the instant of the change that caused it, by the database's clock."""
        return self._claim.created_at

    @property
    def user_id(self) -> UUID | None:
        """Whose it is; None for what is nobody's."""
        return self._claim.user_id

    @property
    def viewer(self) -> Viewer:
        """On whose behalf it runs. Errors: RuntimeError for upkeep, which is nobody's."""
        if self._viewer is None:
            raise RuntimeError(f"{self.topic} is upkeep: it has no viewer")
        return self._viewer

    def system(self, domain: str | None = None) -> AbstractAsyncContextManager[SystemSession]:
        """A session without a viewer, for upkeep; in the job's own domain unless another is named."""
        return self.services.db.system(domain or self.domain)

    @property
    def run(self) -> int:
        """Which run of the job this is: later ones have greater numbers, also where an attempt was given back."""
        return self._claim.lease_token

    async def check(self, session: SystemSession) -> None:
        """Make sure, in a transaction of the job's own domain, that nobody else has taken it over. Errors: LeaseLost."""
        await jobs.check(session, self._claim)

    async def finish(self, session: SystemSession) -> None:
        """Mark the job done in the transaction of its last effect, in the job's own domain. Errors: LeaseLost."""
        await jobs.finish(session, self._claim)
        self.is_finished = True
