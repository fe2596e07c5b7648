"""What a client says of notifications and rules."""

import enum
from collections.abc import Sequence
from datetime import datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import strawberry

from db.engines import Viewer
from db.notification.queries import reads
from domains.notification.rules import Conditions, Hours
from domains.notification.service.change_rules import CreateRule, UpdateRule
from resolvers.errors import BadUserInput
from resolvers.fields import CurrencyCode, Sort, choice, given_id, text_from_global_id

IDS_AT_MOST = 100
TEXT_AT_MOST = 100


@strawberry.enum(description="What a notification is about.")
class NotificationType(enum.Enum):
    TRANSACTION_ALERT = choice("transaction_alert", "A transaction.")
    BUDGET_ALERT = choice("budget_alert", "A budget that passed one of its thresholds.")
    INSIGHT = choice("insight", "Something found in the transactions.")
    DAILY_SUMMARY = choice("daily_summary", "A day.")
    WEEKLY_REPORT = choice("weekly_report", "A week.")
    CONNECTION_ALERT = choice("connection_alert", "A bank's connection that does not work any more, or will not soon.")


@strawberry.enum(description="How a notification reaches its reader.")
class NotificationChannel(enum.Enum):
    TELEGRAM = choice("telegram", "A message on Telegram.")
    EMAIL = choice("email", "A mail.")
    PUSH = choice("push", "A push message to a device or a browser.")
    IN_APP = choice("in_app", "In the application, where `me.notifications` lists it.")


@strawberry.enum(description="How far a delivery is.")
class NotificationStatus(enum.Enum):
    PENDING = choice("pending", "It waits for its channel.")
    SENT = choice("sent", "The channel took it.")
    FAILED = choice("failed", "The channel did not take it. `nextRetryAt` says whether it is tried again.")
    CANCELLED = choice("cancelled", "It is not sent any more.")


@strawberry.enum(description="How urgent something is.")
class NotificationPriority(enum.Enum):
    LOW = choice("low", "It can wait.")
    NORMAL = choice("normal", "As usual.")
    HIGH = choice("high", "Soon.")
    URGENT = choice("urgent", "At once.")


@strawberry.enum(description="What a rule watches.")
class NotificationRuleType(enum.Enum):
    LARGE_TRANSACTION = choice(
        "large_transaction", "Single transactions of at least `amountThreshold`. May name categories, a time of day, days of the week."
    )
    BUDGET_THRESHOLD = choice(
        "budget_threshold", "Budgets that pass one of their own thresholds: those of `budgetIds`, or all. May name a time of day, days."
    )
    CATEGORY_LIMIT = choice(
        "category_limit", "What is spent in `categoryIds` in a month, once it passes `amountThreshold`. May name a time of day, days."
    )
    CUSTOM = choice("custom", "Any of the conditions together, at least one.")


@strawberry.enum(description="How often a rule speaks at most.")
class NotificationFrequency(enum.Enum):
    IMMEDIATE = choice("immediate", "Each time.")
    HOURLY = choice("hourly", "Once an hour.")
    DAILY = choice("daily", "Once a day.")
    WEEKLY = choice("weekly", "Once a week.")


@strawberry.enum(description="A day of the week.")
class DayOfWeek(enum.Enum):
    MONDAY = choice("Monday", "The first.")
    TUESDAY = choice("Tuesday", "The second.")
    WEDNESDAY = choice("Wednesday", "The third.")
    THURSDAY = choice("Thursday", "The fourth.")
    FRIDAY = choice("Friday", "The fifth.")
    SATURDAY = choice("Saturday", "The sixth.")
    SUNDAY = choice("Sunday", "The seventh.")


@strawberry.enum(description="The order of a list of notifications. Ties are broken by id, so that no page repeats or skips one.")
class NotificationSort(enum.Enum):
    CREATED_DESC = choice("created_desc", "The newest first.")
    CREATED_ASC = choice("created_asc", "The oldest first.")


SORTS: dict[enum.Enum, Sort] = {NotificationSort(name): Sort(columns, descending) for name, (columns, descending) in reads.SORTS.items()}


def _optional(description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description)


