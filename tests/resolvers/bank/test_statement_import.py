"""A statement's way in, asked for and followed through the API."""

import asyncio
import enum
from typing import Any
from uuid import UUID, uuid4

import pytest

from db import jobs
from db.bank.models import statement_imports, uploads
from db.base import jobs_table
from db.engines import Viewer
from domains.bank.providers.file import options
from domains.flows.held import HeldJob
from domains.flows.import_statement import run_import
from domains.flows.services import Services
from domains.flows.uploads import store_upload
from resolvers.bank import inputs
from resolvers.ids import from_global_id
from tests.resolvers.api import Answer, Client, codes, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.household import TODAY

IMPORT = """mutation($input: StatementImportInput!) { statementImport(input: $input) {
  statementImport { id status filename added updated unchanged accountCount error { code message } createdAt completedAt }
  errors { __typename code message field ... on StatementRejected { line reason } }
} }"""
FOLLOW = """subscription($id: ID!) { statementImportUpdated(id: $id) {
  version statementImport { status added unchanged error { code message } }
} }"""
ONE = "query($id: ID!) { node(id: $id) { id ... on StatementImport { status added error { code } } } }"
CSV = f"Date,Description,Amount\n{TODAY},COFFEE,-4.50\n{TODAY},COFFEE,-4.50\n{TODAY},MARKET,-20.00\n".encode()


async def uploaded(client: Client, data: bytes = CSV, filename: str = "november.csv") -> str:
    assert client.viewer is not None
    return gid("Upload", await store_upload(client.services, client.viewer, data, filename, "text/csv"))


async def begin(client: Client, upload_id: str, **said: Any) -> Any:
    given = {"uploadId": upload_id, "idempotencyKey": str(uuid4()), **said}
    return (await client.data(IMPORT, input=given))["statementImport"]


async def work(services: Services, viewer: Viewer | None, global_id: str) -> None:
    """Do what a worker would do with the import."""
    assert viewer is not None
    import_id = from_global_id(global_id, "StatementImport")
    assert import_id is not None
    async with services.db.write("bank", viewer) as session:
        table = jobs_table("bank")
        job_id: UUID = (await session.execute(table.select().where(table.c.key == str(import_id)))).mappings().one()["id"]
    claim = await jobs.claim(services.db, "bank", job_id, lease_s=30)
    assert claim is not None
    await run_import(services, HeldJob(claim, viewer), import_id)


async def rows(client: Client) -> tuple[int, int]:
    """How many imports and uploads there are."""
    assert client.viewer is not None
    async with client.services.db.write("bank", client.viewer) as session:
        found = [(await session.execute(table.select())).all() for table in (statement_imports, uploads)]
    return len(found[0]), len(found[1])


async def test_a_good_file_is_queued_and_its_rows_follow(make_client: MakeClient) -> None:
    client = await make_client()

    payload = await begin(client, await uploaded(client))

    queued = payload["statementImport"]
    assert payload["errors"] == []
    assert (queued["status"], queued["filename"], queued["added"], queued["error"], queued["completedAt"]) == (
        "QUEUED",
        "november.csv",
        0,
        None,
        None,
    )
    await work(client.services, client.viewer, queued["id"])
    assert (await client.data(ONE, id=queued["id"]))["node"] == {"id": queued["id"], "status": "DONE", "added": 3, "error": None}
    listed = await client.data("{ me { transactions { totalCount nodes { description } } } }")
    assert listed["me"]["transactions"]["totalCount"] == 3


async def test_the_same_file_again_adds_nothing(make_client: MakeClient) -> None:
    client = await make_client()
    for _ in range(2):
        begun = (await begin(client, await uploaded(client)))["statementImport"]
        await work(client.services, client.viewer, begun["id"])

    again = "query($id: ID!) { node(id: $id) { ... on StatementImport { added unchanged } } }"

    assert (await client.data(again, id=begun["id"]))["node"] == {"added": 0, "unchanged": 3}


async def test_a_broken_file_is_refused_with_its_line_and_nothing_of_it_stays(make_client: MakeClient) -> None:
    client = await make_client()
    upload_id = await uploaded(client, CSV + b"the 3rd,COFFEE,-1.00\n")

    payload = await begin(client, upload_id)

    assert payload["statementImport"] is None
    [error] = payload["errors"]
    assert (error["__typename"], error["code"], error["line"]) == ("StatementRejected", "STATEMENT_REJECTED", 5)
    assert error["message"] == f"Line 5: {error['reason']}"
    assert await rows(client) == (0, 0)


