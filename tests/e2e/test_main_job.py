"""The main job from end to end: a bank's file moves a budget, and whoever watches sees it move, whichever process did it."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MakePerson
from tests.e2e.people import BUDGET_UPDATE, Person
from tests.e2e.processes import Machine, Running
from tests.e2e.statements import OTHER_GROCER, first_statement, statement, today

TRANSACTION_UPDATE = """mutation($input: TransactionUpdateInput!) { transactionUpdate(input: $input) {
    transaction { id category { displayName } } errors { code message } } }"""


@pytest.fixture(scope="module")
def worker(machine: Machine) -> Running:
    return machine.start_worker()


def figures(budget: dict[str, Any]) -> tuple[str, str, str, bool]:
    """Spent, remaining, percentage, exceeded."""
    of = budget["utilization"]
    return of["amountSpent"]["amount"], of["amountRemaining"]["amount"], of["percentageUsed"], of["isExceeded"]


def version(budget: dict[str, Any]) -> int:
    return int(budget["utilization"]["version"])


async def move_groceries(robin: Person, category: str) -> None:
    """Give this month's groceries another category."""
    (groceries,) = [each for each in await robin.transactions() if each["amount"]["amount"] == "95.50"]
    answer = await robin.ask(TRANSACTION_UPDATE, input={"id": groceries["id"], "category": await robin.category(category)})
    assert answer["transactionUpdate"] == {"transaction": {"id": groceries["id"], "category": {"displayName": category}}, "errors": []}


async def test_a_statement_moves_a_budget_and_a_socket_sees_each_change_from_any_process(
    machine: Machine, api: Running, worker: Running, make_person: MakePerson, tmp_path: Path
) -> None:
    robin = await make_person(api)
    budget_id = (await robin.create_budget("Food", "Food and drink", "200.00"))["budget"]["id"]
    more = tmp_path / "more.ofx"
    more.write_bytes(statement([(today(), OTHER_GROCER, "-250.00")], first_id=9))

    async with robin.listening() as socket:
        snapshot = await socket.next()
        assert (snapshot["id"], snapshot["name"]) == (budget_id, "Food")
        assert figures(snapshot) == ("0.00", "200.00", "0.00", False)

        asked = (await robin.import_statement(first_statement()))["statementImport"]
        imported = await socket.next()
        assert figures(imported) == ("104.50", "95.50", "52.25", False)
        assert version(imported) == version(snapshot) + 1
        ended = await robin.until_imported(asked["id"])
        assert ended == {"status": "DONE", "added": 4, "updated": 0, "unchanged": 0, "error": None}

        await move_groceries(robin, "Shopping")
        moved = await socket.next()
        assert figures(moved) == ("9.00", "191.00", "4.50", False)
        assert version(moved) == version(imported) + 1

        command = await machine.florin("import", str(more), "--email", robin.email)
        assert (command.code, command.out) == (0, "added 1, updated 0, unchanged 0\n")
        over = await socket.next()
        assert figures(over) == ("259.00", "-59.00", "129.50", True)
        assert version(over) == version(moved) + 1

        again = (await robin.import_statement(first_statement()))["statementImport"]
        assert await robin.until_imported(again["id"]) == {"status": "DONE", "added": 0, "updated": 0, "unchanged": 4, "error": None}
        command = await machine.florin("import", str(more), "--email", robin.email)
        assert (command.code, command.out) == (0, "added 0, updated 0, unchanged 1\n")
        await robin.ask(BUDGET_UPDATE, input={"id": budget_id, "name": "Meals"})
        renamed = await socket.next()
        assert (renamed["name"], figures(renamed)) == ("Meals", figures(over))
        assert version(renamed) == version(over) + 1  # so the two imports that changed nothing were not told of
        assert socket.arrived.empty()

    assert await robin.budgets() == [renamed]
    assert len(await robin.transactions()) == 5
