"""What lets us in at a bank, as it is kept: beside the token, for which consent it is.

A repaired connection has a new consent. The old one stays in force until the new one has been seen to work, so its id goes along.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from domains.bank.providers.errors import ReauthenticationRequired
from domains.bank.providers.protocol import Credentials

#: A person who begins one repair after the other leaves no more than so many consents behind.
FORMER_AT_MOST: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """former: consents of the same connection that this one takes the place of, and that are still to be ended."""

    consent_id: str
    token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    former: Sequence[str] = ()

    @classmethod
    def read(cls, credentials: Credentials) -> Self:
        """Errors: ReauthenticationRequired when they are not ours."""
        try:
            kept: Any = json.loads(credentials.access_token)
            former = tuple(map(str, kept["former"]))
            return cls(
                consent_id=str(kept["consent"]),
                token=str(kept["token"]),
                refresh_token=credentials.refresh_token,
                expires_at=credentials.expires_at,
                former=former,
            )
        except (ValueError, TypeError, KeyError):
            pass
        raise ReauthenticationRequired("CREDENTIALS")

    def credentials(self) -> Credentials:
        kept = {"consent": self.consent_id, "former": list(self.former[-FORMER_AT_MOST:]), "token": self.token}
        return Credentials(
            access_token=json.dumps(kept, separators=(",", ":")), refresh_token=self.refresh_token, expires_at=self.expires_at
        )
