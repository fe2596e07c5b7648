"""What models said: found again by the same question, by its asker alone unless it is everybody's."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import ProgrammingError

from app.embedded import Embedded
from db.analytics.models import llm_query_cache
from db.analytics.queries.answers import Answer, purge_answers
from db.engines import Db, Viewer
from domains.analytics.service.answers import Question, Said, find_answer, keep_answer
from tests.conftest import MakeUser
from tests.db.samples import login

PAST = datetime.now(UTC) - timedelta(hours=1)
SAID = Said({"answer": "On coffee."}, tokens_used=120, cost_usd=Decimal("0.000321"))


@pytest.fixture
async def question(db: Db) -> AsyncIterator[Question]:
    """Nobody asked it before, and it is not left to others."""
    asked = Question("natural_language_query", "model-1", f"Where does my money go? {uuid4()}")
    yield asked
    async with db.system("analytics") as session:
        await session.execute(delete(llm_query_cache).where(llm_query_cache.c.query_hash == asked.hash))


async def keep(db: Db, viewer: Viewer | None, question: Question, said: Said = SAID) -> bool:
    async with db.system("analytics") if viewer is None else db.write("analytics", viewer) as session:
        return await keep_answer(session, question, said)


async def find(db: Db, viewer: Viewer, question: Question) -> Answer | None:
    async with db.write("analytics", viewer) as session:
        return await find_answer(session, question)


async def stored(db: Db, question: Question) -> list[tuple[object, ...]]:
    rows = llm_query_cache.c
    async with db.system("analytics") as session:
        found = select(rows.user_id, rows.hit_count, rows.response["answer"].astext).where(rows.query_hash == question.hash)
        return [tuple(row) for row in await session.execute(found.order_by(rows.user_id.nulls_last()))]


async def test_an_answer_is_found_by_its_question_and_counted(db: Db, make_user: MakeUser, question: Question) -> None:
    viewer = await make_user()

    assert await find(db, viewer, question) is None
    assert await keep(db, viewer, question)
    found = [await find(db, viewer, question) for _ in range(3)]

    assert [(each.response, each.is_shared) for each in found if each is not None] == [({"answer": "On coffee."}, False)] * 3
    assert await stored(db, question) == [(viewer.user_id, 3, "On coffee.")]


async def test_hits_of_many_at_once_are_all_counted(db: Db, make_user: MakeUser, question: Question) -> None:
    viewer = await make_user()
    await keep(db, viewer, question)

    await asyncio.gather(*(find(db, viewer, question) for _ in range(8)))

    assert await stored(db, question) == [(viewer.user_id, 8, "On coffee.")]


async def test_another_model_and_another_purpose_are_other_questions(db: Db, make_user: MakeUser, question: Question) -> None:
    viewer = await make_user()
    await keep(db, viewer, question)

    for other in (Question(question.type, "model-2", question.text), Question("insight", question.model, question.text)):
        assert await find(db, viewer, other) is None


async def test_ones_own_answer_is_nobody_elses(db: Db, make_user: MakeUser, question: Question) -> None:
    robin, sam = await make_user(), await make_user()
    await keep(db, robin, question)

    assert await find(db, sam, question) is None
    assert await keep(db, sam, question, Said({"answer": "On tea."}))
    mine, theirs = await find(db, robin, question), await find(db, sam, question)

    assert (mine and mine.response, theirs and theirs.response) == ({"answer": "On coffee."}, {"answer": "On tea."})


async def test_everybodys_answer_stands_behind_ones_own(db: Db, make_user: MakeUser, question: Question) -> None:
    robin, sam = await make_user(), await make_user()
    assert await keep(db, None, question, Said({"answer": "In general."}))
    assert await keep(db, robin, question)

    mine, shared = await find(db, robin, question), await find(db, sam, question)

    assert mine is not None
    assert shared is not None
    assert (mine.response, mine.is_shared) == ({"answer": "On coffee."}, False)
    assert (shared.response, shared.is_shared) == ({"answer": "In general."}, True)
    assert await stored(db, question) == [(robin.user_id, 1, "On coffee."), (None, 1, "In general.")]


@pytest.mark.parametrize("shared", [False, True])
async def test_a_question_has_one_answer_for_each_whatever_is_kept_again(
    db: Db, make_user: MakeUser, question: Question, shared: bool
) -> None:
    viewer = None if shared else await make_user()

    kept = await asyncio.gather(*(keep(db, viewer, question, Said({"answer": str(number)})) for number in range(4)))

    assert sorted(kept) == [False, False, False, True]
    assert len(await stored(db, question)) == 1


async def test_what_has_expired_is_not_found_and_is_replaced(db: Db, make_user: MakeUser, question: Question) -> None:
    viewer = await make_user()
    await keep(db, viewer, question, Said({"answer": "Old."}, expires_at=PAST))

    assert await find(db, viewer, question) is None
    assert await keep(db, viewer, question)

    assert await stored(db, question) == [(viewer.user_id, 0, "On coffee.")]


async def test_what_has_expired_is_purged_in_bounded_batches(db: Db, make_user: MakeUser, question: Question) -> None:
    robin, sam, kim = [await make_user() for _ in range(3)]
    for viewer in (robin, sam):
        await keep(db, viewer, question, Said({"answer": "Old."}, expires_at=PAST))
    await keep(db, kim, question)

    async with db.system("analytics") as session:
        assert await purge_answers(session, limit=1) == 1
    async with db.system("analytics") as session:
        await purge_answers(session)

    assert await stored(db, question) == [(kim.user_id, 0, "On coffee.")]


async def test_nobody_changes_or_makes_an_answer_of_everybodys(db: Db, servers: Embedded, make_user: MakeUser, question: Question) -> None:
    viewer = await make_user()
    await keep(db, None, question)

    async with login(servers.dsns.app, viewer.user_id) as app:
        assert await app.execute("delete from analytics_schema.llm_query_cache where user_id is null") == "DELETE 0"
    for change in ({"response": {}}, {"user_id": viewer.user_id}, {"expires_at": func.now()}):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with db.write("analytics", viewer) as session:
                await session.execute(update(llm_query_cache).where(llm_query_cache.c.query_hash == question.hash).values(change))
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with db.write("analytics", viewer) as session:
            made = {"query_hash": "0" * 64, "query_text": "?", "query_type": "insight", "response": {}, "model": "m", "user_id": None}
            await session.execute(llm_query_cache.insert().values(made))

    assert await stored(db, question) == [(None, 0, "On coffee.")]


async def test_without_a_viewer_everybodys_answers_are_nobodys(db: Db, servers: Embedded, question: Question) -> None:
    await keep(db, None, question)

    async with login(servers.dsns.app) as app:
        assert await app.fetchval("select count(*) from analytics_schema.llm_query_cache") == 0
