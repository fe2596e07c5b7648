"""A file that is broken anywhere is refused whole: its line is named, and nothing of it stays, whichever way it came."""

from pathlib import Path

import pytest

from tests.e2e import rows
from tests.e2e.conftest import MakePerson
from tests.e2e.forks import Forks
from tests.e2e.people import Person
from tests.e2e.processes import Machine, Running
from tests.e2e.statements import COFFEE, GROCER, first_statement, statement, today
from tests.servers.everywhere import Everywhere

BROKEN = statement([(today(), COFFEE, "-4.50"), (today(), GROCER, "-95.50"), (today(), COFFEE, "-4.50")]).replace(b"-95.50", b"-95.five")
(LINE,) = [number for number, line in enumerate(BROKEN.splitlines(), start=1) if b"-95.five" in line]


@pytest.fixture
async def robin(api: Running, make_person: MakePerson, forks: Forks, tmp_path: Path) -> Person:
    """Somebody who has imported a good file before."""
    person = await make_person(api)
    file = tmp_path / "good.ofx"
    file.write_bytes(first_statement())
    assert (await forks.florin("import", str(file), "--email", person.email)).code == 0
    return person


async def test_over_the_api_a_broken_file_is_a_typed_error_with_its_line_and_nothing_stays(robin: Person, superuser: Everywhere) -> None:
    before = await rows.counts(superuser)

    payload = await robin.import_statement(BROKEN)

    assert payload["statementImport"] is None
    (error,) = payload["errors"]
    assert (error["__typename"], error["code"], error["line"]) == ("StatementRejected", "STATEMENT_REJECTED", LINE)
    assert error["message"] == f"Line {LINE}: {error['reason']}"
    assert "-95.five" in error["reason"]
    assert await rows.counts(superuser) == before


async def test_on_the_command_line_a_broken_file_is_one_message_and_exit_code_1_and_nothing_stays(
    machine: Machine, robin: Person, superuser: Everywhere, tmp_path: Path
) -> None:
    file = tmp_path / "broken.ofx"
    file.write_bytes(BROKEN)
    before = await rows.counts(superuser)

    command = await machine.florin("import", str(file), "--email", robin.email)

    assert (command.code, command.out) == (1, "")
    assert f"florin: broken.ofx: Line {LINE}: " in command.err
    assert "Traceback" not in command.err
    assert await rows.counts(superuser) == before
