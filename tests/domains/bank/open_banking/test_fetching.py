"""What a bank of the standard has is fetched as it is, whatever goes wrong on the way."""

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.simulators.bank import SimBank, SimTransaction
from domains.bank.providers.errors import ProviderGarbled, ProviderRefused, ProviderUnavailable, ReauthenticationRequired
from domains.bank.providers.open_banking.access import Access
from domains.bank.providers.protocol import Fetched, StatementAccount
from domains.bank.providers.wire import Timeouts
from tests.domains.bank.open_banking.world import NOW, TODAY, facts, ledgers_of, rewriting, truth, world


def account_of(fetched: Fetched, kind: str) -> StatementAccount:
    return next(each for each in fetched.statement.accounts if each.account_type == kind)


async def test_the_first_fetch_brings_all_that_the_bank_has() -> None:
    async with world() as here:
        fetched = await here.fetch(await here.reach())

    assert ledgers_of(fetched) == here.ledgers()
    assert (fetched.is_ready, fetched.is_replay) == (True, False)
    assert fetched.consent_expires_at == NOW + timedelta(days=90)
    assert fetched.statement.institution_id == "simulated-bank"
    assert here.told.pages[-1] == (fetched.pages, sum(len(rows) for rows in here.ledgers().values()))
    for account in fetched.statement.accounts:
        days = [row.transaction_date for row in account.transactions]
        assert account.window == (min(days) + timedelta(days=1), TODAY + timedelta(days=1))


async def test_balances_have_their_sign_and_their_credit_line() -> None:
    async with world() as here:
        fetched = await here.fetch(await here.reach())

    for account in fetched.statement.accounts:
        sim = next(each for each in here.bank.accounts.values() if each.mask == account.mask)
        assert (account.current_balance, account.available_balance) == here.bank.balances(sim.id)
        assert account.credit_limit == sim.credit_limit
        assert account.balance_on == NOW.date()
        assert account.currency == "GBP"
    card = account_of(fetched, "credit")
    assert card.current_balance is not None
    assert card.current_balance < 0


async def test_accounts_are_the_same_in_every_consent_and_their_numbers_are_not_kept() -> None:
    async with world() as here:
        one = await here.fetch(await here.reach())
        numbers = [each.answer for each in here.simulator.exchanges if each.path == "/accounts"][-1]["Data"]["Account"]
        other = await here.fetch(await here.reach())
        ids = [each.answer for each in here.simulator.exchanges if each.path == "/accounts"][-1]["Data"]["Account"]

    assert {each["AccountId"] for each in numbers}.isdisjoint(each["AccountId"] for each in ids)
    assert [each.provider_account_id for each in one.statement.accounts] == [each.provider_account_id for each in other.statement.accounts]
    assert [each.persistent_id is None for each in one.statement.accounts] == [False, False, True]  # of a card only the end is told
    shown = repr(one)
    assert not [each for row in numbers for each in (row["AccountId"], row["Account"][0]["Identification"]) if each in shown]


async def test_a_later_fetch_asks_for_what_may_have_changed_and_says_of_which_days_it_is_all() -> None:
    async with world() as here:
        _, reached = await here.settle(await here.reach())
        here.simulator.exchanges.clear()
        here.bank.advance(2)
        new = here.bank.buy(on=here.bank.today)

        fetched, reached = await here.settle(reached)
        asked = [each.params.get("fromBookingDateTime") for each in here.simulator.exchanges if each.path.endswith("/transactions")]

    start = TODAY - timedelta(days=14)
    assert asked == ["2026-07-05T00:00:00Z"] * 3
    assert {each.window for each in fetched.statement.accounts} == {(start, TODAY + timedelta(days=3))}
    found = [row for each in fetched.statement.accounts for row in each.transactions]
    assert min(row.transaction_date for row in found) >= start
    assert new.id in [row.provider_transaction_id for row in found]
    for account in fetched.statement.accounts:
        sim = next(each for each in here.bank.accounts.values() if each.mask == account.mask)
        assert [facts(row) for row in account.transactions] == sorted(
            (truth(row) for row in here.bank.ledger(sim.id) if row.on >= start), key=lambda each: (each[4], each[0])
        )


async def test_an_account_that_is_new_is_asked_for_all_it_has() -> None:
    async with world() as here:
        held_back = here.bank.accounts.popitem()
        _, reached = await here.settle(await here.reach())
        here.bank.accounts[held_back[0]] = held_back[1]

        fetched = await here.fetch(reached)

    new = next(each for each in fetched.statement.accounts if each.mask == held_back[1].mask)
    assert len(new.transactions) == len(here.bank.ledger(held_back[0]))


