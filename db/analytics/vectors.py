"""Embeddings as Postgres stores and compares them: the models that are known, and pgvector's types and operators, with their schema."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Float, cast, literal_column
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType

from db.base import EXTENSIONS_SCHEMA

#: Model -> dimensions of its vectors. The table refuses any other: a vector has the length of its model's.
MODELS: Final[Mapping[str, int]] = {
    "text-embedding-ada-002": 1536,
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "all-MiniLM-L6-v2": 384,
    "l2_supercat_256": 256,
}
#: HNSW takes `vector` up to here; beyond, `halfvec` (half the precision, up to 4,000), which pgvector has since 0.7.
VECTOR_DIMENSIONS_AT_MOST: Final = 2_000


class Vector(UserDefinedType[str]):
    """pgvector's `vector` or `halfvec`, as its text: "[0.1,0.2]"."""

    cache_ok = True

    def __init__(self, dimensions: int | None = None, name: str = "vector") -> None:
        self.dimensions = dimensions
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        size = "" if self.dimensions is None else f"({self.dimensions})"
        return f"{EXTENSIONS_SCHEMA}.{self.name}{size}"


#: So that the look for drift between models and tables knows what it sees.
ischema_names[f"{EXTENSIONS_SCHEMA}.vector"] = Vector


def indexed_type(model: str) -> Vector:
    """The type that the model's index is over. Errors: KeyError for a model that is not known."""
    dimensions = MODELS[model]
    return Vector(dimensions, "vector" if dimensions <= VECTOR_DIMENSIONS_AT_MOST else "halfvec")


def index_name(model: str) -> str:
    return "ix_transaction_embeddings_" + "".join(each if each.isalnum() else "_" for each in model.lower())


def cosine_distance(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    """From 0 (the same direction) to 2 (the opposite)."""
    return one.op(f"operator({EXTENSIONS_SCHEMA}.<=>)", return_type=Float(53))(other)


def is_of_model(column: ColumnElement[str], model: str) -> ColumnElement[bool]:
    """The model is part of the statement's text: bound, it would keep a generic plan from the partial index.

    Errors: KeyError for a model that is not known, so that no text of a client's gets here.
    """
    return column == literal_column(f"'{_known(model)}'")


def as_indexed(column: ColumnElement[Any], model: str) -> ColumnElement[Any]:
    """The expression that the model's index is over."""
    return cast(column, indexed_type(model))


def lengths_check() -> str:
    """The condition that a vector has its model's dimensions; that the model is known, another check says."""
    cases = " ".join(f"when '{model}' then {dimensions}" for model, dimensions in MODELS.items())
    return f"{EXTENSIONS_SCHEMA}.vector_dims(embedding) = case embedding_model {cases} end"


def _known(model: str) -> str:
    if model not in MODELS:
        raise KeyError(model)
    return model
