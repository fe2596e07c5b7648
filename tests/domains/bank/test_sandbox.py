"""The sandbox bank: what it says on one day it says on every later one."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.bank.providers.protocol import Statement, StatementAccount, StatementTransaction
from domains.bank.providers.sandbox import PEOPLE, SandboxProvider
from domains.bank.providers.sandbox.dice import Dice
from domains.bank.providers.sandbox.habits import EPOCH, Movement
from domains.bank.providers.sandbox.ledger import Ledger
from domains.bank.providers.sandbox.provider import history_start
from domains.transaction.rules import categorise, clean_merchant

TODAY = date(2026, 11, 22)
#: What may change of a row when it posts, and the two that make it another movement if they did.
IDENTITY = ("provider_transaction_id", "currency", "direction", "description", "original_description", "authorized_date", "payment_meta")

profiles = st.sampled_from(sorted(PEOPLE))
todays = st.dates(date(2025, 1, 1), date(2029, 12, 31))
few = settings(max_examples=5, deadline=None)


@lru_cache(maxsize=8)
def said(profile: str, today: date) -> Statement:
    return SandboxProvider().statement(profile, today)


def rows(statement: Statement) -> Iterator[tuple[StatementAccount, StatementTransaction]]:
    for account in statement.accounts:
        for row in account.transactions:
            yield account, row


@lru_cache(maxsize=4)
def moved(profile: str, today: date) -> tuple[Movement, ...]:
    return tuple(Ledger(PEOPLE[profile]).days(EPOCH, today))


def signed(row: StatementTransaction) -> Decimal:
    return row.amount if row.direction == "credit" else -row.amount


@pytest.mark.parametrize("profile", sorted(PEOPLE))
def test_a_profile_and_a_day_give_one_statement(profile: str) -> None:
    assert SandboxProvider().statement(profile, TODAY) == SandboxProvider().statement(profile, TODAY)


def test_what_is_drawn_is_the_same_on_every_machine_and_release() -> None:
    dice = Dice("robin", "coffee", date(2026, 11, 22))

    drawn = [dice.number(1000), dice.number(6), dice.digits(8), dice.code(7), str(dice.amount(Decimal(10), Decimal(20)))]

    assert drawn == [180, 3, "29186138", "EXNEYT2", "15.59"]


def test_a_stranger_has_no_accounts() -> None:
    with pytest.raises(KeyError):
        SandboxProvider().statement("nobody", TODAY)


@pytest.mark.parametrize(
    ("profile", "currency", "kinds"),
    [
        ("robin", "USD", ["checking", "savings", "credit", "checking"]),
        ("sam", "EUR", ["checking", "savings", "credit", "investment"]),
    ],
)
def test_each_has_four_accounts_and_two_years_of_sixty_to_a_hundred_rows_a_month(profile: str, currency: str, kinds: list[str]) -> None:
    statement = said(profile, TODAY)

    assert [account.account_type for account in statement.accounts] == kinds
    assert statement.accounts[0].currency == currency
    assert statement.provider == "sandbox"
    assert all(len(account.mask or "") == 4 and account.balance_on == TODAY for account in statement.accounts)
    months = Counter((row.transaction_date.year, row.transaction_date.month) for _, row in rows(statement))
    assert len(months) == 25
    del months[(TODAY.year, TODAY.month)]
    assert all(60 <= count <= 120 for count in months.values())
    assert 60 <= sum(months.values()) / 24 <= 100


def test_the_two_are_customers_of_their_own() -> None:
    robin, sam = said("robin", TODAY), said("sam", TODAY)

    assert robin.institution_id != sam.institution_id
    assert not {row.provider_transaction_id for _, row in rows(robin)} & {row.provider_transaction_id for _, row in rows(sam)}
    assert not {account.provider_account_id for account in robin.accounts} & {account.provider_account_id for account in sam.accounts}


@few
@given(profiles, todays)
def test_no_row_is_of_the_future_and_ids_are_unique(profile: str, today: date) -> None:
    statement = said(profile, today)
    ids = [row.provider_transaction_id for _, row in rows(statement)]

    assert len(set(ids)) == len(ids)
    for account, row in rows(statement):
        assert history_start(today) <= row.transaction_date <= today
        assert row.posted_date is None or row.transaction_date <= row.posted_date <= today
        assert (row.status == "pending") == (row.posted_date is None)
        assert row.amount > 0
        assert row.amount == row.amount.quantize(Decimal("0.01"))
        assert row.currency == account.currency
        assert row.category_detailed is None
        assert 1 <= len(row.provider_transaction_id or "") <= 255
    assert all(
        list(account.transactions) == sorted(account.transactions, key=lambda row: row.transaction_date) for account in statement.accounts
    )


@few
@given(profiles, todays, st.integers(1, 45))
def test_as_days_pass_old_rows_stay_and_pending_ones_post_once(profile: str, today: date, passed: int) -> None:
    later_day = today + timedelta(days=passed)
    later = {row.provider_transaction_id: row for _, row in rows(said(profile, later_day))}

    for _, row in rows(said(profile, today)):
        if row.transaction_date < history_start(later_day):
            continue
        again = later[row.provider_transaction_id]
        if row.status == "posted":
            assert again == row
        else:
            assert all(getattr(again, name) == getattr(row, name) for name in IDENTITY)
            assert again.status == "posted" or passed < 3
            assert row.transaction_date <= again.transaction_date <= row.transaction_date + timedelta(days=3)


@few
@given(profiles, todays)
def test_there_is_always_something_pending_and_nothing_older_than_three_days(profile: str, today: date) -> None:
    pending = [row for _, row in rows(said(profile, today)) if row.status == "pending"]

    assert pending
    assert all(today - timedelta(days=2) <= row.transaction_date <= today for row in pending)


@few
@given(profiles, todays, st.integers(1, 60))
def test_balances_move_by_what_posted(profile: str, today: date, passed: int) -> None:
    before, after = said(profile, today), said(profile, today + timedelta(days=passed))

    for old, new in zip(before.accounts, after.accounts, strict=True):
        known = {row.provider_transaction_id for row in old.transactions if row.status == "posted"}
        posted = [row for row in new.transactions if row.status == "posted" and row.provider_transaction_id not in known]
        assert old.current_balance is not None
        assert new.current_balance == old.current_balance + sum(map(signed, posted), Decimal(0))


@few
@given(profiles, todays)
def test_available_is_what_is_held_and_lent_less_what_is_reserved(profile: str, today: date) -> None:
    for account in said(profile, today).accounts:
        pending = sum((row.amount for row in account.transactions if row.status == "pending" and row.direction == "debit"), Decimal(0))
        assert account.current_balance is not None
        assert account.available_balance == account.current_balance + (account.credit_limit or 0) - pending
        assert account.available_balance >= 0
        assert (account.account_type == "credit") == (account.credit_limit is not None)
        assert account.account_type == "credit" or account.current_balance >= 0


@pytest.mark.parametrize("profile", sorted(PEOPLE))
def test_transfers_between_own_accounts_show_on_both_sides_the_same_day(profile: str) -> None:
    sides = defaultdict(list)
    for account, row in rows(said(profile, TODAY)):
        if "reference" in row.payment_meta:
            sides[(row.payment_meta["reference"], row.transaction_date)].append((account, row))

    assert len(sides) > 50
    for both in sides.values():
        (left, out), (right, back) = sorted(both, key=lambda side: side[1].direction, reverse=True)
        assert (out.direction, back.direction) == ("debit", "credit")
        assert left is not right
        if left.currency == right.currency:
            assert out.amount == back.amount
        else:
            assert Decimal("1.0") < out.amount / back.amount < Decimal("1.2")


@pytest.mark.parametrize("profile", sorted(PEOPLE))
def test_the_card_is_paid_off_each_month_from_the_current_account(profile: str) -> None:
    paid = [movement for movement in moved(profile, TODAY) if movement.habit == "card-payment"]

    months = Counter((movement.on.year, movement.on.month) for movement in paid)
    assert set(months.values()) == {2}
    assert len(months) == 46 + (TODAY.day >= paid[0].on.day)
    assert {movement.about for movement in paid} == {"LOAN_PAYMENTS_CREDIT_CARD_PAYMENT"}


def test_life_is_as_promised() -> None:
    robin = moved("robin", TODAY)
    year = [movement for movement in robin if movement.on > date(2025, 11, 22)]
    habits = Counter(movement.habit for movement in year)

    def prices(habit: str) -> list[Decimal]:
        found = [movement.amount for movement in robin if movement.habit == habit and movement.on > date(2024, 11, 22)]
        return list(dict.fromkeys(found))

    assert habits["pay"] == 26
    assert prices("pay") == sorted(prices("pay"))
    assert len(prices("pay")) == len(prices("films")) == len(prices("rent")) == 3
    summer = [movement.amount for movement in year if movement.habit == "power" and movement.on.month in (7, 8)]
    winter = [movement.amount for movement in year if movement.habit == "power" and movement.on.month in (1, 2)]
    assert min(summer) > max(winter)
    assert all(movement.on.month == 12 for movement in robin if movement.habit == "gifts")
    assert 3 <= habits["gifts"] <= 14
    assert any(movement.habit == "online-refund" and movement.direction == "credit" for movement in year)
    assert habits["lisbon-meals"] == 9
    away = [movement for movement in year if (9, 12) <= (movement.on.month, movement.on.day) <= (9, 20)]
    assert not any(movement.habit in ("coffee", "groceries", "fuel") for movement in away)
    assert {account.currency for account, row in rows(said("robin", TODAY)) if row.transaction_date.month == 9} == {"USD", "EUR"}
    assert habits["interest"] == 12


def test_a_tip_is_added_and_a_pump_settles_when_a_payment_posts() -> None:
    at_table, at_pump = set(), set()
    for today in (date(2026, 3, 7), date(2026, 3, 21), date(2026, 4, 4), date(2026, 4, 18), date(2026, 5, 2)):
        after = {row.provider_transaction_id: row for _, row in rows(said("robin", today + timedelta(days=3)))}
        for _, row in rows(said("robin", today)):
            if row.status == "posted":
                continue
            again = after[row.provider_transaction_id]
            if again.amount != row.amount:
                if row.amount == 1:
                    assert again.transaction_date == again.posted_date
                    at_pump.add(row.provider_transaction_id)
                else:
                    assert again.amount == row.amount + (row.amount * Decimal("0.2")).quantize(Decimal("0.01"))
                    assert again.transaction_date == row.transaction_date
                    at_table.add(row.provider_transaction_id)

    assert len(at_table) > 1
    assert at_pump


@pytest.mark.parametrize("profile", sorted(PEOPLE))
def test_our_rules_read_every_row_as_what_it_is_about(profile: str) -> None:
    kinds = {account.key: account.account_type for account in PEOPLE[profile].accounts}
    misread = set()
    for movement in moved(profile, TODAY):
        text = " ".join(movement.text.split())
        found = categorise(text, clean_merchant(text), movement.direction, kinds[movement.account], {})
        if found.category_detailed != movement.about:
            misread.add((text, found.category_detailed, movement.about))

    assert misread == set()