@pytest.mark.parametrize("cursor", ["", "{}", "[]", '{"on": "soon", "accounts": []}', "[" * 5_000])
async def test_a_cursor_that_is_not_ours_has_all_fetched_again(cursor: str) -> None:
    async with world() as here:
        fetched = await here.fetch(replace(await here.reach(), cursor=cursor))

    assert ledgers_of(fetched) == here.ledgers()


@pytest.mark.parametrize("has_ids", [True, False])
@pytest.mark.parametrize("seed", range(4))
async def test_pages_that_change_repeat_and_are_shuffled_while_they_are_read_lose_and_double_nothing(seed: int, has_ids: bool) -> None:
    async with world(seed, page_size=7, has_ids=has_ids) as here:
        reached = await here.reach()
        here.faults.plan("mutation", "duplicate_page", "reordered_page", "mutation", "reordered_page", "duplicate_page")

        fetched = await here.fetch(reached)

    last = here.told.pages[-1]
    assert set(here.faults.happened) == {"mutation", "duplicate_page", "reordered_page"}
    assert last[0] == fetched.pages
    for account in fetched.statement.accounts:
        assert _bare(account) in _moments(here.bank, account.mask)
        assert len(account.transactions) == len({row.provider_transaction_id for row in account.transactions})


async def test_a_bank_that_never_holds_still_is_asked_later() -> None:
    async with world(page_size=5) as here:
        reached = await here.reach()
        days = itertools.cycle(range(5))

        def never_still(path: str, body: Any) -> Any:
            if path.endswith("/transactions"):
                here.bank.buy(next(iter(here.bank.accounts)), on=here.bank.today - timedelta(days=next(days)))
            return body

        here.simulator.tamper = never_still
        with pytest.raises(ProviderUnavailable) as unavailable:
            await here.fetch(reached)

    assert unavailable.value.detail == "CHANGES_WHILE_READ"


@pytest.mark.parametrize("fault", ["server_error", "rate_limited", "time_out", "reset", "drip", "garbage"])
async def test_each_fault_of_the_line_is_a_failure_that_passes(fault: str) -> None:
    async with world(timeouts=Timeouts(read_s=0.2, attempt_s=0.3)) as here:
        reached = await here.reach()
        here.faults.plan(fault)

        with pytest.raises((ProviderUnavailable, ProviderGarbled)):
            await here.fetch(reached)
        fetched = await here.fetch(reached)

    assert here.faults.happened == [fault]
    assert ledgers_of(fetched) == here.ledgers()


@pytest.mark.parametrize("seed", range(3))
async def test_with_faults_by_chance_a_fetch_is_whole_or_is_not(seed: int) -> None:
    whole = 0
    async with world(seed, retries=4, page_size=10, timeouts=Timeouts(read_s=0.2, attempt_s=0.3)) as here:
        reached = await here.reach()
        here.faults.rate = 0.08
        for _ in range(6):
            try:
                fetched, reached = await here.settle(replace(reached, cursor=None))
            except (ProviderUnavailable, ProviderGarbled):
                if here.told.credentials:
                    reached = replace(reached, credentials=here.told.credentials[-1])
                continue
            whole += 1
            for account in fetched.statement.accounts:
                assert _bare(account) in _moments(here.bank, account.mask)
        assert here.faults.happened
    assert whole


async def test_a_token_that_runs_out_is_renewed_and_the_new_one_is_told_before_it_is_used() -> None:
    async with world() as here:
        reached = await here.reach()
        here.clock.at = NOW + timedelta(hours=4)

        fetched, again = await here.settle(reached)
        used = {each.headers["authorization"] for each in here.simulator.exchanges if each.path.startswith("/accounts")}
        here.clock.at = NOW + timedelta(hours=8)
        await here.fetch(again)

    assert ledgers_of(fetched) == here.ledgers()
    told = [Access.read(each) for each in here.told.credentials]
    assert used == {f"Bearer {told[0].token}"}
    assert len({each.refresh_token for each in told} | {reached.credentials.refresh_token}) == 3
    assert told[0].expires_at == NOW + timedelta(hours=4, minutes=5)


async def test_a_token_that_is_taken_away_in_between_is_renewed() -> None:
    async with world() as here:
        reached = await here.reach()
        here.simulator.authority.expire_tokens()

        fetched = await here.fetch(reached)

    assert ledgers_of(fetched) == here.ledgers()
    assert len(here.told.credentials) == 1


async def test_a_rotated_token_whose_answer_is_lost_is_asked_for_again() -> None:
    async with world(retries=2, timeouts=Timeouts(read_s=0.2, attempt_s=0.3)) as here:
        reached = await here.reach()
        here.clock.at = NOW + timedelta(hours=1)
        here.faults.plan("reset")

        await here.fetch(reached)

    assert here.simulator.authority.given["refresh_token"] == 2


