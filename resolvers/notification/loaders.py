"""How notifications, rules and templates are reached. One statement each; what a rule's row holds already takes none."""

from collections.abc import Sequence
from typing import Any

import orjson

from db.connection import Row
from db.notification.queries import reads
from db.read import Read
from domains.notification import rules
from resolvers.fields import to_global_id
from resolvers.loaders import Columns, Page, loader
from resolvers.notification.inputs import NotificationSort, read_filter, read_template_filter
from resolvers.rows import computed_row


@loader("notification.by_id")
async def by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(reads.notifications_by_id(columns), keys=ids)


@loader("notification.page_by_user", shape="page")
async def page_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """Up to `first` + 1 of the viewer's; nobody else's are there."""
    narrowed = read_filter(page.filter)
    sort = page.sort or NotificationSort.CREATED_DESC
    statement = reads.notification_page(columns, sort.value, narrowed.criteria(), after=page.after is not None)
    return await read.rows(statement, keys=ids, size=page.first + 1, **_after(page), **narrowed.values())


@loader("notification.count_by_user", shape="count")
async def count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    narrowed = read_filter(page.filter)
    return await read.rows(reads.notification_count(narrowed.criteria()), keys=ids, **narrowed.values())


@loader("notification.unread_by_user", shape="count")
async def unread_by_user(read: Read, ids: Sequence[str], _page: Page) -> Sequence[Row]:
    return await read.rows(reads.unread_count(), keys=ids)


@loader("notification.rule_by_id")
async def rule_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(reads.rules_by_id(columns), keys=ids)


@loader("notification.rules_by_user", shape="many")
async def rules_by_user(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """The oldest first."""
    return await read.rows(reads.rules_by_user(columns), keys=ids)


@loader("notification.conditions")
async def conditions(_read: Read, texts: Sequence[str], columns: Columns) -> Sequence[Any]:
    """What a rule's conditions say, by themselves as they are stored."""
    return [computed_row(text, columns, _said(text)) for text in texts]


@loader("notification.hours")
async def hours(_read: Read, texts: Sequence[str], columns: Columns) -> Sequence[Any]:
    """A time of day, by itself as `_said` writes it."""
    return [computed_row(text, columns, dict(zip(("start", "end"), text.split("-"), strict=True))) for text in texts]


def _said(text: str) -> dict[str, Any]:
    given = rules.from_json(orjson.loads(text))
    hours = given.time_of_day
    return {
        "amount_threshold": None if given.amount_threshold is None else f"{given.amount_threshold:f}",
        "currency": given.currency,
        "category_ids": [to_global_id("Category", category) for category in given.categories],
        "budget_ids": [to_global_id("Budget", str(budget)) for budget in given.budgets],
        "time_of_day": None if hours is None else f"{hours.start:%H:%M}-{hours.end:%H:%M}",
        "days_of_week": list(given.days_of_week),
    }


@loader("notification.template_page", shape="page")
async def template_page(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """All of them under the one key there is."""
    narrowed = read_template_filter(page.filter)
    statement = reads.template_page(columns, narrowed.criteria(), after=page.after is not None)
    return await read.rows(statement, key=ids[0], size=page.first + 1, **_after(page), **narrowed.values())


@loader("notification.template_count", shape="count")
async def template_count(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    narrowed = read_template_filter(page.filter)
    return await read.rows(reads.template_count(narrowed.criteria()), key=ids[0], **narrowed.values())


def _after(page: Page) -> dict[str, Any]:
    if page.after is None or page.order is None:
        return {}
    return {f"after_{name}": value for name, value in zip(page.order.columns, page.after, strict=True)}
