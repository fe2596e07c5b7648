"""Tokens run out at any moment, and nobody notices."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from domains.bank.providers.errors import ProviderGarbled, ProviderRefused, ReauthenticationRequired
from domains.bank.providers.protocol import Credentials, Reached
from domains.bank.providers.tink import tokens
from domains.bank.providers.tink.tokens import token_text, word_of
from domains.bank.providers.wire import Answer
from tests.domains.bank.tink.world import NOW, Told, World, ledger_at, ledger_of, world

HOUR = timedelta(hours=1)


class Stopped(Exception):
    """Whoever keeps credentials could not keep them."""


@dataclass
class Failing(Told):
    """A listener that cannot store what it is told."""

    refused: list[Credentials] = field(default_factory=list)

    async def credentials_changed(self, credentials: Credentials) -> None:
        self.refused.append(credentials)
        raise Stopped


async def test_a_token_that_is_good_is_not_renewed() -> None:
    async with world() as here:
        await here.fetch(await here.reach())

    assert here.told.credentials == []
    assert here.tink.authority.given == {"client_credentials": 1, "authorization_code": 1}


async def test_a_token_that_has_run_out_is_refreshed_before_anything_is_asked() -> None:
    async with world() as here:
        reached = await here.reach()
        here.clock.at += HOUR
        fetched, after = await here.settle(reached)

    assert ledger_of(fetched) == ledger_at(here.bank)
    assert here.told.credentials == [after.credentials]
    assert after.credentials.access_token != reached.credentials.access_token
    assert after.credentials.refresh_token not in (None, reached.credentials.refresh_token)
    assert after.credentials.expires_at == NOW + HOUR + timedelta(seconds=1800)
    assert here.tink.authority.given["refresh_token"] == 1


async def test_a_token_that_is_about_to_run_out_is_refreshed() -> None:
    async with world() as here:
        reached = await here.reach()
        here.clock.at += timedelta(seconds=1741)
        await here.fetch(reached)

    assert here.tink.authority.given["refresh_token"] == 1


async def test_where_refresh_tokens_stay_the_old_one_is_kept() -> None:
    async with world(rotates=False) as here:
        reached = await here.reach()
        for _ in range(3):
            here.clock.at += HOUR
            _, reached = await here.settle(reached)

    assert len(here.told.credentials) == 3
    assert here.tink.authority.given["authorization_code"] == 1


async def test_credentials_that_are_new_are_kept_before_they_are_used() -> None:
    async with world() as here:
        reached, keeper = await here.reach(), Failing()
        here.clock.at += HOUR

        with pytest.raises(Stopped):
            await here.provider.fetch(reached, keeper, here.bank.today)

    assert len(keeper.refused) == 1
    assert keeper.pages == []
    assert here.tink.asked[-1] == "POST /api/v1/oauth/token"


@pytest.mark.parametrize("requests", range(1, 9))
@pytest.mark.parametrize("rotates", [True, False])
async def test_a_token_that_runs_out_in_the_middle_is_refreshed_there(requests: int, rotates: bool) -> None:
    async with world(page_size=20, rotates=rotates) as here:
        reached = await here.reach()
        here.tink.authority.requests_per_token = requests
        reached = replace(reached, credentials=await some_credentials(here))
        fetched, after = await here.settle(reached)

    assert ledger_of(fetched) == ledger_at(here.bank)
    assert fetched.is_ready
    assert len(here.told.credentials) == here.tink.authority.given["refresh_token"] >= 1
    assert after.credentials == here.told.credentials[-1]


async def test_a_token_that_is_taken_back_in_the_middle_is_refreshed_there() -> None:
    async with world() as here:
        reached = await here.reach()
        here.tink.authority.expire_tokens()
        fetched = await here.fetch(reached)

    assert ledger_of(fetched) == ledger_at(here.bank)
    assert len(here.told.credentials) == 1


async def test_without_refresh_tokens_the_app_asks_for_the_person_anew() -> None:
    async with world(gives_refresh_tokens=False) as here:
        reached = await here.reach()
        here.clock.at += HOUR
        fetched, after = await here.settle(reached)

    assert reached.credentials.refresh_token is None
    assert ledger_of(fetched) == ledger_at(here.bank)
    assert here.told.credentials == [after.credentials]
    assert here.tink.authority.given == {"client_credentials": 2, "authorization_code": 2}


async def test_a_refresh_token_that_is_refused_is_no_loss_while_the_app_may_act_for_the_person() -> None:
    async with world() as here:
        reached = await here.reach()
        here.clock.at += HOUR
        here.tink.authority.forget_refresh_tokens()
        fetched, after = await here.settle(reached)

    assert ledger_of(fetched) == ledger_at(here.bank)
    assert here.told.credentials == [after.credentials]
    assert here.tink.authority.given == {"client_credentials": 2, "authorization_code": 2}


@pytest.mark.parametrize(("gives", "why"), [(True, "INVALID_GRANT"), (False, "USER_NOT_FOUND")])
async def test_a_person_whom_tink_has_forgotten_is_asked_again(gives: bool, why: str) -> None:
    async with world(gives_refresh_tokens=gives) as here:
        reached = await here.reach()
        here.tink.delete_user("person-1")

        with pytest.raises(ReauthenticationRequired, match=why):
            await here.fetch(reached)

    assert here.told.credentials == []


async def test_a_token_that_is_refused_though_it_is_new_is_refused_for_good() -> None:
    async with world() as here:
        reached = await here.reach()
        here.tink.authority.requests_per_token = 0
        here.tink.authority.expire_tokens()

        with pytest.raises(ReauthenticationRequired, match="ACCESS_REVOKED"):
            await here.fetch(reached)

    assert len(here.told.credentials) == 1


async def test_a_scope_that_the_app_has_not_is_the_operators_to_mend() -> None:
    async with world() as here:
        reached = await here.reach()
        credentials = await here.provider._tokens.for_user("person-1", "accounts:read")

        with pytest.raises(ProviderRefused, match="MISSING_SCOPE"):
            await here.fetch(replace(reached, credentials=credentials))


async def test_an_app_whose_secret_was_changed_is_the_operators_to_mend_and_no_persons() -> None:
    async with world() as here:
        reached = await here.reach()
        here.clock.at += HOUR
        here.tink.authority.client_id = "another"

        with pytest.raises(ProviderRefused, match="INVALID_CLIENT"):
            await here.fetch(reached)


async def test_the_apps_own_token_is_asked_for_once_and_again_when_it_runs_out_or_is_taken_back() -> None:
    async with world() as here:
        await here.begin()
        await here.begin()
        once = here.tink.authority.given["client_credentials"]
        here.clock.at += HOUR
        await here.begin()
        twice = here.tink.authority.given["client_credentials"]
        here.tink.authority.forget_client_tokens()
        await here.begin()

    assert (once, twice, here.tink.authority.given["client_credentials"]) == (1, 2, 3)


async def test_credentials_without_an_end_are_used_until_they_are_refused() -> None:
    async with world() as here:
        reached = await here.reach()
        await here.fetch(replace(reached, credentials=replace(reached.credentials, expires_at=None)))

    assert here.told.credentials == []


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"code": None},
        {"code": ""},
        {"code": 7},
        {"code": "a b"},
        {"code": "a\r\nX-Other: 1"},
        {"code": "ä"},
        {"code": "x" * 8_193},
    ],
)
def test_what_could_not_stand_in_a_header_is_no_token(body: object) -> None:
    with pytest.raises(ProviderGarbled, match="CODE"):
        token_text(body, "code")


@pytest.mark.parametrize("expires_in", [None, 0, -1, True, "soon", 10**12])
async def test_a_token_whose_end_cannot_be_meant_is_refused(expires_in: object, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as here:
        given = here.tink.authority.token
        monkeypatch.setattr(here.tink.authority, "token", lambda form: given(form) | {"expires_in": expires_in})

        with pytest.raises(ProviderGarbled, match="EXPIRES_IN"):
            await here.begin()


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"error": "invalid_grant"}, "INVALID_GRANT"),
        ({"errorCode": "oauth.invalid_grant", "errorMessage": "Somebody's name"}, "OAUTH.INVALID_GRANT"),
        ({"error": "Somebody's name is not welcome"}, "HTTP_400"),
        ({"error": {"code": 7}}, "HTTP_400"),
        ({"error": "x" * 100}, "HTTP_400"),
        ([], "HTTP_400"),
        (None, "HTTP_400"),
    ],
)
def test_of_a_refusal_only_a_term_is_kept(body: object, word: str) -> None:
    assert word_of(Answer(status=400, headers={}, body=body)) == word


def test_a_stored_token_can_read_and_nothing_else() -> None:
    assert all(scope.endswith(":read") for scope in tokens.READ_SCOPE.split(","))


async def test_no_token_is_in_what_is_shown_of_a_failure() -> None:
    async with world() as here:
        reached: Reached = await here.reach()
        here.tink.delete_user("person-1")
        with pytest.raises(ReauthenticationRequired) as raised:
            await here.fetch(reached)

    shown = f"{raised.value!r} {raised.value} {raised.value.__cause__!r} {raised.value.__context__!r}"
    assert reached.credentials.access_token not in shown
    assert (reached.credentials.refresh_token or "?") not in shown


async def some_credentials(here: World) -> Credentials:
    return await here.provider._tokens.for_user("person-1", tokens.READ_SCOPE)
