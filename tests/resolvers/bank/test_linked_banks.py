"""Banks that are linked, fetched from, followed and removed, through the API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.bank.models import bank_connections, bank_links, sync_history
from db.base import jobs_table
from domains.bank.providers.errors import ProviderUnavailable
from domains.bank.providers.protocol import Listener, Reached
from domains.bank.service.sync_connections import SYNC, request_sync
from domains.core.clock import FixedClock
from domains.flows import sync_connection as flow
from resolvers.ids import from_global_id
from tests.banks import TOKEN, ToldBank, account, movement, run_jobs, sync, with_banks
from tests.resolvers.api import Answer, Client, codes, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.test_operations import DOCUMENTS

CREATE, COMPLETE = DOCUMENTS["bank/begin_bank_link"], DOCUMENTS["bank/complete_bank_link"]
BY_HAND, REMOVE = DOCUMENTS["bank/sync_bank_connection"], DOCUMENTS["bank/remove_bank_connection"]
FOLLOW, PROVIDERS = DOCUMENTS["bank/follow_bank_sync"], DOCUMENTS["bank/bank_providers"]


async def client_of(make_client: MakeClient, *banks: ToldBank, **options: Any) -> Client:
    client = await make_client()
    return client.but(services=with_banks(client.services, *banks, **options))


async def begin(client: Client, **said: Any) -> Any:
    given = {"provider": "PLAID", "idempotencyKey": str(uuid4()), **said}
    return (await client.data(CREATE, input=given))["bankLinkCreate"]


async def complete(client: Client, link_id: str, **said: Any) -> Any:
    given = {"linkId": link_id, "publicToken": TOKEN, "idempotencyKey": str(uuid4()), **said}
    return (await client.data(COMPLETE, input=given))["bankLinkComplete"]


async def linked(client: Client) -> str:
    made = await complete(client, (await begin(client))["bankLink"]["id"])
    assert made["errors"] == []
    return str(made["bankConnection"]["id"])


def key_of(connection: str) -> UUID:
    key = from_global_id(connection, "BankConnection")
    assert key is not None
    return key


async def counts(client: Client) -> list[int]:
    async with client.services.db.write("bank", client.viewer) as session:
        tables = (bank_links, bank_connections, sync_history)
        return [len((await session.execute(table.select())).all()) for table in tables]


async def test_what_can_be_linked_is_what_is_set_up(make_client: MakeClient) -> None:
    client = await client_of(make_client, ToldBank(), ToldBank(name="tink"))

    assert (await client.data(PROVIDERS))["bankProviders"] == [
        {"provider": "PLAID", "institutions": []},
        {"provider": "TINK", "institutions": []},
    ]


async def test_a_bank_is_linked_fetched_and_shown(make_client: MakeClient) -> None:
    bank = ToldBank(accounts=[account(transactions=[movement(1)])])
    client = await client_of(make_client, bank)

    begun = await begin(client)
    ended = await complete(client, begun["bankLink"]["id"])
    await sync(client.services, client.viewer)

    link = begun["bankLink"]
    assert (begun["errors"], link["provider"], link["token"], link["url"]) == ([], "PLAID", "link-1", None)
    assert link["expiresAt"] == "2100-01-01T00:00:00Z"
    connection = ended["bankConnection"]
    assert (ended["errors"], connection["status"], connection["institutionName"]) == ([], "ACTIVE", "First Bank")
    me = (await client.data("{ me { transactions { nodes { description } } syncHistory { nodes { type status stage pages } } } }"))["me"]
    assert me["transactions"]["nodes"] == [{"description": "CORNER SHOP 1"}]
    assert me["syncHistory"]["nodes"] == [{"type": "MANUAL", "status": "SUCCESS", "stage": "DONE", "pages": 1}]


async def test_one_key_is_one_link_and_one_completion(make_client: MakeClient) -> None:
    client = await client_of(make_client, ToldBank())
    key = str(uuid4())

    begun = [await begin(client, idempotencyKey=key) for _ in range(2)]
    other = await begin(client, idempotencyKey=key, institutionId="ins_2")
    ended = [await complete(client, begun[0]["bankLink"]["id"], idempotencyKey=key) for _ in range(2)]
    differs = await complete(client, begun[0]["bankLink"]["id"], idempotencyKey=key, publicToken="another")

    assert begun[0] == begun[1]
    assert ended[0]["bankConnection"]["id"] == ended[1]["bankConnection"]["id"]
    assert [other["errors"][0]["code"], differs["errors"][0]["code"]] == ["IDEMPOTENCY_KEY_REUSED"] * 2
    assert (await counts(client))[:2] == [1, 1]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (CREATE, {"provider": "PLAID", "idempotencyKey": "k"}),
        (COMPLETE, {"linkId": gid("BankLink", uuid4()), "publicToken": TOKEN, "idempotencyKey": "k"}),
        (BY_HAND, {"id": gid("BankConnection", uuid4())}),
        (REMOVE, {"id": gid("BankConnection", uuid4()), "transactions": "DELETE"}),
    ],
)
async def test_who_is_signed_out_is_refused(make_client: MakeClient, document: str, said: dict[str, Any]) -> None:
    bank = ToldBank()
    client = (await client_of(make_client, bank)).but(viewer=None)

    assert codes(await client.ask(document, input=said)) == ["UNAUTHENTICATED"]
    assert codes(await client.ask(PROVIDERS)) == ["UNAUTHENTICATED"]
    assert bank.requests == []


async def test_somebody_elses_connection_is_not_there_and_stays_as_it_was(make_client: MakeClient) -> None:
    robin, sam = await client_of(make_client, ToldBank()), await client_of(make_client, ToldBank())
    connection = await linked(robin)
    link = (await begin(robin))["bankLink"]["id"]
    before = await robin.data("{ me { connections { id status updatedAt } } }")

    said = [
        (await sam.data(BY_HAND, input={"id": connection}))["bankConnectionSync"],
        (await sam.data(REMOVE, input={"id": connection, "transactions": "DELETE"}))["bankConnectionRemove"],
        await begin(sam, connectionId=connection),
        await complete(sam, link),
    ]

    assert [each["errors"][0]["code"] for each in said] == ["BANK_CONNECTION_NOT_FOUND"] * 3 + ["BANK_LINK_NOT_FOUND"]
    assert await robin.data("{ me { connections { id status updatedAt } } }") == before
    assert await counts(sam) == [0, 0, 0]


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"provider": "FILE"}, "BANK_PROVIDER_NOT_FOUND", "provider"),
        ({"provider": "TINK"}, "BANK_PROVIDER_NOT_FOUND", "provider"),
        ({"redirectUrl": "https://evil.example/back"}, "REDIRECT_URL_NOT_ALLOWED", "redirectUrl"),
        ({"idempotencyKey": ""}, "IDEMPOTENCY_KEY_INVALID", "idempotencyKey"),
        ({"connectionId": "nonsense"}, "BANK_CONNECTION_NOT_FOUND", "connectionId"),
    ],
)
async def test_a_link_that_cannot_be_begun_says_why(make_client: MakeClient, said: dict[str, Any], code: str, field: str) -> None:
    client = await client_of(make_client, ToldBank())

    payload = await begin(client, **said)

    assert payload["bankLink"] is None
    assert [(each["code"], each["field"]) for each in payload["errors"]] == [(code, field)]
    assert await counts(client) == [0, 0, 0]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"publicToken": "stale"}, "BANK_LINK_REFUSED"),
        ({"publicToken": None}, "BANK_ANSWER_INCOMPLETE"),
        ({"code": "c"}, "BANK_ANSWER_INCOMPLETE"),
        ({"publicToken": None, "code": "c"}, "BANK_ANSWER_INCOMPLETE"),
        ({"linkId": "nonsense"}, "BANK_LINK_NOT_FOUND"),
    ],
)
async def test_a_link_that_cannot_be_completed_says_why(make_client: MakeClient, said: dict[str, Any], code: str) -> None:
    client = await client_of(make_client, ToldBank())
    link = (await begin(client))["bankLink"]["id"]

    payload = await complete(client, link, **said)

    assert payload["bankConnection"] is None
    assert [each["code"] for each in payload["errors"]] == [code]
    assert (await counts(client))[1] == 0


async def test_texts_that_cannot_be_meant_are_refused_before_the_bank_is_asked(make_client: MakeClient) -> None:
    bank = ToldBank()
    client = await client_of(make_client, bank)

    for said in ({"institutionId": "x" * 256}, {"redirectUrl": "https://a/\u0000"}):
        answer = await client.ask(CREATE, input={"provider": "PLAID", "idempotencyKey": "k", **said})
        assert codes(answer) == ["BAD_USER_INPUT"]

    assert bank.requests == []


async def test_a_bank_that_does_not_answer_is_worth_another_try(make_client: MakeClient) -> None:
    client = await client_of(make_client, ToldBank(refuses=ProviderUnavailable("TIMED_OUT")))

    answer = await client.ask(CREATE, input={"provider": "PLAID", "idempotencyKey": "k"})

    assert codes(answer) == ["BANK_UNAVAILABLE"]
    assert answer["errors"][0]["extensions"]["retryable"] is True


async def test_fetching_by_hand_twice_in_a_minute_says_how_long_to_wait(make_client: MakeClient) -> None:
    client = await client_of(make_client, ToldBank())
    clock = FixedClock(client.services.clock.now())
    client = client.but(services=replace(client.services, clock=clock))
    connection = await linked(client)
    await sync(client.services, client.viewer)

    first = (await client.data(BY_HAND, input={"id": connection}))["bankConnectionSync"]
    clock.at += timedelta(seconds=15)
    second = (await client.data(BY_HAND, input={"id": connection}))["bankConnectionSync"]

    assert (first["errors"], first["bankConnection"]["id"]) == ([], connection)
    assert second["bankConnection"] is None
    [error] = second["errors"]
    assert (error["code"], error["field"], error["retryAfterSeconds"]) == ("SYNC_TOO_SOON", "id", 45)


@pytest.mark.parametrize(("transactions", "left"), [("KEEP", 1), ("DELETE", 0)])
async def test_a_removed_connection_is_shown_as_such_and_its_transactions_stay_or_go(
    make_client: MakeClient, transactions: str, left: int
) -> None:
    client = await client_of(make_client, ToldBank(accounts=[account(transactions=[movement(1)])]))
    connection = await linked(client)
    await sync(client.services, client.viewer)

    removed = (await client.data(REMOVE, input={"id": connection, "transactions": transactions}))["bankConnectionRemove"]
    await run_jobs(client.services, client.viewer, "bank.forget_transactions")
    again = (await client.data(BY_HAND, input={"id": connection}))["bankConnectionSync"]

    assert removed["errors"] == []
    assert (removed["bankConnection"]["status"], removed["bankConnection"]["accounts"][0]["status"]) == ("DISCONNECTED", "CLOSED")
    assert (await client.data("{ me { transactions { totalCount } } }"))["me"]["transactions"]["totalCount"] == left
    assert [each["code"] for each in again["errors"]] == ["BANK_CONNECTION_ENDED"]


# Following a fetch


class Watch:
    """What a subscription has said, as (stage, fetched, added, updated, removed)."""

    def __init__(self, answers: AsyncIterator[Answer]) -> None:
        self._answers = answers
        self.said: list[Any] = []

    async def until(self, stage: str) -> list[Any]:
        names = ("stage", "transactionsFetched", "transactionsAdded", "transactionsUpdated", "transactionsRemoved")
        async with asyncio.timeout(10):
            while not self.said or self.said[-1][0] != stage:
                answer = await anext(self._answers)
                assert "errors" not in answer, answer
                progress = answer["data"]["connectionSyncProgress"]
                self.said.append(tuple(progress[name] for name in names))
                self.last = progress
        said, self.said = self.said, []
        return said


@asynccontextmanager
async def watched(client: Client, connection: str) -> AsyncIterator[Watch]:
    async with client.following(FOLLOW, connectionId=connection) as answers:
        yield Watch(answers)


async def test_every_stage_of_a_fetch_is_told_in_its_order(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = ToldBank(accounts=[account(transactions=[movement(1), movement(2)])])
    client = await client_of(make_client, bank)
    connection = await linked(client)
    steps = {name: asyncio.Event() for name in ("fetch", "apply", "refold", "finish")}

    async def wait(_reached: Reached, listener: Listener) -> None:
        await steps["fetch"].wait()
        await listener.page_fetched(1, 2)
        await steps["apply"].wait()

    def after(name: str, real: Any) -> Any:
        async def held(*args: Any, **kwargs: Any) -> Any:
            await steps[name].wait()
            return await real(*args, **kwargs)

        return held

    bank.before = wait
    monkeypatch.setattr(flow, "apply_batch", after("refold", flow.apply_batch))
    monkeypatch.setattr(flow, "refold_held", after("finish", flow.refold_held))
    async with watched(client, connection) as watch:
        queued = await watch.until("QUEUED")
        running = asyncio.create_task(sync(client.services, client.viewer))
        begun = await watch.until("FETCHING")
        steps["fetch"].set()
        page = await watch.until("FETCHING")
        steps["apply"].set()
        applying = await watch.until("APPLYING")
        steps["refold"].set()
        folding = await watch.until("BUDGETS")
        steps["finish"].set()
        done = await watch.until("DONE")
        await running

    assert queued == [("QUEUED", 0, 0, 0, 0)]
    assert begun == [("FETCHING", 0, 0, 0, 0)]
    assert page == [("FETCHING", 2, 0, 0, 0)]
    assert applying == [("APPLYING", 2, 0, 0, 0)]
    assert folding == [("BUDGETS", 2, 2, 0, 0)]
    assert done == [("DONE", 2, 2, 0, 0)]
    assert watch.last["sync"]["status"] == "SUCCESS"
    assert watch.last["connection"] == {"id": connection, "status": "ACTIVE", "lastSyncStatus": "SUCCESS"}


async def test_a_fetch_that_fails_is_told_and_the_next_one_too(make_client: MakeClient) -> None:
    bank = ToldBank(failure=ProviderUnavailable("TIMED_OUT"))
    client = await client_of(make_client, bank)
    connection = await linked(client)
    await sync(client.services, client.viewer)

    async with watched(client, connection) as watch:
        first = await watch.until("FAILED")
        failed = watch.last["sync"]
        bank.failure = None
        async with client.services.db.write("bank", client.viewer) as session:
            await request_sync(session, key_of(connection), "webhook")
        queued = await watch.until("QUEUED")
        await sync(client.services, client.viewer)
        then = await watch.until("DONE")

    assert first == [("FAILED", 0, 0, 0, 0)]
    assert (failed["errorCode"], failed["type"]) == ("PROVIDER_UNAVAILABLE", "MANUAL")
    assert queued == [("QUEUED", 0, 0, 0, 0)]
    assert then[-1] == ("DONE", 0, 0, 0, 0)
    assert watch.last["sync"]["type"] == "WEBHOOK"


async def test_somebody_elses_connection_cannot_be_followed(make_client: MakeClient) -> None:
    robin, sam = await client_of(make_client, ToldBank()), await client_of(make_client, ToldBank())
    connection = await linked(robin)

    for asked in (connection, gid("BankConnection", uuid4()), "nonsense"):
        async with sam.following(FOLLOW, connectionId=asked) as answers:
            assert codes(await anext(answers)) == ["BANK_CONNECTION_NOT_FOUND"]


async def test_no_secret_is_in_what_a_link_leaves_for_others(make_client: MakeClient) -> None:
    bank = ToldBank(tells_state=True)
    client = await client_of(make_client, bank)
    begun = (await begin(client))["bankLink"]
    await complete(client, begun["id"], publicToken=None, code=TOKEN, state="state-1")

    async with client.services.db.system("bank") as system:
        table = jobs_table("bank")
        left = (await system.execute(table.select().where(table.c.user_id == client.viewer.user_id))).all()  # type: ignore[union-attr]

    assert {row.topic for row in left} - {"live.publish"} == {SYNC, "audit.record"}
    for secret in (TOKEN, "state-1", "verifier-1", "access-1"):
        assert not any(secret in str(row) for row in left)
