"""What the tables of notifications refuse, and the counts of delivery, which are a fold."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from db.engines import Db
from db.notification.queries.notices import fold_stats
from db.notification.reference.templates import TEMPLATES
from tests.db.samples import insert, login, sample_rows, superuser
from tests.servers.suite import Servers

#: Days that no other test writes on.
DAY = date(2021, 3, 1)
NOON = datetime(2021, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def row(servers: Servers) -> AsyncIterator[Any]:
    """A connection of the superuser, whose rows are rolled back."""
    async with login(servers.superuser_dsn) as connection:
        yield connection


def notification(user_id: UUID | None = None, **values: Any) -> dict[str, Any]:
    sample = sample_rows(user_id or uuid4())["notification_schema.notifications"]
    return sample | {"id": uuid4()} | values


def rule(**values: Any) -> dict[str, Any]:
    return sample_rows(uuid4())["notification_schema.notification_rules"] | values


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "alarm"},
        {"channel": "fax"},
        {"status": "delivered"},
        {"priority": "highest"},
        {"max_retries": -1},
        {"retry_count": 4},
        {"retry_count": -1},
        {"status": "sent"},
        {"sent_at": NOON},
        {"delivered_at": NOON},
        {"next_retry_at": NOON},
        {"status": "failed"},
        {"data": "[]"},
    ],
)
async def test_a_notification_that_contradicts_itself_is_refused(row: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(row, "notification_schema.notifications", notification(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"rule_type": "else"},
        {"max_frequency": "yearly"},
        {"priority": "highest"},
        {"trigger_count": -1},
        {"conditions": "[]"},
        {"channels": []},
        {"channels": ["in_app", "fax"]},
        {"channels": ["push"] * 5},
    ],
)
async def test_a_rule_outside_its_sets_is_refused(row: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(row, "notification_schema.notification_rules", rule(**changes))


@pytest.mark.parametrize("column", ["status", "priority", "data", "retry_count", "max_retries"])
async def test_what_has_a_default_cannot_be_null(row: Any, column: str) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        await insert(row, "notification_schema.notifications", notification(**{column: None}))


async def test_an_event_is_answered_once_and_no_event_is_none(row: Any) -> None:
    user, event = uuid4(), uuid4()
    for changes in ({}, {}, {"correlation_id": event}, {"correlation_id": event, "channel": "push"}):
        await insert(row, "notification_schema.notifications", notification(user, **changes))
    await insert(row, "notification_schema.notifications", notification(correlation_id=event))

    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(row, "notification_schema.notifications", notification(user, correlation_id=event))


async def test_a_default_is_given_once_also_after_it_was_deleted(row: Any) -> None:
    first = rule(default_key="large_transaction", deleted_at=NOON)
    await insert(row, "notification_schema.notification_rules", first)

    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(row, "notification_schema.notification_rules", first | {"id": uuid4(), "deleted_at": None})


async def test_the_templates_are_loaded_whole(row: Any) -> None:
    stored = await row.fetch(
        "select template_key, channel, subject_template, body_template, array(select jsonb_array_elements_text(variables)) as variables,"
        " locale, is_active from notification_schema.notification_templates"
    )

    assert sorted((*tuple(each)[:4], tuple(each["variables"]), each["locale"]) for each in stored) == sorted(map(tuple, TEMPLATES))
    assert all(each["is_active"] for each in stored)


async def test_the_application_changes_no_word_and_no_count(servers: Servers) -> None:
    for role_dsn in (servers.dsns.app, servers.dsns.system):
        async with login(role_dsn) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("update notification_schema.notification_templates set body_template = 'x'")
    async with login(servers.dsns.app, uuid4()) as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("select * from notification_schema.notification_stats")


async def test_what_was_said_stays_as_it_was_said(servers: Servers) -> None:
    for column in ("message", "title", "data", "correlation_id", "type", "channel", "created_at", "expires_at"):
        async with login(servers.dsns.app, uuid4()) as app:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(f"update notification_schema.notifications set {column} = {column}")


@pytest.fixture
async def counted(servers: Servers) -> AsyncIterator[Any]:
    """A connection whose rows of those days are gone afterwards, and so are the counts of them."""
    async with superuser(servers.databases["notification"]) as connection:
        yield connection
        await connection.execute("delete from notification_schema.notifications where created_at < '2022-01-01'")
        await connection.execute("delete from notification_schema.notification_stats where date < '2022-01-01'")


COUNTS = """
    select date, channel, type, sent_count, delivered_count, failed_count, read_count, avg_delivery_time_ms
    from notification_schema.notification_stats where date < '2022-01-01' order by date, channel, type
