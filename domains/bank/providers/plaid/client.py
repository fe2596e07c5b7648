"""One request to Plaid, and what its refusals mean."""

from collections.abc import Mapping
from typing import Any, Final

from domains.bank.providers.errors import ProviderGarbled
from domains.bank.providers.plaid.config import API_VERSION, PlaidConfig
from domains.bank.providers.plaid.errors import error_of
from domains.bank.providers.wire import Wire

_REFUSED_FROM: Final = 400


class PlaidClient:
    """Every request of Plaid's API is a POST of one JSON object; our id and secret go in its headers."""

    def __init__(self, wire: Wire, config: PlaidConfig) -> None:
        self._wire = wire
        self._headers = {"PLAID-CLIENT-ID": config.client_id, "PLAID-SECRET": config.secret, "Plaid-Version": API_VERSION}

    async def post(
        self, path: str, body: Mapping[str, Any], *, institution_id: str | None = None, is_repeatable: bool = True
    ) -> Mapping[str, Any]:
        """The object that Plaid answers, its numbers exact.

        institution_id: whose fault it is counted as when it fails. Errors: ProviderUnavailable, ProviderGarbled, ProviderRefused,
        ReauthenticationRequired, each with Plaid's own code.
        """
        answer = await self._wire.call(
            "POST", path, json=body, headers=self._headers, circuit=f"plaid:{institution_id or ''}", is_repeatable=is_repeatable
        )
        if answer.status >= _REFUSED_FROM:
            raise error_of(answer.body)
        if not isinstance(answer.body, Mapping):
            raise ProviderGarbled("BODY")
        return answer.body
