"""What somebody was told: lists, counts, and what was read."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from domains.notification.service import mark_notifications
from domains.notification.service.add_notifications import add_notifications
from domains.notification.service.record_delivery import cancel_notification, record_delivered, record_failed, record_sent
from resolvers.ids import from_global_id
from tests.resolvers.api import Client, codes, gid
from tests.resolvers.conftest import MakeClient
from tests.resolvers.notification.notices import ERRORS, HOUR, LIST, NOW, messages, nobodys, notice, read_messages, tell, unread

ALL = """{ me { notifications { nodes {
  id type channel title message data status priority sentAt deliveredAt readAt errorMessage retryCount maxRetries nextRetryAt correlationId
  createdAt expiresAt
} } } }"""
MARK = """mutation($input: NotificationMark%sInput!) {
  notificationMark%s(input: $input) { notifications { message readAt } %s }
}"""
MARK_READ, MARK_UNREAD = (MARK % (name, name, ERRORS) for name in ("Read", "Unread"))
MARK_ALL = (
    f"mutation($input: NotificationMarkAllReadInput!) {{ notificationMarkAllRead(input: $input) {{ markedCount hasMore {ERRORS} }} }}"
)


async def mark_read(client: Client, *ids: str) -> Any:
    return (await client.data(MARK_READ, input={"ids": ids}))["notificationMarkRead"]


async def mark_unread(client: Client, *ids: str) -> Any:
    return (await client.data(MARK_UNREAD, input={"ids": ids}))["notificationMarkUnread"]


async def mark_all(client: Client, **said: Any) -> Any:
    return (await client.data(MARK_ALL, input=said))["notificationMarkAllRead"]


def missing(at: int) -> dict[str, Any]:
    said = {"__typename": "NotificationNotFound", "code": "NOTIFICATION_NOT_FOUND", "message": "There is no such notification."}
    return {"notifications": [], "errors": [said | {"field": f"ids.{at}"}]}


async def test_everything_that_is_stored_is_shown(make_client: MakeClient) -> None:
    client = await make_client()
    event, expires_at = uuid4(), NOW.replace(microsecond=0) + HOUR
    given = notice(
        "80 % of Food",
        title="Food",
        data={"budgetId": "b", "percent": 80, "of": [1, None]},
        correlation_id=event,
        priority="high",
        max_retries=5,
        expires_at=expires_at,
    )
    [only] = await tell(client.services, client.viewer, given)

    [shown] = (await client.data(ALL))["me"]["notifications"]["nodes"]

    assert shown.pop("createdAt") > NOW.isoformat()[:19]
    assert shown == {
        "id": only,
        "type": "BUDGET_ALERT",
        "channel": "IN_APP",
        "title": "Food",
        "message": "80 % of Food",
        "data": {"budgetId": "b", "percent": 80, "of": [1, None]},
        "status": "PENDING",
        "priority": "HIGH",
        "sentAt": None,
        "deliveredAt": None,
        "readAt": None,
        "errorMessage": None,
        "retryCount": 0,
        "maxRetries": 5,
        "nextRetryAt": None,
        "correlationId": str(event),
        "expiresAt": expires_at.isoformat().replace("+00:00", "Z"),
    }


async def test_a_page_goes_on_where_it_ended_in_both_orders(make_client: MakeClient) -> None:
    client = await make_client()
    await tell(client.services, client.viewer, *(notice(str(number)) for number in range(5)))

    for sort, expected in (("CREATED_DESC", "43210"), ("CREATED_ASC", "01234")):
        seen, after = "", None
        for _ in range(3):
            page = (await client.data(LIST, first=2, after=after, sort=sort))["me"]["notifications"]
            seen, after = seen + "".join(node["message"] for node in page["nodes"]), page["pageInfo"]["endCursor"]
        assert (seen, page["pageInfo"]["hasNextPage"], page["totalCount"]) == (expected, False, 5)
    assert await messages(client) == list("43210")


async def test_a_cursor_keeps_rows_of_one_instant_apart(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    async with client.services.db.write("notification", client.viewer) as session:
        await add_notifications(session, [notice(str(number)) for number in range(5)])

    seen: list[str] = []
    after = None
    for _ in range(5):
        page = (await client.data(LIST, first=1, after=after))["me"]["notifications"]
        seen += [node["message"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert sorted(seen) == list("01234")


async def furnished(client: Client) -> dict[str, str]:
    """One of several kinds, by what they say."""
    assert client.viewer is not None
    given = [
        notice("summary", type="daily_summary", channel="email", priority="low"),
        notice("alert"),
        notice("mail", channel="email"),
        notice("urgent", type="insight", priority="urgent"),
        notice("sent", channel="push"),
        notice("cancelled"),
    ]
    ids = dict(zip((each.message for each in given), await tell(client.services, client.viewer, *given), strict=True))
    async with client.services.db.write("notification", client.viewer) as session:
        keys = {name: from_global_id(each, "Notification") for name, each in ids.items()}
        assert keys["sent"] is not None
        assert keys["cancelled"] is not None
        assert keys["mail"] is not None
        assert await record_sent(session, keys["sent"], NOW)
        assert await cancel_notification(session, keys["cancelled"])
        assert (await record_failed(session, keys["mail"], "CHANNEL_UNAVAILABLE", NOW)).is_recorded
    return ids


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [
        ({}, ["cancelled", "sent", "urgent", "mail", "alert", "summary"]),
        ({"types": ["DAILY_SUMMARY"]}, ["summary"]),
        ({"types": ["DAILY_SUMMARY", "INSIGHT"]}, ["urgent", "summary"]),
        ({"types": []}, []),
        ({"types": None, "channels": None, "unreadOnly": None}, ["cancelled", "sent", "urgent", "mail", "alert", "summary"]),
        ({"channels": ["EMAIL"]}, ["mail", "summary"]),
        ({"channels": ["EMAIL", "PUSH"]}, ["sent", "mail", "summary"]),
        ({"channels": ["EMAIL"], "types": ["BUDGET_ALERT"]}, ["mail"]),
        ({"statuses": ["SENT", "FAILED"]}, ["sent", "mail"]),
        ({"statuses": ["CANCELLED"]}, ["cancelled"]),
        ({"priorities": ["LOW", "URGENT"]}, ["urgent", "summary"]),
        ({"unreadOnly": True}, ["cancelled", "sent", "urgent", "mail", "summary"]),
        ({"since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}, []),
        ({"since": "2020-01-01T00:00:00Z", "statuses": ["SENT"]}, ["sent"]),
    ],
)
async def test_a_list_is_narrowed_by_all_that_is_given(make_client: MakeClient, narrowed: dict[str, Any], expected: list[str]) -> None:
    client = await make_client()
    ids = await furnished(client)
    await mark_read(client, ids["alert"])

    found = await messages(client, filter=narrowed)

    assert found == (expected if narrowed.get("unreadOnly") is not True else [each for each in expected if each != "alert"])


async def test_since_is_inclusive_and_until_is_not(make_client: MakeClient) -> None:
    client = await make_client()
    await tell(client.services, client.viewer, *(notice(str(number)) for number in range(3)))
    shown = "{ me { notifications(sort: CREATED_ASC) { nodes { createdAt } } } }"
    _, second, third = [node["createdAt"] for node in (await client.data(shown))["me"]["notifications"]["nodes"]]

    assert await messages(client, filter={"since": second}) == ["2", "1"]
    assert await messages(client, filter={"since": second, "until": third}) == ["1"]


async def test_what_has_expired_is_left_out_unless_it_is_asked_for(make_client: MakeClient) -> None:
    client = await make_client()
    given = [notice("old", expires_at=NOW - HOUR), notice("current", expires_at=NOW + HOUR), notice("eternal")]
    [old, *_] = await tell(client.services, client.viewer, *given)

    assert await messages(client) == ["eternal", "current"]
    assert await messages(client, filter={"includeExpired": True}) == ["eternal", "current", "old"]
    assert await unread(client) == 2
    found = await client.data("query($id: ID!) { node(id: $id) { ... on Notification { message } } }", id=old)
    assert found == {"node": {"message": "old"}}


async def test_the_badge_counts_an_event_once_and_nothing_that_is_not_shown(make_client: MakeClient) -> None:
    client = await make_client()
    event = uuid4()
    both = [notice("told", channel=channel, correlation_id=event) for channel in ("in_app", "email")]
    ids = await tell(client.services, client.viewer, *both, notice("gone", expires_at=NOW - HOUR), notice("second"))

    before = await unread(client)
    await mark_read(client, ids[0])

    assert (before, await unread(client)) == (2, 1)
    assert await messages(client, filter={"unreadOnly": True}) == ["second", "told"]


async def test_the_badge_takes_one_statement_whatever_is_unread(make_client: MakeClient) -> None:
    one, many = await make_client(), await make_client()
    await tell(one.services, one.viewer, notice())
    await tell(many.services, many.viewer, *(notice() for _ in range(30)))

    taken = [await client.counted("{ me { unreadNotificationCount } }", planned=True) for client in (one, many)]

    assert taken == [({"me": {"unreadNotificationCount": 1}}, 1), ({"me": {"unreadNotificationCount": 30}}, 1)]


async def test_notifications_are_marked_as_read_once_and_as_unread_again(make_client: MakeClient) -> None:
    client = await make_client()
    first, second, third = await tell(client.services, client.viewer, notice("1"), notice("2"), notice("3"))

    marked = await mark_read(client, third, first, third)
    again = await mark_read(client, first)
    back = await mark_unread(client, first, second)

    assert [each["message"] for each in marked["notifications"]] == ["3", "1"]
    assert marked["errors"] == []
    assert all(each["readAt"] is not None for each in marked["notifications"])
    assert again["notifications"] == [marked["notifications"][1]]
    assert back == {"notifications": [{"message": "1", "readAt": None}, {"message": "2", "readAt": None}], "errors": []}
    assert await read_messages(client) == ["3"]
    assert await mark_read(client) == {"notifications": [], "errors": []}


async def test_reading_leaves_the_delivery_as_it_is(make_client: MakeClient) -> None:
    client = await make_client()
    assert client.viewer is not None
    [only] = await tell(client.services, client.viewer, notice())
    key = from_global_id(only, "Notification")
    assert key is not None
    await mark_read(client, only)

    async with client.services.db.write("notification", client.viewer) as session:
        assert await record_sent(session, key, NOW)
        assert await record_delivered(session, key, NOW)
    [shown] = (await client.data(ALL))["me"]["notifications"]["nodes"]

    assert shown["status"] == "SENT"
    assert shown["sentAt"] == shown["deliveredAt"] == NOW.isoformat().replace("+00:00", "Z")
    assert shown["readAt"] is not None


STRANGE = {"nonsense": "nonsense", "empty": "", "a budget": gid("Budget", uuid4()), "nobodys": nobodys()}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE.keys())
async def test_one_that_is_not_there_leaves_all_as_they_were(make_client: MakeClient, strange: str) -> None:
    client = await make_client()
    [read, other] = await tell(client.services, client.viewer, notice("read"), notice("other"))
    await mark_read(client, read)

    refused = [await mark_read(client, other, strange), await mark_unread(client, read, strange)]

    assert refused == [missing(1), missing(1)]
    assert await read_messages(client) == ["read"]


async def test_somebody_elses_notification_is_not_there_and_stays_as_it_is(make_client: MakeClient) -> None:
    robin, sam = await make_client(), await make_client()
    read, other = await tell(robin.services, robin.viewer, notice("read"), notice("other"))
    await mark_read(robin, read)

    refused = [await mark_read(sam, other), await mark_unread(sam, read), await mark_all(sam)]

    assert refused == [missing(0), missing(0), {"markedCount": 0, "hasMore": False, "errors": []}]
    assert (await messages(sam), await unread(sam)) == ([], 0)
    assert await read_messages(robin) == ["read"]


async def test_signed_out_nothing_is_read(make_client: MakeClient, nobody: Client) -> None:
    client = await make_client()
    [only] = await tell(client.services, client.viewer, notice())

    answers = [
        await nobody.ask(MARK_READ, input={"ids": [only]}),
        await nobody.ask(MARK_UNREAD, input={"ids": [only]}),
        await nobody.ask(MARK_ALL, input={}),
        await nobody.ask(LIST),
    ]

    assert [(answer["data"], codes(answer)) for answer in answers] == [(None, ["UNAUTHENTICATED"])] * 4
    assert await read_messages(client) == []


async def test_a_hundred_are_marked_at_once_and_not_one_more(make_client: MakeClient) -> None:
    client = await make_client()
    [only] = await tell(client.services, client.viewer, notice())

    answers = [await client.ask(document, input={"ids": [only] * 101}) for document in (MARK_READ, MARK_UNREAD)]
    hundred = await mark_read(client, *[only] * 100)

    assert [codes(answer) for answer in answers] == [["BAD_USER_INPUT"], ["BAD_USER_INPUT"]]
    assert len(hundred["notifications"]) == 1


async def test_all_that_was_there_at_the_click_is_read_and_what_came_after_is_not(make_client: MakeClient) -> None:
    client = await make_client()
    await tell(client.services, client.viewer, notice("1"), notice("2", channel="email"), notice("old", expires_at=NOW - HOUR))
    newest = (await client.data("{ me { notifications(first: 1) { nodes { createdAt message } } } }"))["me"]["notifications"]["nodes"][0]
    await tell(client.services, client.viewer, notice("later"))

    first = await mark_all(client, until=newest["createdAt"])
    read = await read_messages(client)
    second = await mark_all(client)
    third = await mark_all(client, until=None)

    assert newest["message"] == "2"
    assert (first, read) == ({"markedCount": 2, "hasMore": False, "errors": []}, ["1", "2"])
    assert (second["markedCount"], third["markedCount"]) == (2, 0)
    assert await read_messages(client) == ["1", "2", "old", "later"]


async def test_one_call_marks_so_many_and_says_that_there_is_more(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await make_client()
    monkeypatch.setattr(mark_notifications, "MARKED_AT_MOST", 2)
    await tell(client.services, client.viewer, *(notice(str(number)) for number in range(3)))

    answers = [await mark_all(client) for _ in range(2)]

    assert [(answer["markedCount"], answer["hasMore"]) for answer in answers] == [(2, True), (1, False)]
    assert await unread(client) == 0


async def test_many_at_once_count_each_notification_once(make_client: MakeClient) -> None:
    client = await make_client()
    ids = await tell(client.services, client.viewer, *(notice(str(number)) for number in range(8)))

    answers = await asyncio.gather(*(mark_all(client) for _ in range(4)), *(mark_read(client, *reversed(ids)) for _ in range(4)))

    assert sum(answer.get("markedCount", 0) for answer in answers) in (0, 8)
    assert all(answer["errors"] == [] for answer in answers)
    assert await read_messages(client) == [str(number) for number in range(8)]
