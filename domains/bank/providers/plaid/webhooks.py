"""What Plaid sends us by itself: whether it is Plaid's, and what it means.

Sources: Plaid's description of webhook verification, and its OpenAPI document, version 2020-09-14, for the messages.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError

from domains.bank.providers.plaid.webhook_keys import ALGORITHM, WebhookKeys

#: A message is accepted so long after it was signed, so that a recorded one cannot be sent again on another day.
AGE_AT_MOST: Final = timedelta(minutes=5)
#: How far ahead Plaid's clock may be of ours.
AHEAD_AT_MOST: Final = timedelta(minutes=1)
#: The year 9999 in seconds of Unix.
_LATEST_S: Final = 253_402_300_799
#: Plaid's have about 300 characters.
_TOKEN_CHARS_AT_MOST: Final = 4_096
_KID_CHARS_AT_MOST: Final = 64
_WORD_CHARS_AT_MOST: Final = 100
_ID_CHARS_AT_MOST: Final = 255


class WebhookForged(Exception):
    """It is not Plaid's, or not of now. `reason` is one lower-case word or a few, for our log; nothing of the message is in it."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class WebhookMalformed(Exception):
    """It is Plaid's, and no message that can be read."""


class WebhookKind(StrEnum):
    """What is to be done about it."""

    #: Transactions have changed: fetch.
    CHANGED = "changed"
    #: The person has to sign in, or to agree, again.
    REAUTHENTICATION = "reauthentication"
    #: It works again without our doing: fetch.
    REPAIRED = "repaired"
    #: From `expires_at` on it will not work any more unless the person agrees again.
    EXPIRING = "expiring"
    #: There is another account that the person may share, through a repair.
    NEW_ACCOUNTS = "new_accounts"
    #: The person has taken back one account, `account_id`: what is left shows with the next fetch.
    ACCOUNT_REVOKED = "account_revoked"
    #: Nothing: older messages that CHANGED replaces, and those of products that are not used.
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A message. `code` is Plaid's name for it, such as TRANSACTIONS/SYNC_UPDATES_AVAILABLE, at most 100 characters.

    item_id: the connection it is about; None only where it is to be ignored. error_code: Plaid's, with REAUTHENTICATION.
    is_history_complete: with CHANGED, whether all of the past is there by now.
    """

    kind: WebhookKind
    code: str
    item_id: str | None = None
    error_code: str | None = None
    account_id: str | None = None
    expires_at: datetime | None = None
    is_history_complete: bool | None = None


_KINDS: Final = {
    "TRANSACTIONS/SYNC_UPDATES_AVAILABLE": WebhookKind.CHANGED,
    "ITEM/ERROR": WebhookKind.REAUTHENTICATION,
    "ITEM/USER_PERMISSION_REVOKED": WebhookKind.REAUTHENTICATION,
    "ITEM/LOGIN_REPAIRED": WebhookKind.REPAIRED,
    "ITEM/PENDING_EXPIRATION": WebhookKind.EXPIRING,
    "ITEM/PENDING_DISCONNECT": WebhookKind.EXPIRING,
    "ITEM/NEW_ACCOUNTS_AVAILABLE": WebhookKind.NEW_ACCOUNTS,
    "ITEM/USER_ACCOUNT_REVOKED": WebhookKind.ACCOUNT_REVOKED,
}


async def verify_webhook(raw_body: bytes, token: str | None, keys: WebhookKeys, now: datetime) -> None:
    """Return if this body was signed by Plaid within the last five minutes.

    raw_body: the bytes as they came, before anything has read them. token: the header Plaid-Verification.
    What costs nothing is looked at first: a message that is stale or about another body makes nobody ask Plaid for a key.
    Errors: WebhookForged; ProviderUnavailable when Plaid cannot be asked for the key now, and the sender may try again.
    """
    if not token or len(token) > _TOKEN_CHARS_AT_MOST:
        raise WebhookForged("no signature")
    try:
        signed = jws.extract_compact(token.encode("ascii"))
        kid = _kid_of(signed.headers())
        _check_claims(_json(signed.payload or b""), raw_body, now)
        key = await keys.find(kid, now)
        if key is None:
            raise WebhookForged("unknown key")
        if not jws.validate_compact(signed, key, [ALGORITHM]):
            raise WebhookForged("bad signature")
    except (JoseError, UnicodeError) as error:
        raise WebhookForged("unreadable signature") from error


def read_webhook(body: bytes) -> Webhook:
    """What a verified message says. One that is not known is IGNORED. Errors: WebhookMalformed."""
    try:
        message = _json(body)
    except WebhookForged as error:
        raise WebhookMalformed("not JSON") from error
    if not isinstance(message, dict):
        raise WebhookMalformed("no object")
    code = f"{_word(message, 'webhook_type')}/{_word(message, 'webhook_code')}"
    kind = _KINDS.get(code, WebhookKind.IGNORED)
    if kind is WebhookKind.IGNORED:
        return Webhook(kind=kind, code=code[:_WORD_CHARS_AT_MOST])
    ready = message.get("historical_update_complete")
    return Webhook(
        kind=kind,
        code=code,
        item_id=_id(message, "item_id"),
        error_code=_error_code(code, message.get("error")) if kind is WebhookKind.REAUTHENTICATION else None,
        account_id=_id(message, "account_id") if kind is WebhookKind.ACCOUNT_REVOKED else None,
        expires_at=_expires_at(message) if kind is WebhookKind.EXPIRING else None,
        is_history_complete=ready if isinstance(ready, bool) else None,
    )


def _kid_of(header: dict[str, Any]) -> str:
    """The name of the key. `alg` is compared here, too, so that no key is asked for in the name of another algorithm."""
    if header.get("alg") != ALGORITHM:
        raise WebhookForged("another algorithm")
    if "crit" in header or "b64" in header:
        raise WebhookForged("unknown extension")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _KID_CHARS_AT_MOST or not kid.isascii() or not kid.isprintable():
        raise WebhookForged("no key named")
    return kid


def _check_claims(claims: object, raw_body: bytes, now: datetime) -> None:
    if not isinstance(claims, dict):
        raise WebhookForged("no claims")
    issued = claims.get("iat")
    if isinstance(issued, bool) or not isinstance(issued, int | float) or not 0 <= issued <= _LATEST_S:
        raise WebhookForged("no time")
    age_s = now.timestamp() - issued
    if not -AHEAD_AT_MOST.total_seconds() <= age_s <= AGE_AT_MOST.total_seconds():
        raise WebhookForged("stale")
    said = claims.get("request_body_sha256")
    if not isinstance(said, str):
        raise WebhookForged("no digest")
    if not hmac.compare_digest(said.encode("utf-8", "replace"), hashlib.sha256(raw_body).hexdigest().encode()):
        raise WebhookForged("another body")


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WebhookForged("unreadable claims") from error


def _word(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _WORD_CHARS_AT_MOST or not value.isascii() or not value.isprintable():
        raise WebhookMalformed(f"no {name}")
    return value


def _id(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _ID_CHARS_AT_MOST or not value.isascii() or not value.isprintable():
        raise WebhookMalformed(f"no {name}")
    return value


def _error_code(code: str, error: object) -> str:
    """The error's own code; where a message has none, the message's."""
    found = error.get("error_code") if isinstance(error, dict) else None
    is_word = isinstance(found, str) and found.isascii() and found.replace("_", "").isalnum()
    return str(found)[:_WORD_CHARS_AT_MOST] if is_word else code.partition("/")[2]


def _expires_at(message: dict[str, Any]) -> datetime:
    value = message.get("consent_expiration_time") or message.get("disconnect_time")
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise WebhookMalformed("no expiry")
    return at
