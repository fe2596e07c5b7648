"""What recurs, what months come to, and what else is known of a transaction."""

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domains.transaction.service.record_patterns import FoundPattern, PatternInvalid, record_patterns
from resolvers.ids import split_global_id
from tests.db.samples import superuser
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import COFFEE, FOOD, GROCERIES, MONTH, TODAY, account, bring, moved
from tests.servers.suite import Servers

PATTERNS = """query($first: Int, $after: String, $filter: RecurringPatternFilter, $sort: RecurringPatternSort) { me {
  recurringPatterns(first: $first, after: $after, filter: $filter, sort: $sort) {
    nodes { id merchantName amountMin { amount currency } amountMax { amount } frequency lastTransactionDate nextExpectedDate confidence
      transactionCount transactions { nodes { id } totalCount } }
    pageInfo { hasNextPage endCursor } totalCount
  }
} }"""
SUMMARIES = """query($first: Int, $after: String, $filter: MonthlySummaryFilter, $sort: MonthlySummarySort) { me {
  monthlySummaries(first: $first, after: $after, filter: $filter, sort: $sort) {
    nodes { month category { id } direction currency total { amount currency } average { amount } transactionCount isFrozen }
    pageInfo { hasNextPage endCursor } totalCount
  }
} }"""
MARKED = "{ me { transactions(sort: AMOUNT_ASC) { nodes { id merchantName isRecurring recurringPattern { id merchantName } } } } }"
LISTED = "query($filter: TransactionFilter) { me { transactions(filter: $filter, sort: AMOUNT_ASC) { nodes { amount { amount } } } } }"
EVERYTHING = """query($id: ID!) { node(id: $id) { ... on Transaction {
  merchantLogoUrl provider providerTransactionId metadata isDuplicate isRecurring
  duplicateOf { id } automaticCategory { id } automaticCategoryDetailed { id }
  location { address city region postalCode country latitude longitude }
  paymentMeta { type checkNumber reference originalCurrency currencyRate valueDate security units unitPrice all }
} } }"""


def key_of(global_id: str) -> UUID:
    parts = split_global_id(global_id)
    assert parts is not None
    return UUID(parts[1])


def pattern(key: str, next_on: date = TODAY, **changes: Any) -> FoundPattern:
    given: dict[str, Any] = {
        "merchant_name": "Gym",
        "amount_min": Decimal("19.90"),
        "amount_max": Decimal(25),
        "currency": "USD",
        "frequency": "monthly",
        "last_transaction_date": next_on - timedelta(days=30),
    }
    return FoundPattern(group_key=key, next_expected_date=next_on, **{**given, **changes})


async def record(client: Client, *patterns: FoundPattern) -> dict[str, str]:
    async with client.services.db.write("transaction", client.viewer) as session:
        ids = await record_patterns(session, patterns)
    return {key: gid("RecurringPattern", each) for key, each in ids.items()}


async def somebody(make_client: MakeClient, *amounts: str) -> tuple[Client, list[str]]:
    """A client with transactions of these amounts, in their order."""
    client = await make_client()
    assert client.viewer is not None
    await bring(client.services, client.viewer, account("Daily", [moved(MONTH, amount) for amount in sorted(amounts, key=Decimal)]))
    nodes = (await client.data(MARKED))["me"]["transactions"]["nodes"]
    return client, [node["id"] for node in nodes]


async def patterns(client: Client, **given: Any) -> Any:
    return (await client.data(PATTERNS, **given))["me"]["recurringPatterns"]


async def summaries(client: Client, **given: Any) -> Any:
    return (await client.data(SUMMARIES, **given))["me"]["monthlySummaries"]


