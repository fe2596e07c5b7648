"""The trail as its owner reads it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from db.engines import Origin
from domains.core.audit import Action
from domains.flows.audit_trail import open_trail
from resolvers.audit.types import AuditAction
from tests.db.samples import superuser
from tests.domains.audit.trail import settle
from tests.resolvers.api import Client, codes
from tests.resolvers.budget.budgets import create, delete, update
from tests.resolvers.conftest import MakeClient

ENTRIES = """query($first: Int, $after: String, $filter: AuditFilter) { me { auditLog(first: $first, after: $after, filter: $filter) {
  nodes { sequence timestamp action service resourceType resourceId requestId correlationId address userAgent
          changes { field from to } details { name value } }
  pageInfo { endCursor hasNextPage } totalCount
} } }"""
TABLET = Origin("api", "2001:db8::9", "Tablet/2.0", "request-7")


@pytest.fixture
async def robin(make_client: MakeClient) -> Client:
    client = await make_client()
    assert client.viewer is not None
    return client.but(viewer=replace(client.viewer, origin=TABLET))


async def log(client: Client, **said: Any) -> Any:
    assert client.viewer is not None
    await settle(client.services, client.viewer.user_id)
    return (await client.data(ENTRIES, **said))["me"]["auditLog"]


async def note(client: Client, action: Action, **said: Any) -> None:
    assert client.viewer is not None
    trail = await open_trail(client.services, client.viewer)
    async with client.services.db.write("user", client.viewer) as session:
        await trail.note(session, action, **said)


async def test_the_life_of_a_budget(robin: Client) -> None:
    budget = (await create(robin, notes="For two"))["budget"]["id"]
    await update(robin, budget, amount="50", notes=None)
    await update(robin, budget, amount="50")
    await delete(robin, budget)

    deleted, updated, created = (await log(robin))["nodes"]
    assert [each["action"] for each in (created, updated, deleted)] == ["BUDGET_CREATED", "BUDGET_UPDATED", "BUDGET_DELETED"]
    assert [each["sequence"] for each in (created, updated, deleted)] == [1, 2, 3]
    assert updated["changes"] == [
        {"field": "amount", "from": "100.0000", "to": "50"},
        {"field": "notes", "from": "For two", "to": None},
    ]
    assert {"field": "name", "from": None, "to": "Food"} in created["changes"]
    assert {"field": "notes", "from": None, "to": None} not in deleted["changes"]
    assert {"field": "amount", "from": "50.0000", "to": None} in deleted["changes"]
    where = {"service": "api", "address": "2001:db8::9", "userAgent": "Tablet/2.0", "requestId": "request-7"}
    about = {"resourceType": "Budget", "resourceId": budget, "correlationId": None, "details": []}
    for each in (created, updated, deleted):
        assert each | where | about == each


async def test_pages_and_filters(robin: Client) -> None:
    for number in range(5):
        await note(robin, (Action.USER_LOGIN, Action.USER_LOGOUT)[number % 2], resource_type="Session" if number == 4 else None)

    first = await log(robin, first=2)
    second = await log(robin, first=2, after=first["pageInfo"]["endCursor"])
    third = await log(robin, first=2, after=second["pageInfo"]["endCursor"])
    seen = [entry["sequence"] for page in (first, second, third) for entry in page["nodes"]]
    assert (seen, first["totalCount"], third["pageInfo"]["hasNextPage"]) == ([5, 4, 3, 2, 1], 5, False)

    async def found(**criteria: Any) -> list[int]:
        page = await log(robin, filter=criteria)
        assert page["totalCount"] == len(page["nodes"])
        return [entry["sequence"] for entry in page["nodes"]]

    at = {entry["sequence"]: entry["timestamp"] for page in (first, second, third) for entry in page["nodes"]}
    assert await found(actions=["USER_LOGOUT"]) == [4, 2]
    assert await found(actions=["USER_LOGOUT", "USER_LOGIN"], resourceType="Session") == [5]
    assert await found(actions=[]) == []
    assert await found(since=at[2], until=at[4]) == [3, 2]
    assert await found(since=(datetime.now(UTC) + timedelta(hours=1)).isoformat()) == []


@pytest.mark.parametrize("criteria", [{"actions": ["USER_LOGIN"] * 51}, {"resourceType": "x" * 51}])
async def test_a_filter_is_bounded(robin: Client, criteria: Any) -> None:
    assert codes(await robin.ask(ENTRIES, filter=criteria)) == ["BAD_USER_INPUT"]


async def test_nobody_reads_another_ones_trail(robin: Client, make_client: MakeClient, nobody: Client) -> None:
    await note(robin, Action.USER_LOGIN)
    sam = await make_client()

    assert (await log(robin))["totalCount"] == 1
    assert (await log(sam))["nodes"] == []
    assert codes(await nobody.ask(ENTRIES)) == ["UNAUTHENTICATED"]


async def test_what_is_personal_goes_with_the_key_and_the_rest_stays(robin: Client, servers: Any) -> None:
    await note(robin, Action.BUDGET_UPDATED, resource_type="Budget", resource_id=uuid4(), new={"name": "x"}, metadata={"rows": 1})
    assert robin.viewer is not None
    assert (await log(robin))["nodes"][0]["details"] == [{"name": "rows", "value": 1}]

    async with superuser(servers.databases["user"]) as connection:
        await connection.execute("delete from user_schema.user_keys where user_id = $1", robin.viewer.user_id)
    robin.services.cipher._kept.pop(robin.viewer.user_id)  # type: ignore[attr-defined]  # a minute later
    [entry] = (await log(robin))["nodes"]

    assert (entry["action"], entry["resourceType"], entry["requestId"]) == ("BUDGET_UPDATED", "Budget", "request-7")
    assert [entry[name] for name in ("address", "userAgent", "changes", "details")] == [None] * 4

    await note(robin, Action.USER_LOGIN)  # with a new key
    newer, older = (await log(robin))["nodes"]
    assert (newer["address"], older["address"]) == ("2001:db8::9", None)
    assert (newer["changes"], older["changes"]) == ([], None)


async def test_the_key_is_looked_up_once_for_a_whole_page(robin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        await note(robin, Action.USER_LOGIN, new={"a": 1})
    assert robin.viewer is not None
    await settle(robin.services, robin.viewer.user_id)
    asked: list[Any] = []
    real = robin.services.cipher.key_of

    async def counted(user_id: Any, *, make: bool) -> Any:
        asked.append(make)
        return await real(user_id, make=make)

    monkeypatch.setattr(robin.services.cipher, "key_of", counted)
    page = await robin.data(ENTRIES)

    assert [entry["changes"] for entry in page["me"]["auditLog"]["nodes"]] == [[{"field": "a", "from": None, "to": 1}]] * 5
    assert asked == [False]


async def test_a_page_takes_two_statements_with_its_count(robin: Client) -> None:
    for _ in range(3):
        await note(robin, Action.USER_LOGIN)
    assert robin.viewer is not None
    await settle(robin.services, robin.viewer.user_id)

    _, statements = await robin.counted(ENTRIES, planned=False)

    assert statements == 3  # the viewer, the page, the count


def test_clients_know_every_action() -> None:
    assert {each.name: each.value for each in AuditAction} == {each.name: each.value for each in Action}
