"""Accounts and connections as a client sees them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from strawberry.utils.str_converters import to_camel_case

from db.bank.models import bank_accounts, bank_connections
from resolvers.execution.operation import Gateway
from tests.resolvers.api import Client, codes
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import TODAY, account, bring

ACCOUNTS = """{ me { accounts {
  name officialName mask type subtype status currency isManual balanceUpdatedAt
  currentBalance { amount currency } availableBalance { amount currency } creditLimit { amount currency }
  connection { provider institutionName status errorCode lastSyncAt lastSyncStatus accounts { name } }
} } }"""


async def furnished(make_client: MakeClient) -> Client:
    client = await make_client()
    assert client.viewer is not None
    daily = account("Daily", official_name="Giro Plus", mask="0412", current_balance=Decimal("-12.5"), balance_on=TODAY - timedelta(days=3))
    card = account("Card", account_type="credit", currency="KWD", current_balance=Decimal("-1.234"), credit_limit=Decimal(500))
    await bring(client.services, client.viewer, daily, card)
    await bring(client.services, client.viewer, account("Savings", account_type="savings"), institution="bank-2")
    return client


async def test_accounts_as_a_client_sees_them(make_client: MakeClient) -> None:
    client = await furnished(make_client)

    accounts = {each["name"]: each for each in (await client.data(ACCOUNTS))["me"]["accounts"]}

    assert set(accounts) == {"Daily", "Card", "Savings"}
    daily, card, savings = accounts["Daily"], accounts["Card"], accounts["Savings"]
    assert (daily["officialName"], daily["mask"], daily["type"], daily["status"]) == ("Giro Plus", "0412", "CHECKING", "ACTIVE")
    assert daily["currentBalance"] == {"amount": "-12.50", "currency": "USD"}
    assert daily["balanceUpdatedAt"] == f"{TODAY - timedelta(days=3)}T00:00:00Z"
    assert (daily["availableBalance"], daily["creditLimit"], daily["isManual"]) == (None, None, False)
    assert (card["type"], card["currentBalance"], card["creditLimit"]["amount"]) == (
        "CREDIT",
        {"amount": "-1.234", "currency": "KWD"},
        "500.000",
    )
    assert (savings["type"], savings["currentBalance"], savings["balanceUpdatedAt"]) == ("SAVINGS", None, None)


async def test_accounts_know_their_connection_and_it_knows_them(make_client: MakeClient) -> None:
    client = await furnished(make_client)

    accounts = (await client.data(ACCOUNTS))["me"]["accounts"]
    connections = (await client.data("{ me { connections { institutionName accounts { name connection { institutionName } } } } }"))["me"]

    assert {each["name"]: {other["name"] for other in each["connection"]["accounts"]} for each in accounts} == {
        "Daily": {"Daily", "Card"},
        "Card": {"Daily", "Card"},
        "Savings": {"Savings"},
    }
    assert [each["connection"]["provider"] for each in accounts] == ["FILE"] * 3
    assert [len(each["accounts"]) for each in connections["connections"]] == [2, 1]


async def test_nobody_has_accounts_at_first_and_signed_out_never(make_client: MakeClient, nobody: Client) -> None:
    newcomer = await make_client()

    assert await newcomer.data("{ me { accounts { id } connections { id } } }") == {"me": {"accounts": [], "connections": []}}
    assert codes(await nobody.ask(ACCOUNTS)) == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("planned", [True, False])
async def test_accounts_and_connections_are_narrowed_to_a_status(make_client: MakeClient, planned: bool) -> None:
    client = await furnished(make_client)
    async with client.services.db.write("bank", client.viewer) as session:
        await session.execute(bank_accounts.update().where(bank_accounts.c.account_name == "Card").values(status="closed"))
        second = bank_connections.c.provider_item_id == "bank-2"
        await session.execute(bank_connections.update().where(second).values(status="disconnected"))

    async def named(asked: str, **variables: Any) -> dict[str, list[str]]:
        declared = "($accounts: BankAccountFilter, $status: BankConnectionStatus)" if "$" in asked else ""
        query = f"query{declared} {{ me {{ {asked} }} }}"
        data, statements = await client.counted(query, planned=planned, **variables)
        assert statements == 2 + (not planned)
        return {name: sorted(each.get("name") or each["status"] for each in found) for name, found in data["me"].items()}

    given = await named(
        "accounts(filter: $accounts) { name } connections(filter: {status: $status}) { status }",
        accounts={"status": "CLOSED"},
        status="DISCONNECTED",
    )
    left_out = await named("accounts(filter: $accounts) { name } connections(filter: {status: $status}) { status }")
    literal = await named("open: accounts(filter: {status: ACTIVE}) { name } shut: accounts(filter: {status: CLOSED}) { name }")
    null = await named("accounts(filter: null) { name } connections(filter: {}) { status }")

    assert given == {"accounts": ["Card"], "connections": ["DISCONNECTED"]}
    assert left_out == null == {"accounts": ["Card", "Daily", "Savings"], "connections": ["ACTIVE", "DISCONNECTED"]}
    assert literal == {"open": ["Daily", "Savings"], "shut": ["Card"]}


async def test_a_status_that_there_is_not_is_refused(make_client: MakeClient) -> None:
    client = await make_client()

    answer = await client.ask(
        "query($accounts: BankAccountFilter) { me { accounts(filter: $accounts) { id } } }", accounts={"status": "SHUT"}
    )

    assert codes(answer) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("planned", [True, False])
async def test_every_column_that_is_no_secret_is_shown(make_client: MakeClient, planned: bool) -> None:
    client = await furnished(make_client)
    expires = datetime(2027, 1, 1, tzinfo=UTC)
    async with client.services.db.write("bank", client.viewer) as session:
        shown = {"token_expires_at": expires, "consent_expires_at": expires, "metadata": {"region": ["EU", 1]}, "error_code": "LOGIN"}
        await session.execute(bank_connections.update().values(shown))
        await session.execute(bank_accounts.update().values({"metadata": {"color": None}, "account_subtype": "giro"}))

    query = """{ me { connections { institutionId tokenExpiresAt consentExpiresAt metadata errorCode errorMessage createdAt updatedAt }
                     accounts { subtype metadata createdAt updatedAt } } }"""
    me = (await client.counted(query, planned=planned))[0]["me"]

    for each in (*me["connections"], *me["accounts"]):
        assert each.pop("createdAt") <= each.pop("updatedAt")
    said: dict[str, Any] = {
        "tokenExpiresAt": "2027-01-01T00:00:00Z",
        "consentExpiresAt": "2027-01-01T00:00:00Z",
        "metadata": {"region": ["EU", 1]},
    }
    said |= {"errorCode": "LOGIN", "errorMessage": None}
    assert me["connections"] == [{"institutionId": "bank-1", **said}, {"institutionId": "bank-2", **said}]
    assert me["accounts"] == [{"subtype": "giro", "metadata": {"color": None}}] * 3


def test_nothing_internal_and_no_secret_has_a_field(api: Gateway) -> None:
    upkeep = {"syncCursor", "syncRequestedAt", "consentWarnedAt"}
    hidden = {
        "BankConnection": {"providerItemId", "accessTokenEncrypted", "refreshTokenEncrypted", "userId"} | upkeep,
        "BankAccount": {"providerAccountId", "persistentId", "connectionId", "userId"},
    }
    columns = {"BankConnection": bank_connections.c, "BankAccount": bank_accounts.c}
    renamed = {"accountName": "name", "accountOfficialName": "officialName", "accountMask": "mask"}
    renamed |= {"accountType": "type", "accountSubtype": "subtype"}

    for name, table in columns.items():
        fields = set(api.schema._schema.type_map[name].fields)  # type: ignore[attr-defined]
        assert {renamed.get(each, each) for each in (to_camel_case(column.name) for column in table)} - fields == hidden[name]
