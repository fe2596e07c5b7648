"""Embeddings of transactions: keeping them, and finding what is near."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from db.analytics.queries import embeddings as queries
from db.analytics.queries.embeddings import Embedding
from db.analytics.vectors import MODELS
from db.engines import WriteSession
from db.read import Read

#: Rows per statement: a row of 3,072 dimensions is some 40 KB of text.
CHUNK = 200
#: Up to so many numbers in vectors of the viewer's, all of them are compared: 3,255 vectors of 1,536 dimensions, 19,531 of 256.
#: Measured with pgvector 0.8.6 on two cores, 25,500 vectors of 1,536 dimensions and 68,500 of 256, all in memory (2026-11): comparing
#: 3,500 of the former takes 11 ms at the median and 15 at p95 (10,000: 35 and 47), 20,000 of the latter 12 and 15. The index, beside
#: other work: 15 ms for 3,500 of the former where comparing took 29, 18 for 10,000 where it took 88, 3 for 20,000 of the latter where
#: it took 39. Its recall@10 was 0.9975, 1.0 and 0.9925.
NUMBERS_COMPARED_AT_MOST = 5_000_000


class Near(NamedTuple):
    """A transaction, and how far it is: 0 (the same direction) to 2 (the opposite)."""

    transaction_id: UUID
    transaction_date: date
    distance: float


class UnknownModel(ValueError):
    """No model of that name is known, or its vectors have another length. A mistake of ours: no client names a model."""


async def store_embeddings(session: WriteSession, rows: Sequence[Embedding]) -> None:
    """Keep what models made of the viewer's transactions, each in the place of what the same model made before."""
    for start in range(0, len(rows), CHUNK):
        await queries.store_embeddings(session, rows[start : start + CHUNK])


async def find_nearest(read: Read, model: str, vector: Sequence[float], count: int) -> list[Near]:
    """Up to `count` of the viewer's transactions whose embeddings are nearest to `vector` by cosine, the nearest first.

    Exact for whoever has few (`NUMBERS_COMPARED_AT_MOST`), and on servers whose index stops before it has found enough that is the
    viewer's (pgvector before 0.8). Else the index looks, which may miss some.
    Errors: UnknownModel.
    """
    if MODELS.get(model) != len(vector):
        raise UnknownModel(f"{model}: {len(vector)} dimensions")
    by_index = await _has_many(read, model) and bool(await read.value(queries.search_on()))
    found = await read.rows(queries.nearest(model, by_index=by_index), vector=as_text(vector), size=count)
    return [Near(*row) for row in found]


def as_text(vector: Sequence[float]) -> str:
    """A vector as pgvector reads it."""
    return f"[{','.join(map(repr, map(float, vector)))}]"


async def _has_many(read: Read, model: str) -> bool:
    most = NUMBERS_COMPARED_AT_MOST // MODELS[model]
    return bool(await read.value(queries.count_up_to(model), most=most + 1) > most)
