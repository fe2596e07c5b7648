"""Embeddings: any known model's vectors, and what is nearest among one's own, by comparing all and by the index."""

import asyncio
import math
import random
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from db.analytics.models import transaction_embeddings
from db.analytics.queries import embeddings as queries
from db.analytics.queries.embeddings import Embedding, delete_embeddings
from db.analytics.vectors import MODELS
from db.engines import Db, Viewer
from db.statements import forget_compiled
from domains.analytics.service import embeddings as service
from domains.analytics.service.embeddings import UnknownModel, as_text, find_nearest, store_embeddings
from tests.conftest import MakeUser

DAY = date(2026, 3, 1)
SMALL = "l2_supercat_256"
RANDOM = random.Random(11)  # noqa: S311 - the same vectors in every run


def direction(model: str, *towards: float) -> list[float]:
    """A vector of the model's length that begins with these numbers."""
    return [*towards, *[0.0] * (MODELS[model] - len(towards))]


def somewhere(model: str) -> list[float]:
    return [RANDOM.gauss(0, 1) for _ in range(MODELS[model])]


def embedded(vector: Sequence[float], model: str = SMALL, **changes: Any) -> Embedding:
    given = Embedding(uuid4(), DAY, model, as_text(vector), "Corner Shop")
    return given._replace(**changes)


async def store(db: Db, viewer: Viewer, *rows: Embedding) -> None:
    async with db.write("analytics", viewer) as session:
        await store_embeddings(session, rows)


async def nearest(db: Db, viewer: Viewer, vector: Sequence[float], count: int = 10, model: str = SMALL) -> list[service.Near]:
    async with db.read("analytics", viewer) as read:
        return await find_nearest(read, model, vector, count)


async def stored(db: Db, viewer: Viewer) -> list[tuple[Any, ...]]:
    rows = transaction_embeddings.c
    found = select(rows.transaction_id, rows.embedding_model, rows.transaction_date, rows.text_content).order_by(rows.transaction_id)
    async with db.write("analytics", viewer) as session:
        return [tuple(row) for row in await session.execute(found)]


