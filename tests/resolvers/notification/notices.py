"""Notifications and documents about them, shared by the tests of this folder."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from db.engines import Viewer
from domains.flows.services import Services
from domains.notification.service.add_notifications import NewNotification, add_notifications
from tests.resolvers.api import Client, gid

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)

LIST = """query($first: Int, $after: String, $filter: NotificationFilter, $sort: NotificationSort) { me {
  notifications(first: $first, after: $after, filter: $filter, sort: $sort) {
    nodes { message } pageInfo { hasNextPage endCursor } totalCount
  }
} }"""
UNREAD = "{ me { unreadNotificationCount } }"
ERRORS = "errors { __typename code message field }"
READ_STATES = "{ me { notifications(first: 100, sort: CREATED_ASC, filter: {includeExpired: true}) { nodes { message readAt } } } }"


def notice(message: str = "80 % of Food", **changes: Any) -> NewNotification:
    """A budget alert in the application that answers no event, unless said otherwise."""
    given: dict[str, Any] = {"type": "budget_alert", "channel": "in_app", "message": message}
    return NewNotification(**{**given, **changes})


async def tell(services: Services, viewer: Viewer | None, *notices: NewNotification) -> list[str]:
    """Write these one after the other, so that they have an order; answers their global ids."""
    assert viewer is not None
    ids: list[UUID] = []
    for each in notices:
        async with services.db.write("notification", viewer) as session:
            ids += await add_notifications(session, [each])
    return [gid("Notification", each) for each in ids]


async def messages(client: Client, **variables: Any) -> list[str]:
    found = (await client.data(LIST, **variables))["me"]["notifications"]
    assert variables.get("first") is not None or found["totalCount"] == len(found["nodes"])
    return [node["message"] for node in found["nodes"]]


async def unread(client: Client) -> int:
    return int((await client.data(UNREAD))["me"]["unreadNotificationCount"])


async def read_messages(client: Client) -> list[str]:
    """What was marked as read, the oldest first."""
    nodes = (await client.data(READ_STATES))["me"]["notifications"]["nodes"]
    return [node["message"] for node in nodes if node["readAt"] is not None]


def nobodys() -> str:
    return gid("Notification", uuid4())
