"""What an operator learns of the audit trail and of requests, and by which exit code."""

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.errors import OperatorError
from app.operator import OPERATOR, import_file, list_requests, verify_trail
from app.settings import Settings
from db.engines import Viewer
from domains.core.audit import Action
from domains.flows.audit_trail import open_trail
from domains.flows.data_requests import request_deletion, request_export
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.domains.audit.trail import settle, told
from tests.domains.flows.test_audit_trail import LOGS, restored


@pytest.fixture
async def robin(services: Services, make_user: MakeUser) -> Viewer:
    """Somebody with three entries."""
    viewer = replace(await make_user(), origin=OPERATOR)
    trail = await open_trail(services, viewer)
    async with services.db.write("user", viewer) as session:
        for _ in range(3):
            await trail.note(session, Action.USER_LOGIN)
    await settle(services, viewer.user_id)
    return viewer


def email(viewer: Viewer) -> str:
    return f"{viewer.user_id}@example.com"


async def test_a_trail_that_holds(settings: Settings, robin: Viewer) -> None:
    assert await verify_trail(settings, email(robin)) == "1 chain holds"
    assert (await verify_trail(settings)).endswith(" chains hold")


async def test_a_trail_that_does_not_hold_is_told_by_its_first_place(settings: Settings, robin: Viewer, servers: Any) -> None:
    async with restored(servers, robin.user_id) as connection:
        await connection.execute(f"delete from {LOGS} where user_id = $1 and sequence > 1", robin.user_id)
        place = f"user {robin.user_id}: entry 2: the entry is missing, and so is all after it up to 3"

        with pytest.raises(OperatorError) as of_one:
            await verify_trail(settings, email(robin))
        with pytest.raises(OperatorError) as of_all:
            await verify_trail(settings)

    assert str(of_one.value).splitlines() == ["1 of 1 chains of the audit trail do not hold.", place]
    assert place in str(of_all.value).splitlines()


async def test_the_exit_code_tells(environment: dict[str, str], robin: Viewer, servers: Any) -> None:
    async def verify() -> tuple[int | None, str, str]:
        command = (sys.executable, "-m", "app.cli", "audit", "verify", "--email", email(robin))
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=-1, stderr=-1)
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    code, out, _ = await verify()
    async with restored(servers, robin.user_id) as connection:
        await connection.execute(f"update {LOGS} set user_agent = 'x' where user_id = $1 and sequence = 2", robin.user_id)
        bad_code, bad_out, bad_err = await verify()

    assert (code, out) == (0, "1 chain holds\n")
    assert (bad_code, bad_out) == (1, "")
    assert f"user {robin.user_id}: entry 2: the entry is not what was written" in bad_err
    assert "Traceback" not in bad_err


async def test_open_requests_are_listed(settings: Settings, services: Services, robin: Viewer) -> None:
    export = await request_export(services, robin, "csv", "k")
    deletion = await request_deletion(services, robin, "Moving\non.", "k")

    lines = [line for line in (await list_requests(settings)).splitlines() if email(robin) in line]

    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert [line.split("  ")[1:] for line in lines] == [
        ["export", str(export), email(robin), "pending", "csv"],
        ["deletion", str(deletion), email(robin), "pending", "Moving on."],
    ]
    assert all(line.startswith(today) for line in lines)


async def test_what_the_operator_imports_is_told_to_its_user(settings: Settings, services: Services, robin: Viewer, tmp_path: Any) -> None:
    file = tmp_path / "november.csv"
    file.write_text("Date,Description,Amount\n2026-11-02,COFFEE,-3.50\n")

    await import_file(settings, file, email(robin))

    *_, entry = await told(services, robin)
    assert (entry["action"], entry["service_name"]) == ("STATEMENT_IMPORTED", "cli")
    assert entry["metadata"] == {"accounts": 1, "added": 1, "updated": 0, "unchanged": 0}
