"""Plaid's API over one simulated customer, with its dialogue, its sandbox and its webhooks."""

import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import uuid4

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from app.simulators.bank import SimBank
from app.simulators.faults import Faults, WithFaults
from app.simulators.plaid import page, shapes
from app.simulators.plaid.items import Feed, Item
from app.simulators.plaid.refusal import PlaidRefusal, error_object
from app.simulators.plaid.signing import Signer, message
from domains.core.clock import Clock, SystemClock

INSTITUTION_ID: Final = "ins_109508"
INSTITUTION_NAME: Final = "First Platypus Bank"
CLIENT_ID: Final = "simulated-client"
SECRET: Final = "simulated-secret"  # noqa: S105  of an invented bank
_LINK_LASTS: Final = timedelta(hours=4)
_REPAIR_LASTS: Final = timedelta(minutes=30)
_PUBLIC_LASTS: Final = timedelta(minutes=30)
_HOOK_TIMEOUT_S: Final = 10.0
_ROWS_AT_MOST: Final = 500
_REMEMBERED: Final = 10_000

Answered = Mapping[str, Any]
Handler = Callable[[dict[str, Any], Request], Awaitable[Answered]]


@dataclass(kw_only=True)
class _Session:
    """A link token. `item`: what is to be repaired."""

    expires_at: datetime
    webhook: str | None
    redirect_uri: str | None
    item: Item | None


@dataclass(kw_only=True)
class _Endpoint:
    handle: Handler
    required: frozenset[str]
    allowed: frozenset[str]


