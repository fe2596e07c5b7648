"""Statements that clients' queries are answered from: compiled once per shape, run on the driver."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Integer, Select, String, Text, Uuid, and_, any_, bindparam, cast, func, or_, select, tuple_

from db.base import INSTANT
from db.notification.models import notification_rules, notification_templates, notifications
from db.statements import Columns, compiled, is_one_of, leaf, owned, read_columns

#: The sorts of a list of notifications: their columns, all in one direction, the last one unique.
SORTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "created_desc": (("created_at", "id"), True),
    "created_asc": (("created_at", "id"), False),
}
#: The one order of templates.
TEMPLATE_ORDER = ("template_key", "channel", "locale")
_KINDS: dict[str, Any] = {"created_at": INSTANT, "id": Uuid}


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """What a list is narrowed to; None leaves a criterion out. Instants are half-open: from `since` until before `until`.

    A list of one type or channel is a statement of its own: equality is what keeps the order of an index.
    """

    types: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    priorities: Sequence[str] | None = None
    unread_only: bool = False
    include_expired: bool = False
    since: datetime | None = None
    until: datetime | None = None

    def criteria(self) -> tuple[str, ...]:
        named = [name for name in ("statuses", "priorities", "since", "until") if getattr(self, name) is not None]
        for several, one in (("types", "type"), ("channels", "channel")):
            given = getattr(self, several)
            if given is not None:
                named.append(one if len(given) == 1 else several)
        return (*named, *["unread"] * self.unread_only, *["current"] * (not self.include_expired))

    def values(self) -> dict[str, Any]:
        given: dict[str, Any] = {name: getattr(self, name) for name in ("types", "channels", "statuses", "priorities", "since", "until")}
        for several, one in (("types", "type"), ("channels", "channel")):
            if given[several]:
                given[one] = given[several][0]
        return {f"by_{name}": value for name, value in given.items() if value is not None}


def is_current() -> Any:
    """Not expired, by the database's clock."""
    return or_(notifications.c.expires_at.is_(None), notifications.c.expires_at > func.now())


def _criterion(name: str) -> Any:
    """One criterion; its value, if it has one, is bound as `by_<name>`."""
    rows = notifications.c
    match name:
        case "types" | "channels" | "statuses" | "priorities":
            column = {"types": rows.type, "channels": rows.channel, "statuses": rows.status, "priorities": rows.priority}[name]
            return column == any_(bindparam(f"by_{name}", type_=ARRAY(String)))
        case "type" | "channel":
            return rows[name] == bindparam(f"by_{name}", type_=String)
        case "since":
            return rows.created_at >= bindparam("by_since", type_=INSTANT)
        case "until":
            return rows.created_at < bindparam("by_until", type_=INSTANT)
        case "unread":
            return rows.read_at.is_(None)
        case "current":
            return is_current()
    raise ValueError(name)


@compiled
def notifications_by_id(columns: Columns) -> Select[Any]:
    rows = notifications
    return select(*read_columns(rows, columns, rows.c.id)).where(owned(rows), is_one_of(rows.c.id))


@compiled
def notification_page(columns: Columns, sort: str, criteria: tuple[str, ...], *, after: bool) -> Select[Any]:
    """A page of the viewer's notifications, if `keys` has their id: nobody else's are there to be asked for.

    Bound: `keys`, `size`, the criteria's values; with `after`, the last seen row's `after_<column>` of the sort.
    """
    rows = notifications
    names, descending = SORTS[sort]
    wanted = [owned(rows), is_one_of(rows.c.user_id), *(_criterion(name) for name in criteria)]
    if after:
        seen = tuple_(*(bindparam(f"after_{name}", type_=_KINDS[name]) for name in names))
        mine = tuple_(*(rows.c[name] for name in names))
        wanted.append(mine < seen if descending else mine > seen)
    order = [rows.c[name].desc() if descending else rows.c[name].asc() for name in names]
    page = select(*read_columns(rows, columns, rows.c.user_id)).where(*wanted).order_by(*order)
    return page.limit(bindparam("size", type_=Integer))


@compiled
def notification_count(criteria: tuple[str, ...]) -> Select[Any]:
    """How many notifications each user has under the criteria: (key, count)."""
    rows = notifications
    wanted = [owned(rows), is_one_of(rows.c.user_id), *(_criterion(name) for name in criteria)]
    return select(leaf(rows.c.user_id).label("key"), func.count().label("count")).where(*wanted).group_by(rows.c.user_id)


@compiled
def unread_count() -> Select[Any]:
    """What a badge shows: how many notifications in the application each user has not read, without those that expired or were cancelled.

    Over other channels the same event is told again, and nobody tells us whether that was read.
    """
    rows = notifications
    shown = and_(rows.c.read_at.is_(None), rows.c.channel == "in_app", rows.c.status != "cancelled", is_current())
    counted = select(leaf(rows.c.user_id).label("key"), func.count().label("count"))
    return counted.where(owned(rows), is_one_of(rows.c.user_id), shown).group_by(rows.c.user_id)


def _of_rules(columns: Columns, key: Any) -> list[Any]:
    """As `read_columns`; the conditions as text, for they are read by their content."""
    rows = notification_rules
    read = {column.name: column for column in read_columns(rows, columns, key)[1:]}
    if "conditions" in read:
        read["conditions"] = cast(rows.c.conditions, Text).label("conditions")
    return [leaf(key).label("key"), *read.values()]


def _is_there() -> Any:
    return and_(owned(notification_rules), notification_rules.c.deleted_at.is_(None))


@compiled
def rules_by_id(columns: Columns) -> Select[Any]:
    rows = notification_rules
    return select(*_of_rules(columns, rows.c.id)).where(_is_there(), is_one_of(rows.c.id))


@compiled
def rules_by_user(columns: Columns) -> Select[Any]:
    """The oldest first."""
    rows = notification_rules
    chosen = select(*_of_rules(columns, rows.c.user_id)).where(_is_there(), is_one_of(rows.c.user_id))
    return chosen.order_by(rows.c.created_at, rows.c.id)


@dataclass(frozen=True, slots=True)
class TemplateFilter:
    """What the list of templates is narrowed to; None leaves a criterion out."""

    template_key: str | None = None
    channel: str | None = None
    locale: str | None = None

    def criteria(self) -> tuple[str, ...]:
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)

    def values(self) -> dict[str, Any]:
        return {f"by_{name}": getattr(self, name) for name in self.criteria()}


def _of_templates(criteria: tuple[str, ...]) -> list[Any]:
    rows = notification_templates.c
    return [rows.is_active, *(rows[name] == bindparam(f"by_{name}", type_=String) for name in criteria)]


@compiled
def template_page(columns: Columns, criteria: tuple[str, ...], *, after: bool) -> Select[Any]:
    """A page of the templates in use, under the one key bound as `key`. Bound as in `notification_page`."""
    rows = notification_templates
    wanted = _of_templates(criteria)
    order = [rows.c[name] for name in TEMPLATE_ORDER]
    if after:
        wanted.append(tuple_(*order) > tuple_(*(bindparam(f"after_{name}", type_=String) for name in TEMPLATE_ORDER)))
    page = select(*read_columns(rows, columns, bindparam("key", type_=Text))).where(*wanted).order_by(*order)
    return page.limit(bindparam("size", type_=Integer))


@compiled
def template_count(criteria: tuple[str, ...]) -> Select[Any]:
    """How many templates are in use under the criteria: (key, count)."""
    columns: list[Any] = [bindparam("key", type_=Text).label("key"), func.count().label("count")]
    return select(*columns).select_from(notification_templates).where(*_of_templates(criteria))
