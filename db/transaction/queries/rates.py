"""Statements about exchange rates: how many of a currency one euro was on a day."""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Boolean, ColumnElement, Date, Numeric, String, bindparam, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert as upsert

from db.engines import SystemSession
from db.statements import as_arrays, given_rows, is_one_of
from db.transaction.models import exchange_rates

_RATES: dict[str, Any] = {"currency": String, "on_date": Date, "per_eur": Numeric}


class EuroRate(NamedTuple):
    """How many of a currency one euro was on a day."""

    currency: str
    on_date: date
    per_eur: Decimal


async def list_rates(session: SystemSession, currencies: Collection[str], first: date, last: date) -> list[EuroRate]:
    """What is known of these currencies from the first day to the last; both count."""
    rates = exchange_rates.c
    days = rates.on_date.between(bindparam("first", type_=Date), bindparam("last", type_=Date))
    statement = select(*(rates[name] for name in EuroRate._fields)).where(is_one_of(rates.currency), days)
    return [EuroRate(*row) for row in await session.run(statement, keys=sorted(currencies), first=first, last=last)]


async def store_rates(session: SystemSession, rates: Sequence[EuroRate]) -> tuple[int, int]:
    """Store these; answers how many are new and how many are another number than before."""
    given = given_rows(_RATES)
    row = upsert(exchange_rates).from_select(list(_RATES), select(*(given.c[name] for name in _RATES)))
    differs = exchange_rates.c.per_eur != row.excluded.per_eur
    stored = row.on_conflict_do_update(index_elements=["currency", "on_date"], set_={"per_eur": row.excluded.per_eur}, where=differs)
    is_new: ColumnElement[bool] = literal_column("xmax = 0", Boolean)
    counts = stored.returning(is_new.label("is_new")).cte("stored")
    statement = select(func.count().filter(counts.c.is_new), func.count().filter(~counts.c.is_new)).select_from(counts)
    added, changed = (await session.run(statement, **as_arrays([each._asdict() for each in rates], _RATES))).one()
    return int(added), int(changed)
