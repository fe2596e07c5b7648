"""Keyset pages of a user's rows: the same statement for every list, whoever its parent is."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, FromClause, Integer, Select, Uuid, bindparam, column, func, select, true, tuple_

from db.statements import Columns, is_one_of, leaf, owned, read_columns


def page_of(
    rows: FromClause,
    parent: str,
    columns: Columns,
    order: Sequence[str],
    wanted: Sequence[ColumnElement[bool]] = (),
    *,
    descending: bool,
    after: bool,
    many: bool,
) -> Select[Any]:
    """A page of the viewer's rows for each parent, whose column (a UUID) is `parent`; of rows that are `wanted`.

    order:  the columns to order by, all in one direction, the last one unique within the parent.
    Bound: `keys` (the parents; one parent as `key`, which needs no join), `size`, what `wanted` binds; with `after`, the last seen
    row's `after_<column>` of the order.
    """
    conditions = [owned(rows), *wanted]
    if after:
        seen = tuple_(*(bindparam(f"after_{name}", type_=rows.c[name].type) for name in order))
        mine = tuple_(*(rows.c[name] for name in order))
        conditions.append(mine < seen if descending else mine > seen)
    places = [rows.c[name].desc() if descending else rows.c[name].asc() for name in order]
    size, key = bindparam("size", type_=Integer), rows.c[parent]
    if not many:
        mine_only = key == bindparam("key", type_=Uuid)
        return select(*read_columns(rows, columns, key)).where(mine_only, *conditions).order_by(*places).limit(size)
    parents = func.unnest(bindparam("keys", type_=ARRAY(Uuid))).table_valued(column("id", Uuid)).render_derived(name="parents")
    page = select(*read_columns(rows, columns, key)).where(key == parents.c.id, *conditions).order_by(*places).limit(size).lateral("page")
    return select(*page.c).select_from(parents.join(page, true()))


def count_of(rows: FromClause, parent: str, wanted: Sequence[ColumnElement[bool]] = ()) -> Select[Any]:
    """How many of the viewer's rows that are `wanted` each parent has: (key, count)."""
    key = rows.c[parent]
    return select(leaf(key).label("key"), func.count().label("count")).where(owned(rows), is_one_of(key), *wanted).group_by(key)
