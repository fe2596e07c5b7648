"""What users say of a merchant by the categories they choose: counted for them at once, and for everybody when three agree."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, select, text

from db import jobs
from db.analytics.models import merchant_categories, merchant_category_votes
from db.analytics.queries import merchants
from db.analytics.queries.merchants import Vote
from db.base import jobs_table
from db.engines import Db, Viewer
from db.errors import LeaseLost
from db.jobs import JobRef
from domains.flows import vote_on_merchants as flow
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.db.samples import superuser
from tests.resolvers.analytics.rows import vote
from tests.resolvers.api import Client, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import COFFEE, FOOD, MONTH, RENT, account, bring, moved
from tests.resolvers.test_operations import DOCUMENTS
from tests.servers.suite import Servers
from workers.runner import JobRunner
from workers.task import load_tasks

TASKS = load_tasks()
TRANSACTIONS = "{ me { transactions { nodes { id merchantName category { id } categoryMethod categoryConfidence } } } }"
SHOPPING = "GENERAL_MERCHANDISE"


@pytest.fixture
async def shop(db: Db) -> AsyncIterator[str]:
    """A merchant that nobody knows, as banks write it; nothing is left of it."""
    letters = "".join(chr(ord("a") + int(digit, 16)) for digit in uuid4().hex[:12])
    name = f"Zq{letters}"
    yield name
    async with db.system("analytics") as session:
        for table in (merchant_categories, merchant_category_votes):
            await session.execute(delete(table).where(table.c.merchant_name == name.casefold()))


def bought(shop: str, amount: str = "5.00", **changes: Any) -> Any:
    return moved(MONTH, amount, description=shop, original_description=shop, category_detailed=None, **changes)


async def customer(make_client: MakeClient, shop: str, times: int = 1) -> Client:
    """Somebody with so many transactions at the shop."""
    client = await make_client()
    await shops(client, shop, times)
    return client


async def shops(client: Client, shop: str, times: int = 1) -> None:
    assert client.viewer is not None
    await bring(client.services, client.viewer, account("Daily", [bought(shop) for _ in range(times)]))


async def transactions(client: Client) -> list[Any]:
    return list((await client.data(TRANSACTIONS))["me"]["transactions"]["nodes"])


async def says(client: Client, category: str | None, *, of: int = 0) -> None:
    """Choose a category, and have a worker count it."""
    await choose(client, category, of=of)
    await count(client)


async def choose(client: Client, category: str | None, *, of: int = 0) -> None:
    rows = sorted(await transactions(client), key=lambda row: row["id"])
    given = {"id": rows[of]["id"], "category": category and gid("Category", category)}
    payload = (await client.data(DOCUMENTS["transaction/update_transaction"], input=given))["transactionUpdate"]
    assert payload["errors"] == []


async def waiting(client: Client) -> list[Any]:
    table = jobs_table("transaction")
    assert client.viewer is not None
    async with client.services.db.system("transaction") as session:
        mine = table.select().where(table.c.topic == flow.VOTE, table.c.user_id == client.viewer.user_id, table.c.state == jobs.QUEUED)
        return list(await session.execute(mine))


async def count(client: Client) -> None:
    """Run the job that a change left, as a worker does."""
    [row] = await waiting(client)
    await run(client.services, row.id, row.lease_token)


async def run(services: Services, job_id: UUID, lease_token: int) -> None:
    await JobRunner(services, TASKS).run(JobRef("transaction", job_id, lease_token), flow.VOTE)
    table = jobs_table("transaction")
    async with services.db.system("transaction") as session:
        row = (await session.execute(table.select().where(table.c.id == job_id))).one()
    assert (row.state, row.last_error) == ("done", None)


async def shared(db: Db, shop: str) -> tuple[Any, ...] | None:
    """What everybody is told: (category, detailed, confidence, who says so, how many)."""
    rows = merchant_categories.c
    told = (rows.category, rows.category_detailed, rows.confidence, rows.categorized_by, rows.user_count)
    async with db.system("analytics") as session:
        row = (await session.execute(select(*told).where(rows.merchant_name == shop.casefold()))).one_or_none()
    return None if row is None else tuple(row)


async def votes(db: Db, shop: str) -> list[tuple[Any, ...]]:
    rows = merchant_category_votes.c
    async with db.system("analytics") as session:
        found = select(rows.category, rows.category_detailed, rows.is_counted).where(rows.merchant_name == shop.casefold())
        return sorted((tuple(row) for row in await session.execute(found)), key=repr)


async def own_votes(client: Client) -> list[Any]:
    return list((await client.data(DOCUMENTS["analytics/merchant_votes"]))["me"]["merchantVotes"]["nodes"])


async def test_ones_own_word_is_known_to_ones_own_imports_and_to_nobody(make_client: MakeClient, db: Db, shop: str) -> None:
    robin, sam = await customer(make_client, shop), await customer(make_client, shop)
    before = {row["category"] and row["category"]["id"] for row in [*await transactions(robin), *await transactions(sam)]}
    assert before == {None}

    await says(robin, COFFEE)
    for client in (robin, sam):
        await shops(client, shop)

    mine = {row["categoryMethod"]: row for row in await transactions(robin)}
    assert mine["AUTO"]["category"]["id"] == gid("Category", COFFEE)
    assert mine["AUTO"]["categoryConfidence"] == "1.00"
    assert {row["category"] and row["category"]["id"] for row in await transactions(sam)} == {None}
    assert await shared(db, shop) is None
    [said] = await own_votes(robin)
    assert (said["merchantName"], said["category"]["id"]) == (shop.casefold(), gid("Category", FOOD))
    assert (said["categoryDetailed"]["id"], said["everybody"]) == (gid("Category", COFFEE), None)
    assert await own_votes(sam) == []


async def test_what_three_agree_on_is_everybodys_and_goes_when_one_takes_it_back(make_client: MakeClient, db: Db, shop: str) -> None:
    robin, sam, kim = [await customer(make_client, shop) for _ in range(3)]
    told: list[Any] = []

    for client in (robin, sam, kim):
        await says(client, COFFEE)
        told.append(await shared(db, shop))
    stranger = await customer(make_client, shop)
    await says(sam, None)

    assert told == [None, None, (FOOD, COFFEE, Decimal("1.00"), "user", 3)]
    [row] = await transactions(stranger)
    assert (row["category"]["id"], row["categoryMethod"], row["categoryConfidence"]) == (gid("Category", COFFEE), "AUTO", "1.00")
    assert await shared(db, shop) is None
    assert await votes(db, shop) == [(FOOD, COFFEE, True), (FOOD, COFFEE, True)]
    assert await own_votes(sam) == []


async def test_ones_own_word_stands_before_everybodys(make_client: MakeClient, db: Db, shop: str) -> None:
    agreeing = [await customer(make_client, shop) for _ in range(3)]
    for client in agreeing:
        await says(client, COFFEE)
    other = await customer(make_client, shop)
    await says(other, RENT)

    await shops(other, shop)

    chosen = {row["categoryMethod"]: row["category"]["id"] for row in await transactions(other) if row["categoryMethod"] == "AUTO"}
    assert chosen == {"AUTO": gid("Category", RENT)}
    [said] = await own_votes(other)
    assert said["everybody"]["source"] == "USER"
    assert (said["everybody"]["userCount"], said["everybody"]["confidence"]) == (3, "0.75")
    assert said["everybody"]["categoryDetailed"]["id"] == gid("Category", COFFEE)


async def test_an_import_asks_once_for_all_its_merchants(make_client: MakeClient, shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from db.read import Read

    client = await customer(make_client, shop)
    await says(client, COFFEE)
    asked: list[str] = []
    real = Read.rows

    async def rows(self: Read, statement: Any, **values: Any) -> Any:
        asked.append(statement.sql)
        return await real(self, statement, **values)

    monkeypatch.setattr(Read, "rows", rows)
    assert client.viewer is not None
    await bring(client.services, client.viewer, account("Daily", [bought(shop), bought(shop + " west"), *[moved(MONTH, "1.00")] * 3]))

    assert len([sql for sql in asked if "merchant_categor" in sql]) == 1


async def test_what_most_of_ones_transactions_have_is_what_one_says(make_client: MakeClient, db: Db, shop: str) -> None:
    client = await customer(make_client, shop, times=3)

    await says(client, COFFEE, of=0)
    await says(client, SHOPPING, of=1)
    await says(client, SHOPPING, of=2)
    assert await votes(db, shop) == [(SHOPPING, None, True)]
    await says(client, None, of=1)
    await says(client, None, of=2)

    assert await votes(db, shop) == [(FOOD, COFFEE, True)]


async def test_changes_before_the_worker_comes_are_one_job(make_client: MakeClient, db: Db, shop: str) -> None:
    client = await customer(make_client, shop, times=2)

    await choose(client, COFFEE, of=0)
    await choose(client, COFFEE, of=1)
    await choose(client, None, of=0)
    [job] = await waiting(client)

    assert job.payload == {}
    await count(client)
    assert await votes(db, shop) == [(FOOD, COFFEE, True)]


@pytest.mark.parametrize("change", [{"notes": "Nice"}, {"tags": ["a"]}, {"category": None}])
async def test_a_change_of_anything_else_says_nothing(make_client: MakeClient, shop: str, change: dict[str, Any]) -> None:
    client = await customer(make_client, shop)
    [row] = await transactions(client)

    await client.data(DOCUMENTS["transaction/update_transaction"], input={"id": row["id"], **change})

    assert await waiting(client) == []


async def test_a_refused_change_says_nothing(make_client: MakeClient, shop: str) -> None:
    client = await customer(make_client, shop)
    [row] = await transactions(client)
    given = {"id": row["id"], "category": gid("Category", "NO_SUCH")}

    payload = (await client.data(DOCUMENTS["transaction/update_transaction"], input=given))["transactionUpdate"]

    assert [error["code"] for error in payload["errors"]] == ["CATEGORY_NOT_FOUND"]
    assert await waiting(client) == []


class Killed(BaseException):
    """As a process that is killed: nothing of ours handles it."""


STEPS = ("replace_votes", "count_votes", "_fold", "finish")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_any_step_the_job_ends_in_the_same_rows(
    make_client: MakeClient, db: Db, shop: str, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    """The third who agrees, killed; then the same who takes it back, killed again."""
    clients = [await customer(make_client, shop) for _ in range(3)]
    for client in clients[:2]:
        await says(client, COFFEE)
    last = clients[2]

    for category, told in ((COFFEE, (FOOD, COFFEE, Decimal("1.00"), "user", 3)), (None, None)):
        await choose(last, category)
        [job] = await waiting(last)
        with monkeypatch.context() as patched, pytest.raises(Killed):
            kill(patched, step, when)
            await flow.run_vote(last.services, HeldBy(last, job))
        await run(last.services, job.id, job.lease_token)

        assert await shared(db, shop) == told
        assert {row[2] for row in await votes(db, shop)} == {True}


class HeldBy:
    """A job of which only the end is missing: it never gets there."""

    def __init__(self, client: Client, row: Any) -> None:
        assert client.viewer is not None
        self.id: UUID = row.id
        self.domain = "transaction"
        self.viewer: Viewer = client.viewer

    async def finish(self, session: Any) -> None:
        raise Killed


def kill(patched: pytest.MonkeyPatch, step: str, when: str) -> None:
    """Die before the step begins, or when all that it did is there but not committed."""
    if step == "finish":
        return  # the job that is given dies there by itself
    real = getattr(merchants, step)

    async def deadly(*args: Any, **kwargs: Any) -> None:
        if when == "after":
            await real(*args, **kwargs)
        raise Killed

    patched.setattr(merchants, step, deadly)


async def test_a_job_whose_lease_was_lost_has_done_no_harm(make_client: MakeClient, db: Db, shop: str) -> None:
    client = await customer(make_client, shop)
    await choose(client, COFFEE)
    [row] = await waiting(client)
    claims = [await jobs.claim(db, "transaction", row.id, lease_s=-1.0) for _ in range(2)]
    first = claims[0]
    assert first is not None

    class Lost(HeldBy):
        async def finish(self, session: Any) -> None:
            await jobs.finish(session, first)

    with pytest.raises(LeaseLost):
        await flow.run_vote(client.services, Lost(client, row))
    await run(client.services, row.id, row.lease_token + 2)

    assert await votes(db, shop) == [(FOOD, COFFEE, True)]


async def test_many_who_are_counted_at_once_are_all_counted(make_user: MakeUser, services: Services, db: Db, shop: str) -> None:
    """Each fold reads what all have said by then: the last one to take its turn sees everybody."""
    people = [await make_user() for _ in range(8)]

    async def say(viewer: Viewer) -> None:
        await vote(services, viewer, Vote(shop.casefold(), FOOD, None))
        async with db.system("analytics") as session:
            await merchants.count_votes(session, viewer.user_id)

    await asyncio.gather(*map(say, people))

    assert await shared(db, shop) == (FOOD, None, Decimal("1.00"), "user", 8)


async def say_all(services: Services, make_user: MakeUser, shop: str, *said: tuple[str, str | None]) -> list[Viewer]:
    people = []
    for category, detailed in said:
        people.append(await make_user())
        await vote(services, people[-1], Vote(shop.casefold(), category, detailed))
        async with services.db.system("analytics") as session:
            await merchants.count_votes(session, people[-1].user_id)
    return people


GROCERIES = "FOOD_AND_DRINK_GROCERIES"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([(FOOD, COFFEE), (FOOD, COFFEE)], None),
        ([(FOOD, COFFEE), (FOOD, COFFEE), (SHOPPING, None)], None),
        ([(FOOD, COFFEE), (FOOD, COFFEE), (FOOD, GROCERIES)], (FOOD, None, Decimal("1.00"), "user", 3)),
        ([(FOOD, COFFEE)] * 3 + [(FOOD, None)], (FOOD, COFFEE, Decimal("1.00"), "user", 4)),
        ([(FOOD, COFFEE)] * 3 + [(FOOD, GROCERIES)] * 4, (FOOD, GROCERIES, Decimal("1.00"), "user", 7)),
        ([(FOOD, COFFEE)] * 3 + [(SHOPPING, None)] * 4, (SHOPPING, None, Decimal("0.57"), "user", 4)),
        ([(FOOD, None)] * 3 + [(SHOPPING, None)] * 3, (FOOD, None, Decimal("0.50"), "user", 3)),
    ],
)
async def test_only_what_three_agree_on_is_told(
    services: Services, make_user: MakeUser, db: Db, shop: str, said: list[tuple[str, str | None]], told: tuple[Any, ...] | None
) -> None:
    await say_all(services, make_user, shop, *said)

    assert await shared(db, shop) == told


async def test_what_a_model_says_stays_until_three_users_know_better(services: Services, make_user: MakeUser, db: Db, shop: str) -> None:
    async with db.system("analytics") as session:
        row = {"merchant_name": shop.casefold(), "category": RENT, "categorized_by": "llm"}
        await session.execute(insert(merchant_categories).values(row))

    await say_all(services, make_user, shop, (FOOD, None), (FOOD, None))
    with_two = await shared(db, shop)
    await say_all(services, make_user, shop, (FOOD, None))

    assert with_two == (RENT, None, None, "llm", 1)
    assert await shared(db, shop) == (FOOD, None, Decimal("1.00"), "user", 3)


async def repair(services: Services) -> int:
    async with services.db.system("analytics") as session:
        return await merchants.repair_merchants(session)


async def test_users_who_are_gone_no_longer_agree(services: Services, make_user: MakeUser, db: Db, servers: Servers, shop: str) -> None:
    people = await say_all(services, make_user, shop, *[(FOOD, COFFEE)] * 4)
    await repair(services)
    told: list[Any] = []

    for gone in people[:2]:
        async with superuser(servers.databases["analytics"]) as connection:
            await connection.execute("delete from analytics_schema.merchant_category_votes where user_id = $1", gone.user_id)
        assert await repair(services) == 1
        assert await repair(services) == 0
        told.append(await shared(db, shop))

    assert told == [(FOOD, COFFEE, Decimal("1.00"), "user", 3), None]


async def test_a_shared_row_that_is_wrong_or_missing_is_repaired(services: Services, make_user: MakeUser, db: Db, shop: str) -> None:
    await say_all(services, make_user, shop, *[(FOOD, COFFEE)] * 3)
    await repair(services)
    right = await shared(db, shop)
    rows = merchant_categories

    for wrong in (rows.update().values(category=RENT, category_detailed=None, user_count=99), rows.delete()):
        async with db.system("analytics") as session:
            await session.execute(wrong.where(rows.c.merchant_name == shop.casefold()))
        assert await repair(services) == 1
        assert await shared(db, shop) == right


async def test_the_application_cannot_share_a_word(services: Services, make_user: MakeUser, servers: Servers, shop: str) -> None:
    async with superuser(servers.databases["analytics"]) as connection:
        rights = "select has_table_privilege('florin_app', 'analytics_schema.merchant_categories', $1)"
        allowed = [await connection.fetchval(rights, right) for right in ("select", "insert", "update", "delete")]
        below_three = "insert into analytics_schema.merchant_categories (merchant_name, category, categorized_by, user_count)"
        with pytest.raises(Exception, match="enough_agree"):
            await connection.execute(f"{below_three} values ($1, 'FOOD_AND_DRINK', 'user', 2)", shop.casefold())

    assert allowed == [True, False, False, False]


async def test_a_category_of_ones_own_means_nothing_to_others(make_client: MakeClient, db: Db, shop: str) -> None:
    client = await customer(make_client, shop)
    assert client.viewer is not None
    async with client.services.db.write("transaction", client.viewer) as session:
        change = "update transaction_schema.own_transactions set user_category = :category"
        await session.execute(text(change), {"category": str(uuid4())})
        await jobs.add(session, flow.VOTE, key=str(client.viewer.user_id))

    await count(client)

    assert await votes(db, shop) == []
