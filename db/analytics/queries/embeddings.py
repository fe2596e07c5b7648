"""Embeddings of a user's transactions: storing, dropping, and finding the nearest.

Vectors come and go as pgvector's text, "[0.1,0.2]". A model is part of a statement's text, and must be one of `vectors.MODELS`.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Date,
    Integer,
    Select,
    String,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    column,
    delete,
    func,
    literal,
    literal_column,
    select,
    true,
)
from sqlalchemy import table as named_table
from sqlalchemy.dialects.postgresql import insert as upsert

from db.analytics.models import transaction_embeddings
from db.analytics.vectors import Vector, as_indexed, cosine_distance, indexed_type, is_of_model
from db.engines import WriteSession
from db.statements import as_arrays, compiled, given_rows, is_one_of, owned

#: How many candidates the index keeps while it looks; pgvector's default is 40. With 100 it misses 2 to 5 of 100, with 200 none to 1.
EF_SEARCH = 200
#: The version of pgvector whose index can look on.
ITERATES_SINCE = "{0,8}"

_extension = named_table("pg_extension", column("extname", Text), column("extversion", Text), schema="pg_catalog")


class Embedding(NamedTuple):
    """A transaction's text under one model. `embedding` has the model's dimensions, or the table refuses the row."""

    transaction_id: UUID
    transaction_date: date
    embedding_model: str
    embedding: str
    text_content: str | None


_GIVEN: dict[str, Any] = {
    "transaction_id": Uuid,
    "transaction_date": Date,
    "embedding_model": String,
    "embedding": Text,
    "text_content": Text,
}


async def store_embeddings(session: WriteSession, rows: Sequence[Embedding]) -> None:
    """Store the viewer's embeddings, each in the place of the one that its transaction had of its model.

    What a transaction is called by never changes in a row: one whose date has moved is another row.
    """
    given, table, values = given_rows(_GIVEN), transaction_embeddings, as_arrays((each._asdict() for each in rows), _GIVEN)
    same = and_(table.c.transaction_id == given.c.transaction_id, table.c.embedding_model == given.c.embedding_model)
    moved = select(literal(1)).select_from(given).where(same, table.c.transaction_date != given.c.transaction_date).exists()
    await session.run(delete(table).where(owned(table), moved), **values)
    taken = [cast(given.c[name], Vector()) if name == "embedding" else given.c[name] for name in _GIVEN]
    order = (given.c.transaction_id, given.c.embedding_model)
    row = upsert(table).from_select(["user_id", *_GIVEN], select(literal(session.viewer.user_id), *taken).order_by(*order))
    kept = {name: row.excluded[name] for name in ("embedding", "text_content")}
    stored = row.on_conflict_do_update(index_elements=["transaction_id", "embedding_model"], set_={**kept, "created_at": func.now()})
    await session.run(stored, **values)


async def delete_embeddings(session: WriteSession, transaction_ids: Sequence[UUID]) -> None:
    """Drop what every model made of these transactions of the viewer's."""
    rows = transaction_embeddings
    await session.run(delete(rows).where(owned(rows), is_one_of(rows.c.transaction_id)), keys=list(transaction_ids))


@compiled
def count_up_to(model: str) -> Select[Any]:
    """How many embeddings of the model the viewer has, counted no further than `most`."""
    rows = transaction_embeddings
    mine = select(literal(1)).where(owned(rows), is_of_model(rows.c.embedding_model, model)).limit(bindparam("most", type_=Integer))
    return select(func.count()).select_from(mine.subquery())


@compiled
def search_on() -> Select[Any]:
    """Have the index look on, until the end of this transaction, when what it finds is not the viewer's; answers whether it can.

    pgvector can since 0.8. Before, an index over everybody's vectors gives what it finds first, most of it not theirs. A plan that is
    made for any user takes an average one to have few, and sorts: it is made for this one.
    """
    version = cast(func.string_to_array(func.regexp_replace(_extension.c.extversion, "[^0-9.].*$", ""), "."), ARRAY(Integer))
    can = version >= literal_column(f"'{ITERATES_SINCE}'::integer[]")
    asked = and_(
        func.set_config("hnsw.iterative_scan", "strict_order", true()).is_not(None),
        func.set_config("hnsw.ef_search", str(EF_SEARCH), true()).is_not(None),
        func.set_config("plan_cache_mode", "force_custom_plan", true()).is_not(None),
    )
    return select(case((can, asked), else_=False)).where(_extension.c.extname == "vector")


@compiled
def nearest(model: str, *, by_index: bool) -> Select[Any]:
    """The viewer's transactions whose embeddings are nearest to `vector` by cosine: (transaction_id, transaction_date, distance).

    by_index: let the planner take the model's index, which looks through everybody's; else only the viewer's are looked at, all of
              them. Bound: `vector`, `size`.
    """
    rows = transaction_embeddings
    mine = and_(owned(rows), is_of_model(rows.c.embedding_model, model))
    found = (rows.c.transaction_id, rows.c.transaction_date)
    # in a query of its own, which runs once: a generic plan would else read the text anew for every row
    kind = indexed_type(model) if by_index else Vector()
    given = select(cast(bindparam("vector", type_=Text), kind)).scalar_subquery()
    if by_index:
        distance = cosine_distance(as_indexed(rows.c.embedding, model), given)
        nearest_first = select(*found, distance.label("distance")).where(mine).order_by(distance)
    else:
        # fenced, or the planner would take the index for a sorted list; the distance alone, or vectors would be written to disk
        distance = cosine_distance(rows.c.embedding, given)
        compared = select(*found, distance.label("distance")).where(mine).cte("compared").prefix_with("materialized", dialect="postgresql")
        nearest_first = select(*compared.c).order_by(compared.c.distance)
    return nearest_first.limit(bindparam("size", type_=Integer))
