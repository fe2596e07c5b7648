"""What the tables of analytics refuse, and what they keep once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.embedded import Embedded
from db.analytics.vectors import MODELS, index_name
from tests.db.samples import MONTH, insert, login, sample_rows

NOW = datetime.now(UTC)
SCHEMA = "analytics_schema"


@pytest.fixture
async def row(servers: Embedded) -> AsyncIterator[Any]:
    """A connection of the superuser, whose rows are rolled back."""
    async with login(servers.superuser_dsn) as connection:
        yield connection


def sample(table: str, **changes: Any) -> dict[str, Any]:
    return sample_rows(uuid4())[f"{SCHEMA}.{table}"] | changes


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ("insights", {"type": "gossip"}),
        ("insights", {"priority": "urgent"}),
        ("insights", {"feedback": "awful"}),
        ("insights", {"generated_by": "oracle"}),
        ("insights", {"confidence": Decimal("1.01")}),
        ("insights", {"time_period_start": MONTH, "time_period_end": MONTH}),
        ("insights", {"viewed": True}),
        ("insights", {"viewed_at": NOW}),
        ("insights", {"dismissed": True}),
        ("insights", {"dismissed_at": NOW}),
        ("spending_patterns", {"pattern_type": "lunar"}),
        ("spending_patterns", {"currency": "eur"}),
        ("spending_patterns", {"sample_size": -1}),
        ("spending_patterns", {"confidence": Decimal("-0.01")}),
        ("llm_query_cache", {"query_type": "chat"}),
        ("llm_query_cache", {"query_hash": "A" * 64}),
        ("llm_query_cache", {"query_hash": "a" * 63}),
        ("llm_query_cache", {"tokens_used": -1}),
        ("llm_query_cache", {"cost_usd": Decimal("-0.000001")}),
        ("llm_query_cache", {"hit_count": -1}),
        ("merchant_category_votes", {"category": None, "category_detailed": "FOOD_AND_DRINK_COFFEE"}),
        ("merchant_category_votes", {"category": None, "is_counted": True}),
        ("transaction_embeddings", {"embedding_model": "no-such-model"}),
        ("transaction_embeddings", {"embedding_model": "text-embedding-3-small"}),
        ("transaction_embeddings", {"embedding": str([0.1] * 255)}),
    ],
)
async def test_words_and_numbers_outside_their_sets_are_refused(row: Any, table: str, changes: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(row, f"{SCHEMA}.{table}", sample(table, **changes))


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("insights", "priority"),
        ("insights", "data"),
        ("insights", "affected_categories"),
        ("insights", "viewed"),
        ("insights", "generated_by"),
        ("insights", "created_at"),
        ("spending_patterns", "currency"),
        ("spending_patterns", "last_observed_at"),
        ("llm_query_cache", "hit_count"),
        ("llm_query_cache", "model"),
        ("merchant_category_votes", "is_counted"),
        ("transaction_embeddings", "embedding"),
        ("transaction_embeddings", "embedding_model"),
        ("transaction_embeddings", "created_at"),
    ],
)
async def test_what_must_be_there_cannot_be_null(row: Any, table: str, column: str) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        await insert(row, f"{SCHEMA}.{table}", sample(table) | {column: None})


@pytest.mark.parametrize(
    ("table", "again"),
    [
        ("spending_patterns", {"id": uuid4()}),
        ("llm_query_cache", {"id": uuid4()}),
        ("llm_query_cache", {"id": uuid4(), "user_id": None}),
        ("merchant_category_votes", {"id": uuid4()}),
        ("transaction_embeddings", {"text_content": "another"}),
    ],
)
async def test_a_key_with_nothing_in_it_is_a_key_too(row: Any, table: str, again: dict[str, Any]) -> None:
    """A habit of no category and no merchant, an answer of nobody's: each is there once."""
    first = sample(table) | {name: value for name, value in again.items() if name == "user_id"}
    await insert(row, f"{SCHEMA}.{table}", first)

    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(row, f"{SCHEMA}.{table}", first | again)


async def test_an_answer_of_ones_own_stands_beside_everybodys(row: Any) -> None:
    mine = sample("llm_query_cache")
    await insert(row, f"{SCHEMA}.llm_query_cache", mine)

    for owner in (None, uuid4()):
        await insert(row, f"{SCHEMA}.llm_query_cache", mine | {"id": uuid4(), "user_id": owner})

    assert await row.fetchval(f"select count(*) from {SCHEMA}.llm_query_cache where query_hash = $1", mine["query_hash"]) == 3


async def test_three_decimals_and_a_millionth_of_a_dollar_are_kept(row: Any) -> None:
    await insert(row, f"{SCHEMA}.spending_patterns", pattern := sample("spending_patterns", avg_amount=Decimal("1.2345"), currency="KWD"))
    await insert(row, f"{SCHEMA}.llm_query_cache", query := sample("llm_query_cache", cost_usd=Decimal("0.000001")))

    amount = await row.fetchval(f"select avg_amount from {SCHEMA}.spending_patterns where id = $1", pattern["id"])
    cost = await row.fetchval(f"select cost_usd from {SCHEMA}.llm_query_cache where id = $1", query["id"])
    assert (amount, cost) == (Decimal("1.2345"), Decimal("0.000001"))


async def test_every_model_has_an_index_of_its_own_and_vectors_of_its_length(row: Any) -> None:
    indexes = dict(
        await row.fetch("select indexname, indexdef from pg_indexes where tablename = 'transaction_embeddings' and indexdef like '%hnsw%'")
    )

    assert set(indexes) == {index_name(model) for model in MODELS}
    for model, dimensions in MODELS.items():
        kind = "vector" if dimensions <= 2_000 else "halfvec"
        assert f"extensions.{kind}({dimensions})" in indexes[index_name(model)]
        assert f"'{model}'" in indexes[index_name(model)]
        fitting = sample("transaction_embeddings", embedding_model=model, embedding=str([0.1] * dimensions))
        await insert(row, f"{SCHEMA}.transaction_embeddings", fitting)
