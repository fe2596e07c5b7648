"""What a person agreed to at one bank, and whether it still holds.

Sources: docs.tink.com, API reference, Connectivity v1, Provider Consent; Refresh data; Credentials status transitions
(as of January 2026).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from domains.bank.providers import reading
from domains.bank.providers.errors import ProviderGarbled, ProviderUnavailable, ReauthenticationRequired

#: All that the bank told is there.
_READY: Final = frozenset({"UPDATED"})
#: It is being told at this moment; needs nobody.
_WORKING: Final = frozenset({"CREATED", "AUTHENTICATING", "UPDATING"})
#: Only the person can go on; or nobody, and they link the bank anew.
_LOST: Final = frozenset(
    {
        "AUTHENTICATION_ERROR",
        "SESSION_EXPIRED",
        "PERMANENT_ERROR",
        "DELETED",
        "AWAITING_MOBILE_BANKID_AUTHENTICATION",
        "AWAITING_SUPPLEMENTAL_INFORMATION",
        "AWAITING_THIRD_PARTY_APP_AUTHENTICATION",
    }
)
#: The year 2200.
_LATEST_MS: Final = 7_258_118_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """credentials_id: Tink's name for it. provider: Tink's name of the bank. account_ids: what it reaches.

    expires_at: when the bank will want its customer again. stamp: changes whenever Tink has heard from the bank.
    """

    credentials_id: str
    provider: str
    status: str
    stamp: str
    expires_at: datetime | None
    account_ids: frozenset[str]

    @property
    def is_lost(self) -> bool:
        return self.status in _LOST

    def check(self, now: datetime) -> bool:
        """Whether all is there (else more is on its way).

        Errors: ReauthenticationRequired, also where Tink has not noticed yet that the session is over: it hears nothing more from
        this bank; ProviderUnavailable for a failure that passes, and for a status that nobody knows.
        """
        if self.is_lost:
            raise ReauthenticationRequired(self.status)
        if self.expires_at is not None and self.expires_at <= now:
            raise ReauthenticationRequired("SESSION_EXPIRED")
        if self.status in _READY:
            return True
        if self.status in _WORKING:
            return False
        raise ProviderUnavailable("TEMPORARY_ERROR" if self.status == "TEMPORARY_ERROR" else "UNKNOWN_STATUS")


def read_consents(body: Any) -> list[Consent]:
    """What `/api/v1/provider-consents` answered. Errors: ProviderGarbled."""
    listed = reading.member(body, "providerConsents")
    return [_consent(each, f"providerConsents[{index}]") for index, each in enumerate(reading.items(listed, "providerConsents"))]


def _consent(value: Any, field: str) -> Consent:
    entry = reading.record(value, field)
    status = reading.word(entry.get("status"), f"{field}.status")
    return Consent(
        credentials_id=reading.identifier(entry.get("credentialsId"), f"{field}.credentialsId", 100),
        provider=reading.identifier(entry.get("providerName"), f"{field}.providerName"),
        status=status,
        stamp=f"{status} {_moment(entry.get('statusUpdated'), f'{field}.statusUpdated')}",
        expires_at=_moment(entry.get("sessionExpiryDate"), f"{field}.sessionExpiryDate"),
        account_ids=frozenset(
            reading.identifier(each, f"{field}.accountIds") for each in reading.items(entry.get("accountIds"), f"{field}.accountIds")
        ),
    )


def _moment(value: Any, field: str) -> datetime | None:
    """Milliseconds since 1970, or, as the reference allows for dates, ISO 8601."""
    if value is None or isinstance(value, str):
        return reading.optional_instant(value, field)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LATEST_MS:
        raise ProviderGarbled(field)
    return datetime.fromtimestamp(value / 1000, UTC)
