"""Jobs of the nights: what need not be kept goes, orphans go, and partitions that are over and empty."""

from datetime import timedelta
from typing import Final

from db.engines import Origin
from domains.flows.apply_retention import apply_retention
from domains.flows.drop_partitions import drop_partitions
from domains.flows.sweep_orphans import sweep_orphans
from workers.task import DAILY, Job, task

WORKER: Final = Origin("worker")
#: The first night of a large installation is long; what it leaves is for the next.
NIGHT_S: Final = timedelta(hours=6).total_seconds()


@task("retention.apply", every=DAILY, domains=("audit",), timeout_s=NIGHT_S)
async def apply(job: Job) -> None:
    """Where the operator wants it: FLORIN_RETENTION."""
    if job.services.options.applies_retention:
        await apply_retention(job.services, WORKER)


@task("retention.sweep_orphans", every=DAILY, domains=("analytics",), timeout_s=NIGHT_S)
async def sweep(job: Job) -> None:
    await sweep_orphans(job.services, WORKER)


@task("retention.drop_partitions", every=DAILY, domains=("transaction",))
async def drop_empty_partitions(job: Job) -> None:
    """Behind the calendar; ahead of it their own domains make them."""
    await drop_partitions(job.services, WORKER)
