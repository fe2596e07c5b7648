"""Tokens of the app and of its users at Tink.

A user of ours is one user there, and the app may act for them: a token that has run out is refreshed with its refresh token where Tink
gave one, and is otherwise asked for anew. So a token is no consent; that one is at the bank, and lasts as long as the bank says.
Source: docs.tink.com, Continuous access to a bank account, and API reference, General v1, OAuth (as of January 2026).
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from domains.bank.providers import reading
from domains.bank.providers.errors import ProviderGarbled, ProviderRefused, ReauthenticationRequired
from domains.bank.providers.protocol import Credentials, Listener
from domains.bank.providers.tink.config import TinkConfig
from domains.bank.providers.wire import Answer, Wire
from domains.core.clock import Clock

#: The circuit of what does not concern one bank.
CIRCUIT: Final = "tink:"
#: What the app asks for itself: making users, and acting for them.
CLIENT_SCOPE: Final = "user:create,authorization:grant"
#: What a stored token may do: read.
READ_SCOPE: Final = "accounts:read,balances:read,transactions:read,provider-consents:read,credentials:read"
#: What a token may do that ends a connection; asked for then, and never stored.
REVOKE_SCOPE: Final = "credentials:write,provider-consents:read,user:delete"
#: Why a person is asked again whom Tink does not know any more.
NOT_A_USER: Final = ("USER_NOT_FOUND", "INVALID_GRANT")
#: A token that runs out sooner than this counts as run out: a request takes its time.
_MARGIN: Final = timedelta(seconds=60)
_LONGEST: Final = timedelta(days=366)
_TOKEN: Final = "/api/v1/oauth/token"  # noqa: S105
_WORD: Final = re.compile(r"[A-Z][A-Z0-9._-]{1,79}", re.ASCII)


class UserGone(Exception):
    """Tink does not know the person (any more)."""


class Tokens:
    """The app's own token, kept until it runs out, and what is asked with it."""

    def __init__(self, wire: Wire, config: TinkConfig, clock: Clock) -> None:
        self._wire, self._config, self._clock = wire, config, clock
        self._client: Credentials | None = None
        self._lock = asyncio.Lock()

    async def as_client(self, path: str, *, json: Any = None, form: Mapping[str, str] | None = None) -> Answer:
        """POST as the app. Errors: ProviderRefused when Tink will not have this app; those of the wire."""
        for is_last in (False, True):
            token = await self._client_token()
            answer = await self._wire.call("POST", path, json=json, form=form, headers=bearer(token), circuit=CIRCUIT)
            if answer.status != 401:
                break
            if is_last:
                raise refused(answer)
            self._client = None
        return answer

    async def for_user(self, user: str, scope: str) -> Credentials:
        """New credentials of a person, by their id of ours. Errors: UserGone; ProviderRefused; those of the wire."""
        answer = await self.as_client("/api/v1/oauth/authorization-grant", form={"external_user_id": user, "scope": scope})
        if answer.status == 404:
            raise UserGone
        if answer.status != 200:
            raise refused(answer)
        form = {"grant_type": "authorization_code", "code": token_text(answer.body, "code")}
        granted = await self._token(form, is_repeatable=False)
        if granted.status != 200:
            raise refused(granted)
        return self._credentials(granted)

    async def renewed(self, user: str, before: Credentials, scope: str) -> Credentials:
        """What takes the place of credentials that have run out.

        A refresh token that is refused is no loss while the app may act for the person: where refresh tokens rotate, one answer that
        was lost on its way makes both of them useless. The person is asked only when nothing else is left.

        Errors: ReauthenticationRequired; ProviderRefused; those of the wire.
        """
        if before.refresh_token is None:
            return await self._granted_again(user, scope, NOT_A_USER[0])
        form = {"grant_type": "refresh_token", "refresh_token": before.refresh_token}
        answer = await self._token(form, is_repeatable=False)
        if answer.status == 200:
            return self._credentials(answer, refresh_token=before.refresh_token)
        if answer.status == 401 and word_of(answer).endswith("INVALID_CLIENT"):
            raise refused(answer)
        return await self._granted_again(user, scope, NOT_A_USER[1])

    async def _granted_again(self, user: str, scope: str, why: str) -> Credentials:
        try:
            return await self.for_user(user, scope)
        except UserGone:
            raise ReauthenticationRequired(why) from None

    def has_run_out(self, credentials: Credentials) -> bool:
        return credentials.expires_at is not None and credentials.expires_at - _MARGIN <= self._clock.now()

    async def _client_token(self) -> str:
        async with self._lock:
            if self._client is None or self.has_run_out(self._client):
                answer = await self._token({"grant_type": "client_credentials", "scope": CLIENT_SCOPE}, is_repeatable=True)
                if answer.status != 200:
                    raise refused(answer)
                self._client = self._credentials(answer)
            return self._client.access_token

    async def _token(self, form: Mapping[str, str], *, is_repeatable: bool) -> Answer:
        signed = {"client_id": self._config.client_id, "client_secret": self._config.client_secret, **form}
        return await self._wire.call("POST", _TOKEN, form=signed, circuit=CIRCUIT, is_repeatable=is_repeatable)

    def _credentials(self, answer: Answer, *, refresh_token: str | None = None) -> Credentials:
        lasts_s = reading.whole(reading.member(answer.body, "expires_in", "body"), "expires_in")
        if not 0 < lasts_s <= _LONGEST.total_seconds():
            raise ProviderGarbled("expires_in")
        given = answer.body.get("refresh_token")
        return Credentials(
            access_token=token_text(answer.body, "access_token"),
            refresh_token=refresh_token if given is None else token_text(answer.body, "refresh_token"),
            expires_at=self._clock.now() + timedelta(seconds=lasts_s),
        )


