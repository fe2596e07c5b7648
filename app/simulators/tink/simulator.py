"""Tink over HTTP, for one simulated bank."""

import itertools
import random
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.simulators.bank import SimBank, SimTransaction
from app.simulators.faults import Faults, WithFaults
from app.simulators.tink import link_page, shapes
from app.simulators.tink.authority import Authority, Refused
from app.simulators.tink.shapes import SimConsent
from domains.core.clock import Clock, SystemClock

CLIENT_ID: Final = "simulated-client"
CLIENT_SECRET: Final = "simulated-secret"  # noqa: S105  it opens nothing
#: What people agree to lasts so long. Source: docs.tink.com, Continuous access to a bank account.
CONSENT_LASTS: Final = timedelta(days=90)
PAGE_SIZE_AT_MOST: Final = 100
_LINK: Final = "/1.0/transactions/"


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a page token leads: whose token it is, what they asked for, and how many rows came before."""

    user: str
    asked: tuple[tuple[str, str], ...]
    offset: int


class TinkSimulator:
    """`app` serves the API and the page of Tink Link; `bank` is what is told; `faults` is what goes wrong.

    It checks the app's id and secret, tokens with their scopes and ends, codes that are good once, and whose consent it is.
    page_size: the most rows in a page. token_lasts_s: how long tokens are good. redirect_urls: where people may be sent back to;
    None: anywhere. clock: what tokens and consents run out by; the bank has a day of its own.
    """

    def __init__(
        self,
        bank: SimBank,
        faults: Faults,
        *,
        clock: Clock | None = None,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        market: str = "GB",
        page_size: int = PAGE_SIZE_AT_MOST,
        token_lasts_s: int = 1800,
        gives_refresh_tokens: bool = True,
        rotates: bool = True,
        redirect_urls: frozenset[str] | None = None,
    ) -> None:
        self.bank, self.faults = bank, faults
        self._clock = clock or SystemClock()
        self._market, self._page_size, self._redirect_urls = market, page_size, redirect_urls
        self.authority = Authority(
            self._clock,
            client_id,
            client_secret,
            token_lasts_s=token_lasts_s,
            gives_refresh_tokens=gives_refresh_tokens,
            rotates=rotates,
        )
        self.consents: dict[str, SimConsent] = {}
        #: What arrived at the API of late: "GET /data/v2/accounts".
        self.asked: deque[str] = deque(maxlen=1_000)
        #: Whether banks have names: not every app may read them.
        self.bank_names = True
        self._not_ready = self._temporary = 0
        self._places: dict[str, _Place] = {}
        self._ids = itertools.count(1)
        self._random = random.Random(f"tink {bank.seed}")  # noqa: S311  pages that can be had again, no secret
        api = WithFaults(Starlette(routes=self._api_routes()), faults)
        self.app: ASGIApp = _Served(api, Starlette(routes=[Route(f"{_LINK}{{page}}", self._link_page, methods=["GET", "POST"])]))

    # What a test, or chance, does

    def revoke(self, status: str = "AUTHENTICATION_ERROR") -> None:
        """The bank lets nobody in any more, until the person agrees again."""
        for consent in self.consents.values():
            consent.status, consent.changed_at = status, self._clock.now()

    def expire_login(self) -> None:
        """What was agreed to is over, and Tink has noticed."""
        self.revoke("SESSION_EXPIRED")

    def not_ready(self, times: int) -> None:
        """Tink gathers still, for so many times that it is asked about consents; until then it tells every other transaction only."""
        self._not_ready = times

    def temporary_error(self, times: int) -> None:
        """Tink cannot reach the bank, for so many times that it is asked about consents."""
        self._temporary = times

    def forget_pages(self) -> None:
        """No token of a page is good any more."""
        self._places.clear()

    def delete_user(self, user: str) -> None:
        """Tink forgets a person and all that they agreed to."""
        self.authority.delete_user(user)
        self.consents = {id_: each for id_, each in self.consents.items() if each.user != user}

    def agree(self, url: str, choice: str = "agree") -> str:
        """What a person does who opens the address of Tink Link and agrees; where they are sent back to.

        choice: "agree", "cancel", or "fail" for a bank that says no. Errors: Refused for an address that leads nowhere.
        """
        parts = urlsplit(url)
        return self._decide(dict(parse_qsl(parts.query)), parts.path.removeprefix(_LINK), choice)

    # Tink Link

    async def _link_page(self, request: Request) -> Response:
        query, name = dict(request.query_params), request.path_params["page"]
        try:
            if name not in ("connect-accounts", "update-consent"):
                raise Refused(404, "no_such_page")
            self._check_address(query)
            if request.method == "GET":
                return HTMLResponse(link_page.page(query, is_update=name == "update-consent"))
            choice = (await _form(request)).get("choice", "cancel")
            return RedirectResponse(self._decide(query, name, choice), status_code=303)
        except Refused as refused:
            return JSONResponse(refused.body, refused.status)

    def _check_address(self, query: Mapping[str, str]) -> None:
        redirect = query.get("redirect_uri", "")
        if not link_page.is_address(redirect) or (self._redirect_urls is not None and redirect not in self._redirect_urls):
            raise Refused(400, "invalid_redirect_uri")

    def _decide(self, query: Mapping[str, str], name: str, choice: str) -> str:
        self._check_address(query)
        answer = self._answer(query, choice, is_update=name == "update-consent")
        return link_page.sent_back(query["redirect_uri"], answer, query.get("state"))

    def _answer(self, query: Mapping[str, str], choice: str, *, is_update: bool) -> dict[str, str]:
        if query.get("client_id") != self.authority.client_id:
            return link_page.error("BAD_REQUEST", "INVALID_PARAMETER_CLIENT_ID")
        try:
            user = self.authority.take_code(query.get("authorization_code", ""), is_for_link=True).user
        except Refused:
            return link_page.error("BAD_REQUEST", "INVALID_PARAMETER_AUTHORIZATION_CODE")
        if choice == "cancel":
            return link_page.error("USER_CANCELLED", "USER_CANCELLED")
        if choice == "fail":
            return {**link_page.error("AUTHENTICATION_ERROR", "USER_BLOCKED"), "error_type": "USER_LOGIN_ERROR"}
        consent = self._consent_of(user, query.get("credentials_id", "")) if is_update else self._new_consent(user, query)
        if consent is None:
            return link_page.error("BAD_REQUEST", "INVALID_PARAMETER_CREDENTIALS_ID")
        consent.status, consent.changed_at = "UPDATED", self._clock.now()
        consent.expires_at = self._clock.now() + CONSENT_LASTS
        return {"client_id": self.authority.client_id, "credentials_id": consent.id}

    def _new_consent(self, user: str, query: Mapping[str, str]) -> SimConsent:
        now = self._clock.now()
        provider = query.get("input_provider", f"{self._market.lower()}-simulated-bank")
        consent = SimConsent(id=f"{next(self._ids):032x}", user=user, provider=provider, status="UPDATED", changed_at=now, expires_at=now)
        self.consents[consent.id] = consent
        return consent

    def _consent_of(self, user: str, credentials_id: str) -> SimConsent | None:
        consent = self.consents.get(credentials_id)
        return consent if consent is not None and consent.user == user else None

    # The API

    def _api_routes(self) -> list[Route]:
        return [
            self._route("/api/v1/oauth/token", self._token, "POST"),
            self._route("/api/v1/oauth/authorization-grant", self._grant, "POST"),
            self._route("/api/v1/oauth/authorization-grant/delegate", self._delegate, "POST"),
            self._route("/api/v1/user/create", self._create_user, "POST"),
            self._route("/api/v1/user/delete", self._delete_user, "POST"),
            self._route("/api/v1/credentials/{id}", self._delete_credentials, "DELETE"),
            self._route("/api/v1/provider-consents", self._list_consents, "GET"),
            self._route("/api/v1/providers", self._list_providers, "GET"),
            self._route("/data/v2/accounts", self._list_accounts, "GET"),
            self._route("/data/v2/transactions", self._list_transactions, "GET"),
        ]

    def _route(self, path: str, answer: Callable[[Request], Awaitable[Any]], method: str) -> Route:
        async def endpoint(request: Request) -> Response:
            self.asked.append(f"{method} {request.url.path}")
            try:
                body = await answer(request)
            except Refused as refused:
                return JSONResponse(refused.body, refused.status)
            return Response(status_code=204) if body is None else JSONResponse(body)

        return Route(path, endpoint, methods=[method])

    async def _token(self, request: Request) -> Any:
        return self.authority.token(await _form(request))

    async def _grant(self, request: Request) -> Any:
        self._allow(request, "authorization:grant", is_client=True)
        return self.authority.grant(await _form(request), is_for_link=False)

    async def _delegate(self, request: Request) -> Any:
        self._allow(request, "authorization:grant", is_client=True)
        return self.authority.grant(await _form(request), is_for_link=True)

    async def _create_user(self, request: Request) -> Any:
        self._allow(request, "user:create", is_client=True)
        body = await request.json()
        if body.get("market") != self._market or not body.get("external_user_id"):
            raise Refused(400, "invalid_market")
        return self.authority.create_user(body["external_user_id"])

    async def _delete_user(self, request: Request) -> Any:
        self.delete_user(self._allow(request, "user:delete"))
        return None

    async def _delete_credentials(self, request: Request) -> Any:
        user = self._allow(request, "credentials:write")
        if self._consent_of(user, request.path_params["id"]) is None:
            raise Refused(404, "not_found")
        del self.consents[request.path_params["id"]]
        return None

    async def _list_consents(self, request: Request) -> Any:
        user = self._allow(request, "provider-consents:read")
        if self.faults.take("revoked"):
            self.revoke()
        wanted = request.query_params.get("credentialsId")
        found = [each for each in self.consents.values() if each.user == user and wanted in (None, each.id)]
        told = [shapes.consent(self.bank, each, self._status(each)) for each in found]
        self._not_ready, self._temporary = max(self._not_ready - 1, 0), max(self._temporary - 1, 0)
        return {"providerConsents": told}

    async def _list_providers(self, request: Request) -> Any:
        self._allow(request, "credentials:read" if self.bank_names else "nobody:has")
        name = request.query_params.get("name")
        return {"providers": [shapes.provider(name, self._market)] if name else []}

    async def _list_accounts(self, request: Request) -> Any:
        user = self._allow(request, "accounts:read")
        rows = [shapes.account(self.bank, each) for each in self.bank.accounts.values()] if self._has_consent(user) else []
        return self._paged(request, user, "accounts", rows)

    async def _list_transactions(self, request: Request) -> Any:
        user = self._allow(request, "transactions:read")
        if request.query_params.get("pageToken") and self.faults.take("mutation"):
            self.bank.happen(self._random)
        rows = [shapes.transaction(each) for each in self._rows(request)] if self._has_consent(user) else []
        return self._paged(request, user, "transactions", rows)

    def _rows(self, request: Request) -> list[SimTransaction]:
        """As the bank has them now, the latest first. Without a last day there is nothing after today."""
        query = request.query_params
        first = date.fromisoformat(query.get("bookedDateGte", "1970-01-01"))
        last = date.fromisoformat(query.get("bookedDateLte", self.bank.today.isoformat()))
        accounts = query.getlist("accountIdIn") or list(self.bank.accounts)
        rows = [row for id_ in accounts for row in self.bank.ledger(id_) if first <= row.on <= last]
        if self._not_ready > 0:
            rows = rows[::2]
        return sorted(rows, key=lambda row: (row.on, row.sequence), reverse=True)

    def _paged(self, request: Request, user: str, name: str, rows: list[Any]) -> dict[str, Any]:
        """One page. Page tokens are of the same question and person, and count rows: what changes in between moves them."""
        asked = tuple(sorted((key, value) for key, value in request.query_params.multi_items() if key not in ("pageToken", "pageSize")))
        token = request.query_params.get("pageToken")
        place = _Place(user=user, asked=asked, offset=0) if token is None else self._places.get(token)
        if place is None or (place.user, place.asked) != (user, asked):
            raise Refused(400, "invalid_page_token")
        size = min(int(request.query_params.get("pageSize", PAGE_SIZE_AT_MOST)), self._page_size)
        offset = place.offset
        if offset and self.faults.take("duplicate_page"):
            offset -= size
        page = rows[offset : offset + size]
        if self.faults.take("reordered_page"):
            self._random.shuffle(page)
        following = ""
        if offset + size < len(rows):
            following = secrets.token_urlsafe(16)
            self._places[following] = _Place(user=user, asked=asked, offset=offset + size)
        return {name: page, "nextPageToken": following}

    def _allow(self, request: Request, scope: str, *, is_client: bool = False) -> str:
        return self.authority.allow(request.headers.get("authorization", ""), scope, is_client=is_client)

    def _has_consent(self, user: str) -> bool:
        return any(each.user == user for each in self.consents.values())

    def _status(self, consent: SimConsent) -> str:
        if consent.status != "UPDATED":
            return consent.status
        return "TEMPORARY_ERROR" if self._temporary > 0 else "UPDATING" if self._not_ready > 0 else "UPDATED"


class _Served:
    """The API on a line that may be bad; the page for people on a good one."""

    def __init__(self, api: ASGIApp, link: ASGIApp) -> None:
        self._api, self._link = api, link

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        served = self._link if scope.get("path", "").startswith(_LINK) else self._api
        await served(scope, receive, send)


async def _form(request: Request) -> dict[str, str]:
    """A form without a parser of uploads."""
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
