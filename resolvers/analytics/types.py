"""Insights, habits, what models were asked, what users say of merchants, and embeddings."""

import enum
from datetime import date, datetime
from decimal import Decimal

import strawberry

from resolvers.analytics.inputs import InsightFeedback, InsightPriority, InsightType, ModelQueryType, SpendingPatternType
from resolvers.fields import JSON, Node, choice, column, entity, link, links, money, value


@strawberry.enum(description="Who found an insight.")
class InsightSource(enum.Enum):
    LLM = choice("llm", "A language model.")
    RULE_ENGINE = choice("rule_engine", "Rules.")


@strawberry.enum(description="Who says what a merchant's category is.")
class MerchantCategorySource(enum.Enum):
    LLM = choice("llm", "A language model.")
    USER = choice("user", "Users, at least three of whom agree.")
    RULE = choice("rule", "A rule.")


@entity(loader="analytics.insight_by_id")
class Insight(Node):
    """Something worth knowing about your money."""

    type = column(InsightType, description="What it is about.")
    priority = column(InsightPriority, description="How much it matters.")
    title = column(str, description="It in a few words.")
    description = column(str, description="It in full.")
    actionable_advice = column(str | None, description="What to do about it.")
    data = column(JSON, description="The figures behind it, an object whose form depends on the type. Amounts in it are strings.")
    affected_categories = links(
        "AffectedCategory", loader="analytics.categories_by_insight", size=3, description="What it is about, the most important first."
    )
    time_period_start = column(date | None, description="The first day that it looks at.")
    time_period_end = column(date | None, description="The day after the last one that it looks at.")
    viewed = column(bool, description="Whether you have seen it.")
    viewed_at = column(datetime | None, description="When you first saw it.")
    dismissed = column(bool, description="Whether you put it away.")
    dismissed_at = column(datetime | None, description="When you put it away.")
    feedback = column(InsightFeedback | None, description="What you think of it; null if you did not say.")
    generated_by = column(InsightSource, description="Who found it.")
    model_version = column(str | None, description="Which model, or version of the rules, found it.")
    confidence = column(Decimal | None, description="How sure that is, 0 to 1; null where nobody says.")
    created_at = column(datetime, description="When it was found.")
    expires_at = column(datetime | None, description="When it is no longer worth knowing; null: never.")


@value
class AffectedCategory:
    """A category that an insight is about."""

    category = link("Category", key="category_id", description="The category; null if there is no such category any more.")


@entity(loader="analytics.pattern_by_id")
class SpendingPattern(Node):
    """A habit that was found in your transactions."""

    type = column(SpendingPatternType, "pattern_type", description="What it goes by.")
    category = link("Category", key="category", description="The category it is of; null: of any.")
    merchant_name = column(str | None, description="The merchant it is of; null: of any.")
    data = column(JSON, "pattern_data", description="Its figures, an object whose form depends on the type. Amounts in it are strings.")
    frequency = column(str | None, description="How often it comes back, in a word.")
    average_amount = money("avg_amount", nullable=True, description="What it comes to each time, on average.")
    confidence = column(Decimal | None, description="How sure it is, 0 to 1; null where nobody says.")
    sample_size = column(int | None, description="How many transactions it was found in.")
    first_detected_at = column(datetime, description="When it was found.")
    last_observed_at = column(datetime, description="When it was last seen to hold.")


@entity(loader="analytics.model_query_by_id")
class ModelQuery(Node):
    """What a language model was asked for you, kept with its answer so that the same question costs once."""

    type = column(ModelQueryType, "query_type", description="What for.")
    text = column(str, "query_text", description="What was asked, word for word.")
    response = column(JSON, description="What the model answered.")
    model = column(str, description="Which model it was.")
    tokens_used = column(int | None, description="How many tokens that took, of question and answer.")
    cost_usd = column(Decimal | None, description="What that cost, in US dollars, with six digits after the point.")
    hit_count = column(int, description="How often the answer was used again.")
    last_used_at = column(datetime, description="When it was last used.")
    created_at = column(datetime, description="When it was asked.")
    expires_at = column(datetime | None, description="Until when the answer is used; null: for good.")


@entity(loader="analytics.vote_by_id")
class MerchantVote(Node):
    """The category that your own choices give to a merchant: new transactions of it get this one. Nobody else sees it."""

    merchant_name = column(str, description="The merchant, in small letters.")
    category = link("Category", key="category", description="The category at the top.")
    category_detailed = link("Category", key="category_detailed", description="Its finer kind; null if you chose none.")
    voted_at = column(datetime, description="Since when you say so.")
    everybody = link(
        "MerchantCategory",
        key="merchant_name",
        loader="analytics.merchant_by_name",
        description="What imports of those who say nothing go by; null where nothing is known.",
    )


@value
class MerchantCategory:
    """What is known of a merchant in general. Of what users say, only that on which at least three agree."""

    merchant_name = column(str, description="The merchant, in small letters.")
    category = link("Category", key="category", description="The category at the top.")
    category_detailed = link("Category", key="category_detailed", description="Its finer kind; null where none is agreed on.")
    confidence = column(Decimal | None, description="How sure that is, 0 to 1: of users, the share that agrees.")
    source = column(MerchantCategorySource, "categorized_by", description="Who says so.")
    user_count = column(int, description="How many users do.")
    last_seen_at = column(datetime, description="When somebody last said so.")


@value
class TransactionEmbedding:
    """What a model made of a transaction's text, to find transactions by meaning. The numbers themselves say nothing to anybody."""

    transaction = link("Transaction", key="transaction_id", description="The transaction; null once it is gone.")
    model = column(str, "embedding_model", description="Which model it was.")
    text = column(str | None, "text_content", description="What it was given to read.")
    created_at = column(datetime, description="When it did.")
