"""Statements that write rules of notification."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, String, Text, Uuid, and_, any_, bindparam, cast, column, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from db.base import jobs_table
from db.engines import SystemSession, WriteSession
from db.jobs import is_live
from db.notification.models import notification_rules
from db.statements import as_arrays, given_rows, owned


class LockedRule(NamedTuple):
    id: UUID
    rule_type: str
    conditions: dict[str, Any]


def _is_there() -> Any:
    return and_(owned(notification_rules), notification_rules.c.deleted_at.is_(None))


async def count_rules(session: WriteSession) -> int:
    """The viewer's rules, counted one writer at a time."""
    key = f"notification_rules:{session.viewer.user_id}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    return int((await session.run(select(func.count()).select_from(notification_rules).where(_is_there()))).scalar_one())


async def add_rule(session: WriteSession, values: dict[str, Any]) -> None:
    await session.execute(insert(notification_rules).values(user_id=session.viewer.user_id, **values))


async def lock_rule(session: WriteSession, rule_id: UUID) -> LockedRule | None:
    """The rule, unless it is deleted."""
    rows = notification_rules.c
    mine = and_(_is_there(), rows.id == bindparam("at_id", type_=Uuid))
    found = await session.run(select(*(rows[name] for name in LockedRule._fields)).where(mine).with_for_update(), at_id=rule_id)
    row = found.one_or_none()
    return None if row is None else LockedRule(*row)


async def change_rule(session: WriteSession, rule_id: UUID, values: dict[str, Any]) -> None:
    statement = update(notification_rules).where(_is_there(), notification_rules.c.id == bindparam("at_id", type_=Uuid))
    await session.run(statement.values(**values), at_id=rule_id)


async def delete_rule(session: WriteSession, rule_id: UUID) -> None:
    """Mark the rule deleted."""
    await change_rule(session, rule_id, {"deleted_at": func.now()})


_DEFAULT: Final[dict[str, Any]] = {"id": Uuid, "default_key": String, "name": String, "rule_type": String, "conditions": Text}


async def add_default_rules(session: WriteSession, rows: Sequence[dict[str, Any]], channels: Sequence[str]) -> int:
    """Store those defaults (`conditions` as JSON text) that the viewer was never given; answers how many that were."""
    given = given_rows(_DEFAULT)
    taken = [cast(given.c[name], JSONB) if name == "conditions" else given.c[name] for name in _DEFAULT]
    chosen = select(bindparam("viewer", type_=Uuid), *taken, literal(list(channels), ARRAY(String)))
    row = upsert(notification_rules).from_select(["user_id", *_DEFAULT, "channels"], chosen)
    added = row.on_conflict_do_nothing(index_elements=["user_id", "default_key"], index_where=notification_rules.c.default_key.is_not(None))
    return len((await session.run(added.returning(notification_rules.c.id), **as_arrays(rows, _DEFAULT))).all())


async def list_without_defaults(session: SystemSession, user_ids: Sequence[UUID], default_keys: Sequence[str], topic: str) -> list[UUID]:
    """Those among these users who were never given all of these defaults, and for whom no job of this topic waits or runs."""
    rows, jobs = notification_rules.c, jobs_table(session.domain)
    people = func.unnest(bindparam("people", type_=ARRAY(Uuid))).table_valued(column("id", Uuid)).render_derived(name="people")
    is_default = rows.default_key == any_(bindparam("defaults", type_=ARRAY(String)))
    has = select(func.count()).select_from(notification_rules).where(rows.user_id == people.c.id, is_default).scalar_subquery()
    asked = select(literal(1)).where(jobs.c.topic == topic, jobs.c.key == cast(people.c.id, String), is_live(jobs)).exists()
    statement = select(people.c.id).where(has < len(set(default_keys)), ~asked)
    return list((await session.run(statement, people=list(user_ids), defaults=list(default_keys))).scalars())
