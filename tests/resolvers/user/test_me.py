"""Who is signed in."""

from datetime import UTC, datetime

from domains.flows.services import Services
from resolvers.execution.operation import Gateway
from tests.conftest import MakeUser
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.conftest import MakeClient

ME = "{ me { id email emailVerified fullName timezone currency locale createdAt } }"


async def test_me_is_whoever_is_signed_in(api: Gateway, services: Services, make_user: MakeUser) -> None:
    robin = await make_user(email="Robin@Example.com", timezone="Europe/Paris", currency="EUR", locale="fr-FR")

    me = (await Client(api, services, robin).data(ME))["me"]

    created_at = datetime.fromisoformat(me.pop("createdAt"))
    assert (datetime.now(UTC) - created_at).total_seconds() < 60
    assert me == {
        "id": gid("User", robin.user_id),
        "email": "Robin@Example.com",
        "emailVerified": False,
        "fullName": None,
        "timezone": "Europe/Paris",
        "currency": "EUR",
        "locale": "fr-FR",
    }


async def test_signed_out_there_is_no_me(nobody: Client) -> None:
    answer = await nobody.ask(ME)

    assert answer["data"] is None
    assert codes(answer) == ["UNAUTHENTICATED"]


async def test_one_sees_oneself_by_id_and_nobody_else(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    query = "query($id: ID!) { node(id: $id) { id ... on User { email } } }"
    assert robin.viewer is not None

    mine = await robin.data(query, id=gid("User", robin.viewer.user_id))
    theirs = await sam.data(query, id=gid("User", robin.viewer.user_id))

    assert mine["node"]["email"] == f"{robin.viewer.user_id}@example.com"
    assert theirs == {"node": None}


def test_no_field_of_a_user_holds_a_secret(api: Gateway) -> None:
    fields = set(api.schema._schema.type_map["User"].fields)  # type: ignore[attr-defined]

    assert {"passwordHash", "twoFactorSecret", "emailNormalized"} & fields == set()
    assert {name for name in fields if any(word in name.lower() for word in ("password", "hash", "secret", "token"))} == {
        "passwordChangedAt"
    }
