"""How insights, habits, model queries, votes and embeddings are reached. One statement each, whatever the number of keys."""

from collections.abc import Sequence
from typing import Any

from db.analytics.queries import reads
from db.connection import Row
from db.read import Read
from db.statements import Statement
from resolvers.analytics.inputs import read_insight_filter, read_pattern_filter, read_query_filter
from resolvers.loaders import Columns, Page, loader


@loader("analytics.insight_by_id")
async def insight_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(reads.insights_by_id(columns), keys=ids)


@loader("analytics.insights_by_user", shape="page")
async def insights_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    narrowed = read_insight_filter(page.filter)
    statement = reads.insight_page(columns, narrowed.criteria(), **_shape(ids, page))
    return await _page(read, statement, ids, page, narrowed.values())


@loader("analytics.insight_count_by_user", shape="count")
async def insight_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    narrowed = read_insight_filter(page.filter)
    return await read.rows(reads.insight_count(narrowed.criteria()), keys=ids, **narrowed.values())


@loader("analytics.categories_by_insight", shape="many")
async def categories_by_insight(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """The ids of its categories, in its order."""
    return await read.rows(reads.categories_by_insight(columns), keys=ids)


@loader("analytics.pattern_by_id")
async def pattern_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(reads.patterns_by_id(columns), keys=ids)


@loader("analytics.patterns_by_user", shape="page")
async def patterns_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    said = read_pattern_filter(page.filter)
    return await _page(read, reads.pattern_page(columns, tuple(said), **_shape(ids, page)), ids, page, _bound(said))


@loader("analytics.pattern_count_by_user", shape="count")
async def pattern_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    said = read_pattern_filter(page.filter)
    return await read.rows(reads.pattern_count(tuple(said)), keys=ids, **_bound(said))


@loader("analytics.model_query_by_id")
async def model_query_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(reads.model_queries_by_id(columns), keys=ids)


@loader("analytics.model_queries_by_user", shape="page")
async def model_queries_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    said = read_query_filter(page.filter)
    return await _page(read, reads.model_query_page(columns, tuple(said), **_shape(ids, page)), ids, page, _bound(said))


@loader("analytics.model_query_count_by_user", shape="count")
async def model_query_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:
    said = read_query_filter(page.filter)
    return await read.rows(reads.model_query_count(tuple(said)), keys=ids, **_bound(said))


@loader("analytics.vote_by_id")
async def vote_by_id(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(reads.votes_by_id(columns), keys=ids)


@loader("analytics.votes_by_user", shape="page")
async def votes_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _page(read, reads.vote_page(columns, **_shape(ids, page)), ids, page, {})


@loader("analytics.vote_count_by_user", shape="count")
async def vote_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:  # noqa: ARG001 - as pages are counted
    return await read.rows(reads.vote_count(), keys=ids)


@loader("analytics.merchant_by_name")
async def merchant_by_name(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    return await read.rows(reads.merchants_by_name(columns), keys=ids)


@loader("analytics.embeddings_by_user", shape="page")
async def embeddings_by_user(read: Read, ids: Sequence[str], columns: Columns, page: Page) -> Sequence[Row]:
    return await _page(read, reads.embedding_page(columns, **_shape(ids, page)), ids, page, {})


@loader("analytics.embedding_count_by_user", shape="count")
async def embedding_count_by_user(read: Read, ids: Sequence[str], page: Page) -> Sequence[Row]:  # noqa: ARG001 - as pages are counted
    return await read.rows(reads.embedding_count(), keys=ids)


@loader("analytics.embeddings_by_transaction", shape="many")
async def embeddings_by_transaction(read: Read, ids: Sequence[str], columns: Columns) -> Sequence[Row]:
    """By the model's name."""
    return await read.rows(reads.embeddings_by_transaction(columns), keys=ids)


def _shape(ids: Sequence[str], page: Page) -> dict[str, bool]:
    return {"after": page.after is not None, "many": len(ids) > 1}


async def _page(read: Read, statement: Statement, ids: Sequence[str], page: Page, bound: dict[str, Any]) -> Sequence[Row]:
    """Up to `first` + 1 rows per parent. A single parent is asked for by a statement that needs no join."""
    values: dict[str, Any] = {"keys": ids} if len(ids) > 1 else {"key": ids[0]}
    if page.after is not None and page.order is not None:
        values |= {f"after_{name}": value for name, value in zip(page.order.columns, page.after, strict=True)}
    return await read.rows(statement, size=page.first + 1, **values, **bound)


def _bound(said: dict[str, Any]) -> dict[str, Any]:
    return {f"by_{name}": value for name, value in said.items()}
