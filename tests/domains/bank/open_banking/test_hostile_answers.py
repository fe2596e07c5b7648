"""Answers of a bank that cannot be meant, or would lead us elsewhere."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from domains.bank.providers.errors import ProviderGarbled
from tests.domains.bank.open_banking.world import rewriting, world


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/open-banking/v4.0/aisp/accounts?page=2",
        "//elsewhere.example/accounts",
        "http://127.0.0.1:1/accounts",
        "file:///etc/passwd",
        "http://[",
        "{base}.elsewhere.example/accounts",
        "http://simulated@{host}/accounts",
        17,
        ["x"],
    ],
)
async def test_a_next_page_elsewhere_is_not_followed(link: Any) -> None:
    async with world() as here:
        reached = await here.reach()
        here.simulator.exchanges.clear()
        if isinstance(link, str):
            link = link.format(base=here.url, host=here.url.removeprefix("http://"))
        here.simulator.tamper = lambda path, body: {**body, "Links": {"Self": "x", "Next": link}} if path == "/accounts" else body

        with pytest.raises(ProviderGarbled) as garbled:
            await here.fetch(reached)

    assert garbled.value.detail == "LINKS_NEXT"
    assert [each.path for each in here.simulator.exchanges] == ["/accounts"]


async def test_pages_in_a_circle_are_not_followed_for_ever() -> None:
    async with world() as here:
        reached = await here.reach()
        here.simulator.tamper = lambda path, body: (
            {**body, "Links": {"Self": "x", "Next": f"{here.url}{here.simulator.base_path}/accounts?page=2"}}
            if path == "/accounts"
            else body
        )

        with pytest.raises(ProviderGarbled) as garbled:
            await here.fetch(reached)

    assert garbled.value.detail == "LINKS_NEXT"


async def test_one_id_on_two_movements_is_garbled_and_its_field_is_named() -> None:
    async with world() as here:
        reached = await here.reach()

        def tamper(path: str, body: Any) -> Any:
            if path.endswith("/transactions"):
                for row in body["Data"]["Transaction"]:
                    row["TransactionId"] = "SAME-000001"
            return body

        here.simulator.tamper = tamper
        with pytest.raises(ProviderGarbled) as garbled:
            await here.fetch(reached)

    assert garbled.value.detail == "TRANSACTIONID"


HOSTILE: Mapping[str, Any] = {
    "a day in 1800": {"BookingDateTime": "1800-01-01T00:00:00Z"},
    "a day in 9999": {"BookingDateTime": "9999-12-31T00:00:00Z"},
    "a day that is none": {"BookingDateTime": "2026-02-30T00:00:00Z"},
    "no day": {"BookingDateTime": None},
    "not a number": {"Amount": {"Amount": "NaN", "Currency": "GBP"}},
    "infinity": {"Amount": {"Amount": "Infinity", "Currency": "GBP"}},
    "below nothing": {"Amount": {"Amount": "-1.00", "Currency": "GBP"}},
    "too much": {"Amount": {"Amount": "9" * 30, "Currency": "GBP"}},
    "five digits": {"Amount": {"Amount": "1.00001", "Currency": "GBP"}},
    "no currency": {"Amount": {"Amount": "1.00", "Currency": "POUNDS"}},
    "no amount": {"Amount": None},
    "a list of amounts": {"Amount": []},
    "a status nobody knows": {"Status": "MAYBE"},
    "neither in nor out": {"CreditDebitIndicator": "Sideways"},
    "somebody else's account": {"AccountId": "another"},
    "an id without an end": {"TransactionId": "x" * 10_000},
    "an id that is a list": {"TransactionId": ["x"]},
    "a merchant that is a number": {"MerchantDetails": {"MerchantName": 17}},
}


@pytest.mark.parametrize("fault", HOSTILE)
async def test_a_row_that_cannot_be_meant_makes_the_whole_answer_garbled(fault: str) -> None:
    async with world() as here:
        reached = await here.reach()
        here.simulator.tamper = rewriting(HOSTILE[fault])

        with pytest.raises(ProviderGarbled) as garbled:
            await here.fetch(reached)

    assert (garbled.value.detail or "").startswith("TRANSACTION_0_")
    assert "1800" not in str(garbled.value)


async def test_words_without_measure_are_cut_and_cleaned() -> None:
    async with world() as here:
        reached = await here.reach()
        long = "\u202e\x00Ünïcode \n" + "a" * 10_000
        here.simulator.tamper = rewriting(
            {"TransactionInformation": long, "MerchantDetails": {"MerchantName": long}, "TransactionReference": long}
        )

        fetched = await here.fetch(reached)

    row = fetched.statement.accounts[0].transactions[-1]
    changed = next(each for each in fetched.statement.accounts[0].transactions if each.description.startswith("Ünïcode"))
    assert len(changed.description) == 1_000
    assert len(changed.merchant_name or "") == 255
    assert len(changed.payment_meta["reference"]) == 64
    assert row.amount > Decimal(0)
