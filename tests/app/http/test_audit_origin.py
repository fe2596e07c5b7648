"""A mutation over either transport leaves an entry that says where it came from."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from gql import Client, GraphQLRequest
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

from app.asgi import create_app
from app.settings import Settings
from db.auth.queries import open_session
from db.redis import RedisConnections
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.domains.audit.trail import told, waiting
from tests.resolvers.transport.conftest import serving

ASK = """mutation($input: DataExportRequestCreateInput!) {
  dataExportRequestCreate(input: $input) { dataExportRequest { id } errors { code } }
}"""
CANCEL = "mutation($input: DataExportRequestCancelInput!) { dataExportRequestCancel(input: $input) { errors { code } } }"


@pytest.fixture(scope="module")
async def host(settings: Settings) -> AsyncIterator[str]:
    async with serving(create_app(settings)) as found:
        yield found


async def test_where_a_mutation_came_from_over_http_and_over_a_socket(
    host: str, services: Services, redis: RedisConnections, make_user: MakeUser
) -> None:
    viewer = await make_user()
    token = await open_session(redis, viewer.user_id, ("UTC", "USD", "en-US"), at=datetime.now(UTC), ttl_s=600)
    headers = {"authorization": f"Bearer {token}", "user-agent": "Phone/1.0"}
    over_http = Client(transport=HTTPXAsyncTransport(f"http://{host}/graphql", headers=headers))
    over_socket = Client(transport=WebsocketsTransport(f"ws://{host}/graphql", headers={"user-agent": "Tablet/2.0", **headers}))

    async with over_http as http, over_socket as socket:
        made = await http.execute(GraphQLRequest(ASK, variable_values={"input": {"idempotencyKey": str(uuid4())}}))
        cancelled = {"id": made["dataExportRequestCreate"]["dataExportRequest"]["id"]}
        await socket.execute(GraphQLRequest(CANCEL, variable_values={"input": cancelled}))
        await http.execute(GraphQLRequest("{ me { id } }"))

    assert len(await waiting(services, viewer.user_id)) == 2
    first, second = await told(services, viewer)
    assert (first["action"], first["service_name"], first["ip_address"], first["user_agent"]) == (
        "DATA_EXPORT_REQUESTED",
        "api",
        "127.0.0.1",
        "Phone/1.0",
    )
    assert (second["action"], second["service_name"], second["ip_address"]) == ("DATA_EXPORT_CANCELLED", "api", "127.0.0.1")
    assert second["request_id"].endswith("-1")
    assert first["request_id"] != second["request_id"]
