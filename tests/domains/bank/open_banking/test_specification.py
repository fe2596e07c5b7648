"""What we ask and what the simulator answers are as the standard's own description has them, and so are its examples read.

The description is no part of the repository: `tests.specs` says where it is looked for.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domains.bank.providers.errors import ReauthenticationRequired
from domains.bank.providers.open_banking import balances, consents
from domains.bank.providers.open_banking.accounts import read_accounts
from domains.bank.providers.open_banking.transactions import Reader
from tests.domains.bank.open_banking.world import NOW, SECRET, TODAY, World, configured, world
from tests.specs import Description, described_as


@pytest.fixture
def described() -> Description:
    return described_as("Account and Transaction API Specification")


async def _live(here: World) -> None:
    """All that is ever asked: linking, fetching whole and by window, over pages, repairing, refusals, ending."""
    _, reached = await here.settle(await here.reach())
    here.bank.advance(1)
    here.clock.at = NOW + timedelta(hours=4)
    _, reached = await here.settle(reached)
    repaired = await here.link(reached)
    reached = type(reached)(item_id=repaired.item_id, credentials=repaired.credentials, institution_id=repaired.institution_id)
    _, reached = await here.settle(reached)
    await here.provider.revoke(reached)
    with pytest.raises(ReauthenticationRequired):
        await here.fetch(reached)
    await here.provider.revoke(reached)


@pytest.mark.parametrize("has_ids", [True, False])
async def test_what_we_ask_and_what_the_simulator_answers_are_as_described(described: Description, has_ids: bool) -> None:
    async with world(page_size=10, has_ids=has_ids) as here:
        await _live(here)

    asked = set()
    for each in here.simulator.exchanges:
        params = {name: value for name, value in each.params.items() if name != "page"}  # a link of the bank's own
        described.check_request(each.method, each.path, params=params, headers=each.headers, body=each.body)
        described.check_response(each.method, each.path, each.status, each.answer_headers, each.answer)
        asked.add((each.method, described.operation(each.method, each.path).template, each.status))
    assert asked >= {
        ("POST", "/account-access-consents", 201),
        ("GET", "/account-access-consents/{ConsentId}", 200),
        ("DELETE", "/account-access-consents/{ConsentId}", 204),
        ("DELETE", "/account-access-consents/{ConsentId}", 400),
        ("GET", "/accounts", 200),
        ("GET", "/accounts/{AccountId}/balances", 200),
        ("GET", "/accounts/{AccountId}/transactions", 200),
    }


def test_the_permissions_and_statuses_that_we_know_are_the_descriptions(described: Description) -> None:
    told = described.document["components"]["schemas"]
    permissions = told["OBReadConsent1"]["properties"]["Data"]["properties"]["Permissions"]["items"]["enum"]
    statuses = told["OBReadConsentResponse1"]["properties"]["Data"]["properties"]["Status"]["enum"]

    assert set(consents.PERMISSIONS) <= set(permissions)
    assert "AUTH" in statuses
    held = [status for status in statuses if _consent(status).holds(NOW)]
    assert held == ["AUTH"]


def test_every_kind_of_balance_and_every_status_of_a_transaction_is_read(described: Description) -> None:
    told = described.document["components"]["schemas"]
    for kind in told["OBBalanceType1Code"]["enum"]:
        found = balances.read_balances([_balance(described, Type=kind)], "22289", None, TODAY)
        assert (found.current, found.currency) == (Decimal("1209.06"), "GBP"), kind
    for status in told["ExternalEntryStatus1Code"]["enum"]:
        row = _transaction(described, Status=status)
        found_rows = Reader("22289", TODAY).read([row], None)
        assert (len(found_rows.transactions), found_rows.left_out) == ((1, 0) if status in ("BOOK", "PDNG") else (0, 1)), status


def test_the_descriptions_own_examples_are_read(described: Description) -> None:
    account = described.example("OBAccount6") | {"Currency": "GBP"}
    account["Account"][0]["SchemeName"] = "UK.OBIE.SortCodeAccountNumber"
    described.check(account, schema="OBAccount6")
    found = read_accounts([account], configured("https://bank.example"), SECRET)[0]
    row = _transaction(described)
    described.check(row, schema="OBTransaction6")
    told = Reader("22289", TODAY).read([row], None).transactions[0]

    assert (found.resource_id, found.mask, found.currency) == ("22289", "4562", "GBP")
    assert "80200112344562" not in repr(found)
    assert (str(told.amount), told.currency, told.merchant_name) == ("1209.06", "GBP", "Jane Smith")
    assert "80200112344562" not in repr(told)


def _transaction(described: Description, **said: Any) -> dict[str, Any]:
    """The example of a transaction, with what has no example there."""
    row: dict[str, Any] = described.example("OBTransaction6")
    row["CurrencyExchange"] |= {"SourceCurrency": "USD", "ExchangeRate": 1.25}
    row["Balance"]["Type"] = "CLBD"
    row |= {"CreditDebitIndicator": "Debit", "Status": "BOOK", "BookingDateTime": "2026-07-01T10:00:00Z", **said}
    described.check(row, schema="OBTransaction6")
    row["CurrencyExchange"]["ExchangeRate"] = Decimal("1.25")  # as the wire reads numbers
    return row


def _balance(described: Description, **said: Any) -> dict[str, Any]:
    whole: dict[str, Any] = described.example("OBReadBalance1")
    row: dict[str, Any] = {**whole["Data"]["Balance"][0], "DateTime": "2026-07-20T08:00:00Z", **said}
    row.pop("CreditLine", None)
    described.check({"Data": {"Balance": [row]}}, schema="OBReadBalance1")
    return row


def _consent(status: str) -> consents.Consent:
    return consents.read_consent({"Data": {"ConsentId": "c-1", "Status": status}})
