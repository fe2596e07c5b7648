"""Statements that clients' queries are answered from: compiled once per shape, run on the driver."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, String, any_, bindparam, func, or_, select, true

from db.analytics.models import (
    insights,
    llm_query_cache,
    merchant_categories,
    merchant_category_votes,
    spending_patterns,
    transaction_embeddings,
)
from db.pages import count_of, page_of
from db.statements import Columns, compiled, is_one_of, leaf, owned, read_columns

#: The order of each list: the last column is unique within a user.
INSIGHTS_BY = ("created_at", "id")
PATTERNS_BY = ("last_observed_at", "id")
QUERIES_BY = ("created_at", "id")
VOTES_BY = ("merchant_name",)
EMBEDDINGS_BY = ("created_at", "transaction_id", "embedding_model")


@dataclass(frozen=True, slots=True)
class InsightFilter:
    """What a list of insights is narrowed to; None or False leaves a criterion out."""

    types: Sequence[str] | None = None
    priorities: Sequence[str] | None = None
    not_expired: bool = False
    not_dismissed: bool = False
    not_viewed: bool = False

    def criteria(self) -> tuple[str, ...]:
        return tuple(name for name in self.__slots__ if getattr(self, name) not in (None, False))

    def values(self) -> dict[str, Any]:
        return {f"by_{name}": getattr(self, name) for name in ("types", "priorities") if getattr(self, name) is not None}


def _insights_that(name: str) -> ColumnElement[bool]:
    rows = insights.c
    match name:
        case "types":
            return rows.type == any_(bindparam("by_types", type_=ARRAY(String)))
        case "priorities":
            return rows.priority == any_(bindparam("by_priorities", type_=ARRAY(String)))
        case "not_expired":
            return or_(rows.expires_at.is_(None), rows.expires_at > func.now())
        case "not_dismissed":
            return ~rows.dismissed
        case "not_viewed":
            return ~rows.viewed
    raise ValueError(name)


@compiled
def insights_by_id(columns: Columns) -> Select[Any]:
    return select(*read_columns(insights, columns, insights.c.id)).where(owned(insights), is_one_of(insights.c.id))


@compiled
def insight_page(columns: Columns, criteria: tuple[str, ...], *, after: bool, many: bool) -> Select[Any]:
    """Newest first."""
    wanted = [_insights_that(name) for name in criteria]
    return page_of(insights, "user_id", columns, INSIGHTS_BY, wanted, descending=True, after=after, many=many)


@compiled
def insight_count(criteria: tuple[str, ...]) -> Select[Any]:
    return count_of(insights, "user_id", [_insights_that(name) for name in criteria])


@compiled
def categories_by_insight(columns: Columns) -> Select[Any]:
    """The categories that each insight is about, in its order: `category_id`."""
    rows = insights
    each = func.unnest(rows.c.affected_categories).table_valued("category_id", with_ordinality="place").render_derived(name="each")
    shown = [each.c[name].label(name) for name in columns]
    found = select(leaf(rows.c.id).label("key"), *shown).select_from(rows.join(each, true()))
    return found.where(owned(rows), is_one_of(rows.c.id)).order_by(rows.c.id, each.c.place)


def _patterns_that(criteria: tuple[str, ...]) -> list[ColumnElement[bool]]:
    """`types` and `categories`, each one of an array."""
    columns = {"types": spending_patterns.c.pattern_type, "categories": spending_patterns.c.category}
    return [columns[name] == any_(bindparam(f"by_{name}", type_=ARRAY(String))) for name in criteria]


@compiled
def patterns_by_id(columns: Columns) -> Select[Any]:
    rows = spending_patterns
    return select(*read_columns(rows, columns, rows.c.id)).where(owned(rows), is_one_of(rows.c.id))


@compiled
def pattern_page(columns: Columns, criteria: tuple[str, ...], *, after: bool, many: bool) -> Select[Any]:
    """The last observed first."""
    wanted = _patterns_that(criteria)
    return page_of(spending_patterns, "user_id", columns, PATTERNS_BY, wanted, descending=True, after=after, many=many)


@compiled
def pattern_count(criteria: tuple[str, ...]) -> Select[Any]:
    return count_of(spending_patterns, "user_id", _patterns_that(criteria))


def _queries_of(criteria: tuple[str, ...]) -> list[ColumnElement[bool]]:
    """`type`: one of them, so that an index gives its queries in their order."""
    return [llm_query_cache.c.query_type == bindparam(f"by_{name}", type_=String) for name in criteria]


@compiled
def model_queries_by_id(columns: Columns) -> Select[Any]:
    """The viewer's own: what is everybody's is shown to nobody."""
    rows = llm_query_cache
    return select(*read_columns(rows, columns, rows.c.id)).where(owned(rows), is_one_of(rows.c.id))


@compiled
def model_query_page(columns: Columns, criteria: tuple[str, ...], *, after: bool, many: bool) -> Select[Any]:
    """Newest first."""
    return page_of(llm_query_cache, "user_id", columns, QUERIES_BY, _queries_of(criteria), descending=True, after=after, many=many)


@compiled
def model_query_count(criteria: tuple[str, ...]) -> Select[Any]:
    return count_of(llm_query_cache, "user_id", _queries_of(criteria))


def _stands() -> ColumnElement[bool]:
    """The vote is not withdrawn."""
    return merchant_category_votes.c.category.is_not(None)


@compiled
def votes_by_id(columns: Columns) -> Select[Any]:
    rows = merchant_category_votes
    return select(*read_columns(rows, columns, rows.c.id)).where(owned(rows), is_one_of(rows.c.id), _stands())


@compiled
def vote_page(columns: Columns, *, after: bool, many: bool) -> Select[Any]:
    """By the merchant's name."""
    return page_of(merchant_category_votes, "user_id", columns, VOTES_BY, [_stands()], descending=False, after=after, many=many)


@compiled
def vote_count() -> Select[Any]:
    return count_of(merchant_category_votes, "user_id", [_stands()])


@compiled
def merchants_by_name(columns: Columns) -> Select[Any]:
    """What is known of the merchants with these normalised names: everybody's."""
    rows = merchant_categories
    return select(*read_columns(rows, columns, rows.c.merchant_name)).where(is_one_of(rows.c.merchant_name))


@compiled
def embedding_page(columns: Columns, *, after: bool, many: bool) -> Select[Any]:
    """Newest first."""
    return page_of(transaction_embeddings, "user_id", columns, EMBEDDINGS_BY, descending=True, after=after, many=many)


@compiled
def embedding_count() -> Select[Any]:
    return count_of(transaction_embeddings, "user_id")


@compiled
def embeddings_by_transaction(columns: Columns) -> Select[Any]:
    rows = transaction_embeddings
    found = select(*read_columns(rows, columns, rows.c.transaction_id)).where(owned(rows), is_one_of(rows.c.transaction_id))
    return found.order_by(rows.c.embedding_model)
