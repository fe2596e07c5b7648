import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from db import idempotency, jobs
from db.base import idempotency_keys_table
from db.engines import Db, Viewer
from db.errors import KeyReused
from tests.conftest import MakeUser

DOMAIN = "budget"
MUTATION = "budgetCreate"
ONE, OTHER = idempotency.fingerprint({"n": 1}), idempotency.fingerprint({"n": 2})


@pytest.fixture
async def viewer(make_user: MakeUser) -> Viewer:
    return await make_user()


async def call(db: Db, viewer: Viewer, key: str, fingerprint: str = ONE, *, pause_s: float = 0.0) -> dict[str, Any]:
    """A mutation: an effect (a job row) and its answer, once per key."""
    async with db.write(DOMAIN, viewer) as session:
        before = await idempotency.replay(session, MUTATION, key, fingerprint)
        if before is not None:
            return before
        await asyncio.sleep(pause_s)
        effect = await jobs.add(session, "test.effect", key=str(uuid4()), delay_s=3600)
        await idempotency.record(session, MUTATION, key, {"id": str(effect)})
        return {"id": str(effect)}


async def effects(db: Db, viewer: Viewer) -> int:
    table = jobs.jobs_table(DOMAIN)
    async with db.system(DOMAIN) as session:
        return int((await session.execute(select(func.count()).where(table.c.user_id == viewer.user_id))).scalar_one())


async def test_a_retry_gets_the_first_answer_and_changes_nothing(db: Db, viewer: Viewer) -> None:
    first = await call(db, viewer, "key")

    assert await call(db, viewer, "key") == first
    assert await effects(db, viewer) == 1


async def test_another_key_another_mutation_or_another_user_is_another_call(db: Db, viewer: Viewer, make_user: MakeUser) -> None:
    first = await call(db, viewer, "key")

    assert await call(db, viewer, "other key") != first
    assert await call(db, await make_user(), "key") != first
    async with db.write(DOMAIN, viewer) as session:
        assert await idempotency.find(session, "budgetDelete", "key", ONE) is None


async def test_a_key_with_another_input_is_refused(db: Db, viewer: Viewer) -> None:
    await call(db, viewer, "key")

    with pytest.raises(KeyReused):
        await call(db, viewer, "key", OTHER)

    assert await effects(db, viewer) == 1


async def test_fifty_first_calls_at_once_have_one_effect_and_one_answer(db: Db, viewer: Viewer) -> None:
    answers = await asyncio.gather(*(call(db, viewer, "key", pause_s=0.05) for _ in range(50)))

    assert len({answer["id"] for answer in answers}) == 1
    assert await effects(db, viewer) == 1


async def test_when_the_first_call_rolls_back_the_waiting_one_is_the_first(db: Db, viewer: Viewer) -> None:
    async def broken() -> None:
        async with db.write(DOMAIN, viewer) as session:
            assert await idempotency.replay(session, MUTATION, "key", ONE) is None
            await asyncio.sleep(0.1)
            raise ZeroDivisionError

    first = asyncio.create_task(broken())
    await asyncio.sleep(0.05)
    second = asyncio.create_task(call(db, viewer, "key"))

    with pytest.raises(ZeroDivisionError):
        await first
    answer = await second
    assert await call(db, viewer, "key") == answer
    assert await effects(db, viewer) == 1


async def test_a_committed_answer_is_found_without_starting_a_call(db: Db, viewer: Viewer) -> None:
    async with db.write(DOMAIN, viewer) as session:
        assert await idempotency.find(session, MUTATION, "key", ONE) is None
    answer = await call(db, viewer, "key")

    async with db.write(DOMAIN, viewer) as session:
        assert await idempotency.find(session, MUTATION, "key", ONE) == answer
        with pytest.raises(KeyReused):
            await idempotency.find(session, MUTATION, "key", OTHER)


async def test_an_answer_without_a_call_and_a_call_without_an_answer_are_bugs(db: Db, viewer: Viewer) -> None:
    async with db.write(DOMAIN, viewer) as session:
        with pytest.raises(RuntimeError, match="did not ask for"):
            await idempotency.record(session, MUTATION, "key", {})
    async with db.write(DOMAIN, viewer) as session:
        await idempotency.replay(session, MUTATION, "key", ONE)

    async with db.write(DOMAIN, viewer) as session:
        with pytest.raises(RuntimeError, match="without an answer"):
            await idempotency.replay(session, MUTATION, "key", ONE)


async def test_keys_go_after_48_hours(db: Db, viewer: Viewer) -> None:
    keys = idempotency_keys_table(DOMAIN)
    for key in ("old", "young"):
        await call(db, viewer, key)
    async with db.system(DOMAIN) as session:
        for key, hours in (("old", 49), ("young", 47)):
            mine = (keys.c.user_id == viewer.user_id, keys.c.key == key)
            await session.execute(update(keys).where(*mine).values(created_at=func.now() - timedelta(hours=hours)))

    async with db.system(DOMAIN) as session:
        assert await idempotency.purge(session) >= 1

    async with db.system(DOMAIN) as session:
        kept = (await session.execute(select(keys.c.key).where(keys.c.user_id == viewer.user_id))).scalars().all()
    assert kept == ["young"]


@dataclass
class Amount:
    value: Decimal
    currency: str


def test_a_fingerprint_is_of_the_input_and_not_of_its_spelling() -> None:
    budget_id = UUID("0b8f2a34-9a8e-4f7b-8a51-0f6f7c0c7a10")
    one = {"amount": Amount(Decimal("1.50"), "EUR"), "id": budget_id, "tags": {"b", "a"}, "on": date(2026, 11, 22)}
    same = {"on": date(2026, 11, 22), "tags": {"a", "b"}, "id": budget_id, "amount": Amount(Decimal("1.5"), "EUR")}

    assert idempotency.fingerprint(one) == idempotency.fingerprint(same)
    assert len(idempotency.fingerprint(one)) == 64
    assert idempotency.fingerprint({"at": datetime(2026, 1, 1, tzinfo=UTC)}) != idempotency.fingerprint({"at": None})
    with pytest.raises(TypeError):
        idempotency.fingerprint({"file": object()})


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15), max_value=10**15),
    st.decimals(places=2, min_value=-999, max_value=999),
)
def test_amounts_have_one_fingerprint_per_value(one: Decimal, other: Decimal) -> None:
    assert (idempotency.fingerprint(one) == idempotency.fingerprint(other)) == (one == other)
    assert idempotency.fingerprint(one) == idempotency.fingerprint(one.quantize(Decimal("0.00001")))
