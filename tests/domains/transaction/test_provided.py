"""What a provider says, bounded by what can be stored, whatever it is."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.transaction.service.provided import location_of
from tests.domains.transaction.ledger import Account, said

NOWHERE = dict.fromkeys(
    ("location_address", "location_city", "location_region", "location_postal_code", "location_country", "location_lat", "location_lon")
)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ({"country": "de"}, {"location_country": "DE"}),
        ({"country": "DEU"}, {}),
        ({"country": "ß1"}, {}),
        ({"lat": "52.5", "lon": "13.4"}, {"location_lat": Decimal("52.5"), "location_lon": Decimal("13.4")}),
        ({"lat": "52.5"}, {}),
        ({"lat": "91", "lon": "13.4"}, {}),
        ({"lat": "NaN", "lon": "13.4"}, {}),
        ({"lat": "Infinity", "lon": "13.4"}, {}),
        ({"lat": "1E+400000", "lon": "13.4"}, {}),
        ({"lat": "north", "lon": "13.4"}, {}),
        ({"city": ""}, {}),
        ({"city": "x" * 10_000}, {"location_city": "x" * 100}),
    ],
)
def test_a_place_is_kept_as_far_as_it_can_be_one(given_: dict[str, str], kept: dict[str, Any]) -> None:
    assert location_of(given_) == {**NOWHERE, **kept}


@given(st.dictionaries(st.sampled_from(["address", "city", "region", "postal_code", "country", "lat", "lon"]), st.text()))
def test_whatever_is_said_of_a_place_it_has_its_columns_lengths(given_: dict[str, str]) -> None:
    found = location_of(given_)

    assert found.keys() == NOWHERE.keys()
    assert all(len(found[f"location_{name}"] or "") <= most for name, most in (("address", 500), ("city", 100), ("postal_code", 20)))
    assert (found["location_lat"] is None) == (found["location_lon"] is None)


async def test_the_most_that_can_be_said_is_stored(account: Account) -> None:
    most = {"address": "a" * 900, "city": "b" * 900, "postal_code": "c" * 900, "lat": "-90", "lon": "-180"}

    await account.sync(said("a", location=most, merchant_logo_url="https://x.example/" + "l" * 2_000))

    [row] = await account.rows()
    assert (len(row["location_address"]), row["location_lat"], row["location_lon"]) == (500, Decimal(-90), Decimal(-180))