async def test_without_a_refresh_token_its_customer_has_to_come_back() -> None:
    async with world() as here:
        reached = await here.reach()
        here.clock.at = NOW + timedelta(hours=1)
        bare = replace(reached, credentials=replace(reached.credentials, refresh_token=None))

        with pytest.raises(ReauthenticationRequired) as required:
            await here.fetch(bare)
        here.simulator.authority.forget_refresh_tokens()
        with pytest.raises(ReauthenticationRequired) as refused:
            await here.fetch(reached)

    assert (required.value.detail, refused.value.detail) == ("TOKEN_EXPIRED", "INVALID_GRANT")


@pytest.mark.parametrize("refuses_with", [400, 403])
@pytest.mark.parametrize(("hook", "detail"), [("revoke", "CANC"), ("expire_login", "EXPD")])
async def test_a_consent_that_is_over_asks_for_its_customer(hook: str, detail: str, refuses_with: int) -> None:
    async with world(refuses_with=refuses_with) as here:
        reached = await here.reach()
        await here.fetch(reached)
        getattr(here.simulator, hook)()

        with pytest.raises(ReauthenticationRequired) as required:
            await here.fetch(reached)

    assert required.value.detail == detail


async def test_a_consent_that_is_revoked_between_pages_asks_for_its_customer() -> None:
    async with world() as here:
        reached = await here.reach()
        here.faults.plan("revoked")

        with pytest.raises(ReauthenticationRequired):
            await here.fetch(reached)


async def test_a_consent_whose_day_has_come_is_not_tried() -> None:
    async with world() as here:
        reached = await here.reach()
        here.simulator.exchanges.clear()
        here.clock.at = NOW + timedelta(days=90)

        with pytest.raises(ReauthenticationRequired) as required:
            await here.fetch(reached)

    assert required.value.detail == "CONSENT_EXPIRED"
    assert not here.simulator.exchanges


async def test_an_account_that_the_bank_does_not_tell_of_is_left_out_and_later_fetched_whole() -> None:
    async with world() as here:
        reached = await here.reach()
        blocked = list(here.bank.accounts.values())[1]
        whole = here.simulator._account

        def refuse(consent: Any, resource_id: str) -> Any:
            from app.simulators.open_banking.authority import Refused

            account = whole(consent, resource_id)
            if account is blocked:
                raise Refused(403, "U000", "UK.OBIE.UnexpectedError")
            return account

        here.simulator._account = refuse  # type: ignore[method-assign]
        first, reached = await here.settle(reached)
        here.simulator._account = whole  # type: ignore[method-assign]
        second = await here.fetch(reached)

    assert [each.mask for each in first.statement.accounts] == [each.mask for each in here.bank.accounts.values() if each is not blocked]
    back = next(each for each in second.statement.accounts if each.mask == blocked.mask)
    assert sorted(map(facts, back.transactions), key=repr) == here.ledgers()[blocked.mask]


async def test_a_bank_that_tells_of_no_account_at_all_refuses_us() -> None:
    async with world() as here:
        reached = await here.reach()
        here.simulator._account = _refused  # type: ignore[method-assign, assignment]

        with pytest.raises(ProviderRefused) as refused:
            await here.fetch(reached)

    assert refused.value.detail == "U000"


async def test_one_that_wants_its_customer_again_although_the_consent_holds_is_believed() -> None:
    async with world() as here:
        reached = await here.reach()
        here.simulator._account = _reauthenticate  # type: ignore[method-assign, assignment]

        with pytest.raises(ReauthenticationRequired) as required:
            await here.fetch(reached)

    assert required.value.detail == "U028"


@pytest.mark.parametrize("relative", ["?page=2", "/open-banking/v4.0/aisp/accounts?page=2"])
async def test_a_next_page_may_be_named_by_its_path(relative: str) -> None:
    async with world() as here:
        reached = await here.reach()
        seen: list[str] = []

        def tamper(path: str, body: Any) -> Any:
            if path != "/accounts":
                return body
            seen.append(path)
            half = body["Data"]["Account"][:2] if len(seen) == 1 else body["Data"]["Account"][2:]
            links = {"Self": "x", "Next": relative} if len(seen) == 1 else {"Self": "x"}
            return {**body, "Data": {"Account": half}, "Links": links}

        here.simulator.tamper = tamper
        fetched = await here.fetch(reached)

    assert len(fetched.statement.accounts) == 3


async def test_a_history_that_the_bank_cuts_takes_nothing_back_that_is_older() -> None:
    """The bank tells of 90 days and does not say so; the last fetch is 130 days ago."""
    bank = SimBank(3, today=TODAY, currency="GBP", history_days=160)
    async with world(bank=bank, history_days=90) as here:
        _, reached = await here.settle(await here.reach())
        here.simulator._history_days = 90
        long_ago = '{"on":"' + (TODAY - timedelta(days=130)).isoformat() + '",' + (reached.cursor or "").partition(",")[2]

        fetched = await here.fetch(replace(reached, cursor=long_ago))

    for account in fetched.statement.accounts:
        assert account.window is not None
        first = min(row.transaction_date for row in account.transactions)
        assert first >= TODAY - timedelta(days=90)
        assert account.window[0] == first + timedelta(days=1)


