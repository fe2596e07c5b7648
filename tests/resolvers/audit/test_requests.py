"""Asking for one's data, and for its end."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from db.audit.models import data_export_requests, deletion_requests
from domains.audit.export_links import path_of
from domains.core.clock import FixedClock
from domains.flows.data_requests import list_open
from resolvers.fields import given_id
from tests.domains.audit.exports import answer, row_of
from tests.domains.audit.trail import told
from tests.resolvers.api import Client, codes
from tests.resolvers.conftest import MakeClient

ERRORS = "errors { __typename code message field }"
CREATE = {
    "export": f"""mutation($input: DataExportRequestCreateInput!) {{ made: dataExportRequestCreate(input: $input) {{
      request: dataExportRequest {{ id status format createdAt cancelledAt }} {ERRORS} }} }}""",
    "deletion": f"""mutation($input: DeletionRequestCreateInput!) {{ made: deletionRequestCreate(input: $input) {{
      request: deletionRequest {{ id status reason createdAt cancelledAt }} {ERRORS} }} }}""",
}
CANCEL = {
    "export": f"""mutation($input: DataExportRequestCancelInput!) {{ made: dataExportRequestCancel(input: $input) {{
      request: dataExportRequest {{ id status cancelledAt }} {ERRORS} }} }}""",
    "deletion": f"""mutation($input: DeletionRequestCancelInput!) {{ made: deletionRequestCancel(input: $input) {{
      request: deletionRequest {{ id status cancelledAt }} {ERRORS} }} }}""",
}
LIST = """{ me { dataExportRequests { nodes { id status format fileUrl fileSizeBytes } totalCount }
                 deletionRequests { nodes { id status reason } totalCount } } }"""
TABLES = {"export": data_export_requests, "deletion": deletion_requests}
KINDS = ["export", "deletion"]
ALREADY = {"export": "DATA_EXPORT_ALREADY_REQUESTED", "deletion": "DELETION_ALREADY_REQUESTED"}
NOT_FOUND = {"export": "DATA_EXPORT_REQUEST_NOT_FOUND", "deletion": "DELETION_REQUEST_NOT_FOUND"}
NOTED = {"export": ["DATA_EXPORT_REQUESTED", "DATA_EXPORT_CANCELLED"], "deletion": ["DELETION_REQUESTED", "DELETION_CANCELLED"]}


async def create(client: Client, kind: str, **said: Any) -> Any:
    return (await client.data(CREATE[kind], input={"idempotencyKey": str(uuid4()), **said}))["made"]


async def cancel(client: Client, kind: str, request_id: str) -> Any:
    return (await client.data(CANCEL[kind], input={"id": request_id}))["made"]


def refusals(payload: Any) -> list[tuple[str, str | None]]:
    return [(error["code"], error["field"]) for error in payload["errors"]]


async def test_an_export_is_asked_for_and_listed(make_client: MakeClient) -> None:
    client = await make_client()

    made = await create(client, "export", format="CSV")

    assert made["errors"] == []
    assert {**made["request"], "id": 0, "createdAt": 0} == {
        "id": 0,
        "status": "PENDING",
        "format": "CSV",
        "createdAt": 0,
        "cancelledAt": None,
    }
    exports = (await client.data(LIST))["me"]["dataExportRequests"]
    assert exports["totalCount"] == 1
    assert exports["nodes"] == [{"id": made["request"]["id"], "status": "PENDING", "format": "CSV", "fileUrl": None, "fileSizeBytes": None}]


async def test_a_deletion_is_asked_for_with_a_reason_and_nothing_is_deleted(make_client: MakeClient) -> None:
    client = await make_client()

    made = await create(client, "deletion", reason="  Moving on.  ")

    assert (made["errors"], made["request"]["reason"], made["request"]["status"]) == ([], "Moving on.", "PENDING")
    assert (await client.data("{ me { email } }"))["me"]["email"] is not None
    assert client.viewer is not None
    [entry] = await told(client.services, client.viewer)
    assert (entry["action"], entry["new_values"]) == ("DELETION_REQUESTED", {"reason": "Moving on."})


@pytest.mark.parametrize("kind", KINDS)
async def test_there_is_one_open_request_at_most(make_client: MakeClient, kind: str) -> None:
    client = await make_client()

    made = await asyncio.gather(*(create(client, kind) for _ in range(4)))

    assert sorted(refusals(each) for each in made) == [[], *[[(ALREADY[kind], None)]] * 3]
    [first] = [each["request"]["id"] for each in made if each["request"]]
    assert (await cancel(client, kind, first))["request"]["status"] == "CANCELLED"
    assert (await create(client, kind))["errors"] == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_retry_is_answered_alike_and_leaves_one_entry(make_client: MakeClient, kind: str) -> None:
    client = await make_client()
    assert client.viewer is not None

    first, second = [await create(client, kind, idempotencyKey="tap") for _ in range(2)]
    other = await create(client, kind, idempotencyKey="tap", **({"format": "CSV"} if kind == "export" else {"reason": "Else."}))
    bad = await create(client, kind, idempotencyKey="")
    cancelled = await cancel(client, kind, first["request"]["id"])

    assert first == second
    assert refusals(other) == [("IDEMPOTENCY_KEY_REUSED", "idempotencyKey")]
    assert refusals(bad) == [("IDEMPOTENCY_KEY_INVALID", "idempotencyKey")]
    assert cancelled["request"]["cancelledAt"] is not None
    assert [entry["action"] for entry in await told(client.services, client.viewer)] == NOTED[kind]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_request_is_taken_back_by_its_owner_and_a_deletion_only_as_long_as_it_waits(make_client: MakeClient, kind: str) -> None:
    client, stranger = await make_client(), await make_client()
    made = (await create(client, kind))["request"]["id"]

    theirs = await cancel(stranger, kind, made)
    malformed = await cancel(client, kind, "nonsense")
    async with client.services.db.system("audit") as session:
        table = TABLES[kind]
        assert client.viewer is not None
        await session.execute(update(table).where(table.c.user_id == client.viewer.user_id).values(status="processing"))
    late = await cancel(client, kind, made)

    assert refusals(theirs) == refusals(malformed) == [(NOT_FOUND[kind], "id")]
    assert refusals(late) == ([("REQUEST_NOT_PENDING", "id")] if kind == "deletion" else [])
    [kept] = (await client.data(LIST))["me"]["dataExportRequests" if kind == "export" else "deletionRequests"]["nodes"]
    assert kept["status"] == ("PROCESSING" if kind == "deletion" else "CANCELLED")


async def test_a_reason_is_bounded(make_client: MakeClient) -> None:
    client = await make_client()

    refused = await create(client, "deletion", reason="x" * 2001)

    assert (refusals(refused), refused["request"]) == ([("REASON_TOO_LONG", "reason")], None)
    assert (await client.data(LIST))["me"]["deletionRequests"]["nodes"] == []


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_asks_signed_out(nobody: Client, kind: str) -> None:
    assert codes(await nobody.ask(CREATE[kind], input={"idempotencyKey": "k"})) == ["UNAUTHENTICATED"]
    assert codes(await nobody.ask(CANCEL[kind], input={"id": "x"})) == ["UNAUTHENTICATED"]


async def test_the_operator_sees_what_waits_with_an_address(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    await create(client, "export", format="CSV")
    await create(client, "deletion", reason="Bye.")

    mine = [each for each in await list_open(client.services) if each.request.user_id == client.viewer.user_id]

    assert [(each.request.kind, each.request.detail, each.email) for each in mine] == [
        ("export", "csv", f"{client.viewer.user_id}@example.com"),
        ("deletion", "Bye.", f"{client.viewer.user_id}@example.com"),
    ]


async def test_a_finished_export_says_where_it_is_until_it_expires(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    made = (await create(client, "export"))["request"]["id"]
    request_id = given_id(made, "DataExportRequest")
    assert await answer(client.services, request_id) == "done"

    [done] = (await client.data(LIST))["me"]["dataExportRequests"]["nodes"]
    row = await row_of(client.services, request_id)
    late = replace(client.services, clock=FixedClock(row.expires_at))
    [expired] = (await client.but(services=late).data(LIST))["me"]["dataExportRequests"]["nodes"]
    await cancel(client, "export", made)
    [cancelled] = (await client.data(LIST))["me"]["dataExportRequests"]["nodes"]

    assert (done["status"], done["fileUrl"], done["fileSizeBytes"]) == ("COMPLETED", path_of(request_id), row.file_size_bytes)
    assert (expired["status"], expired["fileUrl"]) == ("COMPLETED", None)
    assert (cancelled["status"], cancelled["fileUrl"]) == ("CANCELLED", None)


async def test_three_exports_a_day(make_client: MakeClient) -> None:
    client = await make_client()
    for _ in range(3):
        await cancel(client, "export", (await create(client, "export"))["request"]["id"])

    fourth = await create(client, "export")

    assert (refusals(fourth), fourth["request"]) == ([("DATA_EXPORT_LIMIT_REACHED", None)], None)
    assert (await client.data(LIST))["me"]["dataExportRequests"]["totalCount"] == 3
