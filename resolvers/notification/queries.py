"""What notification adds to people, and the words that everybody is told in."""

import enum

from db.notification.queries.reads import TEMPLATE_ORDER
from resolvers.fields import EVERYBODY_KEY, Sort, count, extends, links, page
from resolvers.notification.inputs import SORTS, NotificationFilter, NotificationTemplateFilter
from resolvers.notification.types import NotificationTemplateSort

TEMPLATE_SORTS: dict[enum.Enum, Sort] = {NotificationTemplateSort.KEY_ASC: Sort(TEMPLATE_ORDER)}


@extends("Query")
class NotificationQueries:
    notification_templates = page(
        "NotificationTemplate",
        key=EVERYBODY_KEY,
        loader="notification.template_page",
        count="notification.template_count",
        filter=NotificationTemplateFilter,
        sorts=TEMPLATE_SORTS,
        description="The words of notifications, by kind, channel and language.",
    )


@extends("User")
class UserNotifications:
    notifications = page(
        "Notification",
        loader="notification.page_by_user",
        count="notification.count_by_user",
        filter=NotificationFilter,
        sorts=SORTS,
        description="What they were told, the newest first unless `sort` says otherwise; without what has expired, unless asked for.",
    )
    unread_notification_count = count(
        loader="notification.unread_by_user",
        description="For a badge: unread notifications in the application, without those that expired or were cancelled. What is told over "
        "other channels does not count: it is the same event once more.",
    )
    notification_rules = links(
        "NotificationRule",
        loader="notification.rules_by_user",
        size=20,
        description="When they want to be told: every rule, the oldest first.",
    )
