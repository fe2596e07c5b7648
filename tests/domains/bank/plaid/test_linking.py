"""From the token for Plaid's dialogue to the end of our access."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.simulators.plaid import PlaidSimulator
from app.simulators.server import serve
from domains.bank.providers.errors import LinkRefused, ProviderRefused, ProviderUnavailable, ReauthenticationRequired
from domains.bank.providers.plaid.webhooks import WebhookForged, WebhookKind, read_webhook, verify_webhook
from domains.bank.providers.protocol import Credentials, LinkAnswer, LinkRequest, Reached
from tests.domains.bank.plaid.simulated import REQUEST, Connected, connected


def answer(public_token: str | None, reached: Reached | None = None) -> LinkAnswer:
    return LinkAnswer(secret={}, redirect_url=None, public_token=public_token, reached=reached)


def asked(simulator: PlaidSimulator, path: str) -> list[dict[str, object]]:
    return [body for each, body in simulator.requests if each == path]


async def test_a_bank_is_linked() -> None:
    async with connected(webhook_url="https://florin.example/webhooks/plaid", countries=("US", "GB")) as plaid:
        request = LinkRequest(user_reference="user-1", redirect_url="https://app.example/back", locale="de-AT", currency="USD")

        start = await plaid.provider.begin_link(request)
        linked = await plaid.provider.complete_link(answer(plaid.simulator.sign_in(start.token)))

        assert asked(plaid.simulator, "/link/token/create") == [
            {
                "client_name": "Florin",
                "language": "de",
                "country_codes": ["US", "GB"],
                "user": {"client_user_id": "user-1"},
                "products": ["transactions"],
                "transactions": {"days_requested": 730},
                "webhook": "https://florin.example/webhooks/plaid",
                "redirect_uri": "https://app.example/back",
            }
        ]
        assert timedelta(hours=3, minutes=59) < start.expires_at - datetime.now(UTC) < timedelta(hours=4, seconds=1)
        assert start.secret == {}
        (item,) = plaid.simulator.items
        assert (linked.item_id, linked.credentials, linked.institution_id, linked.institution_name) == (
            item.id,
            Credentials(access_token=item.access_token),
            "ins_109508",
            "First Platypus Bank",
        )
        assert linked.metadata == {"institution_url": "https://plaid.com"}
        assert item.webhook == "https://florin.example/webhooks/plaid"


async def test_the_day_on_which_consent_ends_is_told() -> None:
    async with connected() as plaid:
        ends = plaid.simulator.consent_expires_at = datetime(2027, 2, 1, 9, 30, tzinfo=UTC)
        linked = await plaid.provider.complete_link(answer(plaid.simulator.sign_in()))
        plaid.reached = Reached(item_id=linked.item_id, credentials=linked.credentials)

        assert linked.consent_expires_at == ends
        assert (await plaid.fetch()).consent_expires_at == ends


@pytest.mark.parametrize(("locale", "language"), [("en-US", "en"), ("nb-NO", "no"), ("pt_BR", "pt"), ("ja-JP", "en"), ("", "en")])
async def test_plaids_dialogue_speaks_the_persons_language_where_it_can(locale: str, language: str) -> None:
    async with connected() as plaid:
        await plaid.provider.begin_link(LinkRequest(user_reference="u", redirect_url=None, locale=locale, currency="USD"))

        assert asked(plaid.simulator, "/link/token/create")[0]["language"] == language


async def test_a_public_token_is_good_once() -> None:
    async with connected() as plaid:
        public_token = plaid.simulator.sign_in()
        await plaid.provider.complete_link(answer(public_token))

        for token in (public_token, "public-sandbox-invented", "", None):
            with pytest.raises(LinkRefused):
                await plaid.provider.complete_link(answer(token))


async def test_an_exchange_whose_answer_is_lost_is_not_asked_again() -> None:
    async with connected() as plaid:
        public_token = plaid.simulator.sign_in()
        plaid.simulator.faults.plan("time_out")

        with pytest.raises(ProviderUnavailable):
            await plaid.provider.complete_link(answer(public_token))

        assert len(asked(plaid.simulator, "/item/public_token/exchange")) == 1


@pytest.mark.parametrize("lost", ["/item/get", "/institutions/get_by_id"])
async def test_access_is_not_lost_when_the_banks_name_is(lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected() as plaid:
        public_token = plaid.simulator.sign_in()
        real = plaid.provider._client.post

        async def post(path: str, *given: object, **named: object) -> object:
            if path == lost:
                raise ProviderUnavailable("HTTP_500")
            return await real(path, *given, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(plaid.provider._client, "post", post)
        linked = await plaid.provider.complete_link(answer(public_token))

        assert linked.credentials.access_token == plaid.simulator.items[0].access_token
        assert linked.institution_name == (None if lost == "/item/get" else "First Platypus Bank")


async def test_a_repair_is_of_the_same_connection() -> None:
    async with connected() as plaid:
        reached = await plaid.link()
        plaid.simulator.expire_login()
        with pytest.raises(ReauthenticationRequired):
            await plaid.fetch()

        start = await plaid.provider.begin_link(replace(REQUEST, reached=reached))
        with pytest.raises(LinkRefused) as caught:
            await plaid.provider.complete_link(answer(None, reached))
        plaid.simulator.sign_in(start.token)
        linked = await plaid.provider.complete_link(answer(None, reached))

        assert caught.value.detail == "ITEM_LOGIN_REQUIRED"
        assert (linked.item_id, linked.credentials) == (reached.item_id, reached.credentials)
        body = asked(plaid.simulator, "/link/token/create")[-1]
        assert (body["access_token"], "products" in body) == (reached.credentials.access_token, False)
        assert timedelta(0) < start.expires_at - datetime.now(UTC) <= timedelta(minutes=30)
        assert (await plaid.fetch()).is_ready
        assert len(plaid.simulator.items) == 1


async def test_a_connection_is_ended_and_ending_it_again_is_no_error() -> None:
    async with connected() as plaid:
        reached = await plaid.link()

        await plaid.provider.revoke(reached)
        await plaid.provider.revoke(reached)

        assert plaid.simulator.items[0].is_removed
        for reach in (plaid.fetch(), plaid.provider.begin_link(replace(REQUEST, reached=reached))):
            with pytest.raises(ReauthenticationRequired) as caught:
                await reach
            assert caught.value.detail == "ITEM_NOT_FOUND"


async def test_a_token_of_nobodys_cannot_be_used_and_is_ended_already() -> None:
    async with connected() as plaid:
        plaid.reached = Reached(item_id="item", credentials=Credentials(access_token="access-sandbox-invented"))

        await plaid.provider.revoke(plaid.reached)
        with pytest.raises(ReauthenticationRequired):
            await plaid.fetch()


async def test_a_wrong_secret_is_the_operators_to_mend_and_stands_nowhere() -> None:
    async with connected() as plaid:
        reached = await plaid.link()
        plaid.simulator.secret = "another"

        for ask in (
            plaid.provider.begin_link(REQUEST),
            plaid.provider.complete_link(answer("public-sandbox-secret-token")),
            plaid.fetch(),
            plaid.provider.revoke(reached),
            plaid.provider.webhook_keys.find("kid", datetime.now(UTC)),
        ):
            with pytest.raises(ProviderRefused) as caught:
                await ask
            assert caught.value.detail == "INVALID_API_KEYS"
            assert "secret" not in f"{caught.value!r} {caught.value}".lower()


async def test_no_token_stands_in_what_is_shown_of_objects() -> None:
    async with connected() as plaid:
        reached = await plaid.link()
        shown = f"{reached!r} {answer('public-secret')!r} {plaid.provider._config!r} {plaid.simulator.items!r}"

        for secret in (reached.credentials.access_token, "public-secret", plaid.simulator.secret):
            assert secret not in shown


# Webhooks, and the page that stands for Plaid's dialogue


async def test_a_webhook_of_the_simulator_is_plaids_and_a_changed_one_is_not() -> None:
    async with connected() as plaid:
        await plaid.link()
        body, headers = plaid.simulator.webhook()
        keys, now = plaid.provider.webhook_keys, datetime.now(UTC)

        await verify_webhook(body, headers["Plaid-Verification"], keys, now)
        with pytest.raises(WebhookForged):
            await verify_webhook(body.replace(b"\n", b""), headers["Plaid-Verification"], keys, now)

        read = read_webhook(body)
        assert (read.kind, read.item_id, read.is_history_complete) == (WebhookKind.CHANGED, plaid.simulator.items[0].id, True)


async def test_a_key_that_was_changed_is_asked_for_and_the_retired_one_ends_within_the_hour() -> None:
    async with connected() as plaid:
        await plaid.link()
        keys = plaid.provider.webhook_keys
        body, headers = plaid.simulator.webhook()
        await verify_webhook(body, headers["Plaid-Verification"], keys, datetime.now(UTC))
        first = plaid.simulator.signer.kid
        plaid.simulator.rotate_key()
        body, headers = plaid.simulator.webhook()

        await verify_webhook(body, headers["Plaid-Verification"], keys, datetime.now(UTC))

        assert await keys.find(first, datetime.now(UTC) + timedelta(hours=1)) is None
        assert await keys.find("unknown", datetime.now(UTC)) is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("SYNC_UPDATES_AVAILABLE", WebhookKind.CHANGED), ("ERROR", WebhookKind.REAUTHENTICATION), ("LOGIN_REPAIRED", WebhookKind.REPAIRED),
        ("PENDING_EXPIRATION", WebhookKind.EXPIRING), ("PENDING_DISCONNECT", WebhookKind.EXPIRING), ("DEFAULT_UPDATE", WebhookKind.IGNORED),
        ("USER_PERMISSION_REVOKED", WebhookKind.REAUTHENTICATION), ("USER_ACCOUNT_REVOKED", WebhookKind.ACCOUNT_REVOKED),
        ("NEW_ACCOUNTS_AVAILABLE", WebhookKind.NEW_ACCOUNTS),
    ],
)  # fmt: skip
async def test_every_webhook_of_the_simulator_is_read(code: str, kind: WebhookKind) -> None:
    async with connected() as plaid:
        await plaid.link()

        assert read_webhook(plaid.simulator.webhook(code)[0]).kind == kind


class Receiver:
    """Whoever webhooks are sent to."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.heard.append((await request.body(), request.headers["plaid-verification"]))
        await Response()(scope, receive, send)


