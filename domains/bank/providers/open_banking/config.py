"""What an installation has agreed with each bank it is registered at."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from joserfc.jwk import ECKey, RSAKey

Algorithm = Literal["PS256", "ES256"]
ResponseType = Literal["code", "code id_token"]

#: What a token is asked for: `openid`, so that the bank says for which consent it is, and `accounts`.
SCOPE: Final = "openid accounts"


class ClientAuthentication(StrEnum):
    """How we show a bank's token endpoint who we are (OpenID Connect Core 1.0, section 9; RFC 8705, section 2)."""

    PRIVATE_KEY_JWT = "private_key_jwt"
    TLS_CLIENT_AUTH = "tls_client_auth"
    CLIENT_SECRET_BASIC = "client_secret_basic"  # noqa: S105  the name of a way
    CLIENT_SECRET_POST = "client_secret_post"  # noqa: S105


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """The private key that banks know the public half of. id: its `kid` there."""

    id: str | None
    algorithm: Algorithm
    key: RSAKey | ECKey = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankConfig:
    """One bank.

    id: ours, stored as the institution of a connection: never change it. base_url: up to and without `/accounts`. authorisation_url:
    where people are sent. audience: of what we sign for the token endpoint, `token_url` unless the bank says otherwise. issuer: the
    bank's name in what it signs and in the requests that we sign, its authorisation server's origin unless it says otherwise.
    key: signs client assertions and authorisation requests; None: requests go as plain parameters.
    certificate_file, certificate_key_file: who we are in TLS. ca_file: who signs the bank's own certificate, where no public
    authority does. currency: of an account that does not say.
    uses_transaction_ids: False for a bank whose ids are known to change: then they are made here.
    """

    id: str
    name: str
    base_url: str
    token_url: str
    authorisation_url: str
    client_id: str
    client_authentication: ClientAuthentication
    client_secret: str | None = field(default=None, repr=False)
    key: SigningKey | None = None
    audience: str
    issuer: str
    certificate_file: Path | None = None
    certificate_key_file: Path | None = None
    ca_file: Path | None = None
    scope: str = SCOPE
    response_type: ResponseType = "code"
    financial_id: str | None = None
    logo_url: str | None = None
    currency: str = "GBP"
    uses_transaction_ids: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBankingConfig:
    """All banks. secret: the installation's key for account ids (`rules.account_id`): changing it makes every account a new one."""

    banks: Sequence[BankConfig]
    secret: bytes = field(repr=False)

    def find(self, bank_id: str | None) -> BankConfig | None:
        """The bank of that id; the only one there is where none is named."""
        if bank_id is None:
            return self.banks[0] if len(self.banks) == 1 else None
        return next((bank for bank in self.banks if bank.id == bank_id), None)
