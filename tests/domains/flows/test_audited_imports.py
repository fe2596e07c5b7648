"""An import leaves one entry, however it ends."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import func, text

from db import jobs
from db.engines import Viewer
from db.jobs import JobRef
from domains.bank.providers.file.options import FileOptions
from domains.bank.service import import_statements as service
from domains.flows.import_statement import request_import
from domains.flows.services import Services
from domains.flows.uploads import store_upload
from tests.conftest import MakeUser
from tests.domains.audit.trail import entries, told
from tests.workers.conftest import change, row_of
from workers.runner import JobRunner
from workers.task import load_tasks

STATEMENT = b"Date,Description,Amount\n2026-11-02,COFFEE CORNER,-3.50\n2026-11-03,SALARY NOVEMBER,2500.00\n"


@dataclass(frozen=True)
class Asked:
    upload_id: UUID
    import_id: UUID
    job: JobRef


async def ask(services: Services, viewer: Viewer) -> Asked:
    upload_id = await store_upload(services, viewer, STATEMENT, "november.csv", None)
    import_id = await request_import(services, viewer, upload_id, FileOptions(currency="USD"), str(uuid4()))
    table = jobs.jobs_table("bank")
    async with services.db.system("bank") as session:
        found = await session.execute(table.select().where(table.c.topic == "bank.import", table.c.key == str(import_id)))
        return Asked(upload_id, import_id, JobRef("bank", found.one().id, 0))


async def test_an_import_tells_its_counts_once(services: Services, make_user: MakeUser) -> None:
    viewer = await make_user()
    asked = await ask(services, viewer)
    runner = JobRunner(services, load_tasks())

    await runner.run(asked.job, "bank.import")
    await change(services.db, asked.job.id, "bank", state="queued", finished_at=None)
    await runner.run(JobRef("bank", asked.job.id, 1), "bank.import")

    about = {"service_name": "worker", "resource_type": "StatementImport", "resource_id": str(asked.import_id)}
    counts = {"accounts": 1, "added": 2, "updated": 0, "unchanged": 0}
    assert await told(services, viewer) == [{"action": "STATEMENT_IMPORTED", **about, "metadata": counts}]
    assert [entry.correlation_id for entry in await entries(services, viewer.user_id)] == [asked.job.id]


async def test_an_import_that_fails_tells_why(services: Services, make_user: MakeUser) -> None:
    viewer = await make_user()
    asked = await ask(services, viewer)
    async with services.db.system("bank") as session:
        await session.execute(text("delete from bank_schema.uploads where id = :id"), {"id": asked.upload_id})

    await JobRunner(services, load_tasks()).run(asked.job, "bank.import")

    [entry] = await told(services, viewer)
    assert (entry["action"], entry["metadata"]) == ("STATEMENT_IMPORT_FAILED", {"code": "UPLOAD_NOT_FOUND"})


async def test_an_import_that_is_given_up_tells_so_once(services: Services, make_user: MakeUser) -> None:
    viewer = await make_user()
    asked = await ask(services, viewer)
    await change(services.db, asked.job.id, "bank", state="dead", finished_at=func.now())
    for _ in range(2):
        async with services.db.write("bank", viewer) as session:
            key, payload = str(uuid4()), {"import_id": str(asked.import_id)}
            job_id = await jobs.add(session, service.CLOSE_IMPORT, key=key, payload=payload)
        await JobRunner(services, load_tasks()).run(JobRef("bank", job_id, 0), service.CLOSE_IMPORT)
        assert (await row_of(services.db, job_id, "bank")).state == "done"

    assert [(entry["action"], entry["metadata"]) for entry in await told(services, viewer)] == [
        ("STATEMENT_IMPORT_FAILED", {"code": "STATEMENT_IMPORT_GIVEN_UP"})
    ]
