"""Create, change and delete rules; give everybody the default ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from db import idempotency, jobs
from db.engines import SystemSession, WriteSession
from db.notification.queries import rules as queries
from domains.core.changes import UNSET, Unset
from domains.core.errors import AppError
from domains.core.ids import new_id
from domains.notification import defaults, rules
from domains.notification.errors import NotificationRuleLimitReached, NotificationRuleNotFound
from domains.notification.rules import Conditions

CREATE = "notificationRuleCreate"
GIVE_DEFAULTS = "notification.give_defaults"
RULES_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class CreateRule:
    name: str
    rule_type: str
    conditions: Conditions
    channels: Sequence[str]
    max_frequency: str
    priority: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class UpdateRule:
    """What to change; what is UNSET stays. Conditions are replaced as a whole; a rule's type is for ever."""

    rule_id: UUID
    name: str | Unset = UNSET
    conditions: Conditions | Unset = UNSET
    channels: Sequence[str] | Unset = UNSET
    max_frequency: str | Unset = UNSET
    priority: str | Unset = UNSET
    enabled: bool | Unset = UNSET


async def create_rule(session: WriteSession, command: CreateRule, idempotency_key: str, refusal: AppError | None = None) -> UUID:
    """Store the rule once per idempotency key.

    refusal: why there cannot be such a rule now, by what other domains say; one that was made when there could is answered all the same.
    Errors: NotificationRuleNameInvalid, NotificationConditionsInvalid, NotificationChannelsInvalid; NotificationRuleLimitReached;
            KeyReused.
    """
    values = {
        "name": rules.check_name(command.name),
        "rule_type": command.rule_type,
        "conditions": rules.as_json(rules.check_conditions(command.rule_type, command.conditions)),
        "channels": rules.check_channels(command.channels),
        "max_frequency": command.max_frequency,
        "priority": command.priority,
        "enabled": command.enabled,
    }
    answer = await idempotency.replay(session, CREATE, idempotency_key, idempotency.fingerprint(command))
    if answer is not None:
        return UUID(answer["id"])
    if refusal is not None:
        raise refusal
    if await queries.count_rules(session) >= RULES_AT_MOST:
        raise NotificationRuleLimitReached
    rule_id = new_id()
    await queries.add_rule(session, {"id": rule_id, **values})
    await idempotency.record(session, CREATE, idempotency_key, {"id": str(rule_id)})
    return rule_id


async def update_rule(session: WriteSession, command: UpdateRule) -> None:
    """Change what is given. Errors: NotificationRuleNotFound, and those of create_rule for what is changed."""
    found = await queries.lock_rule(session, command.rule_id)
    if found is None:
        raise NotificationRuleNotFound(field="id")
    values: dict[str, Any] = {}
    if command.name is not UNSET:
        values["name"] = rules.check_name(command.name)
    if command.conditions is not UNSET:
        values["conditions"] = rules.as_json(rules.check_conditions(found.rule_type, command.conditions))
    if command.channels is not UNSET:
        values["channels"] = rules.check_channels(command.channels)
    for name in ("max_frequency", "priority", "enabled"):
        if getattr(command, name) is not UNSET:
            values[name] = getattr(command, name)
    if values:
        await queries.change_rule(session, command.rule_id, values)


async def delete_rule(session: WriteSession, rule_id: UUID) -> None:
    """No list shows it any more, and its id answers like one that never was. Errors: NotificationRuleNotFound."""
    if await queries.lock_rule(session, rule_id) is None:
        raise NotificationRuleNotFound(field="id")
    await queries.delete_rule(session, rule_id)


async def give_default_rules(session: WriteSession) -> int:
    """Give the viewer those default rules that they were never given, in their language and currency; answers how many."""
    viewer = session.viewer
    rows = [
        {**rule._asdict(), "id": new_id(), "conditions": orjson.dumps(rules.as_json(rule.conditions)).decode()}
        for rule in defaults.default_rules(viewer.locale, viewer.currency)
    ]
    return await queries.add_default_rules(session, rows, defaults.CHANNELS)


async def request_defaults(session: SystemSession, user_ids: Sequence[UUID]) -> int:
    """Queue the giving for those among these users who lack a default; answers how many they are."""
    lacking = await queries.list_without_defaults(session, user_ids, defaults.KEYS, GIVE_DEFAULTS)
    for user_id in lacking:
        await jobs.add(session, GIVE_DEFAULTS, key=str(user_id), user_id=user_id)
    return len(lacking)
