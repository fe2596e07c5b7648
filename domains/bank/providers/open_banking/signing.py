"""What we sign, and what proves that an answer belongs to what was begun. No I/O; time and chance are arguments.

Sources: OpenID Connect Core 1.0 (sections 6, 9), RFC 7636 (PKCE), FAPI 1.0 Advanced (sections 5.2.3, 8.6), Open Banking Security
Profile (the claim `openbanking_intent_id`).
"""

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from joserfc import jwt

from domains.bank.providers.errors import LinkRefused, ProviderGarbled
from domains.bank.providers.open_banking.config import BankConfig

_RANDOM_BYTES: Final = 32
#: How long what we sign is good. FAPI 1.0 Advanced: a request object at most an hour.
ASSERTION_LASTS: Final = timedelta(minutes=5)
REQUEST_LASTS: Final = timedelta(minutes=30)
#: How far a bank's clock may be from ours.
_SKEW: Final = timedelta(minutes=5)
_ID_TOKEN_CHARS: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What one authorisation was begun with: `state` and `nonce` are repeated by the bank, `verifier` is shown when the code is."""

    consent_id: str
    redirect_url: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(_RANDOM_BYTES), repr=False)
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(_RANDOM_BYTES), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(_RANDOM_BYTES), repr=False)

    @property
    def challenge(self) -> str:
        """RFC 7636, section 4.2: S256."""
        return _base64url(hashlib.sha256(self.verifier.encode()).digest())


def authorisation_url(bank: BankConfig, begun: Begun, now: datetime) -> str:
    """The page that the person is sent to. With a key all of it is signed; the parameters that OAuth 2.0 wants stand beside it, too."""
    plain = {
        "response_type": bank.response_type,
        "client_id": bank.client_id,
        "redirect_uri": begun.redirect_url,
        "scope": bank.scope,
        "state": begun.state,
        "nonce": begun.nonce,
    }
    intent = {"openbanking_intent_id": {"value": begun.consent_id, "essential": True}}
    asked = {
        **plain,
        "code_challenge": begun.challenge,
        "code_challenge_method": "S256",
        "claims": {"userinfo": intent, "id_token": intent},
    }
    if bank.key is None:
        return f"{bank.authorisation_url}?{urlencode({**asked, 'claims': json.dumps(asked['claims'], separators=(',', ':'))})}"
    signed = {**asked, "iss": bank.client_id, "aud": bank.issuer, **_lasting(now, REQUEST_LASTS), "nbf": int(now.timestamp())}
    return f"{bank.authorisation_url}?{urlencode({**plain, 'request': _signed(bank, signed)})}"


def client_assertion(bank: BankConfig, now: datetime) -> str:
    """Who we are, for `private_key_jwt`: good for one use within five minutes."""
    return _signed(bank, {"iss": bank.client_id, "sub": bank.client_id, "aud": bank.audience, **_lasting(now, ASSERTION_LASTS)})


def check_id_token(token: str, bank: BankConfig, begun_nonce: str, consent_id: str, now: datetime) -> None:
    """That a token from the token endpoint is for us, for this authorisation and for this consent.

    Its signature is not checked: it came straight from the bank over TLS (OpenID Connect Core 1.0, section 3.1.3.7, number 6).
    Errors: ProviderGarbled when it cannot be read; LinkRefused when it is for something else.
    """
    claims = _claims(token)
    audience = claims.get("aud")
    expires_at = claims.get("exp")
    if not isinstance(expires_at, int) or expires_at <= (now - _SKEW).timestamp():
        raise LinkRefused("ID_TOKEN_EXPIRED")
    if bank.client_id not in (audience if isinstance(audience, list) else [audience]):
        raise LinkRefused("ID_TOKEN_AUDIENCE")
    if not _same(claims.get("nonce"), begun_nonce):
        raise LinkRefused("ID_TOKEN_NONCE")
    intent = claims.get("openbanking_intent_id")
    if intent is not None and not _same(intent, consent_id):
        raise LinkRefused("ID_TOKEN_CONSENT")


def is_same_state(given: str | None, begun: str) -> bool:
    """Compared in constant time."""
    return _same(given, begun)


def _same(given: object, expected: str) -> bool:
    return isinstance(given, str) and bool(expected) and secrets.compare_digest(given.encode(errors="surrogatepass"), expected.encode())


def _claims(token: str) -> Mapping[str, Any]:
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _ID_TOKEN_CHARS:
        raise ProviderGarbled("id_token")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise ProviderGarbled("id_token") from None
    if not isinstance(claims, dict):
        raise ProviderGarbled("id_token")
    return claims


def _lasting(now: datetime, lasts: timedelta) -> dict[str, Any]:
    return {"iat": int(now.timestamp()), "exp": int((now + lasts).timestamp()), "jti": secrets.token_urlsafe(_RANDOM_BYTES)}


def _signed(bank: BankConfig, claims: Mapping[str, Any]) -> str:
    key = bank.key
    if key is None:
        raise ValueError("The bank has no key to sign with.")
    header = {"alg": key.algorithm, "typ": "JWT"} | ({} if key.id is None else {"kid": key.id})
    return jwt.encode(header, dict(claims), key.key, algorithms=[key.algorithm])


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