@strawberry.input(description="Narrows a list of notifications. All that is given must hold; an empty list matches nothing.")
class NotificationFilter:
    types: list[NotificationType] | None = _optional("About any of these.")
    channels: list[NotificationChannel] | None = _optional("Over any of these.")
    statuses: list[NotificationStatus] | None = _optional("In any of these.")
    priorities: list[NotificationPriority] | None = _optional("Of any of these.")
    unread_only: bool | None = _optional("Only those that were not marked as read, whatever their channel.")
    include_expired: bool | None = _optional("Also those that have expired. By default they are left out.")
    since: datetime | None = _optional("Written at this instant or after.")
    until: datetime | None = _optional("Written before this instant.")


@strawberry.input(description="Narrows the list of templates. All that is given must hold.")
class NotificationTemplateFilter:
    key: str | None = _optional("Of this kind, such as `budget_alert`; at most 100 characters.")
    channel: NotificationChannel | None = _optional("For this channel.")
    locale: str | None = _optional("In this language, such as `fr-FR`; at most 100 characters.")


@strawberry.input(description="Which notifications were read.")
class NotificationMarkReadInput:
    ids: list[strawberry.ID] = strawberry.field(description="At most 100. If one of them is not there, none is marked.")


@strawberry.input(description="Which notifications count as not read.")
class NotificationMarkUnreadInput:
    ids: list[strawberry.ID] = strawberry.field(description="At most 100. If one of them is not there, none is marked.")


@strawberry.input(description="Up to when everything was read.")
class NotificationMarkAllReadInput:
    until: datetime | None = _optional(
        "Only what was written at this instant or before: given that of the newest one on the screen, what came since stays unread. "
        "By default now."
    )


@strawberry.input(description="An amount of money from which on a rule holds.")
class AmountThresholdInput:
    amount: Decimal = strawberry.field(description="Above 0, with no more digits than the currency has.")
    currency: CurrencyCode | None = _optional("By default yours.")


@strawberry.input(description="A part of a day by your clock, half open. It may go past midnight.")
class LocalTimeRangeInput:
    start: time = strawberry.field(description="Its first minute.")
    end: time = strawberry.field(description="The minute after its last; not equal to `start`.")


@strawberry.input(description="When a rule holds. All that is given must; which may be given depends on the rule's type.")
class NotificationConditionsInput:
    amount_threshold: AmountThresholdInput | None = _optional("From which amount on.")
    category_ids: list[strawberry.ID] | None = _optional("In which categories, or children of one; at most 100, each once.")
    budget_ids: list[strawberry.ID] | None = _optional("For which budgets; at most 100, each once.")
    time_of_day: LocalTimeRangeInput | None = _optional("At which time of your day.")
    days_of_week: list[DayOfWeek] | None = _optional("On which days of your week, each once.")


@strawberry.input(description="A new rule.")
class NotificationRuleCreateInput:
    idempotency_key: str = strawberry.field(
        description="1 to 255 characters that you choose for this rule. A retry with it and the same input answers the same for 48 hours."
    )
    name: str = strawberry.field(description="1 to 255 characters.")
    rule_type: NotificationRuleType = strawberry.field(description="What it watches; for ever.")
    conditions: NotificationConditionsInput = strawberry.field(description="When it holds.")
    channels: list[NotificationChannel] | None = _optional("How you are told, at least one, each once. By default IN_APP.")
    max_frequency: NotificationFrequency = strawberry.field(default=NotificationFrequency.IMMEDIATE, description="How often at most.")
    priority: NotificationPriority = strawberry.field(default=NotificationPriority.NORMAL, description="How urgent what it says is.")
    enabled: bool = strawberry.field(default=True, description="Whether it is followed from now on.")


@strawberry.input(description="What to change of a rule. What is left out stays as it is; its type always does.")
class NotificationRuleUpdateInput:
    id: strawberry.ID = strawberry.field(description="The rule.")
    name: str | None = _optional("1 to 255 characters; not null.")
    conditions: NotificationConditionsInput | None = _optional("All of them anew; not null.")
    channels: list[NotificationChannel] | None = _optional("At least one, each once; not null.")
    max_frequency: NotificationFrequency | None = _optional("How often at most; not null.")
    priority: NotificationPriority | None = _optional("How urgent what it says is; not null.")
    enabled: bool | None = _optional("Whether it is followed; not null.")


