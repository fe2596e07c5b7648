"""`florin rates import`: all of a file or nothing of it, and twice is once."""

import asyncio
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.exc import ProgrammingError

from app.errors import OperatorError
from app.rates import read_file, store_rates
from app.settings import Settings
from db.engines import Db
from domains.transaction.service.exchange_rates import import_rates, rate
from tests.conftest import MakeUser

FILE = "Date,XRA,XRB,\n2026-05-04,2,10,\n2026-05-01,N/A,8,\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "eurofxref-hist.csv", FILE)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


async def test_a_file_is_taken_in_and_again_it_changes_nothing(settings: Settings, db: Db, file: Path) -> None:
    first = await store_rates(settings, read_file(file))
    again = await store_rates(settings, read_file(file))
    write(file, FILE.replace("2026-05-04,2", "2026-05-04,2.5") + "2026-04-30,1,N/A\n")
    newer = await store_rates(settings, read_file(file))

    span = "rates from 2026-05-01 to 2026-05-04"
    assert (first, again) == (f"{span}: 3 added, 0 changed, 0 as they were", f"{span}: 0 added, 0 changed, 3 as they were")
    assert newer == "rates from 2026-04-30 to 2026-05-04: 1 added, 1 changed, 2 as they were"
    async with db.system("transaction") as session:
        found = [await rate(session, "XRA", "XRB", date(2026, 5, day)) for day in (4, 11, 12)]
        assert (found, await rate(session, "XRB", "EUR", date(2026, 5, 3))) == ([Decimal(4), Decimal(4), None], Decimal("0.125"))


async def test_anybody_reads_rates_and_nobody_writes_them(db: Db, settings: Settings, file: Path, make_user: MakeUser) -> None:
    await store_rates(settings, read_file(file))
    viewer = await make_user()

    async with db.write("transaction", viewer) as session:
        assert await rate(session, "EUR", "XRB", date(2026, 5, 1)) == Decimal(8)
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with db.write("transaction", viewer) as session:
            await import_rates(session, read_file(file))


def test_what_is_no_such_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("Date,USD\n2026-05-04,dear\n")
    with pytest.raises(OperatorError, match=r"rates.csv was refused. Line 2 has no rate of USD"):
        read_file(path)
    path.write_bytes(b"Date,USD\n2026-05-04,\xff\n")
    with pytest.raises(OperatorError, match="UTF-8"):
        read_file(path)
    monkeypatch.setattr("app.rates.FILE_AT_MOST", 10)
    with pytest.raises(OperatorError, match="larger than 10 bytes"):
        read_file(path)


async def test_the_command_answers_by_its_exit_code(environment: dict[str, str], file: Path) -> None:
    async def run() -> tuple[int | None, str, str]:
        command = (sys.executable, "-m", "app.cli", "rates", "import", str(file))
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=-1, stderr=-1)
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    code, out, _ = await run()
    write(file, "Date,XRC\n2026-05-04,\n")
    bad_code, bad_out, bad_err = await run()

    assert code == 0
    assert out.startswith("rates from 2026-05-01 to 2026-05-04: ")
    assert (bad_code, bad_out) == (1, "")
    assert "Line 2" in bad_err
    assert "Traceback" not in bad_err
