"""The trail as tests want it: jobs run at once, entries read and opened, rows tampered with."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from db.audit.models import audit_logs
from db.base import DOMAINS, jobs_table
from db.engines import Viewer
from db.jobs import JobRef
from domains.audit.sealing import open_text, open_values
from domains.core.audit import RECORD
from domains.flows.services import Services
from workers.runner import JobRunner
from workers.task import load_tasks


async def waiting(services: Services, user_id: UUID | None) -> list[JobRef]:
    """Entries of a user (or of nobody) on their way into the trail, the oldest first."""
    found: list[tuple[Any, JobRef]] = []
    for domain in DOMAINS:
        jobs = jobs_table(domain)
        live = select(jobs).where(jobs.c.topic == RECORD, jobs.c.user_id.is_not_distinct_from(user_id), jobs.c.state == "queued")
        async with services.db.system(domain) as session:
            rows = (await session.execute(live)).all()
        found += [(row.created_at, JobRef(domain, row.id, row.lease_token)) for row in rows]
    return [ref for _, ref in sorted(found, key=lambda each: each[0])]


async def settle(services: Services, user_id: UUID | None) -> None:
    """Do what a worker would: write what waits."""
    runner = JobRunner(services, load_tasks())
    for ref in await waiting(services, user_id):
        await runner.run(ref, RECORD)


async def entries(services: Services, user_id: UUID | None) -> list[Any]:
    """The rows of a chain in its order."""
    async with services.db.system("audit") as session:
        found = select(audit_logs).where(audit_logs.c.user_id.is_not_distinct_from(user_id)).order_by(audit_logs.c.sequence)
        return list((await session.execute(found)).all())


async def told(services: Services, viewer: Viewer) -> list[dict[str, Any]]:
    """What the trail tells of a user, in the order of the chain, opened."""
    await settle(services, viewer.user_id)
    key = await services.cipher.key_of(viewer.user_id, make=True)
    opened: list[dict[str, Any]] = []
    for row in await entries(services, viewer.user_id):
        said = {name: getattr(row, name) for name in ("action", "service_name", "resource_type", "resource_id", "request_id")}
        for reads, names in ((open_text, ("ip_address", "user_agent")), (open_values, ("old_values", "new_values", "metadata"))):
            said |= {name: reads(key, name, stored) for name in names if (stored := row._mapping[name]) is not None}
        opened.append({name: value for name, value in said.items() if value is not None})
    return opened
