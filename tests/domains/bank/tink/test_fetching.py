"""What a fetch brings is what the bank has, and it says of which days that is all."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.simulators.bank import SimBank
from app.simulators.tink import shapes
from domains.bank.providers.protocol import Fetched
from domains.bank.providers.tink.windows import read_cursor
from tests.domains.bank.tink.world import NOW, TODAY, World, day_of, facts, ledger_at, ledger_of, rows_of, world

FORTNIGHT = timedelta(days=14)


async def test_the_first_fetch_brings_all_that_there_is() -> None:
    async with world() as here:
        reached = await here.reach()
        fetched = await here.fetch(reached)

    assert ledger_of(fetched) == ledger_at(here.bank)
    assert (fetched.is_ready, fetched.is_replay) == (True, False)
    assert (fetched.statement.provider, fetched.statement.institution_id, fetched.statement.left_out) == ("tink", "gb-simulated-bank", 0)
    assert fetched.consent_expires_at == NOW + timedelta(days=90)
    assert read_cursor(fetched.cursor) == dict.fromkeys(here.bank.accounts, TODAY)
    for account in fetched.statement.accounts:
        first = min(row.transaction_date for row in account.transactions)
        assert account.window == (first + timedelta(days=1), TODAY + timedelta(days=15))


async def test_accounts_have_names_kinds_and_balances_from_their_owners_side() -> None:
    async with world() as here:
        fetched = await here.fetch(await here.reach())

    told = {each.name: each for each in fetched.statement.accounts}
    assert {name: each.account_type for name, each in told.items()} == {
        "Everyday": "checking",
        "Rainy Day": "savings",
        "Rewards Card": "credit",
    }
    for account in here.bank.accounts.values():
        found = told[account.name]
        assert (found.current_balance, found.available_balance) == here.bank.balances(account.id)
        assert (found.mask, found.currency, found.balance_on) == (account.mask, "GBP", TODAY)
    assert (told["Rewards Card"].current_balance or 0) < 0
    assert len({each.persistent_id for each in told.values()}) == 3


@pytest.mark.parametrize("page_size", [1, 7, 100])
async def test_however_long_pages_are_the_ledger_is_the_same(page_size: int) -> None:
    async with world(page_size=page_size) as here:
        fetched = await here.fetch(await here.reach())

    counts = [len(here.bank.ledger(id_)) for id_ in here.bank.accounts]
    assert ledger_of(fetched) == ledger_at(here.bank)
    assert fetched.pages == sum(-(-count // page_size) for count in counts)
    assert here.told.pages[-1] == (fetched.pages, sum(counts))
    assert [pages for pages, _ in here.told.pages] == list(range(1, fetched.pages + 1))


async def test_later_a_fortnight_is_asked_for_again_and_is_known_completely() -> None:
    async with world() as here:
        _, reached = await here.settle(await here.reach())
        here.bank.advance(3)
        bought = here.bank.buy()
        fetched = await here.fetch(reached)

    begin, end = TODAY - FORTNIGHT, here.bank.today + timedelta(days=15)
    for account in fetched.statement.accounts:
        assert account.window == (begin, end)
        assert sorted(map(facts, account.transactions)) == [
            row for row in ledger_at(here.bank)[account.provider_account_id] if begin <= day_of(row) < end
        ]
    assert bought.id in {row.provider_transaction_id for account in fetched.statement.accounts for row in account.transactions}
    assert read_cursor(fetched.cursor) == dict.fromkeys(here.bank.accounts, here.bank.today)


async def test_what_posts_has_another_id_and_what_was_pending_is_listed_no_more() -> None:
    async with world() as here:
        pending = here.bank.buy()
        before, reached = await here.settle(await here.reach())
        posted = here.bank.post(pending.id)
        after = await here.fetch(reached)

    assert pending.id in rows_of(before)
    assert pending.id not in rows_of(after)
    assert (rows_of(after)[posted.id].status, rows_of(after)[posted.id].pending_transaction_id) == ("posted", None)


async def test_what_is_expected_to_be_booked_next_week_is_there_today() -> None:
    async with world() as here:
        expected = here.bank.buy(on=TODAY + timedelta(days=6))
        fetched = await here.fetch(await here.reach())

    assert rows_of(fetched)[expected.id].transaction_date == TODAY + timedelta(days=6)
    assert all(account.window is not None and account.window[1] > TODAY + timedelta(days=6) for account in fetched.statement.accounts)


async def test_days_are_complete_only_as_far_as_tink_has_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = TODAY - timedelta(days=5)
    original = shapes.account
    monkeypatch.setattr(shapes, "account", lambda bank, row: original(bank, row) | {"dates": {"lastRefreshed": f"{heard}T23:59:59Z"}})
    async with world() as here:
        fetched = await here.fetch(await here.reach())

    assert read_cursor(fetched.cursor) == dict.fromkeys(here.bank.accounts, heard)
    assert {account.balance_on for account in fetched.statement.accounts} == {heard}


async def test_an_account_that_comes_later_is_read_from_its_beginning() -> None:
    async with world() as here:
        reached = await here.reach()
        consent = next(iter(here.tink.consents.values()))
        *some, last = here.bank.accounts
        consent.account_ids = frozenset(some)
        first, reached = await here.settle(reached)
        consent.account_ids = None
        second = await here.fetch(reached)

    assert {each.provider_account_id for each in first.statement.accounts} == set(some)
    assert ledger_of(second)[last] == ledger_at(here.bank)[last]
    assert set(read_cursor(second.cursor) or {}) == set(here.bank.accounts)


async def test_an_account_that_is_reached_no_more_is_forgotten() -> None:
    async with world() as here:
        _, reached = await here.settle(await here.reach())
        *some, last = here.bank.accounts
        next(iter(here.tink.consents.values())).account_ids = frozenset(some)
        fetched = await here.fetch(reached)

    assert last not in ledger_of(fetched)
    assert set(read_cursor(fetched.cursor) or {}) == set(some)


@pytest.mark.parametrize("cursor", ["", "{}", '{"v":9,"accounts":{}}', "plaid's"])
async def test_a_cursor_that_is_of_no_use_is_a_replay_of_everything(cursor: str) -> None:
    async with world() as here:
        fetched = await here.fetch(replace(await here.reach(), cursor=cursor))

    assert fetched.is_replay
    assert ledger_of(fetched) == ledger_at(here.bank)
    assert read_cursor(fetched.cursor) == dict.fromkeys(here.bank.accounts, TODAY)


async def test_what_is_neither_booked_nor_pending_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    original = shapes.transaction
    monkeypatch.setattr(shapes, "transaction", lambda row: original(row) | ({"status": "UNDEFINED"} if row.sequence % 5 == 0 else {}))
    async with world() as here:
        fetched = await here.fetch(await here.reach())

    rows = [row for id_ in here.bank.accounts for row in here.bank.ledger(id_)]
    assert set(rows_of(fetched)) == {row.id for row in rows if row.sequence % 5}
    assert fetched.statement.left_out == sum(row.sequence % 5 == 0 for row in rows) > 0


async def test_an_account_of_which_nobody_says_a_currency_is_left_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    original = shapes.account
    monkeypatch.setattr(shapes, "account", lambda bank, row: original(bank, row) | {"balances": {}})
    async with world() as here:
        for row in here.bank.ledger(list(here.bank.accounts)[1]):
            here.bank.remove(row.id)
        fetched = await here.fetch(await here.reach())

    assert [each.name for each in fetched.statement.accounts] == ["Everyday", "Rewards Card"]
    assert {(each.currency, each.current_balance) for each in fetched.statement.accounts} == {("GBP", None)}


# While the bank changes


@pytest.mark.parametrize("seed", range(5))
async def test_pages_that_come_twice_or_in_disorder_change_nothing(seed: int) -> None:
    async with world(seed, page_size=5) as here:
        reached = await here.reach()
        here.faults.plan("duplicate_page", "reordered_page", "duplicate_page", "reordered_page", "reordered_page")
        fetched = await here.fetch(reached)

    assert here.faults.planned == ()
    assert ledger_of(fetched) == ledger_at(here.bank)
    assert fetched.is_ready


@pytest.mark.parametrize("seed", range(5))
async def test_pages_that_change_on_the_way_are_read_again(seed: int) -> None:
    async with world(seed, page_size=5) as here:
        _, reached = await here.settle(await here.reach())
        here.faults.plan("mutation", "mutation")
        fetched = await here.fetch(reached)

    assert here.faults.happened == ["mutation", "mutation"]
    assert fetched.is_ready
    assert rows_of(fetched) == {id_: row for id_, row in rows_of(fetched).items() if here.bank.find(id_) is not None}
    begin = TODAY - FORTNIGHT
    assert ledger_of(fetched) == {id_: [row for row in rows if day_of(row) >= begin] for id_, rows in ledger_at(here.bank).items()}


async def test_pages_that_never_stand_still_complete_no_day() -> None:
    async with world(page_size=1) as here:
        reached = await here.reach()
        here.faults.plan(*["mutation"] * 1_000)
        first = await here.fetch(reached)
        here.faults.clear()
        _, reached = await here.settle(reached)
        here.faults.plan(*["mutation"] * 1_000)
        later = await here.fetch(reached)

    assert (first.is_ready, first.cursor) == (False, None)
    assert rows_of(first)
    assert (later.is_ready, later.cursor) == (False, reached.cursor)
    assert rows_of(later) == {}
    assert {each.window for each in (*first.statement.accounts, *later.statement.accounts)} == {None}


async def test_a_page_token_that_is_good_no_more_begins_the_pages_again() -> None:
    async with world(page_size=5) as here:
        reached = await here.reach()
        here.told.page_fetched = forgetting(here)  # type: ignore[method-assign]
        fetched = await here.fetch(reached)

    assert ledger_of(fetched) == ledger_at(here.bank)
    assert fetched.is_ready


def forgetting(here: World) -> Any:
    """A listener on whose first word Tink forgets where its pages were."""
    calls: list[int] = []

    async def page_fetched(pages: int, transactions: int) -> None:
        if not calls:
            here.tink.forget_pages()
        calls.append(pages)

    return page_fetched


async def test_the_first_time_what_is_gathered_already_counts() -> None:
    async with world() as here:
        reached = await here.reach()
        here.tink.not_ready(2)
        early, reached = await here.settle(reached)
        ready = await here.fetch(reached)

    assert (early.is_ready, early.cursor) == (False, None)
    assert {each.window for each in early.statement.accounts} == {None}
    assert 0 < len(rows_of(early)) < len(rows_of(ready))
    assert ready.is_ready
    assert ledger_of(ready) == ledger_at(here.bank)


async def test_later_nothing_is_told_until_all_of_it_is() -> None:
    async with world() as here:
        pending = here.bank.buy()
        _, reached = await here.settle(await here.reach())
        posted = here.bank.post(pending.id)
        here.tink.not_ready(2)
        early, again = await here.settle(reached)
        ready = await here.fetch(again)

    assert (early.is_ready, early.cursor, rows_of(early)) == (False, reached.cursor, {})
    assert [each.current_balance for each in early.statement.accounts] == [here.bank.balances(id_)[0] for id_ in here.bank.accounts]
    assert posted.id in rows_of(ready)
    assert pending.id not in rows_of(ready)


# Over time


class Model:
    """What a ledger makes of fetches: what is listed is there, and what is in a window and not listed is gone."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, tuple[object, ...]]] = {}

    def take(self, fetched: Fetched) -> None:
        for account in fetched.statement.accounts:
            rows = self.rows.setdefault(account.provider_account_id, {})
            if account.window is not None:
                begin, end = account.window
                for id_ in [id_ for id_, row in rows.items() if begin <= day_of(row) < end]:
                    del rows[id_]
            rows |= {row.provider_transaction_id or "": facts(row) for row in account.transactions}

    def ledger(self) -> dict[str, list[tuple[object, ...]]]:
        return {id_: sorted(rows.values()) for id_, rows in self.rows.items()}


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_at_the_bank_the_ledger_follows(seed: int) -> None:
    chance, model = random.Random(seed), Model()  # noqa: S311
    async with world(seed, page_size=chance.choice([3, 10, 100])) as here:
        reached = await here.reach()
        for _ in range(60):
            if chance.random() < 0.15:
                here.faults.plan(chance.choice(["mutation", "duplicate_page", "reordered_page"]))
            for _ in range(chance.randrange(3)):
                here.bank.happen(chance)
            fetched, reached = await here.settle(reached)
            model.take(fetched)
            if fetched.is_ready:
                assert model.ledger() == ledger_at(here.bank)

    assert here.bank.today > TODAY


def test_the_bank_of_these_tests_has_more_than_one_page() -> None:
    assert all(len(rows) > 1 for rows in ledger_at(SimBank(1, today=TODAY, currency="GBP")).values())