async def test_a_quiet_account_says_that_there_is_nothing() -> None:
    """What was pending and is gone is known to be gone, although nothing else is listed."""
    async with world() as here:
        _, reached = await here.settle(await here.reach())
        for account_id in here.bank.accounts:
            for row in here.bank.ledger(account_id):
                if row.on >= TODAY - timedelta(days=20):
                    here.bank.remove(row.id)

        fetched = await here.fetch(reached)

    assert {each.window for each in fetched.statement.accounts} == {(TODAY - timedelta(days=14), TODAY + timedelta(days=1))}
    assert not [row for each in fetched.statement.accounts for row in each.transactions]


async def test_the_first_day_that_the_bank_tells_of_counts_only_when_it_is_whole() -> None:
    first = TODAY - timedelta(days=5)
    async with world() as here:
        _, reached = await here.settle(await here.reach())
        here.simulator.tamper = lambda path, body: (
            {**body, "Meta": {**body["Meta"], "FirstAvailableDateTime": f"{first}T13:00:00+01:00"}}
            if path.endswith("/transactions")
            else body
        )

        fetched = await here.fetch(reached)

    assert {each.window for each in fetched.statement.accounts} == {(first + timedelta(days=1), TODAY + timedelta(days=1))}


async def test_made_up_ids_are_the_same_in_every_fetch() -> None:
    async with world(has_ids=False) as here:
        first, reached = await here.settle(await here.reach())
        here.bank.advance(3)
        second = await here.fetch(reached)

    known = {each.mask: {row.provider_transaction_id for row in each.transactions} for each in first.statement.accounts}
    assert all(row.provider_transaction_id for each in first.statement.accounts for row in each.transactions)
    for account in second.statement.accounts:
        assert account.transactions
        assert {row.provider_transaction_id for row in account.transactions} <= known[account.mask]


async def test_ids_of_a_bank_that_are_none_are_made_here() -> None:
    async with world(uses_transaction_ids=False) as here:
        fetched = await here.fetch(await here.reach())

    given = {row.id for account_id in here.bank.accounts for row in here.bank.ledger(account_id)}
    assert not given & {row.provider_transaction_id for each in fetched.statement.accounts for row in each.transactions}


async def test_what_has_not_moved_is_counted_and_left_out() -> None:
    async with world() as here:
        reached = await here.reach()
        here.simulator.tamper = rewriting({"Status": "RJCT"})

        fetched = await here.fetch(reached)

    assert fetched.statement.left_out == 3
    total = sum(len(rows) for rows in here.ledgers().values())
    assert sum(len(each.transactions) for each in fetched.statement.accounts) == total - 3


async def test_every_request_has_an_interaction_id_of_its_own() -> None:
    async with world() as here:
        await here.fetch(await here.reach())

        ids = [each.headers["x-fapi-interaction-id"] for each in here.simulator.exchanges]

    assert len(ids) == len(set(ids)) > 8


async def test_a_category_is_read_from_the_merchants_code() -> None:
    async with world() as here:
        fetched = await here.fetch(await here.reach())

    found = {row.merchant_name: row.category_detailed for each in fetched.statement.accounts for row in each.transactions}
    assert found["Greenleaf Market"] == "FOOD_AND_DRINK_GROCERIES"
    assert found["Northstar Fuel"] == "TRANSPORTATION_GAS"
    assert found["Paperplane"] is None


def _bare(account: StatementAccount) -> list[tuple[object, ...]]:
    return sorted((facts(row, with_id=False) for row in account.transactions), key=repr)


def _moments(bank: SimBank, mask: str | None) -> list[list[tuple[object, ...]]]:
    """What the bank had of an account, after each of all its changes."""
    account_id = next(account.id for account in bank.accounts.values() if account.mask == mask)
    rows: dict[str, SimTransaction] = {}
    moments = []
    for change in bank.log:
        if change.transaction.account_id == account_id:
            rows.pop(change.transaction.id, None)
            if change.kind != "removed":
                rows[change.transaction.id] = change.transaction
            moments.append(sorted((truth(row, with_id=False) for row in rows.values()), key=repr))
    return moments


def _refused(_consent: Any, _resource_id: str) -> Any:
    from app.simulators.open_banking.authority import Refused

    raise Refused(403, "U000", "UK.OBIE.UnexpectedError")


def _reauthenticate(_consent: Any, _resource_id: str) -> Any:
    from app.simulators.open_banking.authority import Refused

    raise Refused(403, "U028", "UK.OBIE.Reauthenticate")
