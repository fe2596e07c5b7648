"""The history of syncs as a client sees it: a line for every statement that was taken in."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.bank import queries, queries_syncs
from db.bank.models import sync_history, uploads
from resolvers.ids import from_global_id
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.bank.test_statement_import import CSV, begin, uploaded, work
from tests.resolvers.conftest import MakeClient
from tests.resolvers.test_operations import DOCUMENTS

HISTORY = DOCUMENTS["bank/sync_history"]
START = datetime(2026, 11, 1, tzinfo=UTC)


async def imported(client: Client, data: bytes = CSV) -> str:
    """A statement, taken in by a worker; answers the import's id."""
    begun = (await begin(client, await uploaded(client, data)))["statementImport"]["id"]
    await work(client.services, client.viewer, begun)
    return str(begun)


async def history(client: Client, **variables: Any) -> Any:
    return (await client.data(HISTORY, **variables))["me"]["syncHistory"]


async def connection(client: Client) -> UUID:
    async with client.services.db.write("bank", client.viewer) as session:
        values = {"id": uuid4(), "provider": "file", "provider_item_id": str(uuid4())}
        return await queries.find_or_add_connection(session, values, per_user=True)


async def line(client: Client, started_at: datetime, connection_id: UUID | None = None, error: str | None = None) -> str:
    """A line that began then: one that goes on or, with an error, has failed a second later. Answers its id."""
    import_id = uuid4()
    async with client.services.db.write("bank", client.viewer) as session:
        await queries.add_import(session, {"id": import_id, "filename": "a.csv"})
        await queries_syncs.begin_sync(session, import_id, started_at)
        if connection_id is not None:
            await queries_syncs.place_sync(session, import_id, connection_id)
        if error is not None:
            why = {"status": queries_syncs.SYNC_FAILED, "error_code": error, "error_message": "No."}
            await queries_syncs.end_sync(session, import_id, why, started_at + timedelta(seconds=1))
        row = (await session.execute(sync_history.select().filter_by(import_id=import_id))).mappings().one()
    return gid("BankSync", row["id"])


def ids(page: Any) -> list[str]:
    return [node["id"] for node in page["nodes"]]


async def test_a_statement_that_is_in_has_a_line_that_says_what_it_came_to(make_client: MakeClient) -> None:
    client = await make_client()
    before = client.services.clock.now()

    first = await imported(client)
    await imported(client)

    page = await history(client)
    again, taken = page["nodes"]
    assert (again["status"], again["transactionsAdded"]) == ("SUCCESS", 0)
    assert page["totalCount"] == 2
    found = (await client.data("{ me { connections { id institutionName syncHistory { nodes { id } totalCount } } } }"))["me"][
        "connections"
    ]
    assert found == [
        {
            "id": taken["connection"]["id"],
            "institutionName": taken["connection"]["institutionName"],
            "syncHistory": {"nodes": [{"id": again["id"]}, {"id": taken["id"]}], "totalCount": 2},
        }
    ]
    started, completed = [datetime.fromisoformat(taken.pop(name)) for name in ("startedAt", "completedAt")]
    assert before <= started <= completed <= client.services.clock.now()
    assert abs(taken.pop("durationMs") - (completed - started).total_seconds() * 1000) <= 1
    del taken["id"], taken["connection"]
    assert taken == {
        "type": "MANUAL",
        "status": "SUCCESS",
        "transactionsAdded": 3,
        "transactionsUpdated": 0,
        "errorCode": None,
        "errorMessage": None,
        "statementImport": {"id": first, "filename": "november.csv"},
    }


async def test_a_statement_whose_file_is_gone_has_a_line_that_says_why(make_client: MakeClient) -> None:
    client = await make_client()
    begun = (await begin(client, await uploaded(client)))["statementImport"]["id"]
    async with client.services.db.write("bank", client.viewer) as session:
        await session.execute(uploads.delete())

    await work(client.services, client.viewer, begun)

    [line] = (await history(client))["nodes"]
    assert (line["status"], line["errorCode"], line["connection"]) == ("FAILED", "UPLOAD_NOT_FOUND", None)
    assert line["statementImport"]["id"] == begun


async def test_lists_are_narrowed_and_ordered(make_client: MakeClient) -> None:
    client = await make_client()
    one, other = await connection(client), await connection(client)
    failed = await line(client, START, one, "UPLOAD_NOT_FOUND")
    going = await line(client, START + timedelta(hours=1), one)
    elsewhere = await line(client, START + timedelta(hours=2), other)
    nowhere = await line(client, START + timedelta(hours=3))
    of_one = [gid("BankConnection", one)]

    assert ids(await history(client)) == [nowhere, elsewhere, going, failed]
    assert ids(await history(client, sort="STARTED_AT_ASC")) == [failed, going, elsewhere, nowhere]
    for given, expected in (
        ({"status": "FAILED"}, [failed]),
        ({"connectionIds": of_one}, [going, failed]),
        ({"connectionIds": [*of_one, gid("BankConnection", other)], "status": "STARTED"}, [elsewhere, going]),
        ({"connectionIds": []}, []),
        ({"connectionIds": ["nonsense", gid("BankAccount", one)]}, []),
        ({"since": "2026-11-01T01:00:00Z"}, [nowhere, elsewhere, going]),
        ({"until": "2026-11-01T01:00:00Z"}, [failed]),
        ({"since": "2026-11-01T01:00:00Z", "until": "2026-11-01T02:00:00Z", "status": None}, [going]),
    ):
        page = await history(client, filter=given)
        assert (ids(page), page["totalCount"]) == (expected, len(expected)), given


@pytest.mark.parametrize("sort", ["STARTED_AT_DESC", "STARTED_AT_ASC"])
async def test_pages_neither_repeat_nor_skip_even_at_one_instant(make_client: MakeClient, sort: str) -> None:
    client = await make_client()
    bank = await connection(client)
    made = {await line(client, START, bank) for _ in range(5)}
    seen: list[str] = []
    after, more = None, True
    while more:
        page = await history(client, first=2, after=after, sort=sort)
        seen += ids(page)
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    assert len(seen) == 5
    assert set(seen) == made


async def test_too_many_ids_and_a_cursor_of_another_order_are_refused(make_client: MakeClient) -> None:
    client = await make_client()
    bank = await connection(client)
    for _ in range(2):
        await line(client, START, bank)
    cursor = (await history(client, first=1))["pageInfo"]["endCursor"]

    many = await client.ask(HISTORY, filter={"connectionIds": [gid("BankConnection", bank)] * 101})
    other = await client.ask(HISTORY, after=cursor, sort="STARTED_AT_ASC")

    assert (codes(many), codes(other)) == (["BAD_USER_INPUT"], ["BAD_USER_INPUT"])


async def test_nobody_sees_somebody_elses_lines_or_any_signed_out(make_client: MakeClient, nobody: Client) -> None:
    robin, sam = await make_client(), await make_client()
    mine = await line(robin, START, await connection(robin))
    assert from_global_id(mine, "BankSync") is not None

    assert await history(sam) == {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}, "totalCount": 0}
    assert await sam.data("query($id: ID!) { node(id: $id) { id } }", id=mine) == {"node": None}
    assert codes(await nobody.ask(HISTORY)) == ["UNAUTHENTICATED"]
    assert ids(await history(robin)) == [mine]
