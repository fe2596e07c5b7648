"""One bank: its tokens, its consents, and requests on behalf of one of its customers."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote_plus, urlsplit
from uuid import uuid4

from domains.bank.providers import reading
from domains.bank.providers.errors import ProviderRefused, ReauthenticationRequired
from domains.bank.providers.open_banking import consents, signing
from domains.bank.providers.open_banking.access import Access
from domains.bank.providers.open_banking.config import BankConfig, ClientAuthentication
from domains.bank.providers.open_banking.consents import Consent, read_consent
from domains.bank.providers.open_banking.wires import BankWires
from domains.bank.providers.protocol import Listener
from domains.bank.providers.wire import Answer, segment
from domains.core.clock import Clock

PROVIDER: Final = "open_banking"
#: A token that runs out sooner than this counts as run out: a request takes its time.
_MARGIN: Final = timedelta(seconds=60)
_LONGEST: Final = timedelta(days=3660)
_TOKEN_CHARS: Final = 16_384
_JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CONSENTS: Final = "/account-access-consents"
#: What a bank says when its customer has to sign in again although the consent holds: 3.1, and 4.0's code for it.
_REAUTHENTICATE: Final = frozenset({"UK.OBIE.REAUTHENTICATE", "U028"})


class Bank:
    """Errors of all: ProviderRefused when it will not have this installation; those of the wire."""

    def __init__(self, config: BankConfig, wires: BankWires, clock: Clock) -> None:
        self.config, self.clock = config, clock
        self._wires = wires
        self._circuit = f"{PROVIDER}:{config.id}"
        self._client: tuple[str, datetime] | None = None
        self._lock = asyncio.Lock()

    # Consents, asked for as ourselves

    async def create_consent(self) -> Consent:
        answer = await self._as_client("POST", _CONSENTS, json=consents.asked(self.clock.now()))
        if answer.status not in (200, 201):
            raise ProviderRefused(code_of(answer))
        return read_consent(answer.body)

    async def find_consent(self, consent_id: str) -> Consent | None:
        """None where the bank has none of that id (any more); it says so with 400, 403 or 404."""
        answer = await self._as_client("GET", f"{_CONSENTS}/{segment(consent_id)}")
        if answer.status in (400, 403, 404, 410):
            return None
        if answer.status != 200:
            raise ProviderRefused(code_of(answer))
        found = read_consent(answer.body)
        return found if found.id == consent_id else None

    async def end_consent(self, consent_id: str) -> None:
        """One that has ended already, or is not there, is as good."""
        answer = await self._as_client("DELETE", f"{_CONSENTS}/{segment(consent_id)}")
        if answer.status in (200, 202, 204, 404, 410):
            return
        found = await self.find_consent(consent_id)
        if found is not None and found.holds(self.clock.now()):
            raise ProviderRefused(code_of(answer))

    # Tokens

    async def exchange(self, code: str, begun: signing.Begun) -> Answer:
        """What a code is good for. It is shown once: a second time the bank would take it for stolen."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.redirect_url,
            "code_verifier": begun.verifier,
        }
        return await self._token(form, is_repeatable=False)

    async def refreshed(self, access: Access) -> Access:
        """Errors: ReauthenticationRequired when the bank does not take the refresh token (any more), or there is none."""
        if access.refresh_token is None:
            raise ReauthenticationRequired("TOKEN_EXPIRED")
        # Asked again if the answer is lost: where the bank took the token away, the next fetch could not do any better.
        answer = await self._token({"grant_type": "refresh_token", "refresh_token": access.refresh_token}, is_repeatable=True)
        if answer.status == 200:
            token, refresh_token, expires_at = self.read_token(answer)
            return replace(access, token=token, refresh_token=refresh_token or access.refresh_token, expires_at=expires_at)
        if (why := code_of(answer)) == "INVALID_GRANT":
            raise ReauthenticationRequired(why)
        raise ProviderRefused(why)

    def read_token(self, answer: Answer) -> tuple[str, str | None, datetime | None]:
        """Access token, refresh token, and until when the first is good. Errors: ProviderGarbled."""
        body = reading.record(answer.body, "body")
        token = reading.identifier(body.get("access_token"), "access_token", _TOKEN_CHARS)
        refresh_token = reading.optional_identifier(body.get("refresh_token"), "refresh_token", _TOKEN_CHARS)
        if body.get("expires_in") is None:
            return token, refresh_token, None
        lasts = timedelta(seconds=reading.whole(body["expires_in"], "expires_in"))
        return token, refresh_token, self.clock.now() + min(max(lasts, timedelta(0)), _LONGEST)

    # Requests

    async def get(self, token: str, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """`path`: below the base URL, or a whole URL of the same server."""
        return await self._resource("GET", path, token, params=params)

    async def _as_client(self, method: str, path: str, *, json: object = None) -> Answer:
        """With a token of our own. One that the bank has forgotten is asked for anew, once."""
        answer = await self._resource(method, path, await self._client_token(), json=json)
        if answer.status != 401:
            return answer
        self._client = None
        answer = await self._resource(method, path, await self._client_token(), json=json)
        if answer.status == 401:
            raise ProviderRefused(code_of(answer))
        return answer

    async def _resource(
        self, method: str, path: str, token: str, *, json: object = None, params: Mapping[str, str] | None = None
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "x-fapi-interaction-id": str(uuid4())}
        if self.config.financial_id is not None:
            headers["x-fapi-financial-id"] = self.config.financial_id
        return await self._wires.resources.call(method, path, json=json, params=params, headers=headers, circuit=self._circuit)

    async def _client_token(self) -> str:
        async with self._lock:
            if self._client is None or self._client[1] - _MARGIN <= self.clock.now():
                scope = " ".join(word for word in self.config.scope.split() if word != "openid")
                answer = await self._token({"grant_type": "client_credentials", "scope": scope}, is_repeatable=True)
                if answer.status != 200:
                    raise ProviderRefused(code_of(answer))
                token, _, expires_at = self.read_token(answer)
                self._client = token, expires_at or self.clock.now() + 2 * _MARGIN
            return self._client[0]

    async def _token(self, form: Mapping[str, str], *, is_repeatable: bool) -> Answer:
        proof, headers = self._who_we_are()
        path = urlsplit(self.config.token_url).path or "/"
        return await self._wires.tokens.call(
            "POST", path, form={**form, **proof}, headers=headers, circuit=self._circuit, is_repeatable=is_repeatable
        )

    def _who_we_are(self) -> tuple[dict[str, str], dict[str, str]]:
        """What of the form, and what of the headers, says and proves it. A client id and a secret are escaped first (RFC 6749, 2.3.1)."""
        bank = self.config
        proof = {"client_id": bank.client_id}
        if bank.client_authentication is ClientAuthentication.PRIVATE_KEY_JWT:
            return {**proof, "client_assertion_type": _JWT_BEARER, "client_assertion": signing.client_assertion(bank, self.clock.now())}, {}
        if bank.client_authentication is ClientAuthentication.CLIENT_SECRET_POST:
            return {**proof, "client_secret": bank.client_secret or ""}, {}
        if bank.client_authentication is ClientAuthentication.CLIENT_SECRET_BASIC:
            both = f"{quote_plus(bank.client_id)}:{quote_plus(bank.client_secret or '')}"
            return {}, {"Authorization": f"Basic {base64.b64encode(both.encode()).decode()}"}
        return proof, {}


class Customer:
    """Requests on behalf of one customer, with a token that is renewed when it has run out, before or during them.

    listener: told of new credentials before they are used. refusal: the bank's code for the last thing that it did not tell.
    """

    def __init__(self, bank: Bank, access: Access, listener: Listener) -> None:
        self.bank, self.access = bank, access
        self.refusal: str | None = None
        self._listener = listener

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer | None:
        """A successful answer. None where the bank does not tell of this one thing, although the consent holds.

        Errors: ReauthenticationRequired; as Bank.
        """
        if self.access.expires_at is not None and self.access.expires_at - _MARGIN <= self.bank.clock.now():
            await self._renew()
        answer = await self.bank.get(self.access.token, path, params)
        if answer.status == 401:
            await self._renew()
            answer = await self.bank.get(self.access.token, path, params)
        if answer.status < 300:
            return answer
        await self._check_consent(answer)
        return None

    async def keep(self, access: Access) -> None:
        """What is kept of our access from now on."""
        await self._listener.credentials_changed(access.credentials())
        self.access = access

    async def _renew(self) -> None:
        await self.keep(await self.bank.refreshed(self.access))

    async def _check_consent(self, answer: Answer) -> None:
        """Why the bank refused: what has become of the consent, by the bank's own word.

        Errors: ReauthenticationRequired unless the consent holds, and the bank asks for nobody to sign in again.
        """
        why = code_of(answer)
        if answer.status == 401 or why in _REAUTHENTICATE:
            raise ReauthenticationRequired(why)
        consent = await self.bank.find_consent(self.access.consent_id)
        if consent is None:
            raise ReauthenticationRequired("CONSENT_NOT_FOUND")
        if not consent.holds(self.bank.clock.now()):
            raise ReauthenticationRequired(consent.status)
        self.refusal = why


def code_of(answer: Answer) -> str:
    """The bank's own code for why not, of OAuth's or of its own form of errors; else the status."""
    body: Any = answer.body if isinstance(answer.body, dict) else {}
    listed = body.get("Errors")
    first = listed[0] if isinstance(listed, list) and listed else None
    said = first.get("ErrorCode") if isinstance(first, dict) else body.get("error")
    return said.upper() if isinstance(said, str) and said.isascii() and said.isprintable() else f"HTTP_{answer.status}"
