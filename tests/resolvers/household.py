"""A user's money for tests: accounts with transactions, brought by the bank that the import flow speaks to, and budgets."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

from db.budget import queries as budgets
from db.engines import Viewer
from domains.bank.providers.protocol import Statement, StatementAccount, StatementTransaction
from domains.core.clock import local_date
from domains.flows.import_statement import take_statement
from domains.flows.services import Services

GROCERIES = "FOOD_AND_DRINK_GROCERIES"
COFFEE = "FOOD_AND_DRINK_COFFEE"
FOOD = "FOOD_AND_DRINK"
RENT = "RENT_AND_UTILITIES_RENT"

TODAY = local_date(datetime.now(UTC), "UTC")
MONTH = TODAY.replace(day=1)
_numbers = count(1)


def moved(day: date, amount: str, **changes: Any) -> StatementTransaction:
    """A movement: a posted debit in US dollars for groceries, unless said otherwise."""
    given: dict[str, Any] = {
        "provider_transaction_id": f"t-{next(_numbers)}",
        "amount": Decimal(amount),
        "currency": "USD",
        "direction": "debit",
        "transaction_date": day,
        "description": "Corner Shop",
        "original_description": "CORNER SHOP 0412",
        "category_detailed": GROCERIES,
    }
    return StatementTransaction(**{**given, **changes})


def account(name: str, transactions: Iterable[StatementTransaction] = (), **changes: Any) -> StatementAccount:
    given: dict[str, Any] = {
        "provider_account_id": f"a-{next(_numbers)}",
        "name": name,
        "currency": "USD",
        "account_type": "checking",
        "transactions": tuple(transactions),
    }
    return StatementAccount(**{**given, **changes})


async def bring(services: Services, viewer: Viewer, *accounts: StatementAccount, institution: str = "bank-1") -> None:
    """What a bank says of these accounts, taken in."""
    await take_statement(
        services, viewer, Statement(provider="file", institution_id=institution, institution_name="First Bank", accounts=accounts)
    )


async def add_goal(services: Services, viewer: Viewer, name: str, **changes: Any) -> str:
    """A goal of 1,000 US dollars, of which 250 are saved; answers its id."""
    values: dict[str, Any] = {
        "id": uuid4(),
        "name": name,
        "target_amount": Decimal(1000),
        "current_amount": Decimal(250),
        "currency": "USD",
        "started_at": MONTH,
    }
    values |= changes
    async with services.db.write("budget", viewer) as session:
        assert await budgets.add_goal(session, values)
    return str(values["id"])