async def test_the_sandbox_sends_signed_webhooks_and_resets_logins() -> None:
    receiver = Receiver()
    async with connected() as plaid, serve(receiver) as address:
        created = await sandbox(
            plaid,
            "/sandbox/public_token/create",
            institution_id="ins_109508",
            initial_products=["transactions"],
            options={"webhook": address},
        )
        linked = await plaid.provider.complete_link(answer(str(created["public_token"])))
        token = linked.credentials.access_token

        fired = await sandbox(plaid, "/sandbox/item/fire_webhook", access_token=token, webhook_code="NEW_ACCOUNTS_AVAILABLE")
        await plaid.simulator.announce()
        reset = await sandbox(plaid, "/sandbox/item/reset_login", access_token=token)

        assert (fired["webhook_fired"], reset["reset_login"]) == (True, True)
        assert [read_webhook(body).kind for body, _ in receiver.heard] == [WebhookKind.NEW_ACCOUNTS, WebhookKind.CHANGED]
        for body, signature in receiver.heard:
            await verify_webhook(body, signature, plaid.provider.webhook_keys, datetime.now(UTC))
        plaid.reached = Reached(item_id=linked.item_id, credentials=linked.credentials)
        with pytest.raises(ReauthenticationRequired):
            await plaid.fetch()


