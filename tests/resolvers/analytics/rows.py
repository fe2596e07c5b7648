"""Rows that models and rules leave for a user, and what the user said of merchants, for tests of how they are read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert

from db.analytics.models import insights, spending_patterns
from db.analytics.queries.embeddings import Embedding
from db.analytics.queries.merchants import Vote, replace_votes
from db.engines import Viewer
from domains.analytics.service.answers import Question, Said, keep_answer
from domains.analytics.service.embeddings import as_text, store_embeddings
from domains.flows.services import Services

FIRST = datetime(2026, 1, 1, 12, tzinfo=UTC)
MODEL = "l2_supercat_256"
_numbers = count(1)


async def add_insight(services: Services, viewer: Viewer, **changes: Any) -> UUID:
    """An insight, each a minute newer than the one before it unless said otherwise; answers its id."""
    number = next(_numbers)
    row: dict[str, Any] = {
        "id": uuid4(),
        "user_id": viewer.user_id,
        "type": "forecast",
        "title": f"Insight {number}",
        "description": "You will spend less.",
        "created_at": FIRST + timedelta(minutes=number),
    }
    async with services.db.write("analytics", viewer) as session:
        await session.execute(insert(insights).values(row | changes))
    return row["id"]  # type: ignore[no-any-return]


async def add_pattern(services: Services, viewer: Viewer, **changes: Any) -> UUID:
    """A pattern of another merchant, each observed a minute later than the one before it unless said otherwise."""
    number = next(_numbers)
    row: dict[str, Any] = {
        "id": uuid4(),
        "user_id": viewer.user_id,
        "pattern_type": "day_of_week",
        "merchant_name": f"Shop {number}",
        "pattern_data": {"day": "friday"},
        "currency": "USD",
        "last_observed_at": FIRST + timedelta(minutes=number),
    }
    async with services.db.write("analytics", viewer) as session:
        await session.execute(insert(spending_patterns).values(row | changes))
    return row["id"]  # type: ignore[no-any-return]


async def ask_model(services: Services, viewer: Viewer, text: str, kind: str = "insight") -> None:
    """What a model was asked, and said."""
    said = Said({"answer": "On coffee."}, tokens_used=120, cost_usd=Decimal("0.000321"))
    async with services.db.write("analytics", viewer) as session:
        assert await keep_answer(session, Question(kind, "model-1", text), said)


async def vote(services: Services, viewer: Viewer, *votes: Vote) -> None:
    """These are all that the viewer says of merchants."""
    async with services.db.write("analytics", viewer) as session:
        await replace_votes(session, votes)


async def embed(services: Services, viewer: Viewer, *transaction_ids: UUID) -> None:
    """What a model made of these transactions."""
    rows = [Embedding(each, FIRST.date(), MODEL, as_text([1.0] * 256), "Corner Shop") for each in transaction_ids]
    async with services.db.write("analytics", viewer) as session:
        await store_embeddings(session, rows)
