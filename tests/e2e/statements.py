"""Statement files made by the tests: OFX 1.x, as banks still send it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tests.domains.bank.statements import ofx, row

Movement = tuple[date, str, str]
BALANCE = "<LEDGERBAL><BALAMT>{balance}<DTASOF>{day:%Y%m%d}</LEDGERBAL>"

COFFEE = "STARBUCKS STORE #1234"
GROCER = "WHOLE FOODS MARKET 10234"
#: Of whom nobody has said what they sell: what a user says of one merchant is kept to in later imports.
OTHER_GROCER = "SAFEWAY #1711"


def today() -> date:
    return datetime.now(UTC).date()


def statement(movements: Sequence[Movement], *, first_id: int = 1) -> bytes:
    """One checking account in US dollars; each movement with the bank's own number, counted up from `first_id`."""
    rows = [row(f"{day:%Y%m%d}", amount, f"FIT{first_id + place}", name) for place, (day, name, amount) in enumerate(movements)]
    balance = 1000 + sum(Decimal(amount) for _, _, amount in movements)
    return ofx(rows, balance=BALANCE.format(balance=balance, day=today()), currency="USD").encode("ascii")


def first_statement() -> bytes:
    """Of this month: two equal coffees and groceries, $104.50 of food in all; and one purchase of long ago."""
    now = today()
    return statement(
        [(now, COFFEE, "-4.50"), (now, COFFEE, "-4.50"), (now, GROCER, "-95.50"), (now - timedelta(days=400), GROCER, "-70.00")]
    )