async def test_a_person_without_plaids_dialogue_signs_in_on_the_page_that_the_link_names() -> None:
    async with connected() as plaid, httpx.AsyncClient() as browser:
        start = await plaid.provider.begin_link(
            LinkRequest(user_reference="u", redirect_url="https://app.example/back?step=2", locale="en", currency="USD")
        )
        assert start.url is not None

        shown = await browser.get(start.url)
        agreed = await browser.post(f"{plaid.url}/link", data={"token": start.token or "", "answer": "agree"})
        (public_token,) = plaid.simulator._public
        linked = await plaid.provider.complete_link(answer(public_token))

        assert (shown.status_code, all(account.name in shown.text for account in plaid.bank.accounts.values())) == (200, True)
        assert f"https://app.example/back?step=2&amp;public_token={public_token}" in agreed.text
        assert linked.item_id == plaid.simulator.items[0].id


async def test_the_page_links_nothing_for_who_cancels_or_comes_with_a_stale_link() -> None:
    async with connected() as plaid, httpx.AsyncClient() as browser:
        start = await plaid.provider.begin_link(REQUEST)

        cancelled = await browser.post(f"{plaid.url}/link", data={"token": start.token or "", "answer": "cancel"})
        stale = await browser.get(f"{plaid.url}/link", params={"token": "<script>"})

        assert ("You did not agree" in cancelled.text, stale.status_code, "<script>" in stale.text) == (True, 404, False)
        assert plaid.simulator.items == []


async def sandbox(plaid: Connected, path: str, **body: object) -> dict[str, object]:
    headers = {"PLAID-CLIENT-ID": plaid.simulator.client_id, "PLAID-SECRET": plaid.simulator.secret}
    async with httpx.AsyncClient() as client:
        answered: dict[str, object] = (await client.post(f"{plaid.url}{path}", json=body, headers=headers)).json()
        return answered
