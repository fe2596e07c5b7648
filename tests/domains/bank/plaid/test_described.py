"""Held against Plaid's own description of its API, where that is at hand: what we ask, what the simulator answers, and its examples."""

from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.simulators.plaid.simulator import PlaidSimulator
from domains.bank.providers import strict_json
from domains.bank.providers.errors import ReauthenticationRequired
from domains.bank.providers.plaid.accounts import read_accounts
from domains.bank.providers.plaid.sync import Changes
from domains.bank.providers.protocol import LinkRequest, Reached
from tests.domains.bank.plaid.simulated import Connected, connected
from tests.specs import Description, described_as

TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def described() -> Description:
    return described_as("The Plaid API")


class Checked:
    """Stands around the simulator: every request and every answer is as described."""

    def __init__(self, simulator: PlaidSimulator, described: Description) -> None:
        self.paths: list[str] = []
        self._described = described
        self._simulator = simulator

    def watch(self, plaid: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
        wire = plaid.provider._client._wire
        call = wire.call

        async def checked(method: str, path: str, **asked: Any) -> Any:
            answer = await call(method, path, **asked)
            self._described.check_request(method, path, params={}, headers=asked["headers"], body=asked["json"])
            self._described.check_response(method, path, answer.status, answer.headers, _floats(answer.body))
            self.paths.append(path)
            return answer

        monkeypatch.setattr(wire, "call", checked)


def _floats(value: Any) -> Any:
    """Numbers as a validator knows them."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: _floats(each) for name, each in value.items()}
    return [_floats(each) for each in value] if isinstance(value, list) else value


async def test_what_is_asked_and_answered_is_as_described(described: Description, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected(page_size=20, webhook_url="https://florin.example/webhooks/plaid") as plaid:
        checked = Checked(plaid.simulator, described)
        checked.watch(plaid, monkeypatch)
        request = LinkRequest(user_reference="u-1", redirect_url="https://app.example/back", locale="fr-FR", currency="EUR")

        await plaid.provider.begin_link(request)
        reached = await plaid.link()
        cursor = (await plaid.fetch()).cursor
        plaid.bank.post(plaid.bank.buy().id)
        plaid.simulator.faults.plan("mutation")
        await plaid.fetch(cursor)
        plaid.simulator.forget_cursors()
        await plaid.fetch(cursor)
        await plaid.provider._webhook_key(plaid.simulator.signer.kid)
        await plaid.provider._webhook_key("unknown")
        plaid.simulator.expire_login()
        repair = LinkRequest(user_reference="u-1", redirect_url=None, locale="en-US", currency="USD", reached=reached)
        await plaid.provider.begin_link(repair)
        with pytest.raises(ReauthenticationRequired):
            await plaid.fetch(cursor)
        await plaid.provider.revoke(reached)

        assert set(checked.paths) == {
            "/link/token/create", "/item/public_token/exchange", "/item/get", "/item/remove", "/institutions/get_by_id", "/accounts/get",
            "/transactions/sync", "/webhook_verification_key/get",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sandbox/public_token/create", {"institution_id": "ins_109508", "initial_products": ["transactions"]}),
        ("/sandbox/public_token/create", {"institution_id": "ins_1", "initial_products": ["transactions"]}),
        ("/sandbox/item/fire_webhook", {"access_token": "", "webhook_code": "SYNC_UPDATES_AVAILABLE"}),
        ("/sandbox/item/reset_login", {"access_token": ""}),
        ("/accounts/balance/get", {"access_token": ""}),
        ("/transactions/sync", {"access_token": "", "cursor": "bm90IG91cnM="}),
    ],
)
async def test_the_sandbox_answers_as_described(described: Description, path: str, body: dict[str, Any]) -> None:
    async with connected() as plaid, httpx.AsyncClient() as client:
        reached: Reached = await plaid.link()
        asked = {name: value or reached.credentials.access_token for name, value in body.items()}
        keys = {"client_id": plaid.simulator.client_id, "secret": plaid.simulator.secret}

        answer = await client.post(f"{plaid.url}{path}", json={**asked, **keys})

        described.check_request("POST", path, params={}, headers={}, body={**asked, **keys})
        described.check_response("POST", path, answer.status_code, answer.headers, answer.json())


@pytest.mark.parametrize(
    ("code", "schema"),
    [
        ("SYNC_UPDATES_AVAILABLE", "SyncUpdatesAvailableWebhook"), ("ERROR", "ItemErrorWebhook"),
        ("LOGIN_REPAIRED", "ItemLoginRepairedWebhook"),
        ("PENDING_EXPIRATION", "PendingExpirationWebhook"), ("PENDING_DISCONNECT", "PendingDisconnectWebhook"),
        ("USER_PERMISSION_REVOKED", "UserPermissionRevokedWebhook"), ("USER_ACCOUNT_REVOKED", "UserAccountRevokedWebhook"),
        ("NEW_ACCOUNTS_AVAILABLE", "NewAccountsAvailableWebhook"),
    ],
)  # fmt: skip
async def test_webhooks_are_as_described(described: Description, code: str, schema: str) -> None:
    async with connected() as plaid:
        await plaid.link()
        body, _ = plaid.simulator.webhook(code)

        described.check(strict_json.parse(body), schema=schema)


def test_the_examples_of_pages_and_accounts_are_read(described: Description) -> None:
    seen = []
    for _, path, _, body in described.response_examples():
        exact = strict_json.parse(strict_json_bytes(body))
        if path == "/transactions/sync":
            changes = Changes()
            changes.take(exact, TODAY)
            assert (len(changes.rows), len(changes.removed)) == (2, 1)
            (_, first), (_, second) = changes.rows.values()
            assert (first.amount, first.direction, first.category_detailed) == (Decimal("72.1"), "debit", "GENERAL_MERCHANDISE_SUPERSTORES")
            assert (first.pending_transaction_id, first.location["city"]) == ("no86Eox18VHMvaOVL7gPUM9ap3aR1LsAVZ5nc", "Poway")
            assert (second.status, second.merchant_name) == ("pending", "Burger King")
        elif "accounts" in body:
            assert len(read_accounts(exact["accounts"], "accounts", TODAY)) == len(body["accounts"])
        else:
            continue
        seen.append(path)

    assert sorted(seen) == ["/accounts/balance/get", "/accounts/get", "/transactions/sync"]


def strict_json_bytes(value: Any) -> bytes:
    return httpx.Response(200, json=value).content
