"""Categories as their viewer has them: the default ones under the viewer's overrides, and the viewer's own.

`categories` is the same for everybody; `user_categories` holds what differs. Nobody's own category is anything to anybody else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    String,
    Subquery,
    Text,
    and_,
    any_,
    bindparam,
    column,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from db.statements import Columns, compiled, is_one_of, owned
from db.transaction.models import categories, user_categories

#: The one order of a page of categories: a parent, then its children.
SORT = ("sort_order", "id")
_SORT_KINDS = {"sort_order": Integer, "id": String}
_NEVER = literal_column("false", Boolean)


def tree() -> Subquery:
    """(id, parent_id, type) of every category that there is for the viewer: what sums and criteria go by.

    A full join, where a union would read as well: of a union the planner made parallel plans, whose workers took longer to start than all
    of a fold takes (14 ms, measured).
    """
    mine = _mine()
    shown = _effective(mine)
    columns = [shown[name].label(name) for name in ("id", "parent_id", "type")]
    return select(*columns).select_from(_everything(mine)).where(shown["type"].is_not(None)).subquery("tree")


def family(roots: ColumnElement[Any]) -> ColumnElement[Any]:
    """An array of these categories (an array of ids) and their children, computed once per statement."""
    known = tree()
    members = select(known.c.id).where(or_(known.c.id == any_(roots), known.c.parent_id == any_(roots)))
    return func.array(members.scalar_subquery())


def type_of(category: ColumnElement[Any]) -> ColumnElement[Any]:
    """expense, income or transfer; NULL for what is no category of the viewer's."""
    known = tree()
    return select(known.c.type).where(known.c.id == category).scalar_subquery()


# Reads for clients


def _effective(mine: FromClause) -> dict[str, ColumnElement[Any]]:
    """What a category is to its viewer, over a join of its default and the viewer's row, either of which may be missing."""
    theirs = categories.c
    by_default: dict[str, ColumnElement[Any]] = {
        name: func.coalesce(theirs[name], mine.c[name]) for name in ("parent_id", "type", "sort_order")
    }
    by_user: dict[str, ColumnElement[Any]] = {name: func.coalesce(mine.c[name], theirs[name]) for name in ("display_name", "icon", "color")}
    return {
        "id": func.coalesce(theirs.id, mine.c.category_id),
        **by_default,
        **by_user,
        "is_hidden": func.coalesce(mine.c.is_hidden, _NEVER),
        "is_own": theirs.id.is_(None),
    }


def _default(name: str) -> ColumnElement[Any]:
    """The same of a default category as everybody has it."""
    return _NEVER if name in ("is_hidden", "is_own") else categories.c[name]


def _mine() -> Subquery:
    return select(user_categories).where(owned(user_categories)).subquery("mine")


def _read(of: Callable[[str], ColumnElement[Any]], columns: Columns, key: ColumnElement[Any]) -> Select[Any]:
    return select(key.label("key"), *(of(name).label(name) for name in columns))


@compiled
def categories_by_id(columns: Columns) -> Select[Any]:
    """As the viewer has them: from the keys, so that each is two look-ups, whether or not the viewer has a row."""
    mine = _mine()
    shown = _effective(mine)
    wanted = func.unnest(bindparam("keys", type_=ARRAY(String))).table_valued(column("id", String)).render_derived(name="wanted")
    found = wanted.outerjoin(categories, categories.c.id == wanted.c.id).outerjoin(mine, mine.c.category_id == wanted.c.id)
    return _read(shown.__getitem__, columns, shown["id"]).select_from(found).where(shown["type"].is_not(None))


def _everything(mine: Subquery) -> FromClause:
    """A viewer has a few hundred categories at most, so they are joined whole."""
    return categories.outerjoin(mine, categories.c.id == mine.c.category_id, full=True)


@compiled
def categories_by_parent(columns: Columns) -> Select[Any]:
    """As the viewer has them, hidden ones too."""
    mine = _mine()
    shown = _effective(mine)
    there = and_(shown["type"].is_not(None), is_one_of(shown["parent_id"]))
    order = [shown[name] for name in SORT]
    return _read(shown.__getitem__, columns, shown["parent_id"]).select_from(_everything(mine)).where(there).order_by(*order)


@compiled
def all_categories(columns: Columns) -> Select[Any]:
    """Every default category in the order to show, under the one key bound as `key`, as nobody has changed it."""
    order = [categories.c[name] for name in SORT]
    return _read(_default, columns, bindparam("key", type_=Text)).select_from(categories).order_by(*order)


@dataclass(frozen=True, slots=True)
class CategoryFilter:
    """What a list is narrowed to; None leaves a criterion out. Hidden ones are in it only when asked for."""

    include_hidden: bool | None = None
    own: bool | None = None
    type: str | None = None

    def criteria(self) -> tuple[str, ...]:
        """Names of what narrows; the shape of a statement."""
        wanted = {"shown": not self.include_hidden, "own": self.own is True, "default": self.own is False, "type": self.type is not None}
        return tuple(name for name, is_wanted in wanted.items() if is_wanted)

    def values(self) -> dict[str, Any]:
        return {} if self.type is None else {"by_type": self.type}


def _criterion(name: str, shown: dict[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    match name:
        case "shown":
            return ~shown["is_hidden"]
        case "own":
            return shown["is_own"]
        case "default":
            return ~shown["is_own"]
        case "type":
            return shown["type"] == bindparam("by_type", type_=String)
    raise ValueError(name)


def _narrowed(mine: Subquery, shown: dict[str, ColumnElement[Any]], what: Select[Any], criteria: tuple[str, ...]) -> Select[Any]:
    there = [shown["type"].is_not(None), *(_criterion(name, shown) for name in criteria)]
    return what.select_from(_everything(mine)).where(*there)


@compiled
def category_page(columns: Columns, criteria: tuple[str, ...], *, after: bool) -> Select[Any]:
    """A page of the viewer's categories under the one key bound as `key`; with `after`, on from `after_sort_order`, `after_id`."""
    mine = _mine()
    shown = _effective(mine)
    found = _narrowed(mine, shown, _read(shown.__getitem__, columns, bindparam("key", type_=Text)), criteria)
    place = [shown[name] for name in SORT]
    if after:
        found = found.where(tuple_(*place) > tuple_(*(bindparam(f"after_{name}", type_=_SORT_KINDS[name]) for name in SORT)))
    return found.order_by(*place).limit(bindparam("size", type_=Integer))


@compiled
def category_count(criteria: tuple[str, ...]) -> Select[Any]:
    """How many there are under the criteria: (key, count)."""
    mine = _mine()
    counted: list[ColumnElement[Any]] = [bindparam("key", type_=Text).label("key"), func.count().label("count")]
    return _narrowed(mine, _effective(mine), select(*counted), criteria)