class UserSession:
    """Requests on behalf of one person, with a token that is renewed when it has run out, before or during them.

    user: their id of ours. listener: told of new credentials; None where nobody keeps them.
    """

    def __init__(
        self,
        wire: Wire,
        tokens: Tokens,
        user: str,
        credentials: Credentials,
        *,
        scope: str = READ_SCOPE,
        circuit: str = CIRCUIT,
        listener: Listener | None = None,
    ) -> None:
        self._wire, self._tokens, self._user = wire, tokens, user
        self._scope, self._circuit, self._listener = scope, circuit, listener
        self.credentials = credentials

    async def call(self, method: str, path: str, params: Mapping[str, str | int] | None = None, *, is_repeatable: bool = True) -> Answer:
        """An answer that is neither 401 nor 403.

        Effects: the listener is told of new credentials before they are used.
        Errors: ReauthenticationRequired when even new ones are refused; ProviderRefused when the app lacks a scope.
        """
        if self._tokens.has_run_out(self.credentials):
            await self._renew()
        for is_last in (False, True):
            headers = bearer(self.credentials.access_token)
            answer = await self._wire.call(method, path, params=params, headers=headers, circuit=self._circuit, is_repeatable=is_repeatable)
            if answer.status != 401:
                break
            if is_last:
                raise ReauthenticationRequired("ACCESS_REVOKED")
            await self._renew()
        if answer.status == 403:
            raise refused(answer)
        return answer

    async def _renew(self) -> None:
        self.credentials = await self._tokens.renewed(self._user, self.credentials, self._scope)
        if self._listener is not None:
            await self._listener.credentials_changed(self.credentials)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def token_text(body: Any, name: str) -> str:
    """A token or a code. It goes into a header: what cannot stand in one is none."""
    value = body.get(name) if isinstance(body, Mapping) else None
    if not isinstance(value, str) or not 0 < len(value) <= 8_192 or not value.isascii() or not value.isprintable() or " " in value:
        raise ProviderGarbled(name)
    return value


def word_of(answer: Answer) -> str:
    """Tink's own word for a failure, in capitals, or the status: `error` is the standard's (RFC 6749), `errorCode` Tink's."""
    body = answer.body if isinstance(answer.body, Mapping) else {}
    for name in ("error", "errorCode"):
        if isinstance(said := body.get(name), str) and _WORD.fullmatch(said.upper()):
            return said.upper()
    return f"HTTP_{answer.status}"


def refused(answer: Answer) -> ProviderRefused:
    return ProviderRefused(word_of(answer))
