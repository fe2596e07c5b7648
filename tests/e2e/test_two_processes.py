"""Two API processes are one API: what happens at one is seen, and holds, at the other."""

import pytest

from tests.e2e.conftest import MakePerson
from tests.e2e.people import Refused
from tests.e2e.processes import UVICORN, Machine, Running


@pytest.fixture(scope="module")
async def other_api(machine: Machine) -> Running:
    """Started the other way that there is."""
    return await machine.start_api(UVICORN)


async def test_a_subscriber_at_one_sees_what_is_changed_at_the_other(api: Running, other_api: Running, make_person: MakePerson) -> None:
    robin, sam = await make_person(api), await make_person(api)

    async with robin.at(other_api.url).listening() as of_robin, sam.at(other_api.url).listening() as of_sam:
        made = (await sam.create_budget("Sam's", "Food and drink", "10.00"))["budget"]
        assert (await of_sam.next())["id"] == made["id"]
        made = (await robin.create_budget("Robin's", "Travel", "500.00"))["budget"]
        told = await of_robin.next()

    assert (told["id"], told["name"]) == (made["id"], "Robin's")
    assert told["utilization"]["amountRemaining"] == {"amount": "500.00"}


async def test_whoever_signs_out_at_one_is_signed_out_at_the_other_and_nobody_else_is(
    api: Running, other_api: Running, make_person: MakePerson
) -> None:
    robin = (await make_person(api)).at(other_api.url)
    phone = await robin.at(other_api.url).sign_in()
    assert await robin.budgets() == []

    assert await robin.at(api.url).ask("mutation { signOut { signedOut errors { code } } }") == {
        "signOut": {"signedOut": True, "errors": []}
    }

    with pytest.raises(Refused) as refused:
        await robin.budgets()
    assert refused.value.codes == ["UNAUTHENTICATED"]
    assert await phone.budgets() == []
