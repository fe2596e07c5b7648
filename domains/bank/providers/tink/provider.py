"""Banks that are reached through Tink."""

import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from domains.bank.providers import reading
from domains.bank.providers.errors import LinkRefused, ProviderError, ReauthenticationRequired
from domains.bank.providers.protocol import Credentials, Fetched, LinkAnswer, Linked, LinkRequest, LinkStart, Listener, Reached
from domains.bank.providers.tink.config import TinkConfig
from domains.bank.providers.tink.fetch import PROVIDER, Fetch, list_consents
from domains.bank.providers.tink.link import LINK_CLIENT, LINK_SCOPE, item_id, link_url, locale_for, parts_of
from domains.bank.providers.tink.tokens import (
    CIRCUIT,
    NOT_A_USER,
    READ_SCOPE,
    REVOKE_SCOPE,
    Tokens,
    UserGone,
    UserSession,
    refused,
    token_text,
)
from domains.bank.providers.wire import Wire, segment
from domains.core.clock import Clock

#: How long a person has to come back from Tink Link. Tink calls its code short-lived and gives no figure; the bound is ours.
LINK_LASTS: Final = timedelta(minutes=30)
_CREDENTIALS: Final = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


class TinkProvider:
    """One person is one permanent user at Tink, whatever number of banks they link; a connection is one consent of theirs.

    `Linked.item_id` names both. `LinkAnswer.code` is the `credentials_id` that Tink Link hands back.
    wire: to Tink's API. Errors: as LinkedProvider says.
    """

    name = PROVIDER

    def __init__(self, wire: Wire, config: TinkConfig, clock: Clock) -> None:
        self._wire, self._config, self._clock = wire, config, clock
        self._tokens = Tokens(wire, config, clock)

    async def begin_link(self, request: LinkRequest) -> LinkStart:
        """A page to send the person to: to pick a bank, or, for `request.reached`, to agree again at theirs.

        Effects: the person becomes a user at Tink, if they are none yet. Errors: also LinkRefused without a redirect URL.
        """
        if request.redirect_url is None:
            raise LinkRefused("REDIRECT_URL_MISSING")
        repaired: str | None = None
        user = request.user_reference
        if request.reached is None:
            await self._create_user(user, request.locale)
        else:
            user, repaired = parts_of(request.reached.item_id)
        state = secrets.token_urlsafe(32)
        url = link_url(
            self._config,
            code=await self._link_code(user),
            redirect_url=request.redirect_url,
            locale=request.locale,
            state=state,
            provider=request.institution_id,
            credentials_id=repaired,
        )
        secret = {"state": state, "user": user} | ({} if repaired is None else {"credentials_id": repaired})
        return LinkStart(expires_at=self._clock.now() + LINK_LASTS, url=url, secret=secret)

    async def complete_link(self, answer: LinkAnswer) -> Linked:
        """The connection that the person has made, or repaired.

        The id they come back with proves nothing: it counts only if it is among the consents of the very person who was sent there.
        """
        user = _checked(answer)
        credentials_id = answer.code or ""
        session = await self._session(user)
        try:
            found = next(iter(await list_consents(session, credentials_id)), None)
        except ReauthenticationRequired as error:
            raise LinkRefused(error.detail) from None
        if found is None:
            raise LinkRefused("UNKNOWN_CREDENTIALS")
        if found.is_lost:
            raise LinkRefused(found.status)
        name, logo = await self._bank(session, found.provider)
        return Linked(
            item_id=item_id(user, credentials_id),
            credentials=session.credentials,
            institution_id=found.provider,
            institution_name=name,
            institution_logo_url=logo,
            consent_expires_at=found.expires_at,
            metadata={"market": self._config.market},
        )

    async def fetch(self, reached: Reached, listener: Listener, today: date) -> Fetched:
        """By booking window: each account says of which days its transactions are all that there is (`StatementAccount.window`)."""
        user, credentials_id = parts_of(reached.item_id)
        circuit = f"{CIRCUIT}{reached.institution_id or ''}"
        session = UserSession(self._wire, self._tokens, user, reached.credentials, circuit=circuit, listener=listener)
        return await Fetch(session, listener, self._config.secret, today, self._clock.now()).run(credentials_id, reached.cursor)

    async def revoke(self, reached: Reached) -> None:
        """Delete the consent at Tink, and the person's user with it when that was their last one: nothing of theirs is kept there."""
        user, credentials_id = parts_of(reached.item_id)
        try:
            session = await self._session(user, REVOKE_SCOPE)
        except LinkRefused:
            return
        try:
            deleted = await session.call("DELETE", f"/api/v1/credentials/{segment(credentials_id)}")
            if deleted.status not in (200, 204, 404):
                raise refused(deleted)
            left = [each for each in await list_consents(session) if each.credentials_id != credentials_id and each.status != "DELETED"]
            if not left:
                gone = await session.call("POST", "/api/v1/user/delete")
                if gone.status not in (200, 204, 404):
                    raise refused(gone)
        except ReauthenticationRequired as error:
            if error.detail not in NOT_A_USER:
                raise
            # The person went away in between, and their consents with them.

    async def _create_user(self, user: str, locale: str) -> None:
        body = {
            "external_user_id": user,
            "market": self._config.market,
            "locale": locale_for(locale),
            "retention_class": "permanent",
        }
        answer = await self._tokens.as_client("/api/v1/user/create", json=body)
        if answer.status not in (200, 201, 409):  # 409: they are one already
            raise refused(answer)

    async def _link_code(self, user: str) -> str:
        """A code that lets Tink Link act for this person, once."""
        form = {"external_user_id": user, "actor_client_id": LINK_CLIENT, "id_hint": self._config.client_name, "scope": LINK_SCOPE}
        answer = await self._tokens.as_client("/api/v1/oauth/authorization-grant/delegate", form=form)
        if answer.status == 404:
            raise LinkRefused("USER_NOT_FOUND")
        if answer.status != 200:
            raise refused(answer)
        return token_text(answer.body, "code")

    async def _session(self, user: str, scope: str = READ_SCOPE) -> UserSession:
        """Errors: LinkRefused when Tink does not know the person."""
        try:
            credentials: Credentials = await self._tokens.for_user(user, scope)
        except UserGone:
            raise LinkRefused("USER_NOT_FOUND") from None
        return UserSession(self._wire, self._tokens, user, credentials, scope=scope)

    async def _bank(self, session: UserSession, provider: str) -> tuple[str, str | None]:
        """The bank's name and the address of its logo; where Tink does not tell, its own word for the bank has to do."""
        try:
            answer = await session.call("GET", "/api/v1/providers", {"name": provider, "includeTestProviders": "true"})
            listed = reading.items(reading.member(answer.body, "providers", "body"), "providers")
            for entry in listed:
                if reading.member(entry, "name", "providers[].name") == provider:
                    return _named(entry, provider)
        except ProviderError:
            pass
        return provider, None


def _named(entry: Mapping[str, object], provider: str) -> tuple[str, str | None]:
    name = reading.optional_text(entry.get("displayName"), "providers[].displayName")
    icon = reading.member(entry.get("images") or {}, "icon", "providers[].images")
    return name or provider, reading.optional_url(icon, "providers[].images.icon")


def _checked(answer: LinkAnswer) -> str:
    """Whom it is about. Errors: LinkRefused for a state that is not the one we gave away, and for a repair that led elsewhere."""
    expected = answer.secret.get("state", "")
    if not expected or not hmac.compare_digest(expected.encode(), (answer.state or "").encode()):
        raise LinkRefused("STATE_MISMATCH")
    if not answer.code:
        raise LinkRefused("NO_CODE")
    if not _CREDENTIALS.fullmatch(answer.code):
        raise LinkRefused("UNKNOWN_CREDENTIALS")
    repaired = answer.secret.get("credentials_id")
    if repaired is not None and not hmac.compare_digest(repaired.encode(), answer.code.encode()):
        raise LinkRefused("OTHER_CREDENTIALS")
    return answer.secret["user"]
