"""Who may ask what at the bank: the installation, its customer's consents, codes and tokens."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote_plus

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from domains.core.clock import Clock

CODE_LASTS: Final = timedelta(minutes=1)
_ALGORITHMS: Final = ("PS256", "ES256")
_JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: How long a signed thing may be good, by FAPI 1.0 Advanced.
_SIGNED_LASTS_AT_MOST_S: Final = 3600


class Refused(Exception):
    """An answer that is a refusal. word: of OAuth, or a code of the standard's. reason: in 3.1's own words, where it has some."""

    def __init__(self, status: int, word: str, reason: str = "") -> None:
        super().__init__(word)
        self.status, self.word, self.reason = status, word, reason


@dataclass(kw_only=True)
class SimConsent:
    """status: in the words of 4.0."""

    id: str
    permissions: list[str]
    created_at: datetime
    changed_at: datetime
    expires_at: datetime | None
    status: str = "AWAU"

    def holds(self, now: datetime) -> bool:
        return self.status == "AUTH" and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person was sent to the page with, once it was found right."""

    consent_id: str
    redirect_url: str
    state: str
    nonce: str
    challenge: str
    response_type: str


@dataclass(kw_only=True)
class _Code:
    asked: Asked
    expires_at: datetime
    is_used: bool = False


@dataclass(frozen=True, kw_only=True)
class _Token:
    """consent_id: None for the installation's own token."""

    consent_id: str | None
    expires_at: datetime
    value: str = field(repr=False)


