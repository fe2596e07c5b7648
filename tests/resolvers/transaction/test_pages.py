"""Lists of transactions: keyset pages, filters, sorts."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Any

import pytest

from tests.resolvers.api import Client, codes, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import COFFEE, FOOD, GROCERIES, MONTH, RENT, account, bring, moved

PAGE = """query($first: Int, $after: String, $sort: TransactionSort, $filter: TransactionFilter) { me {
  transactions(first: $first, after: $after, sort: $sort, filter: $filter) {
    nodes { id transactionDate amount { amount } description } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount
  }
} }"""
ACCOUNTS = "{ me { accounts { id name } } }"
TAG = "mutation($id: ID!, $tags: [String!]) { transactionUpdate(input: {id: $id, tags: $tags}) { errors { code } } }"


async def page(client: Client, **arguments: Any) -> Any:
    return (await client.data(PAGE, **arguments))["me"]["transactions"]


async def pages(client: Client, **arguments: Any) -> list[Any]:
    """The nodes of all pages, followed by their cursors."""
    nodes: list[Any] = []
    after = None
    while True:
        found = await page(client, after=after, **arguments)
        nodes += found["nodes"]
        assert found["pageInfo"]["hasPreviousPage"] is (after is not None)
        if not found["pageInfo"]["hasNextPage"]:
            return nodes
        assert found["nodes"]
        after = found["pageInfo"]["endCursor"]


@pytest.fixture
async def robin(make_client: MakeClient) -> Client:
    """Ten movements on two accounts: many on one day, many of one amount."""
    client = await make_client()
    assert client.viewer is not None
    daily = [
        moved(MONTH, "5.00", description="Blue Bottle Coffee", category_detailed=COFFEE),
        moved(MONTH, "5.00", description="Blue Bottle Coffee", category_detailed=COFFEE),
        moved(MONTH, "61.20", description="Green Market groceries"),
        moved(MONTH - timedelta(days=1), "5.00", description="Green Market refund", direction="credit"),
        moved(MONTH - timedelta(days=1), "900.00", description="Rent to Mrs Green", category_detailed=RENT),
        moved(MONTH, "12.00", description="Pending lunch", status="pending", category_detailed=FOOD),
    ]
    card = [moved(MONTH - timedelta(days=n // 2), "7.50", description=f"Kiosk {n}", category_detailed=FOOD) for n in range(4)]
    await bring(client.services, client.viewer, account("Daily", daily), account("Card", card, account_type="credit"))
    return client


@pytest.mark.parametrize("first", [1, 2, 3, 100])
@pytest.mark.parametrize("sort", ["DATE_DESC", "DATE_ASC", "AMOUNT_DESC", "AMOUNT_ASC"])
async def test_pages_bring_every_row_once_in_order_over_equal_values(robin: Client, sort: str, first: int) -> None:
    nodes = await pages(robin, first=first, sort=sort)

    assert len({node["id"] for node in nodes}) == len(nodes) == 10
    values = [Decimal(node["amount"]["amount"]) if "AMOUNT" in sort else node["transactionDate"] for node in nodes]
    assert values == sorted(values, reverse=sort.endswith("DESC"))
    whole = [node["id"] for node in (await page(robin, first=100, sort=sort))["nodes"]]
    assert [node["id"] for node in nodes] == whole


async def test_the_newest_come_first_and_twenty_at_a_time_unless_asked_otherwise(robin: Client) -> None:
    assert robin.viewer is not None
    more = [moved(MONTH - timedelta(days=30 + n), "1.00") for n in range(15)]
    await bring(robin.services, robin.viewer, account("Third", more))

    found = await page(robin)

    assert len(found["nodes"]) == 20
    assert found["totalCount"] == 25
    days = [node["transactionDate"] for node in found["nodes"]]
    assert days == sorted(days, reverse=True)


async def test_an_empty_list_is_a_page_too(make_client: MakeClient) -> None:
    found = await page(await make_client())

    nowhere = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert found == {"nodes": [], "pageInfo": nowhere, "totalCount": 0}


@pytest.mark.parametrize("first", [0, -1, 101, 2_000_000])
async def test_a_page_has_one_to_a_hundred_rows(robin: Client, first: int) -> None:
    answer = await robin.ask("query($first: Int) { me { transactions(first: $first) { totalCount } } }", first=first)

    assert codes(answer) == ["BAD_USER_INPUT"]


async def test_a_cursor_is_good_for_its_own_order_only(robin: Client) -> None:
    cursor = (await page(robin, first=2, sort="DATE_DESC"))["pageInfo"]["endCursor"]

    for wrong in ("DATE_ASC", "AMOUNT_DESC", "AMOUNT_ASC"):
        assert codes(await robin.ask(PAGE, after=cursor, sort=wrong)) == ["BAD_USER_INPUT"]
    for broken in ("", "x", cursor[:-4], cursor[:10] + "AAAA" + cursor[14:], "é", cursor * 40):
        assert codes(await robin.ask(PAGE, after=broken, sort="DATE_DESC")) == ["BAD_USER_INPUT"]


async def test_a_cursor_shows_nobody_else_anything(robin: Client, make_client: MakeClient) -> None:
    cursor = (await page(robin, first=2))["pageInfo"]["endCursor"]

    found = await page(await make_client(), after=cursor)

    assert found["nodes"] == []


async def ids(client: Client, names: Sequence[str]) -> list[str]:
    accounts = (await client.data(ACCOUNTS))["me"]["accounts"]
    return [each["id"] for each in accounts if each["name"] in names]


async def filters(client: Client) -> dict[str, tuple[dict[str, Any], set[str]]]:
    """Each criterion, with the descriptions of the rows that it lets through."""
    kiosks = {f"Kiosk {n}" for n in range(4)}
    coffee, market, refund, rent, lunch = (
        "Blue Bottle Coffee",
        "Green Market groceries",
        "Green Market refund",
        "Rent to Mrs Green",
        "Pending lunch",
    )
    everything = {coffee, market, refund, rent, lunch, *kiosks}
    tagged = (await page(client, filter={"text": "groceries"}))["nodes"][0]["id"]
    await client.data(TAG, id=tagged, tags=["weekly", "Shared"])
    return {
        "accountIds": ({"accountIds": await ids(client, ["Card"])}, kiosks),
        "parent category": ({"categoryIds": [gid("Category", FOOD)]}, everything - {rent}),
        "category": ({"categoryIds": [gid("Category", GROCERIES)]}, {market, refund}),
        "since": ({"since": MONTH.isoformat()}, {coffee, market, lunch, "Kiosk 0", "Kiosk 1"}),
        "until": ({"until": MONTH.isoformat()}, {refund, rent, "Kiosk 2", "Kiosk 3"}),
        "amountMin": ({"amountMin": "7.50"}, everything - {coffee, refund}),
        "amountMax": ({"amountMax": "7.5"}, {coffee, refund, *kiosks}),
        "debit": ({"direction": "DEBIT"}, everything - {refund}),
        "credit": ({"direction": "CREDIT"}, {refund}),
        "status": ({"status": "PENDING"}, {lunch}),
        "text": ({"text": "green"}, {market, refund, rent}),
        "text without": ({"text": "green -rent"}, {market, refund}),
        "phrase": ({"text": '"green market"'}, {market, refund}),
        "tags": ({"tags": ["Shared", "weekly"]}, {market}),
    }


async def test_each_filter_narrows_and_all_that_are_given_must_hold(robin: Client) -> None:
    known = await filters(robin)

    for given, expected in known.values():
        found = await page(robin, filter=given)
        assert {node["description"] for node in found["nodes"]} == expected, given
        assert found["totalCount"] == len(found["nodes"])
    for (first, one), (second, other) in combinations(known.values(), 2):
        if first.keys().isdisjoint(second):
            found = await page(robin, filter=first | second)
            assert {node["description"] for node in found["nodes"]} == one & other, (first, second)
            assert found["totalCount"] == len(found["nodes"])


async def test_filtered_lists_page_like_whole_ones(robin: Client) -> None:
    given = {"categoryIds": [gid("Category", FOOD)], "direction": "DEBIT", "amountMax": "20"}

    nodes = await pages(robin, first=2, filter=given, sort="AMOUNT_DESC")

    amounts = [Decimal(node["amount"]["amount"]) for node in nodes]
    assert all(before >= after for before, after in pairwise(amounts))
    assert len({node["id"] for node in nodes}) == len(nodes) == 7


async def test_null_and_left_out_do_not_narrow_but_an_empty_list_of_ids_matches_nothing(robin: Client) -> None:
    names = ("accountIds", "categoryIds", "since", "until", "amountMin", "amountMax", "direction", "status", "text", "tags")

    assert (await page(robin, filter=dict.fromkeys(names)))["totalCount"] == 10
    assert (await page(robin, filter={}))["totalCount"] == 10
    assert (await page(robin, filter={"tags": []}))["totalCount"] == 10
    assert (await page(robin, filter={"accountIds": []}))["totalCount"] == 0
    assert (await page(robin, filter={"categoryIds": []}))["totalCount"] == 0


async def test_ids_of_nothing_match_nothing(robin: Client) -> None:
    for wrong in ("", "nonsense", gid("Category", FOOD), gid("BankAccount", "no-uuid"), gid("BankAccount", "0" * 36)):
        assert (await page(robin, filter={"accountIds": [wrong]}))["totalCount"] == 0
    for wrong in ("", "nonsense", gid("BankAccount", FOOD), gid("Category", "NO_SUCH")):
        assert (await page(robin, filter={"categoryIds": [wrong]}))["totalCount"] == 0


async def test_filters_out_of_bounds_are_refused(robin: Client) -> None:
    wrong: list[dict[str, Any]] = [
        {"accountIds": ["x"] * 101},
        {"categoryIds": ["x"] * 101},
        {"tags": ["x"] * 21},
        {"text": "x" * 201},
        {"text": "a\u0000b"},
        {"tags": ["a\u0000b"]},
        {"since": "2026-02-30"},
        {"amountMin": 5},
        {"direction": "debit"},
    ]

    for given in wrong:
        assert codes(await robin.ask(PAGE, filter=given)) == ["BAD_USER_INPUT"], given


async def test_any_text_may_be_searched_for(robin: Client) -> None:
    for text in ("", " ", "'", '"', '"""', "&|!()", "a:b:*", "%_\\", "-", "or", "日本", "é" * 200):
        answer = await robin.ask(PAGE, filter={"text": text})
        assert "errors" not in answer, text


async def test_pages_of_one_account(robin: Client) -> None:
    query = """query($id: ID!, $after: String) { node(id: $id) { ... on BankAccount {
      transactions(first: 3, after: $after) { nodes { description account { name } } pageInfo { endCursor hasNextPage } totalCount }
    } } }"""
    [card] = await ids(robin, ["Card"])

    one = (await robin.data(query, id=card))["node"]["transactions"]
    two = (await robin.data(query, id=card, after=one["pageInfo"]["endCursor"]))["node"]["transactions"]

    assert [one["totalCount"], one["pageInfo"]["hasNextPage"], two["pageInfo"]["hasNextPage"]] == [4, True, False]
    assert {node["description"] for node in one["nodes"] + two["nodes"]} == {f"Kiosk {n}" for n in range(4)}
    assert {node["account"]["name"] for node in one["nodes"]} == {"Card"}


async def test_signed_out_there_is_no_list(nobody: Client) -> None:
    answer = await nobody.ask(PAGE)

    assert answer["data"] is None
    assert codes(answer) == ["UNAUTHENTICATED"]
