"""Transactions put in without a provider, for tests of what follows from them."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

from db.engines import Viewer
from db.transaction.queries import batches
from domains.core.ids import new_id
from domains.flows.services import Services
from domains.transaction.service.apply_batch import month_of, record_change

GROCERIES = "FOOD_AND_DRINK_GROCERIES"
FOOD = "FOOD_AND_DRINK"
RENT = "RENT_AND_UTILITIES_RENT"
TRANSFER_OUT = "TRANSFER_OUT_SAVINGS"


def row(day: date, amount: str, category: str = GROCERIES, **changes: Any) -> dict[str, Any]:
    """A transaction as `batches.add_transactions` takes it: a posted debit in US dollars unless said otherwise."""
    return {
        "id": new_id(),
        "account_id": uuid4(),
        "provider": "file",
        "provider_transaction_id": str(uuid4()),
        "transaction_date": day,
        "amount": Decimal(amount),
        "currency": "USD",
        "direction": "debit",
        "merchant_name": "Corner Shop",
        "description": "CORNER SHOP",
        "original_description": "CORNER SHOP 0412",
        "category": category,
        "category_detailed": None,
        "category_confidence": Decimal("0.90"),
        "category_method": "auto",
        "authorized_date": None,
        "posted_date": day,
        "status": "posted",
        "payment_meta": None,
        "merchant_logo_url": None,
        "provenance": "{}",
        **dict.fromkeys(batches.LOCATION),
        "fingerprint": b"f",
        **changes,
    }


async def add_rows(services: Services, viewer: Viewer, rows: Sequence[dict[str, Any]]) -> None:
    """Store the rows with what every change of transactions ends with; the budgets' refold is left to the caller."""
    async with services.db.write("transaction", viewer) as session:
        await batches.lock_user(session)
        await batches.ensure_partitions(session, sorted({each["transaction_date"].year for each in rows}))
        await batches.add_transactions(session, rows)
        await record_change(session, {month_of(each["transaction_date"]) for each in rows})