async def test_one_key_is_one_import_whatever_is_sent_twice(make_client: MakeClient) -> None:
    client = await make_client()
    upload_id, key = await uploaded(client), str(uuid4())

    first = await begin(client, upload_id, idempotencyKey=key)
    await work(client.services, client.viewer, first["statementImport"]["id"])
    second = await begin(client, upload_id, idempotencyKey=key)
    other = await begin(client, upload_id, idempotencyKey=key, options={"currency": "EUR"})

    assert second["statementImport"]["id"] == first["statementImport"]["id"]
    assert second["errors"] == []
    assert (other["statementImport"], [error["__typename"] for error in other["errors"]]) == (None, ["IdempotencyKeyReused"])
    assert other["errors"][0]["field"] == "idempotencyKey"
    assert (await rows(client))[0] == 1


async def test_twenty_calls_at_once_with_one_key_are_one_import(make_client: MakeClient) -> None:
    client = await make_client()
    upload_id, key = await uploaded(client), str(uuid4())

    payloads = await asyncio.gather(*(begin(client, upload_id, idempotencyKey=key) for _ in range(20)))

    assert len({payload["statementImport"]["id"] for payload in payloads}) == 1
    assert (await rows(client))[0] == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\u0000b", "a\nb"])
async def test_a_key_that_is_none_is_refused(make_client: MakeClient, key: str) -> None:
    client = await make_client()

    payload = await begin(client, await uploaded(client), idempotencyKey=key)

    assert [(error["__typename"], error["field"]) for error in payload["errors"]] == [("IdempotencyKeyInvalid", "idempotencyKey")]
    assert await rows(client) == (0, 1)


WRONG_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"encoding": ""}, "options.encoding"),
    ({"accountNumber": "x" * 256}, "options.accountNumber"),
    ({"accountNumber": "a\u0000b"}, "options.accountNumber"),
    ({"accountName": " "}, "options.accountName"),
    ({"columns": [{"meaning": "AMOUNT"}]}, "options.columns"),
    ({"columns": [{"meaning": "AMOUNT", "header": "Sum", "number": 3}]}, "options.columns"),
    ({"columns": [{"meaning": "AMOUNT", "number": 201}]}, "options.columns"),
    ({"columns": [{"meaning": "AMOUNT", "header": "a\u0000b"}]}, "options.columns"),
    ({"columns": [{"meaning": "AMOUNT", "number": 3}, {"meaning": "AMOUNT", "number": 2}]}, "options.columns"),
    ({"columns": [{"meaning": "AMOUNT", "number": 3}, {"meaning": "DATE", "header": "Date"}]}, "options.columns"),
]


@pytest.mark.parametrize(("said", "field"), WRONG_OPTIONS)
async def test_options_that_cannot_be_meant_are_refused_by_name(make_client: MakeClient, said: dict[str, Any], field: str) -> None:
    client = await make_client()

    payload = await begin(client, await uploaded(client), options=said)

    assert payload["statementImport"] is None
    assert [(error["__typename"], error["field"]) for error in payload["errors"]] == [("StatementOptionsInvalid", field)]


async def test_options_override_what_is_detected(make_client: MakeClient) -> None:
    client = await make_client()
    data = "3.11.2026;EINKAUF;12,50\n4.11.2026;EINKAUF;7,50\n".encode("windows-1252")
    said = {
        "delimiter": "SEMICOLON",
        "encoding": "windows-1252",
        "dateOrder": "DMY",
        "decimalSeparator": "COMMA",
        "columns": [{"meaning": "DATE", "number": 1}, {"meaning": "DESCRIPTION", "number": 2}, {"meaning": "AMOUNT", "number": 3}],
        "currency": "EUR",
        "accountNumber": "giro",
        "accountName": "Giro",
        "accountType": "SAVINGS",
        "invertAmounts": True,
    }

    payload = await begin(client, await uploaded(client, data), options=said)
    assert payload["errors"] == []
    await work(client.services, client.viewer, payload["statementImport"]["id"])

    query = """{ me { accounts { name type currency }
      transactions(sort: DATE_ASC) { nodes { transactionDate direction amount { amount currency } } } } }"""
    me = (await client.data(query))["me"]
    assert me["accounts"] == [{"name": "Giro", "type": "SAVINGS", "currency": "EUR"}]
    assert me["transactions"]["nodes"] == [
        {"transactionDate": "2026-11-03", "direction": "DEBIT", "amount": {"amount": "12.50", "currency": "EUR"}},
        {"transactionDate": "2026-11-04", "direction": "DEBIT", "amount": {"amount": "7.50", "currency": "EUR"}},
    ]