@pytest.fixture(params=["all are compared", "by the index"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way a user's vectors are looked through."""
    if request.param == "by the index":
        monkeypatch.setattr(service, "NUMBERS_COMPARED_AT_MOST", 0)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("model", MODELS)
async def test_the_nearest_come_first_with_their_distance(db: Db, make_user: MakeUser, model: str) -> None:
    viewer = await make_user()
    same, near, across, opposite = (embedded(direction(model, *to), model) for to in ((1.0,), (1.0, 1.0), (0.0, 1.0), (-1.0,)))
    await store(db, viewer, opposite, across, near, same)

    found = await nearest(db, viewer, direction(model, 2.0), 3, model)

    assert [each.transaction_id for each in found] == [same.transaction_id, near.transaction_id, across.transaction_id]
    assert [each.transaction_date for each in found] == [DAY] * 3
    assert [round(each.distance, 3) for each in found] == [0.0, round(1 - 1 / math.sqrt(2), 3), 1.0]


@pytest.mark.usefixtures("either")
async def test_only_ones_own_of_the_same_model_are_near(db: Db, make_user: MakeUser) -> None:
    robin, sam = await make_user(), await make_user()
    mine, theirs = embedded(direction(SMALL, 0.0, 1.0)), embedded(direction(SMALL, 1.0))
    await store(db, robin, mine, embedded(direction("all-MiniLM-L6-v2", 1.0), "all-MiniLM-L6-v2"))
    await store(db, sam, theirs)

    found = await nearest(db, robin, direction(SMALL, 1.0))

    assert [each.transaction_id for each in found] == [mine.transaction_id]


@pytest.mark.usefixtures("either")
async def test_among_many_of_others_all_that_are_ones_own_are_found(db: Db, make_user: MakeUser) -> None:
    """An index that stops at what it finds first would give none: everybody else's are nearer."""
    robin, crowd = await make_user(), await make_user()
    await store(db, crowd, *(embedded([1.0, *(0.01 * part for part in somewhere(SMALL)[1:])]) for _ in range(600)))
    mine = [embedded([-1.0, *(0.01 * part for part in somewhere(SMALL)[1:])]) for _ in range(5)]
    await store(db, robin, *mine)

    found = await nearest(db, robin, direction(SMALL, 1.0))

    assert {each.transaction_id for each in found} == {each.transaction_id for each in mine}


async def test_the_index_finds_nearly_what_comparing_all_finds(db: Db, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = await make_user()
    await store(db, viewer, *(embedded(somewhere(SMALL)) for _ in range(400)))
    asked = [somewhere(SMALL) for _ in range(20)]

    exact = [{each.transaction_id for each in await nearest(db, viewer, vector)} for vector in asked]
    monkeypatch.setattr(service, "NUMBERS_COMPARED_AT_MOST", 0)
    by_index = [{each.transaction_id for each in await nearest(db, viewer, vector)} for vector in asked]

    assert all(len(found) == 10 for found in (*exact, *by_index))
    assert sum(len(one & other) for one, other in zip(exact, by_index, strict=True)) >= 180


async def test_a_plan_by_the_index_uses_the_models_own(db: Db, make_user: MakeUser) -> None:
    """Whatever it costs: that the statement is one that the index can serve."""
    viewer = await make_user()
    for model in MODELS:
        async with db.read("analytics", viewer) as read:
            statement = queries.nearest(model, by_index=True)
            values = {"viewer": viewer.user_id, "vector": as_text(somewhere(model)), "size": 10}
            await read._connection.execute("set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_sort = off")
            plan = await read._connection.fetch(f"explain {statement.sql}", *statement.arguments(values))

        assert any(f"ix_transaction_embeddings_{model.lower().replace('-', '_')}" in row[0] for row in plan), plan


async def test_a_server_whose_index_cannot_look_on_compares_all(db: Db, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = await make_user()
    await store(db, viewer, embedded(direction(SMALL, 1.0)))
    monkeypatch.setattr(service, "NUMBERS_COMPARED_AT_MOST", 0)
    asked: list[bool] = []
    real = queries.nearest

    def nearest_of(model: str, *, by_index: bool) -> Any:
        asked.append(by_index)
        return real(model, by_index=by_index)

    monkeypatch.setattr(queries, "nearest", nearest_of)
    assert len(await nearest(db, viewer, direction(SMALL, 1.0))) == 1
    monkeypatch.setattr(queries, "ITERATES_SINCE", "{99}")
    forget_compiled()
    try:
        found = await nearest(db, viewer, direction(SMALL, 1.0))
    finally:
        forget_compiled()

    assert len(found) == 1
    assert asked == [True, False]


@pytest.mark.parametrize("model", ["no-such-model", "x' or true --"])
async def test_a_model_that_is_not_known_is_refused(db: Db, make_user: MakeUser, model: str) -> None:
    viewer = await make_user()

    with pytest.raises(UnknownModel):
        await nearest(db, viewer, [1.0], model=model)
    with pytest.raises(KeyError):
        queries.nearest(model, by_index=False)


@pytest.mark.parametrize("vector", [[], [1.0], direction("all-MiniLM-L6-v2", 1.0)])
async def test_a_vector_of_another_length_is_refused(db: Db, make_user: MakeUser, vector: list[float]) -> None:
    viewer = await make_user()

    with pytest.raises(UnknownModel):
        await nearest(db, viewer, vector)
    with pytest.raises(DBAPIError):
        await store(db, viewer, embedded(vector))
    assert await stored(db, viewer) == []


async def test_storing_again_takes_the_place_and_follows_the_date(db: Db, make_user: MakeUser) -> None:
    viewer = await make_user()
    first = embedded(direction(SMALL, 1.0))
    again = first._replace(embedding=as_text(direction(SMALL, -1.0)), text_content="Corner Shop 2")
    other_model = embedded(direction("all-MiniLM-L6-v2", 1.0), "all-MiniLM-L6-v2", transaction_id=first.transaction_id)
    await store(db, viewer, first, other_model)

    await store(db, viewer, again)
    moved = again._replace(transaction_date=date(2026, 4, 1))
    await store(db, viewer, moved)

    kept = {(row[1], row[2], row[3]) for row in await stored(db, viewer)}
    assert kept == {(SMALL, date(2026, 4, 1), "Corner Shop 2"), ("all-MiniLM-L6-v2", DAY, "Corner Shop")}
    [found] = await nearest(db, viewer, direction(SMALL, -1.0))
    assert round(found.distance, 3) == 0.0


async def test_the_same_stored_by_two_at_once_is_there_once(db: Db, make_user: MakeUser) -> None:
    viewer = await make_user()
    rows = [embedded(somewhere(SMALL)) for _ in range(20)]

    await asyncio.gather(*(store(db, viewer, *RANDOM.sample(rows, len(rows))) for _ in range(3)))

    assert [row[0] for row in await stored(db, viewer)] == sorted(row.transaction_id for row in rows)


async def test_a_transactions_embeddings_are_dropped_and_nobody_elses(db: Db, make_user: MakeUser) -> None:
    robin, sam = await make_user(), await make_user()
    gone, kept, theirs = (embedded(somewhere(SMALL)) for _ in range(3))
    await store(db, robin, gone, kept)
    await store(db, sam, theirs)

    async with db.write("analytics", robin) as session:
        await delete_embeddings(session, [gone.transaction_id, theirs.transaction_id, UUID(int=0)])

    assert [row[0] for row in await stored(db, robin)] == [kept.transaction_id]
    assert [row[0] for row in await stored(db, sam)] == [theirs.transaction_id]


async def test_nobody_stores_over_anothers(db: Db, make_user: MakeUser) -> None:
    robin, sam = await make_user(), await make_user()
    mine = embedded(direction(SMALL, 1.0))
    await store(db, robin, mine)

    with pytest.raises(DBAPIError, match="row-level security"):
        await store(db, sam, mine._replace(embedding=as_text(direction(SMALL, -1.0))))

    [found] = await nearest(db, robin, direction(SMALL, 1.0))
    assert round(found.distance, 3) == 0.0
    assert await stored(db, sam) == []
