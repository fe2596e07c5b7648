"""Plaid, linked: from the token for its dialogue to the end of our access."""

import asyncio
import random as chance
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from domains.bank.providers import reading
from domains.bank.providers.errors import LinkRefused, ProviderError, ProviderRefused, ReauthenticationRequired
from domains.bank.providers.plaid.client import PlaidClient
from domains.bank.providers.plaid.config import PlaidConfig
from domains.bank.providers.plaid.errors import GONE, OUR_OWN, code_of, is_of_a_link
from domains.bank.providers.plaid.fetch import fetch
from domains.bank.providers.plaid.sync import Pages, Random, Sleep
from domains.bank.providers.plaid.webhook_keys import WebhookKeys
from domains.bank.providers.protocol import (
    Credentials,
    Fetched,
    LinkAnswer,
    Linked,
    LinkRequest,
    LinkStart,
    Listener,
    Reached,
)
from domains.bank.providers.wire import Wire
from domains.core.clock import Clock

_TOKEN_CHARS_AT_MOST: Final = 500
#: A link token is good for four hours, one of a repair for half an hour, unless Plaid says otherwise. Source: its document.
_LINK_LASTS: Final = timedelta(hours=4)


class PlaidProvider:
    """Banks through Plaid. `webhook_keys` is what `verify_webhook` needs. Close the wire when it is not needed any more."""

    name = "plaid"

    def __init__(
        self, wire: Wire, config: PlaidConfig, clock: Clock, *, sleep: Sleep = asyncio.sleep, random: Random = chance.uniform
    ) -> None:
        self._client = PlaidClient(wire, config)
        self._config = config
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self.webhook_keys = WebhookKeys(self._webhook_key)

    async def begin_link(self, request: LinkRequest) -> LinkStart:
        """A token for Plaid's own dialogue (Link); with `reached`, in its update mode, for a person to sign in or to agree again.

        A connection that Plaid has forgotten cannot be repaired: ReauthenticationRequired then, and it is to be linked anew.
        """
        config = self._config
        body: dict[str, Any] = {
            "client_name": config.client_name,
            "language": config.language_for(request.locale),
            "country_codes": list(config.countries),
            "user": {"client_user_id": request.user_reference},
        }
        if request.reached is None:
            body |= {"products": ["transactions"], "transactions": {"days_requested": config.days_requested}}
        else:
            body |= {"access_token": request.reached.credentials.access_token, "update": {"account_selection_enabled": True}}
        body |= {} if config.webhook_url is None else {"webhook": config.webhook_url}
        body |= {} if request.redirect_url is None else {"redirect_uri": request.redirect_url}
        answer = await self._client.post("/link/token/create", body)
        expires_at = reading.optional_instant(answer.get("expiration"), "expiration")
        return LinkStart(
            expires_at=expires_at or self._clock.now() + _LINK_LASTS,
            token=reading.identifier(answer.get("link_token"), "link_token", _TOKEN_CHARS_AT_MOST),
            url=_address(answer.get("hosted_link_url")),
        )

    async def complete_link(self, answer: LinkAnswer) -> Linked:
        """After a first link: the public token is exchanged. After a repair the connection is as it was, if it works again."""
        if answer.reached is not None:
            return await self._repaired(answer.reached)
        if not answer.public_token:
            raise LinkRefused("PUBLIC_TOKEN")
        credentials, item_id = await self._exchanged(answer.public_token)
        try:
            return await self._linked(credentials, item_id, await self._item(credentials))
        except ProviderError:
            # The access is ours, and would be lost with an error. What it is called shows with the first fetch.
            return Linked(item_id=item_id, credentials=credentials)

    async def fetch(self, reached: Reached, listener: Listener, today: date) -> Fetched:
        pages = Pages(self._client, reached, listener, today, self._sleep, self._random)
        return await fetch(self._client, pages, reached, today)

    async def revoke(self, reached: Reached) -> None:
        body = {"access_token": reached.credentials.access_token}
        try:
            await self._client.post("/item/remove", body, institution_id=reached.institution_id)
        except ReauthenticationRequired as error:
            if error.detail not in GONE:
                raise

    async def _exchanged(self, public_token: str) -> tuple[Credentials, str]:
        """Never asked twice: a public token is good for one exchange."""
        try:
            answer = await self._client.post("/item/public_token/exchange", {"public_token": public_token}, is_repeatable=False)
        except ProviderError as error:
            if error.detail is not None and is_of_a_link(error.detail):
                raise LinkRefused(error.detail) from None
            raise
        token = reading.identifier(answer.get("access_token"), "access_token", _TOKEN_CHARS_AT_MOST)
        return Credentials(access_token=token), reading.identifier(answer.get("item_id"), "item_id")

    async def _repaired(self, reached: Reached) -> Linked:
        """Errors: LinkRefused when the person did not sign in after all."""
        item = await self._item(reached.credentials)
        code = code_of(item.get("error"))
        if code is not None:
            raise LinkRefused(code)
        return await self._linked(reached.credentials, reached.item_id, item)

    async def _item(self, credentials: Credentials) -> Mapping[str, Any]:
        answer = await self._client.post("/item/get", {"access_token": credentials.access_token})
        return reading.record(answer.get("item"), "item")

    async def _linked(self, credentials: Credentials, item_id: str, item: Mapping[str, Any]) -> Linked:
        """Errors: ProviderGarbled for an item that cannot be read; none about its institution, which is only what it is called."""
        institution_id = reading.optional_identifier(item.get("institution_id"), "item.institution_id")
        name = reading.optional_text(item.get("institution_name"), "item.institution_name")
        metadata: dict[str, str] = {}
        if institution_id is not None:
            try:
                institution = await self._institution(institution_id)
                name = reading.optional_text(institution.get("name"), "institution.name") or name
                url = reading.optional_url(institution.get("url"), "institution.url")
                metadata = {} if url is None else {"institution_url": url}
            except ProviderError:
                metadata = {}  # it is linked whatever its bank's name is
        return Linked(
            item_id=item_id,
            credentials=credentials,
            institution_id=institution_id,
            institution_name=name,
            consent_expires_at=reading.optional_instant(item.get("consent_expiration_time"), "item.consent_expiration_time"),
            metadata=metadata,
        )

    async def _institution(self, institution_id: str) -> Mapping[str, Any]:
        body = {
            "institution_id": institution_id,
            "country_codes": list(self._config.countries),
            "options": {"include_optional_metadata": True},
        }
        answer = await self._client.post("/institutions/get_by_id", body)
        return reading.record(answer.get("institution"), "institution")

    async def _webhook_key(self, kid: str) -> Mapping[str, Any] | None:
        """A key by its id; None where Plaid knows none. A refusal of us ourselves says nothing about the key."""
        try:
            answer = await self._client.post("/webhook_verification_key/get", {"key_id": kid})
        except ProviderRefused as error:
            if error.detail in OUR_OWN:
                raise
            return None
        return reading.record(answer.get("key"), "key")


def _address(value: object) -> str | None:
    """A page to send the person to; of a simulator on this machine, too."""
    if isinstance(value, str) and value.startswith(("http://127.0.0.1:", "http://localhost:")):
        return value if value.isascii() and value.isprintable() and len(value) <= reading.MAX_URL_CHARS else None
    return reading.optional_url(value, "hosted_link_url")
