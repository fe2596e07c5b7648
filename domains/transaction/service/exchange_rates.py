"""What one currency is worth in another: the rates that are stored, and taking new ones in."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from db.engines import SystemSession
from db.transaction.queries import rates as queries
from domains.transaction.rates import AGE_AT_MOST_DAYS, EURO, EuroRate, RateTable

#: Rates per statement.
CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class ImportedRates:
    """What a file came to."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


async def rate(session: SystemSession, source: str, target: str, day: date) -> Decimal | None:
    """How many of `target` one `source` was on a day, or on the nearest earlier one, up to a week; None where nobody knows."""
    table = await load_rates(session, {source, target}, day, day)
    return table.rate(source, target, day)


async def load_rates(session: SystemSession, currencies: Collection[str], first: date, last: date) -> RateTable:
    """The rates of these currencies for every day from the first to the last."""
    asked = set(currencies) - {EURO}
    if not asked:
        return RateTable([])
    return RateTable(await queries.list_rates(session, asked, first - timedelta(days=AGE_AT_MOST_DAYS), last))


async def import_rates(session: SystemSession, rates: Collection[EuroRate]) -> ImportedRates:
    """Store rates over those that are there; none goes. Done again, it changes nothing."""
    given = sorted(rates)
    added = changed = 0
    for start in range(0, len(given), CHUNK):
        new, other = await queries.store_rates(session, [queries.EuroRate(*each) for each in given[start : start + CHUNK]])
        added, changed = added + new, changed + other
    return ImportedRates(added, changed, len(given) - added - changed)
