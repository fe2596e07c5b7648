"""Habits, what models were asked, what is known of merchants, and embeddings, as their owner reads them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from db.analytics.queries.merchants import Vote
from resolvers.ids import split_global_id
from tests.resolvers.analytics.rows import FIRST, MODEL, add_pattern, ask_model, embed, vote
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import COFFEE, FOOD, MONTH, account, bring, moved
from tests.resolvers.test_operations import DOCUMENTS

PATTERNS, QUERIES, VOTES, EMBEDDINGS = (
    DOCUMENTS[f"analytics/{name}"] for name in ("spending_patterns", "model_queries", "merchant_votes", "embeddings")
)
LISTS = {"spendingPatterns": PATTERNS, "modelQueries": QUERIES, "merchantVotes": VOTES, "embeddings": EMBEDDINGS}


async def found(client: Client, name: str, **variables: Any) -> Any:
    return (await client.data(LISTS[name], **variables))["me"][name]


async def transaction_of(client: Client) -> tuple[str, UUID]:
    """A transaction of the client's: its global id, and the one that the database has."""
    assert client.viewer is not None
    await bring(client.services, client.viewer, account("Daily", [moved(MONTH, "12.50")]))
    [node] = (await client.data("{ me { transactions { nodes { id } } } }"))["me"]["transactions"]["nodes"]
    parts = split_global_id(node["id"])
    assert parts is not None
    return node["id"], UUID(parts[1])


async def one_of_each(client: Client) -> None:
    viewer = client.viewer
    assert viewer is not None
    await add_pattern(client.services, viewer)
    await ask_model(client.services, viewer, "Why?")
    await vote(client.services, viewer, Vote("corner shop", FOOD, COFFEE))
    await embed(client.services, viewer, (await transaction_of(client))[1])


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_is_its_owners(make_client: MakeClient, nobody: Client, name: str) -> None:
    owner, stranger = await make_client(), await make_client()
    await one_of_each(owner)

    mine, theirs = await found(owner, name), await found(stranger, name)

    assert (len(mine["nodes"]), mine["totalCount"]) == (1, 1)
    assert (theirs["nodes"], theirs["totalCount"]) == ([], 0)
    assert codes(await nobody.ask(LISTS[name])) == ["UNAUTHENTICATED"]


async def test_a_pattern_as_its_owner_reads_it(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    row = {
        "pattern_type": "seasonal",
        "category": COFFEE,
        "merchant_name": "Corner Shop",
        "pattern_data": {"months": ["2026-01"]},
        "frequency": "yearly",
        "avg_amount": Decimal("12.5"),
        "currency": "KWD",
        "confidence": Decimal("0.9"),
        "sample_size": 12,
        "first_detected_at": FIRST,
        "last_observed_at": FIRST,
    }
    pattern_id = await add_pattern(client.services, client.viewer, **row)

    [node] = (await found(client, "spendingPatterns"))["nodes"]

    assert node.pop("category")["id"] == gid("Category", COFFEE)
    assert node == {
        "id": gid("SpendingPattern", pattern_id),
        "type": "SEASONAL",
        "merchantName": "Corner Shop",
        "data": {"months": ["2026-01"]},
        "frequency": "yearly",
        "averageAmount": {"amount": "12.500", "currency": "KWD"},
        "confidence": "0.90",
        "sampleSize": 12,
        "firstDetectedAt": "2026-01-01T12:00:00Z",
        "lastObservedAt": "2026-01-01T12:00:00Z",
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ["coffee", "any", "food"]),
        ({"types": ["SEASONAL"]}, ["coffee", "any"]),
        ({"categoryIds": [gid("Category", COFFEE), "no id"]}, ["coffee"]),
        ({"categoryIds": [gid("Category", FOOD)], "types": ["SEASONAL"]}, []),
        ({"categoryIds": []}, []),
    ],
)
async def test_patterns_are_narrowed(make_client: MakeClient, given: dict[str, Any] | None, expected: list[str]) -> None:
    client = await make_client()
    assert client.viewer is not None
    await add_pattern(client.services, client.viewer, merchant_name="food", category=FOOD)
    await add_pattern(client.services, client.viewer, merchant_name="any", pattern_type="seasonal")
    await add_pattern(client.services, client.viewer, merchant_name="coffee", category=COFFEE, pattern_type="seasonal")

    page = await found(client, "spendingPatterns", filter=given)

    assert ([node["merchantName"] for node in page["nodes"]], page["totalCount"]) == (expected, len(expected))


