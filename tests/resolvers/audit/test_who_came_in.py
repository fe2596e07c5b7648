"""Signing up, in and out as the trail tells of them; strangers learn nothing by it."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update

from app.operator import open_session
from app.settings import Settings
from db.base import jobs_table
from db.engines import Origin, Viewer
from db.errors import DatabaseUnavailable
from db.user.models import users
from domains.core.audit import RECORD
from domains.flows import sign_in as flow
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.domains.audit.trail import told
from tests.resolvers.api import Client
from tests.resolvers.auth.test_sign_in import PASSWORD, SIGN_OUT, sign_in, sign_up, somebody

LAPTOP = Origin("api", "203.0.113.5", "Laptop/3", "request-3")


async def viewer_of(services: Services, email: str) -> Viewer:
    async with services.db.system("user") as session:
        return Viewer((await session.execute(select(users.c.id).where(users.c.email == email))).scalar_one())


async def from_laptop(services: Services, email: str, password: str) -> Any:
    return await flow.sign_in(services, email, password, LAPTOP.address, LAPTOP)


async def test_an_account_from_its_first_day(nobody: Client, services: Services) -> None:
    email = somebody()
    await flow.sign_up(services, flow.SignUp(email, PASSWORD), LAPTOP)
    with pytest.raises(flow.SignInFailed):
        await from_laptop(services, email, "wrong")
    opened = await from_laptop(services, email, PASSWORD)
    viewer = await viewer_of(services, email)
    out = nobody.but(viewer=viewer, token=opened.access_token)
    ended = [(await out.data(SIGN_OUT))["signOut"]["signedOut"] for _ in range(2)]

    where = {"service_name": "api", "ip_address": "203.0.113.5", "user_agent": "Laptop/3", "request_id": "request-3"}
    assert ended == [True, False]
    assert await told(services, viewer) == [
        {"action": "USER_REGISTERED", **where},
        {"action": "USER_LOGIN_FAILED", **where},
        {"action": "USER_LOGIN", **where},
        {"action": "USER_LOGOUT", "service_name": "worker"},
    ]


async def test_signing_up_again_leaves_nothing_anywhere(nobody: Client, services: Services) -> None:
    email = somebody()
    await sign_up(nobody, email=email)
    viewer = await viewer_of(services, email)
    counted = text(
        "select (select count(*) from user_schema.users), (select count(*) from user_schema.user_keys),"
        " (select count(*) from user_schema.jobs)"
    )
    before = await told(services, viewer)
    async with services.db.system("user") as session:
        rows = (await session.execute(counted)).one()

    await sign_up(nobody, email=email, password="another good password")

    async with services.db.system("user") as session:
        assert (await session.execute(counted)).one() == rows
    assert await told(services, viewer) == before
    assert [entry["action"] for entry in before] == ["USER_REGISTERED"]


async def test_an_account_that_is_closed_tells_its_owner_who_tried(services: Services, make_user: MakeUser) -> None:
    email = somebody()
    viewer = await make_user(email=email, password=PASSWORD)
    async with services.db.system("user") as session:
        await session.execute(update(users).where(users.c.id == viewer.user_id).values(status="suspended"))

    with pytest.raises(flow.SignInFailed):
        await from_laptop(services, email, PASSWORD)

    assert [entry["action"] for entry in await told(services, viewer)] == ["USER_LOGIN_FAILED"]


async def test_a_failure_takes_the_same_statements_whether_or_not_there_is_an_account(
    nobody: Client, services: Services, make_user: MakeUser
) -> None:
    """A row is written either way; a stranger's is done when it is written, and nobody's."""
    known, unknown = somebody(), somebody()
    viewer = await make_user(email=known, password=PASSWORD)
    jobs = jobs_table("user")

    async def left(user_id: Any) -> list[str]:
        async with services.db.system("user") as session:
            mine = select(jobs.c.state).where(jobs.c.topic == RECORD, jobs.c.user_id.is_not_distinct_from(user_id))
            return list((await session.execute(mine)).scalars())

    before = len(await left(None))
    answers = [await sign_in(nobody, email, "wrong") for email in (known, unknown)]

    assert answers[0] == answers[1]
    assert await left(viewer.user_id) == ["queued"]
    assert (await left(None))[before:] == ["done"]


async def test_whoever_signs_out_is_out_without_a_database(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = somebody()
    viewer = await make_user(email=email, password=PASSWORD)
    opened = await flow.sign_in(services, email, PASSWORD, None)

    async def away(*_: Any, **__: Any) -> Any:
        raise DatabaseUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(flow, "open_trail", away)
        assert await flow.sign_out(services, viewer, opened.access_token) is True
    assert await flow.sign_out(services, viewer, opened.access_token) is False


async def test_the_operators_way_in_is_told_to_its_user(services: Services, settings: Settings, make_user: MakeUser) -> None:
    email = f"{uuid4()}@example.com"
    viewer = await make_user(email=email)

    assert await open_session(settings, email)

    [entry] = await told(services, viewer)
    assert entry == {"action": "OPERATOR_SESSION_OPENED", "service_name": "cli"}
