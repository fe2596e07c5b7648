"""How transactions, categories, patterns and months' sums are reached. One statement each, whatever the number of keys."""

from collections.abc import Sequence
from typing import Any

from db.connection import Row
from db.read import Read
from db.transaction.queries import categories as tree
from db.transaction.queries import deleted, origins, pairs, reads, reviews, series
from resolvers.loaders import Columns, Page, loader
from resolvers.transaction.inputs import (
    MonthlySummarySort,
    RecurringPatternSort,
    TransactionSort,
    read_category_filter,
    read_filter,
    read_pattern_filter,
    read_review_filter,
    read_summary_filter,
)


@loader("transaction.by_id")
async def by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(reads.transactions_by_id(columns), keys=ids)


@loader("transaction.page_by_user", shape="page")
async def page_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _page(read, "user_id", ids, columns, page)


@loader("transaction.count_by_user", shape="count")
async def count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    return await _count(read, "user_id", ids, page)


@loader("transaction.page_by_account", shape="page")
async def page_by_account(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _page(read, "account_id", ids, columns, page)


@loader("transaction.count_by_account", shape="count")
async def count_by_account(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    return await _count(read, "account_id", ids, page)


@loader("transaction.page_by_pattern", shape="page")
async def page_by_pattern(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _page(read, "recurring_series_id", ids, columns, page)


@loader("transaction.count_by_pattern", shape="count")
async def count_by_pattern(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    return await _count(read, "recurring_series_id", ids, page)


@loader("transaction.location_by_transaction", key="id")
async def location_by_transaction(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """Where each was made; nothing for one of which nobody says."""
    return await read.rows(reads.locations_by_transaction(columns), keys=ids)


@loader("transaction.payment_by_transaction", key="id")
async def payment_by_transaction(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """How each was paid; nothing for one of which nobody says."""
    return await read.rows(reads.payments_by_transaction(columns), keys=ids)


@loader("transaction.transfer_by_transaction")
async def transfer_by_transaction(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """The transfer that each is one end of; nothing for one that is in none."""
    return await read.rows(pairs.transfers_by_transaction(columns), keys=ids)


@loader("transaction.fields_by_transaction", shape="many")
async def fields_by_transaction(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """Who set which field of each."""
    return await read.rows(origins.fields_by_transaction(columns), keys=ids)


@loader("transaction.reviews_by_transaction", shape="many")
async def reviews_by_transaction(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """What is in doubt of each, or was decided, the newest first."""
    return await read.rows(reviews.reviews_by_transaction(columns), keys=ids)


@loader("transaction.review_by_id")
async def review_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(reviews.reviews_by_id(columns), keys=ids)


@loader("transaction.reviews_by_user", shape="page")
async def reviews_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """Of the viewer: nobody else can be the key."""
    narrowed = read_review_filter(page.filter)
    statement = reviews.review_page(columns, narrowed.criteria(), after=page.after is not None)
    return await read.rows(statement, key=ids[0], size=page.first + 1, **_after(page), **narrowed.values())


@loader("transaction.review_count_by_user", shape="count")
async def review_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    narrowed = read_review_filter(page.filter)
    return await read.rows(reviews.review_count(narrowed.criteria()), keys=ids, **narrowed.values())


@loader("transaction.deleted_by_id")
async def deleted_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """What can be had back."""
    return await read.rows(deleted.deleted_by_id(columns), keys=ids)


@loader("transaction.deleted_by_user", shape="page")
async def deleted_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """Of the viewer: nobody else can be the key."""
    statement = deleted.deleted_page(columns, after=page.after is not None)
    return await read.rows(statement, key=ids[0], size=page.first + 1, **_after(page))


@loader("transaction.deleted_count_by_user", shape="count")
async def deleted_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:  # noqa: ARG001 - every count has a page
    return await read.rows(deleted.deleted_count(), keys=ids)


@loader("transaction.category_by_id")
async def category_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """As the viewer has them, their own ones too."""
    return await read.rows(tree.categories_by_id(columns), keys=ids)


@loader("transaction.categories_by_parent", shape="many")
async def categories_by_parent(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """As the viewer has them, their own and hidden ones too."""
    return await read.rows(tree.categories_by_parent(columns), keys=ids)


@loader("transaction.categories", shape="many")
async def categories(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """Those that everybody has, as nobody has changed them, under the one key there is."""
    return await read.rows(tree.all_categories(columns), key=ids[0])


@loader("transaction.categories_by_user", shape="page")
async def categories_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """As the viewer has them. Nobody else can be the key."""
    narrowed = read_category_filter(page.filter)
    statement = tree.category_page(columns, narrowed.criteria(), after=page.after is not None)
    return await read.rows(statement, key=ids[0], size=page.first + 1, **_after(page), **narrowed.values())


@loader("transaction.category_count_by_user", shape="count")
async def category_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    narrowed = read_category_filter(page.filter)
    return await read.rows(tree.category_count(narrowed.criteria()), key=ids[0], **narrowed.values())


@loader("transaction.pattern_by_id")
async def pattern_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(series.patterns_by_id(columns), keys=ids)


@loader("transaction.patterns_by_user", shape="page")
async def patterns_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """Of the viewer: nobody else can be the key."""
    narrowed = read_pattern_filter(page.filter)
    sort = page.sort or RecurringPatternSort.NEXT_EXPECTED_ASC
    statement = series.pattern_page(columns, sort.value, narrowed.criteria(), after=page.after is not None)
    return await read.rows(statement, key=ids[0], size=page.first + 1, **_after(page), **narrowed.values(read.today))


@loader("transaction.pattern_count_by_user", shape="count")
async def pattern_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    narrowed = read_pattern_filter(page.filter)
    return await read.rows(series.pattern_count(narrowed.criteria()), keys=ids, **narrowed.values(read.today))


@loader("transaction.summaries_by_user", shape="page")
async def summaries_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """Of the viewer: nobody else can be the key."""
    narrowed = read_summary_filter(page.filter)
    sort = page.sort or MonthlySummarySort.MONTH_DESC
    statement = series.summary_page(columns, sort.value, narrowed.criteria(), after=page.after is not None)
    return await read.rows(statement, key=ids[0], size=page.first + 1, **_after(page), **narrowed.values())


@loader("transaction.summary_count_by_user", shape="count")
async def summary_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    narrowed = read_summary_filter(page.filter)
    return await read.rows(series.summary_count(narrowed.criteria()), keys=ids, **narrowed.values())


def _after(page: Page) -> dict[str, Any]:
    """The values of the row to go on after, as statements bind them."""
    if page.after is None or page.order is None:
        return {}
    return {f"after_{name}": value for name, value in zip(page.order.columns, page.after, strict=True)}


async def _page(read: Read, parent: str, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    """Up to `first` + 1 transactions per parent. A single parent is asked for by a statement that needs no join."""
    narrowed = read_filter(page.filter)
    sort = page.sort or TransactionSort.DATE_DESC
    values: dict[str, Any] = {"keys": ids} if len(ids) > 1 else {"key": ids[0]}
    values |= _after(page)
    after, many = page.after is not None, len(ids) > 1
    statement = reads.transaction_page(parent, columns, sort.value, narrowed.criteria(), after=after, many=many)
    return await read.rows(statement, size=page.first + 1, **values, **narrowed.values())


async def _count(read: Read, parent: str, ids: Sequence[str], page: Page) -> Sequence[Row]:
    narrowed = read_filter(page.filter)
    return await read.rows(reads.transaction_count(parent, narrowed.criteria()), keys=ids, **narrowed.values())
