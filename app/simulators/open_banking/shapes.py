"""What the bank knows, in the standard's shapes: those of 4.0, or the words of 3.1."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from app.simulators.bank import SimAccount, SimBank, SimTransaction
from app.simulators.open_banking.authority import Refused, SimConsent

Version = Literal["4.0", "3.1"]

_LONDON: Final = ZoneInfo("Europe/London")
_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "checking": ("CACC", "CurrentAccount"),
    "savings": ("SVGS", "Savings"),
    "credit": ("CARD", "CreditCard"),
}
_OLD_WORDS: Final[Mapping[str, str]] = {
    "AWAU": "AwaitingAuthorisation",
    "AUTH": "Authorised",
    "RJCT": "Rejected",
    "CANC": "Revoked",
    "EXPD": "Revoked",
    "BOOK": "Booked",
    "PDNG": "Pending",
    "ITBD": "InterimBooked",
    "ITAV": "InterimAvailable",
}
#: ISO 18245 codes of what the invented shops sell.
_MERCHANT_CODES: Final[Mapping[str, str]] = {
    "FOOD_AND_DRINK_GROCERIES": "5411",
    "FOOD_AND_DRINK_RESTAURANT": "5812",
    "FOOD_AND_DRINK_COFFEE": "5814",
    "TRANSPORTATION_GAS": "5541",
    "TRANSPORTATION_PUBLIC_TRANSIT": "4111",
    "MEDICAL_PHARMACIES_AND_SUPPLEMENTS": "5912",
    "ENTERTAINMENT_TV_AND_MOVIES": "7832",
}


@dataclass(frozen=True)
class Shapes:
    """has_ids: whether transactions have ids. Times of bookings are London's, as a bank there writes them."""

    bank: SimBank
    version: Version
    has_ids: bool

    def consent(self, consent: SimConsent) -> dict[str, Any]:
        data = {
            "ConsentId": consent.id,
            "CreationDateTime": instant(consent.created_at),
            "Status": self._word(consent.status),
            "StatusUpdateDateTime": instant(consent.changed_at),
            "Permissions": consent.permissions,
        }
        if consent.expires_at is not None:
            data["ExpirationDateTime"] = instant(consent.expires_at)
        return {"Data": data, "Risk": {}}

    def account(self, account: SimAccount, resource_id: str) -> dict[str, Any]:
        new, old = _TYPES[account.type]
        kinds = {"AccountCategory": "Personal", "AccountTypeCode": new}
        if self.version == "3.1":
            kinds = {"AccountType": "Personal", "AccountSubType": old}
        return {
            "AccountId": resource_id,
            "Status": "Enabled",
            "Currency": account.currency,
            **kinds,
            "Description": account.official_name[:35],
            "Nickname": account.name[:70],
            "Account": [_identification(account)],
        }

    def balances(self, account: SimAccount, resource_id: str, now: datetime) -> list[dict[str, Any]]:
        """What has posted, and what may be spent: with the credit line in it, where there is one."""
        current, available = self.bank.balances(account.id)
        told = []
        for kind, amount, is_included in (("ITBD", current, False), ("ITAV", available, True)):
            row: dict[str, Any] = {
                "AccountId": resource_id,
                "CreditDebitIndicator": "Debit" if amount < 0 else "Credit",
                "Type": self._word(kind),
                "DateTime": instant(now),
                "Amount": _money(abs(amount), account.currency),
            }
            if account.credit_limit is not None:
                row["CreditLine"] = [{"Included": is_included, "Type": "Credit", "Amount": _money(account.credit_limit, account.currency)}]
            told.append(row)
        return told

    def transaction(self, row: SimTransaction, resource_id: str) -> dict[str, Any]:
        told: dict[str, Any] = {
            "AccountId": resource_id,
            "CreditDebitIndicator": row.direction.title(),
            "Status": self._word("BOOK" if row.status == "posted" else "PDNG"),
            "BookingDateTime": instant(booked_at(row)),
            "Amount": _money(row.amount, row.currency),
            "TransactionInformation": row.description,
        }
        if self.has_ids:
            told["TransactionId"] = row.id
        if row.merchant:
            told["MerchantDetails"] = {"MerchantName": row.merchant}
            if row.category is not None and row.category in _MERCHANT_CODES:
                told["MerchantDetails"]["MerchantCategoryCode"] = _MERCHANT_CODES[row.category]
        return told

    def refusal(self, refused: Refused) -> dict[str, Any]:
        code = refused.reason if self.version == "3.1" else refused.word
        return {
            "Code": f"{refused.status} Refused",
            "Message": "Refused.",
            "Errors": [{"ErrorCode": code or "U000", "Message": "Refused."}],
        }

    def _word(self, code: str) -> str:
        return _OLD_WORDS.get(code, code) if self.version == "3.1" else code


def booked_at(row: SimTransaction) -> datetime:
    """Some time of its day; it is London's, so in summer the first hour of a day is another day's in UTC."""
    return datetime.combine(row.on, time.min, _LONDON) + timedelta(minutes=row.sequence * 37 % 1440)


def instant(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat()


def asked_from(text: str) -> datetime:
    """In UTC, whatever zone is said: so the standard wants it. Errors: Refused."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise Refused(400, "U003", "UK.OBIE.Field.InvalidDate") from None


def _identification(account: SimAccount) -> dict[str, str]:
    """A sort code and number that stay the same; of a card only the end is shown."""
    if account.type == "credit":
        return {"SchemeName": "UK.OBIE.PAN", "Identification": f"XXXXXXXXXXXX{account.mask}", "Name": "R TESTER"}
    digits = f"{int.from_bytes(account.persistent_id.encode()[:8]) % 10**10:010}"
    return {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": f"{digits}{account.mask}", "Name": "R TESTER"}


def _money(amount: Decimal, currency: str) -> dict[str, str]:
    return {"Amount": f"{amount:.2f}", "Currency": currency}
