"""Signing up, in and out."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from db.auth import queries as sessions
from domains.flows.services import VIEWER, Services
from resolvers.execution.operation import Gateway
from tests.conftest import MakeUser
from tests.resolvers.api import Client, codes

SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { accepted errors { __typename code message field } } }"
SIGN_IN = """mutation($input: SignInInput!) {
  signIn(input: $input) { session { accessToken expiresAt refreshToken } errors { __typename code field } }
}"""
SIGN_OUT = "mutation { signOut { signedOut errors { code } } }"
PASSWORD = "a good long password"


def somebody() -> str:
    return f"{uuid4()}@example.com"


async def sign_up(client: Client, **said: Any) -> Any:
    return (await client.data(SIGN_UP, input={"password": PASSWORD, **said}))["signUp"]


async def sign_in(client: Client, email: str, password: str = PASSWORD) -> Any:
    return (await client.data(SIGN_IN, input={"email": email, "password": password}))["signIn"]


async def test_whoever_signs_up_can_sign_in_and_is_who_they_said(nobody: Client, services: Services) -> None:
    email = somebody()

    accepted = await sign_up(nobody, email=email, fullName="  Robin   Doe ", timezone="Europe/Paris", currency="EUR", locale="fr-FR")
    opened = await sign_in(nobody, email.upper())

    assert accepted == {"accepted": True, "errors": []}
    session = opened["session"]
    assert opened["errors"] == []
    assert session["refreshToken"] is None
    ends_in = datetime.fromisoformat(session["expiresAt"]) - datetime.now(UTC)
    assert timedelta(0) < ends_in <= timedelta(seconds=services.options.access_token_ttl_s)
    found = await sessions.authenticate(services.redis, session["accessToken"], VIEWER, 0)
    assert found is not None
    assert (found[0].timezone, found[0].currency, found[0].locale) == ("Europe/Paris", "EUR", "fr-FR")


async def test_signing_up_twice_answers_alike_and_changes_nothing(nobody: Client) -> None:
    email = somebody()
    first = await sign_up(nobody, email=email)

    second = await sign_up(nobody, email=email, password="another good password")

    assert second == first == {"accepted": True, "errors": []}
    assert (await sign_in(nobody, email))["session"] is not None
    assert (await sign_in(nobody, email, "another good password"))["session"] is None


async def test_what_cannot_be_signed_up_with_is_refused_by_name(nobody: Client) -> None:
    wrong: list[tuple[dict[str, str], str, str]] = [
        ({"email": "nowhere"}, "EmailInvalid", "email"),
        ({"password": "short"}, "PasswordTooWeak", "password"),
        ({"password": "qwertyuiop"}, "PasswordTooWeak", "password"),
        ({"fullName": "a\u0000b"}, "FullNameInvalid", "fullName"),
        ({"timezone": "Mars/Olympus"}, "TimeZoneInvalid", "timezone"),
        ({"locale": "French"}, "LocaleInvalid", "locale"),
    ]

    for said, type_name, field in wrong:
        email = somebody()
        payload = await sign_up(nobody, **{"email": email, **said})
        assert payload["accepted"] is False
        assert [(error["__typename"], error["field"]) for error in payload["errors"]] == [(type_name, field)]
        assert (await sign_in(nobody, email))["session"] is None


async def test_an_unknown_currency_is_no_value_of_the_schema(nobody: Client) -> None:
    answer = await nobody.ask(SIGN_UP, input={"email": somebody(), "password": PASSWORD, "currency": "XXX"})

    assert codes(answer) == ["BAD_USER_INPUT"]


async def test_every_refused_sign_in_answers_alike(nobody: Client, make_user: MakeUser) -> None:
    email = somebody()
    await make_user(email=email, password=PASSWORD)

    refused = [
        await sign_in(nobody, email, "the wrong password"),
        await sign_in(nobody, somebody()),
        await sign_in(nobody, "no address"),
        await sign_in(nobody, "a\u0000@example.com"),
        await sign_in(nobody, email, ""),
    ]

    assert all(each == refused[0] for each in refused)
    assert refused[0] == {"session": None, "errors": [{"__typename": "SignInFailed", "code": "SIGN_IN_FAILED", "field": None}]}


async def test_many_attempts_are_slowed_down_even_with_the_right_password(nobody: Client, make_user: MakeUser) -> None:
    email = somebody()
    await make_user(email=email, password=PASSWORD)

    for _ in range(10):
        await sign_in(nobody, email, "the wrong password")
    last = await sign_in(nobody, email)

    assert last["session"] is None
    assert [error["code"] for error in last["errors"]] == ["SIGN_IN_THROTTLED"]


async def test_a_client_without_an_ip_address_can_sign_in(nobody: Client, make_user: MakeUser) -> None:
    email = somebody()
    await make_user(email=email, password=PASSWORD)

    for address in ("local", "192.0.2.7", "2001:db8::"):
        assert (await sign_in(nobody.but(address=address), email))["session"] is not None


async def test_signing_out_ends_this_session_and_no_other(api: Gateway, services: Services, nobody: Client, make_user: MakeUser) -> None:
    email = somebody()
    robin = await make_user(email=email, password=PASSWORD)
    first, second = [(await sign_in(nobody, email))["session"]["accessToken"] for _ in range(2)]
    client = Client(api, services, robin, token=first)

    ended = await client.data(SIGN_OUT)
    again = await client.data(SIGN_OUT)

    assert ended == {"signOut": {"signedOut": True, "errors": []}}
    assert again == {"signOut": {"signedOut": False, "errors": []}}
    assert await sessions.authenticate(services.redis, first, VIEWER, 0) is None
    assert await sessions.authenticate(services.redis, second, VIEWER, 0) is not None


async def test_signed_out_there_is_nothing_to_sign_out_of(nobody: Client) -> None:
    answer = await nobody.ask(SIGN_OUT)

    assert answer["data"] is None
    assert codes(answer) == ["UNAUTHENTICATED"]
