"""Fetching through Plaid: what the bank has is what comes, whatever happens on the way."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.simulators.bank import SimBank
from app.simulators.plaid.items import Item
from domains.bank.providers.errors import ProviderError, ProviderGarbled, ProviderUnavailable, ReauthenticationRequired
from domains.bank.providers.plaid.errors import MUTATION
from domains.bank.providers.plaid.sync import RESTARTS_AT_MOST
from tests.domains.bank.plaid.simulated import TODAY, Ledger, connected, facts, told


async def test_a_first_fetch_brings_accounts_balances_and_all_that_the_bank_has() -> None:
    async with connected(page_size=10) as plaid:
        ledger = Ledger()

        fetched = await plaid.fetch()
        ledger.apply(fetched)

        assert told(ledger) == facts(plaid.bank)
        rows = plaid.bank.revision
        pages = -(-rows // 10)
        assert (fetched.is_ready, fetched.is_replay, fetched.pages) == (True, False, pages)
        assert plaid.heard.pages == [(page, min(page * 10, rows)) for page in range(1, pages + 1)]
        assert (fetched.statement.provider, fetched.statement.institution_id, fetched.statement.institution_name) == (
            "plaid",
            "ins_109508",
            "First Platypus Bank",
        )
        bank_accounts = list(plaid.bank.accounts.values())
        for account, own in zip(fetched.statement.accounts, bank_accounts, strict=True):
            assert (account.provider_account_id, account.name, account.mask, account.credit_limit) == (
                own.id,
                own.name,
                own.mask,
                own.credit_limit,
            )
            assert (account.current_balance, account.available_balance) == plaid.bank.balances(own.id)
            assert account.persistent_id == (None if own.type == "credit" else own.persistent_id)
        assert [account.account_type for account in fetched.statement.accounts] == ["checking", "savings", "credit"]


async def test_the_next_fetch_brings_what_changed_and_nothing_else() -> None:
    async with connected() as plaid:
        cursor = (await plaid.fetch()).cursor
        pending = plaid.bank.buy(amount=Decimal("12.50"))
        second = await plaid.fetch(cursor)
        posted = plaid.bank.post(pending.id, amount=Decimal("13.00"))
        third = await plaid.fetch(second.cursor)
        fourth = await plaid.fetch(third.cursor)

        assert [row.provider_transaction_id for account in second.statement.accounts for row in account.transactions] == [pending.id]
        assert all(account.window is None for account in second.statement.accounts)
        (row,) = [row for account in third.statement.accounts for row in account.transactions]
        assert (row.provider_transaction_id, row.pending_transaction_id, row.status, row.amount) == (
            posted.id,
            pending.id,
            "posted",
            Decimal("13.00"),
        )
        assert [id for account in third.statement.accounts for id in account.removed] == [pending.id]
        assert [(account.transactions, account.removed) for account in fourth.statement.accounts] == [((), ())] * 3
        assert fourth.cursor == third.cursor


async def test_what_changes_between_two_pages_is_read_again_from_the_first_cursor() -> None:
    async with connected(page_size=10) as plaid:
        await plaid.link()
        plaid.simulator.faults.plan("mutation")
        ledger = Ledger()

        fetched = await plaid.fetch()
        ledger.apply(fetched)

        assert told(ledger) == facts(plaid.bank)
        assert plaid.simulator.faults.happened == ["mutation"]
        cursors = [body.get("cursor") for path, body in plaid.simulator.requests if path == "/transactions/sync"]
        assert cursors.count(None) == 2


async def test_a_change_in_the_middle_leaves_nothing_of_the_pages_before() -> None:
    """What was told and then taken back before it was ever known is not told again: only an empty beginning is right."""
    async with connected(page_size=1) as plaid:
        cursor = (await plaid.fetch()).cursor
        gone = plaid.bank.buy()
        plaid.bank.buy()
        real, calls = plaid.simulator.feed.sync, 0

        def sync(*given: object, **named: object) -> object:
            nonlocal calls
            calls += 1
            if calls == 2:
                plaid.bank.remove(gone.id)
                plaid.simulator.faults.plan("mutation")
            return real(*given, **named)  # type: ignore[arg-type]

        plaid.simulator.feed.sync = sync  # type: ignore[method-assign, assignment]
        fetched = await plaid.fetch(cursor)

        ids = {row.provider_transaction_id for account in fetched.statement.accounts for row in account.transactions}
        assert gone.id not in ids
        assert ids <= set(plaid.bank._transactions)


async def test_changes_that_do_not_end_make_everything_be_told_again() -> None:
    async with connected() as plaid:
        ledger = Ledger()
        ledger.apply(await plaid.fetch())
        plaid.bank.remove(plaid.bank.ledger(next(iter(plaid.bank.accounts)))[0].id)
        plaid.simulator.faults.plan(*["mutation"] * (RESTARTS_AT_MOST + 1))

        fetched = await plaid.fetch(ledger.cursor)
        ledger.apply(fetched)

        assert fetched.is_replay
        assert told(ledger) == facts(plaid.bank)


async def test_changes_that_never_end_pass_and_are_tried_again_on_another_day() -> None:
    async with connected() as plaid:
        await plaid.link()
        plaid.simulator.faults.plan(*["mutation"] * (RESTARTS_AT_MOST + 1))

        with pytest.raises(ProviderUnavailable) as caught:
            await plaid.fetch()

        assert caught.value.detail == MUTATION
        assert plaid.simulator.faults.planned == ()


@pytest.mark.parametrize("stored", ["not one of ours", "[]", "{}", '{"v":1,"plaid":"","since":{}}', '{"v":2,"plaid":"c","since":{}}'])
async def test_a_cursor_that_cannot_be_read_makes_everything_be_told_again(stored: str) -> None:
    async with connected() as plaid:
        fetched = await plaid.fetch(stored)

        assert fetched.is_replay
        assert {account.provider_account_id: len(account.transactions) for account in fetched.statement.accounts} == {
            id: len(plaid.bank.ledger(id)) for id in plaid.bank.accounts
        }


async def test_a_forgotten_cursor_takes_back_what_went_in_the_meantime_even_the_earliest() -> None:
    async with connected() as plaid:
        ledger = Ledger()
        ledger.apply(await plaid.fetch())
        emptied = plaid.bank.ledger(list(plaid.bank.accounts)[1])
        earliest = [plaid.bank.ledger(id)[0] for id in plaid.bank.accounts]
        for row in {each.id: each for each in (*emptied, *earliest)}.values():
            plaid.bank.remove(row.id)
        plaid.simulator.forget_cursors()

        fetched = await plaid.fetch(ledger.cursor)
        ledger.apply(fetched)

        assert fetched.is_replay
        assert told(ledger) == facts(plaid.bank)
        assert [account.window is not None for account in fetched.statement.accounts] == [True, True, True]


async def test_the_days_of_a_replay_begin_where_the_account_was_first_told_of_and_end_after_today() -> None:
    async with connected() as plaid:
        first = await plaid.fetch()
        plaid.simulator.forget_cursors()

        fetched = await plaid.fetch(first.cursor)

        for account in fetched.statement.accounts:
            assert account.window is not None
            assert account.window[0] == min(row.on for row in plaid.bank.ledger(account.provider_account_id))
            assert account.window[1] > TODAY


async def test_while_nothing_is_there_yet_nothing_is_taken_back_and_it_is_asked_again_from_the_beginning() -> None:
    async with connected() as plaid:
        await plaid.link()
        plaid.simulator.not_ready(1)

        fetched = await plaid.fetch()

        assert (fetched.is_ready, fetched.cursor) == (False, None)
        assert [(account.transactions, account.window) for account in fetched.statement.accounts] == [((), None)] * 3
        assert (await plaid.fetch(fetched.cursor)).is_ready


async def test_while_only_the_last_days_are_there_they_count_and_all_is_told_once_more_when_it_is_whole() -> None:
    async with connected() as plaid:
        await plaid.link()
        plaid.simulator.not_ready(0, initial=1)
        ledger = Ledger()

        first = await plaid.fetch()
        ledger.apply(first)
        rows = [row for account in first.statement.accounts for row in account.transactions]
        second = await plaid.fetch(first.cursor)
        ledger.apply(second)

        assert (first.is_ready, first.is_replay, second.is_ready, second.is_replay) == (False, False, True, False)
        assert [body.get("cursor") for path, body in plaid.simulator.requests if path == "/transactions/sync"] == [None, None]
        assert rows
        assert min(row.transaction_date for row in rows) >= TODAY - timedelta(days=30)
        for account in first.statement.accounts:
            if account.transactions:
                assert account.window is not None
                assert account.window[0] == min(row.transaction_date for row in account.transactions) + timedelta(days=1)
        assert told(ledger) == facts(plaid.bank)


async def test_what_went_while_the_past_was_gathered_is_taken_back() -> None:
    async with connected() as plaid:
        await plaid.link()
        plaid.simulator.not_ready(0, initial=1)
        ledger = Ledger()
        ledger.apply(await plaid.fetch())
        for row in plaid.bank.ledger(list(plaid.bank.accounts)[1]):
            plaid.bank.remove(row.id)

        ledger.apply(await plaid.fetch(ledger.cursor))

        assert told(ledger) == facts(plaid.bank)


async def test_a_bank_that_is_linked_again_has_other_ids_and_the_same_lasting_ones() -> None:
    async with connected() as plaid:
        first = await plaid.fetch()
        plaid.reached = None

        second = await plaid.fetch()

        for before, after in zip(first.statement.accounts, second.statement.accounts, strict=True):
            assert before.provider_account_id != after.provider_account_id
            assert (before.persistent_id, before.mask, before.name) == (after.persistent_id, after.mask, after.name)
            assert before.window == after.window
            assert [row.amount for row in before.transactions] == [row.amount for row in after.transactions]
            assert not {row.provider_transaction_id for row in before.transactions} & {
                row.provider_transaction_id for row in after.transactions
            }


@pytest.mark.parametrize("fault", ["duplicate_page", "reordered_page"])
async def test_rows_that_come_twice_or_in_another_order_are_the_same_rows(fault: str) -> None:
    async with connected(page_size=10) as plaid:
        await plaid.link()
        plaid.simulator.faults.plan(*[fault] * 6)
        ledger = Ledger()

        ledger.apply(await plaid.fetch())

        assert told(ledger) == facts(plaid.bank)
        assert plaid.simulator.faults.happened == [fault] * 6


@pytest.mark.parametrize("fault", ["server_error", "rate_limited", "time_out", "reset", "drip"])
async def test_a_bad_line_costs_tries_and_changes_nothing(fault: str) -> None:
    async with connected(page_size=30) as plaid:
        await plaid.link()
        plaid.simulator.faults.plan(fault, fault)
        ledger = Ledger()

        ledger.apply(await plaid.fetch())

        assert plaid.simulator.faults.happened == [fault, fault]
        assert told(ledger) == facts(plaid.bank)


@pytest.mark.parametrize("fault", ["server_error", "rate_limited", "time_out", "reset", "drip"])
async def test_a_line_that_stays_bad_passes(fault: str) -> None:
    async with connected(retries=1) as plaid:
        await plaid.link()
        plaid.simulator.faults.plan(fault, fault)

        with pytest.raises(ProviderUnavailable):
            await plaid.fetch()


async def test_garbage_is_named_as_such() -> None:
    async with connected() as plaid:
        await plaid.link()
        plaid.simulator.faults.plan("garbage")

        with pytest.raises(ProviderGarbled):
            await plaid.fetch()


async def test_a_page_that_leads_back_to_itself_is_not_followed() -> None:
    async with connected(page_size=10) as plaid:
        await plaid.link()
        real = plaid.simulator.feed.sync

        def sync(item: Item, _cursor: str | None, count: int, **named: bool) -> dict[str, object]:
            return {**real(item, None, count, is_original=named["is_original"]), "next_cursor": "for-ever", "has_more": True}

        plaid.simulator.feed.sync = sync  # type: ignore[method-assign, assignment]
        with pytest.raises(ProviderGarbled) as caught:
            await plaid.fetch()

        assert caught.value.detail == "NEXT_CURSOR"
        assert len(plaid.heard.pages) == 2


@pytest.mark.parametrize(
    ("hook", "code"),
    [("revoke", "USER_PERMISSION_REVOKED"), ("expire_login", "ITEM_LOGIN_REQUIRED")],
)
async def test_a_person_who_has_to_sign_in_again_is_told_so(hook: str, code: str) -> None:
    async with connected() as plaid:
        await plaid.link()
        getattr(plaid.simulator, hook)()

        with pytest.raises(ReauthenticationRequired) as caught:
            await plaid.fetch()

        assert caught.value.detail == code


async def test_consent_that_ends_in_the_middle_of_the_pages_brings_nothing() -> None:
    async with connected(page_size=10) as plaid:
        await plaid.link()
        plaid.simulator.faults.plan("revoked")

        with pytest.raises(ReauthenticationRequired):
            await plaid.fetch()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), page_size=st.integers(1, 40), rate=st.sampled_from([0.0, 0.1, 0.3]))
async def test_whatever_happens_the_ledger_ends_as_the_banks(seed: int, page_size: int, rate: float) -> None:
    """Pages of any size, rows twice and in another order, data that moves between pages, cursors that are forgotten, links anew."""
    chance = random.Random(seed)  # noqa: S311
    bank = SimBank(seed, today=TODAY, history_days=12)
    async with connected(seed, page_size=page_size, bank=bank) as plaid:
        await plaid.link()
        plaid.simulator.not_ready(chance.randrange(2), initial=chance.randrange(2))
        ledger = Ledger()
        plaid.simulator.faults.rate = rate
        plaid.simulator.faults.take_transport = lambda: None  # type: ignore[method-assign]
        for _ in range(12):
            for _ in range(chance.randrange(4)):
                bank.happen(chance)
            if chance.random() < 0.15:
                plaid.simulator.forget_cursors()
            try:
                ledger.apply(await plaid.fetch(ledger.cursor))
            except ProviderError:
                continue
        plaid.simulator.faults.clear()
        plaid.simulator.not_ready(0)

        ledger.apply(await plaid.fetch(ledger.cursor))

        assert told(ledger) == facts(bank)
