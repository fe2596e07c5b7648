"""Partitions ahead of the calendar and behind it: made before they are needed, dropped when they are over and empty.

There is no default partition: a row that no partition takes is refused, and its statement makes the partition first.
"""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from db.audit import queries as audit
from db.engines import Origin
from db.transaction.queries import batches, closing
from db.transaction.queries.closing import Partition
from domains.audit.service.keep_trail import ensure_months, months_ahead
from domains.core.audit import Action
from domains.flows.audit_trail import open_nobodys_trail
from domains.flows.retention_policies import TRANSACTIONS
from domains.flows.services import Services


@dataclass(frozen=True, slots=True)
class Partitions:
    """`ahead`: what is missing of this year and the next, and of the audit trail's next months; `behind`: what is over and empty."""

    ahead: list[str]
    behind: list[str]


async def plan_partitions(services: Services) -> Partitions:
    """What `keep_partitions` would make and drop. Changes nothing."""
    today = services.clock.now().date()
    async with services.db.system("transaction") as session:
        present = await closing.list_partitions(session)
        over = [each.name for each in _over(services, present) if not await closing.has_rows(session, each)]
    async with services.db.system("audit") as session:
        months = set(await audit.list_months(session))
    # a hypertable makes its chunks with their first rows
    years = {each.first_day.year for each in present if each.name == f"transactions_y{each.first_day.year}"}
    missing = [f"transactions of {year}" for year in (today.year, today.year + 1) if years and year not in years]
    missing += [f"audit logs of {month:%Y-%m}" for month in months_ahead(today) if month not in months]
    return Partitions(missing, over)


async def keep_partitions(services: Services, origin: Origin) -> Partitions:
    """Make what is missing ahead, drop what is over and empty."""
    planned = await plan_partitions(services)
    today = services.clock.now().date()
    async with services.db.system("transaction") as session:
        await batches.ensure_partitions(session, [today.year, today.year + 1])
    async with services.db.system("audit") as session:
        await ensure_months(session, today)
    return Partitions(planned.ahead, await drop_partitions(services, origin))


async def drop_partitions(services: Services, origin: Origin) -> list[str]:
    """Drop the parts of transactions that are over and empty, each in a transaction with its entry; answers their names.

    Errors: DatabaseBusy, when others read or write transactions for too long: those behind them must not wait for us.
    """
    dropped = []
    async with services.db.system("transaction") as session:
        over = _over(services, await closing.list_partitions(session))
    for partition in over:
        async with services.db.system("transaction") as session:
            # a look without a lock: nobody waits for one that is not empty
            if await closing.has_rows(session, partition) or not await closing.drop_empty(session, partition):
                continue
            await open_nobodys_trail(origin).note(
                session, Action.TRANSACTION_PARTITION_DROPPED, resource_type="Transaction", resource_id=partition.name
            )
        dropped.append(partition.name)
    return dropped


async def list_droppable(services: Services, held: Collection[UUID]) -> list[str]:
    """The parts of transactions that are over and have no row of these users."""
    async with services.db.system("transaction") as session:
        over = _over(services, await closing.list_partitions(session))
        return [each.name for each in over if not await closing.has_rows(session, each, held)]


def _over(services: Services, partitions: list[Partition]) -> list[Partition]:
    until = TRANSACTIONS.cutoff(services.clock.now()).date()
    return [each for each in partitions if each.end_day <= until]
