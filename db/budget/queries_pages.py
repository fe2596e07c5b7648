"""What pages of the budget domain have in common: rows of a table per parent, in one of its orders, narrowed by criteria."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Date, Integer, Select, Table, Uuid, and_, any_, bindparam, column, func, select, true, tuple_

from db.statements import Columns, is_one_of, leaf, owned, read_columns

#: The sorts of these pages, by the column of the day they go by: newest first, oldest first.
NEWEST = "newest"
OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class Paged:
    """A table with rows by day, each of a budget or a goal: `parent`, by the column `parents`. Those of a deleted one are gone with it."""

    table: Table
    day: str
    parents: str
    parent: Table

    @property
    def order(self) -> tuple[str, str]:
        return (self.day, "id")

    def shown(self) -> ColumnElement[bool]:
        """The row is of a parent that is not deleted. Looked up row by row, so that a page is read in the order of its index."""
        of_it = and_(owned(self.parent), self.parent.c.id == self.table.c[self.parents], self.parent.c.deleted_at.is_(None))
        return select(self.parent.c.id).where(of_it).exists()

    def by_id(self, columns: Columns) -> Select[Any]:
        rows = self.table
        return select(*read_columns(rows, columns, rows.c.id)).where(owned(rows), is_one_of(rows.c.id), self.shown())

    def criterion(self, name: str) -> ColumnElement[bool]:
        """One criterion; its value is bound as `by_<name>`. Days are half-open: from `since` until before `until`."""
        rows = self.table.c
        match name:
            case "parents":
                return rows[self.parents] == any_(bindparam("by_parents", type_=ARRAY(Uuid)))
            case "since":
                return rows[self.day] >= bindparam("by_since", type_=Date)
            case "until":
                return rows[self.day] < bindparam("by_until", type_=Date)
        raise ValueError(name)

    def page(self, key_name: str, columns: Columns, sort: str, criteria: tuple[str, ...], *, after: bool, many: bool) -> Select[Any]:
        """A page for each parent, whose column is `key_name`.

        Bound: `keys` (the parents; one parent as `key`), `size`, the criteria's values; with `after`, the last seen row's
        `after_<column>` of the order.
        """
        rows, descending = self.table, sort == NEWEST
        wanted = [owned(rows), self.shown(), *(self.criterion(name) for name in criteria)]
        if after:
            seen = tuple_(*(bindparam(f"after_{name}", type_=rows.c[name].type) for name in self.order))
            mine = tuple_(*(rows.c[name] for name in self.order))
            wanted.append(mine < seen if descending else mine > seen)
        order = [rows.c[name].desc() if descending else rows.c[name].asc() for name in self.order]
        size, key = bindparam("size", type_=Integer), rows.c[key_name]
        if not many:
            of_one = key == bindparam("key", type_=Uuid)
            return select(*read_columns(rows, columns, key)).where(of_one, *wanted).order_by(*order).limit(size)
        parents = func.unnest(bindparam("keys", type_=ARRAY(Uuid))).table_valued(column("id", Uuid)).render_derived(name="parents")
        page = select(*read_columns(rows, columns, key)).where(key == parents.c.id, *wanted).order_by(*order).limit(size).lateral("page")
        return select(*page.c).select_from(parents.join(page, true()))

    def count(self, key_name: str, criteria: tuple[str, ...]) -> Select[Any]:
        """How many rows each parent has under the criteria: (key, count)."""
        key = self.table.c[key_name]
        wanted = [owned(self.table), self.shown(), is_one_of(key), *(self.criterion(name) for name in criteria)]
        return select(leaf(key).label("key"), func.count().label("count")).where(*wanted).group_by(key)


def criteria_of(given: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The names of the criteria that are given, and their values as statements take them."""
    said = {name: value for name, value in given.items() if value is not None}
    return tuple(said), {f"by_{name}": value for name, value in said.items()}
