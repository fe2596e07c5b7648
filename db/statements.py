"""Statements of the read path: SQLAlchemy Core, compiled once per shape, run on the driver's own connection.

A shape is a function of hashable arguments (usually the columns a plan reads) that returns a Core SELECT.
Values never take part in it: they are bound by name when it runs, so its text is as constant as its plan.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any, NamedTuple, ParamSpec
from typing import cast as cast_type

from sqlalchemy import ARRAY, ColumnElement, FromClause, Numeric, Select, Text, Time, Uuid, any_, bindparam, cast, column, func
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import TypeEngine

P = ParamSpec("P")
Columns = tuple[str, ...]

#: Shapes kept per statement function. Clients choose columns, so this is a bound, not an estimate.
SHAPES_KEPT = 1_000

_dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
_clear: list[Callable[[], None]] = []


class Statement(NamedTuple):
    """SQL text, the names of its positional parameters, and the values of those that are literals of the shape."""

    sql: str
    names: tuple[str, ...]
    literals: dict[str, Any]

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        literals = self.literals
        return [values[name] if name in values else literals[name] for name in self.names]


def compiled(build: Callable[P, Select[Any]]) -> Callable[P, Statement]:
    """Compile the SELECT that `build` returns once per distinct arguments."""

    @lru_cache(maxsize=SHAPES_KEPT)
    def make(*args: Any, **kwargs: Any) -> Statement:
        text = build(*args, **kwargs).compile(dialect=_dialect)
        names = tuple(text.positiontup or ())
        literals = {name: value for name, value in text.params.items() if value is not None}
        return Statement(str(text), names, literals)

    _clear.append(make.cache_clear)
    return cast_type(Callable[P, Statement], wraps(build)(make))


def forget_compiled() -> None:
    """Compile every shape anew on its next use."""
    for clear in _clear:
        clear()


def owned(table: FromClause) -> ColumnElement[bool]:
    """The one owner filter of every owner-scoped statement: the row belongs to the viewer (bound as `viewer`)."""
    return _owner_filter(table)


def _is_the_viewers(table: FromClause) -> ColumnElement[bool]:
    owner = table.c.id if getattr(table, "name", "") == "users" else table.c.user_id
    return owner == bindparam("viewer", type_=Uuid)


#: Replaced by one test, which shows that the database refuses on its own what this filter forgets.
_owner_filter: Callable[[FromClause], ColumnElement[bool]] = _is_the_viewers


def leaf(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column as clients see it: exact numbers and ids leave Postgres as text, so Python never converts them.

    So do times of day ("09:00") and addresses (without a mask).
    """
    kind = column.type
    if isinstance(kind, Uuid) or type(kind) is Numeric:
        return cast(column, Text)
    if isinstance(kind, ARRAY) and type(kind.item_type) is Numeric:
        return cast(column, ARRAY(Text))
    if isinstance(kind, Time):
        return func.left(cast(column, Text), len("09:00"))
    if isinstance(kind, INET):
        return func.host(column)
    return column


def read_columns(table: FromClause, columns: Sequence[str], key: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """What a loader selects: its key first, as `key`, then the named columns in their order."""
    return [leaf(key).label("key"), *(leaf(table.c[name]).label(name) for name in columns)]


def is_one_of(column: ColumnElement[Any], name: str = "keys") -> ColumnElement[bool]:
    """The column equals any element of the array bound as `name`."""
    kind: TypeEngine[Any] = column.type
    return column == any_(bindparam(name, type_=ARRAY(kind)))


def given_rows(kinds: Mapping[str, Any]) -> TableValuedAlias:
    """A table `given` of rows that the caller binds as parallel arrays, each under its column's name with `_s` after it."""
    arrays = [bindparam(f"{name}_s", type_=ARRAY(kind)) for name, kind in kinds.items()]
    return func.unnest(*arrays).table_valued(*(column(name, kind) for name, kind in kinds.items())).render_derived(name="given")


def as_arrays(rows: Iterable[Mapping[str, Any]], kinds: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The rows as what `given_rows` of these kinds takes."""
    kept = list(rows)
    return {f"{name}_s": [row[name] for row in kept] for name in kinds}
