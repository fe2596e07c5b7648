"""Everybody has the default rules: once, also after deleting one, also who signed up long ago."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from db import jobs
from db.base import jobs_table
from db.engines import Db, Viewer
from db.jobs import JobRef
from db.notification.models import notification_rules
from db.user.models import users
from db.user.queries import list_users
from domains.flows import default_rules as flow
from domains.flows.services import Services
from domains.flows.sign_in import SignUp, open_session_for, sign_up
from domains.notification import defaults
from domains.notification.service.change_rules import GIVE_DEFAULTS, delete_rule, give_default_rules, request_defaults
from tests.conftest import MakeUser
from workers.runner import JobRunner
from workers.task import load_tasks

PASSWORD = "a good long password"


def stranger(**said: Any) -> SignUp:
    return SignUp(email=f"{uuid4()}@example.com", password=PASSWORD, **said)


async def user_of(db: Db, email: str) -> UUID:
    async with db.system("user") as session:
        return (await session.execute(select(users.c.id).where(users.c.email == email))).scalar_one()


async def asked_for(db: Db, user_id: UUID, domain: str) -> list[Any]:
    table = jobs_table(domain)
    async with db.system(domain) as session:
        return list((await session.execute(select(table).where(table.c.topic == GIVE_DEFAULTS, table.c.key == str(user_id)))).all())


async def run(services: Services, domain: str, row: Any) -> str:
    await JobRunner(services, load_tasks()).run(JobRef(domain, row.id, row.lease_token), GIVE_DEFAULTS)
    [after] = [each for each in await asked_for(services.db, row.user_id, domain) if each.id == row.id]
    return str(after.state)


async def rules_of(db: Db, user_id: UUID) -> list[Any]:
    rows = notification_rules
    async with db.system("notification") as session:
        return list((await session.execute(select(rows).where(rows.c.user_id == user_id).order_by(rows.c.default_key))).all())


async def test_whoever_signs_up_is_given_the_defaults_by_a_job_of_that_transaction(services: Services) -> None:
    command = stranger(locale="de-DE", currency="JPY", timezone="Asia/Tokyo")
    await sign_up(services, command)
    user_id = await user_of(services.db, command.email)
    [job] = await asked_for(services.db, user_id, "user")

    state = await run(services, "user", job)

    assert (job.state, job.user_id, job.payload, state) == ("queued", user_id, {}, "done")
    assert [
        (row.default_key, row.name, row.rule_type, row.conditions, row.channels, row.enabled)
        for row in await rules_of(services.db, user_id)
    ] == [
        ("budget_threshold", "Budgets", "budget_threshold", {}, ["in_app"], True),
        ("large_transaction", "Große Umsätze", "large_transaction", {"amount_threshold": "50000", "currency": "JPY"}, ["in_app"], True),
    ]


async def test_an_address_that_is_taken_leaves_no_account_and_no_job(services: Services) -> None:
    command = stranger()
    table = jobs_table("user")
    await sign_up(services, command)
    async with services.db.system("user") as session:
        before = (await session.execute(select(func.count()).select_from(table))).scalar_one()

    await sign_up(services, replace(command, password="another good password"))

    async with services.db.system("user") as session:
        after = (await session.execute(select(func.count()).select_from(table))).scalar_one()
        held = (await session.execute(select(func.count()).select_from(users).where(users.c.email == command.email))).scalar_one()
    assert (held, after) == (1, before)
    assert (await open_session_for(services, command.email)).access_token


async def test_a_default_that_was_deleted_or_changed_stays_so(db: Db, make_user: MakeUser) -> None:
    viewer = await make_user()
    async with db.write("notification", viewer) as session:
        first = await give_default_rules(session)
    budgets, large = await rules_of(db, viewer.user_id)
    async with db.write("notification", viewer) as session:
        await delete_rule(session, budgets.id)
        await session.execute(update(notification_rules).where(notification_rules.c.id == large.id).values(name="Mine", enabled=False))

    async with db.write("notification", viewer) as session:
        second = await give_default_rules(session)

    after = await rules_of(db, viewer.user_id)
    assert (first, second) == (2, 0)
    assert [row.id for row in after] == [budgets.id, large.id]
    assert (after[0].deleted_at is None, after[1].name, after[1].enabled) == (False, "Mine", False)


async def test_a_default_of_a_later_release_reaches_those_who_have_the_others(
    db: Db, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = await make_user(), await make_user()
    for viewer in (old, new):
        async with db.write("notification", viewer) as session:
            await give_default_rules(session)
    monkeypatch.setattr(defaults, "KEYS", (*defaults.KEYS, "insight"))

    async with db.system("notification") as session:
        requested = await request_defaults(session, [old.user_id])

    assert requested == 1
    assert [job.state for job in await asked_for(db, old.user_id, "notification")] == ["queued"]
    assert await asked_for(db, new.user_id, "notification") == []
    await drop_jobs(db, old)


async def drop_jobs(db: Db, *viewers: Viewer) -> None:
    """Out of sight of every later worker."""
    table = jobs_table("notification")
    async with db.system("notification") as session:
        await session.execute(update(table).where(table.c.user_id.in_([each.user_id for each in viewers])).values(state=jobs.DONE))


async def test_who_signed_up_earlier_is_found_a_batch_at_a_time_and_asked_for_once(
    services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, early = services.db, [await make_user() for _ in range(5)]
    given = await make_user()
    async with db.write("notification", given) as session:
        await give_default_rules(session)
    monkeypatch.setattr(flow, "BATCH", 2)

    await flow.request_missing_defaults(services)
    again = await flow.request_missing_defaults(services)

    asked = [await asked_for(db, viewer.user_id, "notification") for viewer in early]
    assert [[job.state for job in each] for each in asked] == [["queued"]] * 5
    assert await asked_for(db, given.user_id, "notification") == []
    assert again == 0

    assert [await run(services, "notification", job) for [job] in asked] == ["done"] * 5
    assert [len(await rules_of(db, viewer.user_id)) for viewer in early] == [2] * 5
    await end(services)


async def end(services: Services) -> None:
    """What the other tests' users were asked for is nobody's work here."""
    table = jobs_table("notification")
    async with services.db.system("notification") as session:
        await session.execute(update(table).where(table.c.topic == GIVE_DEFAULTS, table.c.state == jobs.QUEUED).values(state=jobs.DONE))


async def test_whoever_is_deleted_is_not_looked_for(services: Services, make_user: MakeUser) -> None:
    gone = await make_user()
    async with services.db.system("user") as session:
        await session.execute(update(users).where(users.c.id == gone.user_id).values(status="deleted", deleted_at=func.now()))

    await flow.request_missing_defaults(services)

    assert await asked_for(services.db, gone.user_id, "notification") == []
    await end(services)


async def test_a_run_that_is_stopped_between_rules_and_job_ends_in_the_same_rows(services: Services) -> None:
    command = stranger()
    await sign_up(services, command)
    user_id = await user_of(services.db, command.email)
    [job] = await asked_for(services.db, user_id, "user")
    async with services.db.write("notification", Viewer(user_id)) as session:
        await give_default_rules(session)
    stopped_at = await rules_of(services.db, user_id)

    state = await run(services, "user", job)

    assert state == "done"
    assert await rules_of(services.db, user_id) == stopped_at


async def test_users_are_listed_in_the_order_of_their_ids(db: Db, make_user: MakeUser) -> None:
    made = {(await make_user()).user_id for _ in range(3)}
    seen: list[UUID] = []
    after: UUID | None = None
    async with db.system("user") as session:
        while batch := await list_users(session, after, limit=7):
            seen += batch
            after = batch[-1]

    assert seen == sorted(seen)
    assert made <= set(seen)
    assert len(set(seen)) == len(seen)
