"""A front end's first hour, with other people's clients, on the real schema."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from pydantic import SecretStr

from app.asgi import create_app
from app.errors import SettingsInvalid
from app.http import published
from app.settings import Settings
from db.auth.queries import open_session
from db.redis import RedisConnections
from tests.resolvers.transport.conftest import serving

SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { errors { code message field } } }"
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { session { accessToken expiresAt } errors { code } } }"
CREATE = "mutation($input: BudgetCreateInput!) { budgetCreate(input: $input) { budget { id name version } errors { code field } } }"
RENAME = "mutation($input: BudgetUpdateInput!) { budgetUpdate(input: $input) { budget { name version } errors { code field } } }"
FOLLOW = "subscription { budgetUpdated { budgetId version budget { name utilization { amountSpent { amount currency } version } } } }"


@pytest.fixture(scope="module")
async def host(settings: Settings) -> AsyncIterator[str]:
    async with serving(create_app(settings)) as found:
        yield found


@pytest.fixture
async def token(host: str) -> str:
    account = {"email": f"{uuid4()}@example.com", "password": uuid4().hex}
    async with Client(transport=HTTPXAsyncTransport(f"http://{host}/graphql")) as session:
        signed_up = await session.execute(GraphQLRequest(SIGN_UP, variable_values={"input": account}))
        signed_in = await session.execute(GraphQLRequest(SIGN_IN, variable_values={"input": account}))
    assert signed_up == {"signUp": {"errors": []}}
    assert signed_in["signIn"]["errors"] == []
    return str(signed_in["signIn"]["session"]["accessToken"])


def over_http(host: str, token: str) -> Client:
    return Client(transport=HTTPXAsyncTransport(f"http://{host}/graphql", headers={"authorization": f"Bearer {token}"}))


def over_websocket(host: str, token: str) -> Client:
    return Client(transport=WebsocketsTransport(f"ws://{host}/graphql", init_payload={"authorization": f"Bearer {token}"}))


async def test_a_live_budget_is_seen_by_the_socket_when_http_changes_it(host: str, token: str) -> None:
    async with over_http(host, token) as http, over_websocket(host, token) as socket:
        created = (await http.execute(GraphQLRequest(CREATE, variable_values={"input": await a_budget(http)})))["budgetCreate"]
        events = socket.subscribe(GraphQLRequest(FOLLOW))
        snapshot = (await anext(events))["budgetUpdated"]
        change = {"id": created["budget"]["id"], "name": "Food and drink"}
        renamed = (await http.execute(GraphQLRequest(RENAME, variable_values={"input": change})))["budgetUpdate"]
        event = (await anext(events))["budgetUpdated"]
        await events.aclose()

    assert (created["errors"], renamed["errors"]) == ([], [])
    assert snapshot["budgetId"] == event["budgetId"] == created["budget"]["id"]
    assert snapshot["budget"]["utilization"]["amountSpent"] == {"amount": "0.00", "currency": "USD"}
    assert event["budget"]["name"] == "Food and drink"
    assert event["version"] > snapshot["version"]


async def a_budget(http: Any) -> dict[str, Any]:
    categories = (await http.execute(GraphQLRequest("{ categories { id displayName type } }")))["categories"]
    groceries = next(each["id"] for each in categories if (each["displayName"], each["type"]) == ("Groceries", "EXPENSE"))
    return {"idempotencyKey": uuid4().hex, "name": "Food", "category": groceries, "amount": "400.00"}


async def test_the_token_ends_with_sign_out_on_both_transports(host: str, token: str) -> None:
    me = GraphQLRequest("{ me { id } }")
    async with over_http(host, token) as http, over_websocket(host, token) as socket:
        assert await http.execute(me) == await socket.execute(me)
        await http.execute(GraphQLRequest("mutation { signOut { errors { code } } }"))

        for session in (http, socket):
            with pytest.raises(TransportQueryError) as refused:
                await session.execute(me)
            assert refused.value.errors is not None
            assert refused.value.errors[0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.usefixtures("no_database_apart")
async def test_without_postgres_a_signed_in_query_is_503_and_a_malformed_one_still_400(settings: Settings, redis: RedisConnections) -> None:
    gone = SecretStr("postgresql+asyncpg://florin_app:x@127.0.0.1:1/florin")
    token = await open_session(redis, uuid4(), ("UTC", "USD", "en-US"), at=datetime.now(UTC), ttl_s=60)
    app = create_app(settings.model_copy(update={"database_dsn": gone, "database_system_dsn": gone}))
    async with serving(app) as host, httpx.AsyncClient(base_url=f"http://{host}") as client:
        headers = {"authorization": f"Bearer {token}", "accept": "application/graphql-response+json"}
        query = await client.post("/graphql", json={"query": "{ me { id email } }"}, headers=headers)
        malformed = await client.post("/graphql", json={"query": "{ me { "}, headers=headers)

    assert (query.status_code, query.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
    assert int(query.headers["retry-after"]) >= 1
    assert malformed.status_code == 400


@pytest.mark.parametrize("query", ["{ me { id } }", "{ categories { id } }", "mutation { signOut { errors { code } } }"])
async def test_signed_out_the_user_s_own_fields_are_401(host: str, query: str) -> None:
    async with httpx.AsyncClient() as client:
        response = await client.post(f"http://{host}/graphql", json={"query": query})

    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


async def test_introspection_is_what_the_clients_can_work_with_where_it_is_on(settings: Settings, token: str) -> None:
    """In the console's process it is, unless it is said otherwise."""
    async with serving(create_app(settings.model_copy(update={"graphiql": True}))) as host:
        client = Client(
            transport=HTTPXAsyncTransport(f"http://{host}/graphql", headers={"authorization": f"Bearer {token}"}),
            fetch_schema_from_transport=True,
        )
        async with client as session:
            answer = await session.execute(GraphQLRequest("{ me { budgets { id } } }"))

    assert answer == {"me": {"budgets": []}}
    assert client.schema is not None
    assert {"Budget", "Transaction", "Money"} <= set(client.schema.type_map)


