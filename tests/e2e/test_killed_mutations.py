"""An API process that dies in the middle of a mutation: the client asks again with the same key, and it has happened once."""

import signal
from pathlib import Path

import httpx
import pytest

from tests.e2e import rows
from tests.e2e.conftest import MakePerson
from tests.e2e.die_at import Fault
from tests.e2e.forks import Forks
from tests.e2e.people import Person
from tests.e2e.processes import Running, free_port, until_ready
from tests.e2e.statements import first_statement
from tests.servers.everywhere import Everywhere

#: Around storing the budget, around its commit, and around computing its figures, which another transaction stores.
FAULTS = [Fault(step, when) for step in ("create_budget", "commit:1", "refold_held") for when in ("before", "after")]


async def somebody(api: Running, forks: Forks, make_person: MakePerson, folder: Path) -> Person:
    """A person who has spent $104.50 on food this month."""
    person = await make_person(api)
    file = folder / "november.ofx"
    file.write_bytes(first_statement())
    assert (await forks.florin("import", str(file), "--email", person.email)).code == 0
    return person


async def kill_at(fault: Fault, forks: Forks, person: Person) -> None:
    """Have an API process die while it makes a budget for food."""
    port = free_port()
    dying = forks.start("serve", "--port", str(port), fault=fault)
    url = f"http://127.0.0.1:{port}"
    await until_ready(url, dying)
    with pytest.raises(httpx.TransportError):
        await person.at(url).create_budget("Food", "Food and drink", "200.00", key="one tap")
    assert (await dying.ended()).code == -signal.SIGKILL


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_budget_is_made_once_by_asking_again(
    fault: Fault, api: Running, forks: Forks, make_person: MakePerson, tmp_path: Path
) -> None:
    robin = await somebody(api, forks, make_person, tmp_path)

    await kill_at(fault, forks, robin)
    payloads = [await robin.create_budget("Food", "Food and drink", "200.00", key="one tap") for _ in range(2)]

    assert payloads[0] == payloads[1]
    made = payloads[0]["budget"]
    assert made["utilization"]["amountSpent"] == {"amount": "104.50", "currency": "USD"}
    assert made["utilization"]["amountRemaining"] == {"amount": "95.50", "currency": "USD"}
    assert [each["id"] for each in await robin.budgets()] == [made["id"]]


async def test_whoever_listens_hears_of_what_was_committed_even_if_nobody_asks_again(
    api: Running, forks: Forks, make_person: MakePerson, superuser: Everywhere, tmp_path: Path
) -> None:
    """The event and the figures wait as rows: a worker tells of the one and computes the others."""
    robin = await somebody(api, forks, make_person, tmp_path)

    async with robin.listening() as socket:
        await kill_at(Fault("commit:1", "after"), forks, robin)
        await rows.set_leases(superuser, "-1 second")
        worker = forks.start("worker")
        told = [await socket.next()]
        while told[-1]["utilization"]["amountSpent"]["amount"] != "104.50":
            told.append(await socket.next())
        worker.process.terminate()
        assert (await worker.ended()).code == 0

    assert await robin.budgets() == [told[-1]]
    assert [each["utilization"]["version"] for each in told] == sorted({each["utilization"]["version"] for each in told})
