"""What lists of analytics are narrowed to, and what a user says of an insight."""

import enum
from collections.abc import Sequence
from typing import Any

import strawberry

from db.analytics.queries.reads import InsightFilter as Narrowed
from resolvers.errors import BadUserInput
from resolvers.fields import Sort, choice, text_from_global_id

ENTRIES_AT_MOST = 100


@strawberry.enum(description="What an insight is about.")
class InsightType(enum.Enum):
    SAVINGS_OPPORTUNITY = choice("savings_opportunity", "Money that need not be spent.")
    SPENDING_SPIKE = choice("spending_spike", "Much more was spent than usual.")
    FORECAST = choice("forecast", "What is likely to come.")
    CATEGORY_TREND = choice("category_trend", "A category that grows or shrinks over time.")


@strawberry.enum(description="How much an insight matters.")
class InsightPriority(enum.Enum):
    LOW = choice("low", "Good to know.")
    MEDIUM = choice("medium", "Worth a look.")
    HIGH = choice("high", "Worth doing something about.")


@strawberry.enum(description="What its reader thinks of an insight.")
class InsightFeedback(enum.Enum):
    HELPFUL = choice("helpful", "It helped.")
    NOT_HELPFUL = choice("not_helpful", "It did not.")


@strawberry.enum(description="What a habit goes by.")
class SpendingPatternType(enum.Enum):
    SEASONAL = choice("seasonal", "The time of the year.")
    DAY_OF_WEEK = choice("day_of_week", "The day of the week.")
    TIME_OF_DAY = choice("time_of_day", "The time of the day.")
    LOCATION_BASED = choice("location_based", "The place.")


@strawberry.enum(description="What a model was asked for.")
class ModelQueryType(enum.Enum):
    CATEGORIZATION = choice("categorization", "The category of a transaction or a merchant.")
    INSIGHT = choice("insight", "Something worth telling.")
    NATURAL_LANGUAGE_QUERY = choice("natural_language_query", "An answer to a question in your own words.")


@strawberry.enum(description="The order of a list of insights.")
class InsightSort(enum.Enum):
    NEWEST = choice("newest", "By `createdAt`, the newest first.")


@strawberry.enum(description="The order of a list of spending patterns.")
class SpendingPatternSort(enum.Enum):
    LAST_OBSERVED = choice("last_observed", "By `lastObservedAt`, the latest first.")


@strawberry.enum(description="The order of a list of model queries.")
class ModelQuerySort(enum.Enum):
    NEWEST = choice("newest", "By `createdAt`, the newest first.")


@strawberry.enum(description="The order of a list of votes.")
class MerchantVoteSort(enum.Enum):
    NAME = choice("name", "By the merchant's name.")


@strawberry.enum(description="The order of a list of embeddings.")
class EmbeddingSort(enum.Enum):
    NEWEST = choice("newest", "By `createdAt`, the newest first.")


def sorts_of(kind: type[enum.Enum], columns: tuple[str, ...], *, descending: bool) -> dict[enum.Enum, Sort]:
    """The one order that a list has, as its sort."""
    return {each: Sort(columns, descending) for each in kind}


def _optional(description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description)


@strawberry.input(description="Narrows a list of insights. All that is given must hold; an empty list matches nothing.")
class InsightFilter:
    types: list[InsightType] | None = _optional("Of any of these types.")
    priorities: list[InsightPriority] | None = _optional("Of any of these priorities.")
    include_dismissed: bool | None = _optional("Also those you put away. By default false.")
    include_expired: bool | None = _optional("Also those whose `expiresAt` is over. By default false.")
    only_unviewed: bool | None = _optional("Only those not seen yet. By default false.")


@strawberry.input(description="Narrows a list of spending patterns. All that is given must hold; an empty list matches nothing.")
class SpendingPatternFilter:
    types: list[SpendingPatternType] | None = _optional("Of any of these types.")
    category_ids: list[strawberry.ID] | None = _optional("In any of these categories, at most 100.")


@strawberry.input(description="Narrows a list of model queries.")
class ModelQueryFilter:
    type: ModelQueryType | None = _optional("Only of this type.")


@strawberry.input(description="Which insight was seen.")
class InsightMarkViewedInput:
    id: strawberry.ID = strawberry.field(description="The insight.")


@strawberry.input(description="Which insight to put away, or to take back.")
class InsightDismissInput:
    id: strawberry.ID = strawberry.field(description="The insight.")
    dismissed: bool = strawberry.field(default=True, description="False takes it back.")


@strawberry.input(description="What you think of an insight.")
class InsightRateInput:
    id: strawberry.ID = strawberry.field(description="The insight.")
    feedback: InsightFeedback | None = strawberry.field(default=None, description="Whether it helped; null, or nothing, takes it back.")


def read_insight_filter(given: InsightFilter | None) -> Narrowed:
    """What the statements take. Errors: BadUserInput."""
    said = _said(given)
    return Narrowed(
        types=_values("types", said.get("types")),
        priorities=_values("priorities", said.get("priorities")),
        not_expired=not said.get("include_expired"),
        not_dismissed=not said.get("include_dismissed"),
        not_viewed=bool(said.get("only_unviewed")),
    )


def read_pattern_filter(given: SpendingPatternFilter | None) -> dict[str, Any]:
    """Criterion -> its value. What is no id matches as little as an id that is not there. Errors: BadUserInput."""
    said = _said(given)
    ids = said.get("category_ids")
    _check("categoryIds", ids)
    keys = None if ids is None else [key for each in ids if (key := text_from_global_id(each, "Category")) is not None]
    found = {"types": _values("types", said.get("types")), "categories": keys}
    return {name: value for name, value in found.items() if value is not None}


def read_query_filter(given: ModelQueryFilter | None) -> dict[str, Any]:
    """Criterion -> its value."""
    said = _said(given)
    return {"type": said["type"].value} if said.get("type") else {}


def _said(given: Any) -> dict[str, Any]:
    return {} if given is None else {name: value for name, value in vars(given).items() if value not in (None, strawberry.UNSET)}


def _values(name: str, given: Sequence[enum.Enum] | None) -> list[str] | None:
    _check(name, given)
    return None if given is None else [each.value for each in given]


def _check(name: str, given: Sequence[Any] | None) -> None:
    if given is not None and len(given) > ENTRIES_AT_MOST:
        raise BadUserInput(f"`filter.{name}` may have {ENTRIES_AT_MOST} entries at most.", argument="filter")