async def test_a_recorded_pattern_is_shown_with_its_transactions(make_client: MakeClient) -> None:
    client, (first, second, third) = await somebody(make_client, "1.00", "2.00", "3.00")

    ids = await record(client, pattern("gym", confidence=Decimal("0.95"), transaction_ids=[key_of(first), key_of(second)]))

    [node] = (await patterns(client))["nodes"]
    assert node == {
        "id": ids["gym"],
        "merchantName": "Gym",
        "amountMin": {"amount": "19.90", "currency": "USD"},
        "amountMax": {"amount": "25.00"},
        "frequency": "MONTHLY",
        "lastTransactionDate": (TODAY - timedelta(days=30)).isoformat(),
        "nextExpectedDate": TODAY.isoformat(),
        "confidence": "0.95",
        "transactionCount": 2,
        "transactions": {"nodes": node["transactions"]["nodes"], "totalCount": 2},
    }
    assert {each["id"] for each in node["transactions"]["nodes"]} == {first, second}
    marked = (await client.data(MARKED))["me"]["transactions"]["nodes"]
    link = {"id": ids["gym"], "merchantName": "Gym"}
    assert [(each["id"], each["isRecurring"], each["recurringPattern"]) for each in marked] == [
        (first, True, link),
        (second, True, link),
        (third, False, None),
    ]


async def test_recording_again_changes_what_was_found_and_keeps_its_id(make_client: MakeClient) -> None:
    client, (first, second) = await somebody(make_client, "1.00", "2.00")
    found = pattern("gym", transaction_ids=[key_of(first)])
    before = await record(client, found, pattern("rent", merchant_name="Landlord"))

    same = await record(client, found)
    changed = await record(client, pattern("gym", frequency="weekly", amount_max=Decimal(30), transaction_ids=[key_of(second)]))

    assert same["gym"] == changed["gym"] == before["gym"]
    by_id = {node["id"]: node for node in (await patterns(client))["nodes"]}
    assert set(by_id) == set(before.values())
    assert (by_id[before["gym"]]["frequency"], by_id[before["gym"]]["amountMax"]) == ("WEEKLY", {"amount": "30.00"})
    assert by_id[before["gym"]]["transactions"]["nodes"] == [{"id": second}]
    marked = (await client.data(MARKED))["me"]["transactions"]["nodes"]
    assert [each["isRecurring"] for each in marked] == [False, True]
    assert await record(client) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_min": Decimal(26)},
        {"amount_min": Decimal(-1)},
        {"amount_max": Decimal("NaN")},
        {"currency": "usd"},
        {"frequency": "daily"},
        {"last_transaction_date": TODAY},
        {"confidence": Decimal("1.01")},
    ],
)
async def test_a_pattern_that_contradicts_itself_is_refused_with_all_beside_it(make_client: MakeClient, changes: dict[str, Any]) -> None:
    client = await make_client()

    with pytest.raises(PatternInvalid):
        await record(client, pattern("fine"), pattern("broken", **changes))
    with pytest.raises(PatternInvalid):
        await record(client, pattern("twice"), pattern("twice"))

    assert (await patterns(client))["nodes"] == []


async def test_a_pattern_marks_nothing_of_somebody_else(make_client: MakeClient) -> None:
    robin, (theirs,) = await somebody(make_client, "1.00")
    sam, (own,) = await somebody(make_client, "2.00")
    kept = await record(robin, pattern("gym", transaction_ids=[key_of(theirs)]))

    ids = await record(sam, pattern("gym", transaction_ids=[key_of(theirs), key_of(own)]))

    assert ids["gym"] != kept["gym"]
    [node] = (await robin.data(MARKED))["me"]["transactions"]["nodes"]
    assert node["recurringPattern"]["id"] == kept["gym"]
    [mine] = (await patterns(sam))["nodes"]
    assert mine["transactions"] == {"nodes": [{"id": own}], "totalCount": 1}
    assert await sam.data("query($id: ID!) { node(id: $id) { id } }", id=kept["gym"]) == {"node": None}


