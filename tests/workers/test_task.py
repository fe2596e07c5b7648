import importlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from db.base import DOMAINS
from db.jobs import DONE_KEPT
from workers import task as registry
from workers.task import HOURLY, Job, load_tasks, task


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    load_tasks()
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))


def test_every_topic_names_the_file_that_runs_it() -> None:
    tasks = load_tasks()

    assert {"bank.import", "budget.refold", "transaction.ensure_partitions", "bank.purge_uploads", "upkeep.purge"} <= set(tasks)
    for topic, found in tasks.items():
        module = f"workers.{topic.split('.')[0]}"
        assert found.handler.__module__ == module, topic
        importlib.import_module(module)


def test_upkeep_comes_round_before_its_done_rows_are_purged() -> None:
    periods = {topic: found.every for topic, found in load_tasks().items() if found.every is not None}

    bank = {"bank.find_abandoned_imports", "bank.purge_uploads"}
    assert set(periods) >= {*bank, "audit.ensure_months", "budget.roll_over", "transaction.ensure_partitions", "upkeep.purge"}
    assert max(periods.values()) <= DONE_KEPT / 2
    assert load_tasks()["upkeep.purge"].domains == DOMAINS


def test_a_handler_takes_ids_by_name() -> None:
    @task("test.ids")
    async def handler(job: Job, import_id: UUID, count: int) -> None: ...

    found = registry._tasks["test.ids"]
    import_id = "0b8f2a34-9a8e-4f7b-8a51-0f6f7c0c7a10"

    assert found.read({"import_id": import_id, "count": "2", "other": 1}) == {"import_id": UUID(import_id), "count": 2}
    with pytest.raises(KeyError):
        found.read({"count": 2})
    with pytest.raises(ValueError):
        found.read({"import_id": "1", "count": 2})


def test_anything_but_ids_is_refused() -> None:
    async def handler(job: Job, statement: dict[str, Any]) -> None: ...

    with pytest.raises(ValueError, match="statement must be"):
        task("test.rows")(handler)


def test_a_topic_has_one_handler() -> None:
    async def handler(job: Job) -> None: ...

    with pytest.raises(ValueError, match="has a handler"):
        task("budget.refold")(handler)


@pytest.mark.parametrize("domains", [(), ("auth",)])
def test_upkeep_names_its_domains(domains: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="name the domains"):
        task("test.upkeep", every=HOURLY, domains=domains)


def test_limits_are_kept_as_declared() -> None:
    @task("test.limits", retry_on=(OSError,), max_attempts=3, lease_s=5, timeout_s=7, every=timedelta(hours=2), domains=("bank",))
    async def handler(job: Job) -> None: ...

    found = registry._tasks["test.limits"]

    assert (found.retry_on, found.max_attempts, found.lease_s, found.timeout_s) == ((OSError,), 3, 5, 7)
    assert (found.every, found.domains) == (timedelta(hours=2), ("bank",))