def test_the_schema_offers_every_option_and_every_column_that_the_reader_takes() -> None:
    def values(kind: type[enum.Enum]) -> set[Any]:
        return {each.value for each in kind}

    assert values(inputs.StatementColumn) == options.COLUMN_ROLES
    for kind, name in ((inputs.Delimiter, "delimiter"), (inputs.DateOrder, "date_order"), (inputs.DecimalSeparator, "decimal_separator")):
        for value in values(kind):
            assert getattr(options.FileOptions(**{name: value}), name) == value
    given = set(inputs.StatementOptionsInput.__annotations__) - {"account_number"} | {"account_id"}
    assert given == set(options.FileOptions.__dataclass_fields__)


async def test_what_is_somebody_elses_or_not_there_is_no_upload(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    theirs = await uploaded(robin)

    answers = [await begin(sam, upload_id) for upload_id in (theirs, gid("Upload", uuid4()), gid("Budget", uuid4()), "nonsense")]

    assert answers == [answers[0]] * 4
    assert [error["code"] for error in answers[0]["errors"]] == ["UPLOAD_NOT_FOUND"]
    assert await rows(robin) == (0, 1)
    assert await rows(sam) == (0, 0)


async def test_signed_out_nothing_is_imported_and_nothing_followed(make_client: MakeClient, nobody: Client) -> None:
    robin = await make_client()
    upload_id = await uploaded(robin)

    answer = await nobody.ask(IMPORT, input={"uploadId": upload_id, "idempotencyKey": "k"})
    async with nobody.following(FOLLOW, id=gid("StatementImport", uuid4())) as answers:
        followed = await anext(answers)

    assert (answer["data"], codes(answer)) == (None, ["UNAUTHENTICATED"])
    assert codes(followed) == ["UNAUTHENTICATED"]
    assert await rows(robin) == (0, 1)


def status(answer: Answer) -> str:
    return str(answer["data"]["statementImportUpdated"]["statementImport"]["status"])


async def within(answers: Any, s: float = 5.0) -> Answer:
    async with asyncio.timeout(s):
        return await anext(answers)


async def test_an_import_is_followed_from_how_it_is_to_its_end(make_client: MakeClient) -> None:
    client = await make_client()
    import_id = (await begin(client, await uploaded(client)))["statementImport"]["id"]

    async with client.following(FOLLOW, id=import_id) as answers:
        seen = [await within(answers)]
        working = asyncio.create_task(work(client.services, client.viewer, import_id))
        async with asyncio.timeout(10):
            seen += [answer async for answer in answers]
        await working

    assert status(seen[0]) == "QUEUED"
    assert status(seen[-1]) == "DONE"
    assert seen[-1]["data"]["statementImportUpdated"]["statementImport"]["added"] == 3
    versions = [answer["data"]["statementImportUpdated"]["version"] for answer in seen]
    assert versions == sorted(set(versions))


async def test_an_import_that_has_ended_is_told_once(make_client: MakeClient) -> None:
    client = await make_client()
    import_id = (await begin(client, await uploaded(client)))["statementImport"]["id"]
    await work(client.services, client.viewer, import_id)

    async with client.following(FOLLOW, id=import_id) as answers, asyncio.timeout(5):
        seen = [status(answer) async for answer in answers]

    assert seen == ["DONE"]


async def test_an_import_that_is_not_there_is_not_followed(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    theirs = (await begin(robin, await uploaded(robin)))["statementImport"]["id"]

    seen = []
    for import_id in (theirs, gid("StatementImport", uuid4()), "nonsense"):
        async with sam.following(FOLLOW, id=import_id) as answers:
            seen.append(await within(answers))

    assert seen == [seen[0]] * 3
    assert codes(seen[0]) == ["STATEMENT_IMPORT_NOT_FOUND"]