class Authority:
    """client_key: the installation's public key; with it assertions and requests have to be signed. rotates: a refresh token has a
    successor whenever it is used, and is good until that one, or the token beside it, is."""

    def __init__(
        self,
        clock: Clock,
        client_id: str,
        client_secret: str | None,
        client_key: RSAKey | ECKey | None,
        *,
        token_lasts_s: int,
        rotates: bool,
    ) -> None:
        self.client_id, self._client_secret, self._client_key = client_id, client_secret, client_key
        self._clock, self._token_lasts_s, self._rotates = clock, token_lasts_s, rotates
        #: The first first.
        self.consents: dict[str, SimConsent] = {}
        #: Where people may be sent back to; None: anywhere.
        self.redirect_urls: frozenset[str] | None = None
        #: What is different in an id token, for tests.
        self.id_token_claims: dict[str, Any] = {}
        #: How many tokens were given, by what for.
        self.given: dict[str, int] = {}
        self._key = ECKey.generate_key("P-256")
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, _Token] = {}
        self._refresh: dict[str, str] = {}
        self._replaced: dict[str, str] = {}
        self._assertions: set[str] = set()

    # What a test does

    def expire_tokens(self) -> None:
        """No access token is good any more; refresh tokens are."""
        self._tokens.clear()

    def forget_refresh_tokens(self) -> None:
        self._refresh.clear()

    # Consents

    def create_consent(self, permissions: list[str], expires_at: datetime | None) -> SimConsent:
        now = self._clock.now()
        consent_id = f"consent-{secrets.token_hex(8)}"
        consent = SimConsent(id=consent_id, permissions=permissions, created_at=now, changed_at=now, expires_at=expires_at)
        self.consents[consent.id] = consent
        return consent

    def change(self, consent: SimConsent, status: str) -> None:
        consent.status, consent.changed_at = status, self._clock.now()

    def find_consent(self, consent_id: str) -> SimConsent:
        """As it is now: one that nobody ended ends by itself. Errors: Refused."""
        consent = self.consents.get(consent_id)
        if consent is None:
            raise Refused(400, "U011", "UK.OBIE.Resource.NotFound")
        if consent.expires_at is not None and consent.expires_at <= self._clock.now() and consent.status in ("AUTH", "AWAU"):
            self.change(consent, "EXPD")
        return consent

    # The page

    def read_address(self, query: Mapping[str, str]) -> Asked:
        """What somebody is to agree to. Errors: Refused."""
        said = self._signed_request(query)
        if said.get("client_id") != self.client_id or query.get("client_id") != self.client_id:
            raise Refused(400, "unauthorized_client")
        redirect_url = str(said.get("redirect_uri", ""))
        if not redirect_url or (self.redirect_urls is not None and redirect_url not in self.redirect_urls):
            raise Refused(400, "invalid_redirect_uri")
        if said.get("response_type") not in ("code", "code id_token"):
            raise Refused(400, "unsupported_response_type")
        if {"openid", "accounts"} - set(str(said.get("scope", "")).split()):
            raise Refused(400, "invalid_scope")
        if said.get("code_challenge_method") != "S256" or not said.get("code_challenge") or not said.get("state") or not said.get("nonce"):
            raise Refused(400, "invalid_request")
        return Asked(
            consent_id=_intent(said.get("claims")),
            redirect_url=redirect_url,
            state=str(said["state"]),
            nonce=str(said["nonce"]),
            challenge=str(said["code_challenge"]),
            response_type=str(said["response_type"]),
        )

    def agree(self, asked: Asked) -> str:
        """A code. Errors: Refused for a consent that does not wait for anybody."""
        consent = self.find_consent(asked.consent_id)
        if consent.status != "AWAU":
            raise Refused(400, "invalid_request")
        self.change(consent, "AUTH")
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(asked=asked, expires_at=self._clock.now() + CODE_LASTS)
        return code

    # The token endpoint

    def token(self, form: Mapping[str, str], authorization: str, audience: str) -> dict[str, Any]:
        self._check_client(form, authorization, audience)
        kind = form.get("grant_type", "")
        if kind == "client_credentials":
            if form.get("scope") != "accounts":
                raise Refused(400, "invalid_scope")
            return self._grant(kind, None)
        if kind == "authorization_code":
            return self._redeem(form)
        if kind == "refresh_token":
            return self._renew(form.get("refresh_token", ""))
        raise Refused(400, "unsupported_grant_type")

    def allow(self, authorization: str) -> SimConsent | None:
        """Whose token it is; None for the installation itself. Errors: Refused."""
        token = self._tokens.get(authorization.removeprefix("Bearer "))
        is_good = token is not None and token.expires_at > self._clock.now() and token.consent_id in (None, *self.consents)
        if token is None or not is_good:
            raise Refused(401, "invalid_token")
        for old, value in list(self._replaced.items()):
            if value == token.value:
                del self._replaced[old]
                self._refresh.pop(old, None)
        return None if token.consent_id is None else self.consents.get(token.consent_id)

    def id_token(self, asked: Asked) -> str:
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": "simulated-bank",
            "sub": asked.consent_id,
            "aud": self.client_id,
            "nonce": asked.nonce,
            "openbanking_intent_id": asked.consent_id,
            "iat": now,
            "exp": now + 300,
        }
        return jwt.encode({"alg": "ES256"}, {**claims, **self.id_token_claims}, self._key, algorithms=["ES256"])

    def _redeem(self, form: Mapping[str, str]) -> dict[str, Any]:
        """A code is good once. Whoever shows it again may have stolen it: what it gave is taken away (RFC 6749, 4.1.2)."""
        code = self._codes.get(form.get("code", ""))
        if code is None:
            raise Refused(400, "invalid_grant")
        if code.is_used:
            self._drop_tokens(code.asked.consent_id)
            raise Refused(400, "invalid_grant")
        code.is_used = True
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if (
            code.expires_at <= self._clock.now()
            or challenge != code.asked.challenge
            or form.get("redirect_uri") != code.asked.redirect_url
            or not self.find_consent(code.asked.consent_id).holds(self._clock.now())
        ):
            raise Refused(400, "invalid_grant")
        granted = self._grant("authorization_code", code.asked.consent_id)
        return {**granted, "refresh_token": self._new_refresh(code.asked.consent_id), "id_token": self.id_token(code.asked)}

    def _renew(self, value: str) -> dict[str, Any]:
        consent_id = self._refresh.get(value)
        if consent_id is None or consent_id not in self.consents or not self.find_consent(consent_id).holds(self._clock.now()):
            raise Refused(400, "invalid_grant")
        granted = self._grant("refresh_token", consent_id)
        if self._rotates:
            self._replaced[value] = granted["access_token"]
            granted["refresh_token"] = self._new_refresh(consent_id)
        return granted

    def _grant(self, kind: str, consent_id: str | None) -> dict[str, Any]:
        self.given[kind] = self.given.get(kind, 0) + 1
        value = secrets.token_urlsafe(24)
        expires_at = self._clock.now() + timedelta(seconds=self._token_lasts_s)
        self._tokens[value] = _Token(value=value, consent_id=consent_id, expires_at=expires_at)
        return {"access_token": value, "token_type": "Bearer", "expires_in": self._token_lasts_s, "scope": "accounts"}

    def _new_refresh(self, consent_id: str) -> str:
        value = secrets.token_urlsafe(24)
        self._refresh[value] = consent_id
        return value

    def _drop_tokens(self, consent_id: str) -> None:
        self._tokens = {value: token for value, token in self._tokens.items() if token.consent_id != consent_id}
        self._refresh = {value: whose for value, whose in self._refresh.items() if whose != consent_id}

    def _check_client(self, form: Mapping[str, str], authorization: str, audience: str) -> None:
        """Errors: Refused."""
        if self._client_key is not None:
            claims = self._verified(form.get("client_assertion", ""), 401, "invalid_client")
            is_ours = claims.get("iss") == claims.get("sub") == self.client_id and claims.get("aud") == audience
            if (
                form.get("client_assertion_type") != _JWT_BEARER
                or not is_ours
                or not claims.get("jti")
                or claims["jti"] in self._assertions
            ):
                raise Refused(401, "invalid_client")
            self._assertions.add(claims["jti"])
            return
        shown = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.startswith("Basic "):
            user, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
            shown = unquote_plus(user), unquote_plus(password)
        if shown != (self.client_id, self._client_secret):
            raise Refused(401, "invalid_client")

    def _signed_request(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        """Only what is signed counts, where the installation has a key."""
        if self._client_key is None:
            return query
        claims = self._verified(query.get("request", ""), 400, "invalid_request_object")
        if (
            claims.get("iss") != self.client_id
            or not claims.get("aud")
            or claims.get("exp", 0) - claims.get("nbf", 0) > _SIGNED_LASTS_AT_MOST_S
        ):
            raise Refused(400, "invalid_request_object")
        return claims

    def _verified(self, token: str, status: int, word: str) -> dict[str, Any]:
        if self._client_key is None:
            raise Refused(status, word)
        try:
            decoded = jwt.decode(token, self._client_key, algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            raise Refused(status, word) from None
        now = self._clock.now().timestamp()
        if not now < decoded.claims.get("exp", 0) or decoded.claims.get("iat", now) > now + 60:
            raise Refused(status, word)
        return decoded.claims


def _intent(claims: Any) -> str:
    """The consent that is named. Errors: Refused."""
    try:
        said = json.loads(claims) if isinstance(claims, str) else claims
        return str(said["id_token"]["openbanking_intent_id"]["value"])
    except (ValueError, TypeError, KeyError):
        raise Refused(400, "invalid_request") from None
