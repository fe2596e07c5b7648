"""Who set which field of a transaction, told from its provenance and from what is as a rule."""

from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from db.statements import Columns, compiled, is_one_of, leaf, owned
from db.transaction.models import own_transactions, transaction_keys
from db.transaction.queries.batches import is_users

_BANK = literal_column("'bank'", String)
_RULE = literal_column("'rule'", String)
_MODEL = literal_column("'model'", String)
_USER = literal_column("'user'", String)
_FALSE = literal_column("false", Boolean)
_TRUE = literal_column("true", Boolean)
_NOBODY: ColumnElement[Any] = cast(null(), String)
_READ = ("id", "provenance", "user_category", "category", "category_detailed", "category_method", "category_confidence", "notes", "tags")


@compiled
def fields_by_transaction(columns: Columns) -> Select[Any]:
    """A row per field of each of these transactions, in the order of the API."""
    keys, rows = transaction_keys, own_transactions
    place = and_(rows.c.id == keys.c.transaction_id, rows.c.transaction_date == keys.c.transaction_date, owned(rows))
    wanted = and_(owned(keys), is_one_of(keys.c.transaction_id), ~keys.c.is_alias)
    found = select(*(rows.c[name] for name in _READ)).select_from(keys.join(rows, place)).where(wanted).cte("found")
    fields = [_row(found, place, name, said) for place, (name, said) in enumerate(_fields(found).items())]
    told = union_all(*fields).subquery("told")
    return select(told.c.key, *(leaf(told.c[name]).label(name) for name in columns)).order_by(told.c.key, told.c.place)


def _fields(found: Any) -> dict[str, dict[str, ColumnElement[Any]]]:
    provenance = found.c.provenance
    return {
        "amount": {},
        "transaction_date": {},
        "status": {"source": case((provenance.has_key("row"), _USER), else_=_BANK), "set_at": _at(provenance, "row")},
        "description": _text(found, "description"),
        "merchant_name": _text(found, "merchant_name"),
        "category": _category(found),
        "notes": _own(found, "notes", found.c.notes.is_not(None)),
        "tags": _own(found, "tags", func.cardinality(found.c.tags) > literal_column("0", Integer)),
    }


def _row(found: Any, place: int, name: str, said: dict[str, ColumnElement[Any]]) -> Select[Any]:
    rule: dict[str, ColumnElement[Any]] = {
        "source": _BANK,
        "is_locked": _FALSE,
        "set_at": cast(null(), DateTime(timezone=True)),
        "confidence": cast(null(), found.c.category_confidence.type),
    }
    shown = [value.label(column) for column, value in (rule | said).items()]
    at, called = literal_column(str(place), Integer).label("place"), literal_column(f"'{name}'", String).label("name")
    return select(leaf(found.c.id).label("key"), at, called, *shown)


def _text(found: Any, field: str) -> dict[str, ColumnElement[Any]]:
    """What the bank says unless the user does; it may be locked without being theirs."""
    provenance = found.c.provenance
    is_set = and_(is_users(provenance, field), ~provenance[field].has_key("locked"))
    at = case((is_set, _at(provenance, field)), else_=null())
    return {"source": case((is_set, _USER), else_=_BANK), "is_locked": is_users(provenance, field), "set_at": at}


def _category(found: Any) -> dict[str, ColumnElement[Any]]:
    provenance, is_own = found.c.provenance, found.c.user_category.is_not(None)
    by = func.coalesce(provenance["category"]["set_by"].astext, provenance["category"]["by"].astext)
    source = case(
        (is_own, _USER),
        (func.coalesce(found.c.category_detailed, found.c.category).is_(None), _NOBODY),
        (found.c.category_method == _RULE, _RULE),
        (by == _MODEL, _MODEL),
        else_=_BANK,
    )
    return {
        "source": source,
        "is_locked": or_(is_own, is_users(provenance, "category")),
        "set_at": case((is_own, _at(provenance, "user_category")), else_=null()),
        "confidence": case((is_own, null()), else_=found.c.category_confidence),
    }


def _own(found: Any, field: str, is_there: ColumnElement[bool]) -> dict[str, ColumnElement[Any]]:
    at = case((is_there, _at(found.c.provenance, field)), else_=null())
    return {"source": case((is_there, _USER), else_=_NOBODY), "is_locked": case((is_there, _TRUE), else_=_FALSE), "set_at": at}


def _at(provenance: ColumnElement[Any], field: str) -> ColumnElement[Any]:
    return cast(provenance[field]["at"].astext, DateTime(timezone=True))
