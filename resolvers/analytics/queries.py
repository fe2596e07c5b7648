"""What analytics adds to people and to transactions."""

from db.analytics.queries import reads
from resolvers.analytics.inputs import (
    EmbeddingSort,
    InsightFilter,
    InsightSort,
    MerchantVoteSort,
    ModelQueryFilter,
    ModelQuerySort,
    SpendingPatternFilter,
    SpendingPatternSort,
    sorts_of,
)
from resolvers.fields import extends, links, page


@extends("User")
class UserAnalytics:
    insights = page(
        "Insight",
        loader="analytics.insights_by_user",
        count="analytics.insight_count_by_user",
        filter=InsightFilter,
        sorts=sorts_of(InsightSort, reads.INSIGHTS_BY, descending=True),
        description="What is worth knowing, the newest first; without what you put away and what is over, unless you ask for it.",
    )
    spending_patterns = page(
        "SpendingPattern",
        loader="analytics.patterns_by_user",
        count="analytics.pattern_count_by_user",
        filter=SpendingPatternFilter,
        sorts=sorts_of(SpendingPatternSort, reads.PATTERNS_BY, descending=True),
        description="Habits found in your transactions, the last observed first.",
    )
    model_queries = page(
        "ModelQuery",
        loader="analytics.model_queries_by_user",
        count="analytics.model_query_count_by_user",
        filter=ModelQueryFilter,
        sorts=sorts_of(ModelQuerySort, reads.QUERIES_BY, descending=True),
        description="What language models were asked with your data, the newest first.",
    )
    merchant_votes = page(
        "MerchantVote",
        loader="analytics.votes_by_user",
        count="analytics.vote_count_by_user",
        sorts=sorts_of(MerchantVoteSort, reads.VOTES_BY, descending=False),
        description="The categories that your own choices give to merchants, by name.",
    )
    embeddings = page(
        "TransactionEmbedding",
        loader="analytics.embeddings_by_user",
        count="analytics.embedding_count_by_user",
        sorts=sorts_of(EmbeddingSort, reads.EMBEDDINGS_BY, descending=True),
        description="What models were given of your transactions to find them by meaning, the newest first.",
    )


@extends("Transaction")
class TransactionAnalytics:
    embeddings = links(
        "TransactionEmbedding",
        loader="analytics.embeddings_by_transaction",
        size=2,
        description="What models were given of it to find it by meaning.",
    )
