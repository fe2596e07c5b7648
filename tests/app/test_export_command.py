"""florin export: the same copy, made by the operator for somebody."""

import stat
from pathlib import Path

import pytest

from app.errors import OperatorError
from app.operator import export_data
from app.settings import Settings
from db.engines import Viewer
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.domains.audit.exports import ask, rows_in, unpacked
from tests.domains.audit.trail import told


@pytest.fixture
async def robin(make_user: MakeUser) -> Viewer:
    return await make_user()


def email(viewer: Viewer) -> str:
    return f"{viewer.user_id}@example.com"


async def test_the_file_is_the_operators_alone_and_the_user_is_told(
    settings: Settings, services: Services, robin: Viewer, tmp_path: Path
) -> None:
    file = tmp_path / "robin.zip"

    said = await export_data(settings, email(robin), file)

    assert said == f"{file.stat().st_size:,} bytes in {file}"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    [user] = rows_in(unpacked(file.read_bytes()))["user/users"]
    assert user["email"] == email(robin)
    entries = [(entry["action"], entry["service_name"]) for entry in await told(services, robin)]
    assert entries == [("DATA_EXPORT_REQUESTED", "cli"), ("DATA_EXPORTED", "cli"), ("DATA_EXPORT_DOWNLOADED", "cli")]


async def test_it_may_be_done_as_often_as_needed(settings: Settings, robin: Viewer, tmp_path: Path) -> None:
    for number in range(4):
        await export_data(settings, email(robin), tmp_path / f"{number}.zip", "csv")

    assert "user/users.csv" in unpacked((tmp_path / "3.zip").read_bytes())


async def test_a_file_that_is_there_stays_as_it_is(settings: Settings, services: Services, robin: Viewer, tmp_path: Path) -> None:
    file = tmp_path / "robin.zip"
    file.write_text("mine")

    with pytest.raises(OperatorError, match="is there already"):
        await export_data(settings, email(robin), file)
    with pytest.raises(OperatorError, match="cannot be written"):
        await export_data(settings, email(robin), tmp_path / "nowhere" / "robin.zip")

    assert file.read_text() == "mine"
    assert await told(services, robin) == []


async def test_while_a_request_is_open_there_is_no_second_one_and_no_file(
    settings: Settings, services: Services, robin: Viewer, tmp_path: Path
) -> None:
    await ask(services, robin)
    file = tmp_path / "robin.zip"

    with pytest.raises(OperatorError, match="florin requests"):
        await export_data(settings, email(robin), file)
    with pytest.raises(OperatorError, match="No active account"):
        await export_data(settings, "nobody@example.com", file)

    assert not file.exists()
