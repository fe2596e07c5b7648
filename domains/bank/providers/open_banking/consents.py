"""What a customer agreed to, as their bank tells it. No I/O.

Statuses of 4.0 (AWAU, AUTH, RJCT, CANC, EXPD), and the words that 3.1 has for them (AwaitingAuthorisation, Authorised, Rejected,
Revoked; it has none for expired).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from domains.bank.providers import reading

#: How long a consent is asked for: UK customers confirm every 90 days that they still want it.
LASTS: Final = timedelta(days=90)
#: What is asked for, and nothing else: names and types of accounts with what identifies them, balances, money in and out in full.
PERMISSIONS: Final = (
    "ReadAccountsDetail",
    "ReadBalances",
    "ReadTransactionsCredits",
    "ReadTransactionsDebits",
    "ReadTransactionsDetail",
)
_AUTHORISED: Final = frozenset({"AUTH", "AUTHORISED"})
_CONSENT_CHARS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """status: in the bank's word, as capitals. expires_at: None where it has no end."""

    id: str
    status: str
    expires_at: datetime | None

    def holds(self, now: datetime) -> bool:
        return self.status in _AUTHORISED and (self.expires_at is None or self.expires_at > now)


def asked(now: datetime) -> dict[str, Any]:
    """What is posted to /account-access-consents. `Risk` has to be there and has to be empty."""
    until = (now + LASTS).replace(microsecond=0)
    return {"Data": {"Permissions": list(PERMISSIONS), "ExpirationDateTime": until.strftime("%Y-%m-%dT%H:%M:%SZ")}, "Risk": {}}


def read_consent(body: Any) -> Consent:
    """Errors: ProviderGarbled."""
    data = reading.record(reading.member(body, "Data", "body"), "Data")
    return Consent(
        id=reading.identifier(data.get("ConsentId"), "Data.ConsentId", _CONSENT_CHARS),
        status=reading.word(data.get("Status"), "Data.Status").upper(),
        expires_at=reading.optional_instant(data.get("ExpirationDateTime") or None, "Data.ExpirationDateTime"),
    )
