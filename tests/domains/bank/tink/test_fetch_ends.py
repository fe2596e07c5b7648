"""A consent that has ended, a bank that is away, and answers that cannot be meant."""

from datetime import date, timedelta
from typing import Any

import pytest

from app.simulators.tink import shapes
from domains.bank.providers.errors import ProviderGarbled, ProviderUnavailable, ReauthenticationRequired
from domains.bank.providers.tink import fetch as fetching
from tests.domains.bank.tink.world import NOW, World, rows_of, world


@pytest.mark.parametrize(
    "status",
    [
        "AUTHENTICATION_ERROR",
        "SESSION_EXPIRED",
        "PERMANENT_ERROR",
        "DELETED",
        "AWAITING_SUPPLEMENTAL_INFORMATION",
        "AWAITING_MOBILE_BANKID_AUTHENTICATION",
        "AWAITING_THIRD_PARTY_APP_AUTHENTICATION",
    ],
)
async def test_a_consent_that_needs_its_person_is_told_apart(status: str) -> None:
    async with world() as here:
        reached = await here.reach()
        here.tink.revoke(status)

        with pytest.raises(ReauthenticationRequired, match=status):
            await here.fetch(reached)

    assert here.told.pages == []


async def test_a_consent_that_ends_while_pages_are_read_ends_the_fetch() -> None:
    async with world(page_size=5) as here:
        reached = await here.reach()
        here.faults.plan("mutation", "mutation", "mutation")
        here.told.page_fetched = revoking(here)  # type: ignore[method-assign]

        with pytest.raises(ReauthenticationRequired, match="SESSION_EXPIRED"):
            await here.fetch(reached)


def revoking(here: World) -> Any:
    async def page_fetched(pages: int, transactions: int) -> None:
        here.tink.expire_login()

    return page_fetched


async def test_a_planned_revocation_is_a_revocation() -> None:
    async with world() as here:
        reached = await here.reach()
        here.faults.plan("revoked")

        with pytest.raises(ReauthenticationRequired, match="AUTHENTICATION_ERROR"):
            await here.fetch(reached)


async def test_a_session_that_is_over_is_noticed_before_tink_notices() -> None:
    async with world() as here:
        reached = await here.reach()
        here.clock.at = NOW + timedelta(days=90)

        with pytest.raises(ReauthenticationRequired, match="SESSION_EXPIRED"):
            await here.fetch(reached)


async def test_a_bank_that_cannot_be_reached_from_tink_is_asked_again() -> None:
    async with world() as here:
        reached = await here.reach()
        here.tink.temporary_error(1)
        with pytest.raises(ProviderUnavailable, match="TEMPORARY_ERROR"):
            await here.fetch(reached)

        fetched = await here.fetch(reached)

    assert fetched.is_ready


async def test_a_status_that_nobody_knows_is_no_reason_to_ask_a_person() -> None:
    async with world() as here:
        reached = await here.reach()
        here.tink.revoke("SOMETHING_NEW")

        with pytest.raises(ProviderUnavailable, match="UNKNOWN_STATUS"):
            await here.fetch(reached)


async def test_a_consent_that_is_gone_needs_its_person() -> None:
    async with world() as here:
        reached = await here.reach()
        here.tink.consents.clear()

        with pytest.raises(ReauthenticationRequired, match="CONSENT_NOT_FOUND"):
            await here.fetch(reached)


@pytest.mark.parametrize(
    ("shape", "changes", "field"),
    [
        ("consent", {"sessionExpiryDate": -1}, "PROVIDERCONSENTS_0__SESSIONEXPIRYDATE"),
        ("consent", {"sessionExpiryDate": 10**18}, "PROVIDERCONSENTS_0__SESSIONEXPIRYDATE"),
        ("consent", {"sessionExpiryDate": True}, "PROVIDERCONSENTS_0__SESSIONEXPIRYDATE"),
        ("consent", {"statusUpdated": {"a": 1}}, "PROVIDERCONSENTS_0__STATUSUPDATED"),
        ("consent", {"accountIds": "all"}, "PROVIDERCONSENTS_0__ACCOUNTIDS"),
        ("consent", {"accountIds": [7]}, "PROVIDERCONSENTS_0__ACCOUNTIDS"),
        ("consent", {"status": None}, "PROVIDERCONSENTS_0__STATUS"),
        ("consent", {"providerName": 7}, "PROVIDERCONSENTS_0__PROVIDERNAME"),
        ("account", {"id": None}, "ACCOUNTS_0__ID"),
        ("account", {"dates": {"lastRefreshed": "1800-01-01T00:00:00Z"}}, "ACCOUNTS_0__DATES_LASTREFRESHED"),
        ("transaction", {"accountId": "another"}, "TRANSACTIONS_ACCOUNTID"),
        ("transaction", {"dates": {"booked": "1800-01-01"}}, "TRANSACTIONS_0__DATES_BOOKED"),
        (
            "transaction",
            {"amount": {"currencyCode": "GBP", "value": {"unscaledValue": "1", "scale": "1000000000"}}},
            "TRANSACTIONS_0__AMOUNT",
        ),
    ],
)
async def test_an_answer_that_cannot_be_meant_ends_the_fetch(
    monkeypatch: pytest.MonkeyPatch, shape: str, changes: dict[str, object], field: str
) -> None:
    original = getattr(shapes, shape)
    async with world() as here:
        reached = await here.reach()
        monkeypatch.setattr(shapes, shape, lambda *given: original(*given) | changes)

        with pytest.raises(ProviderGarbled) as raised:
            await here.fetch(reached)

    assert (raised.value.detail or "").startswith(field)


async def test_dates_of_a_consent_may_be_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    original = shapes.consent
    monkeypatch.setattr(shapes, "consent", lambda *given: original(*given) | {"sessionExpiryDate": "2027-02-01T00:00:00Z"})
    async with world() as here:
        fetched = await here.fetch(await here.reach())

    assert fetched.consent_expires_at is not None
    assert fetched.consent_expires_at.date() == date(2027, 2, 1)


async def test_names_of_any_length_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    original = shapes.transaction
    monkeypatch.setattr(shapes, "transaction", lambda row: original(row) | {"descriptions": {"original": "x" * 10_000}})
    async with world() as here:
        fetched = await here.fetch(await here.reach())

    assert {len(row.original_description) for row in rows_of(fetched).values()} == {255}


async def test_pages_without_end_are_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PAGES_AT_MOST", 20)
    async with world(page_size=1) as here:
        reached = await here.reach()

        with pytest.raises(ProviderGarbled, match="TRANSACTIONS_NEXTPAGETOKEN"):
            await here.fetch(reached)

    assert here.told.pages[-1][0] == 20


async def test_a_page_that_leads_to_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as here:
        reached = await here.reach()
        monkeypatch.setattr(here.tink, "_paged", lambda _request, _user, name, rows: {name: rows, "nextPageToken": "again"})

        with pytest.raises(ProviderGarbled, match="NEXTPAGETOKEN"):
            await here.fetch(reached)