"""


async def fold(db: Db, since: date = DAY) -> None:
    async with db.system("notification") as session:
        await fold_stats(session, since)


async def test_the_counts_are_what_the_notifications_say(db: Db, counted: Any) -> None:
    sent = {"status": "sent", "sent_at": NOON, "created_at": NOON}
    midnight = datetime(2021, 3, 2, tzinfo=UTC)
    for given in (
        {**sent, "delivered_at": NOON + timedelta(seconds=1), "read_at": NOON},
        {**sent, "delivered_at": NOON + timedelta(seconds=2)},
        sent,
        {"created_at": NOON},
        {"created_at": NOON, "status": "failed", "error_message": "CODE"},
        {"created_at": NOON, "channel": "email", "status": "cancelled"},
        {"created_at": midnight, "read_at": midnight},
        {"created_at": midnight - timedelta(microseconds=1), "type": "insight"},
    ):
        await insert(counted, "notification_schema.notifications", notification(**given))

    await fold(db)

    assert [tuple(each) for each in await counted.fetch(COUNTS)] == [
        (DAY, "email", "budget_alert", 0, 0, 0, 0, None),
        (DAY, "in_app", "budget_alert", 3, 2, 1, 1, 1500),
        (DAY, "in_app", "insight", 0, 0, 0, 0, None),
        (DAY + timedelta(days=1), "in_app", "budget_alert", 0, 0, 0, 1, None),
    ]


async def test_a_delivery_may_take_longer_than_the_column_holds(db: Db, counted: Any) -> None:
    sent = {"status": "sent", "sent_at": NOON, "created_at": NOON}
    await insert(counted, "notification_schema.notifications", notification(**sent, delivered_at=NOON + timedelta(days=60)))
    await insert(counted, "notification_schema.notifications", notification(**sent, channel="push", delivered_at=NOON - timedelta(days=1)))

    await fold(db)

    assert [(each["channel"], each["delivered_count"], each["avg_delivery_time_ms"]) for each in await counted.fetch(COUNTS)] == [
        ("in_app", 1, 2**31 - 1),
        ("push", 1, None),
    ]


async def test_the_counts_follow_what_happens_later_and_what_goes(db: Db, counted: Any) -> None:
    one, other = notification(created_at=NOON), notification(created_at=NOON, channel="push")
    for given in (one, other):
        await insert(counted, "notification_schema.notifications", given)
    await fold(db)

    await counted.execute("update notification_schema.notifications set read_at = now() where id = $1", one["id"])
    await counted.execute("delete from notification_schema.notifications where id = $1", other["id"])
    await fold(db)

    assert [tuple(each) for each in await counted.fetch(COUNTS)] == [(DAY, "in_app", "budget_alert", 0, 0, 0, 1, None)]


async def test_days_before_the_first_one_stay_as_they_were_counted(db: Db, counted: Any) -> None:
    await insert(counted, "notification_schema.notifications", notification(created_at=NOON, read_at=NOON))
    await fold(db)
    await counted.execute("delete from notification_schema.notifications where created_at = $1", NOON)

    await fold(db, DAY + timedelta(days=1))

    assert [tuple(each) for each in await counted.fetch(COUNTS)] == [(DAY, "in_app", "budget_alert", 0, 0, 0, 1, None)]


async def test_counting_again_writes_nothing(db: Db, counted: Any) -> None:
    await insert(counted, "notification_schema.notifications", notification(created_at=NOON))
    await fold(db)

    before = await counted.fetch("select xmin, id from notification_schema.notification_stats where date = $1", DAY)
    await fold(db)

    assert await counted.fetch("select xmin, id from notification_schema.notification_stats where date = $1", DAY) == before
    assert len(before) == 1