async def test_patterns_are_paged_by_when_the_next_is_expected_and_narrowed(make_client: MakeClient) -> None:
    client = await make_client()
    days = {"a": 3, "b": 0, "c": -2, "d": 3, "e": 9}
    found = [pattern(key, TODAY + timedelta(days=n), frequency="weekly" if n == 3 else "yearly") for key, n in days.items()]
    ids = await record(client, *found)

    order = sorted(days, key=lambda key: (days[key], key_of(ids[key])))
    for sort, expected in (("NEXT_EXPECTED_ASC", order), ("NEXT_EXPECTED_DESC", order[::-1])):
        seen: list[str] = []
        after = None
        while after is not None or not seen:
            page = await patterns(client, first=2, after=after, sort=sort)
            seen += [node["id"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None
        assert seen == [ids[key] for key in expected]
    for given, count in (
        ({"active": True}, 4),
        ({"active": False}, 1),
        ({"frequency": "WEEKLY"}, 2),
        ({"frequency": "WEEKLY", "active": False}, 0),
    ):
        page = await patterns(client, filter=given)
        assert (len(page["nodes"]), page["totalCount"]) == (count, count)


async def test_months_are_summed_exactly_by_category_direction_and_currency(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    before = (MONTH - timedelta(days=1)).replace(day=1)
    rows = [
        *(moved(MONTH, amount) for amount in ("0.10", "0.20", "0.02")),
        moved(MONTH, "5.00", direction="credit"),
        moved(MONTH, "7.00", currency="EUR"),
        moved(MONTH, "9.00", category_detailed=COFFEE),
        moved(MONTH, "1.00", status="pending"),
        moved(before, "3.00"),
    ]
    await bring(client.services, client.viewer, account("Daily", rows))

    nodes = (await summaries(client))["nodes"]

    def summed(amount: str, average: str, count: int = 1, **changes: Any) -> dict[str, Any]:
        row = {
            "month": MONTH.isoformat(),
            "category": {"id": gid("Category", GROCERIES)},
            "direction": "DEBIT",
            "currency": "USD",
        } | changes
        total = {"amount": amount, "currency": row["currency"]}
        return {**row, "total": total, "average": {"amount": average}, "transactionCount": count, "isFrozen": False}

    assert nodes == [
        summed("0.32", "0.1067", 3),
        summed("7.00", "7.00", currency="EUR"),
        summed("5.00", "5.00", direction="CREDIT"),
        summed("9.00", "9.00", category={"id": gid("Category", COFFEE)}),
        summed("3.00", "3.00", month=before.isoformat()),
    ]
    narrowed = {
        5: {},
        4: {"since": MONTH.isoformat()},
        1: {"until": MONTH.isoformat()},
        0: {"categoryIds": []},
    }
    assert {(await summaries(client, filter=given))["totalCount"] for given in narrowed.values()} == set(narrowed)
    assert len((await summaries(client, filter={"categoryIds": [gid("Category", FOOD)]}))["nodes"]) == 5
    assert len((await summaries(client, filter={"categoryIds": [gid("Category", COFFEE)]}))["nodes"]) == 1
    assert len((await summaries(client, filter={"direction": "CREDIT"}))["nodes"]) == 1
    assert len((await summaries(client, filter={"currency": "EUR"}))["nodes"]) == 1
    answer = await client.ask(SUMMARIES, filter={"categoryIds": ["x"] * 101})
    assert codes(answer) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("sort", ["MONTH_DESC", "MONTH_ASC"])
async def test_pages_of_months_bring_every_sum_once_also_of_no_category(make_client: MakeClient, servers: Servers, sort: str) -> None:
    client = await make_client()
    assert client.viewer is not None
    months = [date(2019, month, 1) for month in (1, 2, 3)]
    async with superuser(servers.databases["transaction"]) as connection:
        await connection.executemany(
            "insert into transaction_schema.monthly_category_summary (user_id, month, category, direction, currency, total_amount,"
            " transaction_count, is_frozen) values ($1, $2, $3, $4, $5, 1, 1, true)",
            [
                (client.viewer.user_id, month, category, direction, currency)
                for month in months
                for category in (None, FOOD, COFFEE)
                for direction in ("debit", "credit")
                for currency in ("EUR", "USD")
            ],
        )

    seen: list[Any] = []
    after = None
    while after is not None or not seen:
        page = await summaries(client, first=5, after=after, sort=sort)
        seen += page["nodes"]
        after = page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None

    keys = [(row["month"], row["category"] and row["category"]["id"], row["direction"], row["currency"]) for row in seen]
    assert len(set(keys)) == len(keys) == 36
    assert [key[0] for key in keys] == sorted((key[0] for key in keys), reverse=sort == "MONTH_DESC")
    assert all(row["isFrozen"] for row in seen)


async def test_flags_and_merchants_narrow_a_list(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    rows = [
        moved(MONTH, "1.00", merchant_name="Blue Bottle"),
        moved(MONTH, "2.00", merchant_name="Blue Bottle", status="pending"),
        moved(MONTH, "3.00", merchant_name="Green Market"),
    ]
    await bring(client.services, client.viewer, account("Daily", rows))
    first = (await client.data(MARKED))["me"]["transactions"]["nodes"][0]
    name = first["merchantName"]
    await record(client, pattern("blue", transaction_ids=[key_of(first["id"])]))

    expected = [
        ({"isPending": True}, ["2.00"]),
        ({"isPending": False}, ["1.00", "3.00"]),
        ({"isRecurring": True}, ["1.00"]),
        ({"isRecurring": False}, ["2.00", "3.00"]),
        ({"isRecurring": None, "isPending": None, "merchant": None}, ["1.00", "2.00", "3.00"]),
        ({"merchant": name}, ["1.00", "2.00"]),
        ({"merchant": name, "isPending": False}, ["1.00"]),
        ({"merchant": name[:-1]}, []),
    ]
    for given, amounts in expected:
        nodes = (await client.data(LISTED, filter=given))["me"]["transactions"]["nodes"]
        assert [node["amount"]["amount"] for node in nodes] == amounts, given
    assert codes(await client.ask(LISTED, filter={"merchant": "x" * 256})) == ["BAD_USER_INPUT"]
    assert codes(await client.ask(LISTED, filter={"merchant": "a\u0000"})) == ["BAD_USER_INPUT"]


async def test_everything_that_is_kept_of_a_transaction_is_shown(make_client: MakeClient, servers: Servers) -> None:
    client, (plain, full) = await somebody(make_client, "1.00", "2.00")
    assert client.viewer is not None
    meta = {"type": "POS", "reference": "R 1", "check_number": "7", "extra": "kept"}
    said: dict[str, Any] = {
        "merchant_logo_url": "https://example.com/logo.png",
        "location_address": "1 High Street",
        "location_city": "Springfield",
        "location_region": "OR",
        "location_postal_code": "97477",
        "location_country": "US",
        "location_lat": Decimal("44.04624300"),
        "location_lon": Decimal("-123.02202300"),
        "payment_meta": json.dumps(meta),
        "metadata": json.dumps({"a": [1, None]}),
        "is_duplicate": True,
        "duplicate_of": key_of(plain),
    }
    async with superuser(servers.databases["transaction"]) as connection:
        places = ", ".join(f"{name} = ${n}" for n, name in enumerate(said, start=3))
        await connection.execute(
            f"update transaction_schema.transactions set {places} where user_id = $1 and id = $2",
            client.viewer.user_id,
            key_of(full),
            *said.values(),
        )

    node = (await client.data(EVERYTHING, id=full))["node"]
    other = (await client.data(EVERYTHING, id=plain))["node"]

    assert node.pop("providerTransactionId").startswith("t-")
    facts = dict.fromkeys(("originalCurrency", "currencyRate", "valueDate", "security", "units", "unitPrice"))
    assert node == {
        "merchantLogoUrl": "https://example.com/logo.png",
        "provider": "file",
        "metadata": {"a": [1, None]},
        "isDuplicate": True,
        "isRecurring": False,
        "duplicateOf": {"id": plain},
        "automaticCategory": {"id": gid("Category", FOOD)},
        "automaticCategoryDetailed": {"id": gid("Category", GROCERIES)},
        "location": {
            "address": "1 High Street",
            "city": "Springfield",
            "region": "OR",
            "postalCode": "97477",
            "country": "US",
            "latitude": 44.046243,
            "longitude": -123.022023,
        },
        "paymentMeta": {"type": "POS", "reference": "R 1", "checkNumber": "7", "all": meta, **facts},
    }
    assert (other["location"], other["paymentMeta"], other["metadata"], other["duplicateOf"]) == (None, None, {}, None)


async def test_signed_out_there_is_nothing_of_it(nobody: Client) -> None:
    for query in (PATTERNS, SUMMARIES, "{ me { categories { totalCount } } }"):
        assert codes(await nobody.ask(query)) == ["UNAUTHENTICATED"]
