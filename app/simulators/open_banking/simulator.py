"""A bank's authorisation server and its account information API over HTTP."""

import hashlib
import json
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.simulators.bank import SimAccount, SimBank, SimTransaction
from app.simulators.faults import Faults, WithFaults
from app.simulators.open_banking import page
from app.simulators.open_banking.authority import Asked, Authority, Refused, SimConsent
from app.simulators.open_banking.shapes import Shapes, Version, asked_from, booked_at
from domains.core.clock import Clock, SystemClock

CLIENT_ID: Final = "simulated-client"
CLIENT_SECRET: Final = "simulated-secret"  # noqa: S105  it opens nothing
TOKEN_PATH: Final = "/token"  # noqa: S105
AUTHORISE_PATH: Final = "/authorize"
_EXCHANGES_KEPT: Final = 1_000
_ID_DIGITS: Final = 32


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request to the API and its answer, as a test reads them. path: below the base URL."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: Any
    status: int
    answer_headers: Mapping[str, str] = field(repr=False)
    answer: Any


class OpenBankingSimulator:
    """`app` serves tokens, the page and the API; `bank` is what is told; `faults` is what goes wrong, on the API and with tokens.

    It checks who the installation is, signatures, PKCE, redirect pages, codes that are good once, tokens and consents with their ends.
    client_key: the installation's public key; None: it shows `client_secret` instead, and sends plain requests. has_ids: whether
    transactions have ids. account_ids_change: whether accounts have other ids in every consent. page_size: rows of a page at most.
    history_days: how far back it tells; None: all. refuses_with: how it answers who has no consent any more (banks differ: 400 or 403).
    clock: what tokens and consents run out by; the bank has a day of its own.
    """

    def __init__(
        self,
        bank: SimBank,
        faults: Faults | None = None,
        *,
        clock: Clock | None = None,
        client_id: str = CLIENT_ID,
        client_secret: str | None = CLIENT_SECRET,
        client_key: RSAKey | ECKey | None = None,
        version: Version = "4.0",
        has_ids: bool = True,
        account_ids_change: bool = True,
        page_size: int = 50,
        token_lasts_s: int = 300,
        rotates: bool = True,
        history_days: int | None = None,
        refuses_with: int = 403,
    ) -> None:
        self.bank, self.faults = bank, faults or Faults(bank.seed)
        self._clock = clock or SystemClock()
        self.authority = Authority(self._clock, client_id, client_secret, client_key, token_lasts_s=token_lasts_s, rotates=rotates)
        self.shapes = Shapes(bank, version, has_ids)
        self.base_path = f"/open-banking/v{version}/aisp"
        self.page_size, self._history_days, self._refuses_with = page_size, history_days, refuses_with
        self._account_ids_change = account_ids_change
        #: What was asked of the API and answered, the last last.
        self.exchanges: deque[Exchange] = deque(maxlen=_EXCHANGES_KEPT)
        #: What a test puts into answers: called with path and body, answers what is sent instead.
        self.tamper: Callable[[str, Any], Any] | None = None
        self._random = random.Random(f"open banking {bank.seed}")  # noqa: S311  pages that can be had again, no secret
        api = WithFaults(Starlette(routes=self._routes()), self.faults)
        self.app: ASGIApp = _Served(api, Starlette(routes=[Route(AUTHORISE_PATH, self._page, methods=["GET", "POST"])]))

    def banks_file(self, url: str) -> str:
        """What an installation's file of banks holds for this one, in TOML, where it is served at `url`."""
        return (
            "[[banks]]\n"
            'id = "simulated-bank"\n'
            'name = "Simulated Bank"\n'
            f'base_url = "{url}{self.base_path}"\n'
            f'token_url = "{url}{TOKEN_PATH}"\n'
            f'authorisation_url = "{url}{AUTHORISE_PATH}"\n'
            f'client_id = "{self.authority.client_id}"\n'
            'client_authentication = "client_secret_basic"\n'
            f'client_secret = "{CLIENT_SECRET}"\n'
        )

    # What a test, or chance, does

    def agree(self, url: str) -> str:
        """What a person does who opens the page and agrees; where they are sent back to. Errors: Refused."""
        return self._decide(self.authority.read_address(_query(url)), "agree")

    def refuse(self, url: str) -> str:
        """The same for one who does not agree."""
        return self._decide(self.authority.read_address(_query(url)), "refuse")

    def revoke(self) -> None:
        """The person takes their consents back, at the bank."""
        for consent in self.authority.consents.values():
            if consent.status == "AUTH":
                self.authority.change(consent, "CANC")

    def expire_login(self) -> None:
        """All that was agreed to is over."""
        for consent in self.authority.consents.values():
            if consent.status == "AUTH":
                consent.expires_at = self._clock.now() - timedelta(seconds=1)

    # The page

    async def _page(self, request: Request) -> Response:
        try:
            asked = self.authority.read_address(dict(request.query_params))
            consent = self.authority.find_consent(asked.consent_id)
            if request.method == "GET":
                shown = page.agreement(request.url.query, self.authority.client_id, consent, self.bank.accounts.values())
                return HTMLResponse(shown, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"})
            return RedirectResponse(self._decide(asked, (await _form(request)).get("answer", "refuse")), status_code=303)
        except Refused as refused:
            return HTMLResponse(page.sorry(refused.word), refused.status)

    def _decide(self, asked: Asked, answer: str) -> str:
        if answer != "agree":
            self.authority.change(self.authority.find_consent(asked.consent_id), "RJCT")
            return page.sent_back(asked, {"error": "access_denied"})
        given = {"code": self.authority.agree(asked)}
        return page.sent_back(asked, given if asked.response_type == "code" else {**given, "id_token": self.authority.id_token(asked)})

    # The API

    def _routes(self) -> list[Route]:
        consents, account = "/account-access-consents", "/accounts/{account}"
        return [
            Route(TOKEN_PATH, self._token, methods=["POST"]),
            self._route("POST", consents, self._create_consent),
            self._route("GET", f"{consents}/{{id}}", self._read_consent),
            self._route("DELETE", f"{consents}/{{id}}", self._delete_consent),
            self._route("GET", "/accounts", self._accounts),
            self._route("GET", account, self._accounts),
            self._route("GET", f"{account}/balances", self._balances),
            self._route("GET", f"{account}/transactions", self._transactions),
        ]

    def _route(self, method: str, path: str, answer: Callable[[Request], Awaitable[tuple[int, Any]]]) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                status, body = await answer(request)
            except Refused as refused:
                status, body = refused.status, None if refused.status == 401 else self.shapes.refusal(refused)
            headers = {"x-fapi-interaction-id": request.headers.get("x-fapi-interaction-id", str(uuid4()))}
            below = request.url.path.removeprefix(self.base_path)
            if self.tamper is not None:
                body = self.tamper(below, body)
            self._note(request, below, await request.body(), status, headers, body)
            return Response(status_code=status, headers=headers) if body is None else JSONResponse(body, status, headers)

        return Route(f"{self.base_path}{path}", endpoint, methods=[method])

    def _note(self, request: Request, path: str, sent: bytes, status: int, headers: Mapping[str, str], answer: Any) -> None:
        body = json.loads(sent) if sent else None
        params = dict(request.query_params)
        self.exchanges.append(
            Exchange(
                method=request.method,
                path=path,
                params=params,
                headers=dict(request.headers),
                body=body,
                status=status,
                answer_headers=headers,
                answer=answer,
            )
        )

    async def _token(self, request: Request) -> Response:
        try:
            audience = f"{request.url.scheme}://{request.url.netloc}{TOKEN_PATH}"
            given = self.authority.token(await _form(request), request.headers.get("authorization", ""), audience)
        except Refused as refused:
            return JSONResponse({"error": refused.word}, refused.status if refused.word == "invalid_client" else 400)
        return JSONResponse(given, headers={"Cache-Control": "no-store"})

    async def _create_consent(self, request: Request) -> tuple[int, Any]:
        self._as_client(request)
        asked = await request.json()
        until = asked["Data"].get("ExpirationDateTime")
        expires_at = None if until is None else datetime.fromisoformat(until)
        if asked.get("Risk") != {} or not asked["Data"]["Permissions"] or (expires_at is not None and expires_at <= self._clock.now()):
            raise Refused(400, "U002", "UK.OBIE.Field.Invalid")
        consent = self.authority.create_consent(asked["Data"]["Permissions"], expires_at)
        return 201, self._linked(request, self.shapes.consent(consent))

    async def _read_consent(self, request: Request) -> tuple[int, Any]:
        self._as_client(request)
        return 200, self._linked(request, self.shapes.consent(self.authority.find_consent(request.path_params["id"])))

    async def _delete_consent(self, request: Request) -> tuple[int, Any]:
        self._as_client(request)
        consent = self.authority.find_consent(request.path_params["id"])
        if consent.status not in ("AUTH", "AWAU"):
            raise Refused(400, "U009", "UK.OBIE.Resource.InvalidConsentStatus")
        self.authority.change(consent, "CANC")
        return 204, None

    async def _accounts(self, request: Request) -> tuple[int, Any]:
        consent = self._as_customer(request)
        named = request.path_params.get("account")
        found = self.bank.accounts.values() if named is None else [self._account(consent, named)]
        told = [self.shapes.account(account, self.resource_id(consent, account)) for account in found]
        return 200, self._linked(request, {"Data": {"Account": told}})

    async def _balances(self, request: Request) -> tuple[int, Any]:
        consent = self._as_customer(request)
        account = self._account(consent, request.path_params["account"])
        told = self.shapes.balances(account, self.resource_id(consent, account), self._clock.now())
        return 200, self._linked(request, {"Data": {"Balance": told}})

    async def _transactions(self, request: Request) -> tuple[int, Any]:
        consent = self._as_customer(request)
        account = self._account(consent, request.path_params["account"])
        number = int(request.query_params.get("page", "1"))
        if number > 1 and self.faults.take("mutation"):
            self.bank.happen(self._random)
        rows = self._rows(account.id, request.query_params.get("fromBookingDateTime"))
        pages = max(-(-len(rows) // self.page_size), 1)
        shown, following = number, number + 1
        is_again = "again" in request.query_params
        if number > 1 and not is_again and self.faults.take("duplicate_page"):
            shown, following = number - 1, number
        told = [self.shapes.transaction(row, self.resource_id(consent, account)) for row in rows[(shown - 1) * self.page_size :]]
        told = told[: self.page_size]
        if self.faults.take("reordered_page"):
            self._random.shuffle(told)
        body = self._linked(request, {"Data": {"Transaction": told}})
        if following <= pages:
            again = {"again": "1"} if following == number else {}
            query = {**request.query_params, "page": str(following), **again}
            body["Links"]["Next"] = f"{_address(request)}?{urlencode(query)}"
        body["Meta"] = {"TotalPages": pages}
        return 200, body

    def _rows(self, account_id: str, since: str | None) -> list[SimTransaction]:
        """As the bank has them now, the latest first."""
        rows = self.bank.ledger(account_id)
        if self._history_days is not None:
            first = self.bank.today - timedelta(days=self._history_days)
            rows = [row for row in rows if row.on >= first]
        if since is not None:
            start = asked_from(since)
            rows = [row for row in rows if booked_at(row) >= start]
        return sorted(rows, key=lambda row: (row.on, row.sequence), reverse=True)

    def resource_id(self, consent: SimConsent, account: SimAccount) -> str:
        """What an account is called in a consent."""
        key = f"{consent.id if self._account_ids_change else ''}|{account.id}"
        return hashlib.sha256(key.encode()).hexdigest()[:_ID_DIGITS]

    def _account(self, consent: SimConsent, resource_id: str) -> SimAccount:
        for account in self.bank.accounts.values():
            if self.resource_id(consent, account) == resource_id:
                return account
        raise Refused(400, "U011", "UK.OBIE.Resource.NotFound")

    def _as_client(self, request: Request) -> None:
        if self.authority.allow(request.headers.get("authorization", "")) is not None:
            raise Refused(403, "U008", "UK.OBIE.Resource.ConsentMismatch")

    def _as_customer(self, request: Request) -> SimConsent:
        if self.faults.take("revoked"):
            self.revoke()
        consent = self.authority.allow(request.headers.get("authorization", ""))
        if consent is None:
            raise Refused(401, "invalid_token")
        if not self.authority.find_consent(consent.id).holds(self._clock.now()):
            raise Refused(self._refuses_with, "U009", "UK.OBIE.Resource.InvalidConsentStatus")
        return consent

    def _linked(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "Links": {"Self": str(request.url)}, "Meta": {"TotalPages": 1}}


class _Served:
    """The API on a line that may be bad; the page for people on a good one."""

    def __init__(self, api: ASGIApp, people: ASGIApp) -> None:
        self._api, self._people = api, people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        served = self._people if scope.get("path", "") == AUTHORISE_PATH else self._api
        await served(scope, receive, send)


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def _address(request: Request) -> str:
    return str(request.url).partition("?")[0]


async def _form(request: Request) -> dict[str, str]:
    """A form without a parser of uploads."""
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
