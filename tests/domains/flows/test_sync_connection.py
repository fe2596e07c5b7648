"""A connection is fetched from, and what its bank has to tell is in once, whatever comes to grief in between."""

from domains.flows.services import Services
from tests.banks import ToldBank, account, connection_of, history, link, movement, sync, with_banks
from tests.conftest import MakeUser


async def test_what_a_bank_tells_is_in_and_again_changes_nothing(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1), movement(2)])])
    banked = with_banks(services, bank)
    connection_id = await link(banked, robin)

    await sync(banked, robin)

    found = await connection_of(banked, robin, connection_id)
    assert (found["status"], found["sync_cursor"], found["last_sync_status"], found["sync_failures"]) == ("active", "1", "success", 0)
    assert await history(banked, robin) == [("manual", "success", "done", 2, 2, 0, 0, None)]
