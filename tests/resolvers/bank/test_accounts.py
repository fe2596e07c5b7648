"""Accounts and connections as a client sees them."""

from datetime import timedelta
from decimal import Decimal

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
