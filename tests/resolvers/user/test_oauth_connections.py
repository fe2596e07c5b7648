"""Whom people sign in with elsewhere, and how that ends."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.embedded import Embedded
from domains.flows.services import Services
from resolvers.execution.operation import Gateway
from tests.conftest import MakeUser
from tests.db.samples import insert, login, sample_rows
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.test_operations import DOCUMENTS
from tests.resolvers.user.links import connect

READ = "{ me { oauthConnections { id provider name email connectedAt } } }"
DELETE = DOCUMENTS["user/delete_oauth_connection"]
PROFILE = {"name": "Robin", "email": "robin@example.com"}


async def linked(client: Client) -> list[Any]:
    return [(each["provider"], each["name"], each["email"]) for each in (await client.data(READ))["me"]["oauthConnections"]]


async def delete(client: Client, link_id: str) -> dict[str, Any]:
    payload: dict[str, Any] = (await client.data(DELETE, input={"id": gid("OAuthConnection", link_id)}))["oauthConnectionDelete"]
    return payload


def error_codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["errors"]]


@pytest.fixture
async def robin(api: Gateway, services: Services, make_user: MakeUser) -> Client:
    """Somebody with a password."""
    return Client(api, services, await make_user(password="a good long password"))


async def test_links_are_shown_with_what_the_provider_says_the_oldest_first(robin: Client) -> None:
    assert robin.viewer is not None
    assert await linked(robin) == []

    await connect(robin.services, robin.viewer, "google", PROFILE)
    await connect(robin.services, robin.viewer, "apple", {"email": "relay@example.com"})
    await connect(robin.services, robin.viewer, "facebook")

    assert await linked(robin) == [
        ("GOOGLE", "Robin", "robin@example.com"),
        ("APPLE", None, "relay@example.com"),
        ("FACEBOOK", None, None),
    ]


async def test_a_link_is_found_by_its_id_through_graphql_core_too(robin: Client) -> None:
    assert robin.viewer is not None
    link = await connect(robin.services, robin.viewer, "google", PROFILE)

    found = await robin.data("query($id: ID!) { node(id: $id) { ... on OAuthConnection { name email } } }", id=gid("OAuthConnection", link))

    assert found == {"node": PROFILE}


async def test_whoever_has_a_password_ends_any_link_once(robin: Client) -> None:
    assert robin.viewer is not None
    link = await connect(robin.services, robin.viewer)

    payload, again = await delete(robin, link), await delete(robin, link)

    assert payload == {"deletedOauthConnectionId": gid("OAuthConnection", link), "errors": []}
    assert (again["deletedOauthConnectionId"], error_codes(again)) == (None, ["OAUTH_CONNECTION_NOT_FOUND"])
    assert await linked(robin) == []


async def test_the_last_way_in_stays(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    google, apple = [await connect(client.services, client.viewer, provider) for provider in ("google", "apple")]

    first, last = await delete(client, google), await delete(client, apple)

    assert first["errors"] == []
    assert [(error["code"], error["field"]) for error in last["errors"]] == [("LAST_WAY_IN", "id")]
    assert [provider for provider, _, _ in await linked(client)] == ["APPLE"]


async def test_of_two_last_ways_ended_at_once_one_stays(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    links = [await connect(client.services, client.viewer, provider) for provider in ("google", "apple")]

    payloads = await asyncio.gather(*(delete(client, link) for link in links))

    assert sorted(error_codes(payload) for payload in payloads) == [[], ["LAST_WAY_IN"]]
    assert len(await linked(client)) == 1


STRANGE = {"nonsense": "nonsense", "empty": "", "a budget": gid("Budget", uuid4()), "nobodys": gid("OAuthConnection", uuid4())}


@pytest.mark.parametrize("given", STRANGE.values(), ids=STRANGE.keys())
async def test_what_is_no_link_is_not_found(robin: Client, given: str) -> None:
    payload = (await robin.data(DELETE, input={"id": given}))["oauthConnectionDelete"]

    assert error_codes(payload) == ["OAUTH_CONNECTION_NOT_FOUND"]


async def test_nobody_ends_somebody_elses_link_or_any_signed_out(robin: Client, make_client: MakeClient, nobody: Client) -> None:
    assert robin.viewer is not None
    link = await connect(robin.services, robin.viewer, profile=PROFILE)

    by_sam = await delete(await make_client(), link)
    by_nobody = await nobody.ask(DELETE, input={"id": gid("OAuthConnection", link)})

    assert error_codes(by_sam) == ["OAUTH_CONNECTION_NOT_FOUND"]
    assert codes(by_nobody) == ["UNAUTHENTICATED"]
    assert await linked(robin) == [("GOOGLE", "Robin", "robin@example.com")]


async def test_a_link_ends_with_its_account_and_may_come_back(servers: Embedded) -> None:
    ada, ben = uuid4(), uuid4()
    one, other = sample_rows(ada), sample_rows(ben)
    link = one["user_schema.oauth_connections"]
    again = other["user_schema.oauth_connections"] | {"provider_user_id": link["provider_user_id"]}

    async with login(servers.superuser_dsn) as row:
        for rows in (one, other):
            await insert(row, "user_schema.users", rows["user_schema.users"])
        await insert(row, "user_schema.oauth_connections", link)
        await row.execute("set local role florin_system")
        await row.execute("update user_schema.users set status = 'deleted', deleted_at = now() where id = $1", ada)
        await row.execute("reset role")
        await insert(row, "user_schema.oauth_connections", again)
        whose = await row.fetch("select user_id from user_schema.oauth_connections where provider_user_id = $1", link["provider_user_id"])

    assert [each["user_id"] for each in whose] == [ben]


async def test_a_link_belongs_to_one_account(servers: Embedded) -> None:
    one, other = sample_rows(uuid4()), sample_rows(uuid4())
    same = other["user_schema.oauth_connections"] | {
        "provider_user_id": one["user_schema.oauth_connections"]["provider_user_id"],
    }

    async with login(servers.superuser_dsn) as row:
        for rows in (one, other):
            await insert(row, "user_schema.users", rows["user_schema.users"])
        await insert(row, "user_schema.oauth_connections", one["user_schema.oauth_connections"])
        with pytest.raises(asyncpg.UniqueViolationError):
            await insert(row, "user_schema.oauth_connections", same)


async def test_the_application_cannot_read_the_columns_of_tokens(servers: Embedded) -> None:
    async with login(servers.dsns.app, uuid4()) as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.fetch("select refresh_token from user_schema.oauth_connections")
