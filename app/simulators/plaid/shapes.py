"""A bank's rows in Plaid's words. Source: its OpenAPI document, version 2020-09-14."""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from app.simulators.bank import SimAccount, SimBank, SimTransaction
from domains.bank.providers.plaid.categories import PRIMARIES

if TYPE_CHECKING:
    from app.simulators.plaid.items import Item

_TYPES: Final = {"checking": "depository", "savings": "depository", "credit": "credit"}
_NO_LOCATION: Final = dict.fromkeys(("address", "city", "region", "postal_code", "country", "lat", "lon", "store_number"))
_NO_PAYMENT: Final = dict.fromkeys(
    ("by_order_of", "payee", "payer", "payment_method", "payment_processor", "ppd_id", "reason", "reference_number")
)


def account(bank: SimBank, item: "Item", row: SimAccount) -> dict[str, Any]:
    """An account. What is owed on a card is positive; only accounts that hold money have an id that outlives the item."""
    current, available = bank.balances(row.id)
    shown = {
        "account_id": item.shown(row.id),
        "balances": {
            "available": _number(available),
            "current": _number(-current if row.type == "credit" else current),
            "iso_currency_code": row.currency,
            "limit": _number(row.credit_limit),
            "unofficial_currency_code": None,
        },
        "holder_category": "personal",
        "mask": row.mask,
        "name": row.name,
        "official_name": row.official_name,
        "subtype": row.subtype,
        "type": _TYPES[row.type],
    }
    return shown if row.type == "credit" else {**shown, "persistent_account_id": row.persistent_id}


def transaction(item: "Item", row: SimTransaction, *, is_original: bool) -> dict[str, Any]:
    """A transaction; money out is positive."""
    merchant = {"name": row.merchant, "type": "merchant", "logo_url": None, "website": None, "entity_id": None}
    return {
        "account_id": item.shown(row.account_id),
        "account_owner": None,
        "amount": _number(row.amount if row.direction == "debit" else -row.amount),
        "authorized_date": None if row.authorized_on is None else row.authorized_on.isoformat(),
        "authorized_datetime": None,
        "category": None,
        "category_id": None,
        "check_number": None,
        "counterparties": [{**merchant, "confidence_level": "VERY_HIGH"}] if row.merchant else [],
        "date": row.on.isoformat(),
        "datetime": None,
        "iso_currency_code": row.currency,
        "location": _NO_LOCATION,
        "logo_url": None,
        "merchant_entity_id": None,
        "merchant_name": row.merchant,
        "name": row.description,
        "original_description": row.description if is_original else None,
        "payment_channel": "in store" if row.merchant else "other",
        "payment_meta": _NO_PAYMENT,
        "pending": row.status == "pending",
        "pending_transaction_id": None if row.pending_id is None else item.shown(row.pending_id),
        "personal_finance_category": category(row.category),
        "personal_finance_category_icon_url": "https://plaid-category-icons.plaid.com/PFC_OTHER.png",
        "transaction_code": None,
        "transaction_id": item.shown(row.id),
        "transaction_type": "place" if row.merchant else "unresolved",
        "unofficial_currency_code": None,
        "website": None,
    }


def category(detailed: str | None) -> dict[str, Any] | None:
    if detailed is None:
        return None
    primary = max((each for each in PRIMARIES if detailed.startswith(f"{each}_")), key=len)
    return {"primary": primary, "detailed": detailed, "confidence_level": "VERY_HIGH", "version": "v1"}


def removed(item: "Item", row: SimTransaction) -> dict[str, Any]:
    return {"account_id": item.shown(row.account_id), "transaction_id": item.shown(row.id)}


def page(
    bank: SimBank,
    item: "Item",
    added: list[dict[str, Any]],
    modified: list[dict[str, Any]],
    gone: list[dict[str, Any]],
    next_cursor: str,
    has_more: bool,
    status: str,
) -> dict[str, Any]:
    return {
        "accounts": [shown for shown in accounts(bank, item) if shown["account_id"] in _touched((*added, *modified, *gone))],
        "added": added,
        "modified": modified,
        "removed": gone,
        "next_cursor": next_cursor,
        "has_more": has_more,
        "transactions_update_status": status,
    }


def accounts(bank: SimBank, item: "Item") -> list[dict[str, Any]]:
    return [account(bank, item, row) for row in bank.accounts.values()]


def item_object(item: "Item", institution_name: str, error: dict[str, Any] | None, consent_expires_at: str | None) -> dict[str, Any]:
    return {
        "auth_method": None,
        "available_products": ["balance"],
        "billed_products": ["transactions"],
        "consent_expiration_time": consent_expires_at,
        "error": error,
        "institution_id": item.institution_id,
        "institution_name": institution_name,
        "item_id": item.id,
        "products": ["transactions"],
        "update_type": "background",
        "webhook": item.webhook,
    }


def _touched(rows: Iterable[dict[str, Any]]) -> set[str]:
    return {row["account_id"] for row in rows}


def _number(amount: Decimal | None) -> float | None:
    """As a double, which is what Plaid sends: its shortest text is the amount again, up to 15 digits."""
    return None if amount is None else float(amount)
