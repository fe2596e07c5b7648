"""The simulated Tink is as strict as the real one says it is: what gets past it by mistake would get past our tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from app.simulators.server import serve
from app.simulators.tink.simulator import CLIENT_ID, CLIENT_SECRET
from domains.bank.providers.tink.link import LINK_CLIENT
from tests.domains.bank.tink.world import REDIRECT, World, world

READ = "accounts:read,transactions:read,provider-consents:read"
TOKEN = "/api/v1/oauth/token"
GRANT = "/api/v1/oauth/authorization-grant"
TRANSACTIONS = "/data/v2/transactions"


@dataclass
class Caller:
    """Somebody who speaks HTTP with it."""

    here: World
    http: httpx.AsyncClient

    async def token(self, **form: str) -> httpx.Response:
        return await self.http.post(TOKEN, data={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **form})

    async def app_token(self, scope: str = "authorization:grant,user:create") -> dict[str, str]:
        answer = await self.token(grant_type="client_credentials", scope=scope)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def code(self, user: str, scope: str = READ) -> str:
        answer = await self.http.post(GRANT, data={"external_user_id": user, "scope": scope}, headers=await self.app_token())
        return str(answer.json()["code"])

    async def user_token(self, user: str, scope: str = READ) -> dict[str, str]:
        answer = await self.token(grant_type="authorization_code", code=await self.code(user, scope))
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@asynccontextmanager
async def caller(**options: object) -> AsyncIterator[Caller]:
    """One person has linked a bank, by our own provider; another one has not."""
    async with world(**options) as here:  # type: ignore[arg-type]
        await here.link()
        here.user = "person-2"
        await here.begin()
        async with serve(here.tink.app) as url, httpx.AsyncClient(base_url=url) as http:
            yield Caller(here, http)


async def test_a_code_is_good_once() -> None:
    async with caller() as call:
        code = await call.code("person-1")
        first, second = (
            await call.token(grant_type="authorization_code", code=code),
            await call.token(grant_type="authorization_code", code=code),
        )

    assert (first.status_code, second.status_code) == (200, 400)
    assert second.json()["error"] == "invalid_grant"


async def test_a_code_for_tink_link_is_no_code_for_the_app_and_the_other_way_round() -> None:
    async with caller() as call:
        url = (await call.here.begin()).url or ""
        for_link = dict(parse_qsl(urlsplit(url).query))["authorization_code"]
        taken = await call.token(grant_type="authorization_code", code=for_link)
        query = {"client_id": CLIENT_ID, "redirect_uri": REDIRECT, "authorization_code": await call.code("person-1")}
        sent = await call.http.post("/1.0/transactions/connect-accounts", params=query, content="choice=agree")

    assert taken.status_code == 400
    assert "INVALID_PARAMETER_AUTHORIZATION_CODE" in sent.headers["location"]


async def test_a_refresh_token_is_good_once_where_they_rotate() -> None:
    async with caller() as call:
        given = (await call.token(grant_type="authorization_code", code=await call.code("person-1"))).json()
        first = await call.token(grant_type="refresh_token", refresh_token=given["refresh_token"])
        second = await call.token(grant_type="refresh_token", refresh_token=given["refresh_token"])

    assert (first.status_code, second.status_code) == (200, 400)
    assert first.json()["refresh_token"] != given["refresh_token"]


@pytest.mark.parametrize(
    ("form", "status", "word"),
    [
        ({"client_secret": "other", "grant_type": "client_credentials"}, 401, "invalid_client"),
        ({"client_id": "other", "grant_type": "client_credentials"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "code": "invented"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "invented"}, 400, "invalid_grant"),
    ],
)
async def test_tokens_are_not_for_everybody(form: dict[str, str], status: int, word: str) -> None:
    async with caller() as call:
        answer = await call.token(**form)

    assert (answer.status_code, answer.json()["error"]) == (status, word)


async def test_who_has_no_token_or_one_of_another_kind_is_turned_away() -> None:
    async with caller() as call:
        nobody = await call.http.get("/data/v2/accounts")
        app = await call.http.get("/data/v2/accounts", headers=await call.app_token("accounts:read"))
        narrow = await call.http.get("/data/v2/accounts", headers=await call.user_token("person-1", "transactions:read"))
        own = await call.http.get("/data/v2/accounts", headers=await call.user_token("person-1"))

    assert [each.status_code for each in (nobody, app, narrow, own)] == [401, 401, 403, 200]


async def test_a_person_sees_and_ends_only_what_they_agreed_to() -> None:
    async with caller() as call:
        consent = next(iter(call.here.tink.consents))
        other = await call.user_token("person-2", f"{READ},credentials:write")
        accounts = await call.http.get("/data/v2/accounts", headers=other)
        consents = await call.http.get("/api/v1/provider-consents", headers=other)
        deleted = await call.http.delete(f"/api/v1/credentials/{consent}", headers=other)

    assert accounts.json()["accounts"] == []
    assert consents.json() == {"providerConsents": []}
    assert deleted.status_code == 404
    assert list(call.here.tink.consents) == [consent]


async def test_a_page_token_is_of_one_person_and_one_question() -> None:
    async with caller(page_size=5) as call:
        own, other = await call.user_token("person-1"), await call.user_token("person-2")
        account = next(iter(call.here.bank.accounts))
        first = await call.http.get(TRANSACTIONS, params={"accountIdIn": account}, headers=own)
        token = first.json()["nextPageToken"]
        same = await call.http.get(TRANSACTIONS, params={"accountIdIn": account, "pageToken": token}, headers=own)
        changed = await call.http.get(TRANSACTIONS, params={"pageToken": token}, headers=own)
        stolen = await call.http.get(TRANSACTIONS, params={"accountIdIn": account, "pageToken": token}, headers=other)

    assert [each.status_code for each in (first, same, changed, stolen)] == [200, 200, 400, 400]
    assert not {row["id"] for row in first.json()["transactions"]} & {row["id"] for row in same.json()["transactions"]}


async def test_without_a_last_day_there_is_nothing_after_today() -> None:
    async with caller() as call:
        ahead = call.here.bank.buy(on=call.here.bank.today.replace(day=25))
        headers = await call.user_token("person-1")
        today = await call.http.get(TRANSACTIONS, headers=headers)
        later = await call.http.get(TRANSACTIONS, params={"bookedDateLte": "2026-11-25"}, headers=headers)

    assert ahead.id not in {row["id"] for row in today.json()["transactions"]}
    assert ahead.id in {row["id"] for row in later.json()["transactions"]}


async def test_only_tink_link_is_let_act_for_a_person() -> None:
    async with caller() as call:
        form = {"external_user_id": "person-1", "actor_client_id": "somebody", "id_hint": "Florin", "scope": "credentials:write"}
        somebody = await call.http.post(f"{GRANT}/delegate", data=form, headers=await call.app_token())
        unnamed = await call.http.post(
            f"{GRANT}/delegate", data=form | {"actor_client_id": LINK_CLIENT, "id_hint": ""}, headers=await call.app_token()
        )
        unknown = await call.http.post(
            f"{GRANT}/delegate", data=form | {"actor_client_id": LINK_CLIENT, "external_user_id": "nobody"}, headers=await call.app_token()
        )

    assert [each.status_code for each in (somebody, unnamed, unknown)] == [400, 400, 404]


async def test_what_stands_in_the_address_of_the_page_is_no_part_of_the_page() -> None:
    async with caller() as call:
        query = {"client_id": "<script>alert(1)</script>", "redirect_uri": REDIRECT, "state": '"><script>'}
        page = await call.http.get("/1.0/transactions/connect-accounts", params=query)
        nowhere = await call.http.get("/1.0/transactions/connect-accounts", params=query | {"redirect_uri": "javascript:alert(1)"})

    assert page.status_code == 200
    assert "<script>" not in page.text
    assert nowhere.status_code == 400
