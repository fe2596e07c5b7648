"""What an operator does about exchange rates."""

from collections.abc import Sequence
from pathlib import Path

from app.errors import OperatorError
from app.settings import Settings
from app.wiring import open_services
from domains.transaction.rates import FILE_AT_MOST, EuroRate, RatesRejected, read_rates
from domains.transaction.service.exchange_rates import import_rates


def read_file(path: Path) -> list[EuroRate]:
    """The rates of a file. Errors: OperatorError, which names the line."""
    if path.stat().st_size > FILE_AT_MOST:
        raise OperatorError(f"{path.name} is larger than {FILE_AT_MOST:,} bytes.")
    try:
        return read_rates(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path.name} is not a text in UTF-8.") from error
    except RatesRejected as refusal:
        raise OperatorError(f"{path.name} was refused. {refusal}") from refusal


async def store_rates(settings: Settings, rates: Sequence[EuroRate]) -> str:
    """Store all of them, in one transaction; answers how many were new. Errors: SettingsInvalid."""
    async with open_services(settings) as services, services.db.system("transaction") as session:
        done = await import_rates(session, rates)
    first, last = min(each.on_date for each in rates), max(each.on_date for each in rates)
    return f"rates from {first} to {last}: {done.added:,} added, {done.changed:,} changed, {done.unchanged:,} as they were"
