"""A front end's first hour, with other people's clients, on the real schema."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
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


async def test_introspection_is_what_the_clients_can_work_with(host: str, token: str) -> None:
    client = Client(
        transport=HTTPXAsyncTransport(f"http://{host}/graphql", headers={"authorization": f"Bearer {token}"}),
        fetch_schema_from_transport=True,
    )
    async with client as session:
        answer = await session.execute(GraphQLRequest("{ me { budgets { id } } }"))

    assert answer == {"me": {"budgets": []}}
    assert client.schema is not None
    assert {"Budget", "Transaction", "Money"} <= set(client.schema.type_map)
