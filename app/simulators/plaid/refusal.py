"""How Plaid says no."""

from collections.abc import Mapping
from typing import Any, Final

#: Error code -> (type, message). Source: Plaid's pages of errors by type.
_CODES: Final = {
    "INVALID_API_KEYS": ("INVALID_INPUT", "invalid client_id or secret provided"),
    "INVALID_ACCESS_TOKEN": ("INVALID_INPUT", "could not find matching access token"),
    "INVALID_PUBLIC_TOKEN": ("INVALID_INPUT", "could not find matching public token"),
    "INVALID_LINK_TOKEN": ("INVALID_INPUT", "could not find matching link token"),
    "INVALID_INSTITUTION": ("INVALID_INPUT", "invalid institution_id provided"),
    "INVALID_WEBHOOK_VERIFICATION_KEY_ID": ("INVALID_INPUT", "could not find a key with this key_id"),
    "INVALID_BODY": ("INVALID_REQUEST", "body could not be parsed as JSON"),
    "INVALID_FIELD": ("INVALID_REQUEST", "a field is not valid"),
    "MISSING_FIELDS": ("INVALID_REQUEST", "required fields are missing"),
    "UNKNOWN_FIELDS": ("INVALID_REQUEST", "some fields are not known"),
    "NOT_FOUND": ("INVALID_REQUEST", "there is no such route"),
    "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION": (
        "TRANSACTIONS_ERROR",
        "Underlying transaction data changed since last page was fetched. Please restart pagination from last update.",
    ),
    "ITEM_LOGIN_REQUIRED": ("ITEM_ERROR", "the login details of this item have changed"),
    "ITEM_NOT_FOUND": ("ITEM_ERROR", "the item you requested cannot be found"),
    "USER_PERMISSION_REVOKED": ("ITEM_ERROR", "the user has revoked access to this item"),
    "PRODUCT_NOT_READY": ("ITEM_ERROR", "the requested product is not yet ready"),
    "INSTITUTION_DOWN": ("INSTITUTION_ERROR", "this institution is not currently responding to this request"),
    "SANDBOX_WEBHOOK_INVALID": ("SANDBOX_ERROR", "this item has no webhook"),
}


class PlaidRefusal(Exception):
    """An answer of 400 with Plaid's error body. Errors: KeyError for a code that the simulator does not know."""

    def __init__(self, code: str, message: str | None = None) -> None:
        self.code = code
        self.type, usual = _CODES[code]
        self.message = message or usual
        super().__init__(code)

    def body(self, request_id: str) -> Mapping[str, Any]:
        return {**error_object(self), "request_id": request_id}


def error_object(refusal: PlaidRefusal) -> dict[str, Any]:
    """As it stands in an answer, and, without an id of a request, in a webhook or beside an item."""
    return {
        "display_message": None,
        "documentation_url": "https://plaid.com/docs/errors/",
        "error_code": refusal.code,
        "error_message": refusal.message,
        "error_type": refusal.type,
        "suggested_action": None,
    }
