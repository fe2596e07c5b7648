"""What Plaid's error codes mean for us. docs/providers/plaid.md says it for operators.

Source: Plaid's pages of errors by type, and the schema PlaidError of its OpenAPI document, version 2020-09-14.
"""

from collections.abc import Mapping
from typing import Any, Final

from domains.bank.providers.errors import (
    ProviderError,
    ProviderGarbled,
    ProviderRefused,
    ProviderUnavailable,
    ReauthenticationRequired,
)

MUTATION: Final = "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION"
INVALID_FIELD: Final = "INVALID_FIELD"
PRODUCT_NOT_READY: Final = "PRODUCT_NOT_READY"

#: The connection is no more: nothing repairs it, and removing it again is no error.
GONE: Final = frozenset({"ITEM_NOT_FOUND", "INVALID_ACCESS_TOKEN", "ITEM_CONCURRENTLY_DELETED"})
#: What a person came back with is stale, used or made up.
_LINK: Final = frozenset({"INVALID_PUBLIC_TOKEN", "EXPIRED_PUBLIC_TOKEN", "INVALID_LINK_TOKEN", "EXPIRED_LINK_TOKEN"})
#: Which client asks, not what for.
OUR_OWN: Final = frozenset(
    {
        "INVALID_API_KEYS",
        "UNAUTHORIZED_ENVIRONMENT",
        "UNAUTHORIZED_ROUTE_ACCESS",
        "INVALID_PRODUCT",
        "MISSING_FIELDS",
        "INCOMPATIBLE_API_VERSION",
    }
)
#: Types of errors that pass.
_PASSING: Final = frozenset({"RATE_LIMIT_EXCEEDED", "API_ERROR", "INSTITUTION_ERROR", "TRANSACTIONS_ERROR", "INVALID_RESULT"})
#: Institution errors that do not pass, and item errors that no person can mend.
_REFUSED: Final = frozenset(
    {
        "INSTITUTION_NO_LONGER_SUPPORTED",
        "UNSUPPORTED_RESPONSE",
        "INSTITUTION_NOT_ENABLED_IN_ENVIRONMENT",
        "UNAUTHORIZED_INSTITUTION",
        "PRODUCTS_NOT_SUPPORTED",
        "ITEM_NOT_SUPPORTED",
        "MFA_NOT_SUPPORTED",
    }
)


def code_of(body: object) -> str | None:
    """The `error_code` of an answer that is an error."""
    code = body.get("error_code") if isinstance(body, Mapping) else None
    return code if isinstance(code, str) and code else None


def is_of_a_link(code: str) -> bool:
    return code in _LINK


def error_of(body: object) -> ProviderError:
    """What an answer of 400 to 499 means: its type, refined by its code."""
    code = code_of(body)
    if code is None or not isinstance(body, Mapping):
        return ProviderGarbled("ERROR_CODE")
    return _kind(body, code)(code)


def _kind(body: Mapping[str, Any], code: str) -> type[ProviderError]:
    if code in GONE:
        return ReauthenticationRequired
    if code in _REFUSED:
        return ProviderRefused
    if code == PRODUCT_NOT_READY or body.get("error_type") in _PASSING:
        return ProviderUnavailable
    if body.get("error_type") in ("ITEM_ERROR", "OAUTH_ERROR"):
        return ReauthenticationRequired
    return ProviderRefused