async def test_introspection_and_suggestions_are_off_in_a_process_that_does_not_say(host: str) -> None:
    async with httpx.AsyncClient() as client:
        replies = [
            (await client.post(f"http://{host}/graphql", json={"query": query})).json()["errors"][0]
            for query in ("{ __schema { queryType { name } } }", "{ _service { sdl } }", "{ mee { id } }")
        ]

    assert [error["extensions"]["code"] for error in replies] == ["INTROSPECTION_NOT_ALLOWED"] * 2 + ["GRAPHQL_VALIDATION_FAILED"]
    assert replies[2]["message"] == "Cannot query field 'mee' on type 'Query'."


def published_at(settings: Settings, folder: Path, **changes: Any) -> Any:
    """An API process that knows the operations of a client of its operator's."""
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"me-1": ME, "categories-1": CATEGORIES, "sign-up-1": SIGN_UP}))
    return create_app(settings.model_copy(update={"operations_manifests": (manifest,), **changes}))


ME = "query Me {\n  me {\n    id\n  }\n}"  # as the gql client prints it
CATEGORIES = "query Categories { categories { id } }"


async def test_where_only_published_operations_are_served_nothing_else_comes_in(settings: Settings, tmp_path: Path, token: str) -> None:
    """By POST, GET and WebSocket alike."""
    bearer = {"authorization": f"Bearer {token}"}
    async with serving(published_at(settings, tmp_path, operations="persisted")) as host, httpx.AsyncClient(headers=bearer) as client:
        url = f"http://{host}/graphql"
        posted = [
            (await client.post(url, json=body)).json() for body in ({"documentId": "me-1"}, {"query": ME}, {"query": "{ me { id } }"})
        ]
        got = [(await client.get(url, params=each)).json() for each in ({"documentId": "me-1"}, {"query": "{ me { id } }"})]
        async with over_websocket(host, token) as socket:
            me = await socket.execute(GraphQLRequest(ME))
            with pytest.raises(TransportQueryError) as refused:
                await socket.execute(GraphQLRequest("{ me { id } }"))

    assert posted[0]["data"] == posted[1]["data"] == got[0]["data"] == me
    assert refused.value.errors is not None
    errors = [posted[2]["errors"][0], got[1]["errors"][0], refused.value.errors[0]]
    assert {error["extensions"]["code"] for error in errors} == {"OPERATION_NOT_ALLOWED"}


async def test_apollos_clients_are_told_to_send_the_text(settings: Settings, tmp_path: Path, token: str) -> None:
    def asked(text: str) -> dict[str, Any]:
        return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}}}

    headers = {"authorization": f"Bearer {token}"}
    async with serving(published_at(settings, tmp_path)) as host, httpx.AsyncClient(headers=headers) as client:
        known, unknown, again, sent, wrong = [
            (await client.post(f"http://{host}/graphql", json=body)).json()
            for body in (
                asked(ME),
                asked("{ me { id } }"),
                asked("{ me { id } }"),
                asked("{ me { id } }") | {"query": "{ me { id } }"},
                asked("{ me { id } }") | {"query": ME},
            )
        ]

    assert known["data"] == sent["data"] != {}
    assert unknown["errors"] == again["errors"]
    assert unknown["errors"][0]["message"] == "PersistedQueryNotFound"
    assert unknown["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    assert wrong["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "cannot be read"), ("[]", "it is not an object"), ('{"%s": "{ me { id } }"}' % ("0" * 64), "not the hash of its document")],
)
def test_a_manifest_that_cannot_be_read_is_refused_before_the_process_serves(
    settings: Settings, tmp_path: Path, text: str | None, said: str
) -> None:
    manifest = tmp_path / "manifest.json"
    if text is not None:
        manifest.write_text(text)

    with pytest.raises(SettingsInvalid, match=said):
        create_app(settings.model_copy(update={"operations_manifests": (manifest,)}))


def test_serving_only_published_operations_is_refused_when_none_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(published, "MANIFEST", tmp_path / "none.json")

    with pytest.raises(SettingsInvalid, match="nothing is published"):
        create_app(settings.model_copy(update={"operations": "persisted"}))