async def test_what_models_were_asked_newest_first_and_by_type(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    for text, kind in (("first", "insight"), ("second", "categorization"), ("third", "insight")):
        await ask_model(client.services, client.viewer, text, kind)

    everything, only = await found(client, "modelQueries"), await found(client, "modelQueries", filter={"type": "INSIGHT"})
    rest = await found(client, "modelQueries", first=2, after=everything["pageInfo"]["endCursor"])

    assert [node["text"] for node in everything["nodes"]] == ["third", "second", "first"]
    assert ([node["text"] for node in only["nodes"]], only["totalCount"]) == (["third", "first"], 2)
    assert rest["nodes"] == []
    node = everything["nodes"][0]
    assert {name: node[name] for name in ("type", "response", "model", "tokensUsed", "costUsd", "hitCount", "expiresAt")} == {
        "type": "INSIGHT",
        "response": {"answer": "On coffee."},
        "model": "model-1",
        "tokensUsed": 120,
        "costUsd": "0.000321",
        "hitCount": 0,
        "expiresAt": None,
    }


async def test_votes_by_name_without_those_taken_back(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    await vote(client.services, client.viewer, *(Vote(name, FOOD, None) for name in ("b", "a", "c")))
    await vote(client.services, client.viewer, Vote("b", FOOD, COFFEE), Vote("a", FOOD, None))

    first = await found(client, "merchantVotes", first=1)
    second = await found(client, "merchantVotes", first=1, after=first["pageInfo"]["endCursor"])

    assert (first["totalCount"], first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (2, True, False)
    [a], [b] = first["nodes"], second["nodes"]
    assert (a["merchantName"], a["category"]["id"], a["categoryDetailed"], a["everybody"]) == ("a", gid("Category", FOOD), None, None)
    assert (b["merchantName"], b["category"]["id"], b["categoryDetailed"]["id"]) == ("b", gid("Category", FOOD), gid("Category", COFFEE))
    again = await client.data("query($id: ID!) { node(id: $id) { ... on MerchantVote { merchantName } } }", id=a["id"])
    assert again == {"node": {"merchantName": "a"}}


async def test_what_was_embedded_and_of_which_transaction(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    global_id, transaction_id = await transaction_of(client)
    gone = UUID(int=client.viewer.user_id.int ^ 1)
    await embed(client.services, client.viewer, transaction_id)
    await embed(client.services, client.viewer, gone)

    page = await found(client, "embeddings")
    of_it = await client.data(
        "query($id: ID!) { node(id: $id) { ... on Transaction { embeddings { model text createdAt } } } }", id=global_id
    )

    newest, oldest = page["nodes"]
    assert newest["transaction"] is None
    assert oldest["transaction"]["id"] == global_id
    assert (oldest["model"], oldest["text"]) == (MODEL, "Corner Shop")
    assert datetime.fromisoformat(oldest["createdAt"]) > datetime.now(UTC) - timedelta(minutes=5)
    assert of_it["node"]["embeddings"] == [{name: oldest[name] for name in ("model", "text", "createdAt")}]
    rest = await found(client, "embeddings", first=1, after=(await found(client, "embeddings", first=1))["pageInfo"]["endCursor"])
    assert [node["createdAt"] for node in rest["nodes"]] == [oldest["createdAt"]]
