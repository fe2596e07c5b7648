"""Who may ask what: the app, its users, codes and tokens."""

import itertools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from domains.core.clock import Clock

#: Tink Link, as the only client that a code may be delegated to.
LINK_CLIENT: Final = "df05e4b379934cd09963197cc855bfe9"
_CODE_LASTS: Final = timedelta(minutes=5)


class Refused(Exception):
    """An answer that is a refusal. `word`: Tink's, or the standard's of OAuth."""

    def __init__(self, status: int, word: str) -> None:
        super().__init__(word)
        self.status, self.word = status, word

    @property
    def body(self) -> dict[str, str]:
        return {"error": self.word, "errorMessage": "Refused.", "errorCode": f"oauth.{self.word}"}


@dataclass(kw_only=True)
class Token:
    """user: by the app's own id of theirs; None for the app's token. left: how many more requests it is good for; None: any number."""

    value: str = field(repr=False)
    user: str | None
    scopes: frozenset[str]
    expires_at: datetime
    left: int | None = None


@dataclass(frozen=True, kw_only=True)
class Code:
    user: str
    scope: str
    expires_at: datetime
    is_for_link: bool


class Authority:
    """rotates: a refresh token is good once, and its successor comes with the token. Without `gives_refresh_tokens` there are none."""

    def __init__(
        self, clock: Clock, client_id: str, client_secret: str, *, token_lasts_s: int, gives_refresh_tokens: bool, rotates: bool
    ) -> None:
        self.client_id, self._client_secret, self._clock = client_id, client_secret, clock
        self.token_lasts_s, self._gives_refresh_tokens, self._rotates = token_lasts_s, gives_refresh_tokens, rotates
        #: How many requests a user's token that is given from now on is good for; None: any number.
        self.requests_per_token: int | None = None
        #: Users: the app's own id of theirs -> Tink's.
        self.users: dict[str, str] = {}
        #: How many tokens were given, by what for.
        self.given: dict[str, int] = {}
        self._codes: dict[str, Code] = {}
        self._tokens: dict[str, Token] = {}
        self._refresh: dict[str, tuple[str, str]] = {}
        self._numbers = itertools.count(1)

    # What a test does

    def expire_tokens(self) -> None:
        """No access token of a user is good any more; refresh tokens are."""
        self._tokens = {value: token for value, token in self._tokens.items() if token.user is None}

    def forget_client_tokens(self) -> None:
        """No token of the app's own is good any more."""
        self._tokens = {value: token for value, token in self._tokens.items() if token.user is not None}

    def forget_refresh_tokens(self) -> None:
        self._refresh.clear()

    # What the API does

    def create_user(self, external_id: str) -> dict[str, str]:
        if external_id in self.users:
            raise Refused(409, "user_exists")
        self.users[external_id] = f"{next(self._numbers):032x}"
        return {"external_user_id": external_id, "user_id": self.users[external_id]}

    def delete_user(self, external_id: str) -> None:
        del self.users[external_id]
        self._tokens = {value: token for value, token in self._tokens.items() if token.user != external_id}
        self._refresh = {value: who for value, who in self._refresh.items() if who[0] != external_id}

    def grant(self, form: Mapping[str, str], *, is_for_link: bool) -> dict[str, str]:
        """A code for a user, for the app itself or for Tink Link."""
        user = form.get("external_user_id", "")
        if user not in self.users:
            raise Refused(404, "user_not_found")
        if is_for_link and (form.get("actor_client_id") != LINK_CLIENT or not form.get("id_hint")):
            raise Refused(400, "invalid_request")
        if not form.get("scope"):
            raise Refused(400, "invalid_scope")
        code = secrets.token_hex(16)
        self._codes[code] = Code(user=user, scope=form["scope"], expires_at=self._clock.now() + _CODE_LASTS, is_for_link=is_for_link)
        return {"code": code}

    def take_code(self, code: str, *, is_for_link: bool) -> Code:
        """What a code was given for. It is good once, and for whom it was given."""
        found = self._codes.get(code)
        if found is None or found.is_for_link != is_for_link or found.expires_at <= self._clock.now() or found.user not in self.users:
            raise Refused(400, "invalid_grant")
        del self._codes[code]
        return found

    def token(self, form: Mapping[str, str]) -> dict[str, Any]:
        """POST /api/v1/oauth/token."""
        if form.get("client_id") != self.client_id or not secrets.compare_digest(form.get("client_secret", ""), self._client_secret):
            raise Refused(401, "invalid_client")
        kind = form.get("grant_type", "")
        if kind == "client_credentials":
            return self._give(kind, None, form.get("scope", ""))
        if kind == "authorization_code":
            code = self.take_code(form.get("code", ""), is_for_link=False)
            return self._give(kind, code.user, code.scope)
        if kind == "refresh_token":
            user, scope = self._refresh.get(form.get("refresh_token", ""), ("", ""))
            if user not in self.users:
                raise Refused(400, "invalid_grant")
            if self._rotates:
                del self._refresh[form["refresh_token"]]
            return self._give(kind, user, scope)
        raise Refused(400, "unsupported_grant_type")

    def allow(self, header: str, scope: str, *, is_client: bool) -> str:
        """The user that a request is for; "" for the app's own. Errors: Refused, with 401 or 403."""
        token = self._tokens.get(header.removeprefix("Bearer "))
        if token is None or token.expires_at <= self._clock.now() or (token.user is None) != is_client or token.left == 0:
            raise Refused(401, "unauthenticated")
        if scope not in token.scopes:
            raise Refused(403, "missing_scope")
        if token.left is not None:
            token.left -= 1
        return token.user or ""

    def _give(self, kind: str, user: str | None, scope: str) -> dict[str, Any]:
        value = secrets.token_hex(16)
        expires_at = self._clock.now() + timedelta(seconds=self.token_lasts_s)
        left = None if user is None else self.requests_per_token
        self._tokens[value] = Token(value=value, user=user, scopes=frozenset(scope.split(",")), expires_at=expires_at, left=left)
        self.given[kind] = self.given.get(kind, 0) + 1
        body = {"access_token": value, "token_type": "bearer", "expires_in": self.token_lasts_s, "scope": scope}
        if user is not None and self._gives_refresh_tokens:
            refresh = secrets.token_hex(16)
            self._refresh[refresh] = (user, scope)
            body["refresh_token"] = refresh
        return body
