"""Run a `florin` command that comes to grief at a step, without a word of it in the program itself:

    python -m tests.e2e.die_at apply_batch after kill -- import statement.ofx --email robin@example.com

`kill` is SIGKILL to the own process, before the step begins or after it has returned; `cut` ends the database's side of the
step's connection (E2E_SUPERUSER_DSN), as when Postgres restarts. A commit is a step too, counted from 1: `commit:3`.
"""

import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import asyncpg

#: Step -> the names that callers know it by.
STEPS: Mapping[str, tuple[str, ...]] = {
    "store_upload": ("domains.bank.service.import_statements.store_upload",),
    "request_import": ("domains.bank.service.import_statements.request_import",),
    "begin_import": ("domains.bank.service.import_statements.begin_import",),
    "place_accounts": ("domains.flows.import_statement.place_accounts",),
    "begin_sync": ("domains.bank.service.sync_connections.begin_sync",),
    "fetch": ("domains.flows.sync_connection._fetch",),
    "page_fetched": ("domains.flows.sync_connection._Listener.page_fetched",),
    "place_linked_accounts": ("domains.flows.sync_connection.place_linked_accounts",),
    "apply_batch": ("domains.flows.import_statement.apply_batch", "domains.flows.sync_connection.apply_batch"),
    "record_outcome": ("db.jobs.record_outcome",),
    "refold_held": (
        "domains.flows.import_statement.refold_held",
        "domains.flows.sync_connection.refold_held",
        "domains.flows.change_budgets.refold_held",
    ),
    "finish_sync": ("domains.bank.service.sync_connections.finish_sync",),
    "run_sync": ("domains.flows.sync_connection.run_sync",),
    "complete_import": ("domains.bank.service.import_statements.complete_import",),
    "finish": ("db.jobs.finish",),
    "run_import": ("domains.flows.import_statement.run_import", "workers.bank.run_import"),
    "create_budget": ("domains.budget.service.change_budgets.create_budget",),
}
#: `finish` ends every kind of job: those that are meant.
MEANT = ("bank.import", "bank.sync")


@dataclass(frozen=True, slots=True)
class Fault:
    step: str
    when: str
    what: str = "kill"

    def __str__(self) -> str:
        return f"{self.what} {self.when} {self.step}"


def prepare(fault: Fault) -> None:
    """Have this process meet the fault when it gets there."""
    step, _, number = fault.step.partition(":")
    if step == "commit":
        _wrap("db.engines.WriteSession.commit", fault, _nth(int(number)))
    for path in STEPS.get(step, ()):
        _wrap(path, fault, _is_meant)


def _wrap(path: str, fault: Fault, is_meant: Callable[..., bool]) -> None:
    """Grief comes once: the second attempt of a process that outlives it goes well."""
    owner_path, _, name = path.rpartition(".")
    owner = pkgutil.resolve_name(owner_path)
    real = getattr(owner, name)
    met = False

    @wraps(real)
    async def faulty(*args: Any, **kwargs: Any) -> Any:
        nonlocal met
        if met or not is_meant(*args):
            return await real(*args, **kwargs)
        met = True
        if fault.when == "before":
            await _strike(fault, args[0])
        answer = await real(*args, **kwargs)
        if fault.when == "after":
            await _strike(fault, args[0])
        return answer

    setattr(owner, name, faulty)


def _is_meant(*args: Any) -> bool:
    """Whether this call is the step: every one is, but a job's end is that of any job."""
    return all(getattr(argument, "topic", MEANT[0]) in MEANT for argument in args[1:2])


def _nth(number: int) -> Callable[..., bool]:
    calls = iter(range(1, sys.maxsize))
    return lambda *_args: next(calls) == number


async def _strike(fault: Fault, session: Any) -> None:
    if fault.what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    from sqlalchemy import text

    pid = (await session.execute(text("select pg_backend_pid()"))).scalar_one()
    superuser = await asyncpg.connect(os.environ["E2E_SUPERUSER_DSN"])
    await superuser.execute("select pg_terminate_backend($1, 5000)", pid)
    await superuser.close()


def florin(arguments: Sequence[str], variables: Mapping[str, str], fault: Fault | None, out: Path, err: Path) -> None:
    """A `florin` command in this process: what a child that was forked with all code loaded does."""
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    os.environ.clear()
    os.environ.update(variables)
    run(arguments, fault)


def run(arguments: Sequence[str], fault: Fault | None) -> None:
    from app.cli import main

    if fault is not None:
        prepare(fault)
    sys.argv = ["florin", *arguments]
    main()


if __name__ == "__main__":
    step, when, what, _, *command = sys.argv[1:]
    run(command, Fault(step, when, what))
