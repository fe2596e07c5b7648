"""What was read, and when to be told."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import strawberry

from domains.core.idempotency import check_idempotency_key
from domains.flows import change_notification_rules as flow
from domains.notification import errors
from domains.notification.service import mark_notifications
from resolvers.declared import current
from resolvers.fields import Hidden, Info, Input, Payload, expose, extends, given_id, link, mutation, payload, to_global_id
from resolvers.loaders import get_loader
from resolvers.notification.inputs import (
    IDS_AT_MOST,
    NotificationMarkAllReadInput,
    NotificationMarkReadInput,
    NotificationMarkUnreadInput,
    NotificationRuleCreateInput,
    NotificationRuleDeleteInput,
    NotificationRuleUpdateInput,
    read_change,
    read_creation,
    read_ids,
)
from resolvers.notification.types import Notification
from resolvers.prices import at_most

expose(errors)


async def _marked(self: Any, info: Info) -> list[Notification]:
    """A payload's `ids`, each once and in their order, read after the commit in one statement."""
    found, columns = get_loader("notification.by_id"), current().columns["Notification"]
    rows = await asyncio.gather(*(info.context.loaders.load(found, str(each), columns) for each in dict.fromkeys(self.ids)))
    return [row for row in rows if row is not None]


def _notifications() -> Any:
    said = "Those that were named, in that order; none when one of them is not there."
    return strawberry.field(resolver=_marked, description=said, directives=[at_most(IDS_AT_MOST)])


@payload
class NotificationMarkReadPayload(Payload):
    """The notifications as they are now, or why they stay as they were."""

    ids: Hidden[Sequence[UUID]] = ()
    notifications = _notifications()


@payload
class NotificationMarkUnreadPayload(Payload):
    """The notifications as they are now, or why they stay as they were."""

    ids: Hidden[Sequence[UUID]] = ()
    notifications = _notifications()


@payload
class NotificationMarkAllReadPayload(Payload):
    """How many there were."""

    marked_count: int = strawberry.field(default=0, description="How many this call marked as read.")
    has_more: bool = strawberry.field(
        default=False, description="Whether it marked as many as one call may, 10,000: then call again until it is false."
    )


@payload
class NotificationRuleCreatePayload(Payload):
    """The new rule, or why there is none."""

    rule_id: Hidden[UUID | None] = None
    notification_rule = link("NotificationRule", key="rule_id", description="The rule; null when it was refused.")


@payload
class NotificationRuleUpdatePayload(Payload):
    """The rule as it is now, or why it stays as it was."""

    rule_id: Hidden[UUID | None] = None
    notification_rule = link("NotificationRule", key="rule_id", description="The rule; null when nothing was changed for an error.")


@payload
class NotificationRuleDeletePayload(Payload):
    """What is gone, or why nothing is."""

    deleted_notification_rule_id: strawberry.ID | None = strawberry.field(default=None, description="The id of the rule that is gone.")


@extends("Mutation")
class NotificationMutations:
    @mutation
    async def notification_mark_read(self, info: Info, input: Input[NotificationMarkReadInput]) -> NotificationMarkReadPayload:
        """Mark notifications as read. What was read before keeps its instant. Errors: NotificationNotFound, and then none is marked."""
        ids = read_ids(input.ids)
        async with info.context.services.db.write("notification", info.context.required_viewer) as session:
            await mark_notifications.mark_read(session, ids)
        return NotificationMarkReadPayload(ids=ids)

    @mutation
    async def notification_mark_unread(self, info: Info, input: Input[NotificationMarkUnreadInput]) -> NotificationMarkUnreadPayload:
        """Mark notifications as not read. Errors: NotificationNotFound, and then none is marked."""
        ids = read_ids(input.ids)
        async with info.context.services.db.write("notification", info.context.required_viewer) as session:
            await mark_notifications.mark_unread(session, ids)
        return NotificationMarkUnreadPayload(ids=ids)

    @mutation
    async def notification_mark_all_read(self, info: Info, input: Input[NotificationMarkAllReadInput]) -> NotificationMarkAllReadPayload:
        """Mark everything as read that was there at an instant, whatever its channel."""
        until = None if input.until is strawberry.UNSET else input.until
        async with info.context.services.db.write("notification", info.context.required_viewer) as session:
            marked = await mark_notifications.mark_all_read(session, until)
        return NotificationMarkAllReadPayload(marked_count=marked.count, has_more=marked.has_more)

    @mutation
    async def notification_rule_create(self, info: Info, input: Input[NotificationRuleCreateInput]) -> NotificationRuleCreatePayload:
        """Make a rule.

        Errors: NotificationRuleNameInvalid, NotificationConditionsInvalid, NotificationChannelsInvalid, CategoryNotFound, BudgetNotFound,
        NotificationRuleLimitReached, IdempotencyKeyInvalid, IdempotencyKeyReused.
        """
        viewer = info.context.required_viewer
        key = check_idempotency_key(input.idempotency_key)
        rule_id = await flow.create_rule(info.context.services, viewer, read_creation(input, viewer), key)
        return NotificationRuleCreatePayload(rule_id=rule_id)

    @mutation
    async def notification_rule_update(self, info: Info, input: Input[NotificationRuleUpdateInput]) -> NotificationRuleUpdatePayload:
        """Change a rule.

        Errors: NotificationRuleNotFound, NotificationRuleNameInvalid, NotificationConditionsInvalid, NotificationChannelsInvalid,
        CategoryNotFound, BudgetNotFound.
        """
        viewer = info.context.required_viewer
        command = read_change(input, viewer)
        await flow.update_rule(info.context.services, viewer, command)
        return NotificationRuleUpdatePayload(rule_id=command.rule_id)

    @mutation
    async def notification_rule_delete(self, info: Info, input: Input[NotificationRuleDeleteInput]) -> NotificationRuleDeletePayload:
        """Delete a rule. Errors: NotificationRuleNotFound, also for one that is deleted already."""
        rule_id = given_id(input.id, "NotificationRule")
        await flow.delete_rule(info.context.services, info.context.required_viewer, rule_id)
        return NotificationRuleDeletePayload(deleted_notification_rule_id=strawberry.ID(to_global_id("NotificationRule", rule_id)))
