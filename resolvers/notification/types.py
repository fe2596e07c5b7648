"""What people are told, when they want to be told, and in which words."""

import enum
from datetime import datetime, time

import strawberry

from resolvers.fields import Node, choice, column, entity, link, money, value
from resolvers.notification.inputs import (
    DayOfWeek,
    NotificationChannel,
    NotificationFrequency,
    NotificationPriority,
    NotificationRuleType,
    NotificationStatus,
    NotificationType,
)
from resolvers.scalars import JSON


@entity(loader="notification.by_id")
class Notification(Node):
    """Something that its reader is told, over one channel. What is told over several channels is one of these for each."""

    type = column(NotificationType, description="What it is about.")
    channel = column(NotificationChannel, description="How it reaches its reader.")
    title = column(str | None, description="In a few words; null where the channel has no room for a title.")
    message = column(str, description="What is said, in its reader's language.")
    data = column(JSON, description="An object for programs: what the message is about, such as ids. Empty when there is nothing to add.")
    status = column(NotificationStatus, description="How far its delivery is.")
    priority = column(NotificationPriority, description="How urgent it is.")
    sent_at = column(datetime | None, description="When the channel took it.")
    delivered_at = column(datetime | None, description="When it arrived, where the channel says so.")
    read_at = column(datetime | None, description="When it was marked as read; null while it is not.")
    error_message = column(
        str | None, description="Why delivering it failed the last time: a code in upper case, such as `CHANNEL_UNAVAILABLE`."
    )
    retry_count = column(int, description="How often delivering it was tried again.")
    max_retries = column(int, description="How often it is tried again at most.")
    next_retry_at = column(datetime | None, description="When it is tried again; null when it is not.")
    correlation_id = column(
        strawberry.ID | None, description="The event that it answers: equal on all that answers the same one. It is no id to ask for."
    )
    created_at = column(datetime, description="When it was written.")
    expires_at = column(datetime | None, description="From when on nobody needs it; null for never. Lists leave it out from then on.")


@value
class LocalTimeRange:
    """A part of a day by its user's clock, half open: from `start` until before `end`, past midnight when that is earlier."""

    start = column(time, description="Its first minute.")
    end = column(time, description="The minute after its last.")


@value
class NotificationConditions:
    """When a rule holds. All of them must; one that is null or empty does not narrow."""

    amount_threshold = money(nullable=True, description="From which amount on.")
    category_ids = column(list[strawberry.ID], description="In which categories, or children of one.")
    budget_ids = column(list[strawberry.ID], description="For which budgets.")
    time_of_day = link("LocalTimeRange", key="time_of_day", loader="notification.hours", description="At which time of the user's day.")
    days_of_week = column(list[DayOfWeek], description="On which days of the user's week, Monday first.")


@entity(loader="notification.rule_by_id")
class NotificationRule(Node):
    """When its owner wants to be told, and how."""

    name = column(str | None, description="What it is called.")
    rule_type = column(NotificationRuleType, description="What it watches; for ever.")
    enabled = column(bool, description="Whether it is followed.")
    conditions = link(
        "NotificationConditions", key="conditions", loader="notification.conditions", nullable=False, description="When it holds."
    )
    channels = column(list[NotificationChannel], description="How its owner is told.")
    max_frequency = column(NotificationFrequency, description="How often at most.")
    priority = column(NotificationPriority, description="How urgent what it says is.")
    last_triggered_at = column(datetime | None, description="When it last held; null before the first time.")
    trigger_count = column(int, description="How often it has held.")
    created_at = column(datetime, description="When it was made.")
    updated_at = column(datetime, description="When something of it last changed.")


@strawberry.enum(description="The order of templates.")
class NotificationTemplateSort(enum.Enum):
    KEY_ASC = choice("key_asc", "By key, then channel, then locale.")


@value
class NotificationTemplate:
    """The words of a kind of notification, for one channel and language. The same for everybody.

    Templates are written in Jinja2 and name variables, nothing else.
    """

    key = column(str, "template_key", description="Which kind: the type of notification, in lower case.")
    channel = column(NotificationChannel, description="For which channel.")
    locale = column(str, description="In which language, a tag of BCP 47.")
    subject = column(str | None, "subject_template", description="The title; null where the channel has none.")
    body = column(str, "body_template", description="The message. For TELEGRAM and EMAIL it is HTML, else plain text.")
    variables = column(list[str], description="The variables that subject and body name; each must be given.")
