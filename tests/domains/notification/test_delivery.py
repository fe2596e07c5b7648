"""Writing notifications once, and keeping book of their delivery."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from db.engines import Db, Viewer
from db.notification.models import notifications
from domains.notification.service.add_notifications import NewNotification, add_notifications
from domains.notification.service.record_delivery import (
    Failed,
    cancel_notification,
    record_delivered,
    record_failed,
    record_sent,
    retry_due,
)
from tests.conftest import MakeUser

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def notice(**changes: Any) -> NewNotification:
    given: dict[str, Any] = {"type": "budget_alert", "channel": "telegram", "message": "80 %"}
    return NewNotification(**{**given, **changes})


async def add(db: Db, viewer: Viewer, *given: NewNotification) -> list[UUID]:
    async with db.write("notification", viewer) as session:
        return await add_notifications(session, given)


async def rows(db: Db, viewer: Viewer) -> list[Any]:
    async with db.write("notification", viewer) as session:
        return list((await session.execute(select(notifications).order_by(notifications.c.created_at, notifications.c.channel))).all())


async def one(db: Db, viewer: Viewer) -> Any:
    [row] = await rows(db, viewer)
    return row


async def test_an_event_is_answered_once_per_type_and_channel(db: Db, make_user: MakeUser) -> None:
    viewer, event = await make_user(), uuid4()
    first = notice(correlation_id=event)

    new = await add(db, viewer, first, first, notice(correlation_id=event, channel="in_app"))
    again = await add(db, viewer, notice(correlation_id=event, message="other words"), notice(correlation_id=event, type="insight"))

    assert (len(new), len(again)) == (2, 1)
    assert sorted((row.type, row.channel, row.message) for row in await rows(db, viewer)) == [
        ("budget_alert", "in_app", "80 %"),
        ("budget_alert", "telegram", "80 %"),
        ("insight", "telegram", "80 %"),
    ]


async def test_two_people_are_told_of_one_event(db: Db, make_user: MakeUser) -> None:
    event = uuid4()

    told = [await add(db, await make_user(), notice(correlation_id=event)) for _ in range(2)]

    assert [len(each) for each in told] == [1, 1]


async def test_what_answers_no_event_may_be_said_again(db: Db, make_user: MakeUser) -> None:
    viewer = await make_user()

    new = await add(db, viewer, notice(), notice())

    assert len(new) == len(await rows(db, viewer)) == 2


async def test_many_writers_of_the_same_events_write_each_once(db: Db, make_user: MakeUser) -> None:
    viewer = await make_user()
    given = [notice(correlation_id=uuid4(), channel=channel) for channel in ("telegram", "in_app") for _ in range(10)]

    told = await asyncio.gather(*(add(db, viewer, *(given if number % 2 else reversed(given))) for number in range(6)))

    assert sorted(each for new in told for each in new) == sorted(row.id for row in await rows(db, viewer))
    assert len(await rows(db, viewer)) == 20


async def test_a_writer_that_dies_before_its_commit_leaves_the_event_to_the_next(db: Db, make_user: MakeUser) -> None:
    viewer, event = await make_user(), uuid4()

    with pytest.raises(ZeroDivisionError):
        async with db.write("notification", viewer) as session:
            assert len(await add_notifications(session, [notice(correlation_id=event)])) == 1
            raise ZeroDivisionError
    new = await add(db, viewer, notice(correlation_id=event))

    assert new == [row.id for row in await rows(db, viewer)]


async def test_adding_nothing_adds_nothing(db: Db, make_user: MakeUser) -> None:
    assert await add(db, await make_user()) == []


async def test_a_delivery_is_recorded_once(db: Db, make_user: MakeUser) -> None:
    viewer = await make_user()
    [only] = await add(db, viewer, notice())

    async with db.write("notification", viewer) as session:
        early = await record_delivered(session, only, AT)
        sent = [await record_sent(session, only, AT + n * MINUTE) for n in range(2)]
        delivered = [await record_delivered(session, only, AT + n * MINUTE) for n in (1, 2)]
        failed = await record_failed(session, only, "CHANNEL_UNAVAILABLE", AT)
        cancelled = await cancel_notification(session, only)

    row = await one(db, viewer)
    assert (early, sent, delivered, failed, cancelled) == (False, [True, False], [True, True], Failed(is_recorded=False), False)
    assert (row.status, row.sent_at, row.delivered_at, row.error_message) == ("sent", AT, AT + MINUTE, None)


async def test_a_failure_is_tried_again_until_it_has_been_often_enough(db: Db, make_user: MakeUser) -> None:
    viewer = await make_user()
    [only] = await add(db, viewer, notice(max_retries=2))
    waits = []

    for at in (AT, AT + 10 * MINUTE, AT + 20 * MINUTE):
        async with db.write("notification", viewer) as session:
            failed = await record_failed(session, only, "CHANNEL_UNAVAILABLE", at, draw=0.0)
            again = await record_failed(session, only, "CHANNEL_UNAVAILABLE", at, draw=0.0)
            early = await retry_due(session, at)
            due = await retry_due(session, at + 9 * MINUTE)
        waits.append((failed.is_recorded, failed.next_retry_at and failed.next_retry_at - at, again.is_recorded, early, due))

    row = await one(db, viewer)
    assert waits == [(True, MINUTE / 2, False, [], [only]), (True, 2 * MINUTE, False, [], [only]), (True, None, False, [], [])]
    assert (row.status, row.error_message, row.retry_count, row.next_retry_at) == ("failed", "CHANNEL_UNAVAILABLE", 2, None)


async def test_what_waits_again_is_sent_like_the_first_time(db: Db, make_user: MakeUser) -> None:
    viewer = await make_user()
    [only] = await add(db, viewer, notice())

    async with db.write("notification", viewer) as session:
        await record_failed(session, only, "CHANNEL_UNAVAILABLE", AT)
        refused = await record_sent(session, only, AT)
        await retry_due(session, AT + 60 * MINUTE)
        sent = await record_sent(session, only, AT + 61 * MINUTE)

    row = await one(db, viewer)
    assert (refused, sent) == (False, True)
    assert (row.status, row.sent_at, row.error_message, row.retry_count) == ("sent", AT + 61 * MINUTE, None, 1)


async def test_a_failure_that_cannot_be_helped_is_not_tried_again(db: Db, make_user: MakeUser) -> None:
    viewer = await make_user()
    [only] = await add(db, viewer, notice())

    async with db.write("notification", viewer) as session:
        failed = await record_failed(session, only, "CHAT_GONE", AT, is_final=True)
        due = await retry_due(session, AT + timedelta(days=1))
        cancelled = await cancel_notification(session, only)

    assert (failed, due, cancelled) == (Failed(is_recorded=True), [], True)
    assert (await one(db, viewer)).status == "cancelled"


async def test_a_failure_with_a_providers_words_is_not_recorded(db: Db, make_user: MakeUser) -> None:
    viewer = await make_user()
    [only] = await add(db, viewer, notice())

    with pytest.raises(ValueError, match="code"):
        async with db.write("notification", viewer) as session:
            await record_failed(session, only, "chat 4711 of anna@example.com not found", AT)

    assert (await one(db, viewer)).status == "pending"


async def test_somebody_elses_delivery_is_out_of_reach(db: Db, make_user: MakeUser) -> None:
    anna, ben = await make_user(), await make_user()
    [only] = await add(db, anna, notice())

    async with db.write("notification", ben) as session:
        answers = [
            await record_sent(session, only, AT),
            await record_delivered(session, only, AT),
            await record_failed(session, only, "CHANNEL_UNAVAILABLE", AT),
            await cancel_notification(session, only),
            await retry_due(session, AT),
        ]

    assert answers == [False, False, Failed(is_recorded=False), False, []]
    assert (await one(db, anna)).status == "pending"


async def test_those_due_are_retried_by_one_of_two_at_once(db: Db, make_user: MakeUser) -> None:
    viewer = await make_user()
    ids = await add(db, viewer, *(notice() for _ in range(10)))
    async with db.write("notification", viewer) as session:
        for each in ids:
            await record_failed(session, each, "CHANNEL_UNAVAILABLE", AT)

    async def retry() -> list[UUID]:
        async with db.write("notification", viewer) as session:
            return await retry_due(session, AT + 60 * MINUTE)

    first, second = await asyncio.gather(retry(), retry())

    assert sorted([*first, *second]) == sorted(ids)
    assert {row.retry_count for row in await rows(db, viewer)} == {1}
