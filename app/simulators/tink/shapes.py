"""What the bank knows, in Tink's words."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from app.simulators.bank import SimAccount, SimBank, SimTransaction

INSTITUTION_ID: Final = "6e68cc6287704273984567b3300c5822"
_TYPES: Final = {"checking": "CHECKING", "savings": "SAVINGS", "credit": "CREDIT_CARD"}
_STATUSES: Final = {"posted": "BOOKED", "pending": "PENDING"}


@dataclass(kw_only=True)
class SimConsent:
    """What somebody agreed to. user: the app's own id of theirs. changed_at: when its status changed last.

    account_ids: which accounts; None: all of the bank's.
    """

    id: str
    user: str
    provider: str
    status: str
    changed_at: datetime
    expires_at: datetime
    account_ids: frozenset[str] | None = None


def money(amount: Decimal, currency: str, *, variant: int = 0) -> dict[str, Any]:
    """An exact number; the same sum is written in several ways: with a zero more behind, or as so many tens."""
    exponent = amount.as_tuple().exponent
    scale = -exponent if isinstance(exponent, int) else 0
    unscaled = int(amount.scaleb(scale))
    if variant % 3 == 1:
        unscaled, scale = unscaled * 10, scale + 1
    elif variant % 3 == 2:
        while unscaled and unscaled % 10 == 0:
            unscaled, scale = unscaled // 10, scale - 1
    return {"currencyCode": currency, "value": {"unscaledValue": str(unscaled), "scale": str(scale)}}


def account(bank: SimBank, row: SimAccount) -> dict[str, Any]:
    booked, available = bank.balances(row.id)
    return {
        "id": row.id,
        "name": row.name,
        "type": _TYPES[row.type],
        "balances": {
            "booked": {"amount": money(booked, row.currency)},
            "available": {"amount": money(available, row.currency)},
        },
        "customerSegment": "PERSONAL",
        "dates": {"lastRefreshed": f"{bank.today.isoformat()}T06:00:00Z"},
        "financialInstitutionId": INSTITUTION_ID,
        "identifiers": _identifiers(row),
    }


def transaction(row: SimTransaction) -> dict[str, Any]:
    signed = row.amount if row.direction == "credit" else -row.amount
    dates = {"booked": row.on.isoformat(), "value": row.on.isoformat()}
    if row.authorized_on is not None:
        dates["transaction"] = row.authorized_on.isoformat()
    return {
        "id": row.id,
        "accountId": row.account_id,
        "amount": money(signed, row.currency, variant=row.sequence),
        "dates": dates,
        "descriptions": {"original": row.description, "display": row.merchant or row.description},
        "identifiers": {"providerTransactionId": f"sim-{row.sequence}"},
        "merchantInformation": {} if row.merchant is None else {"merchantName": row.merchant},
        "providerMutability": "MUTABLE" if row.status == "pending" else "IMMUTABLE",
        "status": _STATUSES[row.status],
        "types": {"type": "DEFAULT"},
    }


def consent(bank: SimBank, row: SimConsent, status: str) -> dict[str, Any]:
    """Its moment moves with every change at the bank: Tink has heard of it then."""
    return {
        "credentialsId": row.id,
        "providerName": row.provider,
        "status": status,
        "statusUpdated": milliseconds(row.changed_at) + bank.revision,
        "sessionExpiryDate": milliseconds(row.expires_at),
        "sessionExtendable": False,
        "accountIds": sorted(bank.accounts if row.account_ids is None else row.account_ids),
    }


def provider(name: str, market: str) -> dict[str, Any]:
    return {
        "name": name,
        "displayName": "Simulated Bank",
        "financialInstitutionId": INSTITUTION_ID,
        "financialInstitutionName": "Simulated Bank",
        "images": {"icon": "https://example.com/simulated-bank.png"},
        "market": market,
        "status": "ENABLED",
        "type": "TEST",
    }


def milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _identifiers(row: SimAccount) -> dict[str, Any]:
    if row.type == "credit":
        return {"pan": {"masked": f"4000 12** **** {row.mask}"}}
    number = f"{int(row.persistent_id[:12], 16) % 10**10:010}{row.mask}"
    return {
        "iban": {"iban": f"GB29SIMB{number}", "bban": number},
        "financialInstitution": {"accountNumber": f"GB29SIMB{number}"},
    }