class PlaidSimulator:
    """`app` is the server. It wants `client_id` and `secret`, and answers as Plaid's sandbox does.

    Each link is an item of its own over the one customer; the first has the bank's own ids. Hooks for tests: `sign_in`, `revoke`,
    `expire_login`, `repair`, `not_ready`, `forget_cursors`, `fire_webhook`, `rotate_key`; faults of pages through `faults`.
    page_size: how many rows a page has at most, whatever is asked for. requests: path and body of the last 10,000, secrets included.
    """

    def __init__(
        self,
        bank: SimBank,
        faults: Faults | None = None,
        *,
        client_id: str = CLIENT_ID,
        secret: str = SECRET,
        clock: Clock | None = None,
        page_size: int = _ROWS_AT_MOST,
    ) -> None:
        self.bank = bank
        self.faults = faults or Faults(bank.seed)
        self.client_id = client_id
        self.secret = secret
        self.clock = clock or SystemClock()
        self.consent_expires_at: datetime | None = None
        self.feed = Feed(bank, self.faults, page_size)
        self.signer = Signer(self.clock.now())
        self.items: list[Item] = []
        self._not_ready, self._initial = 0, 0
        self.requests: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_REMEMBERED)
        self._sessions: dict[str, _Session] = {}
        self._public: dict[str, tuple[Item, datetime]] = {}
        self._endpoints = self._all_endpoints()
        routes = [Route("/link", self._show_link, methods=["GET"]), Route("/link", self._take_link, methods=["POST"])]
        routes.append(Route("/{path:path}", self._dispatch, methods=["POST"]))
        self.app: ASGIApp = WithFaults(Starlette(routes=routes), self.faults)

    # What happens to a connection, for tests

    def sign_in(self, link_token: str | None = None) -> str:
        """The person signs in and agrees, in the dialogue of a link token or without one; the public token.

        Errors: PlaidRefusal for a link token that is stale or unknown.
        """
        session = None if link_token is None else self._session(link_token)
        item = session.item if session is not None and session.item is not None else self._new_item(session.webhook if session else None)
        item.error = None
        public_token = f"public-sandbox-{uuid4()}"
        self._public[public_token] = (item, self.clock.now() + _PUBLIC_LASTS)
        return public_token

    def revoke(self) -> None:
        """The person takes their consent back at the bank: of all items."""
        self._fail("USER_PERMISSION_REVOKED")

    def expire_login(self) -> None:
        """The bank wants the person to sign in again: for all items."""
        self._fail("ITEM_LOGIN_REQUIRED")

    def repair(self) -> None:
        """All items work again without anybody's doing."""
        for item in self.items:
            item.error = None

    def not_ready(self, times: int = 1, *, initial: int = 0) -> None:
        """So often nothing is there yet, and then so often only the last 30 days: for all items, and those that are linked from now on."""
        self._not_ready, self._initial = times, initial
        for item in self.items:
            item.not_ready, item.initial = times, initial

    def forget_cursors(self) -> None:
        """No cursor that was given out is known any more."""
        self.feed.forget()

    def rotate_key(self) -> None:
        """Webhooks are signed with another key from now on."""
        self.signer.rotate(self.clock.now())

    def webhook(self, code: str = "SYNC_UPDATES_AVAILABLE", item: Item | None = None) -> tuple[bytes, dict[str, str]]:
        """A webhook about an item (the last one unless told): its body, and its headers."""
        about = item or self.items[-1]
        kind, more = self._message(code, about)
        body = message(kind, code, about.id, more)
        return body, {"Content-Type": "application/json", "Plaid-Verification": self.signer.sign(body, self.clock.now())}

    async def fire_webhook(self, url: str | None = None, code: str = "SYNC_UPDATES_AVAILABLE", item: Item | None = None) -> int | None:
        """Send it once, to the item's own address unless told; the status of the answer, None where nobody answers."""
        about = item or self.items[-1]
        address = url or about.webhook
        if address is None:
            return None
        body, headers = self.webhook(code, about)
        try:
            async with httpx.AsyncClient(timeout=_HOOK_TIMEOUT_S) as client:
                return (await client.post(address, content=body, headers=headers)).status_code
        except httpx.HTTPError:
            return None

    async def announce(self) -> None:
        """Tell every address that there is something to fetch."""
        for item in self.items:
            if not item.is_removed and item.webhook is not None:
                await self.fire_webhook(item=item)

    # The API

    def _all_endpoints(self) -> Mapping[str, _Endpoint]:
        return {
            "link/token/create": _endpoint(
                self._create_link,
                "client_name language country_codes",
                "user products transactions webhook redirect_uri access_token update",
            ),
            "item/public_token/exchange": _endpoint(self._exchange, "public_token"),
            "item/get": _endpoint(self._get_item, "access_token"),
            "item/remove": _endpoint(self._remove_item, "access_token", "reason_code reason_note"),
            "accounts/get": _endpoint(self._get_accounts, "access_token", "options"),
            "accounts/balance/get": _endpoint(self._get_accounts, "access_token", "options"),
            "transactions/sync": _endpoint(self._sync, "access_token", "cursor count options"),
            "institutions/get_by_id": _endpoint(self._get_institution, "institution_id country_codes", "options"),
            "webhook_verification_key/get": _endpoint(self._get_key, "key_id"),
            "sandbox/public_token/create": _endpoint(self._create_public, "institution_id initial_products", "options"),
            "sandbox/item/fire_webhook": _endpoint(self._fire, "access_token webhook_code", "webhook_type"),
            "sandbox/item/reset_login": _endpoint(self._reset_login, "access_token"),
        }

    async def _dispatch(self, request: Request) -> Response:
        path = request.path_params["path"]
        request_id = uuid4().hex[:15]
        try:
            endpoint = self._endpoints.get(path)
            if endpoint is None:
                raise PlaidRefusal("NOT_FOUND")
            body = await _body(request)
            self.requests.append((f"/{path}", dict(body)))
            self._authenticate(body, request)
            _check_fields(body, endpoint)
            return JSONResponse({**await endpoint.handle(body, request), "request_id": request_id})
        except PlaidRefusal as refusal:
            return JSONResponse(refusal.body(request_id), status_code=400)

    def _authenticate(self, body: dict[str, Any], request: Request) -> None:
        """The id and the secret stand in the body or in the headers."""
        client_id = body.pop("client_id", None) or request.headers.get("plaid-client-id")
        secret = body.pop("secret", None) or request.headers.get("plaid-secret")
        if (client_id, secret) != (self.client_id, self.secret):
            raise PlaidRefusal("INVALID_API_KEYS")

    async def _create_link(self, body: dict[str, Any], request: Request) -> Answered:
        item = self._item(body["access_token"], works=False) if "access_token" in body else None
        if item is None and not body.get("products"):
            raise PlaidRefusal("MISSING_FIELDS", "products is required outside of update mode")
        expires_at = self.clock.now() + (_LINK_LASTS if item is None else _REPAIR_LASTS)
        token = f"link-sandbox-{uuid4()}"
        self._sessions[token] = _Session(
            expires_at=expires_at, webhook=body.get("webhook"), redirect_uri=body.get("redirect_uri"), item=item
        )
        page_url = request.url_for("_show_link").include_query_params(token=token)
        return {"link_token": token, "expiration": _instant(expires_at), "hosted_link_url": str(page_url)}

    async def _exchange(self, body: dict[str, Any], _request: Request) -> Answered:
        item, expires_at = self._public.pop(str(body["public_token"]), (None, self.clock.now()))
        if item is None or self.clock.now() >= expires_at:
            raise PlaidRefusal("INVALID_PUBLIC_TOKEN")
        return {"access_token": item.access_token, "item_id": item.id}

    async def _get_item(self, body: dict[str, Any], _request: Request) -> Answered:
        item = self._item(body["access_token"], works=False)
        updated = {"last_successful_update": _instant(self.clock.now()), "last_failed_update": None}
        return {"item": self._shown_item(item), "status": {"transactions": updated, "last_webhook": None}}

    async def _remove_item(self, body: dict[str, Any], _request: Request) -> Answered:
        self._item(body["access_token"], works=False).is_removed = True
        return {}

    async def _get_accounts(self, body: dict[str, Any], _request: Request) -> Answered:
        item = self._item(body["access_token"])
        return {"accounts": shapes.accounts(self.bank, item), "item": self._shown_item(item)}

    async def _sync(self, body: dict[str, Any], _request: Request) -> Answered:
        item = self._item(body["access_token"])
        if self.faults.take("revoked"):
            item.error = "USER_PERMISSION_REVOKED"
        self._check_works(item)
        count, cursor, options = body.get("count", 100), body.get("cursor"), body.get("options", {})
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _ROWS_AT_MOST:
            raise PlaidRefusal("INVALID_FIELD", "count must be between 1 and 500")
        if not isinstance(cursor, str | None) or not isinstance(options, dict):
            raise PlaidRefusal("INVALID_FIELD")
        return self.feed.sync(item, cursor, count, is_original=bool(options.get("include_original_description")))

    async def _get_institution(self, body: dict[str, Any], _request: Request) -> Answered:
        if body["institution_id"] != INSTITUTION_ID:
            raise PlaidRefusal("INVALID_INSTITUTION")
        return {
            "institution": {
                "country_codes": ["US"],
                "institution_id": INSTITUTION_ID,
                "name": INSTITUTION_NAME,
                "products": ["transactions"],
                "routing_numbers": [],
                "oauth": False,
                "url": "https://plaid.com",
                "logo": None,
                "primary_color": None,
            }
        }

    async def _get_key(self, body: dict[str, Any], _request: Request) -> Answered:
        return {"key": self.signer.public(body["key_id"])}

    async def _create_public(self, body: dict[str, Any], _request: Request) -> Answered:
        if body["institution_id"] != INSTITUTION_ID:
            raise PlaidRefusal("INVALID_INSTITUTION")
        public_token = self.sign_in()
        self._public[public_token][0].webhook = (body.get("options") or {}).get("webhook")
        return {"public_token": public_token}

    async def _fire(self, body: dict[str, Any], _request: Request) -> Answered:
        item = self._item(body["access_token"])
        if item.webhook is None:
            raise PlaidRefusal("SANDBOX_WEBHOOK_INVALID")
        return {"webhook_fired": await self.fire_webhook(code=str(body["webhook_code"]), item=item) is not None}

    async def _reset_login(self, body: dict[str, Any], _request: Request) -> Answered:
        self._item(body["access_token"]).error = "ITEM_LOGIN_REQUIRED"
        return {"reset_login": True}

    # The dialogue

    async def _show_link(self, request: Request) -> Response:
        try:
            session = self._session(request.query_params.get("token", ""))
        except PlaidRefusal:
            return HTMLResponse(page.sorry("This link is not valid any more. Begin again."), status_code=404)
        token = request.query_params["token"]
        return HTMLResponse(page.sign_in(INSTITUTION_NAME, token, self.bank.accounts.values(), is_update=session.item is not None))

    async def _take_link(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        token, is_agreed = form.get("token", ""), form.get("answer") == "agree"
        if not is_agreed:
            return HTMLResponse(page.sorry("You did not agree. Nothing was linked."))
        try:
            session = self._session(token)
            public_token = self.sign_in(token)
        except PlaidRefusal:
            return HTMLResponse(page.sorry("This link is not valid any more. Begin again."), status_code=404)
        return HTMLResponse(page.signed_in(INSTITUTION_NAME, public_token, session.redirect_uri))

    # What is kept

    def _new_item(self, webhook: str | None) -> Item:
        number = len(self.items)
        item = Item(
            id=f"item-{self.bank.seed}-{number}",
            access_token=f"access-sandbox-{uuid4()}",
            number=number,
            institution_id=INSTITUTION_ID,
            webhook=webhook,
            created_at=self.clock.now(),
            not_ready=self._not_ready,
            initial=self._initial,
        )
        self.items.append(item)
        return item

    def _item(self, access_token: object, *, works: bool = True) -> Item:
        """Errors: PlaidRefusal for a token of nobody's or of a removed item; with `works`, for an item that fails."""
        item = next((each for each in self.items if each.access_token == access_token), None)
        if item is None:
            raise PlaidRefusal("INVALID_ACCESS_TOKEN")
        if item.is_removed:
            raise PlaidRefusal("ITEM_NOT_FOUND")
        if works:
            self._check_works(item)
        return item

    def _check_works(self, item: Item) -> None:
        if item.error is not None:
            raise PlaidRefusal(item.error)

    def _session(self, link_token: str) -> _Session:
        session = self._sessions.get(link_token)
        if session is None or self.clock.now() >= session.expires_at:
            raise PlaidRefusal("INVALID_LINK_TOKEN")
        return session

    def _fail(self, code: str) -> None:
        for item in self.items:
            item.error = code

    def _shown_item(self, item: Item) -> dict[str, Any]:
        error = None if item.error is None else error_object(PlaidRefusal(item.error))
        expires_at = None if self.consent_expires_at is None else _instant(self.consent_expires_at)
        return shapes.item_object(item, INSTITUTION_NAME, error, expires_at)

    def _message(self, code: str, item: Item) -> tuple[str, Mapping[str, Any]]:
        soon = _instant(self.clock.now() + timedelta(days=7))
        if code == "SYNC_UPDATES_AVAILABLE":
            is_complete = item.not_ready == 0 and item.initial == 0
            return "TRANSACTIONS", {"initial_update_complete": item.not_ready == 0, "historical_update_complete": is_complete}
        if code == "DEFAULT_UPDATE":
            return "TRANSACTIONS", {"new_transactions": 1, "error": None}
        more: Mapping[str, Mapping[str, Any]] = {
            "ERROR": {"error": {**error_object(PlaidRefusal(item.error or "ITEM_LOGIN_REQUIRED")), "status": 400}},
            "PENDING_EXPIRATION": {"consent_expiration_time": soon},
            "PENDING_DISCONNECT": {"reason": "INSTITUTION_TOKEN_EXPIRATION", "disconnect_time": soon},
            "USER_PERMISSION_REVOKED": {"error": error_object(PlaidRefusal("USER_PERMISSION_REVOKED"))},
            "USER_ACCOUNT_REVOKED": {"account_id": item.shown(next(iter(self.bank.accounts), ""))},
        }
        return "ITEM", more.get(code, {})


def _endpoint(handle: Handler, required: str, optional: str = "") -> _Endpoint:
    return _Endpoint(handle=handle, required=frozenset(required.split()), allowed=frozenset(f"{required} {optional}".split()))


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise PlaidRefusal("INVALID_BODY") from error
    if not isinstance(body, dict):
        raise PlaidRefusal("INVALID_BODY")
    return body


def _check_fields(body: Mapping[str, Any], endpoint: _Endpoint) -> None:
    if missing := sorted(endpoint.required - body.keys()):
        raise PlaidRefusal("MISSING_FIELDS", f"the following required fields are missing: {', '.join(missing)}")
    if unknown := sorted(body.keys() - endpoint.allowed):
        raise PlaidRefusal("UNKNOWN_FIELDS", f"the following fields are not recognized by this endpoint: {', '.join(unknown)}")


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
