"""A provider's row as we store it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import Any, Final, Protocol
from uuid import UUID

import orjson

from domains.transaction import rules
from domains.transaction.categorisation import PROVIDER_CONFIDENCE
from domains.transaction.matching import PENDING_AT_MOST

#: Lengths of the columns that say where a transaction was made.
_LOCATION: Final = {"address": 500, "city": 100, "region": 100, "postal_code": 20}
_NOWHERE: Final[dict[str, Any]] = dict.fromkeys(
    (*(f"location_{name}" for name in _LOCATION), "location_country", "location_lat", "location_lon")
)
_COUNTRY_LETTERS: Final = 2
_DEGREES: Final = {"lat": Decimal(90), "lon": Decimal(180)}
_EIGHT_DIGITS: Final = Decimal("0.00000001")
#: Of what is known of a merchant, not of this transaction.
_BY_MODEL: Final = '{"category": {"by": "model"}}'
_BY_RULE: Final = "{}"


class ProvidedTransaction(Protocol):
    """A row as a provider gives it. `amount` is never negative; `provider_transaction_id` is unique within its account."""

    provider_transaction_id: Any
    amount: Decimal
    currency: str
    direction: str
    transaction_date: date
    description: str
    original_description: str
    merchant_name: str | None
    authorized_date: date | None
    posted_date: date | None
    status: str
    category_detailed: str | None
    category_confidence: Decimal | None
    pending_transaction_id: str | None
    merchant_logo_url: str | None
    location: Mapping[str, str]
    payment_meta: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AccountBatch:
    """What a provider says of one account.

    rows: new ones, changed ones, and as many as it likes that are neither. removed: its names of transactions that it has taken back;
    one that is in `rows` too was taken back after that.
    window: half-open days of which `rows` is all that the bank has: what else it told of them before is taken back, too.
    """

    account_id: UUID
    account_type: str | None
    provider: str
    rows: Sequence[Any]
    removed: Sequence[str] = ()
    window: tuple[date, date] | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A row of a batch. `name`: what the bank calls it; `mark`: its fingerprint."""

    account: AccountBatch
    row: ProvidedTransaction
    name: str
    mark: bytes

    @property
    def key(self) -> tuple[UUID, str]:
        return self.account.account_id, self.name

    @property
    def pending_key(self) -> tuple[UUID, str] | None:
        """What it was called while it was pending, where the bank says and it was another name."""
        was = self.row.pending_transaction_id
        return None if was is None or was == self.name or self.row.status == "pending" else (self.account.account_id, was)


def read_rows(accounts: Sequence[AccountBatch]) -> Iterator[Given]:
    for account in accounts:
        for row in account.rows:
            yield Given(account, row, str(row.provider_transaction_id), fingerprint(row))


def fingerprint(row: ProvidedTransaction) -> bytes:
    """Sixteen bytes that change when anything the provider says of the row changes."""
    meta = orjson.dumps(dict(row.payment_meta), option=orjson.OPT_SORT_KEYS) if row.payment_meta else b""
    text = "\x1f".join(map(str, (row.amount.normalize(), *_said(row))))
    more = _said_of_linked(row)
    if any(more):  # what files do not say is no part of it: those of older releases stay as they are
        meta += orjson.dumps([str(each) for each in more[:-1]] + [dict(row.location)], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text.encode() + meta, digest_size=16).digest()


_said = attrgetter(
    "currency",
    "direction",
    "transaction_date",
    "original_description",
    "description",
    "merchant_name",
    "authorized_date",
    "posted_date",
    "status",
    "category_detailed",
)
_said_of_linked = attrgetter("category_confidence", "pending_transaction_id", "merchant_logo_url", "location")


def record_of(given: Given, merchants: Mapping[str, rules.MerchantCategory], today: date | None) -> dict[str, Any]:
    """The provider's row with what our rules make of it, by column. What has been pending for too long is cancelled."""
    account, row = given.account, given.row
    merchant = rules.clean_merchant(row.description, row.merchant_name)
    sure = PROVIDER_CONFIDENCE if row.category_confidence is None else row.category_confidence
    found = rules.categorise(row.description, merchant, row.direction, account.account_type, merchants, row.category_detailed, sure)
    return {
        "account_id": account.account_id,
        "provider": account.provider,
        "provider_transaction_id": given.name,
        "transaction_date": row.transaction_date,
        "amount": row.amount,
        "currency": row.currency,
        "direction": row.direction,
        "merchant_name": merchant,
        "description": row.description,
        "original_description": row.original_description,
        "category": found.category,
        "category_detailed": found.category_detailed,
        "category_confidence": found.confidence,
        "category_method": found.method,
        "authorized_date": row.authorized_date,
        "posted_date": row.posted_date,
        "status": "cancelled" if row.status == "pending" and is_overdue(row.transaction_date, today) else row.status,
        "payment_meta": orjson.dumps(dict(row.payment_meta)).decode() if row.payment_meta else None,
        "merchant_logo_url": row.merchant_logo_url,
        "provenance": _BY_MODEL if _is_of_the_merchant(found, row.category_detailed) else _BY_RULE,
        "fingerprint": given.mark,
        **(location_of(row.location) if row.location else _NOWHERE),
    }


def is_overdue(day: date, today: date | None) -> bool:
    """Whether what has been pending since that day will not be booked any more."""
    return today is not None and today - day > PENDING_AT_MOST


def location_of(said: Mapping[str, str]) -> dict[str, Any]:
    """Where a transaction was made, by column; what cannot be is left out."""
    texts = {f"location_{name}": (said.get(name) or "")[:most] or None for name, most in _LOCATION.items()}
    country = (said.get("country") or "").upper()
    is_code = len(country) == _COUNTRY_LETTERS and country.isascii() and country.isalpha()
    lat, lon = (_degrees(said.get(name), most) for name, most in _DEGREES.items())
    is_place = lat is not None and lon is not None
    place = {"location_lat": lat if is_place else None, "location_lon": lon if is_place else None}
    return {**texts, "location_country": country if is_code else None, **place}


def _degrees(said: str | None, most: Decimal) -> Decimal | None:
    try:
        value = Decimal(said or "")
    except InvalidOperation:
        return None
    return value.quantize(_EIGHT_DIGITS) if value.is_finite() and abs(value) <= most else None


def _is_of_the_merchant(found: rules.Categorised, said: str | None) -> bool:
    """Whether the category is neither a rule's nor the one that the bank gave."""
    return found.method == "auto" and found.category is not None and said not in (found.category_detailed or found.category, found.category)