@strawberry.input(description="Which rule to delete.")
class NotificationRuleDeleteInput:
    id: strawberry.ID = strawberry.field(description="The rule.")


def read_filter(given: NotificationFilter | None) -> reads.NotificationFilter:
    """What the statements take."""
    if given is None:
        return reads.NotificationFilter()
    said = {name: _or_none(value) for name, value in vars(given).items()}
    for name in ("types", "channels", "statuses", "priorities"):
        said[name] = None if said[name] is None else [each.value for each in said[name]]
    for name in ("unread_only", "include_expired"):
        said[name] = bool(said[name])
    return reads.NotificationFilter(**said)


def read_template_filter(given: NotificationTemplateFilter | None) -> reads.TemplateFilter:
    """Errors: BadUserInput."""
    if given is None:
        return reads.TemplateFilter()
    key, channel, locale = _or_none(given.key), _or_none(given.channel), _or_none(given.locale)
    for name, text in (("key", key), ("locale", locale)):
        if text is not None and (len(text) > TEXT_AT_MOST or "\0" in text):
            raise BadUserInput(f"`filter.{name}` may have {TEXT_AT_MOST} characters at most, and no null character.", argument="filter")
    return reads.TemplateFilter(template_key=key, channel=None if channel is None else channel.value, locale=locale)


def read_ids(given: Sequence[strawberry.ID]) -> list[UUID]:
    """The notifications meant, in their order. Errors: BadUserInput for too many."""
    if len(given) > IDS_AT_MOST:
        raise BadUserInput(f"`ids` may have {IDS_AT_MOST} entries at most.", argument="input")
    return [given_id(each, "Notification") for each in given]


def read_creation(given: NotificationRuleCreateInput, viewer: Viewer) -> CreateRule:
    channels = _or_none(given.channels)
    return CreateRule(
        name=given.name,
        rule_type=given.rule_type.value,
        conditions=_conditions(given.conditions, viewer),
        channels=_values([NotificationChannel.IN_APP] if channels is None else channels),
        max_frequency=given.max_frequency.value,
        priority=given.priority.value,
        enabled=given.enabled,
    )


def read_change(given: NotificationRuleUpdateInput, viewer: Viewer) -> UpdateRule:
    """Errors: BadUserInput for a null that cannot be meant."""
    said = {name: value for name, value in vars(given).items() if name != "id" and value is not strawberry.UNSET}
    for name, value in said.items():
        if value is None:
            raise BadUserInput(f"`{name.replace('_f', 'F')}` cannot be null. Leave it out to keep it.", argument="input")
    if "conditions" in said:
        said["conditions"] = _conditions(said["conditions"], viewer)
    if "channels" in said:
        said["channels"] = _values(said["channels"])
    for name in ("max_frequency", "priority"):
        if name in said:
            said[name] = said[name].value
    return UpdateRule(rule_id=given_id(given.id, "NotificationRule"), **said)


def _conditions(given: NotificationConditionsInput, viewer: Viewer) -> Conditions:
    threshold, hours = _or_none(given.amount_threshold), _or_none(given.time_of_day)
    currency = None if threshold is None else _or_none(threshold.currency) or viewer.currency
    return Conditions(
        amount_threshold=None if threshold is None else threshold.amount,
        currency=currency,
        categories=tuple(text_from_global_id(each, "Category") or "" for each in _or_none(given.category_ids) or ()),
        budgets=tuple(given_id(each, "Budget") for each in _or_none(given.budget_ids) or ()),
        time_of_day=None if hours is None else Hours(hours.start, hours.end),
        days_of_week=_values(_or_none(given.days_of_week) or ()),
    )


def _values(given: Sequence[enum.Enum]) -> tuple[str, ...]:
    return tuple(each.value for each in given)


def _or_none(given: Any) -> Any:
    return None if given is strawberry.UNSET else given
