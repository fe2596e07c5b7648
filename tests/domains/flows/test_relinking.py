"""A bank that is linked again finds the accounts that it had; what is the same account twice is known."""

from typing import Any

import pytest

from db.engines import Viewer
from domains.bank.providers.errors import ReauthenticationRequired
from domains.flows import sync_connection as flow
from domains.flows.remove_connection import remove_connection
from domains.flows.services import Services
from domains.flows.update_transaction import update_transaction
from domains.transaction.service.update_transaction import UpdateTransaction
from tests.banks import ToldBank, account, connection_of, link, movement, run_jobs, sync, with_banks
from tests.conftest import MakeUser
from tests.domains.flows.sync import accounts_of, ids_of, rows_of


async def both(services: Services, viewer: Viewer, bank: ToldBank, again: list[Any]) -> tuple[Any, Any]:
    """Linked, removed, and linked again by another login that lists these accounts; answers both connections."""
    first = await link(services, viewer)
    await sync(services, viewer)
    await remove_connection(services, viewer, first, forgets=False)
    bank.accounts = again
    second = await link(services, viewer)
    await sync(services, viewer)
    return first, second


async def test_an_account_is_found_again_by_what_names_it_for_good(services: Services, make_user: MakeUser) -> None:
    robin = await make_user()
    bank = ToldBank(accounts=[account("Everyday", persistent_id="p-1"), account("Savings", persistent_id="p-2", mask="9999")])
    banked = with_banks(services, bank)
    again = [
        account("Renamed", persistent_id="p-2", mask="0000", provider_account_id="new-2"),
        account("Everyday", persistent_id="p-1", provider_account_id="new-1"),
    ]

    first, second = await both(banked, robin, bank, again)

    found = {each["persistent_id"]: each for each in await accounts_of(banked, robin)}
    assert first != second
    assert {(each["provider_account_id"], each["connection_id"], each["status"]) for each in found.values()} == {
        ("new-1", second, "active"),
        ("new-2", second, "active"),
    }
    assert found["p-2"]["account_name"] == "Savings"  # names that people see stay


async def test_its_history_keeps_our_ids_and_what_its_owner_said(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(transactions=[movement(1), movement(2)])])
    banked = with_banks(services, bank)
    first = await link(banked, robin)
    await sync(banked, robin)
    before = await ids_of(banked, robin)
    await update_transaction(banked, robin, UpdateTransaction(before["t-1"], notes="Mine"))
    await remove_connection(banked, robin, first, forgets=False)

    renamed = [movement(1, provider_transaction_id="n-1"), movement(2, provider_transaction_id="n-2"), movement(3)]
    day = renamed[0].transaction_date
    window = (day.replace(day=1), day.replace(year=day.year + 1))
    bank.accounts = [account(provider_account_id="new", transactions=renamed, window=window)]
    await link(banked, robin)
    await sync(banked, robin)

    after = await ids_of(banked, robin)
    assert {after["n-1"], after["n-2"]} == set(before.values())
    assert set(after) == {"n-1", "n-2", "t-3"}
    assert [row["notes"] for row in await rows_of(banked, robin) if row["id"] == before["t-1"]] == ["Mine"]


@pytest.mark.parametrize(
    "other",
    [
        {"mask": "4321"},
        {"name": "Another"},
        {"account_type": "savings"},
        {"currency": "EUR"},
        {"mask": None},
        {"persistent_id": "other"},
    ],
)
async def test_what_is_not_surely_the_same_account_is_a_new_one(services: Services, make_user: MakeUser, other: dict[str, Any]) -> None:
    robin = await make_user()
    bank = ToldBank(accounts=[account(persistent_id="p-1")])
    banked = with_banks(services, bank)

    _, second = await both(banked, robin, bank, [account(**{"provider_account_id": "new", **other})])

    accounts = await accounts_of(banked, robin)
    assert sorted((each["status"], each["connection_id"] == second) for each in accounts) == [("active", True), ("closed", False)]


async def test_two_alike_are_told_apart_by_nobody(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(provider_account_id="a"), account(provider_account_id="b")])
    banked = with_banks(services, bank)

    await both(banked, robin, bank, [account(provider_account_id="c")])

    assert len(await accounts_of(banked, robin)) == 3


async def test_accounts_of_a_connection_that_works_or_of_another_bank_stay_where_they_are(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank()
    banked = with_banks(services, bank)
    first = await link(banked, robin)
    await sync(banked, robin)
    bank.accounts = [account(provider_account_id="new")]
    await link(banked, robin)
    await sync(banked, robin)
    await remove_connection(banked, robin, first, forgets=False)
    bank.institution_id = "ins_2"
    bank.accounts = [account(provider_account_id="newer")]
    await link(banked, robin)
    await sync(banked, robin)

    assert len(await accounts_of(banked, robin)) == 3


async def test_a_broken_connection_ends_when_another_has_taken_all_its_accounts(services: Services, make_user: MakeUser) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account("One"), account("Two", mask="2222")])
    banked = with_banks(services, bank)
    first = await link(banked, robin)
    await sync(banked, robin)
    bank.failure = ReauthenticationRequired("ITEM_LOGIN_REQUIRED")
    async with banked.db.write("bank", robin) as session:
        await flow.service.request_sync(session, first, "manual")
    await sync(banked, robin)
    bank.failure = None
    bank.accounts = [account("One", provider_account_id="n-1"), account("Two", mask="2222", provider_account_id="n-2")]

    second = await link(banked, robin)
    await sync(banked, robin)
    await run_jobs(banked, robin, "bank.revoke")

    assert {each["connection_id"] for each in await accounts_of(banked, robin)} == {second}
    assert (await connection_of(banked, robin, first))["status"] == "disconnected"
    assert [each.credentials.access_token for each in bank.revoked] == ["access-1"]


async def test_a_second_connection_to_the_same_account_is_known_as_such(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    robin, bank = await make_user(), ToldBank(accounts=[account(), account("Card", account_type="credit", mask="1234")])
    other = ToldBank(name="tink", institution_id="other-id", accounts=[account("Konto", provider_account_id="t-1")])
    banked = with_banks(services, bank, other)
    told: list[Any] = []
    real = flow.apply_batch

    async def listening(*args: Any, twins: Any, **kwargs: Any) -> Any:
        told.append({key: set(others) for key, others in twins.items()})
        return await real(*args, twins=twins, **kwargs)

    monkeypatch.setattr(flow, "apply_batch", listening)
    await link(banked, robin)
    await sync(banked, robin)
    await link(banked, robin, provider="tink")
    await sync(banked, robin)

    ids = {each["account_name"]: each["id"] for each in await accounts_of(banked, robin)}
    assert told == [{}, {ids["Konto"]: {ids["Everyday"]}}]
