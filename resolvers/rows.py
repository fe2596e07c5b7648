"""Rows that are computed when read, in the shape of those that the driver brings."""

from collections import namedtuple
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from db.statements import SHAPES_KEPT
from resolvers.loaders import Columns


@lru_cache(maxsize=SHAPES_KEPT)
def _row_type(columns: Columns) -> Any:
    return namedtuple("ComputedRow", ("key", *columns))


def computed_row(key: str, columns: Columns, values: Mapping[str, Any]) -> Any:
    """A row of these columns: its key at position 0, then the values in the order asked, by attribute too."""
    return _row_type(columns)(key, *[values[name] for name in columns])
