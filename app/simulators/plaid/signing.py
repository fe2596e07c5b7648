"""Webhooks as Plaid sends and signs them."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import ECKey

from app.simulators.plaid.refusal import PlaidRefusal


class Signer:
    """A key, and those before it, which are retired."""

    def __init__(self, now: datetime) -> None:
        self._public: dict[str, dict[str, Any]] = {}
        self._number = 0
        self.kid = ""
        self.rotate(now)

    def rotate(self, now: datetime) -> None:
        """Sign with another key from now on; the one until now has expired."""
        if self._public:
            self._public[self.kid]["expired_at"] = int(now.timestamp())
        self._number += 1
        self.kid = str(UUID(int=self._number))
        self._key = ECKey.generate_key("P-256")
        self._public[self.kid] = {
            **self._key.as_dict(private=False),
            "alg": "ES256",
            "use": "sig",
            "kid": self.kid,
            "created_at": int(now.timestamp()),
            "expired_at": None,
        }

    def public(self, kid: object) -> Mapping[str, Any]:
        """Errors: PlaidRefusal."""
        if not isinstance(kid, str) or kid not in self._public:
            raise PlaidRefusal("INVALID_WEBHOOK_VERIFICATION_KEY_ID")
        return self._public[kid]

    def sign(self, body: bytes, now: datetime) -> str:
        """The header Plaid-Verification for this body."""
        claims = {"iat": int(now.timestamp()), "request_body_sha256": hashlib.sha256(body).hexdigest()}
        return jwt.encode({"alg": "ES256", "kid": self.kid}, claims, self._key, algorithms=["ES256"])


def message(kind: str, code: str, item_id: str, more: Mapping[str, Any]) -> bytes:
    """A webhook's body; its white space counts, as its digest is signed."""
    return json.dumps({"webhook_type": kind, "webhook_code": code, "item_id": item_id, "environment": "sandbox", **more}, indent=2).encode()
