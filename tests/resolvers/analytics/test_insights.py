"""Insights as their reader sees them, narrowed and paged, and what they may do with them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.resolvers.analytics.rows import FIRST, add_insight
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import COFFEE, FOOD
from tests.resolvers.test_operations import DOCUMENTS

LIST = DOCUMENTS["analytics/insights"]
ONE = "query($id: ID!) { node(id: $id) { ... on Insight { title viewed viewedAt dismissed dismissedAt feedback } } }"
NOT_FOUND = [{"code": "INSIGHT_NOT_FOUND", "message": "There is no such insight.", "field": "id"}]
YESTERDAY = datetime.now(UTC) - timedelta(days=1)
MUTATIONS = {
    "mark_insight_viewed": ("insightMarkViewed", {}),
    "dismiss_insight": ("insightDismiss", {"dismissed": True}),
    "rate_insight": ("insightRate", {"feedback": "HELPFUL"}),
}


async def titles(client: Client, **variables: Any) -> list[str]:
    return [node["title"] for node in (await client.data(LIST, **variables))["me"]["insights"]["nodes"]]


async def change(client: Client, document: str, insight_id: object, **said: Any) -> Any:
    given = {"id": gid("Insight", insight_id), **said}
    return (await client.data(DOCUMENTS[f"analytics/{document}"], input=given))[MUTATIONS[document][0]]


async def one(client: Client, insight_id: UUID) -> Any:
    return (await client.data(ONE, id=gid("Insight", insight_id)))["node"]


async def somebody(make_client: MakeClient, *rows: dict[str, Any]) -> tuple[Client, Sequence[UUID]]:
    """Somebody with these insights, and their ids."""
    client = await make_client()
    assert client.viewer is not None
    return client, [await add_insight(client.services, client.viewer, **row) for row in rows]


async def test_an_insight_as_its_reader_sees_it(make_client: MakeClient) -> None:
    row = {
        "type": "spending_spike",
        "priority": "high",
        "title": "Coffee doubled",
        "description": "You spent twice as much on coffee.",
        "actionable_advice": "Make your own.",
        "data": {"before": "10.00", "days": [1, 2, None], "more": True},
        "affected_categories": [COFFEE, FOOD, "GONE"],
        "time_period_start": date(2026, 1, 1),
        "time_period_end": date(2026, 2, 1),
        "generated_by": "rule_engine",
        "model_version": "3",
        "confidence": Decimal("0.85"),
        "created_at": FIRST,
        "expires_at": datetime(2099, 1, 1, tzinfo=UTC),
    }
    client, [insight_id] = await somebody(make_client, row)

    [node] = (await client.data(LIST))["me"]["insights"]["nodes"]

    about = [each["category"] and each["category"]["id"] for each in node.pop("affectedCategories")]
    assert about == [gid("Category", COFFEE), gid("Category", FOOD), None]
    assert node == {
        "id": gid("Insight", insight_id),
        "type": "SPENDING_SPIKE",
        "priority": "HIGH",
        "title": "Coffee doubled",
        "description": "You spent twice as much on coffee.",
        "actionableAdvice": "Make your own.",
        "data": {"before": "10.00", "days": [1, 2, None], "more": True},
        "timePeriodStart": "2026-01-01",
        "timePeriodEnd": "2026-02-01",
        "viewed": False,
        "viewedAt": None,
        "dismissed": False,
        "dismissedAt": None,
        "feedback": None,
        "generatedBy": "RULE_ENGINE",
        "modelVersion": "3",
        "confidence": "0.85",
        "createdAt": "2026-01-01T12:00:00Z",
        "expiresAt": "2099-01-01T00:00:00Z",
    }


FILTERS: list[tuple[dict[str, Any] | None, list[str]]] = [
    (None, ["seen", "spike", "plain"]),
    ({}, ["seen", "spike", "plain"]),
    ({"types": None, "includeDismissed": None}, ["seen", "spike", "plain"]),
    ({"types": ["SPENDING_SPIKE"]}, ["spike"]),
    ({"types": ["SPENDING_SPIKE", "FORECAST"], "priorities": ["MEDIUM"]}, ["seen", "plain"]),
    ({"types": []}, []),
    ({"onlyUnviewed": True}, ["spike", "plain"]),
    ({"includeDismissed": True}, ["away", "seen", "spike", "plain"]),
    ({"includeExpired": True}, ["over", "seen", "spike", "plain"]),
    ({"includeExpired": True, "includeDismissed": True, "priorities": ["LOW"]}, ["over", "away"]),
]


@pytest.mark.parametrize(("given", "expected"), FILTERS)
async def test_a_list_is_narrowed(make_client: MakeClient, given: dict[str, Any] | None, expected: list[str]) -> None:
    client, _ = await somebody(
        make_client,
        {"title": "plain"},
        {"title": "spike", "type": "spending_spike", "priority": "high"},
        {"title": "seen", "viewed": True, "viewed_at": YESTERDAY},
        {"title": "away", "priority": "low", "dismissed": True, "dismissed_at": YESTERDAY},
        {"title": "over", "priority": "low", "expires_at": YESTERDAY},
    )

    found = (await client.data(LIST, filter=given))["me"]["insights"]

    assert [node["title"] for node in found["nodes"]] == expected
    assert found["totalCount"] == len(expected)


async def test_pages_follow_one_another_without_a_gap(make_client: MakeClient) -> None:
    same_moment = [{"title": str(number), "created_at": FIRST} for number in range(7)]
    client, _ = await somebody(make_client, *same_moment)
    seen: list[str] = []
    after = None

    for _ in range(4):
        found = (await client.data(LIST, first=2, after=after))["me"]["insights"]
        seen += [node["title"] for node in found["nodes"]]
        after = found["pageInfo"]["endCursor"]

    assert sorted(seen) == [str(number) for number in range(7)]
    assert found["pageInfo"]["hasNextPage"] is False


async def test_too_many_entries_of_a_filter_are_refused(make_client: MakeClient) -> None:
    client = await make_client()

    answer = await client.ask(LIST, filter={"types": ["FORECAST"] * 101})

    assert codes(answer) == ["BAD_USER_INPUT"]


async def test_what_was_seen_stays_seen_since_the_first_time(make_client: MakeClient) -> None:
    client, [insight_id] = await somebody(make_client, {})

    first = await change(client, "mark_insight_viewed", insight_id)
    again = await change(client, "mark_insight_viewed", insight_id)

    assert first["errors"] == again["errors"] == []
    assert first["insight"]["viewed"] is True
    assert first["insight"]["viewedAt"] is not None
    assert again == first


async def test_an_insight_is_put_away_once_and_taken_back(make_client: MakeClient) -> None:
    client, [insight_id] = await somebody(make_client, {"title": "It"})

    away = await change(client, "dismiss_insight", insight_id)
    again = await change(client, "dismiss_insight", insight_id, dismissed=True)
    listed = await titles(client)
    back = await change(client, "dismiss_insight", insight_id, dismissed=False)

    assert away == again
    assert (away["insight"]["dismissed"], away["insight"]["dismissedAt"] is None) == (True, False)
    assert listed == []
    assert (back["insight"]["dismissed"], back["insight"]["dismissedAt"]) == (False, None)
    assert await titles(client) == ["It"]


async def test_an_insight_is_rated_and_the_word_taken_back(make_client: MakeClient) -> None:
    client, [insight_id] = await somebody(make_client, {})

    said = [await change(client, "rate_insight", insight_id, feedback=each) for each in ("HELPFUL", "NOT_HELPFUL", "NOT_HELPFUL", None)]

    assert [each["insight"]["feedback"] for each in said] == ["HELPFUL", "NOT_HELPFUL", "NOT_HELPFUL", None]


async def test_what_comes_at_once_ends_in_one_state(make_client: MakeClient) -> None:
    client, [insight_id] = await somebody(make_client, {})

    seen = await asyncio.gather(*(change(client, "mark_insight_viewed", insight_id) for _ in range(5)))
    await asyncio.gather(*(change(client, "dismiss_insight", insight_id, dismissed=number % 2 == 0) for number in range(6)))

    assert len({each["insight"]["viewedAt"] for each in seen}) == 1
    kept = await one(client, insight_id)
    assert kept["dismissed"] is (kept["dismissedAt"] is not None)


@pytest.mark.parametrize("document", MUTATIONS)
async def test_somebody_elses_insight_is_as_one_that_is_not_there(make_client: MakeClient, document: str) -> None:
    owner, [insight_id] = await somebody(make_client, {"title": "Mine"})
    stranger = await make_client()
    said = MUTATIONS[document][1]

    theirs = await change(stranger, document, insight_id, **said)
    nothing = await change(stranger, document, uuid4(), **said)
    malformed = await change(stranger, document, "no id", **said)

    assert theirs == nothing == malformed == {"insight": None, "errors": NOT_FOUND}
    kept = {"title": "Mine", "viewed": False, "viewedAt": None, "dismissed": False, "dismissedAt": None, "feedback": None}
    assert await one(owner, insight_id) == kept
    assert await one(stranger, insight_id) is None


@pytest.mark.parametrize("document", MUTATIONS)
async def test_signed_out_nothing_is_changed(make_client: MakeClient, nobody: Client, document: str) -> None:
    owner, [insight_id] = await somebody(make_client, {})
    before = await one(owner, insight_id)

    answer = await nobody.ask(DOCUMENTS[f"analytics/{document}"], input={"id": gid("Insight", insight_id), **MUTATIONS[document][1]})

    assert codes(answer) == ["UNAUTHENTICATED"]
    assert await one(owner, insight_id) == before


async def test_a_word_that_is_not_one_is_refused(make_client: MakeClient) -> None:
    client, [insight_id] = await somebody(make_client, {})

    answer = await client.ask(DOCUMENTS["analytics/rate_insight"], input={"id": gid("Insight", insight_id), "feedback": "AWFUL"})

    assert "data" not in answer or answer["data"] is None
    assert (await one(client, insight_id))["feedback"] is None
